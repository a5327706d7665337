"""Dates, datetimes, durations and ISO text become one thing: an instant, an aware datetime in UTC.

A naive datetime is local time, as `datetime.now()` means it. A date without a time stands for its whole UTC day:
as an expiration it lasts through that day, as the date of an event it is that day's start. A year, a month, a week or
a range stands for all of its days in the same way; see `langchain_mem.model.partial_dates`.

Instants are stored as text of one width, `2024-07-04T09:30:00.000000Z`, so that the order of the text is the order
of time and any engine that compares text by code point compares instants.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.partial_dates import ALLOWED, TICK, Days, days_of, in_short

__all__ = [
    "EARLIEST",
    "LATEST",
    "TICK",
    "earlier",
    "event_span",
    "instant",
    "iso",
    "later",
    "parse_iso",
    "shown",
    "span",
    "to_instant",
]

EARLIEST = datetime.min.replace(tzinfo=UTC)
"""The first instant that there is."""

LATEST = datetime.max.replace(tzinfo=UTC)
"""The last instant there is; what would lie beyond it, such as a day after 9999-12-31, is put there."""

_ECHO = 80  # of what was given, in an error
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_DATES = f"a date, a datetime, or ISO 8601 text: {ALLOWED}, '2024-07-04T09:30:00Z'"


def to_instant(value: date | datetime | timedelta | str, *, now: datetime) -> datetime:
    """Work out the instant at which something expires.

    Args:
        value: A datetime; a date, which lasts through its whole UTC day; a timedelta from `now`; or ISO 8601 text of
            any of them (`2024-07-04`, `2024-07-04T09:30:00+02:00`, `P7D`).
        now: The present, aware.

    Returns:
        The first instant at which it is expired, in UTC.

    Raises:
        InvalidRequest: The value is none of these, or lies outside the years 1 to 9999.
    """
    duration = _duration(value)
    if duration is not None:
        return _after(now, duration, said=value)
    first, last = span(value, also=", a timedelta, or an ISO duration such as 'P7D'")
    return first if first == last else min(last, LATEST - TICK) + TICK


def instant(value: date | datetime | str) -> datetime:
    """The instant of an event or a timestamp, in UTC; a date or a partial date is the start of its first day.

    Raises:
        InvalidRequest: The value is not a date, a datetime or ISO text of either.
    """
    return span(value)[0]


def span(value: Any, *, also: str = "") -> tuple[datetime, datetime]:
    """The first and the last instant a value stands for: one and the same, or the two ends of its days in UTC.

    Args:
        value: A date, a datetime, or ISO text of either; also a partial date or a range as text.
        also: What else the caller takes, for the error to say.

    Returns:
        Both ends, included, in UTC.

    Raises:
        InvalidRequest: The value is not one of these.
    """
    moment = _from_text(value, also) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        moment = _utc(moment, said=value)
        return moment, moment
    if isinstance(moment, date):
        return Days(moment, moment).instants
    if isinstance(moment, Days):
        return moment.instants
    raise _no_date(value, also)


def event_span(value: Any) -> tuple[str, str | None]:
    """The date of an event as it is stored: its start, and the end where it is longer than a day. ISO text.

    >>> event_span("2023-08")
    ('2023-08-01T00:00:00.000000Z', '2023-08-31T23:59:59.999999Z')
    >>> event_span("2023-08-19")
    ('2023-08-19T00:00:00.000000Z', None)

    Raises:
        InvalidRequest: The value is no date.
    """
    first, last = span(value)
    return iso(first), iso(last) if last - first > timedelta(days=1) else None


def shown(start: str, end: str | None = None) -> str:
    """A stored date as it was given: a day, or the month, week, year or range that it stands for.

    >>> shown(*event_span("2023-W31"))
    '2023-W31'
    """
    return in_short(parse_iso(start), parse_iso(end) if end else None)


def later(start: datetime, duration: timedelta) -> datetime:
    """An instant a while later, or the last there is where that lies beyond the calendar."""
    try:
        return start + duration
    except OverflowError:
        return LATEST


def earlier(end: datetime, duration: timedelta) -> datetime:
    """An instant a while earlier, or the first there is where that lies before the calendar."""
    try:
        return end - duration
    except OverflowError:
        return EARLIEST


def iso(instant: datetime) -> str:
    """An aware datetime as ISO 8601 text in UTC, always 27 characters: six digits of a second, then `Z`."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_iso(text: str) -> datetime:
    """Read ISO 8601 text; the inverse of `iso`, which also takes text that others wrote.

    Raises:
        InvalidRequest: The text is not a date or a datetime.
    """
    return instant(text)


def _from_text(text: str, also: str) -> Days | datetime:
    days = days_of(text.strip())  # first: a datetime would read a date alone as midnight
    if days is not None:
        return days
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise _no_date(text, also) from None


def _utc(moment: datetime, *, said: Any) -> datetime:
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise _out_of_range(said) from error


def _duration(value: Any) -> timedelta | None:
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return timedelta(**{unit: float(count) for unit, count in found.groupdict(default="0").items()})
    except OverflowError as error:
        raise _out_of_range(value) from error


def _after(now: datetime, duration: timedelta, *, said: Any) -> datetime:
    try:
        return now.astimezone(UTC) + duration
    except OverflowError as error:
        raise _out_of_range(said) from error


def _no_date(value: Any, also: str) -> InvalidRequest:
    return InvalidRequest(f"{_echoed(value)} is no date. Allowed: {_DATES}{also}.")


def _out_of_range(value: Any) -> InvalidRequest:
    return InvalidRequest(f"{_echoed(value)} is out of range. Allowed: the years 1 to 9999 in UTC.")


def _echoed(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _ECHO else f"{text[:_ECHO]}…"
