"""When sweeps run: off the hot path, and not too often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

Clock = Callable[[], datetime]
"""Tells the present instant, as an aware datetime."""


class SweepPacer:
    """Runs a sweep on a daemon thread, at most once in each interval, and never two at a time.

    Args:
        every: The interval.
        clock: Tells the present instant.
    """

    def __init__(self, *, every: timedelta, clock: Clock) -> None:
        self._every = every
        self._clock = clock
        self._due: datetime | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def tick(self, sweep: Callable[[], object]) -> None:
        """Starts a sweep if one is due; returns at once in any case.

        Args:
            sweep: What to run. It must not raise.
        """
        now = self._clock()
        if self._due is not None and now < self._due:  # read without the lock: this is the hot path
            return
        with self._lock:
            if (self._due is None or now >= self._due) and not self._is_running():
                self._due = now + self._every
                # a daemon: a sweep is one transaction after another, so a process that ends may cut it short
                self._thread = threading.Thread(target=sweep, name="checkpoint-sweep", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Waits for a running sweep to end."""
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()
