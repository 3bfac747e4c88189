"""`recontact undo`: what was done is taken back, and nothing that anybody else did."""

import asyncio
import itertools
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import id_of, recontact
from conftest import (
    FORMATS,
    PATIENCE,
    RECONTACT,
    Answer,
    Neto,
    TestClock,
    add_customers,
    another_site,
    change_customers,
    clean_environ,
    customers_of,
    find_customers,
    rows,
    served,
    serving,
    to_body,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recontact import history, undo
from recontact.cli import main, undoing
from recontact.clock import SYSTEM, Clock, new_request_id
from recontact.history import Kind
from recontact.model import By, JournalEntry, amend
from recontact.store import Span, Touched, Transaction, View, Work, keys, open_store, tables
from recontact.store.sqlite import driver
from recontact.store.upkeep import check
from recontact.values import Status, write_instant


def undone(neto: Neto, *words: object) -> dict[str, Any]:
    """What an undo did, or would do, as programs are told it."""
    ended = recontact(neto, "undo", *words, "--json")
    assert (ended.code, ended.err) == (0, ""), ended
    return json.loads(ended.out)


def told(neto: Neto, *words: object) -> str:
    """The same, as people are told it."""
    ended = recontact(neto, "undo", *words)
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.text


def refused(neto: Neto, code: int, *words: object) -> str:
    """An undo that must fail with that code and a sentence."""
    ended = recontact(neto, "undo", *words)
    assert (ended.code, ended.out) == (code, b""), ended
    assert re.fullmatch(r"recontact: [^\n]+\.\n", ended.err), ended.err
    return ended.err.removeprefix("recontact: ").rstrip("\n")


def facts(neto: Neto, log_id: int) -> dict[str, str]:
    """A log as it is, but for what each write changes."""
    log = neto.log(log_id)
    return {name: log[name] for name in ("LogID", "DateAdded", *ELEMENTS)}


ELEMENTS = (
    "AllocatedTo",
    "FollowUpType",
    "Username",
    "CustomerName",
    "LastContacted",
    "DateRequiredFollowUp",
    "Status",
    "Notes",
)


def records(neto: Neto) -> dict[str, list[tuple[Any, ...]]]:
    """All logs and customers, but for what each write changes."""
    found = {}
    for table in (tables.customer_log, tables.customer):
        names = [one.name for one in table.c if one.name not in ("date_updated", "revision")]
        found[table.name] = rows(neto, f"SELECT {', '.join(names)} FROM {table.name} ORDER BY 1, 2")
    # The order of the details means nothing.
    at = tables.customer.c.keys().index("details")
    found["customer"] = [(*c[:at], json.loads(c[at]), *c[at + 1 :]) for c in found["customer"]]
    return found


def everything(neto: Neto) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but for when a key was last used, once the server is at rest."""
    neto.wait_for(lambda: not rows(neto, "SELECT 1 FROM search_pending LIMIT 1"))
    found = {}
    for name, table in tables.metadata.tables.items():
        names = [one.name for one in table.c if one.name != "last_used_at"]
        found[name] = sorted(rows(neto, f"SELECT {', '.join(names)} FROM {name}"), key=repr)
    return found


def entry_of(neto: Neto, request: str) -> tuple[Any, ...]:
    """What the journal says that a command did: action, ack, items, changed, warnings, who."""
    (entry,) = rows(
        neto,
        "SELECT action, ack, items, changed, warnings, who FROM journal WHERE request = ?",
        bytes.fromhex(request.replace("-", "")),
    )
    return entry


def as_key(neto: Neto, key: str, action: str, tree: Any) -> Answer:
    """A call with another key."""
    return neto.post(action, to_body("json", action, tree), {"NETOAPI_KEY": key})


def update_as(neto: Neto, key: str, *items: dict[str, Any]) -> Answer:
    answer = as_key(neto, key, "UpdateCustomerLog", {"CustomerLogs": {"CustomerLog": list(items)}})
    assert answer.ack == "Success", answer.tree
    return answer


# -- a request -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_request_is_undone_but_for_what_others_changed_later(neto: Neto, format: str) -> None:
    other = neto.new_key()
    logs = neto.add(*({"Notes": f"call {n}", "DateRequiredFollowUp": "2026-12-01"} for n in "abc"))
    before = [facts(neto, log_id) for log_id in logs]
    wrong = neto.update(
        format,
        *(
            {"LogID": n, "Status": "Completed", "DateRequiredFollowUp": "", "Notes": "job"}
            for n in logs
        ),
    )
    update_as(neto, other, {"LogID": logs[1], "Notes": "Ana wrote this", "CustomerName": "Ben"})
    update_as(
        neto,
        other,
        {"LogID": logs[2], "Status": "Recontacting", "DateRequiredFollowUp": "2027-01-02"},
    )

    did = undone(neto, "request", id_of(wrong))

    assert facts(neto, logs[0]) == before[0]
    assert facts(neto, logs[1]) == before[1] | {"Notes": "Ana wrote this", "CustomerName": "Ben"}
    assert facts(neto, logs[2]) == before[2] | {
        "Status": "Recontacting",
        "DateRequiredFollowUp": "2027-01-02",
    }
    by_revision_3 = {"revision": 2, "why": "revision 3 changed it later", "later": 3}
    assert did == {
        "preview": False,
        "request": did["request"],
        "records": 3,
        "done": 3,
        "changed": 3,
        "effect": [
            "set DateRequiredFollowUp of 2 logs to 2026-12-01",
            "moved 2 logs from Completed to Require Recontact",
            "changed Notes of 2 logs",
        ],
        "left": [
            {"record": f"log {logs[1]}", "element": "Notes"} | by_revision_3,
            {"record": f"log {logs[2]}", "element": "DateRequiredFollowUp"} | by_revision_3,
            {"record": f"log {logs[2]}", "element": "Status"} | by_revision_3,
        ],
    }
    assert entry_of(neto, did["request"]) == ("Undo", "Warning", 3, 3, 3, "command line")
    assert neto.log(logs[0])["Revision"] == "3"


def test_what_people_are_told(neto: Neto) -> None:
    (log_id,) = neto.add({"Notes": "\x85\u202eold"})
    wrong = neto.update("json", {"LogID": log_id, "Notes": "new", "Status": "Completed"})
    neto.update("json", {"LogID": log_id, "Status": "Recontacting"})
    request = id_of(wrong)

    assert told(neto, "request", request, "--preview") == (
        "Nothing is written yet. The undo would have\n"
        "  changed Notes of 1 log\n"
        "Left as it is:\n"
        f"  log {log_id}, Status of revision 2: revision 3 changed it later\n"
        "To do it, leave --preview out. It can be undone.\n"
    )
    found = re.fullmatch(
        "Undone:\n"
        "  changed Notes of 1 log\n"
        "Left as it is:\n"
        rf"  log {log_id}, Status of revision 2: revision 3 changed it later\n"
        r"To take this back \(1 revision\): recontact (undo request [0-9a-f-]{36})\n",
        told(neto, "request", request),
    )
    assert found
    assert neto.log(log_id)["Notes"] == "\x85\u202eold"
    assert told(neto, "request", request) == (
        "Nothing is undone: what came later stands in the way, an undo perhaps.\n"
        "Left as it is:\n"
        f"  log {log_id}, Status of revision 2: revision 3 changed it later\n"
    )
    # The very words take it back.
    assert "Undone:\n  changed Notes of 1 log to new\n" in told(neto, *found[1].split()[1:])
    assert neto.log(log_id)["Notes"] == "new"


def test_a_preview_writes_nothing_and_tells_what_the_undo_does(neto: Neto) -> None:
    add_customers(neto, {"Username": "kept"}, {"Username": "goes"})
    logs = neto.add({"Notes": "a", "Username": "goes"}, {"Notes": "b"}, {"Notes": "c"})
    neto.update("json", {"LogID": logs[0], "Status": "Completed"})
    neto.update("json", {"LogID": logs[1], "Status": "Completed"})
    neto.add({"Username": "kept"})
    assert recontact(neto, "log", "withdraw", logs[2]).code == 0
    span = ("key", 1, "--from", "2020-01-01")
    before = everything(neto)

    preview = undone(neto, *span, "--preview")
    text = told(neto, *span, "--preview")

    assert everything(neto) == before
    assert text.startswith("Nothing is written yet. The undo would have\n  withdrew 3 logs\n")
    did = undone(neto, *span)
    assert preview == did | {"preview": True, "request": None}
    assert did["effect"] == ["withdrew 3 logs", "withdrew 2 customers"]
    assert records(neto) == {"customer_log": [], "customer": []}


def test_undo_of_undo_and_undo_of_that(neto: Neto) -> None:
    logs = neto.add({"Notes": "a"}, {"Notes": "b", "AllocatedTo": "Ben"})
    added = [facts(neto, log_id) for log_id in logs]
    changed = neto.update(
        "json",
        {"LogID": logs[0], "Notes": "", "Status": "Completed"},
        {"LogID": logs[1], "AllocatedTo": "Ana", "LastContacted": "2026-11-01 10:00:00"},
    )
    after = [facts(neto, log_id) for log_id in logs]

    request = id_of(changed)
    for expected in (added, after, added, after):
        request = undone(neto, "request", request)["request"]
        assert [facts(neto, log_id) for log_id in logs] == expected


def test_the_undo_of_an_add_withdraws_the_log_and_its_undo_brings_it_back(neto: Neto) -> None:
    neto.clock.move(days=-3)
    add_customers(neto, {"Username": "ana"})
    added = neto.call(
        "json",
        "AddCustomerLog",
        {"CustomerLogs": [{"Username": "ana", "Notes": "forty chairs"}, {"Notes": "a table"}]},
    )
    log_id, other = (int(one) for one in added.log_ids)
    before = facts(neto, log_id)
    neto.wait_for(lambda: not rows(neto, "SELECT 1 FROM search_pending LIMIT 1"))

    def logs_of_ana() -> list[Any]:
        answer = find_customers(neto, Username="ana", OutputSelector=["Username", "CustomerLog"])
        (ana,) = customers_of(answer)
        return ana["CustomerLogs"]["CustomerLog"]

    did = undone(neto, "request", id_of(added))

    assert did["effect"] == ["withdrew 2 logs"]
    for fed in (False, True):
        if fed:
            neto.wait_for(lambda: not rows(neto, "SELECT 1 FROM search_pending LIMIT 1"))
        assert neto.get(LogID=log_id).logs == []
        assert neto.get(Search="chairs").logs == []
        assert neto.get(Username="ana").logs == []
        assert neto.update("json", {"LogID": log_id, "Notes": "x"}).codes == ["CL002"]
        assert logs_of_ana() == []
    assert neto.add({"Notes": "new"}) == [other + 1]

    undone(neto, "request", did["request"])

    assert facts(neto, log_id) == before
    assert neto.log(log_id)["Revision"] == "3"
    for fed in (False, True):
        if fed:
            neto.wait_for(lambda: not rows(neto, "SELECT 1 FROM search_pending LIMIT 1"))
        assert neto.get(Search="chairs").log_ids == [str(log_id)]
        assert neto.get(Username="ana").log_ids == [str(log_id)]
        assert len(logs_of_ana()) == 1
    assert neto.update("json", {"LogID": log_id, "Notes": "changed"}).ack == "Success"
    assert list(check(neto.path, lambda _: None)) == []


# -- customers -----------------------------------------------------------------------------------


def test_customers_go_with_their_logs_but_not_with_those_of_others(neto: Neto) -> None:
    other = neto.new_key()
    add_customers(neto, {"Username": "Mine"}, {"Username": "Shared"}, {"Username": "Alone"})
    neto.add({"Username": "mine"}, {"Username": "shared"})
    theirs = as_key(neto, other, "AddCustomerLog", {"CustomerLogs": [{"Username": "SHARED"}]})
    span = ("key", 1, "--from", "2020-01-01")

    preview = undone(neto, *span, "--preview")
    did = undone(neto, *span)

    assert preview == did | {"preview": True, "request": None}
    assert did["effect"] == ["withdrew 2 logs", "withdrew 2 customers"]
    assert did["left"] == [
        {
            "record": "customer 2",
            "revision": 1,
            "element": "",
            "why": "it has logs that this undo does not take away",
            "later": None,
        }
    ]
    usernames = [one["Username"] for one in customers_of(find_customers(neto, Active="True"))]
    assert usernames == ["Shared"]
    assert neto.get(Username="shared").log_ids == theirs.log_ids
    # Its username is free, and its ID is not given again.
    add_customers(neto, {"Username": "Mine"})
    assert rows(neto, "SELECT customer_id FROM customer ORDER BY 1") == [(2,), (4,)]


def test_a_customer_with_logs_stays_until_they_are_gone(neto: Neto) -> None:
    added = change_customers(neto, "AddCustomer", {"Username": "ana"})
    log = neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Username": "ana"}]})

    stays = undone(neto, "request", id_of(added))
    assert (stays["changed"], len(stays["left"])) == (0, 1)
    undone(neto, "request", id_of(log))
    goes = undone(neto, "request", id_of(added))

    assert goes["effect"] == ["withdrew 1 customer"]
    assert customers_of(find_customers(neto, Username="ana")) == []
    assert change_customers(neto, "UpdateCustomer", {"Username": "ana"}).errors


def test_a_customer_whose_name_was_taken_does_not_come_back(neto: Neto) -> None:
    added = change_customers(
        neto, "AddCustomer", {"Username": "Ana", "EmailAddress": "a@a.example"}
    )
    gone = undone(neto, "request", id_of(added))
    add_customers(neto, {"Username": "ANA", "EmailAddress": "b@b.example"})

    preview = undone(neto, "request", gone["request"], "--preview")
    did = undone(neto, "request", gone["request"])

    assert preview == did | {"preview": True, "request": None}
    assert did["changed"] == 0
    assert did["left"] == [
        {
            "record": "customer 1",
            "revision": 2,
            "element": "",
            "why": "customer 2 has its username now",
            "later": None,
        }
    ]
    (ana,) = customers_of(find_customers(neto, Username="ana", OutputSelector="EmailAddress"))
    assert ana["EmailAddress"] == "b@b.example"


def test_a_log_does_not_come_back_to_whoever_took_its_username(neto: Neto) -> None:
    added = change_customers(neto, "AddCustomer", {"Username": "dora"})
    log = neto.call(
        "json", "AddCustomerLog", {"CustomerLogs": [{"Username": "dora", "Notes": "of the first"}]}
    )
    without_log = undone(neto, "request", id_of(log))
    undone(neto, "request", id_of(added))

    nobody = undone(neto, "request", without_log["request"], "--preview")
    assert [one["why"] for one in nobody["left"]] == ["its customer is not there"]
    neto.clock.move(seconds=2)
    add_customers(neto, {"Username": "Dora", "EmailAddress": "second@dora.example"})
    for words in (["--preview"], []):
        taken = undone(neto, "request", without_log["request"], *words)
        assert [one["why"] for one in taken["left"]] == ["another customer has its Username now"]
    (dora,) = customers_of(find_customers(neto, Username="dora", OutputSelector="CustomerLog"))
    assert not dora["CustomerLogs"]["CustomerLog"]


def test_customers_come_back_with_their_logs(neto: Neto) -> None:
    """One undo takes both away, and the undo of that brings the customer back before the log."""
    key = neto.new_key()
    as_key(neto, key, "AddCustomer", {"Customer": [{"Username": "dora"}]})
    log = as_key(neto, key, "AddCustomerLog", {"CustomerLogs": [{"Username": "dora"}]})
    assert log.ack == "Success"
    before = records(neto)
    gone = undone(neto, "key", number_of(neto, key), "--from", "2026-01-01")
    assert sorted(gone["effect"]) == ["withdrew 1 customer", "withdrew 1 log"]

    preview = undone(neto, "request", gone["request"], "--preview")
    back = undone(neto, "request", gone["request"])

    assert preview == back | {"preview": True, "request": None}
    assert (back["records"], back["done"], back["left"]) == (2, 2, [])
    assert records(neto) == before


def test_a_customer_comes_back_as_it_was(neto: Neto) -> None:
    neto.clock.move(days=-3)
    answer = change_customers(
        neto, "AddCustomer", {"Username": "Ana", "EmailAddress": "a@a.example", "Active": "False"}
    )
    before = records(neto)
    (row,) = rows(neto, "SELECT date_added FROM customer")
    neto.clock.move(days=3)

    gone = undone(neto, "request", id_of(answer))
    assert records(neto)["customer"] == []
    undone(neto, "request", gone["request"])

    assert records(neto) == before
    assert rows(neto, "SELECT date_added, revision FROM customer") == [(*row, 3)]


def test_a_request_that_changed_customers_is_undone(neto: Neto) -> None:
    add_customers(neto, {"Username": "ana", "EmailAddress": "old@a.example", "ABN": "1"})
    wrong = change_customers(
        neto,
        "UpdateCustomer",
        {
            "Username": "ana",
            "EmailAddress": "",
            "ABN": "2",
            "BillingAddress": {"BillCity": "Porto"},
        },
    )
    change_customers(neto, "UpdateCustomer", {"Username": "ana", "ABN": "3"})

    did = undone(neto, "request", id_of(wrong))

    assert did["left"] == [
        {
            "record": "customer 1",
            "revision": 2,
            "element": "ABN",
            "why": "revision 3 changed it later",
            "later": 3,
        }
    ]
    selectors = ["EmailAddress", "ABN", "BillingAddress"]
    (ana,) = customers_of(find_customers(neto, Username="ana", OutputSelector=selectors))
    assert (ana["EmailAddress"], ana["ABN"]) == ("old@a.example", "3")
    assert ana.get("BillingAddress", {}).get("BillCity", "") == ""


# -- one revision --------------------------------------------------------------------------------


def test_one_revision_of_a_log_or_of_a_customer(neto: Neto) -> None:
    (log_id,) = neto.add({"Notes": "one"})
    neto.update("json", {"LogID": log_id, "Notes": "two", "Status": "Completed"})
    neto.update("json", {"LogID": log_id, "Status": "Recontacting"})
    add_customers(neto, {"Username": "Ana", "ABN": "1"})
    change_customers(neto, "UpdateCustomer", {"Username": "ana", "ABN": "2"})

    did = undone(neto, "revision", 2, "--log-id", log_id)
    of_customer = undone(neto, "revision", 2, "--username", "ANA")

    assert (neto.log(log_id)["Notes"], neto.log(log_id)["Status"]) == ("one", "Recontacting")
    assert [one["element"] for one in did["left"]] == ["Status"]
    assert of_customer["effect"] == ["changed ABN of 1 customer to 1"]
    # The first revision of what nobody else changed since: it goes; and comes back by its last.
    undone(neto, "revision", 4, "--log-id", log_id)
    assert undone(neto, "revision", 1, "--log-id", log_id)["changed"] == 0
    (plain,) = neto.add({"Notes": "x"})
    assert undone(neto, "revision", 1, "--log-id", plain)["effect"] == ["withdrew 1 log"]
    assert undone(neto, "revision", 2, "--log-id", plain)["effect"] == ["restored 1 log"]
    assert neto.log(plain)["Notes"] == "x"


# -- a key, in a span ----------------------------------------------------------------------------


def at(neto: Neto, moment: str) -> None:
    """Let the clock of the server stand still within that second (UTC)."""
    neto.clock.stand_at(datetime.fromisoformat(moment).replace(microsecond=300_000, tzinfo=UTC))


def number_of(neto: Neto, key: str) -> int:
    with neto.store.begin() as connection:
        return keys.keys(connection)[keys.digest_of(key)].key_id


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        # A day of the site, which begins at 13:00 UTC the day before; both days are in.
        (("--from", "2026-11-24", "--to", "2026-11-24"), "bcd"),
        (("--from", "2026-11-24"), "bcde"),
        (("--from", "2026-11-23", "--to", "2026-11-24"), "abcd"),
        # A second, in UTC, that is in as a whole.
        (("--from", "2026-11-23 13:00:00", "--to", "2026-11-24 01:00:00"), "bc"),
        (("--from", "2026-11-23 13:00:01", "--to", "2026-11-24 00:59:59"), ""),
        (("--from", "1900-01-01", "--to", "9999-12-31"), "abcde"),
    ],
)
def test_a_key_in_a_span(shared: Neto, span: tuple[str, ...], expected: str) -> None:
    moments = {
        "a": "2026-11-23 12:59:59",
        "b": "2026-11-23 13:00:00",
        "c": "2026-11-24 01:00:00",
        "d": "2026-11-24 12:59:59",
        "e": "2026-11-24 13:00:00",
    }
    with another_site(shared, "Australia/Sydney") as one, another_site(shared, "UTC") as another:
        job = one.new_key(site=site_in(one))
        logs = {name: one.add({"Notes": "before", "AllocatedTo": "Ana"})[0] for name in moments}
        (elsewhere,) = another.add({"Notes": "elsewhere"})
        try:
            for name, moment in moments.items():
                at(shared, moment)
                update_as(one, job, {"LogID": logs[name], "Notes": "job"})
                one.update("json", {"LogID": logs[name], "AllocatedTo": "Ben"})
                another.update("json", {"LogID": elsewhere, "Notes": name})
        finally:
            shared.clock.stand_at(None)

        did = undone(one, "key", number_of(one, job), *span)

        assert did["records"] == len(expected)
        went_back = "".join(name for name in moments if one.log(logs[name])["Notes"] == "before")
        assert went_back == expected
        assert all(one.log(log_id)["AllocatedTo"] == "Ben" for log_id in logs.values())
        assert another.log(elsewhere)["Notes"] == "e"


def site_in(neto: Neto) -> Any:
    """The site that a client's key is for."""
    with neto.store.begin() as connection:
        return keys.keys(connection)[keys.digest_of(neto.key)].site


def test_a_log_that_one_key_changed_often_goes_back_to_before_the_first(neto: Neto) -> None:
    job = neto.new_key()
    (log_id,) = neto.add({"Notes": "good"})
    for n in range(5):
        update_as(neto, job, {"LogID": log_id, "Notes": f"bad {n}"})

    did = undone(neto, "key", 2, "--from", "2020-01-01")

    assert (did["changed"], did["left"]) == (1, [])
    assert (neto.log(log_id)["Notes"], neto.log(log_id)["Revision"]) == ("good", "7")


# -- what stays, and what is refused -------------------------------------------------------------


def test_what_was_erased_is_left(neto: Neto) -> None:
    logs = neto.add({"Notes": "a"}, {"Notes": "b"})
    wrong = neto.update("json", *({"LogID": n, "Notes": "wrong"} for n in logs))
    ended = recontact(neto, "erase", "--log-id", logs[0], "--yes")
    assert ended.code == 0, ended

    did = undone(neto, "request", id_of(wrong))

    assert (did["records"], did["changed"]) == (2, 1)
    assert [(one["record"], one["why"]) for one in did["left"]] == [
        (f"log {logs[0]}", "it was erased")
    ]
    assert neto.get(LogID=logs[0]).logs == []
    assert neto.log(logs[1])["Notes"] == "b"


def test_what_somebody_withdrew_later_stays_withdrawn(neto: Neto) -> None:
    (log_id,) = neto.add({"Notes": "a"})
    wrong = neto.update("json", {"LogID": log_id, "Notes": "wrong"})
    recontact(neto, "log", "withdraw", log_id)

    did = undone(neto, "request", id_of(wrong))

    assert did["changed"] == 0
    assert [one["why"] for one in did["left"]] == ["revision 3 withdrew it later"]
    assert neto.get(LogID=log_id).logs == []


def test_nothing_to_undo(neto: Neto) -> None:
    neto.new_key()
    neto.add({"Notes": "a"})
    read = neto.get(LogID=1)
    request = bytes.fromhex(id_of(read).replace("-", ""))
    neto.wait_for(lambda: rows(neto, "SELECT 1 FROM journal WHERE request = ?", request))
    before = rows(neto, "SELECT count(*) FROM journal")

    for words in (("request", id_of(read)), ("key", 2, "--from", "2020-01-01")):
        assert told(neto, *words) == (
            "Nothing to undo: no log and no customer was changed by that.\n"
        )
        assert undone(neto, *words)["request"] is None
    assert rows(neto, "SELECT count(*) FROM journal") == before


WRONG = [
    (2, ("revision", 1), "Say of what it is a revision: --log-id or --username, one of them."),
    (2, ("revision", 1, "--log-id", 1, "--username", "x"), "Say of what it is a revision: "),
    (1, ("revision", 1, "--log-id", 99), "There is no revision 1 of log 99."),
    (1, ("revision", 9, "--log-id", 1), "There is no revision 9 of log 1."),
    (1, ("revision", 1, "--username", "\x1b[2J"), r"There is no customer \u001b[2J in site "),
    (1, ("revision", 5, "--username", "ana"), "There is no revision 5 of customer 1."),
    (1, ("request", "019ab3f2-1c2d"), "No call in the journal of site "),
    (2, ("request", "019ab3"), "REQUEST_ID has at least 8 digits; got '019ab3'."),
    (2, ("request", "\x1b[2J"), "REQUEST_ID is written as X-Request-Id has it, "),
    (1, ("key", 99, "--from", "2026-11-24"), "There is no key 99 of site "),
    (2, ("key", 1, "--from", "yesterday"), "--from "),
    (2, ("key", 1, "--from", ""), "--from is empty: give a day, 2026-11-24, or a time, "),
    (2, ("key", 1, "--from", "2026-11-24", "--to", "2026-11-23"), "--from is not before --to: "),
    (2, ("key", 1, "--from", "9999-12-31"), "--from is not before --to: "),
]


@pytest.fixture(scope="module")
def small(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neto]:
    """A server with one log and one customer, for commands that write nothing."""
    path = tmp_path_factory.mktemp("small") / "recontact.db"
    shutil.copy(template, path)
    with serving(path, TestClock()) as one:
        one.add({"Notes": "a"})
        add_customers(one, {"Username": "ana"})
        yield one


@pytest.mark.parametrize(("code", "words", "sentence"), WRONG)
def test_wrong_arguments(small: Neto, code: int, words: tuple[Any, ...], sentence: str) -> None:
    before = rows(small, "SELECT count(*) FROM revision")

    said = refused(small, code, *words)

    assert said.startswith(sentence)
    assert said.isprintable()
    assert rows(small, "SELECT count(*) FROM revision") == before


def test_a_key_of_another_site_is_not_known(shared: Neto) -> None:
    with another_site(shared, "UTC") as one:
        said = refused(one, 1, "key", 1, "--from", "2020-01-01")
    assert said.startswith("There is no key 1 of site ")


# -- cut off, and run again ----------------------------------------------------------------------

MANY = 4_000
JOB = "rk_the_key_of_the_job_0123456789abc"


@pytest.fixture(scope="module")
def night(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database where a job, with key 2, has changed thousands of logs by several calls."""
    path = tmp_path_factory.mktemp("night") / "recontact.db"
    shutil.copy(template, path)
    with serving(path, TestClock()) as neto:
        with neto.store.begin() as connection:
            keys.add_key(
                connection, keys.first_site(connection, neto.clock.now()), JOB, now=neto.clock.now()
            )
        items = [{"Notes": f"call {n}", "DateRequiredFollowUp": "2026-12-01"} for n in range(500)]
        for _ in range(MANY // 500):
            neto.add(*items)
        neto.wait_for(lambda: neto.post("Nothing", headers={"NETOAPI_KEY": JOB}).status != 401)
        for first in range(1, MANY, 500):
            update_as(
                neto,
                JOB,
                *(
                    {"LogID": n, "Status": "Completed", "DateRequiredFollowUp": ""}
                    for n in range(first, first + 500)
                ),
            )
        neto.update("json", {"LogID": 7, "Status": "Recontacting"})
    return path


@pytest.fixture
def morning(night: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(night, tmp_path / "recontact.db"))


UNDO = ("undo", "key", "2", "--from", "2020-01-01")
SLOW = f"""
from recontact.cli import main, undoing
from recontact.store import sqlite
sleep, sqlite.PATIENCE = undoing.sleep, {PATIENCE}
undoing.sleep = lambda took: sleep(took and 0.5)
main()
"""
"""Half a second between two steps: it must not end while a test stands still in the middle."""


def start(path: Path, *words: str, program: tuple[str, ...] = RECONTACT) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*program, *words, "--database", f"sqlite:///{path}"],
        env=clean_environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The child of what a script runs in the background would not hear of Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def asked(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as file:
        return file.execute(sql).fetchall()


BY_UNDO = "SELECT count(*) FROM revision WHERE who = 'command line'"
LOGS = "SELECT log_id, status, follow_up_day, notes FROM customer_log ORDER BY 1"
ENTRIES = "SELECT items, changed, warnings FROM journal WHERE action = 'Undo' ORDER BY request"


def interrupted(path: Path, how: signal.Signals) -> tuple[int, str, str]:
    """An undo that got a signal between two of its steps: its code, and what it said."""
    process = start(path, *UNDO, program=(sys.executable, "-c", SLOW))
    with closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)) as file:

        def is_held_in_the_middle() -> bool:
            file.execute("BEGIN IMMEDIATE")
            if file.execute(BY_UNDO).fetchone() > (0,):
                return True
            file.execute("ROLLBACK")
            return False

        Neto.wait_for(is_held_in_the_middle)
        process.send_signal(how)
        if how is signal.SIGKILL:
            process.wait(PATIENCE)
        file.execute("ROLLBACK")
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def finished(path: Path) -> str:
    out, err = start(path, *UNDO).communicate(timeout=2 * PATIENCE)
    assert err == ""
    return out


def test_an_undo_that_is_killed_can_be_run_again(morning: Path, tmp_path: Path) -> None:
    whole = Path(shutil.copy(morning, tmp_path / "whole.db"))
    assert finished(whole).startswith("Undone:\n")

    code, _, _ = interrupted(morning, signal.SIGKILL)
    ((first,),) = asked(morning, BY_UNDO)
    assert code == -signal.SIGKILL
    assert 0 < first < MANY, "it was not killed in the middle"
    # Each step is a transaction, with its share of the journal's entry.
    assert first % undo.STEP == 0
    ((items, changed, _),) = asked(morning, ENTRIES)
    assert (items, changed) == (MANY, first)

    finished(morning)

    assert asked(morning, LOGS) == asked(whole, LOGS)
    (before, after) = asked(morning, ENTRIES)
    assert before[:2] == (MANY, first)
    assert after == (MANY, MANY - first, 1)
    assert asked(whole, ENTRIES) == [(MANY, MANY, 1)]
    assert asked(morning, BY_UNDO) == [(MANY,)]
    assert list(check(morning, lambda _: None)) == []


def test_ctrl_c_ends_after_a_whole_step_and_says_how_to_go_on(morning: Path) -> None:
    code, out, err = interrupted(morning, signal.SIGINT)

    ((done,),) = asked(morning, BY_UNDO)
    assert (code, done < MANY) == (130, True)
    assert out.startswith("Undone:\n")
    assert f"({done:,} revisions): recontact undo request " in out
    assert err == (
        f"recontact: Interrupted. {done:,} of 4,000 records are done. "
        "The same command goes on with the others.\n"
    )
    ((_, changed, _),) = asked(morning, ENTRIES)
    assert changed == done

    assert f"({MANY - done:,} revisions)" in finished(morning)
    assert asked(morning, "SELECT status, count(*) FROM customer_log GROUP BY 1 ORDER BY 1") == [
        ("Recontacting", 1),
        ("Require Recontact", MANY - 1),
    ]


def test_an_undo_of_thousands_can_be_undone_by_the_request_it_names(morning: Path) -> None:
    before = asked(morning, LOGS)
    (words,) = re.findall(r"recontact (undo request \S+)", finished(morning))
    assert asked(morning, LOGS) != before

    out, err = start(morning, *words.split()).communicate(timeout=2 * PATIENCE)

    assert (err, "Left as" in out) == ("", False)
    assert asked(morning, LOGS) == before


def test_steps_are_bounded_in_records_and_in_revisions() -> None:
    def touched(count: int, *, is_log: bool = True) -> Touched:
        return Touched(is_log, 1, 1, count)

    most = undo.STEP_REVISIONS
    parts = [
        [one.count for one in part.records]
        for part in undo.parts(
            [
                *(touched(1) for _ in range(undo.STEP + 1)),
                *(touched(most // 2) for _ in range(3)),
                touched(10 * most),
                touched(2),
                touched(3, is_log=False),
            ]
        )
    ]
    assert parts == [
        [3],  # customers come back before their logs
        [1] * undo.STEP,
        [1, most // 2],
        [most // 2, most // 2],
        [10 * most],
        [2],
        [3],
    ]


# -- beside those who write ----------------------------------------------------------------------


def test_no_update_is_lost_beside_a_server_that_writes_the_same_logs(morning: Path) -> None:
    last: dict[int, str] = {}
    wrong: list[Any] = []
    count = 0
    is_over = threading.Event()

    with served(morning) as server:

        def write(part: int) -> None:
            nonlocal count
            one = Neto(server.url, server.neto.key, None, TestClock(), morning)  # type: ignore[arg-type]
            with one.http:
                for n in itertools.count():
                    if is_over.is_set():
                        return
                    log_id = part + 1 + n * 16 % MANY
                    answer = one.update("json", {"LogID": log_id, "Notes": f"{part} {n}"})
                    if answer.ack != "Success":
                        wrong.append(answer.tree)
                    last[log_id] = f"{part} {n}"
                    count += 1

        threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        try:
            Neto.wait_for(lambda: count > 20)
            before = count
            out = finished(morning)
            beside = count - before
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        assert list(check(morning, lambda _: None)) == []
        assert server.stop() == 0

    assert (wrong, out.splitlines()[0]) == ([], "Undone:")
    assert beside > 20
    notes = dict(asked(morning, "SELECT log_id, notes FROM customer_log"))
    assert {log_id: notes[log_id] for log_id in last} == last
    assert asked(morning, "SELECT count(*) FROM customer_log WHERE status = 'Completed'") == [(0,)]


def test_others_get_their_turn_between_the_steps(
    morning: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite lets who waits look again after a while only: the lock must be free by then."""
    pauses: list[float] = []
    seen = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        with closing(driver.connect(morning, timeout=0, isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            seen.append(
                file.execute("SELECT changed FROM journal WHERE action = 'Undo'").fetchall()
            )
            file.execute("ROLLBACK")

    ticks = itertools.count(step=7.0)  # so long each step takes
    monkeypatch.setattr(undoing, "sleep", pause)
    monkeypatch.setattr(undoing, "SYSTEM", Clock(elapsed=lambda: next(ticks)))
    monkeypatch.setattr(sys, "argv", ["recontact", *UNDO, "--database", f"sqlite:///{morning}"])
    with suppress(SystemExit):
        main()

    steps = MANY // undo.STEP
    assert pauses == [0.0] + [7.0] * (steps - 1)
    assert seen == [[], *([(step * undo.STEP,)] for step in range(1, steps))]
    assert asked(morning, ENTRIES) == [(MANY, MANY, 1)]


def test_the_steps_run_on_a_server_s_own_store(morning: Path) -> None:
    """As the panel will run them: submitted, among works that write the same logs."""

    async def run() -> tuple[undo.Outcome, list[Any]]:
        store = open_store(f"sqlite:///{morning}", now=SYSTEM.now, serves=True)
        with closing(store):
            with store.begin() as connection:
                site = keys.first_site(connection, SYSTEM.now())
            store.start(SYSTEM.elapsed)
            chosen = Span(bytes(16), b"\xff" * 16, 2)
            found = await store.view(site, lambda view: undo.touched(view, chosen))
            now = SYSTEM.now()
            entry = JournalEntry(
                site.site,
                new_request_id(now),
                now,
                0,
                "Undo",
                "",
                "",
                0,
                "Success",
                len(found),
                who="Ana",
            )
            outcome = undo.Outcome()

            def note(log_id: int) -> Callable[[Transaction], None]:
                def run(tx: Transaction) -> None:
                    log = tx.log(log_id)
                    assert log is not None
                    tx.save(amend(log, {"notes": "Ben"}, tx.now), log, By(1, new_request_id(now)))
                    tx.keep()

                return run

            others = [
                asyncio.create_task(store.submit(Work(site, note(n), [n])))
                for n in range(1, MANY, 10)
            ]
            for work in undo.steps(site, found, chosen, entry):
                outcome.add(await store.submit(work))
            await asyncio.gather(*others)

            def read(view: View) -> list[Any]:
                return [(view.log(n).notes, view.log(n).status) for n in range(1, MANY + 1)]  # type: ignore[union-attr]

            logs = await store.view(site, read)
            await store.stop()
            return outcome, logs

    outcome, logs = asyncio.run(run())

    assert (outcome.records, outcome.changed, len(outcome.remains)) == (MANY, MANY, 1)
    for number, (notes, status) in enumerate(logs, 1):
        assert (notes == "Ben") == (number % 10 == 1)
        assert status is (Status.RECONTACTING if number == 7 else Status.REQUIRE_RECONTACT)
    assert asked(morning, ENTRIES) == [(MANY, MANY, 1)]


# -- any calls, any undo -------------------------------------------------------------------------

WORDS = ("chair", "table", "lamp")
LOG_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "Notes": st.sampled_from(["", *WORDS]),
        "CustomerName": st.sampled_from(["", *WORDS]),
        "Status": st.sampled_from(["Recontacting", "Completed"]),
        "DateRequiredFollowUp": st.sampled_from(["", "2026-12-01", "2026-12-01 10:00:00"]),
    },
)
UPDATES = st.tuples(
    st.just("update"), st.lists(st.tuples(st.integers(0, 3), LOG_VALUES), min_size=1, max_size=3)
)
STEPS = st.one_of(
    UPDATES,
    UPDATES,  # twice, as most calls are
    st.tuples(st.just("add"), st.lists(LOG_VALUES, min_size=1, max_size=2), st.integers(0, 2)),
    st.tuples(st.just("customer"), st.integers(0, 1), st.sampled_from(["", "1", "2"])),
    st.tuples(st.just("withdraw"), st.integers(0, 3)),
    st.tuples(st.just("undo"), st.integers(0, 9)),
)
CHOICES = st.one_of(
    st.tuples(st.just("request"), st.integers(0, 9)),
    st.tuples(st.just("key"), st.integers(0, 1)),
    st.tuples(st.just("revision"), st.integers(0, 3)),
)


class Played:
    """Calls by two keys on logs and customers of their own."""

    _numbers = itertools.count(1)

    def __init__(self, neto: Neto, two: str) -> None:
        self.neto, self.keys = neto, (neto.key, two)
        self.names = [f"player {next(self._numbers)}" for _ in range(2)]
        self.logs: list[int] = []
        self.requests: list[str] = []
        neto.clock.move(seconds=2)  # so that the second it begins in has no call of another
        self.begin = write_instant(neto.clock.now() + timedelta(seconds=-1))

    def call(self, who: int, action: str, tree: Any) -> None:
        answer = as_key(self.neto, self.keys[who], action, tree)
        if action == "AddCustomerLog":
            self.logs += map(int, answer.log_ids)
        # One that changed nothing comes into the journal later.
        if rows(self.neto, CHANGED, bytes.fromhex(id_of(answer).replace("-", ""))):
            self.requests.append(id_of(answer))

    def play(self, who: int, step: tuple[Any, ...]) -> None:
        match step:
            case "add", items, name:
                named = {"Username": self.names[name]} if name < 2 else {}
                tree = {"CustomerLogs": {"CustomerLog": [one | named for one in items]}}
                self.call(who, "AddCustomerLog", tree)
            case "update", items if self.logs:
                some = [{"LogID": self.logs[n % len(self.logs)]} | one for n, one in items]
                self.call(who, "UpdateCustomerLog", {"CustomerLogs": {"CustomerLog": some}})
            case "customer", name, abn:
                tree = {"Customer": [{"Username": self.names[name], "ABN": abn}]}
                self.call(who, "AddCustomer", tree)
                self.call(who, "UpdateCustomer", tree)
            case "withdraw", n if self.logs:
                ended = recontact(self.neto, "log", "withdraw", self.logs[n % len(self.logs)])
                self.requests += re.findall(r"undo request (\S+)", ended.text)
            case "undo", n if self.requests:
                did = undone(self.neto, "request", self.requests[n % len(self.requests)])
                self.requests += filter(None, [did["request"]])

    def words(self, choice: tuple[str, int]) -> tuple[Any, ...] | None:
        """The command that undoes a choice; None where there is nothing to choose from."""
        what, n = choice
        if what == "key":
            number = number_of(self.neto, self.keys[n])
            return "key", number, "--from", self.begin, "--to", "2099-01-01"
        if what == "request" and self.requests:
            return "request", self.requests[n % len(self.requests)]
        if what == "revision" and self.logs:
            log_id = self.logs[n % len(self.logs)]
            ((last,),) = rows(self.neto, LAST, log_id)
            return "revision", n % last + 1, "--log-id", log_id
        return None

    @property
    def revisions(self) -> dict[tuple[str, int], list[Any]]:
        """All revisions of its records, oldest first."""

        def read(view: View) -> dict[tuple[str, int], list[Any]]:
            found: dict[tuple[str, int], list[Any]] = {
                ("log", one): view.revisions(one)[::-1] for one in self.logs
            }
            for name in self.names:
                for one in view.customers_named(name):
                    found["customer", one] = view.customer_revisions(one)[::-1]
            return found

        return self.neto.store.read(site_in(self.neto), read)

    @property
    def now(self) -> dict[tuple[str, int], Any]:
        """Its records as they are; None where they are not there."""
        of = self.revisions

        def read(view: View) -> dict[tuple[str, int], Any]:
            return {
                (kind, n): view.log(n) if kind == "log" else view.customer_numbered(n)
                for kind, n in of
            }

        return self.neto.store.read(site_in(self.neto), read)

    @property
    def values(self) -> dict[tuple[str, int], Any]:
        return {
            which: None if one is None else (one.date_added, history.values_of(one))
            for which, one in self.now.items()
        }


CHANGED = "SELECT 1 FROM journal WHERE request = ? AND changed > 0"
LAST = "SELECT max(number) FROM revision WHERE log_id = ?"


def is_chosen(words: tuple[Any, ...]) -> Callable[[Any], bool]:
    """The same choice, said in another way."""
    match words:
        case "request", request:
            return lambda one: one.request == bytes.fromhex(request.replace("-", ""))
        case "key", number, *_:
            return lambda one: one.key_id == number
        case "revision", number, _, log_id:
            return lambda one: getattr(one, "log_id", None) == log_id and one.number == number
    raise AssertionError(words)


def arrived(one: Any) -> bool:
    return history.kind_of(one) in (Kind.ADDED, Kind.RESTORED)


def found_by_search(played: Played) -> dict[str, list[str]]:
    if not played.logs:
        return to_be_found(played)
    first = played.logs[0] - 1
    answers = {word: played.neto.get(Search=word, LogIDAfter=first, Limit=1_000) for word in WORDS}
    return {word: answer.log_ids for word, answer in answers.items()}


def to_be_found(played: Played) -> dict[str, list[str]]:
    return {
        word: [
            str(n)
            for (kind, n), one in sorted(played.now.items())
            if kind == "log" and one and word in (one.notes, one.customer_name)
        ]
        for word in WORDS
    }


def test_any_undo_after_any_calls(neto: Neto) -> None:
    """
    The revisions give what is there; what others changed last stays; an undo's undo is as before;
    a search finds what there is; and the database is sound.
    """
    two = neto.new_key()
    neto.clock.move(hours=-1)  # never ahead of the clock of the commands

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.integers(0, 1), STEPS), min_size=2, max_size=7), CHOICES)
    def holds(calls: list[tuple[int, tuple[Any, ...]]], choice: tuple[str, int]) -> None:
        played = Played(neto, two)
        start_with = [(0, ("customer", 0, "")), (0, ("add", [{}, {"Notes": "chair"}], 0))]
        for who, step in start_with + calls:
            played.play(who, step)
        words = played.words(choice)
        if words is None:
            return
        chosen = is_chosen(words)
        before, lives = played.values, played.revisions

        did = undone(neto, *words)

        after = played.values
        for which, life in lives.items():
            if before[which] is None:
                continue
            if after[which] is None:  # it was added, or brought back, by what is undone
                *_, came = (n for n, one in enumerate(life) if arrived(one) and chosen(one))
                rest = life[came:]
                assert all(chosen(one) for one in rest if history.kind_of(one) is Kind.CHANGED)
                continue
            for key, revision in history.blame(life).items():
                if not chosen(revision):
                    assert after[which][1].get(key) == before[which][1].get(key)
        for which, revisions in played.revisions.items():
            assert [one.number for one in revisions] == list(range(1, len(revisions) + 1))
            assert history.record_at(revisions) == played.now[which]
        assert found_by_search(played) == to_be_found(played)
        if did["request"]:
            undone(neto, "request", did["request"])
        assert played.values == before
        assert found_by_search(played) == to_be_found(played)

    holds()
    neto.wait_for(lambda: not rows(neto, "SELECT 1 FROM search_pending LIMIT 1"))
    assert list(check(neto.path, lambda _: None)) == []
    for word in WORDS:
        wanted = rows(
            neto,
            "SELECT log_id FROM customer_log WHERE ? IN (notes, customer_name) ORDER BY 1",
            word,
        )
        assert neto.get(Search=word, Limit=10_000).log_ids == [str(n) for (n,) in wanted]
