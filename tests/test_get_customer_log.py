"""GetCustomerLog, through HTTP: filters, selectors, order, paging."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from conftest import ALL_SELECTORS, FORMATS, Neto, another_site

LOGS = [
    {"AllocatedTo": "Ana", "FollowUpType": "Phone", "Status": "Completed"},
    {"AllocatedTo": "ana", "FollowUpType": "Email", "Status": "Recontacting"},
    {"AllocatedTo": "bea", "FollowUpType": "Phone"},
    {"AllocatedTo": "ana bea"},
    {"FollowUpType": "Stra\u00dfe"},
    {"AllocatedTo": "Jos\u00e9", "FollowUpType": "x"},
    {"AllocatedTo": "JOSE\u0301", "FollowUpType": " x"},
    {"AllocatedTo": "a%b_c*", "FollowUpType": "null"},
    {"AllocatedTo": "y" * 255},
]


@pytest.fixture(scope="module")
def filled(shared: Neto) -> Neto:
    """Logs 1 to 9 of LOGS, in a site in UTC; no test adds to them."""
    shared.add(*LOGS)
    return shared


@pytest.fixture(scope="module")
def sydney(shared: Neto) -> Iterator[Neto]:
    """A site that tests may add to, in a zone ahead of UTC."""
    with another_site(shared, "Australia/Sydney") as site:
        yield site


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param({"LogID": 2}, [2], id="one LogID"),
        pytest.param({"LogID": [5, 1, 3]}, [1, 3, 5], id="many LogIDs"),
        pytest.param({"LogID": [5, 5, 99]}, [5], id="twice, and unknown"),
        pytest.param({"LogID": "0000000002"}, [2], id="LogID with noughts"),
        pytest.param({"AllocatedTo": "ana"}, [1, 2], id="case"),
        pytest.param({"AllocatedTo": ["BEA", "ana"]}, [1, 2, 3], id="many texts"),
        pytest.param({"AllocatedTo": "an"}, [], id="no prefix"),
        pytest.param({"AllocatedTo": "ana bea"}, [4], id="whole text"),
        pytest.param({"AllocatedTo": " ana"}, [], id="blanks count"),
        pytest.param({"AllocatedTo": "jos\u00e9"}, [6, 7], id="composed"),
        pytest.param({"AllocatedTo": "Jose\u0301"}, [6, 7], id="decomposed"),
        pytest.param({"AllocatedTo": "jose"}, [], id="accents count"),
        pytest.param({"FollowUpType": "STRASSE"}, [5], id="case folding"),
        pytest.param({"AllocatedTo": "A%B_C*"}, [8], id="operators are letters"),
        pytest.param({"AllocatedTo": "%"}, [], id="no wildcard"),
        pytest.param({"AllocatedTo": "_na"}, [], id="no placeholder"),
        pytest.param({"FollowUpType": "null"}, [8], id="null as a word"),
        pytest.param({"AllocatedTo": ""}, [5], id="empty"),
        pytest.param({"AllocatedTo": " "}, [5], id="blank"),
        pytest.param({"AllocatedTo": ["", "bea"]}, [3, 5], id="empty or a text"),
        pytest.param({"FollowUpType": ""}, [4, 9], id="empty type"),
        pytest.param({"AllocatedTo": "Y" * 255}, [9], id="as long as Add takes"),
        pytest.param({"Status": "completed"}, [1], id="status"),
        pytest.param({"Status": ["Completed", "RECONTACTING "]}, [1, 2], id="many statuses"),
        pytest.param({"Status": ""}, [], id="a status is never empty"),
        pytest.param({"LogID": ""}, [], id="a LogID is never empty"),
        pytest.param({"DateAddedFrom": ""}, [], id="a log has a date"),
        pytest.param({"LogIDAfter": 6}, [7, 8, 9], id="after"),
        pytest.param({"LogIDAfter": 0}, [1, 2, 3, 4, 5, 6, 7, 8, 9], id="after 0"),
        pytest.param({"LogIDAfter": 9_999_999_999}, [], id="after the last"),
        pytest.param({"AllocatedTo": "ana", "FollowUpType": "phone"}, [1], id="both"),
        pytest.param({"AllocatedTo": "ana", "Status": "Require Recontact"}, [], id="neither"),
        pytest.param({"LogIDAfter": 1, "LogID": [1, 2, 3]}, [2, 3], id="after, and many"),
    ],
)
def test_logs_are_found_by(
    filled: Neto, format: str, filters: dict[str, Any], found: list[int]
) -> None:
    answer = filled.get(format, **filters)

    assert (answer.status, answer.ack) == (200, "Success")
    assert answer.log_ids == [str(log_id) for log_id in found]


def test_a_filter_of_null_is_as_if_absent(filled: Neto) -> None:
    assert filled.get(LogID=2, Status=None).log_ids == ["2"]
    assert filled.get(LogID=None).codes == ["CL031"]


@pytest.mark.parametrize("selectors", [None, [None, "Status"], ["Status", None]])
def test_a_selector_of_null_is_as_if_absent(filled: Neto, selectors: Any) -> None:
    answer = filled.get(LogID=2, OutputSelector=selectors)

    assert answer.codes == (["CL032"] if selectors is None else [])
    assert "Recontact-Passed-Over" not in answer.headers


# -- paging ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("paging", "found"),
    [
        ({"Limit": 4}, [1, 2, 3, 4]),
        ({"Limit": 4, "Page": 0}, [1, 2, 3, 4]),
        ({"Limit": 4, "Page": "1"}, [5, 6, 7, 8]),
        ({"Limit": "4", "Page": 2}, [9]),
        ({"Limit": 4, "Page": 3}, []),
        ({"Limit": 1, "Page": 8}, [9]),
        ({"Limit": 9, "Page": 1}, []),
        ({"Limit": 10_000}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({"Limit": 10_000, "Page": 9_999_999_999}, []),
        ({"Limit": 3, "LogIDAfter": 4}, [5, 6, 7]),
        ({"Limit": 2, "LogIDAfter": 4, "Page": 1}, [7, 8]),
    ],
)
def test_a_page_holds_limit_logs(
    filled: Neto, format: str, paging: dict[str, Any], found: list[int]
) -> None:
    answer = filled.get(format, **{"LogIDAfter": 0} | paging)

    assert (answer.ack, answer.log_ids) == ("Success", [str(log_id) for log_id in found])


def test_an_empty_list_is_a_list_in_json_and_nothing_in_xml(filled: Neto) -> None:
    assert filled.get("json", LogID=99).tree["CustomerLog"] == []
    assert "CustomerLog" not in filled.get("xml", LogID=99).tree


def test_a_page_has_100_logs_unless_told(neto: Neto) -> None:
    neto.add(*({} for _ in range(101)))

    assert len(neto.get(LogIDAfter=0).logs) == 100
    assert neto.get(LogIDAfter=0, Page=1).log_ids == ["101"]


def test_log_id_after_neither_misses_nor_repeats_while_others_write(neto: Neto) -> None:
    neto.add(*({"AllocatedTo": "ana"} for _ in range(10)))

    read: list[str] = []
    while page := neto.get(LogIDAfter=read[-1] if read else 0, Limit=3, AllocatedTo="ana").log_ids:
        read += page
        neto.update("json", {"LogID": page[0], "AllocatedTo": "bea"})
        if len(read) < 9:
            neto.add({"AllocatedTo": "ana"})

    assert read == [str(log_id) for log_id in range(1, 13)]


# -- ranges of instants ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contacted(shared: Neto) -> Iterator[Neto]:
    """Logs 1 to 4, last contacted a second apart, and never."""
    with another_site(shared, "UTC") as site:
        site.add(
            {"LastContacted": "2026-11-23 07:29:59"},
            {"LastContacted": "2026-11-23 07:30:00"},
            {"LastContacted": "2026-11-23 07:30:01"},
            {},
        )
        yield site


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"LastContactedFrom": "2026-11-23 07:30:00"}, [2, 3]),
        ({"LastContactedFrom": "2026-11-23T18:30:00+11:00"}, [2, 3]),
        ({"LastContactedTo": "2026-11-23 07:30:00"}, [1, 2]),
        ({"LastContactedTo": "2026-11-23T07:30:00.9Z"}, [1, 2]),
        (
            {
                "LastContactedFrom": "2026-11-23 07:30:00",
                "LastContactedTo": "2026-11-23 07:30:00(UTC)",
            },
            [2],
        ),
        (
            {
                "LastContactedFrom": "2026-11-23 07:30:01",
                "LastContactedTo": "2026-11-23 07:30:00",
            },
            [],
        ),
        ({"LastContactedFrom": "2026-11-23"}, [1, 2, 3]),
        ({"LastContactedTo": "2026-11-23"}, []),
        ({"LastContactedFrom": "2026-11-24"}, []),
        ({"LastContactedTo": "2026-11-24"}, [1, 2, 3]),
        ({"LastContactedFrom": "1000-01-01"}, [1, 2, 3]),
        ({"LastContactedTo": "9999-12-31T23:59:59Z"}, [1, 2, 3]),
        ({"LastContactedFrom": ""}, [4]),
        ({"LastContactedTo": "0000-00-00"}, [4]),
    ],
)
def test_both_bounds_of_a_range_of_instants_count(
    contacted: Neto, format: str, filters: dict[str, str], found: list[int]
) -> None:
    assert contacted.get(format, **filters).log_ids == [str(log_id) for log_id in found]


def test_the_dates_a_log_was_added_and_updated_are_filters(neto: Neto) -> None:
    neto.add({}, {})
    neto.clock.move(days=2)
    neto.add({})
    neto.update("json", {"LogID": 1, "Notes": "new"})
    first, _, third = neto.get(LogIDAfter=0).logs

    def found(**filters: str) -> list[str]:
        return neto.get(**filters).log_ids

    assert found(DateAddedFrom=first["DateAdded"]) == ["1", "2", "3"]
    assert found(DateAddedFrom=third["DateAdded"]) == ["3"]
    assert found(DateAddedTo=first["DateAdded"]) == ["1", "2"]
    assert found(DateUpdatedFrom=third["DateUpdated"]) == ["1", "3"]
    assert found(DateUpdatedTo=first["DateAdded"]) == ["2"]
    assert found(DateAddedTo=first["DateAdded"], DateUpdatedFrom=third["DateAdded"]) == ["1"]


# -- follow-ups: days and instants -------------------------------------------------------------

FOLLOW_UPS = [
    "2026-11-30",  # 1
    "2026-12-01",  # 2: in Sydney from 2026-11-30 13:00:00 UTC
    "2026-12-02",  # 3
    "2026-11-30 12:59:59",  # 4: the last second of 30 November in Sydney
    "2026-11-30 13:00:00",  # 5: the first of 1 December
    "2026-11-30 13:00:01",  # 6
    "2026-12-01T00:00:00Z",  # 7
    "",  # 8
]


@pytest.fixture(scope="module")
def due(shared: Neto) -> Iterator[Neto]:
    """Logs 1 to 8 with the FOLLOW_UPS; no test adds to them."""
    with another_site(shared, "Australia/Sydney") as site:
        site.add(*({"DateRequiredFollowUp": due} for due in FOLLOW_UPS))
        yield site


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("bound", "found"),
    [
        pytest.param({"From": "2026-12-01"}, [2, 3, 5, 6, 7], id="from a day"),
        pytest.param({"To": "2026-12-01"}, [1, 2, 4, 5], id="to a day"),
        pytest.param({"From": "2026-12-01", "To": "2026-12-01"}, [2, 5], id="a day"),
        pytest.param({"From": "2026-12-01 00:00:00"}, [2, 3, 5, 6, 7], id="from noughts"),
        pytest.param({"From": "2026-11-30 13:00:00"}, [2, 3, 5, 6, 7], id="from its start"),
        pytest.param({"From": "2026-11-30 12:59:59"}, [2, 3, 4, 5, 6, 7], id="second before"),
        pytest.param({"From": "2026-11-30 13:00:01"}, [3, 6, 7], id="second after"),
        pytest.param({"To": "2026-11-30 13:00:00"}, [1, 2, 4, 5], id="to its start"),
        pytest.param({"To": "2026-11-30 12:59:59"}, [1, 4], id="to the second before"),
        pytest.param({"To": "2026-11-30 13:00:01"}, [1, 2, 4, 5, 6], id="to the second after"),
        pytest.param({"From": "2026-12-01T00:00:00+11:00"}, [2, 3, 5, 6, 7], id="its offset"),
        pytest.param({"From": "2026-12-01T00:00:00Z"}, [3, 7], id="from midnight UTC"),
        pytest.param({"To": "2026-12-01(UTC)"}, None, id="day with UTC"),
        pytest.param({"To": "2026-12-01 00:00:00(UTC)"}, [1, 2, 4, 5, 6, 7], id="to UTC"),
        pytest.param({"From": ""}, [8], id="from empty"),
        pytest.param({"To": ""}, [8], id="to empty"),
        pytest.param({"From": "", "To": "2026-12-01"}, [], id="empty and not"),
        pytest.param({"From": "1000-01-01"}, [1, 2, 3, 4, 5, 6, 7], id="from the first"),
        pytest.param({"To": "9999-12-31"}, [1, 2, 3, 4, 5, 6, 7], id="to the last"),
        pytest.param({"From": "9999-12-31T23:59:59Z"}, [], id="from the last second"),
        pytest.param({"To": "1000-01-01T00:00:00Z"}, [], id="to the first second"),
    ],
)
def test_a_day_counts_from_its_start_in_the_sites_zone(
    due: Neto, format: str, bound: dict[str, str], found: list[int] | None
) -> None:
    answer = due.get(format, **{f"DateRequiredFollowUp{end}": at for end, at in bound.items()})

    if found is None:
        assert answer.codes == ["CL013"]
    else:
        assert answer.log_ids == [str(log_id) for log_id in found]


@pytest.mark.parametrize(
    ("sent", "plain", "local", "utc"),
    [
        ("2026-12-01", "2026-12-01", "2026-12-01", "2026-11-30 13:00:00"),
        ("2026-07-01", "2026-07-01", "2026-07-01", "2026-06-30 14:00:00"),
        (
            "2026-11-30 13:00:00",
            "2026-11-30 13:00:00",
            "2026-12-01 00:00:00",
            "2026-11-30 13:00:00",
        ),
        (
            "2026-07-01T00:00:00Z",
            "2026-07-01 00:00:00(UTC)",
            "2026-07-01 10:00:00",
            "2026-07-01 00:00:00",
        ),
        ("", "", "", ""),
        ("1000-01-01", "1000-01-01", "1000-01-01", None),
        ("9999-12-31", "9999-12-31", "9999-12-31", None),
    ],
    ids=["day", "winter day", "its start", "midnight UTC", "none", "first day", "last day"],
)
def test_a_follow_up_is_selected_in_three_forms(
    sydney: Neto, sent: str, plain: str, local: str, utc: str | None
) -> None:
    (log_id,) = sydney.add({"DateRequiredFollowUp": sent})

    log = sydney.log(log_id)

    assert (log["DateRequiredFollowUp"], log["DateRequiredFollowUpLocal"]) == (plain, local)
    assert utc is None or log["DateRequiredFollowUpUTC"] == utc


@pytest.mark.parametrize(
    ("at", "local"),
    [
        ("2026-11-23 07:30:00", "2026-11-23 18:30:00"),
        ("2026-10-03 15:59:59", "2026-10-04 01:59:59"),
        ("2026-10-03 16:00:00", "2026-10-04 03:00:00"),
        ("2026-04-04 15:59:59", "2026-04-05 02:59:59"),
        ("2026-04-04 16:00:00", "2026-04-05 02:00:00"),
        ("9999-12-31 12:59:59", "9999-12-31 23:59:59"),
        ("", ""),
    ],
)
def test_an_instant_is_selected_in_the_sites_zone(sydney: Neto, at: str, local: str) -> None:
    (log_id,) = sydney.add({"LastContacted": at})

    log = sydney.log(log_id)

    assert (log["LastContacted"], log["LastContactedUTC"]) == (at, at)
    assert log["LastContactedLocal"] == local


@pytest.mark.parametrize("at", ["9999-12-31 13:00:00", "9999-12-31 23:59:59"])
def test_past_the_end_of_the_local_calendar_there_is_still_an_answer(sydney: Neto, at: str) -> None:
    (log_id,) = sydney.add({"LastContacted": at, "DateRequiredFollowUp": at})

    log = sydney.log(log_id)

    assert log["LastContactedUTC"] == log["DateRequiredFollowUpUTC"] == at
    assert log["LastContactedLocal"]


GAPS = [
    # zone, a day whose midnight the clocks skip, the instant it starts at
    pytest.param("America/Sao_Paulo", "2018-11-04", "2018-11-04 03:00:00", id="Sao Paulo"),
    pytest.param("Asia/Beirut", "2026-03-29", "2026-03-28 22:00:00", id="Beirut"),
    pytest.param("Africa/Cairo", "2026-04-24", "2026-04-23 22:00:00", id="Cairo"),
]


@pytest.mark.parametrize(("zone", "day", "start"), GAPS)
def test_a_day_without_a_midnight_starts_when_the_clocks_go_on(
    shared: Neto, zone: str, day: str, start: str
) -> None:
    before = f"{datetime.fromisoformat(start) - timedelta(seconds=1):%F %T}"
    with another_site(shared, zone) as site:
        site.add(*({"DateRequiredFollowUp": due} for due in (day, start, before)))

        def found(**bound: str) -> list[str]:
            return site.get(**{f"DateRequiredFollowUp{k}": v for k, v in bound.items()}).log_ids

        assert site.log(1)["DateRequiredFollowUpUTC"] == start
        assert found(From=day) == found(From=start) == ["1", "2"]
        assert found(To=before) == ["3"]
        assert found(From=before) == ["1", "2", "3"]
        assert found(To=start) == found(To=day) == ["1", "2", "3"]


def test_a_midnight_that_comes_twice_counts_the_first_time(shared: Neto) -> None:
    with another_site(shared, "America/Havana") as site:  # 2026-11-01 01:00 becomes 00:00
        site.add({"DateRequiredFollowUp": "2026-11-01"})

        assert site.log(1)["DateRequiredFollowUpUTC"] == "2026-11-01 04:00:00"
        assert site.get(DateRequiredFollowUpFrom="2026-11-01 04:00:01").log_ids == []


# -- selectors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_every_element_can_be_selected(filled: Neto, format: str) -> None:
    for name in ALL_SELECTORS:
        (log,) = filled.get(format, LogID=1, OutputSelector=name).logs
        assert set(log) == {"LogID", name}


def test_the_selectors_are_the_elements_and_the_forms_of_their_dates() -> None:
    dates = ("LastContacted", "DateRequiredFollowUp", "DateAdded", "DateUpdated")
    plain = {"LogID", "Username", "AllocatedTo", "FollowUpType", "CustomerName", "Status", "Notes"}
    forms = {date + form for date in dates for form in ("", "Local", "UTC")}

    assert set(ALL_SELECTORS) == plain | forms | {"Revision"}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("selectors", "elements", "passed_over"),
    [
        ("Status", ["LogID", "Status"], None),
        (["Status", "Notes", "Status"], ["LogID", "Status", "Notes"], None),
        (["Notes ", "\nLogID"], ["LogID", "Notes"], None),
        (["Notes", "Colour", "notes"], ["LogID", "Notes"], "Colour, notes"),
        (["Colour", "LogID"], ["LogID"], "Colour"),
    ],
)
def test_the_selected_elements_are_answered_and_unknown_ones_passed_over(
    filled: Neto, format: str, selectors: Any, elements: list[str], passed_over: str | None
) -> None:
    answer = filled.get(format, LogID=1, OutputSelector=selectors)

    assert answer.ack == "Success"
    (log,) = answer.logs
    assert set(log) == set(elements)
    assert answer.headers.get("Recontact-Passed-Over") == passed_over


@pytest.mark.parametrize("format", FORMATS)
def test_an_element_without_a_value_is_empty_text(sydney: Neto, format: str) -> None:
    (log_id,) = sydney.add({})

    log = sydney.log(log_id, format)

    empty = {name for name, value in log.items() if value == ""}
    added = {"LogID", "Status", "Revision"} | {n for n in log if n.startswith(("DateA", "DateU"))}
    assert empty == set(ALL_SELECTORS) - added


def test_ids_and_numbers_are_strings_in_json(filled: Neto) -> None:
    assert all(isinstance(value, str) for value in filled.log(1).values())


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "codes"),
    [
        pytest.param({}, ["CL031"], id="none"),
        pytest.param({"Page": 0, "Limit": 5}, ["CL031"], id="paging alone"),
        pytest.param({"Colour": "red"}, ["CL030"], id="unknown"),
        pytest.param({"LogID": 1, "logid": 1}, ["CL030"], id="case"),
        pytest.param({"LogID": 1, "DateAdded": "2026-11-23"}, ["CL030"], id="an element"),
        pytest.param({"LogID": 1, "History": "x"}, ["CL030"], id="a selector"),
        pytest.param({"LogID": "x"}, ["CL011"], id="no integer"),
        pytest.param({"LogID": [1, 0]}, ["CL011"], id="one of many"),
        pytest.param({"LogIDAfter": -1}, ["CL011"], id="after -1"),
        pytest.param({"LogIDAfter": 10_000_000_000}, ["CL011"], id="after 11 digits"),
        pytest.param({"LogID": 1, "Page": -1}, ["CL011"], id="page -1"),
        pytest.param({"LogID": 1, "Page": "x"}, ["CL011"], id="page x"),
        pytest.param({"LogID": 1, "Limit": 0}, ["CL011"], id="limit 0"),
        pytest.param({"LogID": 1, "Limit": 10_001}, ["CL011"], id="limit too high"),
        pytest.param({"LogIDAfter": [1, 2]}, ["CL033"], id="two afters"),
        pytest.param({"LogID": 1, "Limit": [1, 2]}, ["CL033"], id="two limits"),
        pytest.param({"DateAddedFrom": ["2026-01-01", ""]}, ["CL033"], id="two dates"),
        pytest.param({"Status": "Done"}, ["CL012"], id="status"),
        pytest.param({"Status": ["Completed", "None"]}, ["CL012"], id="status None"),
        pytest.param({"DateAddedTo": "soon"}, ["CL013"], id="no date"),
        pytest.param({"DateRequiredFollowUpFrom": "2026-02-30"}, ["CL013"], id="no such day"),
        pytest.param({"AllocatedTo": {"a": "b"}}, ["CL016"], id="object"),
        pytest.param({"AllocatedTo": "y" * 256}, ["CL010"], id="too long"),
        pytest.param({"LogID": 1, "OutputSelector": "Colour"}, ["CL032"], id="no selector known"),
        pytest.param({"LogID": 1, "OutputSelector": ""}, ["CL032"], id="selector empty"),
        pytest.param({"LogID": 1, "OutputSelector": []}, ["CL032"], id="no selector"),
        pytest.param(
            {"Colour": "red", "LogID": "x", "Status": "y"},
            ["CL030", "CL011", "CL012"],
            id="several at once",
        ),
    ],
)
def test_a_filter_that_cannot_be_followed_is_an_error_with_an_empty_list(
    filled: Neto, format: str, filters: dict[str, Any], codes: list[str]
) -> None:
    answer = filled.get(format, **filters)

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", codes)
    assert answer.logs == []
    if format == "json":
        assert answer.tree["CustomerLog"] == []


@pytest.mark.parametrize("name", ["Page", "Limit", "LogIDAfter"])
def test_a_number_of_paging_is_never_empty(filled: Neto, name: str) -> None:
    answer = filled.get(LogID=1, **{name: ""})

    assert answer.ack == "Error"
    assert name in answer.errors[0]["Message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"Filter": [1]}', "CL034"),
        (b'{"Filter": [{"LogID": 1}]}', "CL034"),
        (b'{"Filter": "LogID"}', "CL034"),
        (b'{"Filter": 1}', "CL034"),
        (b'{"Filter": {"LogID": 1}, "filter": {"LogID": 2}}', "CL034"),
        (b"<GetCustomerLog><Filter>LogID</Filter></GetCustomerLog>", "CL034"),
        (b"<GetCustomerLog><Filter/><Filter/></GetCustomerLog>", "CL034"),
        (b'{"Filter": {"LogID": [], "OutputSelector": "LogID"}}', "CL035"),
        (b'{"Filter": {"LogID": [1, null], "OutputSelector": "LogID"}}', "CL016"),
        (b'{"Filter": {"LogID": [[1]], "OutputSelector": "LogID"}}', "CL016"),
        (b'{"Filter": {"LogID": true, "OutputSelector": "LogID"}}', "CL016"),
        (rb'{"Filter": {"AllocatedTo": "\u0000", "OutputSelector": "LogID"}}', "CL014"),
        (rb'{"Filter": {"\ud800": 1, "OutputSelector": "LogID"}}', "CL030"),
        (b'{"Filter": null}', "CL031"),
        (b'{"Filter": {}}', "CL031"),
        (b"<GetCustomerLog><Filter/></GetCustomerLog>", "CL031"),
        (b"", "CL031"),
        (b"{}", "CL031"),
        (b'{"Filter": {"LogID": 1}}', "CL032"),
        (b'{"Filter": {"LogID": 1, "OutputSelector": null}}', "CL032"),
        (b'{"Filter": {"LogID": 1, "OutputSelector": {"LogID": ""}}}', "CL032"),
    ],
)
def test_a_filter_out_of_shape_is_an_error(filled: Neto, body: bytes, code: str) -> None:
    answer = filled.post("GetCustomerLog", body)

    assert (answer.status, answer.codes, answer.logs) == (200, [code], [])


@pytest.mark.parametrize("wrapper", ["filter", "FILTER", "Filter"])
@pytest.mark.parametrize("format", FORMATS)
def test_the_filter_is_matched_without_regard_to_case(
    filled: Neto, format: str, wrapper: str
) -> None:
    tree = {wrapper: {"LogID": "1", "OutputSelector": ["LogID"]}}

    assert filled.call(format, "GetCustomerLog", tree).log_ids == ["1"]


def test_no_number_of_values_brings_the_server_down(filled: Neto) -> None:
    for values in (1_000, 1_001, 40_000, 300_000):
        body = b'{"Filter": {"OutputSelector": "LogID", "LogID": [1%s]}}' % (b",1" * (values - 1))
        answer = filled.post("GetCustomerLog", body)

        assert answer.status < 500
        if answer.status == 200:
            assert answer.log_ids == ["1"]
        else:
            assert (answer.status, answer.codes) == (400, ["RC016"])


def test_a_filter_of_many_unknown_names_is_answered_shortly(filled: Neto) -> None:
    names = ",".join(f'"f{n}": 1' for n in range(100_000))

    answer = filled.post("GetCustomerLog", f'{{"Filter": {{{names}}}}}'.encode())

    assert answer.codes[0] == "CL030"
    assert answer.errors[0]["Message"] == "f0 is not a filter of GetCustomerLog"
    assert len(answer.body) < 100_000
