"""Years, quarters, months, weeks and ranges are intervals of whole days, and mean the same wherever a date is taken."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.instants import LATEST, event_span, instant, later, shown, span, to_instant
from langchain_mem.model.partial_dates import Days, days_of

NOW = datetime(2024, 7, 4, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2023", date(2023, 1, 1), date(2023, 12, 31)),
        ("2023-08", date(2023, 8, 1), date(2023, 8, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2023-W31", date(2023, 7, 31), date(2023, 8, 6)),
        ("2023W31", date(2023, 7, 31), date(2023, 8, 6)),
        ("2023-Q3", date(2023, 7, 1), date(2023, 9, 30)),
        ("2023-08-19", date(2023, 8, 19), date(2023, 8, 19)),
        ("20230819", date(2023, 8, 19), date(2023, 8, 19)),
        ("2023-08/2023-09", date(2023, 8, 1), date(2023, 9, 30)),
        ("2023-08/09", date(2023, 8, 1), date(2023, 9, 30)),
        ("2023-08-19/20", date(2023, 8, 19), date(2023, 8, 20)),
        ("2023-12-31/2024-01-02", date(2023, 12, 31), date(2024, 1, 2)),
        ("9999", date(9999, 1, 1), date(9999, 12, 31)),
    ],
)
def test_what_a_partial_date_stands_for(text: str, first: date, last: date) -> None:
    """All of its days, both ends included."""
    assert days_of(text) == Days(first, last)


@pytest.mark.parametrize(
    "text",
    ["", "23", "2023-13", "2023-W54", "2023-Q5", "2023-08-32", "2023-09/2023-08", "2023/", "0000", "next week", "/"],
)
def test_what_is_none(text: str) -> None:
    """A month 13, a week 54 and a range that goes backwards are no dates; the error says what is allowed."""
    assert days_of(text) is None
    with pytest.raises(InvalidRequest, match="2024-W27"):
        instant(text)


def test_an_event_starts_an_expiration_ends() -> None:
    """Where one moment is needed an event has its start, and what expires lasts through the end."""
    assert instant("2023-08") == datetime(2023, 8, 1, tzinfo=UTC)
    assert to_instant("2023-08", now=NOW) == datetime(2023, 9, 1, tzinfo=UTC)
    assert span("2023-08")[1] == datetime(2023, 8, 31, 23, 59, 59, 999999, UTC)


@pytest.mark.parametrize(
    "text", ["2023", "2023/2024", "2023-08", "2023-08/2023-09", "2023-W31", "2023-08-19/2023-08-20"]
)
def test_a_stored_date_is_shown_as_it_was_given(text: str) -> None:
    """Its start and its end say what it was."""
    assert shown(*event_span(text)) == text


def test_a_day_has_no_end() -> None:
    """A day is stored as its start alone, as it always was."""
    assert event_span("2023-08-19") == ("2023-08-19T00:00:00.000000Z", None)
    assert shown("2023-08-19T00:00:00.000000Z") == "2023-08-19"


@given(st.dates(), st.integers(0, 800))
def test_any_interval_comes_back(start: date, days: int) -> None:
    """Whatever an interval is shown as stands for that interval."""
    end = min(start + timedelta(days=days), date.max) if start < date.max - timedelta(days=days) else date.max
    first, last = Days(start, end).instants
    text = shown(*event_span(f"{start.isoformat()}/{end.isoformat()}"))
    assert days_of(text) == Days(first.date(), last.date())


def test_the_end_of_the_calendar() -> None:
    """The last day there is can be an expiration, and what would lie beyond it is put there."""
    assert to_instant(date.max, now=NOW) == to_instant("9999-12-31", now=NOW) == LATEST
    assert later(LATEST, timedelta(days=30)) == LATEST
    assert later(NOW, timedelta(days=1)) == NOW + timedelta(days=1)


def test_an_error_is_short() -> None:
    """What was given is not echoed whole."""
    with pytest.raises(InvalidRequest) as raised:
        instant("x" * 5_000)
    assert len(str(raised.value)) < 300
