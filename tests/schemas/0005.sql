-- Schema 0005, as recontact 0.1.0 wrote it.
PRAGMA auto_vacuum = INCREMENTAL;
BEGIN;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE customer_log (
	site INTEGER NOT NULL, 
	log_id BIGINT NOT NULL, 
	allocated_to TEXT, 
	allocated_to_folded TEXT, 
	follow_up_type TEXT, 
	follow_up_type_folded TEXT, 
	username TEXT, 
	username_folded TEXT, 
	customer_name TEXT, 
	customer_name_folded TEXT, 
	last_contacted BIGINT, 
	follow_up_day VARCHAR(10), 
	follow_up_at BIGINT, 
	status TEXT NOT NULL, 
	notes TEXT, 
	date_added BIGINT NOT NULL, 
	date_updated BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (site, log_id)
)
 WITHOUT ROWID

;
CREATE TABLE journal (
	site INTEGER NOT NULL, 
	request BLOB NOT NULL, 
	at BIGINT NOT NULL, 
	key_id INTEGER NOT NULL, 
	action VARCHAR(40) NOT NULL, 
	format VARCHAR(10) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	http_status SMALLINT NOT NULL, 
	ack VARCHAR(10) NOT NULL, 
	items INTEGER NOT NULL, 
	errors INTEGER NOT NULL, 
	warnings INTEGER NOT NULL, 
	changed INTEGER NOT NULL, 
	duration_us BIGINT NOT NULL, 
	passed_over TEXT, 
	request_length BIGINT NOT NULL, 
	request_hash BLOB, mode VARCHAR(40), who TEXT, 
	PRIMARY KEY (site, request)
)
 WITHOUT ROWID

;
CREATE TABLE journal_body (
	site INTEGER NOT NULL, 
	request BLOB NOT NULL, 
	packed SMALLINT NOT NULL, 
	request_body BLOB, 
	answer_body BLOB, 
	PRIMARY KEY (site, request)
);
CREATE TABLE revision (
	site INTEGER NOT NULL, 
	log_id BIGINT NOT NULL, 
	number BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	key_id INTEGER, 
	request BLOB NOT NULL, 
	changes TEXT NOT NULL, who TEXT, 
	PRIMARY KEY (site, log_id, number)
)
 WITHOUT ROWID

;
CREATE TABLE site (
	site INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	zone VARCHAR(64) NOT NULL, 
	cors_origins TEXT DEFAULT '' NOT NULL, 
	next_log_id BIGINT DEFAULT 1 NOT NULL, 
	created_at BIGINT NOT NULL, dialect VARCHAR(12) DEFAULT 'documented' NOT NULL, next_customer_id BIGINT DEFAULT 1 NOT NULL, follow_up_types TEXT DEFAULT 'Phone
Email
SMS
Visit' NOT NULL, 
	PRIMARY KEY (site)
);
CREATE TABLE "key" (
	key_id INTEGER NOT NULL, 
	site INTEGER NOT NULL, 
	digest BLOB NOT NULL, 
	hint VARCHAR(16) NOT NULL, 
	username TEXT, 
	may VARCHAR(20) NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	revoked_at BIGINT, 
	last_used_at BIGINT, 
	PRIMARY KEY (key_id), 
	FOREIGN KEY(site) REFERENCES site (site), 
	CONSTRAINT key_digest UNIQUE (digest)
);
CREATE TABLE customer (
	site INTEGER NOT NULL, 
	username_folded TEXT NOT NULL, 
	customer_id BIGINT NOT NULL, 
	username TEXT NOT NULL, 
	details TEXT NOT NULL, 
	type TEXT, 
	active SMALLINT NOT NULL, 
	on_credit_hold SMALLINT NOT NULL, 
	newsletter_subscriber SMALLINT NOT NULL, 
	email_address_folded TEXT, 
	bill_company_folded TEXT, 
	bill_state_folded TEXT, 
	user_group_folded TEXT, 
	date_added BIGINT NOT NULL, 
	date_updated BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (site, username_folded)
)
 WITHOUT ROWID

;
CREATE TABLE customer_revision (
	site INTEGER NOT NULL, 
	customer_id BIGINT NOT NULL, 
	number BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	key_id INTEGER, 
	request BLOB NOT NULL, 
	changes TEXT NOT NULL, who TEXT, 
	PRIMARY KEY (site, customer_id, number)
)
 WITHOUT ROWID

;
CREATE TABLE search_pending (
	site INTEGER NOT NULL, 
	log_id BIGINT NOT NULL, 
	was TEXT, words TEXT, 
	PRIMARY KEY (site, log_id)
)
 WITHOUT ROWID

;
CREATE TABLE search_index (
	made_by VARCHAR(60) NOT NULL, 
	PRIMARY KEY (made_by)
);
CREATE VIRTUAL TABLE log_search USING fts5(words, content='', detail=none, columnsize=0, tokenize='ascii', prefix='1 2 3');
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1;
CREATE TABLE idempotency (
	site INTEGER NOT NULL, 
	key_id INTEGER NOT NULL, 
	idempotency_key TEXT NOT NULL, 
	fingerprint BLOB NOT NULL, 
	request BLOB NOT NULL, 
	PRIMARY KEY (site, key_id, idempotency_key)
)
 WITHOUT ROWID

;
CREATE TABLE staff (
	staff_id INTEGER NOT NULL, 
	site INTEGER NOT NULL, 
	username TEXT NOT NULL, 
	username_folded TEXT NOT NULL, 
	role VARCHAR(10) NOT NULL, 
	password TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	last_login_at BIGINT, 
	PRIMARY KEY (staff_id), 
	CONSTRAINT staff_site UNIQUE (site, username_folded), 
	FOREIGN KEY(site) REFERENCES site (site)
);
CREATE TABLE session (
	digest BLOB NOT NULL, 
	staff_id INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	seen_at BIGINT NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	agent TEXT NOT NULL, 
	kept_path TEXT, 
	kept TEXT, 
	PRIMARY KEY (digest)
)
 WITHOUT ROWID

;
CREATE TABLE setup (
	site INTEGER NOT NULL, 
	digest BLOB NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (site), 
	CONSTRAINT setup_digest UNIQUE (digest)
)
 WITHOUT ROWID

;
CREATE TABLE saved_view (
	site INTEGER NOT NULL, 
	staff_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	address TEXT NOT NULL, 
	PRIMARY KEY (site, staff_id, name)
)
 WITHOUT ROWID

;
DELETE FROM log_search_data;
DELETE FROM log_search_idx;
DELETE FROM log_search_config;
INSERT INTO alembic_version VALUES ('0005');
INSERT INTO customer_log VALUES (1, 1, 'ana', 'ana', 'Phone', 'phone', NULL, NULL, 'Bob Stone', 'bob stone', 1795167000, '2026-11-24', NULL, 'Recontacting', 'Wants the chairs in oak', 1795609577, 1795609582, 3);
INSERT INTO customer_log VALUES (1, 2, NULL, NULL, NULL, NULL, NULL, NULL, 'Café Lumière', 'café lumière', NULL, NULL, 1795532400, 'Require Recontact', 'long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long ', 1795609577, 1795609580, 4);
INSERT INTO journal VALUES (1, X'01A212ABC9BC764E95FCB61A7126645A', 1795609577916, 1, 'AddCustomer', 'json', '127.0.0.1', 200, 'Success', 1, 0, 0, 1, 3495, NULL, 89, NULL, NULL, NULL);
INSERT INTO journal VALUES (1, X'01A212ABC9C27533A29E14F745B15F2C', 1795609577922, 1, 'UpdateCustomer', 'json', '127.0.0.1', 200, 'Success', 1, 0, 0, 1, 334, NULL, 59, NULL, NULL, NULL);
INSERT INTO journal VALUES (1, X'01A212ABC9C47DCFB72F383F490A35B7', 1795609577924, 1, 'AddCustomerLog', 'json', '127.0.0.1', 200, 'Success', 2, 0, 0, 2, 363, NULL, 287, NULL, NULL, NULL);
INSERT INTO journal VALUES (1, X'01A212ABC9C77E3B8E4F0C30A9CF53CD', 1795609577927, 1, 'UpdateCustomerLog', 'json', '127.0.0.1', 200, 'Success', 1, 0, 0, 1, 734, NULL, 80, NULL, NULL, NULL);
INSERT INTO journal VALUES (1, X'01A212ABC9CA7F7B98C5B35F601D8E26', 1795609577930, 1, 'UpdateCustomerLog', 'json', '127.0.0.1', 200, 'Success', 1, 0, 0, 1, 1424, NULL, 5045, NULL, NULL, NULL);
INSERT INTO journal VALUES (1, X'01A212ABC9CD7343816AA5316EBACB1C', 1795609577933, 1, 'UpdateCustomerLog', 'json', '127.0.0.1', 200, 'Error', 1, 1, 0, 0, 208, NULL, 55, NULL, NULL, NULL);
INSERT INTO journal VALUES (1, X'01A212ABC9CE7B11ACC7F90F84248D26', 1795609577934, 1, 'GetCustomerLog', 'json', '127.0.0.1', 200, 'Success', 0, 0, 0, 0, 2288, NULL, 53, NULL, NULL, NULL);
INSERT INTO journal VALUES (1, X'01A212ABCC587950BA439F8A22D7525A', 1795609578584, 0, 'CreateKey', '', '', 0, 'Success', 0, 0, 0, 0, 0, NULL, 67, NULL, NULL, 'command line');
INSERT INTO journal VALUES (1, X'01A212ABCE4C748A99923ECE7442F6A4', 1795609579084, 0, 'CreateKey', '', '', 0, 'Success', 0, 0, 0, 0, 0, NULL, 74, NULL, NULL, 'command line');
INSERT INTO journal VALUES (1, X'01A212ABD05D7F29ADE670E490BC59B1', 1795609579613, 0, 'RevokeKey', '', '', 0, 'Success', 0, 0, 0, 0, 0, NULL, 44, NULL, NULL, 'command line');
INSERT INTO journal VALUES (1, X'01A212ABD2527593B6B41F6107DD219F', 1795609580114, 0, 'Withdraw', '', '', 0, 'Success', 1, 0, 0, 1, 0, NULL, 11, NULL, NULL, 'command line');
INSERT INTO journal VALUES (1, X'01A212ABD46876E689E08E46378FF145', 1795609580648, 0, 'Undo', '', '', 0, 'Success', 1, 0, 0, 1, 0, NULL, 24, NULL, NULL, 'command line');
INSERT INTO journal VALUES (1, X'01A212ABD6E5781CAAA490FA7D7BBD1D', 1795609581285, 0, 'CreateStaff', '', '', 0, 'Success', 0, 0, 0, 0, 0, NULL, 33, NULL, NULL, 'command line');
INSERT INTO journal VALUES (1, X'01A212ABDBD77E82BB70F0BE7AE82EA4', 1795609582789, 0, 'Login', 'panel', '127.0.0.1', 303, 'Success', 0, 0, 0, 0, 0, NULL, 0, NULL, NULL, 'Ana');
INSERT INTO journal VALUES (1, X'01A212ABDCE6726FBABA160DABA81258', 1795609582822, 1, 'UpdateCustomerLog', 'json', '127.0.0.1', 200, 'Success', 1, 0, 0, 1, 2441, NULL, 68, NULL, 'strict', NULL);
INSERT INTO journal VALUES (2, X'01A212ABD8F2775D8FA14676889C2C2B', 1795609581810, 0, 'CreateSite', '', '', 0, 'Success', 0, 0, 0, 0, 0, NULL, 72, NULL, NULL, 'command line');
INSERT INTO journal_body VALUES (1, X'01A212ABC9BC764E95FCB61A7126645A', 0, X'7B22437573746F6D6572223A205B7B22557365726E616D65223A2022416E61222C2022456D61696C41646472657373223A2022616E614073686F702E6578616D706C65222C2022416374697665223A202254727565227D5D7D', X'7B22437573746F6D6572223A5B7B22557365726E616D65223A22416E61227D5D2C2243757272656E7454696D65223A22323032362D31312D32352031323A32363A3137222C2241636B223A2253756363657373227D');
INSERT INTO journal_body VALUES (1, X'01A212ABC9C27533A29E14F745B15F2C', 0, X'7B22437573746F6D6572223A205B7B22557365726E616D65223A2022616E61222C20224372656469744C696D6974223A202231322E3530227D5D7D', X'7B22437573746F6D6572223A5B7B22557365726E616D65223A22416E61227D5D2C2243757272656E7454696D65223A22323032362D31312D32352031323A32363A3137222C2241636B223A2253756363657373227D');
INSERT INTO journal_body VALUES (1, X'01A212ABC9C47DCFB72F383F490A35B7', 0, X'7B22437573746F6D65724C6F6773223A205B7B22437573746F6D65724E616D65223A2022426F622053746F6E65222C2022466F6C6C6F77557054797065223A202250686F6E65222C2022446174655265717569726564466F6C6C6F775570223A2022323032362D31312D3234222C20224C617374436F6E746163746564223A2022323032362D31312D32302030393A33303A3030222C20224E6F746573223A202241736B656420666F7220612071756F7465206F6E20343020636861697273227D2C207B22437573746F6D65724E616D65223A20224361665C7530306539204C756D695C75303065387265222C2022446174655265717569726564466F6C6C6F775570223A2022323032362D31312D32345431353A30303A30305A227D5D7D', X'7B22437573746F6D65724C6F67223A5B7B224C6F674944223A2231227D2C7B224C6F674944223A2232227D5D2C2243757272656E7454696D65223A22323032362D31312D32352031323A32363A3137222C2241636B223A2253756363657373227D');
INSERT INTO journal_body VALUES (1, X'01A212ABC9C77E3B8E4F0C30A9CF53CD', 0, X'7B22437573746F6D65724C6F6773223A205B7B224C6F674944223A20312C2022416C6C6F6361746564546F223A2022616E61222C2022537461747573223A20225265636F6E74616374696E67227D5D7D', X'7B2243757272656E7454696D65223A22323032362D31312D32352031323A32363A3137222C2241636B223A2253756363657373227D');
INSERT INTO journal_body VALUES (1, X'01A212ABC9CA7F7B98C5B35F601D8E26', 1, X'7801EDD4310A80300C85E1AB84373B39BAEA22881710C7D2450DD83A95DEDD7A08B77F098F8C8FE42B1A9F94FD0CF7E23169B0ADA8A5796AB1EF4CABE7F0AD75F8158D4107DC016F0005488884488884488884488884488884488884488884BF4AA8BAD7177A2422CD', X'7B2243757272656E7454696D65223A22323032362D31312D32352031323A32363A3137222C2241636B223A2253756363657373227D');
INSERT INTO journal_body VALUES (1, X'01A212ABC9CD7343816AA5316EBACB1C', 0, X'7B22437573746F6D65724C6F6773223A205B7B224C6F674944223A2039392C20224E6F746573223A20226F66206E6F206C6F67227D5D7D', NULL);
INSERT INTO journal_body VALUES (1, X'01A212ABC9CE7B11ACC7F90F84248D26', 0, X'7B2246696C746572223A207B224C6F674944223A20312C20224F757470757453656C6563746F72223A205B224E6F746573225D7D7D', NULL);
INSERT INTO journal_body VALUES (1, X'01A212ABCC587950BA439F8A22D7525A', 0, X'7B22537461727473223A22726B5F65797A5F222C22557365726E616D65223A22616E61222C224D6179223A5B2272656164225D2C2245787069726573223A6E756C6C7D', NULL);
INSERT INTO journal_body VALUES (1, X'01A212ABCE4C748A99923ECE7442F6A4', 0, X'7B22537461727473223A22726B5F4438617A222C22557365726E616D65223A6E756C6C2C224D6179223A5B2272656164222C227772697465225D2C2245787069726573223A6E756C6C7D', NULL);
INSERT INTO journal_body VALUES (1, X'01A212ABD05D7F29ADE670E490BC59B1', 0, X'7B224B6579223A332C22537461727473223A22726B5F4438617A222C22557365726E616D65223A6E756C6C7D', NULL);
INSERT INTO journal_body VALUES (1, X'01A212ABD2527593B6B41F6107DD219F', 0, X'7B224C6F674944223A327D', NULL);
INSERT INTO journal_body VALUES (1, X'01A212ABD46876E689E08E46378FF145', 0, X'7B224C6F674944223A322C225265766973696F6E223A337D', NULL);
INSERT INTO journal_body VALUES (1, X'01A212ABD6E5781CAAA490FA7D7BBD1D', 0, X'7B22557365726E616D65223A22416E61222C22526F6C65223A2261646D696E227D', NULL);
INSERT INTO journal_body VALUES (2, X'01A212ABD8F2775D8FA14676889C2C2B', 0, X'7B226E616D65223A22486172626F7572222C227A6F6E65223A22555443222C226469616C656374223A22646F63756D656E746564222C22636F72735F6F726967696E73223A22227D', NULL);
INSERT INTO journal_body VALUES (1, X'01A212ABDCE6726FBABA160DABA81258', 0, X'7B22437573746F6D65724C6F6773223A205B7B224C6F674944223A20312C20224E6F746573223A202257616E7473207468652063686169727320696E206F616B227D5D7D', X'7B2243757272656E7454696D65223A22323032362D31312D32352031323A32363A3232222C2241636B223A2253756363657373227D');
INSERT INTO revision VALUES (1, 1, 1, 1795609577, 1, X'01A212ABC9C47DCFB72F383F490A35B7', '{"follow_up_type":[null,"Phone"],"customer_name":[null,"Bob Stone"],"last_contacted":[null,"2026-11-20 09:30:00"],"date_required_follow_up":[null,"2026-11-24"],"status":[null,"Require Recontact"],"notes":[null,"Asked for a quote on 40 chairs"]}', NULL);
INSERT INTO revision VALUES (1, 1, 2, 1795609577, 1, X'01A212ABC9C77E3B8E4F0C30A9CF53CD', '{"allocated_to":[null,"ana"],"status":["Require Recontact","Recontacting"]}', NULL);
INSERT INTO revision VALUES (1, 1, 3, 1795609582, 1, X'01A212ABDCE6726FBABA160DABA81258', '{"notes":["Asked for a quote on 40 chairs","Wants the chairs in oak"]}', NULL);
INSERT INTO revision VALUES (1, 2, 1, 1795609577, 1, X'01A212ABC9C47DCFB72F383F490A35B7', '{"customer_name":[null,"Café Lumière"],"date_required_follow_up":[null,"2026-11-24 15:00:00"],"status":[null,"Require Recontact"]}', NULL);
INSERT INTO revision VALUES (1, 2, 2, 1795609577, 1, X'01A212ABC9CA7F7B98C5B35F601D8E26', '{"notes":[null,"long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long "]}', NULL);
INSERT INTO revision VALUES (1, 2, 3, 1795609580, NULL, X'01A212ABD2527593B6B41F6107DD219F', '{"customer_name":["Café Lumière",null],"date_required_follow_up":["2026-11-24 15:00:00",null],"status":["Require Recontact",null],"notes":["long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long ",null]}', 'command line');
INSERT INTO revision VALUES (1, 2, 4, 1795609580, NULL, X'01A212ABD46876E689E08E46378FF145', '{"customer_name":[null,"Café Lumière"],"date_required_follow_up":[null,"2026-11-24 15:00:00"],"status":[null,"Require Recontact"],"notes":[null,"long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long "]}', 'command line');
INSERT INTO site VALUES (1, 'Shop', 'UTC', '', 3, 1795609577, 'documented', 2, 'Phone
Email
SMS
Visit');
INSERT INTO site VALUES (2, 'Harbour', 'UTC', '', 1, 1795609581, 'documented', 1, 'Phone
Email
SMS
Visit');
INSERT INTO key VALUES (1, 1, X'3E2D500D2363734DBFA34E18B9E0206E4E11B807C900943AB8850265AF5F863C', '', NULL, 'read,write', 1795609577, NULL, NULL, 1795609577);
INSERT INTO key VALUES (2, 1, X'497F567D219829CACACAFD37838750EBF3988A142AA095D4A55F989A07899D8E', 'rk_eyz_', 'ana', 'read', 1795609578, NULL, NULL, NULL);
INSERT INTO key VALUES (3, 1, X'358E12CCB843ADBA0D4FE43BAED1002F08215A56EF65078388B65164060D849A', 'rk_D8az', NULL, 'read,write', 1795609579, NULL, 1795609579, NULL);
INSERT INTO customer VALUES (1, 'ana', 1, 'Ana', '{"type":"Customer","active":"True","newsletter_subscriber":"False","on_credit_hold":"False","email_address":"ana@shop.example","credit_limit":"12.50"}', 'Customer', 1, 0, 0, 'ana@shop.example', NULL, NULL, NULL, 1795609577, 1795609577, 2);
INSERT INTO customer_revision VALUES (1, 1, 1, 1795609577, 1, X'01A212ABC9BC764E95FCB61A7126645A', '{"username":[null,"Ana"],"type":[null,"Customer"],"email_address":[null,"ana@shop.example"],"newsletter_subscriber":[null,"False"],"active":[null,"True"],"on_credit_hold":[null,"False"]}', NULL);
INSERT INTO customer_revision VALUES (1, 1, 2, 1795609577, 1, X'01A212ABC9C27533A29E14F745B15F2C', '{"credit_limit":[null,"12.50"]}', NULL);
INSERT INTO search_pending VALUES (1, 1, 'Bob Stone
Asked for a quote on 40 chairs', ' bob stone wants the chairs in oak ');
INSERT INTO search_index VALUES ('SQLite 3.53.4, Unicode 14.0.0');
INSERT INTO log_search_data VALUES (1, X'020C');
INSERT INTO log_search_data VALUES (10, X'000000020102000002010101020101');
INSERT INTO log_search_data VALUES (137438953473, X'0000018903303430C080808001010161C0808080010204736B6564C0808080010103626F62C080808001010463616665C08080800202056861697273C0808080010103666F72C08080800101046C6F6E67C0808080020206756D69657265C08080800201026F6EC080808001010571756F7465C080808001010573746F6E65C08080800100023134C080808001010161C080808001010162C080808001010163C08080800101010166C08080800101016CC08080800201016FC080808001010171C080808001010173C0808080010003323430C08080800101026173C0808080010102626FC08080800101026361C080808002020168C0808080010102666FC08080800101026C6FC080808002020175C08080800201026F6EC08080800101027175C08080800101027374C08080800100043361736BC0808080010103626F62C0808080010103636166C08080800202026861C0808080010103666F72C08080800101036C6F6EC0808080020202756DC080808002010371756FC080808001010373746FC0808080010409080B0A0B0C0A0B0D090C0C0908080908080808080A090909080909080909090B0A0A090A0A090A');
INSERT INTO log_search_data VALUES (274877906945, X'00000087053063616665C080808002000001046C6F6E67C08080800200000206756D69657265C080808002000000023163C080808002000001016CC08080800200000003326361C080808002000001026C6FC0808080020000020175C0808080020000000433636166C080808002000001036C6F6EC08080800200000202756DC0808080020000040D0D0F0B0A0C0B0A0D0C');
INSERT INTO log_search_idx VALUES (1, X'', 2);
INSERT INTO log_search_idx VALUES (2, X'', 2);
INSERT INTO log_search_config VALUES ('automerge', 0);
INSERT INTO log_search_config VALUES ('crisismerge', 1000);
INSERT INTO log_search_config VALUES ('version', 4);
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log', '1000000 1000000 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_allocated_to_folded_log_id', '1000000 1000000 20000 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_status_log_id', '1000000 1000000 300000 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_follow_up_type_folded_log_id', '1000000 1000000 100000 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_username_folded_log_id', '1000000 1000000 50 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_customer_name_folded_log_id', '1000000 1000000 50 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_date_added', '1000000 1000000 100');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_last_contacted', '1000000 1000000 100');
INSERT INTO sqlite_stat1 VALUES ('customer', 'customer', '100000 100000 1');
INSERT INTO sqlite_stat1 VALUES ('customer', 'customer_by_site_customer_id', '100000 100000 1');
INSERT INTO sqlite_stat1 VALUES ('customer', 'customer_by_site_email_address_folded_customer_id', '100000 100000 2 1');
INSERT INTO sqlite_stat1 VALUES ('customer', 'customer_by_site_date_added', '100000 100000 100');
INSERT INTO sqlite_stat1 VALUES ('customer', 'customer_by_site_date_updated', '100000 100000 100');
INSERT INTO sqlite_stat1 VALUES ('search_pending', 'search_pending', '500 500 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_status_follow_up_day', '1000000 1000000 300000 300 100 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_by_site_date_updated', '1000000 1000000 100 1');
INSERT INTO sqlite_stat1 VALUES ('customer_log', 'customer_log_open_by_site_username_folded', '100000 100000 5');
INSERT INTO idempotency VALUES (1, 1, 'the-key-of-a-repeat', X'DB88D1D3422918C975D461BBBA7E45ECF258A90F033DB0A8C947671F840B4852', X'01A212ABDCE6726FBABA160DABA81258');
INSERT INTO staff VALUES (1, 1, 'Ana', 'ana', 'admin', '$argon2id$v=19$m=65536,t=3,p=4$0fRwrK/H8ZJpgaZX0/kRWg$33eIiHpSS1UKUnEqnAn4menrG1TJS1/y8jA1fbSpLmQ', 1795609581, NULL, 1795609582);
INSERT INTO session VALUES (X'2947D99C663B01371EFD041186A515CAE9D9A89662C265BE6617519660EBE0DF', 1, 1795609582, 1795609582, '127.0.0.1', 'Python-urllib/3.11', '/logs/1', 'notes=oak');
INSERT INTO setup VALUES (2, X'FEDB53ED2083B4EDE07E02A9E051C90350C84BCE01330C23E06EEEFFFA83AD43', 1795609582);
INSERT INTO saved_view VALUES (1, 1, 'Mine by phone', 'who=me&type=Phone');
CREATE INDEX customer_log_by_site_allocated_to_folded_log_id ON customer_log (site, allocated_to_folded, log_id);
CREATE INDEX customer_log_by_site_status_log_id ON customer_log (site, status, log_id);
CREATE UNIQUE INDEX customer_by_site_customer_id ON customer (site, customer_id);
CREATE INDEX customer_by_site_email_address_folded_customer_id ON customer (site, email_address_folded, customer_id);
CREATE INDEX customer_by_site_date_added ON customer (site, date_added);
CREATE INDEX customer_by_site_date_updated ON customer (site, date_updated);
CREATE INDEX customer_log_by_site_username_folded_log_id ON customer_log (site, username_folded, log_id);
CREATE INDEX customer_log_by_site_customer_name_folded_log_id ON customer_log (site, customer_name_folded, log_id);
CREATE INDEX customer_log_by_site_follow_up_type_folded_log_id ON customer_log (site, follow_up_type_folded, log_id);
CREATE INDEX customer_log_by_site_date_added ON customer_log (site, date_added);
CREATE INDEX customer_log_by_site_last_contacted ON customer_log (site, last_contacted);
CREATE INDEX revision_by_site_request_key_id ON revision (site, request, key_id);
CREATE INDEX customer_revision_by_site_request_key_id ON customer_revision (site, request, key_id);
CREATE INDEX idempotency_by_site_request ON idempotency (site, request);
CREATE INDEX customer_log_by_site_status_follow_up_day ON customer_log (site, status, follow_up_day, follow_up_at, log_id, allocated_to_folded, follow_up_type_folded, customer_name_folded);
CREATE INDEX customer_log_by_site_date_updated ON customer_log (site, date_updated, log_id, status, allocated_to_folded, follow_up_type_folded);
CREATE INDEX customer_log_open_by_site_username_folded ON customer_log (site, username_folded) WHERE status <> 'Completed' AND (follow_up_day IS NOT NULL OR follow_up_at IS NOT NULL);
CREATE INDEX session_by_staff_id ON session (staff_id);
COMMIT;
