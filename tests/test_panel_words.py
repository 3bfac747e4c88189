"""What the panel says of days and times, in the site's zone, and of numbers."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact.store.followups import Place
from recontact.web import words
from recontact.web.logs import _position
from recontact.web.words import Due

SYDNEY = ZoneInfo("Australia/Sydney")
ZONES = [
    UTC,
    SYDNEY,
    *map(ZoneInfo, ("America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Apia")),
    timezone(timedelta(hours=-12)),
]

NOW = datetime(2026, 11, 23, 10, 5, 30, tzinfo=SYDNEY)  # a Monday

any_zone = st.sampled_from(ZONES)
any_moment = st.datetimes(timezones=any_zone) | st.sampled_from(
    [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
any_day = st.dates()


def at(text: str, zone: ZoneInfo = SYDNEY) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


# -- due -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "due"),
    [
        ("2026-11-11", Due("12 days late", "Wed 11 Nov", True)),
        ("2026-11-22", Due("1 day late", "Sun 22 Nov", True)),
        ("2026-11-23", Due("today", "", False)),
        ("2026-11-24", Due("tomorrow", "Tue 24 Nov", False)),
        ("2026-11-25", Due("in 2 days", "Wed 25 Nov", False)),
        ("2026-12-06", Due("in 13 days", "Sun 6 Dec", False)),
        ("2026-12-07", Due("in 2 weeks", "Mon 7 Dec", False)),
        ("2027-01-01", Due("in 5 weeks", "Fri 1 Jan 2027", False)),
        ("2026-11-03", Due("20 days late", "Tue 3 Nov", True)),
        ("2026-11-02", Due("3 weeks late", "Mon 2 Nov", True)),
        ("2026-09-20", Due("2 months late", "Sun 20 Sep", True)),
        ("2025-11-23", Due("12 months late", "Sun 23 Nov 2025", True)),
        ("2023-11-23", Due("3 years late", "Thu 23 Nov 2023", True)),
        ("1000-01-01", Due("1,026 years late", "Wed 1 Jan 1000", True)),
        ("0001-01-01", Due("2,025 years late", "Mon 1 Jan 0001", True)),
        ("9999-12-31", Due("in 7,973 years", "Fri 31 Dec 9999", False)),
    ],
)
def test_a_day_is_so_far_off(day: str, due: Due) -> None:
    assert words.due(date.fromisoformat(day), NOW, SYDNEY) == due


@pytest.mark.parametrize(
    ("instant", "due"),
    [
        ("2026-11-22 23:59", Due("1 day late", "yesterday 23:59", True)),
        ("2026-11-23 00:00", Due("10 hours late", "today 00:00", True)),
        ("2026-11-23 09:00", Due("1 hour late", "today 09:00", True)),
        ("2026-11-23 09:30", Due("35 minutes late", "today 09:30", True)),
        ("2026-11-23 10:04", Due("1 minute late", "today 10:04", True)),
        ("2026-11-23 10:05", Due("now", "today 10:05", True)),
        ("2026-11-23 10:06", Due("today 10:06", "", False)),
        ("2026-11-23 14:00", Due("today 14:00", "", False)),
        ("2026-11-24 00:00", Due("tomorrow", "tomorrow 00:00", False)),
        ("2026-11-26 08:05", Due("in 3 days", "Thu 26 Nov 08:05", False)),
        ("2027-11-26 08:05", Due("in 12 months", "Fri 26 Nov 2027 08:05", False)),
    ],
)
def test_an_instant_is_on_its_day_of_the_site(instant: str, due: Due) -> None:
    assert words.due(at(instant), NOW, SYDNEY) == due


def test_no_date_is_said() -> None:
    assert words.due(None, NOW, SYDNEY) == Due("no date", "", is_late=False)


def test_an_instant_of_one_utc_day_is_on_two_days_of_the_site() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)  # 23:00 in Sydney

    assert words.due(datetime(2026, 11, 23, 12, 59, tzinfo=UTC), now, SYDNEY).words == "today 23:59"
    assert words.due(datetime(2026, 11, 23, 13, tzinfo=UTC), now, SYDNEY).words == "tomorrow"


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-10-03 23:30", "tomorrow"),  # the day after has 23 hours
        ("2027-04-03 00:30", "tomorrow"),  # ... and here 25
    ],
)
def test_a_day_off_is_a_day_of_the_calendar_and_not_24_hours(now: str, due: str) -> None:
    its_day = date.fromisoformat(now[:10])

    assert words.due(its_day + timedelta(days=1), at(now), SYDNEY).words == due
    assert words.due(at(f"{its_day + timedelta(days=1)} 23:59"), at(now), SYDNEY).words == due
    assert words.due(at(f"{its_day + timedelta(days=2)} 00:00"), at(now), SYDNEY).words != due


# -- when something was --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "moment", "ago"),
    [
        ("2026-11-23 10:05", "today 10:05", "just now"),
        ("2026-11-23 10:04", "today 10:04", "1 minute ago"),
        ("2026-11-23 09:12", "today 09:12", "53 minutes ago"),
        ("2026-11-23 08:05", "today 08:05", "2 hours ago"),
        ("2026-11-22 23:40", "yesterday 23:40", "yesterday"),
        ("2026-11-18 16:20", "Wed 18 Nov 16:20", "5 days ago"),
        ("2026-11-02 00:00", "Mon 2 Nov 00:00", "3 weeks ago"),
        ("2026-01-01 07:00", "Thu 1 Jan 07:00", "11 months ago"),
        ("2025-11-12 07:00", "12 Nov 2025", "12 months ago"),
        ("2024-11-12 07:00", "12 Nov 2024", "2 years ago"),
        ("0999-11-12 07:00", "12 Nov 0999", "1,027 years ago"),
        ("2026-11-23 12:00", "today 12:00", "today 12:00"),
        ("2026-11-24 07:00", "tomorrow 07:00", "tomorrow"),
        ("2026-11-26 07:00", "Thu 26 Nov 07:00", "in 3 days"),
    ],
)
def test_a_moment(instant: str, moment: str, ago: str) -> None:
    assert words.moment(at(instant), NOW, SYDNEY) == moment
    assert words.ago(at(instant), NOW, SYDNEY) == ago


def test_never() -> None:
    assert words.ago(None, NOW, SYDNEY) == "never"


def test_yesterday_has_its_time_also_in_a_new_year() -> None:
    now = at("2027-01-01 08:00")

    assert words.moment(at("2026-12-31 23:40"), now, SYDNEY) == "yesterday 23:40"
    assert words.moment(at("2026-12-30 23:40"), now, SYDNEY) == "30 Dec 2026"


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (date(2026, 11, 11), "2026-11-11"),
        (date(1, 1, 1), "0001-01-01"),
        (NOW, "2026-11-22T23:05:30Z"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=5))), None),
    ],
)
def test_the_exact_value_is_in_utc(value: date | datetime, exact: str | None) -> None:
    assert words.exact(value) == (exact or "9999-12-31T23:59:59Z")


# -- putting off ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2026-11-23 10:00", ["2026-11-23", "2026-11-24", "2026-11-26", "2026-11-30"]),  # Monday
        ("2026-11-29 23:59", ["2026-11-29", "2026-11-30", "2026-12-02", "2026-11-30"]),  # Sunday
        ("2026-12-31 00:00", ["2026-12-31", "2027-01-01", "2027-01-03", "2027-01-04"]),
        ("2028-02-28 12:00", ["2028-02-28", "2028-02-29", "2028-03-02", "2028-03-06"]),
        ("9999-12-30 12:00", ["9999-12-30", "9999-12-31", "9999-12-31", "9999-12-31"]),
    ],
)
def test_snoozes_are_days_of_the_site(now: str, days: list[str]) -> None:
    found = [words.snoozed(name, at(now), SYDNEY).isoformat() for name in words.SNOOZES]

    assert found == days


def test_snooze_goes_by_the_day_that_it_is_in_the_site() -> None:
    now = datetime(2026, 11, 22, 13, 30, tzinfo=UTC)  # 00:30 on Monday in Sydney

    assert words.snoozed("tomorrow", now, SYDNEY) == date(2026, 11, 24)
    assert words.snoozed("tomorrow", now, ZoneInfo("America/New_York")) == date(2026, 11, 23)


# -- laws ----------------------------------------------------------------------------------------

laws = settings(max_examples=400, deadline=None)


@laws
@given(any_day | any_moment | st.none(), any_moment, any_zone)
def test_it_is_late_when_its_day_or_its_instant_is_over(
    value: date | datetime | None, now: datetime, zone: tzinfo
) -> None:
    due = words.due(value, now, zone)

    assert due.words
    says_late = due.words.endswith(" late") or due.words == "now"
    assert due.is_late is says_late
    if isinstance(value, datetime):
        today = words.today_in(now, zone)
        assert due.is_late is (words.day_of(value, zone) < today or (
            words.day_of(value, zone) == today and value < now
        ))  # fmt: skip
    elif isinstance(value, date):
        assert due.is_late is (value < words.today_in(now, zone))


@laws
@given(any_moment, st.integers(-13, 13), any_zone)
def test_up_to_13_days_are_said_exactly(now: datetime, days: int, zone: tzinfo) -> None:
    today = words.today_in(now, zone)
    if not date.min.toordinal() <= today.toordinal() + days <= date.max.toordinal():
        return

    said = words.due(today + timedelta(days=days), now, zone).words

    number = int((re.findall(r"\d+", said) or ["0"])[0])
    signed = {"today": 0, "tomorrow": 1}.get(said, -number if said.endswith("late") else number)
    assert signed == days


@laws
@given(any_moment, any_moment, any_zone)
def test_a_moment_is_said_by_the_clock_of_the_site(
    value: datetime, now: datetime, zone: tzinfo
) -> None:
    said = words.moment(value, now, zone)

    assert words.ago(value, now, zone)
    try:
        there = value.astimezone(zone)
    except OverflowError:
        return
    assert said.endswith((f"{there:%H:%M}", f"{there.year:04}"))


@laws
@given(any_moment, any_zone, st.sampled_from(list(words.SNOOZES)))
def test_a_snooze_is_never_before_today_and_at_most_a_week_off(
    now: datetime, zone: tzinfo, name: str
) -> None:
    today = words.today_in(now, zone)
    to = words.snoozed(name, now, zone)

    assert today <= to
    assert (to - today).days <= 7
    if name == "next-week" and to != date.max:
        assert to.weekday() == 0
        assert to > today
    if name in ("3-days", "tomorrow"):
        assert to > today or today == date.max


@laws
@given(any_day | any_moment)
def test_what_is_exact_can_be_read_back(value: date | datetime) -> None:
    said = words.exact(value)

    if not isinstance(value, datetime):
        assert date.fromisoformat(said) == value
    else:
        read = datetime.fromisoformat(said)
        assert abs(read - value) < timedelta(days=1)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said)


@laws
@given(any_moment, any_zone)
def test_days_grow_with_time_and_words_with_days(now: datetime, zone: tzinfo) -> None:
    """A later day is never said to be nearer: the number and unit of the words only grow."""
    today = words.today_in(now, zone)
    units = {"day": 1, "week": 7, "month": 30.44, "year": 365.25}
    last = -1.0
    for days in (0, 1, 2, 6, 7, 13, 14, 20, 21, 62, 63, 80, 364, 366, 729, 730, 732, 40_000):
        if today.toordinal() + days > date.max.toordinal():
            return
        said = words.due(today + timedelta(days=days), now, zone).words
        found = re.fullmatch(r"in ([\d,]+) (day|week|month|year)s?", said)
        size = (
            float(found[1].replace(",", "")) * units[found[2]]
            if found
            else float(("today", "tomorrow").index(said))
        )
        assert size >= last - 16  # a unit's half: 63 days are "2 months"
        assert size <= days + 16
        last = size


@pytest.mark.parametrize(
    ("position", "total", "said"),
    [
        (3, 12, "3 of 12"),
        (1_000, 1_000, "1,000 of 1,000"),
        (3, 1_001, "3 of 1,000+"),
        (1_001, 1_001, ""),
        (None, None, ""),
    ],
)
def test_a_place_is_said_as_far_as_it_was_counted(
    position: int | None, total: int | None, said: str
) -> None:
    assert _position(Place(position, total, None, None)) == said
