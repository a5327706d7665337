"""Dates, durations and text become instants."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.instants import TICK, instant, iso, parse_iso, span, to_instant

NOW = datetime(2024, 7, 4, 9, 30, tzinfo=UTC)
PLUS_TWO = timezone(timedelta(hours=2))

instants = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).map(
    lambda d: d.replace(tzinfo=UTC)
)


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time four hours behind UTC in July."""
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2024, 7, 5, 11, tzinfo=PLUS_TWO), datetime(2024, 7, 5, 9, tzinfo=UTC)),
        (date(2024, 7, 5), datetime(2024, 7, 6, tzinfo=UTC)),
        ("2024-07-05", datetime(2024, 7, 6, tzinfo=UTC)),
        ("2024-07-05T11:00:00+02:00", datetime(2024, 7, 5, 9, tzinfo=UTC)),
        ("2024-07-05T00:00:00Z", datetime(2024, 7, 5, tzinfo=UTC)),
        (timedelta(days=1), datetime(2024, 7, 5, 9, 30, tzinfo=UTC)),
        (timedelta(seconds=-1), datetime(2024, 7, 4, 9, 29, 59, tzinfo=UTC)),
        ("P1D", datetime(2024, 7, 5, 9, 30, tzinfo=UTC)),
        ("P1W", datetime(2024, 7, 11, 9, 30, tzinfo=UTC)),
        ("PT36H", datetime(2024, 7, 5, 21, 30, tzinfo=UTC)),
        ("P1DT2H3M4.5S", datetime(2024, 7, 5, 11, 33, 4, 500000, tzinfo=UTC)),
        (date(9999, 12, 31), datetime.max.replace(tzinfo=UTC)),
    ],
    ids=str,
)
def test_to_instant(value: Any, expected: datetime) -> None:
    """Each form of an expiration is one instant; a date lasts through its UTC day."""
    assert to_instant(value, now=NOW) == expected


@pytest.mark.parametrize("value", [datetime(2024, 7, 4, 9, 30), "2024-07-04T09:30:00"], ids=str)
@pytest.mark.usefixtures("new_york")
def test_naive_is_local(value: datetime | str) -> None:
    """A datetime without a time zone is local time."""
    assert to_instant(value, now=NOW) == instant(value) == datetime(2024, 7, 4, 13, 30, tzinfo=UTC)


@pytest.mark.usefixtures("new_york")
def test_date_is_of_utc() -> None:
    """A date alone is a UTC day wherever the clock hangs."""
    assert span(date(2024, 7, 4)) == (datetime(2024, 7, 4, tzinfo=UTC), datetime(2024, 7, 5, tzinfo=UTC) - TICK)


@pytest.mark.parametrize(
    "value", ["tomorrow", "", "P", "PT", "P1M", "2024-13-01", 1720000000, True, None, [NOW]], ids=repr
)
def test_says_what_is_allowed(value: Any) -> None:
    """What is no date is refused, and the error says what is allowed."""
    with pytest.raises(InvalidRequest, match="timedelta"):
        to_instant(value, now=NOW)


@pytest.mark.parametrize("value", ["tomorrow", timedelta(1), "P1D", 5, None], ids=repr)
def test_events_have_no_duration(value: Any) -> None:
    """A date is no duration, nor any other thing."""
    with pytest.raises(InvalidRequest, match="ISO 8601"):
        instant(value)


@pytest.mark.parametrize(
    "value", [timedelta.max, "P99999999999D", datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))], ids=str
)
def test_out_of_range(value: Any) -> None:
    """What lies beyond the calendar is refused."""
    with pytest.raises(InvalidRequest, match="9999"):
        to_instant(value, now=NOW)


def test_instant_of_a_date() -> None:
    """As the date of an event, a date alone is the start of its UTC day."""
    assert instant(date(2024, 7, 4)) == instant("2024-07-04") == datetime(2024, 7, 4, tzinfo=UTC)


def test_day_ends_at_midnight() -> None:
    """What expires on a date is visible in the last microsecond of that day and not in the next."""
    assert to_instant("2024-07-04", now=NOW) == datetime(2024, 7, 5, tzinfo=UTC)


def test_iso_looks_like_this() -> None:
    """Text is UTC, with six digits and a `Z`."""
    assert iso(datetime(2024, 7, 4, 11, 30, tzinfo=PLUS_TWO)) == "2024-07-04T09:30:00.000000Z"


@given(instants)
def test_round_trip(moment: datetime) -> None:
    """Text read back is the same instant, and always of one width."""
    assert parse_iso(iso(moment)) == moment
    assert len(iso(moment)) == 27


@given(instants, instants)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    """Sorting the text sorts the instants."""
    assert (iso(one) < iso(other)) is (one < other)
