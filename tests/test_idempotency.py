"""Idempotency-Key: a call is done once, however often it is sent (SPEC §6)."""

import gzip
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from conftest import (
    FORMATS,
    KEY,
    PATIENCE,
    Answer,
    Neto,
    add_customers,
    another_site,
    json_call,
    rows,
)
from test_server import locked

ADD, UPDATE = "AddCustomerLog", "UpdateCustomerLog"
CALLS: dict[str, Any] = {
    ADD: {"CustomerLogs": {"CustomerLog": [{"Notes": "Ordered"}, {"Status": "Done"}]}},
    UPDATE: {"CustomerLogs": {"CustomerLog": [{"LogID": 1, "Notes": "Ordered"}, {"Nota": "x"}]}},
    "AddCustomer": {"Customer": [{"Username": "ana"}, {"Username": "BOB"}]},
    "UpdateCustomer": {"Customer": [{"Username": "bob", "UserGroup": "Trade", "Colour": "red"}]},
}
"""A call of each action that writes, which changes something and has something to remark."""
WRITTEN = ("customer_log", "revision", "customer", "customer_revision", "site", "idempotency")


def post(neto: Neto, action: str, format: str = "json", **headers: str) -> Answer:
    """The call of that action, with an Idempotency-Key unless there is another."""
    sent = {"Idempotency_Key": "one"} | headers
    return neto.call(format, action, CALLS[action], **sent)


def add(neto: Neto, notes: str, idempotency_key: str = "one", **headers: str) -> Answer:
    """AddCustomerLog of one log."""
    sent = {"Idempotency-Key": idempotency_key} | headers
    return neto.post(ADD, json_call(json.dumps([{"Notes": notes}])), sent)


def written(neto: Neto) -> dict[str, list[Any]]:
    """All that a call can write, but for the journal."""
    return {table: rows(neto, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in WRITTEN}


def journaled(neto: Neto, answer: Answer) -> dict[str, Any]:
    """What the journal says of a call, once it does."""
    request = UUID(answer.headers["X-Request-Id"]).bytes
    columns = ("mode", "ack", "http_status", "changed")
    statement = "SELECT ifnull(mode, ''), ack, http_status, changed FROM journal WHERE request = ?"
    neto.wait_for(lambda: rows(neto, statement, request))
    (row,) = rows(neto, statement, request)
    return dict(zip(columns, row, strict=True))


def is_replayed(answer: Answer) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "true"


def lasting(answer: Answer) -> dict[str, str]:
    """The headers that a repeat has in common with the first."""
    own = ("x-request-id", "idempotency-replayed", "date")
    return {name: text for name, text in answer.headers.items() if name not in own}


@pytest.fixture
def shop(neto: Neto) -> Neto:
    """A site with log 1 and customer Bob."""
    neto.add({"Notes": "one"})
    add_customers(neto, {"Username": "Bob"})
    return neto


# -- a repeat ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("action", CALLS)
def test_a_repeat_has_the_same_answer_and_changes_nothing(
    shop: Neto, action: str, format: str, strict: bool
) -> None:
    headers = {"Prefer": "handling=strict"} if strict else {}
    before = written(shop)
    first = post(shop, action, format, **headers)
    after = written(shop)
    assert not is_replayed(first)
    assert (after["revision"] + after["customer_revision"]) != (
        before["revision"] + before["customer_revision"]
    ) or strict
    shop.clock.move(seconds=90)  # an answer of its own would have another CurrentTime

    again = post(shop, action, format, **headers)

    assert (again.status, again.body) == (first.status, first.body)
    assert is_replayed(again)
    assert lasting(again) == lasting(first)
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert written(shop) == after
    mode = "strict" if strict else ""
    changed = 0 if strict and first.ack == "Error" else 1
    of_first = {"mode": mode, "ack": first.ack, "http_status": 200, "changed": changed}
    assert journaled(shop, first) == of_first
    replayed = f"{mode}, replayed".removeprefix(", ")
    assert journaled(shop, again) == of_first | {"mode": replayed, "changed": 0}


@pytest.mark.parametrize("format", FORMATS)
def test_an_error_is_repeated_though_it_would_be_none_by_now(neto: Neto, format: str) -> None:
    def update() -> Answer:
        tree = {"CustomerLogs": {"CustomerLog": {"LogID": 1, "Notes": "late"}}}
        return neto.call(format, UPDATE, tree, Idempotency_Key="one")

    first = update()
    assert first.codes == ["CL002"]
    neto.add({"Notes": "one"})

    assert update().body == first.body
    assert neto.log(1)["Notes"] == "one"


@pytest.mark.parametrize("format", FORMATS)
def test_a_long_answer_is_repeated_too(neto: Neto, format: str) -> None:
    neto.add(*({"Notes": f"{n} is long" * 50} for n in range(50)))
    tree = {
        "CustomerLogs": {"CustomerLog": {"LogID": 1, "Status": "Completed"}},
        "Filter": {"LogIDAfter": 0, "OutputSelector": "Notes"},
    }

    first, again = (neto.call(format, UPDATE, tree, Idempotency_Key="one") for _ in range(2))

    assert len(first.logs) == 50
    assert again.body == first.body
    assert is_replayed(again)


def test_a_call_without_a_key_is_done_each_time(neto: Neto) -> None:
    assert [neto.add({"Notes": "x"}) for _ in range(2)] == [[1], [2]]


def test_a_packed_body_and_the_same_plain_are_the_same_call(neto: Neto) -> None:
    body = json_call('{"Notes": "x"}')
    headers = {"Idempotency-Key": "one"}
    packed = headers | {"Content-Encoding": "gzip"}

    first = neto.post(ADD, body, headers)
    again = neto.post(ADD, gzip.compress(body), packed)

    assert (again.body, is_replayed(again)) == (first.body, True)


def test_the_same_key_of_another_credential_is_another(neto: Neto) -> None:
    other = neto.new_key()

    answers = [add(neto, "x"), add(neto, "x", NETOAPI_KEY=other)]

    assert [answer.log_ids for answer in answers] == [["1"], ["2"]]
    assert add(neto, "x", NETOAPI_KEY=other).log_ids == ["2"]
    bearer = {"Authorization": f"Bearer {KEY}", "NETOAPI_KEY": ""}
    assert add(neto, "x", **bearer).log_ids == ["1"]  # the same one, sent in another way


def test_reads_take_no_notice_of_a_key(neto: Neto) -> None:
    headers = {"Idempotency-Key": "a b"}
    body = b'{"Filter": {"LogIDAfter": 0, "OutputSelector": "LogID"}}'

    for known in ([], ["1"], ["1", "2"]):
        answer = neto.post("GetCustomerLog", body, headers)
        assert (answer.log_ids, is_replayed(answer)) == (known, False)
        neto.add({"Notes": "x"})
    assert rows(neto, "SELECT * FROM idempotency") == []


# -- what is another call ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda neto: add(neto, "x", NETOAPI_ACTION=UPDATE), id="action"),
        pytest.param(lambda neto: add(neto, "y"), id="body"),
        pytest.param(lambda neto: add(neto, "x", Accept="text/xml"), id="answer format"),
        pytest.param(lambda neto: add(neto, "x", Prefer="handling=strict"), id="Prefer"),
    ],
)
def test_another_call_with_the_same_key_is_refused(
    shop: Neto, other: Callable[[Neto], Answer]
) -> None:
    first = add(shop, "x")
    before = written(shop)

    refused = other(shop)

    assert (refused.status, refused.codes, is_replayed(refused)) == (422, ["RC026"], False)
    assert "one" in refused.errors[0]["Message"]
    assert "preference-applied" not in refused.headers
    assert written(shop) == before
    assert add(shop, "x").body == first.body


def test_what_asks_for_the_same_is_the_same_call(neto: Neto) -> None:
    first = add(neto, "x")

    for prefer in ("handling=lenient", "return=minimal", ""):
        assert add(neto, "x", Prefer=prefer).body == first.body
    assert add(neto, "x", NETOAPI_ACTION="addcustomerlog").body == first.body


def test_a_password_is_no_part_of_a_fingerprint(neto: Neto) -> None:
    """The journal has all else of the body, so whoever has the file could find it by trying."""

    def add_ana(password: str) -> Answer:
        item = {"Username": "ana", "Password": password}
        return neto.call("json", "AddCustomer", {"Customer": item}, Idempotency_Key="one")

    assert add_ana("secret").ack == "Success"
    assert is_replayed(add_ana("another"))


# -- keys that are none ------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dry_run", [{}, {"Recontact_Dry_Run": "true"}])
@pytest.mark.parametrize("wrong", ["", "x" * 256, "a b", "a\tb", b"\xe4"])
def test_a_key_that_cannot_be_one_is_refused(
    neto: Neto, wrong: Any, dry_run: dict[str, str], format: str
) -> None:
    answer = neto.call(format, ADD, CALLS[ADD], Idempotency_Key=wrong, **dry_run)

    assert (answer.status, answer.codes) == (400, ["RC025"])
    assert not rows(neto, "SELECT * FROM customer_log")


@pytest.mark.parametrize("key", ["!", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_any_visible_ascii_is_a_key(neto: Neto, key: str) -> None:
    assert [add(neto, "x", key).log_ids for _ in range(2)] == [["1"], ["1"]]
    assert add(neto, "x", key + "!" if len(key) < 255 else "!").log_ids == ["2"]


def test_a_doubled_key_is_refused(neto: Neto) -> None:
    headers = [("NETOAPI_ACTION", ADD), ("NETOAPI_KEY", KEY)] + 2 * [("Idempotency-Key", "one")]

    answer = neto.http.post("/do/WS/NetoAPI", content=json_call("{}"), headers=headers)

    assert (answer.status_code, "RC004" in answer.text) == (400, True)


# -- calls that did not run ----------------------------------------------------------------------


REFUSED: dict[str, Callable[[Neto], Answer]] = {
    "RC001": lambda neto: add(neto, "x", NETOAPI_KEY="rk_unknown"),
    "RC007": lambda neto: neto.post("Nothing", b"", {"Idempotency-Key": "one"}),
    "RC010": lambda neto: neto.post(ADD, b"{oops", {"Idempotency-Key": "one"}),
    "RC020": lambda neto: add(neto, "x", **{"Content-Encoding": "br"}),
    "RC027": lambda neto: add(neto, "x", **{"Recontact-Dry-Run": ""}),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_refused_call_may_be_sent_again(neto: Neto, code: str) -> None:
    assert REFUSED[code](neto).codes == [code]

    answer = add(neto, "x")

    assert (answer.log_ids, is_replayed(answer)) == (["1"], False)
    assert is_replayed(add(neto, "x"))


def test_a_call_that_was_not_saved_may_be_sent_again(serve: Callable[..., Any]) -> None:
    with serve(queue_limit=0) as full:
        refused = add(full, "x")
        assert (refused.status, refused.codes) == (503, ["RC030"])
    with serve() as neto:
        answer = add(neto, "x")
        assert (answer.log_ids, is_replayed(answer)) == (["1"], False)
    with serve() as restarted:
        assert add(restarted, "x").body == answer.body


def test_a_refusal_of_the_live_dialect_did_not_run_though_its_status_is_200(neto: Neto) -> None:
    with another_site(neto, "UTC", dialect="live") as site:
        refused = site.post(ADD, b"{oops", {"Idempotency-Key": "one"})
        assert (refused.status, refused.codes) == (200, ["RC010"])
        assert add(site, "x").log_ids == ["1"]

        # What it only warns of ran.
        for number in range(2):
            tree = {"CustomerLogs": {"CustomerLog": {"LogID": 2, "Notes": "x"}}}
            answer = site.call("json", UPDATE, tree, Idempotency_Key="two")
            assert (answer.ack, is_replayed(answer)) == ("Warning", number == 1)
            site.add({"Notes": "now there is a log 2"})


# -- how long a key counts -----------------------------------------------------------------------


def test_a_key_counts_for_seven_days(neto: Neto) -> None:
    first = add(neto, "x")
    neto.clock.move(days=7, seconds=-20)
    assert add(neto, "x").body == first.body

    neto.clock.move(seconds=40)
    anew = add(neto, "x")
    assert (anew.log_ids, is_replayed(anew)) == (["2"], False)
    neto.clock.move(days=6)
    assert add(neto, "x").body == anew.body


def test_after_seven_days_a_key_is_free_for_another_call(neto: Neto) -> None:
    add(neto, "x")
    neto.clock.move(days=8)

    assert add(neto, "y").log_ids == ["2"]
    assert add(neto, "x").status == 422


@pytest.mark.parametrize(
    "gone",
    [
        "UPDATE idempotency SET fingerprint = X''",
        "DELETE FROM journal_body",
        "UPDATE journal_body SET answer_body = NULL",
    ],
)
def test_a_call_whose_answer_is_gone_is_not_run_again(neto: Neto, gone: str) -> None:
    add(neto, "x")
    with neto.store.begin() as connection:
        connection.exec_driver_sql(gone)

    answer = add(neto, "x")

    assert (answer.status, answer.codes) == (422, ["RC028"])
    assert rows(neto, "SELECT count(*) FROM customer_log") == [(1,)]


# -- several at once -----------------------------------------------------------------------------

CLIENTS = 10
WAITING = 'recontact_calls_waiting{to="write"} 10.0'


def race(neto: Neto, idempotency_key: str, apart: float = 0) -> list[Answer]:
    """The same call by ten clients, each so many seconds after the one before."""
    start = threading.Barrier(CLIENTS)

    def client(number: int) -> Answer:
        start.wait(PATIENCE)
        threading.Event().wait(number * apart)
        return add(neto, f"of {idempotency_key}", idempotency_key)

    with ThreadPoolExecutor(CLIENTS) as threads:
        return list(threads.map(client, range(CLIENTS)))


def check_race(neto: Neto, answers: list[Answer]) -> None:
    """One ran, and all were told the same."""
    assert {answer.status for answer in answers} == {200}, [one.tree for one in answers]
    assert len({answer.body for answer in answers}) == 1
    (ran,) = [answer for answer in answers if not is_replayed(answer)]
    found = [journaled(neto, answer) for answer in answers]
    assert sorted(one["mode"] for one in found) == ["", *["replayed"] * (CLIENTS - 1)]
    assert [one for one in found if one["changed"]] == [journaled(neto, ran)]


def test_of_ten_clients_at_once_one_runs_and_all_get_its_answer(neto: Neto) -> None:
    """The first cannot be committed until all are there: another process holds the database."""
    with ThreadPoolExecutor(1) as thread:
        with locked(neto.path):
            racing = thread.submit(race, neto, "one")
            neto.wait_for(lambda: WAITING in neto.http.get("/metrics").text)
        answers = racing.result()

    check_race(neto, answers)
    assert rows(neto, "SELECT count(*), max(revision) FROM customer_log") == [(1, 1)]


def test_repeats_that_come_while_the_first_is_committed_get_its_answer(neto: Neto) -> None:
    """Each client comes a little later than the one before, so some find it on its way to disk."""
    rounds = 15

    for number in range(rounds):
        check_race(neto, race(neto, f"round-{number}", apart=0.0004))

    assert rows(neto, "SELECT count(*) FROM customer_log") == [(rounds,)]
    assert rows(neto, "SELECT next_log_id FROM site") == [(rounds + 1,)]
