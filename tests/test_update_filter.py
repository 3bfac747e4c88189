"""UpdateCustomerLog with a Filter or OutputSelector: the answer shows logs as they then stand."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import (
    ALL_SELECTORS,
    FORMATS,
    Answer,
    Neto,
    add_customers,
    another_site,
    computing,
    json_call,
    rows,
    site_of,
    to_body,
)


def update(neto: Neto, format: str, items: list[dict[str, Any]], /, **filters: Any) -> Answer:
    """Update logs, with a Filter."""
    tree = {"CustomerLogs": {"CustomerLog": items}, "Filter": filters}
    return neto.call(format, "UpdateCustomerLog", tree)


def in_order(log_ids: list[int]) -> list[str]:
    return [str(log_id) for log_id in log_ids]


@pytest.fixture
def three(shared: Neto) -> list[int]:
    """Three logs, of ana, bea and ana."""
    return shared.add(*({"AllocatedTo": name, "Notes": "old"} for name in ("ana", "bea", "ana")))


# -- what the answer shows -----------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_the_answer_lists_the_logs_that_match_after_the_update(neto: Neto, format: str) -> None:
    neto.add(*({"AllocatedTo": name} for name in ("ana", "bea", "ana", "cyn", "ana")))

    answer = update(
        neto,
        format,
        [{"LogID": 1, "AllocatedTo": "bea", "Notes": "<&>"}, {"LogID": 4, "AllocatedTo": "ANA"}],
        AllocatedTo="ana",
        OutputSelector=["AllocatedTo", "Notes", "Revision"],
    )

    assert (answer.status, answer.ack) == (200, "Success")
    assert answer.logs == [
        {"LogID": "3", "AllocatedTo": "ana", "Notes": "", "Revision": "1"},
        {"LogID": "4", "AllocatedTo": "ANA", "Notes": "", "Revision": "2"},
        {"LogID": "5", "AllocatedTo": "ana", "Notes": "", "Revision": "1"},
    ]
    assert neto.log(1)["AllocatedTo"] == "bea"


@pytest.mark.parametrize("format", FORMATS)
def test_a_log_is_shown_with_every_element_as_get_customer_log_shows_it(
    shared: Neto, three: list[int], format: str
) -> None:
    item = {
        "LogID": three[0],
        "AllocatedTo": "bea",
        "FollowUpType": "Phone",
        "CustomerName": "Bob \u00c9",
        "LastContacted": "2026-11-20 10:30:00",
        "DateRequiredFollowUp": "2026-11-24",
        "Status": "completed",
        "Notes": "a\r\nb",
    }

    answer = update(shared, format, [item], LogID=three[0], OutputSelector=ALL_SELECTORS)

    assert answer.logs == [shared.log(three[0], format)]
    assert (answer.logs[0]["Notes"], answer.logs[0]["Revision"]) == ("a\r\nb", "2")


@pytest.mark.parametrize("format", FORMATS)
def test_a_log_that_a_call_names_twice_is_shown_once_as_it_ends(
    shared: Neto, three: list[int], format: str
) -> None:
    one, two, _ = three
    items = [
        {"LogID": one, "Status": "Completed", "Notes": "first"},
        {"LogID": two, "Notes": "theirs"},
        {"LogID": one, "Status": "Recontacting", "Notes": "second"},
    ]

    by_filter = update(shared, format, items, LogID=three, OutputSelector=["Notes", "Status"])
    by_request = update(shared, format, items, OutputSelector="Revision")

    assert by_filter.logs[0] == {"LogID": str(one), "Status": "Recontacting", "Notes": "second"}
    assert [log["Notes"] for log in by_filter.logs] == ["second", "theirs", "old"]
    assert by_request.log_ids == in_order([one, two])
    assert [log["Revision"] for log in by_request.logs] == ["5", "2"]


@pytest.mark.parametrize("format", FORMATS)
def test_without_a_filter_the_logs_of_the_request_are_shown(
    shared: Neto, three: list[int], format: str
) -> None:
    one, two, three_ = three
    items = [
        {"LogID": three_, "Notes": "new"},
        {"LogID": one, "Notes": "new"},
        {"LogID": 9_999_999, "Notes": "new"},
    ]

    answer = update(shared, format, items, OutputSelector="Notes")

    assert answer.codes == ["CL002"]
    assert answer.logs == [{"LogID": str(n), "Notes": "new"} for n in (one, three_)]
    assert shared.log(two)["Notes"] == "old"


def test_without_a_selector_the_log_ids_are_shown(shared: Neto, three: list[int]) -> None:
    item = {"LogID": three[0], "Notes": "new"}

    assert update(shared, "json", [item], LogID=three).logs == [
        {"LogID": log_id} for log_id in in_order(three)
    ]
    assert update(shared, "json", [item]).logs == [{"LogID": str(three[0])}]
    assert update(shared, "json", [item], OutputSelector=[None]).log_ids == [str(three[0])]


@pytest.mark.parametrize("format", FORMATS)
def test_the_list_stands_before_the_rest_and_only_where_it_was_asked_for(
    shared: Neto, three: list[int], format: str
) -> None:
    item = {"LogID": three[0], "Notes": "new"}

    asked = update(shared, format, [item], LogID=three[0])
    none_found = update(shared, format, [item], LogID=9_999_999)
    plain = shared.update(format, item)

    listed = f"<CustomerLog><LogID>{three[0]}</LogID></CustomerLog><CurrentTime>"
    if format == "json":
        assert list(asked.tree) == ["CustomerLog", "CurrentTime", "Ack"]
        assert none_found.tree["CustomerLog"] == []
    else:
        assert f"<UpdateCustomerLog>{listed}".encode() in asked.body
        assert b"<UpdateCustomerLog><CurrentTime>" in none_found.body
    assert list(plain.tree) == ["CurrentTime", "Ack"]


def test_a_filter_of_null_is_none(shared: Neto, three: list[int]) -> None:
    body = f'{{"CustomerLogs": [{{"LogID": {three[0]}, "Notes": "new"}}], "Filter": null}}'

    answer = shared.post("UpdateCustomerLog", body.encode())

    assert list(answer.tree) == ["CurrentTime", "Ack"]
    assert shared.log(three[0])["Notes"] == "new"


@pytest.mark.parametrize("empty", ["{}", "[]", '""', "<Filter/>", "<Filter> </Filter>"])
def test_an_empty_filter_shows_the_logs_of_the_request(
    shared: Neto, three: list[int], empty: str
) -> None:
    if empty.startswith("<"):
        body = f"<UpdateCustomerLog>{empty}<CustomerLogs><CustomerLog><LogID>{three[0]}</LogID>"
        body += "</CustomerLog></CustomerLogs></UpdateCustomerLog>"
    else:
        body = f'{{"CustomerLogs": [{{"LogID": {three[0]}}}], "Filter": {empty}}}'

    answer = shared.post("UpdateCustomerLog", body.encode())

    assert answer.log_ids == [str(three[0])]


@pytest.mark.parametrize("format", FORMATS)
def test_the_items_without_an_error_are_applied_and_shown_beside_an_error(
    shared: Neto, three: list[int], format: str
) -> None:
    one, two, _ = three
    items = [{"LogID": one, "Status": "Done", "Notes": "lost"}, {"LogID": two, "Notes": "new"}]

    answer = update(shared, format, items, LogID=three, OutputSelector=["Notes", "Colour"])

    assert (answer.ack, answer.codes) == ("Error", ["CL012"])
    assert [log["Notes"] for log in answer.logs] == ["old", "new", "old"]
    assert answer.headers["Recontact-Passed-Over"] == "Colour"


def test_a_log_that_is_not_changed_is_shown_too(shared: Neto, three: list[int]) -> None:
    answer = update(
        shared,
        "json",
        [{"LogID": three[0], "Notes": "old"}],
        LogID=three,
        OutputSelector="Revision",
    )

    assert [log["Revision"] for log in answer.logs] == ["1", "1", "1"]


# -- every filter --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(shared: Neto) -> Iterator[Neto]:
    """Logs 1 to 4 in Sydney; log 1 is what each test changes."""
    with another_site(shared, "Australia/Sydney") as one:
        add_customers(one, {"Username": "ana"}, {"Username": "bea"})
        one.add(
            {"Username": "bea"},
            {
                "Username": "ana",
                "AllocatedTo": "agent",
                "FollowUpType": "Phone",
                "CustomerName": "Ann",
                "Status": "Completed",
                "DateRequiredFollowUp": "2026-12-01",
                "LastContacted": "2026-11-20 13:00:00",
                "Notes": "Asked for a quote",
            },
            {"AllocatedTo": "other", "CustomerName": "Bob", "DateRequiredFollowUp": "2026-11-30"},
            {"DateRequiredFollowUp": "2026-11-30 13:00:00", "Notes": "quoted"},
        )
        yield one


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("change", "filters", "found"),
    [
        pytest.param({}, {"LogID": [1, 3]}, [1, 3], id="LogID"),
        pytest.param({}, {"Username": "ANA"}, [2], id="Username"),
        pytest.param({"AllocatedTo": "Agent"}, {"AllocatedTo": "agent"}, [1, 2], id="AllocatedTo"),
        pytest.param({"AllocatedTo": ""}, {"AllocatedTo": ""}, [1, 4], id="no AllocatedTo"),
        pytest.param({"FollowUpType": "x"}, {"FollowUpType": ["X", "phone"]}, [1, 2], id="type"),
        pytest.param({"CustomerName": "bob"}, {"CustomerName": "BOB"}, [1, 3], id="CustomerName"),
        pytest.param({"Status": "Completed"}, {"Status": "completed"}, [1, 2], id="Status"),
        pytest.param({"Status": "Recontacting"}, {"Status": "Completed"}, [2], id="no more Status"),
        pytest.param(
            {"DateRequiredFollowUp": "2026-12-01"},
            {"DateRequiredFollowUpFrom": "2026-12-01"},
            [1, 2, 4],
            id="from a day",
        ),
        pytest.param(
            {"DateRequiredFollowUp": "2026-12-01"},
            {"DateRequiredFollowUpTo": "2026-11-30"},
            [3],
            id="to a day",
        ),
        pytest.param(
            {"LastContacted": "2026-11-20 13:00:00"},
            {"LastContactedFrom": "2026-11-21"},
            [1, 2],
            id="LastContactedFrom",
        ),
        pytest.param(
            {"LastContacted": "2026-11-20 12:59:59"},
            {"LastContactedTo": "2026-11-21"},
            [1, 2],
            id="LastContactedTo",
        ),
        pytest.param({}, {"DateAddedFrom": "2020-01-01"}, [1, 2, 3, 4], id="DateAddedFrom"),
        pytest.param({}, {"DateUpdatedTo": "2020-01-01"}, [], id="DateUpdatedTo"),
        pytest.param({}, {"LogIDAfter": 2}, [3, 4], id="LogIDAfter"),
        pytest.param({"Notes": "a quote"}, {"Search": "quot"}, [1, 2, 4], id="Search"),
        pytest.param({"Notes": "a qu\u00f6te"}, {"Search": "quote a"}, [1, 2], id="two words"),
        pytest.param({"Notes": "none"}, {"Search": "quote"}, [2, 4], id="no more words"),
        pytest.param(
            {"Notes": "quote", "Status": "Completed"},
            {"Search": "quote", "Status": "Completed", "LogIDAfter": 1},
            [2],
            id="three",
        ),
    ],
)
def test_every_filter_looks_at_the_log_as_it_then_is(
    site: Neto, format: str, change: dict[str, str], filters: dict[str, Any], found: list[int]
) -> None:
    bare = dict.fromkeys(
        ("AllocatedTo", "CustomerName", "FollowUpType", "LastContacted", "DateRequiredFollowUp"), ""
    )
    item = {"LogID": 1, "Status": "Require Recontact", "Notes": ""} | bare | change

    answer = update(site, format, [item], **filters)

    assert answer.ack == "Success"
    assert answer.log_ids == in_order(found)
    assert site.get(**filters).log_ids == in_order(found)


def test_a_search_sees_the_update_whether_the_index_does_yet_or_not(neto: Neto) -> None:
    neto.add({"Notes": "red apple"}, {"Notes": "red pear"})

    def searched(word: str) -> list[str]:
        return update(neto, "json", [{"LogID": 1, "Notes": "green plum"}], Search=word).log_ids

    assert searched("green") == ["1"]
    assert searched("red") == ["2"]
    neto.wait_for(lambda: not rows(neto, "SELECT 1 FROM search_pending"))
    assert searched("plu") == ["1"]
    assert searched("apple") == []
    both = update(
        neto, "json", [{"LogID": 1, "Notes": "red"}, {"LogID": 2, "Notes": "blue"}], Search="red"
    )
    assert both.log_ids == ["1"]
    assert neto.get(Search="green").log_ids == []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param({"LogIDAfter": 0, "Limit": 2}, [1, 2], id="first"),
        pytest.param({"LogIDAfter": 0, "Limit": 2, "Page": 1}, [3, 4], id="second"),
        pytest.param({"LogIDAfter": 1, "Limit": 2, "Page": 1}, [4], id="last"),
        pytest.param({"LogIDAfter": 0, "Limit": 2, "Page": 2}, [], id="past the end"),
        pytest.param({"Limit": 1}, [1], id="of the request, the first"),
        pytest.param({"Limit": 1, "Page": 1}, [3], id="of the request, the second"),
        pytest.param({"Limit": 1, "Page": 2}, [], id="of the request, past the end"),
        pytest.param({"Page": 9_999_999_999, "Limit": 10_000}, [], id="far"),
    ],
)
def test_a_page_holds_limit_logs(
    site: Neto, format: str, filters: dict[str, Any], found: list[int]
) -> None:
    answer = update(site, format, [{"LogID": 3}, {"LogID": 1}], **filters)

    assert (answer.ack, answer.log_ids) == ("Success", in_order(found))


def test_a_page_has_100_logs_unless_told(neto: Neto) -> None:
    neto.add(*({} for _ in range(150)))
    items = [{"LogID": n, "Notes": "new"} for n in range(1, 151)]

    assert len(update(neto, "json", items, LogIDAfter=0).logs) == 100
    assert len(update(neto, "json", items).logs) == 100
    whole = update(neto, "json", items, LogIDAfter=0, Limit=1_000, OutputSelector="Notes").logs
    assert [log["Notes"] for log in whole] == ["new"] * 150


@pytest.mark.parametrize("action", ["GetCustomerLog", "UpdateCustomerLog"])
def test_as_many_values_as_a_filter_may_have_hold_up_nobody(neto: Neto, action: str) -> None:
    neto.add(*({"Notes": "word", "AllocatedTo": "a", "CustomerName": "b"} for _ in range(300)))
    texts = [f"text {n}" for n in range(9_999)]
    filters = {
        "LogID": list(range(1, 10_001)),
        "AllocatedTo": [*texts, "A"],
        "CustomerName": [*texts, "B"],
    }
    tree = {"Filter": filters | {"OutputSelector": "LogID", "Limit": 1_000}}

    with computing(1):  # 0.06
        answer = neto.call("json", action, tree | {"CustomerLogs": [{"LogID": 1, "Notes": "x"}]})

    assert (answer.ack, len(answer.logs)) == ("Success", 300)


# -- what is wrong with the Filter ---------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "codes"),
    [
        pytest.param({"Colour": "red"}, ["CL030"], id="unknown"),
        pytest.param({"logid": "1"}, ["CL030"], id="case"),
        pytest.param({"IDAfter": 0}, ["CL030"], id="of customers"),
        pytest.param({"LogID": "x"}, ["CL011"], id="no integer"),
        pytest.param({"LogIDAfter": ""}, ["CL035"], id="after nothing"),
        pytest.param({"LogIDAfter": [1, 2]}, ["CL033"], id="two afters"),
        pytest.param({"Status": "Done"}, ["CL012"], id="status"),
        pytest.param({"DateAddedFrom": "soon"}, ["CL013"], id="no date"),
        pytest.param({"AllocatedTo": "x" * 256}, ["CL010"], id="too long"),
        pytest.param({"AllocatedTo": {"a": "b"}}, ["CL016"], id="object"),
        pytest.param({"Search": "-"}, ["CL036"], id="no word"),
        pytest.param({"Search": ""}, ["CL035"], id="no search"),
        pytest.param({"Limit": 0}, ["CL011"], id="limit 0"),
        pytest.param({"Limit": 10_001}, ["CL011"], id="limit too high"),
        pytest.param({"Page": "x"}, ["CL011"], id="page x"),
        pytest.param({"OutputSelector": "Colour"}, ["CL032"], id="no selector known"),
        pytest.param({"LogID": 1, "OutputSelector": "notes"}, ["CL032"], id="selector's case"),
        pytest.param({"Colour": "red", "Size": "1"}, ["CL030", "CL030"], id="two"),
    ],
)
def test_an_error_in_the_filter_applies_no_item(
    shared: Neto, three: list[int], format: str, filters: dict[str, Any], codes: list[str]
) -> None:
    before = [shared.log(log_id) for log_id in three]
    items = [{"LogID": log_id, "Notes": "lost"} for log_id in three]

    answer = update(shared, format, items, **filters)

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", codes)
    assert answer.logs == []
    assert [shared.log(log_id) for log_id in three] == before


@pytest.mark.parametrize(
    "filter", ["[[]]", '[{"LogID": 1}]', "1", "true", '"LogID"', '{"LogID": []}']
)
def test_a_filter_that_is_no_object_applies_no_item(
    shared: Neto, three: list[int], filter: str
) -> None:
    body = f'{{"CustomerLogs": [{{"LogID": {three[0]}, "Notes": "lost"}}], "Filter": {filter}}}'

    answer = shared.post("UpdateCustomerLog", body.encode())

    assert answer.codes in (["CL034"], ["CL035"])
    assert shared.log(three[0])["Notes"] == "old"


@pytest.mark.parametrize("second", ["Filter", "filter"])
def test_two_filters_apply_no_item(shared: Neto, three: list[int], second: str) -> None:
    item = f"<CustomerLog><LogID>{three[0]}</LogID><Notes>lost</Notes></CustomerLog>"
    one = f"<Filter><LogID>{three[0]}</LogID></Filter>"
    body = f"<u>{one}<CustomerLogs>{item}</CustomerLogs><{second}/></u>"

    answer = shared.post("UpdateCustomerLog", body.encode())

    assert answer.codes == ["CL034"]
    assert shared.log(three[0])["Notes"] == "old"


@pytest.mark.parametrize("format", FORMATS)
def test_a_filter_needs_the_right_to_read(shared: Neto, three: list[int], format: str) -> None:
    key = shared.new_key(may=["write"])
    tree = {"CustomerLogs": {"CustomerLog": [{"LogID": three[0], "Notes": "new"}]}}
    filters = [{"LogID": three[0]}, {"OutputSelector": "Notes"}, {"Colour": "red"}, {"Limit": 1}]

    def send(tree: Any) -> Answer:
        body = to_body(format, "UpdateCustomerLog", tree)
        return shared.post("UpdateCustomerLog", body, {"NETOAPI_KEY": key})

    refused = [send(tree | {"Filter": one}) for one in filters]

    assert [(answer.status, answer.codes) for answer in refused] == [(403, ["RC005"])] * 4
    assert "the right to read" in refused[0].errors[0]["Description"]
    assert all(answer.logs == [] for answer in refused)
    assert shared.log(three[0])["Notes"] == "old"
    allowed = send(tree)
    assert (allowed.status, allowed.ack) == (200, "Success")
    assert shared.log(three[0])["Notes"] == "new"


def test_the_right_to_read_alone_updates_nothing(shared: Neto, three: list[int]) -> None:
    key = shared.new_key(may=["read"])
    body = json_call(f'{{"LogID": {three[0]}, "Notes": "lost"}}')

    answer = shared.post("UpdateCustomerLog", body, {"NETOAPI_KEY": key})

    assert (answer.status, answer.codes) == (403, ["RC005"])
    assert shared.log(three[0])["Notes"] == "old"


@pytest.mark.parametrize("format", FORMATS)
def test_a_filter_without_items_is_told_that_there_is_no_item(shared: Neto, format: str) -> None:
    answer = shared.call(format, "UpdateCustomerLog", {"Filter": {"LogIDAfter": 0}})

    assert (answer.status, answer.codes) == (200, ["CL020"])


# -- what is kept --------------------------------------------------------------------------------


def test_what_is_written_to_answer_a_filter_is_kept_once(neto: Neto) -> None:
    neto.add({"Notes": "old", "CustomerName": "x"}, {"Notes": "other"})

    answer = update(
        neto,
        "json",
        [{"LogID": 1, "Notes": "first"}, {"LogID": 1, "Notes": "second"}, {"LogID": 9}],
        Search="second",
        OutputSelector="Notes",
    )

    assert answer.logs == [{"LogID": "1", "Notes": "second"}]
    revisions = rows(neto, "SELECT log_id, number, changes FROM revision ORDER BY log_id, number")
    assert [(log_id, number) for log_id, number, _ in revisions] == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert json.loads(revisions[2][2]) == {"notes": ["first", "second"]}
    request = bytes.fromhex(answer.headers["X-Request-Id"].replace("-", ""))
    ((kept, changed, errors),) = rows(
        neto,
        "SELECT answer_body, changed, errors FROM journal"
        " JOIN journal_body USING (site, request) WHERE request = ?",
        request,
    )
    assert (kept, changed, errors) == (answer.body, 2, 1)


def test_a_call_that_changes_nothing_but_asks_keeps_no_answer(neto: Neto) -> None:
    neto.add({"Notes": "old"})

    answer = update(neto, "json", [{"LogID": 1, "Notes": "old"}], LogID=1, OutputSelector="Notes")

    assert answer.logs == [{"LogID": "1", "Notes": "old"}]
    request = bytes.fromhex(answer.headers["X-Request-Id"].replace("-", ""))
    kept = rows(neto, "SELECT answer_body FROM journal_body WHERE request = ?", request)
    assert kept == [(None,)]


# -- calls in flight at once -----------------------------------------------------------------------


def test_each_of_many_calls_at_once_sees_its_own_update_and_all_that_were_answered(
    shared: Neto,
) -> None:
    """Updates with a Filter, without one, and additions, all at once."""
    callers, rounds = 12, 8
    with another_site(shared, "UTC") as site:
        site.add(*({"AllocatedTo": "nobody", "Notes": "old"} for _ in range(callers)))
        answered: dict[int, int] = dict.fromkeys(range(1, callers + 1), 0)  # LogID, its Revision
        start = threading.Barrier(callers)

        def work(log_id: int) -> list[str]:
            wrong = []
            start.wait()
            for number in range(2, rounds + 2):
                before = dict(answered)
                item = {"LogID": log_id, "Notes": f"word{number}", "AllocatedTo": "ana"}
                if log_id % 3 == 0:
                    site.update("json", item)
                elif log_id % 3 == 1:
                    site.add({"Notes": "beside"})
                    site.update("json", item)
                else:
                    answer = update(
                        site,
                        "json",
                        [item],
                        LogIDAfter=0,
                        AllocatedTo="ana",
                        OutputSelector=["Notes", "Revision"],
                    )
                    shown = {int(log["LogID"]): int(log["Revision"]) for log in answer.logs}
                    notes = {int(log["LogID"]): log["Notes"] for log in answer.logs}
                    if (shown[log_id], notes[log_id]) != (number, f"word{number}"):
                        wrong.append(f"{log_id} at {number}: own {shown[log_id]}")
                    wrong += [
                        f"{log_id} at {number}: {other} {shown.get(other)} of {at_least}"
                        for other, at_least in before.items()
                        if shown.get(other, 0) < at_least
                    ]
                    search = f"word{number}"
                    found = update(site, "json", [{"LogID": log_id}], Search=search, LogID=log_id)
                    if found.log_ids != [str(log_id)]:
                        wrong.append(f"{log_id} at {number}: {found.log_ids} by search")
                answered[log_id] = number
            return wrong

        with ThreadPoolExecutor(callers) as threads:
            wrong = [line for lines in threads.map(work, answered) for line in lines]

        assert wrong == []
        numbers = rows(
            site,
            "SELECT log_id, max(number), count(*) FROM revision WHERE site = ? AND log_id <= ?"
            " GROUP BY log_id",
            site_of(site),
            callers,
        )
        assert numbers == [(n, rounds + 1, rounds + 1) for n in range(1, callers + 1)]
        assert site.get(Search="old").log_ids == []


def test_what_one_call_changed_is_shown_whole_or_not_at_all(shared: Neto) -> None:
    """Pairs of logs that each call changes alike, while other calls ask for both."""
    callers, rounds = 12, 15
    one, other = shared.add({"Notes": "0"}, {"Notes": "0"})
    start = threading.Barrier(callers)

    def work(caller: int) -> list[Any]:
        wrong = []
        start.wait()
        for number in range(rounds):
            if caller % 2:
                text = f"{caller} {number}"
                shared.update(
                    "json", {"LogID": one, "Notes": text}, {"LogID": other, "Notes": text}
                )
            else:
                item = {"LogID": one, "AllocatedTo": f"{caller} {number}"}
                answer = update(shared, "json", [item], LogID=[one, other], OutputSelector="Notes")
                if len({log["Notes"] for log in answer.logs}) != 1:
                    wrong.append(answer.logs)
        return wrong

    with ThreadPoolExecutor(callers) as threads:
        assert [pair for pairs in threads.map(work, range(callers)) for pair in pairs] == []
