"""GetCustomerLog's OutputSelector History, through HTTP: what was done to a log, page by page."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from conformance import check_answer
from conftest import (
    FORMATS,
    RECONTACT,
    Answer,
    Neto,
    add_customers,
    another_site,
    clean_environ,
    one_or_many,
    rows,
    site_of,
    to_body,
)

from recontact.describe import api_md
from recontact.fields import GET_CUSTOMER_LOG, HISTORY_PAGE
from recontact.history import Kind
from recontact.store import keys


def revisions_of(log: dict[str, Any]) -> list[dict[str, Any]]:
    """A log's revisions, in whichever dialect; of each its Change is a list."""
    wrapped = log["History"]
    wrapper = wrapped[0] if isinstance(wrapped, list) else wrapped
    revisions = one_or_many(wrapper["Revision"]) if wrapper else []
    return [one | {"Change": one_or_many(one["Change"])} for one in revisions]


def ask(neto: Neto, format: str = "json", **filters: Any) -> Answer:
    return neto.get(format, OutputSelector="History", **filters)


def history(neto: Neto, log_id: int, format: str = "json", **filters: Any) -> list[dict[str, Any]]:
    """The revisions of one log that is there."""
    (log,) = ask(neto, format, LogID=log_id, **filters).logs
    assert set(log) == {"LogID", "History"}
    return revisions_of(log)


def changes(revision: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What a revision changed: old and new by the element's name."""
    return {one["Element"]: (one["Old"], one["New"]) for one in revision["Change"]}


def numbers(revisions: list[dict[str, Any]]) -> list[int]:
    return [int(one["Number"]) for one in revisions]


def write_often(neto: Neto, log_id: int, times: int, notes: str = "note {}") -> None:
    """So many more revisions of one log."""
    items = [{"LogID": log_id, "Notes": notes.format(n)} for n in range(times)]
    for at in range(0, times, 1_000):
        assert neto.update("json", *items[at : at + 1_000]).ack == "Success"


def command(neto: Neto, *words: str) -> str:
    """What a command prints that runs beside the server."""
    done = subprocess.run(
        [*RECONTACT, *words, "--database", f"sqlite:///{neto.path}"],
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


# -- what it has ---------------------------------------------------------------------------------


@pytest.fixture
def told(shared: Neto) -> Iterator[tuple[Neto, list[dict[str, str]]]]:
    """A new site whose log 1 was added with two values, and changed once; what each is told by."""
    with another_site(shared, "Australia/Sydney") as site:
        (key,) = rows(site, "SELECT max(key_id) FROM key")[0]
        add = {"CustomerLogs": {"CustomerLog": [{"Notes": "a & b", "Status": "Recontacting"}]}}
        change = {"CustomerLogs": {"CustomerLog": [{"LogID": 1, "Notes": ""}]}}
        calls = [
            site.call("json", "AddCustomerLog", add),
            site.call("json", "UpdateCustomerLog", change),
        ]
        yield (
            site,
            [
                {
                    "Key": str(key),
                    "Time": site.log(1)["DateAdded" if n == 0 else "DateUpdated"],
                    "RequestID": call.headers["x-request-id"],
                }
                for n, call in enumerate(calls)
            ],
        )


def test_in_json_it_is_this(told: tuple[Neto, list[dict[str, str]]]) -> None:
    site, (added, changed) = told

    assert ask(site, LogID=1).tree["CustomerLog"] == [
        {
            "LogID": "1",
            "History": {
                "Revision": [
                    {
                        "Number": "2",
                        "Did": "changed",
                        "Who": "",
                        **changed,
                        "Change": [{"Element": "Notes", "Old": "a & b", "New": ""}],
                    },
                    {
                        "Number": "1",
                        "Did": "added",
                        "Who": "",
                        **added,
                        "Change": [
                            {"Element": "Status", "Old": "", "New": "Recontacting"},
                            {"Element": "Notes", "Old": "", "New": "a & b"},
                        ],
                    },
                ]
            },
        }
    ]


def test_in_xml_it_is_this(told: tuple[Neto, list[dict[str, str]]]) -> None:
    site, (added, changed) = told

    body = ask(site, "xml", LogID=1).body.decode()

    def facts(of: dict[str, str], number: int, did: str) -> str:
        return (
            f"<Number>{number}</Number><Did>{did}</Did><Time>{of['Time']}</Time>"
            f"<Key>{of['Key']}</Key><Who/><RequestID>{of['RequestID']}</RequestID>"
        )

    assert (
        "<CustomerLog><LogID>1</LogID><History>"
        f"<Revision>{facts(changed, 2, 'changed')}"
        "<Change><Element>Notes</Element><Old>a &amp; b</Old><New/></Change></Revision>"
        f"<Revision>{facts(added, 1, 'added')}"
        "<Change><Element>Status</Element><Old/><New>Recontacting</New></Change>"
        "<Change><Element>Notes</Element><Old/><New>a &amp; b</New></Change></Revision>"
        "</History></CustomerLog>"
    ) in body


def test_in_the_live_dialect_one_of_a_list_stands_as_it_is(shared: Neto) -> None:
    with another_site(shared, "UTC", "live") as site:
        site.add({}, {"Notes": "a"})
        site.update("json", {"LogID": 1, "Notes": "b"})

        several, one = ask(site, LogID=[1, 2]).tree["CustomerLog"]
        none = ask(site, LogID=1, HistoryBefore=1).tree["CustomerLog"]
        in_xml = ask(site, "xml", LogID=1)

    ((wrapper,), (other,)) = several["History"], one["History"]
    assert [revision["Number"] for revision in wrapper["Revision"]] == ["2", "1"]
    assert wrapper["Revision"][0]["Change"] == {"Element": "Notes", "Old": "", "New": "b"}
    assert other["Revision"]["Number"] == "1"
    assert [change["Element"] for change in other["Revision"]["Change"]] == ["Status", "Notes"]
    assert none == [{"LogID": "1", "History": ""}]
    assert in_xml.root == "GetCustomerLogResponse"
    assert revisions_of(in_xml.logs[0]) == revisions_of(several)


@pytest.mark.parametrize("dialect", ["documented", "live"])
@pytest.mark.parametrize("format", FORMATS)
def test_it_tells_of_each_write_by_whom_and_what(shared: Neto, format: str, dialect: str) -> None:
    with another_site(shared, "America/New_York", dialect) as site:
        number = str(site_of(site))
        with site.store.begin() as connection:
            its_site = keys.find_site(connection, number)
        other = site.new_key(site=its_site)
        name = f"{format} {dialect}"
        add_customers(site, {"Username": name})
        site.add({"Username": name, "FollowUpType": "Phone", "DateRequiredFollowUp": "2026-11-24"})
        steps: list[tuple[str, dict[str, Any]]] = [
            (site.key, {"DateRequiredFollowUp": "2026-11-24T00:00:00Z"}),
            (other, {"Status": "completed", "LastContacted": "2026-11-23T18:30:00+11:00"}),
            (other, {"DateRequiredFollowUp": "", "FollowUpType": "", "Status": "Completed"}),
            (site.key, {"AllocatedTo": "ana", "Notes": "x"}),
            (site.key, {"AllocatedTo": "ana"}),  # changes nothing: no revision
            (other, {"AllocatedTo": "Ana"}),
        ]
        for key, item in steps:
            tree = {"CustomerLogs": {"CustomerLog": [{"LogID": 1} | item]}}
            body = to_body(format, "UpdateCustomerLog", tree)
            answer = site.post("UpdateCustomerLog", body, {"NETOAPI_KEY": key})
            assert answer.ack == "Success"
        found = history(site, 1, format)

    assert numbers(found) == [6, 5, 4, 3, 2, 1]
    assert [one["Did"] for one in found] == ["changed"] * 5 + ["added"]
    ours, theirs = found[-1]["Key"], found[0]["Key"]
    assert ours != theirs
    assert [one["Key"] for one in found] == [theirs, ours, theirs, theirs, ours, ours]
    assert [changes(one) for one in found] == [
        {"AllocatedTo": ("ana", "Ana")},
        {"AllocatedTo": ("", "ana"), "Notes": ("", "x")},
        {"FollowUpType": ("Phone", ""), "DateRequiredFollowUp": ("2026-11-24 00:00:00(UTC)", "")},
        {
            "LastContacted": ("", "2026-11-23 07:30:00"),
            "Status": ("Require Recontact", "Completed"),
        },
        {"DateRequiredFollowUp": ("2026-11-24", "2026-11-24 00:00:00(UTC)")},
        {
            "Username": ("", name),
            "FollowUpType": ("", "Phone"),
            "DateRequiredFollowUp": ("", "2026-11-24"),
            "Status": ("", "Require Recontact"),
        },
    ]


HOSTILE = {
    "markup": "</Old></Change><Change><Element>Status</Element>]]><!-- &amp; &#0; <![CDATA[ \"'\\",
    "lines": "a\r\nb\nc\rd\te",
    "bidi and no-breaks": "\u202ea\u2066b\u200f\u2028\u2029\ufeff\u0085",
    "beyond": "\U0001f469\u200d\U0001f4bb \U0010ffff e\u0301 \ufffd",
    "json": '"}]}, {"Number": "9"',
    "long": "\u00e9<" * 30_000,
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_text_comes_back_as_it_was_sent(shared: Neto, format: str, text: str) -> None:
    (log_id,) = shared.add({"Notes": text})
    shared.update(format, {"LogID": log_id, "Notes": "y"})
    shared.update(format, {"LogID": log_id, "Notes": text})

    last, middle, first = history(shared, log_id, format)

    assert changes(last) == {"Notes": ("y", text)}
    assert changes(middle) == {"Notes": (text, "y")}
    assert changes(first)["Notes"] == ("", text)


def test_a_withdrawn_log_is_not_found_and_a_restored_one_is(neto: Neto) -> None:
    neto.add({"Notes": "a"}, {"Notes": "of another"})

    said = command(neto, "log", "withdraw", "1")
    withdrawn = ask(neto, LogID=[1, 2])
    command(neto, "undo", "request", said.split()[-1])
    restored, withdrawal, added = history(neto, 1)

    assert withdrawn.log_ids == ["2"]
    assert [one["Did"] for one in (restored, withdrawal, added)] == [
        "restored",
        "withdrawn",
        "added",
    ]
    all_of_it = {"Status": ("", "Require Recontact"), "Notes": ("", "a")}
    assert changes(restored) == changes(added) == all_of_it
    assert changes(withdrawal) == {name: (old, "") for name, (_, old) in all_of_it.items()}
    assert (restored["Key"], withdrawal["Key"], added["Key"]) == ("", "", "1")
    assert (restored["Who"], withdrawal["Who"], added["Who"]) == (*["command line"] * 2, "")
    assert said.split()[-1] == withdrawal["RequestID"] != restored["RequestID"]


def test_the_words_of_what_a_revision_did_are_described() -> None:
    did = next(one for one in GET_CUSTOMER_LOG.selectors["History"].parts if one.key == "did")

    assert all(kind in did.wire.doc for kind in Kind)


def test_the_sample_on_the_page_is_as_described() -> None:
    _, _, text = api_md().partition("## A log's history")
    log = json.loads(text.partition("```json\n")[2].partition("```")[0])
    answer = {"CustomerLog": [log], "CurrentTime": "2026-11-25 09:00:00", "Ack": "Success"}

    check_answer("GetCustomerLog", "json", json.dumps(answer).encode(), 200)
    assert numbers(revisions_of(log)) == [2, 1]


# -- page by page --------------------------------------------------------------------------------


def pages(neto: Neto, log_id: int, format: str = "json") -> Iterator[list[dict[str, Any]]]:
    """All of a log's history, as the page of the API says to read it."""
    before: dict[str, int] = {}
    while not before or before["HistoryBefore"] > 1:
        page = history(neto, log_id, format, **before)
        yield page
        before = {"HistoryBefore": int(page[-1]["Number"])}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("count", [1, 99, 100, 101, 200, 250])
def test_a_page_has_the_newest_revisions(shared: Neto, format: str, count: int) -> None:
    (log_id,) = shared.add({"Notes": "first"})
    write_often(shared, log_id, count - 1)

    found = [numbers(page) for page in pages(shared, log_id, format)]

    assert [len(page) for page in found[:-1]] == [HISTORY_PAGE] * ((count - 1) // HISTORY_PAGE)
    assert [number for page in found for number in page] == list(range(count, 0, -1))


def test_each_log_of_a_page_has_its_own(shared: Neto) -> None:
    log_ids = shared.add(*({"Notes": "first"} for _ in range(3)))
    write_often(shared, log_ids[1], 150)
    write_often(shared, log_ids[2], 5)

    found = [numbers(revisions_of(log)) for log in ask(shared, LogID=log_ids).logs]
    before = [
        numbers(revisions_of(log)) for log in ask(shared, LogID=log_ids, HistoryBefore=4).logs
    ]

    assert found == [[1], list(range(151, 51, -1)), [6, 5, 4, 3, 2, 1]]
    assert before == [[1], [3, 2, 1], [3, 2, 1]]


def test_while_others_write_nothing_is_missed_or_repeated(shared: Neto) -> None:
    (log_id,) = shared.add({"Notes": "first"})
    write_often(shared, log_id, 449)
    done = threading.Event()

    def write() -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            shared.update("json", *({"LogID": log_id, "Notes": f"{turn} {n}"} for n in range(20)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = []
        for page in pages(shared, log_id):
            found += page
            seen = int(found[0]["Number"])
            Neto.wait_for(lambda seen=seen: int(shared.log(log_id)["Revision"]) > seen)
    finally:
        done.set()
        writer.join()

    assert numbers(found) == list(range(numbers(found)[0], 0, -1))
    assert int(shared.log(log_id)["Revision"]) > numbers(found)[0] >= 450
    values = [changes(one)["Notes"] for one in found]
    assert all(newer[0] == older[1] for newer, older in pairwise(values))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("before", "found"),
    [
        (1, []),
        (2, [1]),
        (" 3 ", [2, 1]),
        (4, [3, 2, 1]),
        (9_999_999_999, [3, 2, 1]),
        (0, "CL011"),
        (-1, "CL011"),
        ("x", "CL011"),
        (10_000_000_000, "CL011"),
        ("", "CL035"),
        ([2, 3], "CL033"),
    ],
)
def test_history_before_is_one_number(
    shared: Neto, format: str, before: Any, found: list[int] | str
) -> None:
    (log_id,) = shared.add({"Notes": "first"})
    write_often(shared, log_id, 2)

    answer = ask(shared, format, LogID=log_id, HistoryBefore=before)

    if isinstance(found, str):
        assert (answer.codes, answer.logs) == ([found], [])
    else:
        assert numbers(revisions_of(answer.logs[0])) == found


def test_history_before_chooses_no_logs(shared: Neto) -> None:
    (log_id,) = shared.add({"Notes": "x"})

    assert ask(shared, HistoryBefore=5).codes == ["CL031"]
    (log,) = shared.get(LogID=log_id, HistoryBefore=1, OutputSelector="Notes").logs
    assert log == {"LogID": str(log_id), "Notes": "x"}


# -- bounds and walls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "most", "codes"),
    [
        ("MOST_REVISIONS", 6, []),
        ("MOST_REVISIONS", 5, ["CL037"]),
        ("MOST_TEXT", 3 * (len("Require Recontact") + 15), []),
        ("MOST_TEXT", 3 * (len("Require Recontact") + 15) - 1, ["CL037"]),
    ],
)
def test_an_answer_has_revisions_up_to_a_limit(
    neto: Neto, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, codes: list[str]
) -> None:
    log_ids = neto.add(*({"Notes": "12345"} for _ in range(3)))
    for log_id in log_ids:
        neto.update("json", {"LogID": log_id, "Notes": "54321"})
    # The package has the function of that name in the module's place.
    monkeypatch.setattr(sys.modules["recontact.actions.get_customer_log"], limit, most)

    answer = ask(neto, LogIDAfter=0)

    assert answer.codes == codes
    assert answer.log_ids == ([] if codes else ["1", "2", "3"])
    assert ask(neto, LogIDAfter=0, Limit=2).codes == []
    assert neto.get(LogIDAfter=0).codes == []


def test_so_many_revisions_as_a_page_of_logs_has_are_answered(neto: Neto) -> None:
    """A hundred logs with a hundred revisions each; one more is too much."""
    log_ids = neto.add(*({"Notes": "first"} for _ in range(101)))
    for log_id in log_ids:
        write_often(neto, log_id, HISTORY_PAGE)

    hundred = ask(neto, LogIDAfter=0)
    more = ask(neto, LogIDAfter=0, Limit=101)

    assert [numbers(revisions_of(log)) for log in hundred.logs] == [list(range(101, 1, -1))] * 100
    assert (more.codes, more.logs) == (["CL037"], [])
    assert "Send a smaller Limit" in more.errors[0]["Description"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_page_of_the_longest_notes_is_answered(neto: Neto, format: str) -> None:
    """With the default settings a smaller Limit always helps: one log's page is never too long."""
    (log_id,) = neto.add({})
    write_often(neto, log_id, HISTORY_PAGE + 1, "{:03}" + "n" * 65_532)

    found = history(neto, log_id, format)

    assert len(found) == HISTORY_PAGE
    assert all(len(one["Change"][0]["Old"]) == 65_535 for one in found)


@pytest.mark.parametrize("format", FORMATS)
def test_another_sites_history_is_never_answered(shared: Neto, format: str) -> None:
    with another_site(shared, "UTC") as ours, another_site(shared, "UTC") as theirs:
        for site, name in ((ours, "ours"), (theirs, "theirs")):
            site.add({"Notes": name})
            site.update(format, {"LogID": 1, "Notes": f"{name} again"})
        theirs.add({"Notes": "theirs"})

        bodies = [ask(ours, format, LogID=[1, 2]).body, ask(theirs, format, LogID=[1, 2]).body]
        unknown = ask(ours, format, LogID=2)

    assert [b"theirs" in body for body in bodies] == [False, True]
    assert [b"ours" in body for body in bodies] == [True, False]
    assert (unknown.ack, unknown.logs) == ("Success", [])


def test_a_key_that_may_not_read_is_refused(neto: Neto) -> None:
    (log_id,) = neto.add({"Notes": "secret"})
    body = to_body("json", "", {"Filter": {"LogID": log_id, "OutputSelector": "History"}})

    answer = neto.post("GetCustomerLog", body, {"NETOAPI_KEY": neto.new_key(may=["write"])})

    assert (answer.status, answer.codes) == (403, ["RC005"])
    assert b"secret" not in answer.body


@pytest.mark.parametrize("format", FORMATS)
def test_an_updates_filter_has_none_of_it(shared: Neto, format: str) -> None:
    (log_id,) = shared.add({"Notes": "old"})

    def update(**filters: Any) -> Answer:
        item = {"LogID": log_id, "Notes": "new"}
        tree = {"CustomerLogs": {"CustomerLog": item}, "Filter": {"LogID": log_id} | filters}
        return shared.call(format, "UpdateCustomerLog", tree)

    assert update(HistoryBefore=2, OutputSelector="Notes").codes == ["CL030"]
    assert update(OutputSelector="History").codes == ["CL032"]
    assert shared.log(log_id)["Notes"] == "old"
    answer = update(OutputSelector=["History", "Notes"])
    assert answer.logs == [{"LogID": str(log_id), "Notes": "new"}]
    assert answer.headers["Recontact-Passed-Over"] == "History"
