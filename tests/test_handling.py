"""Strict calls and dry runs: all or nothing, and the answer without the deed (SPEC §6)."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import (
    FORMATS,
    KEY,
    Answer,
    Neto,
    add_customers,
    another_site,
    computing,
    customer,
    customers_of,
    json_call,
    rows,
    to_body,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_idempotency import journaled, written

from recontact import actions
from recontact.actions import handling

ADD, UPDATE, ADD_CUSTOMER, UPDATE_CUSTOMER = WRITING = (
    "AddCustomerLog",
    "UpdateCustomerLog",
    "AddCustomer",
    "UpdateCustomer",
)
STRICT = {"Prefer": "handling=strict"}
DRY_RUN = {"Recontact-Dry-Run": "true"}


def call_of(action: str, *items: Any, **beside: Any) -> dict[str, Any]:
    """The tree of a call with these items, and what stands beside them."""
    some = list(items)
    tree = {"Customer": some} if "Log" not in action else {"CustomerLogs": {"CustomerLog": some}}
    return tree | beside


def send(
    neto: Neto,
    headers: dict[str, str],
    action: str,
    *items: Any,
    format: str = "json",
    **beside: Any,
) -> Answer:
    """A call with these headers, items, and what stands beside them."""
    accept = {"Accept": "application/json" if format == "json" else "text/xml"}
    return neto.post(
        action, to_body(format, action, call_of(action, *items, **beside)), accept | headers
    )


@pytest.fixture
def shop(neto: Neto) -> Neto:
    """A site with logs 1 and 2, and customer Bob."""
    neto.add({"Notes": "one"}, {"Notes": "two"})
    add_customers(neto, {"Username": "Bob"})
    return neto


# -- what the headers say ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefer", "strict"),
    [
        ("handling=strict", True),
        ('Handling = "STRICT"; because=of it', True),
        ("return=minimal, handling=strict", True),
        ("respond-async,,wait=10 ,handling=strict", True),
        ("handling=strict, handling=lenient", True),
        ("handling=lenient, handling=strict", False),
        ("handling=lenient", False),
        ("handling", False),
        ("handling=stricter", False),
        ("x=handling=strict", False),
        ("x; handling=strict", False),
        ('x="a, handling=strict"', False),
        ('x; y="a, handling=strict"', False),
        ('x="handling=strict', False),
    ],
)
def test_prefer_is_read_as_rfc_7240_has_it(shared: Neto, prefer: str, strict: bool) -> None:
    answer = send(shared, {"Prefer": prefer}, UPDATE, {"LogID": 99})

    assert answer.headers.get("Preference-Applied") == ("handling=strict" if strict else None)
    assert answer.codes == (["CL002", "CL044"] if strict else ["CL002"])


def test_of_prefer_sent_twice_both_count(shared: Neto) -> None:
    headers = [("NETOAPI_ACTION", UPDATE), ("NETOAPI_KEY", KEY), ("Prefer", "return=minimal")]

    answer = shared.http.post("/do/WS/NetoAPI", headers=[*headers, ("Prefer", "handling=strict")])

    assert answer.headers["Preference-Applied"] == "handling=strict"


@pytest.mark.parametrize(
    "prefer", ['"' + " " * 30_000 + '"', '"' * 30_000, "," * 30_000, 'a="' * 10_000], ids=ascii
)
def test_a_hostile_prefer_holds_nobody_up(shared: Neto, prefer: str) -> None:
    with computing(2):  # once it took seven seconds
        assert send(shared, {"Prefer": prefer}, UPDATE, {"LogID": 99}).codes == ["CL002"]


@pytest.mark.parametrize(("said", "is_dry"), [("true", True), ("TRUE", True), ("false", False)])
def test_a_dry_run_is_asked_for_in_words(shop: Neto, said: str, is_dry: bool) -> None:
    answer = send(shop, {"Recontact-Dry-Run": said}, UPDATE, {"LogID": 1, "Notes": "x"})

    assert answer.headers.get("Recontact-Dry-Run") == ("true" if is_dry else None)
    assert shop.log(1)["Notes"] == ("one" if is_dry else "x")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("said", ["", "yes", "1", "true, true"])
def test_a_dry_run_that_is_not_clear_is_refused(shop: Neto, said: str, format: str) -> None:
    headers = {"Recontact-Dry-Run": said}
    answer = send(shop, headers, UPDATE, {"LogID": 1, "Notes": "x"}, format=format)

    assert (answer.status, answer.codes) == (400, ["RC027"])
    assert shop.log(1)["Notes"] == "one"


def test_a_dry_run_sent_twice_is_refused(shared: Neto) -> None:
    headers = [("NETOAPI_ACTION", ADD), ("NETOAPI_KEY", KEY)] + 2 * [*DRY_RUN.items()]

    answer = shared.http.post("/do/WS/NetoAPI", content=json_call("{}"), headers=headers)

    assert (answer.status_code, "RC004" in answer.text) == (400, True)


def test_reads_take_no_notice_of_either(shop: Neto) -> None:
    tree = {"Filter": {"LogID": 1, "OutputSelector": ["Notes", "Nota"]}}
    answer = shop.call("json", "GetCustomerLog", tree, **STRICT, Recontact_Dry_Run="perhaps")

    assert (answer.ack, answer.log_ids) == ("Success", ["1"])
    assert not {"preference-applied", "recontact-dry-run"} & answer.headers.keys()


def test_a_dry_run_needs_the_right_to_read_since_it_shows_records(shop: Neto) -> None:
    writes = {"NETOAPI_KEY": shop.new_key(may=["write"])}

    assert send(shop, DRY_RUN | writes, UPDATE, {"LogID": 1, "Notes": "x"}).codes == ["RC005"]
    assert send(shop, STRICT | writes, UPDATE, {"LogID": 1, "Notes": "x"}).ack == "Success"


def test_a_page_of_a_listed_origin_may_send_and_read_these_headers(shop: Neto) -> None:
    with shop.store.begin() as connection:
        connection.exec_driver_sql("UPDATE site SET cors_origins = 'https://shop.example'")
    origin = {"Origin": "https://shop.example"}

    def allowed() -> str:
        answer = shop.http.options("/do/WS/NetoAPI", headers=origin)
        return answer.headers.get("Access-Control-Allow-Headers", "")

    shop.wait_for(allowed)
    assert {"prefer", "idempotency-key", "recontact-dry-run"} <= set(allowed().split(", "))
    exposed = send(shop, origin | STRICT, UPDATE, {"LogID": 1}).headers
    names = {"Preference-Applied", "Recontact-Dry-Run", "Idempotency-Replayed"}
    assert names <= set(exposed["Access-Control-Expose-Headers"].split(", "))


# -- strict: all or nothing ------------------------------------------------------------------------

GOOD = {
    ADD: {"Notes": "x"},
    UPDATE: {"LogID": 1, "Notes": "x"},
    ADD_CUSTOMER: {"Username": "ana"},
    UPDATE_CUSTOMER: {"Username": "bob", "UserGroup": "Trade"},
}
BAD = {
    ADD: {"Status": "Done"},
    UPDATE: {"LogID": 99, "Notes": "x"},
    ADD_CUSTOMER: {"Username": "BOB"},
    UPDATE_CUSTOMER: {"Username": "zoe", "UserGroup": "Trade"},
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("action", WRITING)
def test_a_strict_call_with_an_error_applies_nothing(shop: Neto, action: str, format: str) -> None:
    before = written(shop)

    for items in ([GOOD[action], BAD[action]], [BAD[action], GOOD[action]]):
        answer = send(shop, STRICT, action, *items, format=format)
        assert (answer.status, answer.ack) == (200, "Error")
        assert answer.codes[1:] == ["CL044"]
        assert answer.logs + customers_of(answer) == []
        assert answer.headers["Preference-Applied"] == "handling=strict"
        assert written(shop) == before
        assert journaled(shop, answer)["changed"] == 0
        assert journaled(shop, answer)["mode"] == "strict"

    answer = send(shop, {}, action, BAD[action], GOOD[action], format=format)
    assert (answer.ack, len(answer.errors)) == ("Error", 1)
    assert written(shop) != before


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("action", WRITING)
def test_a_strict_call_without_an_error_is_as_any(shop: Neto, action: str, format: str) -> None:
    answer = send(shop, STRICT, action, GOOD[action], format=format)

    assert (answer.ack, answer.headers["Preference-Applied"]) == ("Success", "handling=strict")
    assert journaled(shop, answer)["changed"] == 1


def test_a_strict_call_that_is_not_applied_uses_up_no_log_id(shop: Neto) -> None:
    assert send(shop, STRICT, ADD, GOOD[ADD], BAD[ADD]).ack == "Error"

    assert shop.add({"Notes": "x"}) == [3]


UNKNOWN: dict[str, tuple[str, Any, str, str]] = {
    "beside the wrapper": (UPDATE, call_of(UPDATE, GOOD[UPDATE], Filtre=""), "Filtre", "Filter"),
    "in the wrapper": (
        UPDATE,
        {"CustomerLogs": {"CustomerLog": GOOD[UPDATE], "CustomrLog": ""}},
        "CustomrLog",
        "CustomerLog",
    ),
    "in an item": (ADD, call_of(ADD, GOOD[ADD], GOOD[ADD] | {"Note": "x"}), "Note", "Notes"),
    "in another case": (ADD, call_of(ADD, GOOD[ADD] | {"notes": "x"}), "notes", "Notes"),
    "in an item of customers": (
        ADD_CUSTOMER,
        call_of(ADD_CUSTOMER, GOOD[ADD_CUSTOMER] | {"EmailAdress": "a@b.example"}),
        "EmailAdress",
        "EmailAddress",
    ),
    "in an address": (
        UPDATE_CUSTOMER,
        call_of(UPDATE_CUSTOMER, {"Username": "bob", "BillingAddress": {"BillCty": "Hobart"}}),
        "BillingAddress/BillCty",
        "BillCity",
    ),
    "an OutputSelector": (
        UPDATE,
        call_of(UPDATE, GOOD[UPDATE], Filter={"OutputSelector": ["Notes", "DateAdedLocal"]}),
        "DateAdedLocal",
        "DateAddedLocal",
    ),
    "a Filter where there is none": (
        ADD,
        call_of(ADD, GOOD[ADD], Filter={"LogID": 1}),
        "Filter",
        "",
    ),
    "nothing like it": (ADD, call_of(ADD, GOOD[ADD] | {"Colour": "red"}), "Colour", ""),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("where", UNKNOWN)
def test_an_unknown_element_anywhere_is_an_error_of_a_strict_call(
    shop: Neto, where: str, format: str
) -> None:
    action, tree, name, meant = UNKNOWN[where]
    before = written(shop)

    answer = shop.call(format, action, tree, **STRICT)

    assert answer.codes[-2:] == ["CL009", "CL044"]
    unknown = answer.errors[-2]
    assert unknown["Message"] == f"{name} is not an element of {action}"
    near = unknown["Description"].partition("?")[0].removeprefix("Did you mean ")
    assert meant in near.split(" or ") if meant else "Did you mean" not in unknown["Description"]
    assert written(shop) == before
    assert shop.call(format, action, tree).ack in ("Success", "Warning")


def test_an_unknown_filter_is_an_error_anyway(shop: Neto) -> None:
    answer = send(shop, STRICT, UPDATE, GOOD[UPDATE], Filter={"Colour": "red"})

    assert answer.codes == ["CL030", "CL044"]
    assert shop.log(1)["Notes"] == "one"


def test_of_many_unknown_elements_twenty_are_named_each_once(shop: Neto) -> None:
    many = {f"Colour{n}": "x" for n in range(30)}

    answer = send(shop, STRICT, UPDATE, {"LogID": 1} | many, {"LogID": 2} | many)

    assert answer.codes == ["CL009"] * 20 + ["CL044"]
    assert len({error["Message"] for error in answer.errors}) == 21


def test_names_of_many_letters_cost_a_strict_call_nothing(
    shop: Neto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To look for what resembles them took 0.7 s."""
    body = json_call(
        json.dumps({"LogID": 1} | {f"{n}{'abcdefgh' * 45_000}": "x" for n in range(20)})
    )

    compared: list[str] = []

    def get_close_matches(name: str, *_: Any) -> list[str]:
        compared.append(name)
        return []

    monkeypatch.setattr(handling, "get_close_matches", get_close_matches)

    answer = shop.post(UPDATE, body, STRICT)

    assert answer.codes == ["CL009"] * 20 + ["CL044"]
    assert len(answer.body) < 20_000
    assert compared == []
    assert send(shop, STRICT, UPDATE, {"LogID": 1, "Nota": "x"}).ack == "Error"
    assert compared == ["nota"]


def test_what_a_client_always_sends_is_no_error_of_a_strict_call(shop: Neto) -> None:
    item = {"LogID": 0, "Status": "None", "Notes": "x"}  # as NetoDotNET adds a log

    assert send(shop, STRICT, ADD, item).log_ids == ["3"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_strict_call_with_a_filter_answers_the_logs_or_none(shop: Neto, format: str) -> None:
    asked = {"LogIDAfter": 0, "OutputSelector": "Notes"}

    good = send(shop, STRICT, UPDATE, GOOD[UPDATE], format=format, Filter=asked)
    bad = send(
        shop, STRICT, UPDATE, {"LogID": 2, "Notes": "y"}, BAD[UPDATE], format=format, Filter=asked
    )

    assert [log["Notes"] for log in good.logs] == ["x", "two"]
    assert (bad.codes, bad.logs) == (["CL002", "CL044"], [])


@pytest.fixture
def live(neto: Neto) -> Iterator[Neto]:
    """A site of the live dialect, with log 1."""
    with another_site(neto, "UTC", dialect="live") as site:
        site.add({"Notes": "one"})
        yield site


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("headers", [STRICT, DRY_RUN, STRICT | DRY_RUN], ids=str)
def test_strict_calls_and_dry_runs_of_a_live_site_judge_as_documented(
    live: Neto, headers: dict[str, str], format: str
) -> None:
    items = [{"LogID": 99, "Notes": "x"}, {"LogID": 1, "Status": "Done", "Notes": "x"}]

    answer = send(live, headers, UPDATE, *items, format=format)

    assert answer.codes[:2] == ["CL002", "CL012"]
    assert answer.ack == "Error"
    assert answer.warnings == []
    assert live.log(1)["Notes"] == "one"
    if format == "xml":
        assert answer.root == "UpdateCustomerLogResponse"  # its shapes are the site's own
    assert send(live, {}, UPDATE, *items, format=format).ack == "Warning"
    assert live.log(1)["Notes"] == "x"


# -- dry run -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("action", WRITING)
def test_a_dry_run_writes_a_line_of_the_journal_and_nothing_else(
    shop: Neto, action: str, format: str
) -> None:
    def settled() -> bool:
        return not rows(shop, "SELECT * FROM search_pending")

    shop.wait_for(settled)
    before = written(shop)
    lines = rows(shop, "SELECT count(*) FROM journal")
    index = rows(shop, "SELECT count(*), total(length(block)) FROM log_search_data")

    answer = send(shop, DRY_RUN, action, GOOD[action], BAD[action], format=format)

    line = journaled(shop, answer)
    assert line == {"mode": "dry run", "ack": "Error", "http_status": 200, "changed": 0}
    assert answer.headers["Recontact-Dry-Run"] == "true"
    assert written(shop) == before
    assert settled()
    assert rows(shop, "SELECT count(*), total(length(block)) FROM log_search_data") == index
    assert rows(shop, "SELECT count(*) FROM journal") == [(lines[0][0] + 1,)]


def test_a_dry_run_of_more_than_one_answer_holds_is_refused(
    shop: Neto, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.update("json", {"LogID": 1, "Notes": "n" * 600}, {"LogID": 2, "Notes": "n" * 600})
    monkeypatch.setattr(actions, "MOST_TEXT", 1_000)
    answer = send(shop, DRY_RUN, UPDATE, {"LogID": 1}, {"LogID": 2})
    assert answer.codes == ["CL037"]
    assert send(shop, DRY_RUN, UPDATE, {"LogID": 1}).ack == "Success"
    assert shop.update("json", {"LogID": 1}, {"LogID": 2}).ack == "Success"


def test_a_dry_run_uses_up_no_number(shop: Neto) -> None:
    tried = send(shop, DRY_RUN, ADD, {"Notes": "x"}, {"Notes": "y"})
    assert [log["Notes"] for log in tried.logs] == ["x", "y"]
    assert not any("LogID" in log for log in tried.logs)
    assert shop.add({"Notes": "z"}) == [3]

    (tried_customer,) = customers_of(send(shop, DRY_RUN, ADD_CUSTOMER, {"Username": "ana"}))
    assert tried_customer["Username"] == "ana"
    assert "ID" not in tried_customer
    add_customers(shop, {"Username": "ana"})
    assert customer(shop, "ana")["ID"] == "2"


def test_a_log_that_a_dry_run_leaves_as_it_is_has_its_number(shop: Neto) -> None:
    (log,) = send(shop, DRY_RUN, UPDATE, {"LogID": 1, "Notes": "one"}).logs

    assert (log["LogID"], log["Revision"]) == ("1", "1")


@pytest.mark.parametrize("format", FORMATS)
def test_items_of_a_dry_run_see_what_those_before_them_would_do(shop: Neto, format: str) -> None:
    items = [
        {"LogID": 1, "Notes": "x", "Revision": 1},
        {"LogID": 1, "Status": "Completed", "Revision": 2},
        {"LogID": 1, "Status": "Recontacting", "Revision": 2},
    ]

    answer = send(shop, DRY_RUN, UPDATE, *items, format=format)

    assert answer.codes == ["CL004"]
    (log,) = answer.logs
    assert (log["Notes"], log["Status"], log["Revision"]) == ("x", "Completed", "3")
    assert shop.log(1)["Revision"] == "1"


def test_a_strict_dry_run_tells_whether_all_would_go_through(shop: Neto) -> None:
    headers = STRICT | DRY_RUN

    bad = send(shop, headers, UPDATE, GOOD[UPDATE], {"LogID": 2, "Nota": "x"})
    good = send(shop, headers, UPDATE, GOOD[UPDATE])

    assert (bad.codes, bad.logs) == (["CL009", "CL044"], [])
    assert (good.ack, [log["Notes"] for log in good.logs]) == ("Success", ["x"])
    for answer in (bad, good):
        assert answer.headers["Preference-Applied"] == "handling=strict"
        assert answer.headers["Recontact-Dry-Run"] == "true"
        assert journaled(shop, answer)["mode"] == "strict, dry run"
    assert shop.log(1)["Notes"] == "one"


@pytest.mark.parametrize("format", FORMATS)
def test_a_dry_run_with_a_filter_answers_what_the_call_would(shop: Neto, format: str) -> None:
    asked = {"Search": "zebra", "OutputSelector": ["Notes", "Status"]}

    def update(headers: dict[str, str]) -> list[dict[str, str]]:
        item = {"LogID": 2, "Notes": "a zebra"}
        return send(shop, headers, UPDATE, item, format=format, Filter=asked).logs

    tried = update(DRY_RUN)
    assert shop.get(Search="zebra").logs == []
    assert (
        tried == update({}) == [{"LogID": "2", "Status": "Require Recontact", "Notes": "a zebra"}]
    )


def test_a_dry_run_neither_reads_nor_stores_an_idempotency_key(shop: Neto) -> None:
    repeat = {"Idempotency-Key": "one"}

    first = send(shop, DRY_RUN | repeat, ADD, {"Notes": "x"})
    assert rows(shop, "SELECT * FROM idempotency") == []
    real = send(shop, repeat, ADD, {"Notes": "y"})
    again = send(shop, DRY_RUN | repeat, ADD, {"Notes": "z"})

    assert [answer.logs[0].get("Notes") for answer in (first, again)] == ["x", "z"]
    assert real.log_ids == ["3"]
    assert "idempotency-replayed" not in again.headers
    assert len(rows(shop, "SELECT * FROM idempotency")) == 1


def test_a_refused_dry_run_says_why_in_the_same_words(shop: Neto) -> None:
    for headers in (DRY_RUN, {}):
        answer = shop.post(UPDATE, b"{oops", headers)
        assert (answer.status, answer.codes) == (400, ["RC010"])


# -- a dry run answers what the call then does -----------------------------------------------------

notes = st.sampled_from(["one", "two", "", None, "x" * 65_536, "\0"])
statuses = st.sampled_from(["Completed", "recontacting", "Done", "", None])
days = st.sampled_from(["2026-11-24", "2026-11-24T09:30:00+11:00", "soon", "", None])
usernames = st.sampled_from(["bob", "BOB", "ana", "zoe", None, "u" * 26])
log_item = {"Notes": notes, "Status": statuses, "DateRequiredFollowUp": days, "Nota": notes}
customer_item = {
    "UserGroup": st.sampled_from(["Trade", "", "x" * 51]),
    "CreditLimit": st.sampled_from(["12.50", "much", ""]),
    "BillingAddress": st.sampled_from(["", {"BillCity": "Hobart"}, {"BillCty": "x"}, "Main St"]),
    "Colour": st.just("red"),
}
ITEMS: dict[str, st.SearchStrategy[Any]] = {
    ADD: st.fixed_dictionaries({}, optional=log_item | {"Username": usernames}),
    UPDATE: st.fixed_dictionaries(
        {"LogID": st.sampled_from([1, 2, 3, 99_999, "x"])},
        optional=log_item | {"Revision": st.integers(1, 4)},
    ),
    ADD_CUSTOMER: st.fixed_dictionaries({"Username": usernames}, optional=customer_item),
    UPDATE_CUSTOMER: st.fixed_dictionaries({"Username": usernames}, optional=customer_item),
}
SHOWN = ["Notes", "Status", "DateRequiredFollowUp", "Revision"]
FILTERS = st.sampled_from(
    [
        {"Status": "Completed", "Limit": 5, "OutputSelector": SHOWN},
        {"LogID": [1, 2], "OutputSelector": SHOWN},
        {"OutputSelector": SHOWN},
        {"OutputSelector": ["Nota"]},
        {"Colour": "red"},
        {},
    ]
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An action that writes, and a call of it."""
    action = draw(st.sampled_from(WRITING))
    tree = call_of(action, *draw(st.lists(ITEMS[action] | st.just("plain"), max_size=4)))
    if action == UPDATE and draw(st.booleans()):
        tree["Filter"] = draw(FILTERS)
    return action, tree


def is_other_when_read(name: str) -> bool:
    """Whether the clock makes it, or GetCustomer has it in another shape than AddCustomer."""
    of_customers = ("AccountManager", "Password", "ShippingAddress")
    return name in ("CurrentTime", "DateAdded", "DateUpdated", *of_customers)


def without(names: Callable[[str], bool], tree: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if not names(name)}


def stands(neto: Neto, action: str, record: dict[str, str]) -> dict[str, Any]:
    """The record that a dry run showed, as it is now: the same elements."""
    if "Log" in action:
        found = neto.log(int(record["LogID"]))
    else:
        found = customer(neto, record["Username"])
    return {name: found[name] for name in record}


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(one=calls(), strict=st.booleans())
def test_a_dry_run_answers_what_the_call_then_does(
    shared: Neto, format: str, one: tuple[str, dict[str, Any]], strict: bool
) -> None:
    action, tree = one
    if format == "xml":
        tree = json.loads(json.dumps(tree).replace("\\u0000", "").replace("null", '""'))
    headers = STRICT if strict else {}
    if not rows(shared, "SELECT 1 FROM customer"):
        shared.add(*({"Notes": "one"} for _ in range(3)))
        add_customers(shared, {"Username": "Bob"})
    before = written(shared)

    tried = shared.call(format, action, tree, **headers, **DRY_RUN)
    assert written(shared) == before
    real = shared.call(format, action, tree, **headers)

    def is_excepted(name: str) -> bool:  # the records shown (SPEC §6)
        return name == "CurrentTime" or ("Filter" not in tree and name.startswith("Customer"))

    assert without(is_excepted, tried.tree) == without(is_excepted, real.tree)
    assert tried.headers.get("Recontact-Passed-Over") == real.headers.get("Recontact-Passed-Over")
    if "Filter" in tree:
        return
    shown = tried.logs + customers_of(tried)
    if action == ADD:
        assert not any("LogID" in log for log in shown)
        shown = [log | one for log, one in zip(shown, real.logs, strict=True)]
    for record in (without(is_other_when_read, record) for record in shown):
        assert record == stands(shared, action, record)
