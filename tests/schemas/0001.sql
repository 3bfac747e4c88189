-- Schema 0001, as recontact 0.1.0 wrote it.
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
	request_hash BLOB, 
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
	changes TEXT NOT NULL, 
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
	created_at BIGINT NOT NULL, 
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
INSERT INTO alembic_version VALUES ('0001');
INSERT INTO customer_log VALUES (1, 1, 'ana', 'ana', 'Phone', 'phone', NULL, NULL, 'Bob Stone', 'bob stone', 1795167000, '2026-11-24', NULL, 'Recontacting', 'Wants the chairs in oak', 1795568512, 1795568517, 3);
INSERT INTO customer_log VALUES (1, 2, NULL, NULL, NULL, NULL, NULL, NULL, 'Café Lumière', 'café lumière', NULL, NULL, 1795532400, 'Require Recontact', 'long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long ', 1795568512, 1795568512, 2);
INSERT INTO journal VALUES (1, X'01A210392D89797A9B50698FE2942838', 1795568512393, 1, 'NetoAPI', '', '127.0.0.1', 400, 'Error', 0, 1, 0, 0, 143, NULL, 0, X'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855');
INSERT INTO journal VALUES (1, X'01A210392D93793A983B27BA45EB5577', 1795568512403, 1, 'NetoAPI', '', '127.0.0.1', 400, 'Error', 0, 1, 0, 0, 126, NULL, 0, X'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855');
INSERT INTO journal VALUES (1, X'01A210392D9772BABA6741398CDE4D60', 1795568512407, 1, 'AddCustomerLog', 'json', '127.0.0.1', 200, 'Success', 2, 0, 0, 2, 1652, NULL, 287, NULL);
INSERT INTO journal VALUES (1, X'01A210392DA47B1499CEA17665D17C9E', 1795568512420, 1, 'UpdateCustomerLog', 'json', '127.0.0.1', 200, 'Success', 1, 0, 0, 1, 1049, NULL, 80, NULL);
INSERT INTO journal VALUES (1, X'01A210392DAC7EB7B60595793D5DB8F7', 1795568512428, 1, 'UpdateCustomerLog', 'json', '127.0.0.1', 200, 'Success', 1, 0, 0, 1, 366, NULL, 5045, NULL);
INSERT INTO journal VALUES (1, X'01A210392DAE76BEA29AA023C8D0DE98', 1795568512430, 1, 'UpdateCustomerLog', 'json', '127.0.0.1', 200, 'Error', 1, 1, 0, 0, 188, NULL, 55, NULL);
INSERT INTO journal VALUES (1, X'01A210392DAF7B2682F7432B5B4E792E', 1795568512431, 1, 'GetCustomerLog', 'json', '127.0.0.1', 200, 'Success', 0, 0, 0, 0, 2272, NULL, 53, NULL);
INSERT INTO journal VALUES (1, X'01A21039429775FCAC52CB20C0590229', 1795568517783, 1, 'UpdateCustomerLog', 'json', '127.0.0.1', 200, 'Success', 1, 0, 0, 1, 9887, NULL, 68, NULL);
INSERT INTO journal_body VALUES (1, X'01A210392D9772BABA6741398CDE4D60', 0, X'7B22437573746F6D65724C6F6773223A205B7B22437573746F6D65724E616D65223A2022426F622053746F6E65222C2022466F6C6C6F77557054797065223A202250686F6E65222C2022446174655265717569726564466F6C6C6F775570223A2022323032362D31312D3234222C20224C617374436F6E746163746564223A2022323032362D31312D32302030393A33303A3030222C20224E6F746573223A202241736B656420666F7220612071756F7465206F6E20343020636861697273227D2C207B22437573746F6D65724E616D65223A20224361665C7530306539204C756D695C75303065387265222C2022446174655265717569726564466F6C6C6F775570223A2022323032362D31312D32345431353A30303A30305A227D5D7D', X'7B22437573746F6D65724C6F67223A5B7B224C6F674944223A2231227D2C7B224C6F674944223A2232227D5D2C2243757272656E7454696D65223A22323032362D31312D32352030313A30313A3532222C2241636B223A2253756363657373227D');
INSERT INTO journal_body VALUES (1, X'01A210392DA47B1499CEA17665D17C9E', 0, X'7B22437573746F6D65724C6F6773223A205B7B224C6F674944223A20312C2022416C6C6F6361746564546F223A2022616E61222C2022537461747573223A20225265636F6E74616374696E67227D5D7D', X'7B2243757272656E7454696D65223A22323032362D31312D32352030313A30313A3532222C2241636B223A2253756363657373227D');
INSERT INTO journal_body VALUES (1, X'01A210392DAC7EB7B60595793D5DB8F7', 1, X'7801EDD4310A80300C85E1AB84373B39BAEA22881710C7D2450DD83A95DEDD7A08B77F098F8C8FE42B1A9F94FD0CF7E23169B0ADA8A5796AB1EF4CABE7F0AD75F8158D4107DC016F0005488884488884488884488884488884488884488884BF4AA8BAD7177A2422CD', X'7B2243757272656E7454696D65223A22323032362D31312D32352030313A30313A3532222C2241636B223A2253756363657373227D');
INSERT INTO journal_body VALUES (1, X'01A210392DAE76BEA29AA023C8D0DE98', 0, X'7B22437573746F6D65724C6F6773223A205B7B224C6F674944223A2039392C20224E6F746573223A20226F66206E6F206C6F67227D5D7D', NULL);
INSERT INTO journal_body VALUES (1, X'01A210392DAF7B2682F7432B5B4E792E', 0, X'7B2246696C746572223A207B224C6F674944223A20312C20224F757470757453656C6563746F72223A205B224E6F746573225D7D7D', NULL);
INSERT INTO journal_body VALUES (1, X'01A21039429775FCAC52CB20C0590229', 0, X'7B22437573746F6D65724C6F6773223A205B7B224C6F674944223A20312C20224E6F746573223A202257616E7473207468652063686169727320696E206F616B227D5D7D', X'7B2243757272656E7454696D65223A22323032362D31312D32352030313A30313A3537222C2241636B223A2253756363657373227D');
INSERT INTO revision VALUES (1, 1, 1, 1795568512, 1, X'01A210392D9772BABA6741398CDE4D60', '{"follow_up_type":[null,"Phone"],"customer_name":[null,"Bob Stone"],"last_contacted":[null,"2026-11-20 09:30:00"],"date_required_follow_up":[null,"2026-11-24"],"status":[null,"Require Recontact"],"notes":[null,"Asked for a quote on 40 chairs"]}');
INSERT INTO revision VALUES (1, 1, 2, 1795568512, 1, X'01A210392DA47B1499CEA17665D17C9E', '{"allocated_to":[null,"ana"],"status":["Require Recontact","Recontacting"]}');
INSERT INTO revision VALUES (1, 1, 3, 1795568517, 1, X'01A21039429775FCAC52CB20C0590229', '{"notes":["Asked for a quote on 40 chairs","Wants the chairs in oak"]}');
INSERT INTO revision VALUES (1, 2, 1, 1795568512, 1, X'01A210392D9772BABA6741398CDE4D60', '{"customer_name":[null,"Café Lumière"],"date_required_follow_up":[null,"2026-11-24 15:00:00"],"status":[null,"Require Recontact"]}');
INSERT INTO revision VALUES (1, 2, 2, 1795568512, 1, X'01A210392DAC7EB7B60595793D5DB8F7', '{"notes":[null,"long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long "]}');
INSERT INTO site VALUES (1, 'Shop', 'UTC', '', 3, 1795568512);
INSERT INTO key VALUES (1, 1, X'3E2D500D2363734DBFA34E18B9E0206E4E11B807C900943AB8850265AF5F863C', '', NULL, 'read,write', 1795568512, NULL, NULL, 1795568512);
INSERT INTO key VALUES (2, 1, X'4D23D5DE395F13D68F9428B44F20451D8D68BA271150EC57E0996BFA186CD37E', 'rk_BlJI', 'ana', 'read', 1795568513, NULL, NULL, NULL);
INSERT INTO key VALUES (3, 1, X'14C50730BAE2BD8DB94DDD482268515C6972B4287BABAB3D59E8BEEA0B3A2140', 'rk_PGzB', NULL, 'read,write', 1795568514, NULL, 1795568515, NULL);
CREATE INDEX customer_log_by_site_allocated_to_folded_log_id ON customer_log (site, allocated_to_folded, log_id);
CREATE INDEX customer_log_by_site_date_updated ON customer_log (site, date_updated);
CREATE INDEX customer_log_by_site_follow_up_at ON customer_log (site, follow_up_at);
CREATE INDEX customer_log_by_site_follow_up_day ON customer_log (site, follow_up_day);
CREATE INDEX customer_log_by_site_status_log_id ON customer_log (site, status, log_id);
COMMIT;
