"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any


class FakeClock:
    """Gives the instant it was set to; a test moves it instead of sleeping.

    Example:
        >>> clock = FakeClock()
        >>> clock.advance(days=3).isoformat()
        '2026-01-04T00:00:00+00:00'
        >>> clock() == clock.now
        True

    Args:
        start: The first instant, timezone-aware.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        """What a `clock=` parameter calls."""
        return self.now

    def advance(self, by: timedelta | None = None, **units: Any) -> datetime:
        """Moves the clock, backwards by a negative amount.

        Args:
            by: How far.
            **units: The same as `timedelta` takes, such as `days=3`.

        Returns:
            The new instant.
        """
        self.now += timedelta(**units) if by is None else by
        return self.now
