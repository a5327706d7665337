"""Dates that leave something open: a year, a month, a week, a day, or a range of them. Each is an interval.

    "2023"  "2023-08"  "2023-W31"  "2023-Q3"  "2023-08-19"  "2023-08/2023-09"  "2023-08-19/20"

One meaning everywhere: a partial date stands for all of its days in UTC, first and last included. What needs one
moment takes the first instant (`event_date`, `timestamp`, `as_of`), and an expiration the end: what expires "2024-07"
is there through 31 July. A filter compares with both ends: `gte` and `lt` with the first, `gt` and `lte` with the last,
equality with all that lies between.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

TICK: Final = timedelta(microseconds=1)
"""The resolution of an instant: no two are closer, so a day's last instant is one tick before the next day."""

ALLOWED: Final = "'2024', '2024-07', '2024-W27', '2024-07-04', '2024-07/2024-09'"
"""Examples for an error message."""

_YEAR: Final = re.compile(r"(\d{4})", re.ASCII)
_MONTH: Final = re.compile(r"(\d{4})-(\d{1,2})", re.ASCII)
_WEEK: Final = re.compile(r"(\d{4})-?W(\d{1,2})", re.ASCII)
_QUARTER: Final = re.compile(r"(\d{4})-?Q([1-4])", re.ASCII)
_DAY_OF_MONTH: Final = re.compile(r"\d{1,2}", re.ASCII)


class Days(NamedTuple):
    """An interval of whole days, both ends included."""

    first: date
    last: date

    @property
    def instants(self) -> tuple[datetime, datetime]:
        """The first and the last instant, in UTC."""
        return datetime.combine(self.first, time.min, UTC), datetime.combine(self.last, time.max, UTC)


def days_of(text: str) -> Days | None:
    """The days that a partial date, a date or a range of them stands for; `None` where the text is none.

    >>> days_of("2024-02")
    Days(first=datetime.date(2024, 2, 1), last=datetime.date(2024, 2, 29))
    >>> days_of("2023-08-19/20").last
    datetime.date(2023, 8, 20)
    >>> days_of("next week") is None
    True
    """
    first, slash, last = text.partition("/")
    try:
        start = _one(first)
        end = _one(_completed(last, first)) if slash else start
    except ValueError:
        return None
    return Days(start.first, end.last) if start and end and start.first <= end.last else None


def in_short(first: datetime, last: datetime | None) -> str:
    """An interval as the shortest text that stands for it; an instant as its day.

    >>> in_short(*days_of("2024-02").instants)
    '2024-02'
    >>> in_short(*days_of("2023-08-19/20").instants)
    '2023-08-19/2023-08-20'
    """
    if last is None:
        return first.date().isoformat()
    start, end = first.date(), last.date()
    names = [_year_name(start, end), _month_name(start, end), _week_name(start, end)]
    ends = f"{start.isoformat()}/{end.isoformat()}" if start != end else start.isoformat()
    return next((name for name in names if name), _whole_months(start, end) or ends)


def _one(text: str) -> Days | None:
    """One date or partial date.

    Raises:
        ValueError: Its numbers name no day.
    """
    if found := _YEAR.fullmatch(text):
        return Days(date(int(found[1]), 1, 1), date(int(found[1]), 12, 31))
    if found := _QUARTER.fullmatch(text):
        return Days(date(int(found[1]), 3 * int(found[2]) - 2, 1), _month_end(int(found[1]), 3 * int(found[2])))
    if found := _MONTH.fullmatch(text):
        return Days(date(int(found[1]), int(found[2]), 1), _month_end(int(found[1]), int(found[2])))
    if found := _WEEK.fullmatch(text):
        year, week = int(found[1]), int(found[2])
        return Days(date.fromisocalendar(year, week, 1), date.fromisocalendar(year, week, 7))
    day = date.fromisoformat(text)
    return Days(day, day)


def _completed(end: str, start: str) -> str:
    """The end of a range, with what ISO 8601 lets it share with the start: "2023-08-19/20"."""
    if _DAY_OF_MONTH.fullmatch(end) and start.count("-") == 2:
        return f"{start[:-2]}{int(end):02d}"
    if _DAY_OF_MONTH.fullmatch(end) and _MONTH.fullmatch(start):
        return f"{start[:4]}-{int(end):02d}"
    return end


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _year_name(start: date, end: date) -> str | None:
    whole = (start.month, start.day, end.month, end.day) == (1, 1, 12, 31)
    if not whole:
        return None
    return f"{start.year:04d}" if start.year == end.year else f"{start.year:04d}/{end.year:04d}"


def _month_name(start: date, end: date) -> str | None:
    same = (start.year, start.month) == (end.year, end.month)
    return _month_of(start) if same and start.day == 1 and end == _month_end(end.year, end.month) else None


def _week_name(start: date, end: date) -> str | None:
    year, week, weekday = start.isocalendar()
    return f"{year:04d}-W{week:02d}" if weekday == 1 and (end - start).days == 6 else None


def _whole_months(start: date, end: date) -> str | None:
    whole = start.day == 1 and end == _month_end(end.year, end.month)
    return f"{_month_of(start)}/{_month_of(end)}" if whole else None


def _month_of(day: date) -> str:
    return day.isoformat()[:7]
