"""`recontact journal`: which call did this, what else it did, and the bytes that came and went."""

import base64
import gzip
import hashlib
import json
import re
import subprocess
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from commands import Ended, id_of, on_terminal, plain, recontact
from conftest import (
    FORMATS,
    KEY,
    RECONTACT,
    Answer,
    Neto,
    add_customers,
    another_site,
    change_customers,
    clean_environ,
    rows,
    served,
    site_of,
    to_body,
)

from recontact.cli.shared import visible
from recontact.clock import new_request_id
from recontact.model import JournalEntry
from recontact.store import keys, tables


def journal(neto: Neto, *words: object) -> Ended:
    return recontact(neto, "journal", *words)


def done(neto: Neto, *words: object) -> Ended:
    """The same, which must succeed."""
    ended = journal(neto, *words)
    assert ended.code == 0, ended
    return ended


def refused(neto: Neto, code: int, *words: object) -> str:
    """The same, which must fail with that code and a sentence, and show nothing."""
    ended = journal(neto, *words)
    assert (ended.code, ended.out) == (code, b""), ended
    assert re.fullmatch(r"recontact: .+\n", ended.err), ended.err
    return ended.err.removeprefix("recontact: ").rstrip("\n")


def listed(neto: Neto, *words: object) -> list[dict[str, Any]]:
    return json.loads(done(neto, "list", "--json", *words).out)


def ids(neto: Neto, *words: object) -> list[str]:
    return [entry["request"] for entry in listed(neto, *words)]


def shown(neto: Neto, answer: Answer, *words: object) -> str:
    """All of a call, as people are shown it."""
    return done(neto, "show", id_of(answer), *words).text


def told(neto: Neto, answer: Answer) -> dict[str, Any]:
    """All of a call, as programs are told it."""
    return json.loads(done(neto, "show", id_of(answer), "--json").out)


def noted(neto: Neto, *answers: Answer) -> list[str]:
    """The ids of these calls, once the journal has them: those that change nothing come later."""
    expected = [id_of(answer) for answer in answers]
    for one in expected:
        request = bytes.fromhex(one.replace("-", ""))
        neto.wait_for(lambda: rows(neto, "SELECT 1 FROM journal WHERE request = ?", request))  # noqa: B023
    return expected


def field(text: str, label: str) -> str:
    """What stands behind a label, its lines joined."""
    found = re.search(rf"^{label:<13}(.*(?:\n {{13}}.*)*)", text, re.MULTILINE)
    assert found, text
    return re.sub(r"\n {13}", "\n", found[1])


@pytest.fixture
def shop(shared: Neto) -> Iterator[Neto]:
    """A site of its own of the module's server, whose journal is empty."""
    with another_site(shared, "Australia/Sydney") as one:
        # Its key was tried until it was let in.
        site = site_of(one)
        one.wait_for(lambda: rows(one, "SELECT 1 FROM journal WHERE site = ?", site))
        with one.store.begin() as connection:
            connection.exec_driver_sql("DELETE FROM journal WHERE site = ?", (site,))
        yield one


# -- list ----------------------------------------------------------------------------------------


def test_calls_are_listed_newest_first_with_all_that_is_counted(shop: Neto) -> None:
    first = shop.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "a"}, {"Notes": "b"}]})
    log_id = int(first.log_ids[0])
    second = shop.update(
        "xml", {"LogID": log_id, "Status": "Completed"}, {"LogID": 999, "Notes": "x"}
    )
    third = shop.call(
        "json",
        "UpdateCustomerLog",
        {"CustomerLogs": {"CustomerLog": [{"LogID": log_id, "notes": "x", "Notes": "c"}]}},
        Recontact_Dry_Run="true",
        Prefer="handling=lenient",
    )
    fourth = shop.get(LogID=log_id)
    expected = noted(shop, first, second, third, fourth)[::-1]

    found = listed(shop)

    assert [entry["request"] for entry in found] == expected
    known = ("action", "format", "http", "ack", "items", "changed", "errors", "warnings", "mode")
    assert [tuple(entry[name] for name in known) for entry in found] == [
        ("GetCustomerLog", "json", 200, "Success", 0, 0, 0, 0, ""),
        ("UpdateCustomerLog", "json", 200, "Success", 1, 0, 0, 0, "dry run"),
        ("UpdateCustomerLog", "xml", 200, "Error", 2, 1, 1, 0, ""),
        ("AddCustomerLog", "json", 200, "Success", 2, 2, 0, 0, ""),
    ]
    for entry in found:
        assert entry["address"] == "127.0.0.1"
        assert (entry["username"], entry["who"]) == (None, None)
        assert 0 < entry["ms"] < 30_000
        at = datetime.strptime(entry["time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert abs(at - shop.clock.now()) < timedelta(minutes=1)


def test_the_list_for_people_is_one_line_a_call(shop: Neto) -> None:
    answer = shop.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "a"}]})

    ended = done(shop, "list")

    heads, line = ended.text.splitlines()
    assert re.split(r"\s{2,}", heads.strip()) == [
        "Time (UTC)", "Request", "By", "Action", "Format", "HTTP", "Ack",
        "Items", "Changed", "Errors", "ms", "Mode",
    ]  # fmt: skip
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  {id_of(answer)}  key \d+  AddCustomerLog  "
        r"json    200   Success      1        1       0  [\d.,]+",
        line.strip(),
    ), line
    assert f"All of one: recontact journal show {id_of(answer)} " in ended.err
    assert "Older" not in ended.err


def test_pages_follow_each_other_by_the_command_that_is_named(shop: Neto) -> None:
    for n in range(5):
        shop.add({"Notes": str(n)})
    everything = ids(shop)

    ended = done(shop, "list", "--limit", 2, "--ack", "success")
    pages = [everything[:2]]
    while older := re.search("Older ones: recontact journal (list .+)", ended.err):
        (before,) = re.findall("--before (\\S+)", older[1])
        assert f"--ack Success --limit 2 --before {before} --site" in older[1]
        assert before == pages[-1][-1]
        ended = done(shop, "list", "--limit", 2, "--ack", "Success", "--before", before)
        pages.append([one for one in everything if one in ended.text])

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == everything
    assert listed(shop, "--before", everything[-1]) == []
    # The beginning of an id is a moment.
    assert ids(shop, "--before", everything[2][:23]) == everything[3:]


def test_filters_hold_together(shop: Neto) -> None:
    one, two = shop.add({"Notes": "a"}, {"Notes": "b"})
    shop.update("json", {"LogID": one, "Notes": "c"})
    wrong = shop.update("json", {"LogID": one, "Notes": "d"}, {"LogID": 999, "Notes": "x"})
    shop.update("json", {"LogID": two, "Notes": "e"})
    noted(shop, shop.get(LogID=one), shop.post("GetCustomerLog", b"{oops"))
    read_wrong, read, fifth, fourth, third, first = ids(shop)
    assert fourth == id_of(wrong)

    for words, expected in {
        ("--log-id", one): [fourth, third, first],
        ("--log-id", two): [fifth, first],
        ("--log-id", 10_000): [],
        ("--ack", "ERROR"): [read_wrong, fourth],
        ("--ack", "Warning"): [],
        ("--action", "getcustomerlog"): [read_wrong, read],
        ("--action", "Undo"): [],
        ("--log-id", one, "--ack", "Error"): [fourth],
        ("--log-id", one, "--before", fourth): [third, first],
        ("--log-id", one, "--limit", 2): [fourth, third],
    }.items():
        assert ids(shop, *words) == expected, words
    assert done(shop, "list", "--ack", "Warning").text == "No call in the journal is so.\n"


def test_a_key_finds_its_calls_and_is_named(shop: Neto) -> None:
    shop.add({"Notes": "a"})
    key = shop.new_key(site=site_itself(shop), username="ana@shop.example")
    headers = {"NETOAPI_KEY": key, "NETOAPI_USERNAME": "ana@shop.example"}
    body = to_body("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "b"}]})
    shop.wait_for(lambda: shop.post("AddCustomerLog", body, headers).status == 200)
    number = newest_key(shop)

    (entry,) = listed(shop, "--key", number)

    assert (entry["key"], entry["username"]) == (number, "ana@shop.example")
    assert f"  key {number}, ana@shop.example  AddCustomerLog  " in done(shop, "list").text
    call = done(shop, "show", entry["request"]).text
    assert field(call, "By") == f"key {number}, ana@shop.example, 127.0.0.1"


def test_a_command_is_named_by_who_ran_it(shop: Neto) -> None:
    shop.add({"Notes": "a"})
    asked = b'{"request": "019ab3f2-1c2d-7abc-8def-0123456789ab"}'
    facts = {"key_id": 0, "format": "", "address": "", "http_status": 0}
    record(shop, action="Undo", changed=12, who="command line", request_body=asked, **facts)
    later = shop.clock.now() + timedelta(milliseconds=1)  # of one moment, either might be newer
    record(shop, later, action="Erase", changed=3, who="command line", **facts)

    erase, undo = listed(shop, "--key", 0)

    assert [one["action"] for one in (undo, erase)] == ["Undo", "Erase"]
    assert {(one["key"], one["who"]) for one in (undo, erase)} == {(None, "command line")}
    assert ids(shop, "--action", "undo") == [undo["request"]]
    assert re.search(r"  command line  Erase  .*  Success  .* 3 ", done(shop, "list").text)
    call = done(shop, "show", undo["request"]).text
    assert field(call, "By") == "command line"
    assert field(call, "Action") == "Undo"
    assert field(call, "Answer") == "Success"
    assert call.endswith(f"\nRequest, {len(asked)} bytes\n{asked.decode()}\n")
    note = done(shop, "show", erase["request"]).text
    assert "bytes" not in note
    assert "kept" not in note


def site_itself(neto: Neto) -> Any:
    number = site_of(neto)
    with neto.store.begin() as connection:
        return keys.find_site(connection, str(number))


def newest_key(neto: Neto) -> int:
    return int(rows(neto, "SELECT max(key_id) FROM key")[0][0])


def record(neto: Neto, at: datetime | None = None, **facts: Any) -> str:
    """Write an entry as the store does, and give its id."""
    at = at or neto.clock.now()
    known: dict[str, Any] = {
        "site": site_of(neto),
        "request": new_request_id(at),
        "at": at,
        "key_id": newest_key(neto),
        "action": "UpdateCustomerLog",
        "format": "json",
        "address": "127.0.0.1",
        "http_status": 200,
        "ack": "Success",
        "request_length": len(facts.get("request_body", b"")),
    }
    entry = JournalEntry(**known | facts)
    with neto.store.begin() as connection:
        connection.execute(tables.journal.insert().values(tables.dump_journal(entry)))
        if entry.request_body or entry.answer_body:
            connection.execute(tables.journal_body.insert().values(tables.dump_bodies(entry)))
    return str(UUID(bytes=entry.request))


@pytest.fixture
def old(serve: Callable[..., Any]) -> Iterator[Neto]:
    """A site of a server that keeps its journal for ever."""
    with serve(journal_days=36_500) as neto, another_site(neto, "Australia/Sydney") as one:
        yield one


def test_days_are_the_sites_and_both_ends_count(old: Neto) -> None:
    # In Sydney the 24th of November goes from 13:00 UTC to 13:00 UTC.
    moments = {
        "before": datetime(2026, 11, 23, 12, 59, 59, 999_000, UTC),
        "first": datetime(2026, 11, 23, 13, 0, 0, 0, UTC),
        "noon": datetime(2026, 11, 24, 1, 0, 0, 500_000, UTC),
        "last": datetime(2026, 11, 24, 12, 59, 59, 999_000, UTC),
        "after": datetime(2026, 11, 24, 13, 0, 0, 0, UTC),
    }
    names = {record(old, at): name for name, at in moments.items()}
    span = "--before", record(old, datetime(2026, 11, 25, tzinfo=UTC))

    for words, expected in {
        ("--from", "2026-11-24", "--to", "2026-11-24"): ["last", "noon", "first"],
        ("--from", "2026-11-24"): ["after", "last", "noon", "first"],
        ("--to", "2026-11-23"): ["before"],
        ("--from", "2026-11-24 01:00:00", "--to", "2026-11-24 01:00:00"): ["noon"],
        ("--from", "2026-11-24T12:00:00+11:00", "--to", "2026-11-24T12:00:00+1100"): ["noon"],
        ("--from", "2026-11-24 01:00:01"): ["after", "last"],
        ("--to", "2026-11-24 00:59:59"): ["first", "before"],
        ("--from", "1000-01-01", "--to", "9999-12-31"): [
            "after",
            "last",
            "noon",
            "first",
            "before",
        ],
        ("--to", "9999-12-31 23:59:59"): ["after", "last", "noon", "first", "before"],
        ("--from", "9999-12-31 23:59:59"): [],
    }.items():
        assert [names[one] for one in ids(old, *words, *span)] == expected, words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ack", "Fine"), "--ack takes one of Success, Warning, Error; got 'Fine'."),
        (("--action", "UpdateLog"), "--action takes one of UpdateCustomerLog, "),
        (("--from", "soon"), "--from must be written YYYY-MM-DD HH:MM:SS (UTC), YYYY-MM-DD, or as"),
        (("--to", "2026-02-30"), "--to must be a day and time that exist"),
        (("--from", ""), "--from is empty: give a day, 2026-11-24, or a time"),
        (("--from", "2026-11-25", "--to", "2026-11-24"), "--from '2026-11-25' is after --to"),
        (("--before", "yesterday"), "--before is written as X-Request-Id has it"),
        (("--before", "0" * 33), "--before is written as X-Request-Id has it"),
    ],
)
def test_a_wrong_value_is_explained(shared: Neto, words: tuple[str, ...], said: str) -> None:
    assert refused(shared, 2, "list", *words).startswith(said)


@pytest.mark.parametrize("words", [("--limit", 0), ("--log-id", 0), ("--key", -1), ("--key", "a")])
def test_a_number_is_one(shared: Neto, words: tuple[object, ...]) -> None:
    ended = journal(shared, "list", *words)

    assert (ended.code, ended.out) == (2, b"")
    assert str(words[0]) in ended.err


def test_a_key_of_another_site_is_none(shared: Neto, shop: Neto) -> None:
    number = newest_key(shop)

    assert ids(shop, "--key", number) == []
    assert f"There is no key {number} of site " in refused(shared, 1, "list", "--key", number)


def test_a_site_is_shown_its_own_calls_alone(shared: Neto, shop: Neto) -> None:
    answer = shared.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "theirs"}]})

    assert done(shop, "list").text == "No calls yet.\n"
    assert "No call in the journal of site" in refused(shop, 1, "show", id_of(answer))


# -- show: what it did ---------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["documented", "live"])
@pytest.mark.parametrize("format", FORMATS)
def test_the_effect_and_what_was_refused_are_told(shared: Neto, format: str, dialect: str) -> None:
    with another_site(shared, "UTC", dialect) as shop:
        log_ids = shop.add(*({"Notes": str(n)} for n in range(12)))
        answer = shop.update(
            format,
            *({"LogID": log_id, "Status": "Completed"} for log_id in log_ids),
            {"LogID": log_ids[0], "LastContacted": "soon"},
            {"LogID": "seven", "Notes": "x"},
        )

        call = told(shop, answer)
        text = shown(shop, answer)

    assert call["effect"] == ["moved 12 logs from Require Recontact to Completed"]
    descriptions = [m["Description"] for m in answer.errors]
    assert call["refused"] == descriptions
    assert call["warned"] == [m.get("Description", m["Message"]) for m in answer.warnings]
    assert [one.split(":")[0] for one in descriptions + call["warned"]] == [
        f"Item 13 (LogID {log_ids[0]})",
        "Item 14",
    ] or dialect == "live"
    assert field(text, "Did") == call["effect"][0]
    for label, some in (("Refused", call["refused"]), ("Warned", call["warned"])):
        if some:
            assert field(text, label) == "\n".join(some)
        else:
            assert f"\n{label}" not in text
    counts = f"14 items, 12 changed, {len(descriptions)} error"
    assert field(text, "Counts").startswith(counts) or dialect == "live"


def test_what_an_add_and_a_customer_call_did_is_told(shop: Neto) -> None:
    added = shop.call(
        "xml", "AddCustomerLog", {"CustomerLogs": {"CustomerLog": [{"Notes": "a"}] * 2}}
    )
    customers = change_customers(shop, "AddCustomer", {"Username": "ana"}, {"Username": "ana"})

    assert told(shop, added)["effect"] == ["added 2 logs"]
    call = told(shop, customers)
    assert call["effect"] == ["added 1 customer"]
    assert len(call["refused"]) == 1
    assert call["refused"][0].startswith("Item 2 (Username ana): ")


def test_a_call_that_changed_nothing_says_so_and_what_is_not_kept(shop: Neto) -> None:
    wrong = shop.update("json", {"LogID": 999, "Notes": "x"})
    noted(shop, wrong)

    text = shown(shop, wrong)

    assert field(text, "Did") == "changed nothing"
    assert field(text, "Answer") == "Error, HTTP 200"
    assert field(text, "Refused") == "1 item, 1 error: the answer, which says what, is not kept"
    assert "Answer: not kept, as this call changed nothing.\n" in text
    assert told(shop, wrong)["answer body"]["not kept"] == "not kept, as this call changed nothing"


def test_many_refusals_are_not_all_shown_to_people(shop: Neto) -> None:
    (log_id,) = shop.add({"Notes": "a"})
    items = [{"LogID": 9_000_000 + n, "Notes": "x"} for n in range(30)]
    answer = shop.update("json", {"LogID": log_id, "Notes": "b"}, *items)

    lines = field(shown(shop, answer), "Refused").split("\n")

    assert lines[:2] == [m["Description"] for m in answer.errors[:2]]
    assert lines[-1] == "and 10 more: see --json"
    assert len(lines) == 21
    assert told(shop, answer)["refused"] == [m["Description"] for m in answer.errors]


def test_what_was_passed_over_is_named_with_what_was_meant(shop: Neto) -> None:
    (log_id,) = shop.add({"Notes": "a"})
    item = {"LogID": log_id, "notes": "x", "Statuss": "y", "Colour\x1b[2J": "z", "Notes": "b"}
    answer = shop.call("json", "UpdateCustomerLog", {"CustomerLogs": {"CustomerLog": [item, item]}})

    assert told(shop, answer)["passed over"] == {
        "notes": ["Notes"],
        "Statuss": ["Status"],
        "Colour\\u001b[2J": [],
    }
    assert field(shown(shop, answer), "Passed over") == (
        "notes: did you mean Notes?\nStatuss: did you mean Status?\nColour\\u001b[2J"
    )


def test_a_misspelled_selector_and_an_element_within_another_are_named(shop: Neto) -> None:
    add_customers(shop, {"Username": "ben"})
    read = shop.get(LogID=1, OutputSelector=["notes", "Status"])
    address = {"BillFirstName": "B", "BillLastname": "C"}
    wrote = change_customers(shop, "UpdateCustomer", {"Username": "ben", "BillingAddress": address})
    noted(shop, read)

    assert told(shop, read)["passed over"] == {"notes": ["Notes"]}
    (found,) = told(shop, wrote)["passed over"].items()
    assert found[0] == "BillingAddress/BillLastname"
    assert found[1][0] == "BillLastName"


# -- show: the bytes -----------------------------------------------------------------------------


@pytest.mark.parametrize("items", [1, 400], ids=["small", "packed"])
@pytest.mark.parametrize("format", FORMATS)
def test_the_bytes_are_given_as_they_came_and_went(shop: Neto, format: str, items: int) -> None:
    tree = {"CustomerLogs": {"CustomerLog": [{"Notes": "\u00fc\r\n\U0001f600\t"}] * items}}
    body = to_body(format, "AddCustomerLog", tree)
    zipped = {"Content-Encoding": "gzip"}
    answer = shop.post("AddCustomerLog", gzip.compress(body), zipped)

    assert done(shop, "show", id_of(answer), "--raw", "request").out == body
    assert done(shop, "show", id_of(answer), "--raw", "answer").out == answer.body
    call = told(shop, answer)
    assert call["request body"] == {"length": len(body), "text": body.decode()}
    assert call["answer body"] == {"length": len(answer.body), "text": answer.body.decode()}
    text = shown(shop, answer)
    assert f"\nRequest, {len(body):,} bytes\n{visible(body.decode())}\n" in text
    assert text.endswith(f"\nAnswer, {len(answer.body):,} bytes\n{answer.body.decode()}\n")


def test_a_body_that_is_not_utf8_is_told_in_base64(shop: Neto) -> None:
    body = "<AddCustomerLog><CustomerLog><Notes>f\u00fcr</Notes></CustomerLog></AddCustomerLog>"
    came = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + body.encode("latin-1")
    answer = shop.post("AddCustomerLog", came)

    assert base64.b64decode(told(shop, answer)["request body"]["base64"]) == came
    assert "f\\xfcr" in shown(shop, answer)
    assert done(shop, "show", id_of(answer), "--raw", "request").out == came


def test_hostile_bytes_do_not_reach_the_terminal(shop: Neto) -> None:
    """Bidi overrides, C1 controls, DEL and line separators; what is harmless stays as it is."""
    (log_id,) = shop.add({"Notes": "a"})
    hostile = "\u202eevil\u2066\u009b31m\u0085\x7f\u2028\u00ad\ufeff\U000e0041"
    notes = f"{hostile} na\u00efve \u65e5\u672c\u8a9e"
    body = json.dumps(
        {"CustomerLogs": {"CustomerLog": [{"LogID": log_id, "Notes": notes, hostile: "x"}]}},
        ensure_ascii=False,
    ).encode()
    answer = shop.post("UpdateCustomerLog", body)
    assert answer.ack == "Success"

    ended = done(shop, "show", id_of(answer))

    escaped = r"\u202eevil\u2066\u009b31m\u0085\u007f\u2028\u00ad\ufeff\U000e0041"
    assert f'"Notes": "{escaped} na\u00efve \u65e5\u672c\u8a9e"' in ended.text
    assert all(line.isprintable() for line in ended.text.split("\n"))
    for words in (("list",), ("list", "--json"), ("show", id_of(answer), "--json")):
        text = done(shop, *words).text
        assert all(line.isprintable() for line in text.replace("\x7f", "").split("\n")), words
    assert done(shop, "show", id_of(answer), "--raw", "request").out == body


def test_escape_sequences_are_shown_and_not_sent() -> None:
    text = "\x1b]0;title\x07\x1b[2Jred\rover\x08\x00\tand\nfine\r\nend"

    assert visible(text) == (
        "\\u001b]0;title\\u0007\\u001b[2Jred\\u000dover\\u0008\\u0000\tand\nfine\nend"
    )


def test_what_could_not_be_read_is_there_by_length_and_hash(shop: Neto) -> None:
    answer = shop.post("UpdateCustomerLog", b'{"Password": "geheim"')
    noted(shop, answer)

    digest = hashlib.sha256(b'{"Password": "geheim"').hexdigest()
    why = "not kept: it could not be read, or might hold a password"
    assert told(shop, answer)["request body"] == {"length": 21, "sha256": digest, "not kept": why}
    assert f"\nRequest, 21 bytes: {why}; SHA-256 {digest}.\n" in shown(shop, answer)
    assert refused(shop, 1, "show", id_of(answer), "--raw", "request") == f"The request is {why}."


def test_a_call_without_a_body_has_none(shop: Neto) -> None:
    answer = shop.post("Nothing")
    noted(shop, answer)

    text = shown(shop, answer)

    assert field(text, "Action") == "NetoAPI"
    assert "\nRequest: none came, or none was read.\n" in text


def test_bodies_that_were_swept_are_gone_and_the_effect_is_told_all_the_same(
    serve: Callable[..., Any],
) -> None:
    with serve(journal_size=0) as neto:
        added = neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "a"}]})
        answer = neto.update("json", {"LogID": 1, "Status": "Completed"}, {"LogID": 9})
        noted(neto, added, answer)
        neto.wait_for(lambda: not rows(neto, "SELECT 1 FROM journal_body"))

        text = shown(neto, answer)

    assert field(text, "Did") == "moved 1 log from Require Recontact to Completed"
    assert field(text, "Refused") == (
        "2 items, 1 changed, 1 error: the answer, which says what, is not kept"
    )
    gone = "not kept any more: it went for the limits of the journal, or was erased"
    assert re.search(rf"\nRequest, \d+ bytes: {gone}\.\n", text)
    assert f"\nAnswer: {gone}.\n" in text


def test_bodies_of_what_was_erased_are_said_to_be_that(neto: Neto) -> None:
    answer = neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "a"}]})
    erased = json.dumps({"notes": ("erased", "erased"), "status": ("erased", "erased")})
    with neto.store.begin() as connection:
        connection.exec_driver_sql("UPDATE revision SET changes = ?", (erased,))
        connection.exec_driver_sql("DELETE FROM journal_body")

    text = shown(neto, answer)

    assert re.search(r"\nRequest, \d+ bytes: erased\.\n\nAnswer: erased\.\n", text)
    assert "erased since" in field(text, "Did")


def test_commands_of_ours_are_in_it_and_told_like_calls(shop: Neto) -> None:
    log_ids = shop.add({"Notes": "a"}, {"Notes": "b"})
    moved = shop.update("json", *({"LogID": one, "Status": "Completed"} for one in log_ids))
    shop.update("json", {"LogID": log_ids[1], "Status": "Recontacting"})
    recontact(shop, "undo", "request", id_of(moved))
    recontact(shop, "log", "withdraw", log_ids[0])

    withdraw, undo = listed(shop, "--key", 0)

    assert (undo["action"], undo["changed"], undo["ack"]) == ("Undo", 1, "Warning")
    assert (withdraw["action"], withdraw["changed"], withdraw["ack"]) == ("Withdraw", 1, "Success")
    assert ids(shop, "--action", "withdraw", "--log-id", log_ids[0]) == [withdraw["request"]]
    text = done(shop, "show", undo["request"]).text
    assert field(text, "By") == "command line"
    assert field(text, "Did") == "moved 1 log from Completed to Require Recontact"
    assert f'{{"Request":"{id_of(moved)}"}}' in text
    assert field(done(shop, "show", withdraw["request"]).text, "Did") == "withdrew 1 log"


def test_of_a_call_that_the_journal_let_go_its_effect_is_told(shop: Neto) -> None:
    answer = shop.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "a"}]})
    with shop.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM journal")

    said = refused(shop, 1, "show", id_of(answer))

    assert said == f"The journal keeps the call {id_of(answer)} no longer. It added 1 log."


# -- show: which call ----------------------------------------------------------------------------


def test_the_beginning_of_an_id_does_where_no_other_has_it(old: Neto) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    first = record(old, at, request=bytes.fromhex("019b77c0f4007000") + bytes(8))
    others = [
        record(old, at, request=bytes.fromhex("019b77c0f4017000") + bytes([n]) + bytes(7))
        for n in range(4)
    ]

    for beginning in ("019b77c0-f400", "019B77C0F4007", " 019b77c0-f400-7000-", first):
        call = done(old, "show", beginning).text
        assert field(call, "Request") == first
    said = refused(old, 1, "show", "019b77c0-f401")
    assert said == (
        f"Several calls have a request id that begins with 019b77c0-f401: {', '.join(others[:3])} "
        "and others. Give more of it."
    )
    assert others[1] in done(old, "show", others[1][:21]).text
    none = refused(old, 1, "show", "019b77c0-f402")
    assert "has the request id 019b77c0-f402" in none


@pytest.mark.parametrize("wrong", ["1", "019b77c", "not an id", "019b77c0" * 5, "\x1b[2J"])
def test_what_is_no_id_is_refused(shared: Neto, wrong: str) -> None:
    said = refused(shared, 2, "show", wrong)

    assert said.startswith("REQUEST_ID ")
    assert said.isprintable()


def test_raw_is_one_of_two(shared: Neto) -> None:
    said = refused(shared, 2, "show", "019b77c0-f400", "--raw", "both")

    assert said == "--raw takes one of request, answer; got 'both'."


# -- on a terminal -------------------------------------------------------------------------------


def test_a_narrow_terminal_has_whole_ids_and_a_wide_one_a_line_a_call(neto: Neto) -> None:
    answer = neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "a"}]})

    code, text = on_terminal(80, neto.path, "journal", "list")
    wide, in_one = on_terminal(200, neto.path, "journal", "list")

    assert code == wide == 0
    first, second = plain(text).split("\n")[:2]
    assert re.fullmatch(r"[\d-]{10} [\d:]{8}  AddCustomerLog  Success  json 200  key 1", first)
    assert re.fullmatch(rf"  {id_of(answer)}  1 item, 1 changed  [\d.,]+ ms", second)
    assert all(len(line) <= 80 for line in plain(text).split("\n"))
    assert re.search(rf"  {id_of(answer)}  key 1 +AddCustomerLog  json ", plain(in_one))
    assert f"All of one: recontact journal show {id_of(answer)}\n" in plain(text)


def test_a_terminal_is_shown_the_beginning_of_a_long_body_and_no_hostile_byte(neto: Neto) -> None:
    notes = "\u202e\u009b31m" + "x" * 9_000
    body = json.dumps({"CustomerLogs": [{"Notes": notes}]}, ensure_ascii=False).encode()
    answer = neto.post("AddCustomerLog", body)

    code, text = on_terminal(80, neto.path, "journal", "show", id_of(answer))
    raw, said = on_terminal(80, neto.path, "journal", "show", id_of(answer), "--raw", "request")
    harmless, answered = on_terminal(
        80, neto.path, "journal", "show", id_of(answer), "--raw", "answer"
    )

    assert code == harmless == 0
    assert '"\\u202e\\u009b31mxxx' in plain(text)
    assert "… and 5,0" in plain(text)
    assert plain(text).rstrip().endswith(answer.body.decode())
    assert raw == 2
    assert plain(said).startswith("recontact: The request has characters that may drive the term")
    assert answered == answer.body.decode()


# -- credentials ---------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_credentials_are_nowhere_in_the_journal(neto: Neto, format: str) -> None:
    """Whichever way a key comes in, and wherever a body has a password, in whichever format."""
    user_key = neto.new_key(username="ana")
    secret = "s3cretw\u00f6rd"
    users: dict[str, str | None] = {"NETOAPI_KEY": user_key, "NETOAPI_USERNAME": "ana"}
    ways: list[dict[str, str | None]] = [
        {},
        users,
        {"NETOAPI_KEY": None, "Authorization": f"Bearer {KEY}"},
        {"NETOAPI_KEY": None, "X_ACCESS_KEY": KEY, "X_SECRET_KEY": KEY},
        {"Cookie": "session=s3cretword", "X-Password": "s3cretword", "Idempotency-Key": "once"},
    ]
    trees = [
        {"Customer": [{"Username": f"u{n}", "Password": secret} for n in range(2)]},
        {"Customer": [{"Username": "u9", "Password": secret, "Notes": secret[:3], "Active": "?"}]},
        {"Customer": [{"Username": "u0", "OldPassword": secret, "Password": secret}]},
        {"Customer": [{"Username": "u1", "Password": {"Password": secret}}]},
        {"Customer": [{"Username": "u1", "old_password_again": secret}]},
    ]
    neto.wait_for(lambda: neto.post("Nothing", headers=users).status != 401)
    answers = [
        neto.post(action, to_body(format, action, tree), headers | {"Accept": "application/json"})
        for headers in ways
        for tree in trees
        for action in ("AddCustomer", "UpdateCustomer")
    ]
    noted(neto, *answers)

    found = ids(neto, "--limit", 1_000)
    everything = journal_bytes(neto) + b"".join(
        done(neto, "show", one, *words).out for one in found for words in ((), ("--json",))
    )

    assert b'"***"' in everything if format == "json" else b">***<" in everything
    spellings = [secret, json.dumps(secret)[1:-1], "s3cretword", KEY, user_key]
    for hidden in [one.encode(codec) for one in spellings for codec in ("utf-8", "utf-16-le")]:
        assert hidden not in everything


def journal_bytes(neto: Neto) -> bytes:
    """All that the rows of the journal and its bodies hold, unpacked."""
    found = [
        value if isinstance(value, bytes) else str(value).encode()
        for table in ("journal", "journal_body", "idempotency")
        for row in rows(neto, f"SELECT * FROM {table}")
        for value in row
    ]
    unpacked = [
        zlib.decompress(body)
        for flags, request, answer in rows(
            neto, "SELECT packed, request_body, answer_body FROM journal_body WHERE packed > 0"
        )
        for flag, body in ((1, request), (2, answer))
        if flags & flag
    ]
    return b"\n".join(found + unpacked)


# -- beside a server -----------------------------------------------------------------------------


def test_it_is_read_beside_a_server_of_another_process(database: Path) -> None:
    with served(database) as server:
        log_ids = server.neto.add({"Notes": "a"})
        ended = subprocess.run(
            [*RECONTACT, "journal", "list", "--json", "--log-id", str(log_ids[0])],
            cwd=database.parent,
            env=clean_environ(),
            capture_output=True,
            check=True,
        )
        (entry,) = json.loads(ended.stdout)
        assert server.stop() == 0

    assert (entry["action"], entry["changed"]) == ("AddCustomerLog", 1)
