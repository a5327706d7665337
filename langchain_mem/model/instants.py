"""Dates, datetimes, durations and ISO text become one thing: an instant, an aware datetime in UTC.

A naive datetime is local time, as `datetime.now()` means it. A date without a time stands for its whole UTC day:
as an expiration it lasts through that day, as the date of an event it is that day's start.

Instants are stored as text of one width, `2024-07-04T09:30:00.000000Z`, so that the order of the text is the order
of time and any engine that compares text by code point compares instants.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from langchain_mem.errors import InvalidRequest

TICK = timedelta(microseconds=1)
"""The resolution of an instant: no two are closer, so a day's last instant is one tick before the next day."""

_LATEST = datetime.max.replace(tzinfo=UTC)
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_DATES = "a date, a datetime, or ISO 8601 text of either, such as '2024-07-04' or '2024-07-04T09:30:00Z'"


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
        return _later(now, duration, said=value)
    first, last = span(value, also=", a timedelta, or an ISO duration such as 'P7D'")
    return first if first == last else min(last, _LATEST - TICK) + TICK


def instant(value: date | datetime | str) -> datetime:
    """The instant of an event or a timestamp, in UTC; a date without a time is the start of its UTC day.

    Raises:
        InvalidRequest: The value is not a date, a datetime or ISO text of either.
    """
    return span(value)[0]


def span(value: Any, *, also: str = "") -> tuple[datetime, datetime]:
    """The first and the last instant a value stands for: one and the same, or the two ends of a UTC day.

    Args:
        value: A date, a datetime, or ISO text of either.
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
        return datetime.combine(moment, time.min, UTC), datetime.combine(moment, time.max, UTC)
    raise _no_date(value, also)


def iso(instant: datetime) -> str:
    """An aware datetime as ISO 8601 text in UTC, always 27 characters: six digits of a second, then `Z`."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_iso(text: str) -> datetime:
    """Read ISO 8601 text; the inverse of `iso`, which also takes text that others wrote.

    Raises:
        InvalidRequest: The text is not a date or a datetime.
    """
    return instant(text)


def _from_text(text: str, also: str) -> date | datetime:
    for kind in (date, datetime):  # in this order: a datetime would read a date alone as midnight
        try:
            return kind.fromisoformat(text)
        except ValueError:
            continue
    raise _no_date(text, also)


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


def _later(now: datetime, duration: timedelta, *, said: Any) -> datetime:
    try:
        return now.astimezone(UTC) + duration
    except OverflowError as error:
        raise _out_of_range(said) from error


def _no_date(value: Any, also: str) -> InvalidRequest:
    return InvalidRequest(f"{value!r} is no date. Allowed: {_DATES}{also}.")


def _out_of_range(value: Any) -> InvalidRequest:
    return InvalidRequest(f"{value!r} is out of range. Allowed: the years 1 to 9999 in UTC.")
