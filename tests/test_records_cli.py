"""`recontact log` and `recontact customer`: a record as it is and was, and who set what."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from commands import Ended, id_of, on_terminal, plain, recontact
from conftest import (
    Neto,
    add_customers,
    another_site,
    change_customers,
    customers_of,
    find_customers,
    rows,
    site_of,
)

from recontact.clock import SYSTEM
from recontact.values import write_instant

HOSTILE = "[red]b[/red] \u202eevil \u009b31m :smile: \U0001f600 \u65e5\u672c\u8a9e {x} \u2028 end"
SHOWN = "[red]b[/red] \\u202eevil \\u009b31m :smile: \U0001f600 \u65e5\u672c\u8a9e {x} \\u2028 end"
LONG = "A long story, which goes on and on. " * 300
NOTES = f"First line\n\n  - an item\n{LONG}\nthe last words"


def done(neto: Neto, *words: object) -> str:
    """What a command that succeeds shows."""
    ended = recontact(neto, *words)
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.text


def told(neto: Neto, *words: object) -> Any:
    """The same, for programs."""
    return json.loads(done(neto, *words, "--json"))


def failed(ended: Ended, code: int = 1) -> str:
    """The sentence of a command that failed, and showed nothing."""
    assert (ended.code, ended.out) == (code, b""), ended
    found = re.fullmatch(r"recontact: ([^\n]+\.)\n", ended.err)
    assert found, ended.err
    assert found[1].isprintable()
    return found[1]


@pytest.fixture
def shop(shared: Neto) -> Iterator[Neto]:
    """A site of its own of the module's server."""
    with another_site(shared, "Australia/Sydney") as one:
        yield one


# -- show ----------------------------------------------------------------------------------------


def test_a_log_is_shown_as_the_api_gives_it(shop: Neto) -> None:
    log = {"Notes": NOTES, "DateRequiredFollowUp": "2026-12-01 10:00:00", "CustomerName": "Ana"}
    (log_id,) = shop.add(log)

    text = done(shop, "log", "show", log_id)

    assert told(shop, "log", "show", log_id).items() <= shop.log(log_id).items()
    lines = text.split("\n")
    assert f"LogID                 {log_id}" in lines
    assert "DateRequiredFollowUp  2026-12-01 10:00:00" in lines
    # A pipe has each line whole, and no blank behind one; what is empty is not shown.
    margin = " " * len("DateRequiredFollowUp  ")
    at = lines.index("Notes                 First line")
    assert lines[at + 1 : at + 5] == [
        "",
        f"{margin}  - an item",
        f"{margin}{LONG.rstrip()}",
        f"{margin}the last words",
    ]
    assert all(line == line.rstrip() for line in lines)
    assert "AllocatedTo" not in text


def test_a_customer_is_shown_as_the_api_gives_it(shop: Neto) -> None:
    add_customers(shop, {"Username": "Ana", "BillingAddress": {"BillCity": "Porto"}, "ABN": "7"})

    text = done(shop, "customer", "show", "ANA")
    tree = told(shop, "customer", "show", "ana")

    assert re.search(r"^Username +Ana$", text, re.MULTILINE)
    assert re.search(r"^BillCity +Porto$", text, re.MULTILINE)
    (ana,) = customers_of(
        find_customers(shop, Username="ana", OutputSelector=["ABN", "BillingAddress"])
    )
    assert (tree["ABN"], tree["BillingAddress"]) == (ana["ABN"], ana["BillingAddress"])


def test_a_record_as_it_was_at_a_time(shop: Neto) -> None:
    begin = shop.clock.now()
    (log_id,) = shop.add({"Notes": "one"})
    add_customers(shop, {"Username": "ana", "ABN": "1"})
    shop.clock.move(days=2)
    shop.update("json", {"LogID": log_id, "Notes": "two"})
    change_customers(shop, "UpdateCustomer", {"Username": "ana", "ABN": "2"})

    def then(**ahead: float) -> str:
        return write_instant(begin + timedelta(**ahead))

    for days, notes, abn, revision in ((1, "one", "1", "1"), (3, "two", "2", "2")):
        log = told(shop, "log", "show", log_id, "--at", then(days=days))
        customer = told(shop, "customer", "show", "ana", "--at", then(days=days))
        assert (log["Notes"], log["Revision"]) == (notes, revision)
        assert (customer["ABN"], customer["Revision"]) == (abn, revision)
    assert told(shop, "log", "show", log_id)["Notes"] == "two"
    # A day is meant as it begins in the site: 13:00 or 14:00 UTC of the day before.
    day = (begin + timedelta(days=1, hours=11)).date()
    assert told(shop, "log", "show", log_id, "--at", day)["Notes"] == "one"
    for words in (("log", "show", log_id), ("customer", "show", "ana")):
        said = failed(recontact(shop, *words, "--at", then(days=-1)))
        assert said == f"There was no {words[0]} {words[2]} at {then(days=-1)} UTC."


def test_one_that_was_withdrawn_or_erased_is_told(shop: Neto) -> None:
    shop.clock.move(seconds=(SYSTEM.now() - shop.clock.now()).total_seconds(), days=-1)
    logs = shop.add({"Notes": "one"}, {"Notes": "two"})
    answer = change_customers(shop, "AddCustomer", {"Username": "Ana"})
    then = write_instant(shop.clock.now())
    for log_id in logs:
        done(shop, "log", "withdraw", log_id)
    done(shop, "undo", "request", id_of(answer))
    done(shop, "erase", "--log-id", logs[1], "--yes")

    said = failed(recontact(shop, "log", "show", logs[0]))
    assert re.fullmatch(
        rf"The log {logs[0]} was withdrawn at [\d-]{{10}} [\d:]{{8}} UTC by request "
        r"[0-9a-f-]{36}\. --at shows it as it was before\.",
        said,
    )
    assert failed(recontact(shop, "customer", "show", "ana")).startswith("The customer ana was wi")
    assert told(shop, "customer", "show", "ana", "--at", then)["Username"] == "Ana"
    assert [one["did"] for one in told(shop, "customer", "history", "ana")] == [
        "withdrawn",
        "added",
    ]
    for words in ("show", "blame"):
        assert failed(recontact(shop, "log", words, logs[1])) == f"The log {logs[1]} was erased."
    assert failed(recontact(shop, "log", "show", logs[1], "--at", then)).endswith("was erased.")
    assert "erased" in done(shop, "log", "history", logs[1])
    blamed = recontact(shop, "log", "blame", logs[0])
    assert blamed.code == 0
    assert blamed.err == f"The log {logs[0]} is withdrawn; this is how it was before.\n"
    assert "'one'" in blamed.text


@pytest.mark.parametrize("what", ["show", "history", "blame"])
def test_what_never_was(shop: Neto, what: str) -> None:
    site = f"Australia/Sydney {site_of(shop) - 1}"
    of_log = failed(recontact(shop, "log", what, 99))
    of_customer = failed(recontact(shop, "customer", what, "\x1b[2J"))

    assert of_log == f"Nothing is known of a log 99 in site {site}."
    assert of_customer == f"Nothing is known of a customer \\u001b[2J in site {site}."


def test_another_site_s_records_are_not_seen(shop: Neto) -> None:
    (log_id,) = shop.add({"Notes": "of the shop"})
    add_customers(shop, {"Username": "of the shop"})
    with another_site(shop, "UTC") as other:
        for words in (
            ("log", "show", log_id),
            ("log", "history", log_id),
            ("log", "blame", log_id),
        ):
            failed(recontact(other, *words))
        failed(recontact(other, "log", "withdraw", log_id))
        for what in ("show", "history", "blame"):
            failed(recontact(other, "customer", what, "of the shop"))
    assert shop.log(log_id)["Notes"] == "of the shop"


# -- history and blame ---------------------------------------------------------------------------


def test_history_tells_who_changed_what_and_through_which_request(shop: Neto) -> None:
    (log_id,) = shop.add({"Notes": "one"})
    changed = shop.update("xml", {"LogID": log_id, "Notes": "", "Status": "Completed"})
    done(shop, "undo", "request", id_of(changed))

    of = told(shop, "log", "history", log_id)
    text = done(shop, "log", "history", log_id)

    assert [(one["revision"], one["did"], one["who"]) for one in of] == [
        (3, "changed", "command line"),
        (2, "changed", None),
        (1, "added", None),
    ]
    assert of[1]["request"] == id_of(changed)
    assert of[1]["key"] == of[2]["key"] is not None
    assert of[1]["changes"] == {
        "Status": {"old": "Require Recontact", "new": "Completed"},
        "Notes": {"old": "one", "new": None},
    }
    heads = [line for line in text.split("\n") if not line.startswith(" ")]
    assert re.fullmatch(
        rf"2  [\d-]{{10}} [\d:]{{8}} UTC  changed by key {of[1]['key']}  request {id_of(changed)}",
        heads[1],
    )
    assert "changed by command line" in heads[0]
    assert "    Status  'Require Recontact' → 'Completed'\n    Notes   'one' → empty\n" in text


def test_history_goes_page_by_page(shop: Neto) -> None:
    (log_id,) = shop.add({"Notes": "0"})
    for n in range(1, 7):
        shop.update("json", {"LogID": log_id, "Notes": str(n)})

    found, before = [], 99
    while page := told(shop, "log", "history", log_id, "--limit", 3, "--before", before):
        assert len(page) <= 3
        found += [one["revision"] for one in page]
        before = found[-1]

    assert found == [7, 6, 5, 4, 3, 2, 1]
    text = done(shop, "log", "history", log_id, "--limit", 3)
    assert text.endswith("\n\nThere are older ones: add --before 5\n")
    assert "There are older ones" not in done(shop, "log", "history", log_id, "--limit", 7)
    assert done(shop, "log", "history", log_id, "--before", 1) == (
        f"There is no revision of log {log_id} below 1.\n"
    )


def test_blame_names_what_set_each_element_last_or_cleared_it(shop: Neto) -> None:
    (log_id,) = shop.add({"Notes": "one", "AllocatedTo": "Ana", "CustomerName": "Ben"})
    shop.update("json", {"LogID": log_id, "Notes": "two", "Status": "Completed"})
    last = shop.update("json", {"LogID": log_id, "AllocatedTo": "", "Notes": "one"})

    of = told(shop, "log", "blame", log_id)
    lines = done(shop, "log", "blame", log_id).split("\n")

    assert {name: (one["value"], one["revision"]) for name, one in of.items()} == {
        "CustomerName": ("Ben", 1),
        "Status": ("Completed", 2),
        "AllocatedTo": (None, 3),
        "Notes": ("one", 3),
    }
    assert of["Notes"]["request"] == id_of(last)
    assert lines[0].split() == ["Element", "Value", "Revision", "Time", "(UTC)", "By", "Request"]
    (cleared,) = [line for line in lines if line.startswith("AllocatedTo")]
    assert re.fullmatch(rf"AllocatedTo +empty +3  .{{19}}  key \d+ +{id_of(last)}", cleared)


def test_a_customer_s_blame(shop: Neto) -> None:
    add_customers(shop, {"Username": "ana", "ABN": "1", "BillingAddress": {"BillCity": "Porto"}})
    change_customers(
        shop, "UpdateCustomer", {"Username": "ana", "BillingAddress": {"BillCity": ""}}
    )

    of = told(shop, "customer", "blame", "ana")

    assert (of["BillCity"]["value"], of["BillCity"]["revision"]) == (None, 2)
    assert (of["ABN"]["value"], of["ABN"]["revision"]) == ("1", 1)


# -- withdraw ------------------------------------------------------------------------------------


def test_withdraw_takes_a_log_away_and_says_how_to_bring_it_back(shop: Neto) -> None:
    (log_id,) = shop.add({"Notes": "one"})

    said = done(shop, "log", "withdraw", log_id)

    found = re.fullmatch(
        rf"The log {log_id} is withdrawn\. To bring it back: recontact (undo request \S+)\n", said
    )
    assert found
    assert shop.get(LogID=log_id).logs == []
    assert shop.update("json", {"LogID": log_id, "Notes": "x"}).codes == ["CL002"]
    request = bytes.fromhex(found[1].split()[-1].replace("-", ""))
    entry = "SELECT action, ack, items, changed, who FROM journal WHERE request = ?"
    assert rows(shop, entry, request) == [("Withdraw", "Success", 1, 1, "command line")]
    again = failed(recontact(shop, "log", "withdraw", log_id))
    assert again == f"The log {log_id} is not there any more: see recontact log history {log_id}."
    assert "Nothing is known of a log 99" in failed(recontact(shop, "log", "withdraw", 99))

    done(shop, *found[1].split())

    assert shop.log(log_id)["Notes"] == "one"
    of = told(shop, "log", "history", log_id)
    assert [one["did"] for one in of] == ["restored", "withdrawn", "added"]


# -- on a terminal -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(shared: Neto) -> tuple[int, str]:
    """A log, and a customer, whose texts try to drive the terminal."""
    (log_id,) = shared.add(
        {"CustomerName": HOSTILE, "AllocatedTo": "Ana", "Notes": f"{HOSTILE}\n{NOTES}\n{HOSTILE}"}
    )
    shared.update("json", {"LogID": log_id, "Notes": f"new {NOTES}", "AllocatedTo": HOSTILE[:40]})
    add_customers(shared, {"Username": "hostile", "InternalNotes": HOSTILE + LONG})
    return log_id, "hostile"


def on_screen(columns: int, neto: Neto, *words: object) -> list[str]:
    """The lines that a terminal so wide shows, of which none is wrapped by it."""
    code, text = on_terminal(columns, neto.path, *map(str, words), "--site", "1")
    assert code == 0, text
    lines = plain(text).split("\n")
    assert all(len(line) <= columns for line in lines), max(lines, key=len)
    return lines


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_is_shown_all_and_driven_by_nothing(
    shared: Neto, hostile: tuple[int, str], columns: int
) -> None:
    log_id, username = hostile
    for what in ("show", "history", "blame"):
        of_log = on_screen(columns, shared, "log", what, log_id)
        of_customer = on_screen(columns, shared, "customer", what, username)
        for lines in (of_log, of_customer):
            assert "[red]b[/red] \\u202eevil \\u009b31m :smile: \U0001f600" in "\n".join(lines)
    shown = on_screen(columns, shared, "log", "show", log_id)
    joined = " ".join(line[len("FollowUpType  ") :].strip() for line in shown)
    assert f"new First line  - an item {LONG.strip()} the last words" in joined.replace("   ", "  ")


def test_blame_on_a_narrow_terminal_is_told_by_revision(
    shared: Neto, hostile: tuple[int, str]
) -> None:
    log_id, _ = hostile
    narrow = on_screen(80, shared, "log", "blame", log_id)
    wide = on_screen(250, shared, "log", "blame", log_id)

    heads = [line for line in narrow if not line.startswith(" ")]
    assert [head[:1] for head in heads if head] == ["2", "1"]
    assert re.fullmatch(r"    request [0-9a-f-]{36}", narrow[1])
    assert [line.split()[0] for line in wide if line] == [
        "Element",
        *told(shared, "log", "blame", log_id),
    ]
    assert all("…'" in line for line in narrow if "…" in line)  # only values are cut


def test_what_is_cut_shows_that_it_is(shared: Neto, hostile: tuple[int, str]) -> None:
    """History and blame show the beginning of a long value, and a mark; show has all of it."""
    log_id, _ = hostile
    for what in ("history", "blame"):
        text = done(shared, "log", what, log_id)
        assert "going on" not in text
        assert "…'" in text
    assert LONG.rstrip() in done(shared, "log", "show", log_id)
