"""Search: which words find which logs, and that a write is seen at once."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import FORMATS, Neto, add_customers, another_site, change_customers, rows, site_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recontact.model import finds, words
from recontact.store.writer import Writer

STATES = ("noted", "fed")
"""Whether the index of the search has yet to see the logs, or has seen them."""


def noted(neto: Neto) -> int:
    """How many logs of the site the index has yet to see."""
    ((count,),) = rows(neto, "SELECT count(*) FROM search_pending WHERE site = ?", site_of(neto))
    return count


def wait_until_fed(neto: Neto) -> None:
    neto.wait_for(lambda: noted(neto) == 0)


CROWD = 260
"""Logs enough that a search asks the index: fewer it looks through."""


def crowd(neto: Neto, **item: Any) -> None:
    """Add so many logs without a word."""
    neto.add(*([item] * CROWD))


@contextmanager
def not_fed(neto: Neto, *items: dict[str, Any]) -> Iterator[None]:
    """Update these logs, which the index does not see within."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "feed", lambda _writer, _most: 0)
        assert neto.update("json", *items).ack == "Success"
        assert noted(neto) >= len(items)
        yield


# -- one table of cases ------------------------------------------------------------------------

TEXTS = [
    "Asked for a quote on 40 chairs",  # 1
    "Quotation for the Caf\u00e9 Lumi\u00e8re, no. A-1138/7; asked twice",
    "STRASSE 12",
    "Stra\u00dfe zw\u00f6lf, na\u00efve fa\u00e7ade",
    "東京都の椅子",  # 5
    "\ufb01le \uff46\uff55\uff4c\uff4c\uff57\uff49\uff44\uff54\uff48 \uff11\uff12 \u2460",
    "this AND that OR NOT NEAR(x)",
    "x" * 70 + " y",
    "\U0001f600\U0001f600 - !",
    "don't re-think: e.g. 3.14 (twice)",  # 10
    "한국어 안녕",
    "ΟΔΟΣ κόσμος ЁЛКА",
    "İSTANBUL \u0131rmak",
    "under_score 'quoted' \"double\" star* colon:name",
    "カタカナ ひらがな",  # 15
    "re\u0301sume\u0301",
    "ab cd ef",
    "東",
    "",
    "\u0391\u03b8\u03ae\u03bd\u03b112ab東京x",  # 20
]
FOUND = {
    # a word, and the beginning of one
    "asked": [1, 2],
    "quote": [1, 14],
    "quot": [1, 2, 14],
    "uote": [],
    "quotee": [],
    "twice": [2, 10],
    "nothing of this": [],
    # several words, in any order, of which the last may be a beginning
    "asked quote": [1],
    "quote asked": [1],
    "chairs quote asked": [1],
    "quote ask": [1],
    "quot asked": [],
    "ask quote": [],
    "asked twice": [2],
    "ef ab cd": [17],
    "cd ab e": [17],
    "e ab": [],
    "ab ab ab": [17],
    "  ab \t\n cd  ": [17],
    " ".join(["ab"] * 60): [17],
    # case, accents, compatibility
    "ASKED FOR": [1, 2],
    "cafe": [2],
    "CAF\u00c9 lumi\u00e8re": [2],
    "cafe\u0301": [2],
    "strasse": [3, 4],
    "STRA\u1e9eE": [3, 4],
    "stra\u00df": [3, 4],
    "strase": [],
    "zwolf": [4],
    "naive facade": [4],
    "resume": [16],
    "R\u00c9SUM\u00c9": [16],
    "file": [6],
    "\ufb01le": [6],
    "fullwidth": [6],
    "\uff26\uff35\uff2c\uff2c": [6],
    "οδός": [12],
    "ΚΟΣΜΟΣ": [12],
    "елк": [12],
    "istanbul": [13],
    "\u0131rmak": [13],
    "irmak": [],
    # digits
    "40": [1],
    "4": [1],
    "04": [],
    "12": [3, 6],
    "\uff11": [2, 3, 6, 10],
    "3.14": [10],
    "a-1138": [2],
    "1138/7": [2],
    # scripts without blanks, in pairs; others as they are
    "東京": [5, 20],
    "京都": [5],
    "東京都": [5],
    "東京椅子": [],
    "東": [5, 18, 20],
    "椅子 東京": [5],
    "カタカナ": [15],
    "ｶﾀｶﾅ": [15],
    "ひらがな": [15],
    "한국": [11],
    unicodedata.normalize("NFD", "한국어"): [11],
    "국어": [],
    "αθηνα": [20],
    "12ab": [],
    # no operators
    "and": [7],
    "this AND that": [7],
    "this OR nothing": [],
    "this NOT that": [7],
    "NEAR(x)": [7],
    "NEAR(this that)": [7],
    '"quoted"': [14],
    '"asked quote': [1],
    '""""quote': [1, 14],
    "quote*": [1, 14],
    "*quote": [1, 14],
    "^quote": [1, 14],
    "-quote": [1, 14],
    "quote -asked": [1],
    "+quote": [1, 14],
    "colon:name": [14],
    "words:quote": [],
    "log_search": [],
    "{a b}: c": [],
    "asked; DROP TABLE log_search": [],
    "quote' OR '1'='1": [],
    "%quote%": [1, 14],
    "qu_te": [],
    # marks between
    "don't": [10],
    "dont": [],
    "re-think": [10],
    "rethink": [],
    "under_score": [14],
    "score": [14],
    "underscore": [],
    "\U0001f600 quote": [1, 14],
    "zero\u200bwidth": [],
    # as long as it may be
    "x" * 64: [8],
    "x" * 70: [8],
    "x" * 64 + "z": [8],
    "x" * 63 + "z": [],
    "x": [7, 8, 20],
    "y x": [8],
    "quote " * 33: [1],
}


Found = dict[str, dict[str, list[int]]]


@pytest.fixture(scope="module")
def found(shared: Neto) -> Found:
    """What each query of FOUND finds in each of WAYS, numbered as in TEXTS."""

    def all_of_them(site: Neto, before: int = 0) -> dict[str, list[int]]:
        answers = {query: site.get(Search=query, OutputSelector="LogID") for query in FOUND}
        return {
            query: [int(log_id) - before for log_id in answer.log_ids]
            for query, answer in answers.items()
        }

    def items(before: int, texts: list[str]) -> list[dict[str, Any]]:
        return [{"LogID": before + n, "Notes": text} for n, text in enumerate(texts, 1)]

    with another_site(shared, "UTC") as few, another_site(shared, "UTC") as many:
        few.add(*({"Notes": text} for text in TEXTS))
        ways = {"few": all_of_them(few)}

        crowd(many)
        many.add(*({"Notes": text} for text in reversed(TEXTS)))
        wait_until_fed(many)
        with not_fed(many, *items(CROWD, TEXTS)):
            ways["many, noted"] = all_of_them(many, before=CROWD)
        wait_until_fed(many)
        ways["many, fed"] = all_of_them(many, before=CROWD)
        many.update("json", *items(CROWD, TEXTS[::-1]))
        wait_until_fed(many)
        many.update("json", *items(CROWD, TEXTS))
        wait_until_fed(many)
        ways["many, fed again"] = all_of_them(many, before=CROWD)
    return ways


WAYS = ["few", "many, noted", "many, fed", "many, fed again"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("query", FOUND)
def test_a_search_finds_the_logs_that_have_all_words(found: Found, way: str, query: str) -> None:
    assert found[way][query] == FOUND[query]


@pytest.mark.parametrize("query", ["asked quote", "cafe", "STRA\u1e9eE", "東京", '"quoted" <&>'])
def test_a_search_is_the_same_in_both_formats(shared: Neto, query: str) -> None:
    with another_site(shared, "UTC") as site:
        site.add(*({"Notes": text} for text in TEXTS), format="xml")

        found = [site.get(format, Search=query).log_ids for format in FORMATS]

    assert found[0] == found[1] != []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("search", "codes"),
    [
        pytest.param("", ["CL035"], id="empty"),
        pytest.param(" \n ", ["CL035"], id="blank"),
        pytest.param("\U0001f600", ["CL036"], id="emoji"),
        pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467", ["CL036"], id="joined emoji"),
        pytest.param("*", ["CL036"], id="star"),
        pytest.param('"', ["CL036"], id="quote"),
        pytest.param('""', ["CL036"], id="quotes"),
        pytest.param("-", ["CL036"], id="hyphen"),
        pytest.param(":", ["CL036"], id="colon"),
        pytest.param("_", ["CL036"], id="underscore"),
        pytest.param("( ) ^ + . , ; ' % ~ \\", ["CL036"], id="punctuation"),
        pytest.param("\u0301", ["CL036"], id="a mark alone"),
        pytest.param(["a", "b"], ["CL033"], id="two"),
        pytest.param({"a": "b"}, ["CL016"], id="object"),
        pytest.param("x" * 201, ["CL010"], id="too long"),
    ],
)
def test_a_search_without_a_word_is_an_error(
    shared: Neto, format: str, search: Any, codes: list[str]
) -> None:
    answer = shared.get(format, Search=search)

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", codes)
    assert answer.errors[0]["Message"].startswith("Search ")
    assert answer.logs == []


def test_a_search_of_json_may_be_a_number_a_list_of_one_or_null(neto: Neto) -> None:
    neto.add({"Notes": "40 chairs"})

    assert neto.get(Search=40).log_ids == ["1"]
    assert neto.get(Search=["chairs"]).log_ids == ["1"]
    assert neto.get(Search=None).codes == ["CL031"]
    assert neto.get(Search=[]).codes == ["CL035"]


# -- what is searched --------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, CROWD])
@pytest.mark.parametrize("state", STATES)
def test_a_search_looks_into_customer_name_username_and_notes(
    neto: Neto, state: str, before: int
) -> None:
    if before:
        crowd(neto)
    add_customers(neto, {"Username": "zo\u00eb-1"})
    neto.add(
        {
            "Username": "zo\u00eb-1",
            "CustomerName": "Bob Stone",
            "Notes": "asked",
            "AllocatedTo": "agent",
            "FollowUpType": "phone",
            "LastContacted": "2026-11-20 10:30:00",
        },
        {"Notes": "a"},
    )

    def search(query: str) -> list[str]:
        return neto.get(Search=query).log_ids

    queries = ["zoe", "1", "bob", "stone asked", "asked zoe bob", "stoneasked", "agent", "phone"]
    queries += ["require", "2026", "recontact"]
    if state == "fed":
        wait_until_fed(neto)
        found = [search(query) for query in queries]
    else:
        with not_fed(neto, {"LogID": before + 1, "Notes": "now asked"}):
            found = [search(query) for query in queries]

    assert found == [[str(before + 1)]] * 5 + [[]] * 6


@pytest.mark.parametrize("state", STATES)
def test_a_search_is_one_filter_among_others(shared: Neto, state: str) -> None:
    with another_site(shared, "Australia/Sydney") as site:
        due = "2026-12-01"
        crowd(site, Status="Completed", DateRequiredFollowUp=due)
        site.add(
            {"Notes": "red apple", "Status": "Completed", "DateRequiredFollowUp": due},
            {"Notes": "red pear", "Status": "Completed", "CustomerName": "Bob"},
            {"Notes": "red plum", "DateRequiredFollowUp": "2026-11-30 13:00:00"},
            {"Notes": "green apple", "Status": "Completed"},
        )
        wait_until_fed(site)

        def found(**filters: Any) -> list[int]:
            return [int(log_id) - CROWD for log_id in site.get(**filters).log_ids]

        def all_of_them() -> list[list[int]]:
            return [
                found(Search="red"),
                found(Search="red", Status="Completed"),
                found(Search="red", Status=["Completed", "Recontacting"], CustomerName=""),
                found(Search="red", CustomerName="bob"),
                found(Search="red", LogIDAfter=CROWD + 1),
                found(Search="red", LogIDAfter=2),
                found(Search="apple", LogID=[CROWD + 2, CROWD + 3, CROWD + 4]),
                found(Search="r", DateRequiredFollowUpFrom=due),
                found(Search="red", DateRequiredFollowUpTo=""),
                found(Search="red", Status="Recontacting"),
                found(Search="blue", Status="Completed"),
            ]

        if state == "fed":
            answers = all_of_them()
        else:
            with not_fed(
                site,
                {"LogID": CROWD + 1, "Notes": "apple, red"},
                {"LogID": CROWD + 3, "Notes": "plum, red"},
                {"LogID": CROWD + 4, "Notes": "apple, green"},
            ):
                answers = all_of_them()

        assert answers == [
            *([1, 2, 3], [1, 2], [1], [2], [2, 3], [1, 2, 3], [4], [1, 3], [2], [], []),
        ]


@pytest.mark.parametrize("format", FORMATS)
def test_pages_go_through_what_the_index_has_seen_and_what_not(shared: Neto, format: str) -> None:
    """Fifteen logs, a crowd, fifteen more: some that are found are in front of it."""
    numbers = [*range(1, 16), *range(CROWD + 16, CROWD + 31)]
    with another_site(shared, "UTC") as site:

        def text(n: int, even: bool) -> str:
            return f"number {n} even" if even else f"number {n}"

        site.add(*({"Notes": text(n, n % 2 == 0)} for n in numbers[:15]))
        crowd(site)
        site.add(*({"Notes": text(n, n % 2 == 0)} for n in numbers[15:]))
        wait_until_fed(site)

        def pages(**filters: Any) -> list[list[int]]:
            read: list[list[int]] = []
            while page := site.get(format, **filters, Limit=4, Page=len(read)).log_ids:
                read.append([int(log_id) for log_id in page])
            return read

        def after(**filters: Any) -> list[int]:
            read: list[int] = []
            while page := site.get(
                format, **filters, Limit=4, LogIDAfter=read[-1] if read else 0
            ).log_ids:
                read += [int(log_id) for log_id in page]
            return read

        # Of every third, some come into what is found, and some go.
        changed = [{"LogID": n, "Notes": text(n, n % 2 == 1)} for n in numbers if n % 3 == 0]
        with not_fed(site, *changed):
            whole, even = pages(Search="number"), pages(Search="even")
            one_by_one = after(Search="e")

        found = [n for n in numbers if (n % 2 == 0) != (n % 3 == 0)]
        assert whole == [numbers[at : at + 4] for at in range(0, 30, 4)]
        assert even == [found[at : at + 4] for at in range(0, len(found), 4)]
        assert one_by_one == found
        wait_until_fed(site)
        assert (pages(Search="number"), pages(Search="even")) == (whole, even)


# -- a write is seen at once -------------------------------------------------------------------


@pytest.fixture(params=[0, CROWD], ids=["few", "many"])
def before(request: pytest.FixtureRequest, neto: Neto) -> int:
    """How many logs there are already: none, or a crowd of which the index has seen all."""
    if request.param:
        crowd(neto)
        wait_until_fed(neto)
    return request.param


def search(neto: Neto, before: int, *queries: str) -> list[list[int]]:
    """What each query finds, numbered behind what was there before."""
    return [
        [int(log_id) - before for log_id in neto.get(Search=query).log_ids] for query in queries
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_a_log_that_is_added_is_found_by_the_next_call(
    neto: Neto, before: int, format: str
) -> None:
    for n, word in enumerate(("one", "two", "three"), 1):
        neto.add({"Notes": f"added {word}"}, format=format)

        assert search(neto, before, f"added {word}", "added") == [[n], list(range(1, n + 1))]
    wait_until_fed(neto)
    assert search(neto, before, "added three", "added") == [[3], [1, 2, 3]]


@pytest.mark.parametrize("element", ["CustomerName", "Notes"])
def test_an_update_is_found_by_its_new_words_and_no_more_by_the_old(
    neto: Neto, before: int, element: str
) -> None:
    (log_id,) = neto.add({element: "first text", "FollowUpType": "Phone"})
    wait_until_fed(neto)
    for old, new in (("first", "second"), ("second", "third"), ("third", "first")):
        neto.update("json", {"LogID": log_id, element: f"passing {new}"})
        neto.update("json", {"LogID": log_id, element: f"{new} text", "Status": "Completed"})

        for _ in STATES:
            assert search(neto, before, old, "passing", new, "text") == [[], [], [1], [1]]
            wait_until_fed(neto)
    neto.update("json", {"LogID": log_id, element: ""})
    for _ in STATES:
        assert search(neto, before, "first", "text") == [[], []]
        wait_until_fed(neto)


def test_an_update_that_goes_back_is_found_as_before(neto: Neto, before: int) -> None:
    (log_id,) = neto.add({"Notes": "there"})
    wait_until_fed(neto)

    neto.update("json", {"LogID": log_id, "Notes": "away"}, {"LogID": log_id, "Notes": "there"})

    for _ in STATES:
        assert search(neto, before, "there", "away") == [[1], []]
        wait_until_fed(neto)


def test_an_update_before_the_index_saw_the_log_leaves_none_of_the_old_words(
    neto: Neto, before: int
) -> None:
    (log_id,) = neto.add({"Notes": "begin"})
    neto.update("json", {"LogID": log_id, "Notes": "between"})
    neto.update("json", {"LogID": log_id, "Notes": "end"})

    for _ in STATES:
        assert search(neto, before, "begin", "between", "end") == [[], [], [1]]
        wait_until_fed(neto)


def test_updates_one_upon_the_other_are_found_by_the_last_alone(neto: Neto, before: int) -> None:
    """Some while the index is being fed, some between: whatever it saw, it must forget."""
    (log_id,) = neto.add({"Notes": "word0"})
    for n in range(1, 40):
        neto.update("json", {"LogID": log_id, "Notes": f"word{n} text{n % 7}"})
        assert search(neto, before, f"word{n - 1}", f"word{n}") == [[], [1]]
        if n % 5 == 0:
            wait_until_fed(neto)
    wait_until_fed(neto)

    assert search(neto, before, *(f"word{n} t" for n in range(40))) == [[]] * 39 + [[1]]
    assert search(neto, before, "word", "text") == [[1], [1]]


def test_what_is_not_searched_leaves_the_index_as_it_is(neto: Neto) -> None:
    neto.add({"Notes": "words"})
    wait_until_fed(neto)

    answer = neto.update("json", {"LogID": 1, "Status": "Completed", "AllocatedTo": "words"})

    assert answer.ack == "Success"
    assert noted(neto) == 0
    assert neto.get(Search="words", Status="Completed").log_ids == ["1"]


def test_a_customer_that_changes_leaves_the_logs_as_found_as_before(
    neto: Neto, before: int
) -> None:
    add_customers(neto, {"Username": "ana"})
    neto.add({"Username": "ana"})
    change_customers(neto, "UpdateCustomer", {"Username": "ANA", "ABN": "words"})

    for _ in STATES:
        assert search(neto, before, "ana", "words") == [[1], []]
        wait_until_fed(neto)


def test_more_logs_than_the_index_sees_in_one_step_are_found(neto: Neto) -> None:
    neto.add(*({"Notes": f"number {n}"} for n in range(1_000)))
    at_once = neto.get(Search="number 99", Limit=1_000).log_ids

    wait_until_fed(neto)

    expected = [str(n + 1) for n in (99, *range(990, 1_000))]
    assert (at_once, neto.get(Search="number 99").log_ids) == (expected, expected)
    assert len(neto.get(Search="number", Limit=10_000).log_ids) == 1_000


@pytest.mark.parametrize("before", [0, CROWD], ids=["few", "many"])
def test_a_search_finds_the_same_after_a_restart(serve: Any, before: int) -> None:
    with serve() as neto:
        if before:
            crowd(neto)
        one, _ = neto.add({"Notes": "first"}, {"Notes": "second"})
        wait_until_fed(neto)
        neto.update("json", {"LogID": one, "Notes": "third"})

    with serve() as neto:
        for _ in STATES:
            assert search(neto, before, "first", "second", "third") == [[], [2], [1]]
            wait_until_fed(neto)


# -- the index against the plain rule --------------------------------------------------------------

ALPHABET = (
    "aAbzéÉe\u0301ß\u017fsSﬁiİ\u0131I\u0307kKΣς\u03c3åÅ"  # case, folding, composing
    "019\uff11٣²①Ⅳ½"  # digits and numbers
    "東京都カｶﾞひー한ᄒ\U00020000々〆"  # unspaced, and nearly
    " \t\n-_'\"*():.^+%\\~,;·"  # between words
    "\u200b\u200d\u00ad\u0301\u0345\U0001f600\ufe0fªﷺ"  # marks, joiners, what NFKC makes longer
)
small = st.text(st.sampled_from(ALPHABET), max_size=12)


@pytest.fixture(scope="module")
def crowded(shared: Neto) -> Iterator[Neto]:
    """A site whose searches ask the index."""
    with another_site(shared, "UTC") as site:
        crowd(site)
        yield site


@settings(
    max_examples=20, deadline=None, suppress_health_check=list(HealthCheck)
)  # each waits twice until the index has seen what it wrote
@given(data=st.data(), before=st.lists(small, min_size=5, max_size=5))
def test_a_search_finds_what_the_plain_rule_finds(
    crowded: Neto, data: st.DataObject, before: list[str]
) -> None:
    after = [data.draw(small | st.just(text)) for text in before]
    whole = "".join([*before, *after, "a"])
    parts = st.builds(
        lambda start, length: whole[start : start + length],
        st.integers(0, len(whole)),
        st.integers(1, 6),
    )
    asked = data.draw(
        st.lists((parts | small).filter(words), min_size=8, max_size=8, unique=True)
        if any(words(text) for text in before + after)
        else st.just(["a", "東", "1"])
    )
    first = crowded.add(*({"CustomerName": text} for text in before))[0]

    def check(texts: list[str], state: str) -> None:
        for query in asked:
            answer = crowded.get(Search=query, LogIDAfter=first - 1, OutputSelector="LogID")
            expected = [str(first + n) for n, text in enumerate(texts) if finds(words(query), text)]
            assert answer.log_ids == expected, (query, state)

    check(before, "added")
    wait_until_fed(crowded)
    check(before, "fed")
    changed = [
        {"LogID": first + n, "CustomerName": text}
        for n, text in enumerate(after)
        if text != before[n]
    ]
    if changed:
        crowded.update("json", *changed)
    check(after, "updated")
    wait_until_fed(crowded)
    check(after, "fed again")
