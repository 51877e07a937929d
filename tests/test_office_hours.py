"""Office hours are what the clocks on the wall say, on days of 23, 24 and 25 hours."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from core import Approve, Reject, Rejected, gate
from core.model import ApprovalRequest
from core.policies.office_hours import (
    EVERY_DAY,
    ApproveDuring,
    ApproveOutside,
    FreezeDuring,
    FreezeOutside,
    OfficeHours,
    first_instant,
)

BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = timedelta(microseconds=1)
REQUEST = ApprovalRequest(action="shop.deploy")

clock = datetime.fromisoformat

# Zones whose clocks change at odd hours or by odd amounts: around midnight, by half an hour, by
# a day, and in one case twice within a month.
ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
    *("America/Havana", "America/Sao_Paulo", "America/St_Johns", "Africa/Casablanca"),
    *("Pacific/Apia", "Asia/Beirut", "Africa/Cairo", "America/Scoresbysund"),
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
times = st.times() | st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
locals_ = st.datetimes(clock("1985-01-01"), clock("2035-01-01"))
instants = locals_.map(lambda local: local.replace(tzinfo=UTC))
days = st.frozensets(st.integers(0, 6), min_size=1)
hours = st.builds(OfficeHours, opens=times, closes=times, timezone=zones, days=days)


def wall(instant, zone):
    """What the clocks of a zone show, without the zone."""
    return instant.astimezone(zone).replace(tzinfo=None)


def is_calm(instant, zone):
    """Whether no clock changes within two days of an instant."""
    near = {(instant + timedelta(hours=h)).astimezone(zone).utcoffset() for h in range(-48, 49)}
    return len(near) == 1


def berlin(text):
    """An instant given by a clock in Berlin, with its offset where the clock is ambiguous."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=BERLIN)


def office(start, end, **others):
    """Hours in Berlin."""
    times = {"opens": time.fromisoformat(start), "closes": time.fromisoformat(end)}
    return OfficeHours(**(times | {"timezone": BERLIN} | others))


@given(hours=hours, instant=instants)
def test_away_from_clock_changes_the_wall_clock_decides(hours, instant):
    """On ordinary days it is open exactly when a clock on the wall shows a time in the window."""
    assume(is_calm(instant, hours.timezone))
    local = wall(instant, hours.timezone)
    today = local.weekday() in hours.days
    yesterday = (local - timedelta(days=1)).weekday() in hours.days
    if hours.opens < hours.closes:
        expected = today and hours.opens <= local.time() < hours.closes
    else:
        expected = (today and local.time() >= hours.opens) or (
            yesterday and local.time() < hours.closes
        )
    assert hours.is_open(instant) is expected


@given(local=locals_, zone=zones)
@example(local=clock("2026-03-29T02:30"), zone=BERLIN)
@example(local=clock("2026-10-25T02:30"), zone=BERLIN)
@example(local=clock("2011-12-30T12:00"), zone=ZoneInfo("Pacific/Apia"))
@example(local=clock("2018-11-04T00:00:00.000001"), zone=ZoneInfo("America/Sao_Paulo"))
@example(local=clock("2010-11-07T00:00:30"), zone=ZoneInfo("America/St_Johns"))
def test_the_first_instant_is_the_first(local, zone):
    """Clocks show the time, or a later one when it is skipped, and never did before."""
    instant = first_instant(local, zone)
    assert wall(instant, zone) >= local
    assert all(
        wall(instant - before, zone) < local
        for before in [MOMENT, *(timedelta(minutes=m) for m in range(1, 48 * 60, 7))]
    )


@given(hours=hours, instant=instants)
def test_the_next_opening_is_the_next(hours, instant):
    """It is open at the next opening and at no earlier instant from now on."""
    opening = hours.next_open(instant).astimezone(UTC)
    assert hours.is_open(opening) and opening >= instant
    assert hours.is_open(instant) is (opening == instant)
    steps = (opening - instant) / 50
    assert not any(hours.is_open(instant + steps * n) for n in range(50) if opening > instant)
    if opening > instant:
        assert not hours.is_open(opening - MOMENT)
        assert wall(opening, hours.timezone).time() >= hours.opens


@given(hours=hours, instant=instants)
def test_the_next_closing_is_the_next(hours, instant):
    """It is closed at the next closing and open at every instant before, if it is open now."""
    closing = hours.next_close(instant)
    if closing is None:
        assert hours.opens == hours.closes and hours.days == EVERY_DAY
        return
    closing = closing.astimezone(UTC)
    assert not hours.is_open(closing) and closing >= instant
    assert hours.is_open(instant) is (closing > instant)
    steps = (closing - instant) / 50
    assert all(hours.is_open(instant + steps * n) for n in range(50) if closing > instant)


@given(edges=st.lists(times, min_size=2, max_size=5, unique=True), zone=zones, instant=instants)
@example(
    edges=[time(2), time(2, 30), time(3)], zone=BERLIN, instant=berlin("2026-10-25T02:10+01:00")
)
@example(edges=[time(2, 15), time(2, 45)], zone=BERLIN, instant=berlin("2026-03-29T03:00"))
def test_shifts_leave_no_gap_and_no_overlap(edges, zone, instant):
    """When one shift closes as the next one opens, exactly one is open at any instant."""
    edges = sorted(edges)
    shifts = [
        OfficeHours(opens=opens, closes=closes, timezone=zone, days=EVERY_DAY)
        for opens, closes in zip(edges, [*edges[1:], edges[0]], strict=True)
    ]
    assert [shift.is_open(instant) for shift in shifts].count(True) == 1


@given(hours=hours, instant=instants, offset=st.integers(-14, 14))
def test_the_instant_counts_and_not_how_it_is_written(hours, instant, offset):
    """One instant written in two zones is open in both or in neither."""
    for zone in (timezone(timedelta(hours=offset)), hours.timezone):
        elsewhere = instant.astimezone(zone)
        assert hours.is_open(elsewhere) is hours.is_open(instant)
        assert hours.next_open(elsewhere) == hours.next_open(instant)


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        ("2026-11-23T08:59:59.999999", False),
        ("2026-11-23T09:00", True),
        ("2026-11-23T16:59:59.999999", True),
        ("2026-11-23T17:00", False),
        ("2026-11-22T12:00", False),
    ],
)
def test_the_window_is_half_open(instant, is_open):
    """The instant of opening is inside, the instant of closing is not, Sunday is not."""
    assert office("09:00", "17:00").is_open(berlin(instant)) is is_open


@pytest.mark.parametrize(
    ("opens", "closes", "day", "lasts"),
    [
        ("00:00", "00:00", date(2026, 3, 29), 23),
        ("00:00", "00:00", date(2026, 10, 25), 25),
        ("22:00", "06:00", date(2026, 3, 28), 7),
        ("22:00", "06:00", date(2026, 10, 24), 9),
        ("02:30", "04:00", date(2026, 3, 29), 1),
        ("02:30", "04:00", date(2026, 10, 25), 2.5),
        ("01:00", "02:30", date(2026, 10, 25), 1.5),
        ("09:00", "17:00", date(2026, 3, 29), 8),
    ],
)
def test_days_of_23_and_25_hours(opens, closes, day, lasts):
    """A window opens and closes once, by the clocks on the wall, however long that takes."""
    window = office(opens, closes, days={day.weekday()})
    opening = window.next_open(datetime.combine(day, time(), BERLIN))
    elapsed = window.next_close(opening).astimezone(UTC) - opening.astimezone(UTC)
    assert elapsed == timedelta(hours=lasts)


def test_a_window_that_was_skipped_never_opens():
    """When clocks jump over the whole window, the next one is a day later."""
    window = office("02:15", "02:45", days=EVERY_DAY)
    assert str(window.next_open(berlin("2026-03-29T01:00"))) == "2026-03-30 02:15:00+02:00"


def test_the_repeated_hour_does_not_open_again():
    """After closing at 02:30 it stays closed when clocks show 02:15 for the second time."""
    window = office("01:00", "02:30", days=EVERY_DAY)
    assert window.is_open(berlin("2026-10-25T02:15+02:00"))
    assert not window.is_open(berlin("2026-10-25T02:15+01:00"))


def test_a_day_that_began_goes_on_when_clocks_fall_back_into_the_day_before():
    """Sunday's window stays open while clocks show the last hour of Saturday once more."""
    newfoundland = ZoneInfo("America/St_Johns")
    sunday = office("00:00", "06:00", timezone=newfoundland, days={6})
    again = clock("2010-11-07T03:00+00:00")
    assert wall(again, newfoundland) == clock("2010-11-06T23:30")
    assert sunday.is_open(again)
    assert not sunday.is_open(again - timedelta(hours=1))


def test_a_holiday_is_closed():
    """On a holiday nothing opens; a window from the evening before still ends that morning."""
    christmas = date(2026, 12, 25)
    window = office("22:00", "06:00", holidays=[christmas], days=EVERY_DAY)
    assert window.is_open(berlin("2026-12-25T05:00"))
    assert not window.is_open(berlin("2026-12-25T23:00"))
    assert not window.is_open(berlin("2026-12-26T05:00"))
    assert str(window.next_open(berlin("2026-12-25T06:00"))) == "2026-12-26 22:00:00+01:00"


def test_friday_night_ends_on_saturday():
    """A window across midnight belongs to the day on which it opens."""
    window = office("22:00", "06:00")
    assert window.is_open(berlin("2026-11-21T05:59"))
    assert not window.is_open(berlin("2026-11-21T22:30"))
    assert not window.is_open(berlin("2026-11-23T05:00"))


def test_what_never_opens_or_closes_is_said():
    """A year of holidays has no opening, and a window of all days has no closing."""
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(800)]
    shut = office("09:00", "17:00", holidays=year)
    assert shut.next_open(berlin("2026-06-01T12:00")) is None
    always = office("00:00", "00:00", days=EVERY_DAY)
    assert always.next_close(berlin("2026-06-01T12:00")) is None
    now = berlin("2026-06-01T12:00")
    for policy in (FreezeOutside(shut, now=lambda: now), FreezeDuring(always, now=lambda: now)):
        assert "within the next 366 days" in policy(REQUEST).reason


def test_the_last_window_before_a_year_of_holidays_closes():
    """A closing is found even when nothing opens after it."""
    year = [date(2026, 6, 2) + timedelta(days=n) for n in range(800)]
    window = office("09:00", "17:00", holidays=year)
    assert str(window.next_close(berlin("2026-06-01T12:00"))) == "2026-06-01 17:00:00+02:00"


@pytest.mark.parametrize(
    ("others", "error"),
    [
        ({"days": ()}, ValueError),
        ({"days": {1, 7}}, ValueError),
        ({"timezone": UTC, "opens": time(9, tzinfo=UTC)}, ValueError),
        ({"timezone": UTC, "closes": time(9, tzinfo=UTC)}, ValueError),
        ({"holidays": [clock("2026-12-25")]}, TypeError),
        ({"holidays": ["2026-12-25"]}, TypeError),
    ],
)
def test_hours_that_mean_nothing_are_refused(others, error):
    """A holiday that would never match, or a day that does not exist, is an error when wiring."""
    with pytest.raises(error):
        office("09:00", "17:00", **others)


def test_hours_cannot_be_changed_from_outside():
    """Days and holidays are those that were given, whatever becomes of the lists."""
    days, holidays = {0}, {date(2026, 11, 23)}
    window = office("09:00", "17:00", days=days, holidays=holidays)
    days.add(1)
    holidays.clear()
    assert not window.is_open(berlin("2026-11-24T12:00"))
    assert not window.is_open(berlin("2026-11-23T12:00"))


def test_an_instant_without_a_zone_decides_nothing():
    """A clock that does not tell its zone stops the call."""
    naive = clock("2026-11-23T12:00")
    window = office("09:00", "17:00")
    for question in (window.is_open, window.next_open, window.next_close):
        with pytest.raises(ValueError, match="no time zone"):
            question(naive)
    ran = []
    deploy = gate(
        lambda: ran.append(1),
        approver=lambda request: Approve(by="ana"),
        policies=[ApproveDuring(window, now=lambda: naive)],
    )
    with pytest.raises(Rejected, match="ApproveDuring failed"):
        deploy()
    assert ran == []


@given(hours=hours, instant=instants)
def test_four_policies_read_one_window(hours, instant):
    """Inside and outside, each policy decides on one side and has no opinion on the other."""
    inside = hours.is_open(instant)
    opinions = [
        kind(hours, now=lambda: instant)(REQUEST)
        for kind in (ApproveDuring, FreezeDuring, ApproveOutside, FreezeOutside)
    ]
    during, outside = opinions[:2], opinions[2:]
    decided, silent = (during, outside) if inside else (outside, during)
    assert [type(decision) for decision in decided] == [Approve, Reject]
    assert {decision.by for decision in decided} == {"policy"}
    assert silent == [None, None]


def test_a_freeze_says_when_it_ends():
    """The agent learns when to come back, as a clock there will show it."""
    saturday = berlin("2026-11-21T12:00")
    asked = FreezeOutside(office("09:00", "17:00"), now=lambda: saturday)(REQUEST)
    assert asked.reason.endswith("opens Monday 2026-11-23 09:00 Europe/Berlin")
    weekend = office("00:00", "00:00", days={5, 6})
    asked = FreezeDuring(weekend, now=lambda: saturday)(REQUEST)
    assert asked.reason.endswith("ends Monday 2026-11-23 00:00 Europe/Berlin")


def test_people_decide_by_day_and_automation_by_night():
    """In office hours a person is asked; outside them the call runs without one."""
    asked, ran = [], []
    now = [berlin("2026-11-23T12:00")]

    def ana(request):
        asked.append(request.name)
        return Reject(by="ana", reason="not now")

    policy = ApproveOutside(office("09:00", "17:00"), now=lambda: now[0])
    deploy = gate(lambda: ran.append(1), approver=ana, policies=[policy])
    with pytest.raises(Rejected, match="not now"):
        deploy()
    assert (len(asked), ran) == (1, [])
    now[0] = berlin("2026-11-23T17:00")
    deploy()
    assert (len(asked), ran) == (1, [1])
