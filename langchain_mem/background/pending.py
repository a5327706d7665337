"""What one process knows of the messages that wait in the store: whom to wake when, and which run said them."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Final

from langchain_mem.backends.base import Address
from langchain_mem.background.alarm import Alarm

LOOKS_AGAIN: Final = timedelta(minutes=5)
"""So often a process that handles conversations looks for what processes before it have left."""

_MOST: Final = 10_000
"""At most so many runs are remembered; the model calls of a forgotten one are not counted as its own."""


class Pending:
    """The alarms and the runs of one memory.

    Args:
        clock: Where the time comes from.

    Attributes:
        alarm: Rings for an owner whose messages are due.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.alarm = Alarm(clock)
        self._runs: dict[Address, contextvars.Context] = {}
        self._looked: datetime | None = None
        self._lock = threading.Lock()

    def remember_run(self, place: Address) -> None:
        """Notes the run that is under way for a thread: its callbacks are told of the model calls made for it."""
        with self._lock:
            self._runs.pop(place, None)
            self._runs[place] = contextvars.copy_context()
            while len(self._runs) > _MOST:
                self._runs.pop(next(iter(self._runs)))

    def run_of(self, place: Address) -> contextvars.Context:
        """The last run of a thread; where there was none in this process, the one under way."""
        with self._lock:
            kept = self._runs.get(place)
        return contextvars.copy_context() if kept is None else kept.copy()

    def forget_run(self, place: Address) -> None:
        """Lets go of the run of a thread."""
        with self._lock:
            self._runs.pop(place, None)

    def is_time_to_look(self, now: datetime) -> bool:
        """Whether to look for what others have left; says so once in a while."""
        with self._lock:
            if self._looked is not None and timedelta(0) <= now - self._looked < LOOKS_AGAIN:
                return False
            self._looked = now
            return True

    def owners(self) -> list[Hashable]:
        """The owners this process would wake."""
        return self.alarm.keys()

    def close(self) -> None:
        """Wakes nobody any more; what waits stays in the store."""
        self.alarm.close()
