"""`recontact erase`: nothing of a customer is left in any byte, and all of everybody else is."""

import gzip
import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from conftest import (
    PASSWORD,
    QUICK,
    RECONTACT,
    Neto,
    add_customers,
    clean_environ,
    customer,
    find_customers,
    served,
    to_xml,
)

from recontact.mentions import Mentions
from recontact.model import By, JournalEntry, amend, fold, unpacked, words
from recontact.store import Transaction, Work, erasing, keys, open_store, search, staff
from recontact.store.saved import SavedView, save_view
from recontact.store.sqlite import driver

# All begin as nothing else in the file does.
NAME = "Qzüße-黒澤🦊K"
EMAIL = "Qxanna@qxmail.example"
FIRST = "Qvornøme"
PERSON = "Qwünna Müllerßon"
NOTES = "Qyhas asked for fifty chairs"
BEFORE = "Qjwanted sixty tables at first"
LONG = "Qkvery long " + "and longer still " * 500
WITHDRAWN = "Qhthis log was withdrawn"
TEXTS = (NAME, EMAIL, FIRST, PERSON, NOTES, BEFORE, LONG[:60], WITHDRAWN, "Qf" + NAME)
# Of what Search looks into, as an index has words that begin alike; one was forgotten by it before,
# which it keeps for a while.
WORDS = [words(text)[0][1:] for text in (NAME, PERSON, NOTES, BEFORE, LONG, WITHDRAWN)]


def run(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """A command of recontact on the database, in a process of its own."""
    return subprocess.run(
        [*RECONTACT, *flags, "--database", f"sqlite:///{path}"],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def erased(path: Path, *flags: str) -> str:
    """What `recontact erase … --yes` says once nothing is left."""
    done = run(path, "erase", *flags, "--yes")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "none is left" in done.stdout
    return done.stdout


def rows(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(driver.connect(path, timeout=5)) as file:
        return file.execute(sql, values).fetchall()


def forms(text: str) -> set[bytes]:
    """A text as bytes, in whatever way somebody may have written it."""
    spelt = {text, text.lower(), text.upper(), fold(text), json.dumps(text)[1:-1]}
    spelt |= {text.encode("ascii", "xmlcharrefreplace").decode(), quote_plus(text)}
    encodings = ("utf-8", "utf-16-le", "utf-16-be")
    return {one.encode(encoding) for one in spelt for encoding in encodings}


def there(path: Path, *texts: str) -> set[str]:
    """Those of the texts that are in any byte of the file or its WAL, or in a packed body."""
    files = [one for one in (path, path.with_name(f"{path.name}-wal")) if one.exists()]
    bodies = [
        unpacked(body, bool(flags & flag))
        for flags, *both in rows(path, "SELECT packed, request_body, answer_body FROM journal_body")
        for flag, body in zip((1, 2), both, strict=True)
        if body is not None
    ]
    everything = b"\0".join([*(one.read_bytes() for one in files), *bodies])
    return {text for text in texts if any(form in everything for form in forms(text))}


def sound(path: Path) -> bool:
    done = run(path, "db", "check")
    assert done.returncode == 0, done.stdout
    return True


def wait_until_written(neto: Neto) -> None:
    """The index of the search has seen all, and the last entry of the journal is there."""
    request = neto.get(LogID=1).headers["X-Request-Id"].replace("-", "")
    sql = "SELECT 1 FROM journal WHERE request = ?"
    neto.wait_for(lambda: rows(neto.path, sql, bytes.fromhex(request)))
    neto.wait_for(lambda: not rows(neto.path, "SELECT 1 FROM search_pending LIMIT 1"))


def fill(neto: Neto) -> None:
    """The customer in every place that there is, and others beside."""
    person = {"Username": NAME, "EmailAddress": EMAIL, "BillingAddress": {"BillFirstName": FIRST}}
    others = [{"Username": f"other{n}", "EmailAddress": f"o{n}@shop.example"} for n in range(3)]
    add_customers(neto, person, *others)
    neto.add({"Username": "other1", "Notes": "of somebody else", "CustomerName": "Otto Other"})
    neto.add({"Username": NAME, "Notes": BEFORE, "CustomerName": PERSON}, format="xml")
    neto.add({"Username": NAME, "Notes": LONG}, {"Username": NAME, "Notes": WITHDRAWN})
    wait_until_written(neto)
    neto.update("xml", {"LogID": 2, "Notes": NOTES})
    neto.update("json", {"LogID": 1, "Status": "Completed"}, {"LogID": 2, "Status": "Completed"})
    # Bodies in all ways: gzip, UTF-16, a comment, escapes; refused, tried, read, unknown names.
    wide = to_xml("UpdateCustomer", {"Customer": {"Username": NAME, "ABN": "1"}}).decode()
    wide = wide.replace("utf-8", "utf-16")
    xml = {"Accept": "text/xml"}
    assert neto.post("UpdateCustomer", wide.encode("utf-16"), xml).ack == "Success"
    body = json.dumps({"Customer": [{"Username": NAME.upper(), "ABN": "2"}]}).encode()
    packed = {"Content-Encoding": "gzip"}
    assert neto.post("UpdateCustomer", gzip.compress(body), packed).ack == "Success"
    remark = f"<UpdateCustomerLog><!-- of {NAME} --><Other/></UpdateCustomerLog>".encode()
    assert neto.post("UpdateCustomerLog", remark).ack == "Error"
    asked = {"Username": NAME, "Notes": "Qf" + NAME}
    dry = {"Recontact-Dry-Run": "true"}
    items = {"CustomerLogs": {"CustomerLog": [asked]}}
    assert neto.call("json", "AddCustomerLog", items, **dry).ack == "Success"
    refused = {"CustomerLogs": {"CustomerLog": [asked | {"Status": "Nonsense"}]}}
    assert neto.call("xml", "AddCustomerLog", refused, Prefer="handling=strict").ack == "Error"
    find_customers(neto, "xml", Email=EMAIL.lower())
    neto.get("json", CustomerName=PERSON)
    neto.call("json", "UpdateCustomerLog", {"CustomerLogs": {"CustomerLog": {"LogID": 1, NAME: 1}}})
    wait_until_written(neto)


def use_the_panel(path: Path) -> None:
    """Let somebody keep a form and views, in which they are named."""
    kept = urlencode({"said": f"{EMAIL} asked {NOTES}", "name": PERSON})
    where = {"kept_path": f"/customers/{quote_plus(NAME)}", "kept": kept}
    now = datetime.now(UTC)
    with (
        closing(open_store(f"sqlite:///{path}", now=lambda: now)) as store,
        store.begin() as connection,
    ):
        site = keys.first_site(connection, now)
        one = staff.add(connection, site, "ana", "agent", QUICK.hash(PASSWORD), now)
        staff.sign_in(connection, one, now, address="127.0.0.1", agent="Firefox", **where)
        for name, q in (("Of one", EMAIL), ("Of others", "tables")):
            view = SavedView(name, f"/?{urlencode({'q': q})}")
            save_view(connection, site.site, one.staff_id, view)


def all_of_others(neto: Neto) -> list[Any]:
    """What every read says of those who stay."""
    return [
        [customer(neto, f"other{n}") for n in range(3)],
        neto.log(1),
        neto.get(Search="somebody").log_ids,
        neto.get(Search="otto").log_ids,
        neto.get(Username="other1").log_ids,
        find_customers(neto, Email="o2@shop.example").tree["Customer"],
    ]


@pytest.fixture(scope="module")
def filled(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a shop that has them, whose server has ended."""
    path = tmp_path_factory.mktemp("filled") / "recontact.db"
    path.write_bytes(template.read_bytes())
    with served(path) as server:
        fill(server.neto)
        assert server.stop() == 0
    use_the_panel(path)
    return path


@pytest.fixture
def shop(filled: Path, tmp_path: Path) -> Path:
    """A copy of that file."""
    path = tmp_path / "recontact.db"
    path.write_bytes(filled.read_bytes())
    return path


def test_what_the_tests_look_for_is_found_before(shop: Path) -> None:
    assert there(shop, *TEXTS) == set(TEXTS)
    assert there(shop, *WORDS) == set(WORDS)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "nothing.db"
    for command in (["erase", "--finish"], ["erase", "--log-id", "1"], ["customer", "export", "a"]):
        done = run(path, *command)
        assert done.returncode == 1
        assert f"There is no database {path}" in done.stderr
        assert not path.exists()


def test_without_yes_it_only_says_what_would_go(shop: Path) -> None:
    before = shop.read_bytes()
    told = run(shop, "erase", "--username", NAME.upper())
    assert told.returncode == 0, told
    assert "1 customer, ID 1" in told.stdout
    assert "3 logs, LogID 2, 3, 4" in told.stdout
    assert "Nothing was changed" in told.stdout
    assert shop.read_bytes() == before


def test_no_byte_of_them_is_left_and_nobody_else_is_touched(shop: Path) -> None:
    with served(shop) as server:
        before = all_of_others(server.neto)
        assert server.stop() == 0
    said = erased(shop, "--username", NAME)

    assert there(shop, *TEXTS, *WORDS) == set()
    assert "LogID 2, 3, 4" in said
    assert sound(shop)
    assert rows(shop, "SELECT name FROM saved_view") == [("Of others",)]
    with served(shop) as server:
        neto = server.neto
        assert all_of_others(neto) == before
        assert find_customers(neto, Username=NAME).tree["Customer"] == []
        assert neto.get(LogID=[2, 3, 4]).logs == []
        assert neto.get(Search="chairs").logs == []
        assert neto.add({"Notes": "a new one"}) == [5]
        assert server.stop() == 0


def test_revisions_and_the_journal_say_that_it_was_but_not_whose(shop: Path) -> None:
    lines = "SELECT request, at, key_id, action, http_status, ack, changed FROM journal"
    before = rows(shop, lines)
    erased(shop, "--username", NAME)

    for table in ("revision", "customer_revision"):
        number = "log_id > 1" if table == "revision" else "customer_id = 1"
        for changes, at in rows(shop, f"SELECT changes, at FROM {table} WHERE {number}"):
            assert set(map(tuple, json.loads(changes).values())) == {("erased", "erased")}
            assert at
    after = rows(shop, lines)
    assert after[:-1] == before
    assert after[-1][2:] == (0, "Erase", 0, "Success", 8)
    (note,) = rows(shop, "SELECT who, request_length, passed_over FROM journal WHERE key_id = 0")
    assert note == ("command line", 0, None)
    # Of calls that touched others alone, the bodies are there.
    kept = [body for (body,) in rows(shop, "SELECT request_body FROM journal_body")]
    assert [b"somebody else" in body for body in kept].count(True) == 1


def test_beside_a_server_no_byte_is_left_either(shop: Path) -> None:
    assert run(shop, "erase", "--finish").returncode == 0
    with served(shop) as server:
        neto = server.neto
        wal = shop.with_name("recontact.db-wal")
        with closing(driver.connect(shop, isolation_level=None)) as reader:
            for statement in ("BEGIN", "SELECT 1 FROM site"):  # meanwhile no WAL begins again
                reader.execute(statement).fetchall()
            neto.update("json", {"LogID": 1, "Notes": "of somebody else still"})
            before = all_of_others(neto)
            assert NOTES.encode() in wal.read_bytes()  # of pages that others share with them
        erased(shop, "--username", NAME)
        assert there(shop, *TEXTS, *WORDS) == set()
        assert all_of_others(neto) == before
        assert neto.update("json", {"LogID": 2, "Notes": "x"}).codes == ["CL002"]
        assert neto.add({"Notes": "a new one"}) == [5]
        assert server.stop() == 0
    assert there(shop, *TEXTS) == set()
    assert sound(shop)


def test_where_a_server_left_texts_in_unused_places_it_says_so(shop: Path) -> None:
    again = "Qyasked again by Qzeta"
    with served(shop) as server:
        server.neto.update("json", {"LogID": 2, "Notes": again}, {"LogID": 3, "Notes": again * 99})
        wait_until_written(server.neto)
        done = run(shop, "erase", "--username", NAME, "--yes")
        assert bool(there(shop, *TEXTS, again)) <= (done.returncode == 1), done
        assert ("recontact erase --finish" in done.stderr) == (done.returncode == 1), done
        assert server.neto.get(LogID=[2, 3]).logs == []
        assert run(shop, "erase", "--finish").returncode == 1  # it is served
        assert server.stop() == 0
    assert run(shop, "erase", "--finish").returncode == 0
    assert there(shop, *TEXTS, again) == set()
    assert sound(shop)


def test_what_was_withdrawn_goes_too_and_what_the_index_has_not_seen(shop: Path) -> None:
    fresh = "Qwfresh words"
    ((request,),) = rows(shop, "SELECT request FROM revision WHERE log_id = 2 AND number = 1")

    def change(tx: Transaction) -> None:
        by = By(1, request)
        log, gone, person = tx.log(2), tx.log(4), tx.customer(NAME)
        assert log is not None
        assert gone is not None
        assert person is not None
        tx.save(amend(log, {"notes": fresh}, tx.now), log, by)
        tx.withdraw(gone, by)
        tx.withdraw_customer(person, by)
        tx.keep()

    with closing(open_store(f"sqlite:///{shop}", now=lambda: datetime.now(UTC))) as store:
        with store.begin() as connection:
            site = keys.find_site(connection, None)
        store.write(Work(site, change))
    assert there(shop, fresh) == {fresh}
    said = erased(shop, "--username", NAME)
    assert "LogID 2, 3, 4" in said
    assert there(shop, *TEXTS, fresh) == set()
    assert sound(shop)
    with served(shop) as server:
        assert server.neto.get(Search="qwfresh").logs == []
        assert server.neto.get(Search="somebody").log_ids == ["1"]
        assert server.stop() == 0


def test_one_log_goes_alone(shop: Path) -> None:
    erased(shop, "--log-id", "2")
    assert there(shop, NOTES, BEFORE, LONG[:60], NAME) == {LONG[:60], NAME}
    assert sound(shop)
    with served(shop) as server:
        assert server.neto.get(Username=NAME).log_ids == ["3", "4"]
        assert server.neto.get(Search="longer").log_ids == ["3"]
        assert server.stop() == 0


def test_a_repeat_of_an_erased_call_is_not_run_again(database: Path) -> None:
    with served(database) as server:
        neto = server.neto
        add_customers(neto, {"Username": NAME}, {"Username": "other"})

        theirs = {"CustomerLogs": {"CustomerLog": {"Username": NAME, "Notes": "once"}}}
        others = {"CustomerLogs": {"CustomerLog": {"Username": "other", "Notes": "once"}}}
        one, two = {"Idempotency-Key": "one"}, {"Idempotency-Key": "two"}
        neto.call("json", "AddCustomerLog", theirs, **one)
        first = neto.call("json", "AddCustomerLog", others, **two)
        assert "1 Idempotency-Key, " in run(database, "erase", "--username", NAME).stdout
        run(database, "erase", "--username", NAME, "--yes")

        again = neto.call("json", "AddCustomerLog", theirs, **one)
        assert (again.status, again.codes) == (422, ["RC028"])
        assert neto.call("json", "AddCustomerLog", others, **two).body == first.body
        assert neto.get(Username="other").log_ids == ["2"]
        assert server.stop() == 0
    assert sound(database)


def test_an_erase_that_was_killed_goes_on(shop: Path) -> None:
    """Rows go before revisions, and by these the rest is found."""
    with closing(driver.connect(shop)) as file:
        file.execute("DELETE FROM customer WHERE customer_id = 1")
        file.execute("DELETE FROM customer_log WHERE log_id = 3")
        file.commit()
    said = erased(shop, "--username", NAME)
    assert "LogID 2, 3, 4" in said
    assert there(shop, *TEXTS) == set()
    again = run(shop, "erase", "--username", NAME, "--yes")
    assert again.returncode == 1
    assert "There is nothing of customer" in again.stderr


def test_a_call_that_made_a_revision_goes_whole_whatever_it_says(shop: Path) -> None:
    ((request,),) = rows(shop, "SELECT request FROM revision WHERE log_id = 2 AND number = 1")
    said = "SELECT count(*) FROM journal_body WHERE request = ?"
    with closing(driver.connect(shop)) as file:
        bodies = "UPDATE journal_body SET packed = 0, request_body = '{}', answer_body = '{}'"
        file.execute(f"{bodies} WHERE request = ?", (request,))
        file.commit()
    assert rows(shop, said, request) == [(1,)]
    erased(shop, "--log-id", "2")
    assert rows(shop, said, request) == [(0,)]


def test_calls_that_come_meanwhile_go_too(shop: Path) -> None:
    def nothing(_done: int, _of: int) -> None:
        pass

    found = erasing.find_customer(shop, 1, NAME, [1], nothing)
    names = Mentions(found.names, found.own, found.log_ids, found.customer_ids)
    last = erasing.find_bodies(shop, found, names, nothing)
    requests = [b"\xff" * 15 + bytes([n]) for n in (1, 2)]
    with closing(driver.connect(shop)) as file:  # as a server writes what it answered before
        for request, log_id in zip(requests, (3, 1), strict=True):
            body = f'{{"Filter": {{"LogID": {log_id}}}}}'.encode()
            values = (1, request, 0, body, None)
            file.execute("INSERT INTO journal_body VALUES (?, ?, ?, ?, ?)", values)
        file.commit()
    now = datetime.now(UTC)
    entry = JournalEntry(1, bytes(16), now, 0, "Erase", "", "", 200, "Success")
    erasing.take_out(shop, found, names, entry, last, nothing)
    left = {request for (request,) in rows(shop, "SELECT request FROM journal_body")}
    assert left.intersection(requests) == {requests[1]}


def test_the_index_is_merged_to_the_end_though_a_server_adds_to_it(shop: Path) -> None:
    """Three new parts must not keep FTS5 from going on with the old ones."""
    with closing(driver.connect(shop, isolation_level=None)) as file:

        def add(*rowids: int) -> None:
            file.execute("BEGIN")
            some = [(n, f"q{n:x} w{n * 7919:x}" + " qyxforgotten" * (n == 7)) for n in rowids]
            file.executemany("INSERT INTO log_search (rowid, words) VALUES (?, ?)", some)
            file.execute("COMMIT")

        add(*range(1, 40_000))
        assert search.merge_all(file, begins=True)
        while search.merge_all(file, begins=False):
            pass
        forget = "INSERT INTO log_search (log_search, rowid, words) VALUES ('delete', 7, ?)"
        file.execute(forget, (f"q7 w{7 * 7919:x} qyxforgotten",))
        blocks = (
            "SELECT count(*) FROM log_search_data WHERE instr(block, x'7978666f72676f7474656e')"
        )
        assert file.execute(blocks).fetchone() != (0,)
        steps = 1
        assert search.merge_all(file, begins=True)
        for one in range(50_001, 50_004):
            add(one)
        while search.merge_all(file, begins=False):
            steps += 1
        assert steps > 3
        assert file.execute(blocks).fetchone() == (0,)


def test_copies_are_named_and_not_changed(shop: Path) -> None:
    copy = shop.with_name("recontact.db.before-upgrade-from-0003")
    backup = shop.with_name("old.db")
    other = shop.with_name("other.db")
    for one in (copy, backup):
        one.write_bytes(shop.read_bytes())
    with closing(driver.connect(other)) as file:
        file.execute("CREATE TABLE theirs (x)")
    said = erased(shop, "--username", NAME)
    assert str(copy) in said
    assert str(backup) in said
    assert str(other) not in said
    assert backup.read_bytes() == copy.read_bytes()
    assert there(backup, NAME) == {NAME}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((), "Say what goes"),
        (("--username", "a", "--log-id", "1"), "Say what goes"),
        (("--username", " "), "--username is empty"),
    ],
)
def test_wrong_use_is_told(database: Path, flags: tuple[str, ...], says: str) -> None:
    ended = run(database, "erase", *flags)
    assert ended.returncode == 2
    assert says in ended.stderr


# -- which bodies name somebody ------------------------------------------------------------------

ANA = Mentions({"ana.Müß", "ana@shop.example"}, {"Wants sixty tables"}, {7}, {9})


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"Filter": {"LogID": ["6", "7"]}}', True),
        (b'{"Filter": {"LogID": 7}}', True),
        (b'{"Filter": {"LogID": " 007 "}}', True),
        (b'{"Log\\u0049D": 7}', True),
        (b"<A><x:LogID xmlns:x='u'><![CDATA[7]]></x:LogID></A>", True),
        (b"<A><LogID>&#55;</LogID></A>", True),
        (b"<A><LogID>77</LogID><Limit>7</Limit><ID>7</ID></A>", False),
        (b'{"LogIDAfter": 7, "Page": 9}', False),
        (b"<A><ID>9</ID></A>", True),
        ("<A><Username>ANA.MÜSS</Username></A>".encode(), True),
        ("<A><Username>ANA.MÜSS</Username></A>".encode("utf-16"), True),
        ("<A><!-- of ana.Müß --></A>".encode("utf-16-be"), True),
        ("<?xml version='1.0' encoding='iso-8859-1'?><A>ana.Müß</A>".encode("latin-1"), True),
        (b"<A x='ana.M&#252;&#xDF;'/>", True),
        (b'{"Notes": "to ANA.M\\u00fc\\u00df, soon"}', True),
        ('{"Notes": "banana.Müß"}'.encode(), False),
        (b'{"Email": "Ana@Shop.Example"}', True),
        (b'{"Address": "/?q=sent+to+ana%40shop.example"}', True),
        (b'{"Notes": "wants sixty TABLES"}', True),
        (b'{"Notes": "wants sixty tables now"}', False),
        (b"", False),
    ],
)
def test_a_body_that_names_them_is_found(body: bytes, names: bool) -> None:
    assert ANA(body) is names


def test_a_short_name_counts_only_where_a_username_stands() -> None:
    short = Mentions({"7", "bo"})
    assert short(b"<A><Username>7</Username></A>")
    assert short(b'{"ParentUsername": "BO"}')
    assert not short(b'{"LogID": 7, "Notes": "bo 7"}')


# -- export --------------------------------------------------------------------------------------

EXPORT = """
import sys
import typer
from recontact.cli.erasing import export_customer
app = typer.Typer()
app.command()(export_customer)
app()
"""


def test_an_export_has_all_that_is_known(shop: Path) -> None:
    with closing(driver.connect(shop)) as file:  # as one that was withdrawn
        file.execute("DELETE FROM customer_log WHERE log_id = 4")
        file.commit()
    before = shop.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, NAME.lower(), "--database", f"sqlite:///{shop}"],
        env=clean_environ(),
        capture_output=True,
        check=True,
    )
    assert shop.read_bytes() == before
    known = json.loads(done.stdout)

    (one,) = known["Customers"]
    assert one["Customer"]["Username"] == NAME
    assert one["Customer"]["BillingAddress"]["BillFirstName"] == FIRST
    assert one["Customer"]["ABN"] == "2"
    assert [past["Changes"] for past in one["History"]][:2] == [
        [{"Element": "ABN", "Old": "1", "New": "2"}],
        [{"Element": "ABN", "Old": None, "New": "1"}],
    ]
    logs = {log["LogID"]: log for log in known["CustomerLogs"]}
    assert [logs[n]["CustomerLog"] and logs[n]["CustomerLog"]["Notes"] for n in "234"] == [
        NOTES,
        LONG,
        None,
    ]
    assert {"Element": "Notes", "Old": BEFORE, "New": NOTES} in logs["2"]["History"][1]["Changes"]
    assert {"Element": "Notes", "Old": None, "New": WITHDRAWN} in logs["4"]["History"][0]["Changes"]
    calls = {call["RequestID"]: call for call in known["Calls"]}
    assert logs["4"]["History"][0]["RequestID"] in calls
    assert {call["Action"] for call in known["Calls"]} >= {"AddCustomer", "GetCustomer"}
    assert all(call["Address"] == "127.0.0.1" and call["Key"] == 1 for call in known["Calls"])
    assert "somebody else" not in done.stdout.decode()
