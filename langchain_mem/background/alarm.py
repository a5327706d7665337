"""Rings when something is due, by a clock that is given.

One daemon thread waits for whatever is due first, and ends where nothing is. A clock that a test moves is looked at
with `look`, so that no test has to wait.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

Ring: TypeAlias = Callable[[], object]
"""What is called when something is due. It must be quick: it hands work over, and does not do it."""

_LONGEST: Final = 3_600.0  # seconds; after so long the clock is looked at again, for it may have been set
_LOG: Final = logging.getLogger("langchain_mem")


class _Due(NamedTuple):
    at: datetime
    ring: Ring


class Alarm:
    """Calls each of several functions when its time has come, once.

    Args:
        clock: Where the time comes from.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._due: dict[Hashable, _Due] = {}
        self._changed = threading.Condition()
        self._waits = False
        self._closed = False

    def set(self, key: Hashable, at: datetime, ring: Ring) -> None:
        """Rings at an instant instead of whenever this key would have rung; does nothing once it is closed."""
        with self._changed:
            if self._closed:
                return
            self._due[key] = _Due(at, ring)
            self._changed.notify_all()
            if not self._waits:
                self._waits = True
                threading.Thread(target=self._serve, name="langchain-mem-alarm", daemon=True).start()

    def cancel(self, key: Hashable) -> None:
        """Does not ring for a key any more."""
        with self._changed:
            self._due.pop(key, None)
            self._changed.notify_all()

    def at(self, key: Hashable) -> datetime | None:
        """When it rings for a key; `None` where it does not."""
        with self._changed:
            due = self._due.get(key)
        return None if due is None else due.at

    def keys(self) -> list[Hashable]:
        """The keys it is to ring for."""
        with self._changed:
            return list(self._due)

    def look(self) -> None:
        """Rings for all that is due by now."""
        now = self._clock()
        with self._changed:
            due = {key: one.ring for key, one in self._due.items() if one.at <= now}
            for key in due:
                del self._due[key]
        for ring in due.values():
            try:
                ring()
            except Exception:  # noqa: BLE001 - the thread goes on for the others
                _LOG.warning("Work that was due could not be handed over.", exc_info=True)

    def close(self) -> None:
        """Rings no more."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()

    def _serve(self) -> None:
        """What the thread does: waits for the first that is due, until nothing is left."""
        while True:
            with self._changed:
                if not self._due:
                    self._waits = False
                    return
                seconds = (min(one.at for one in self._due.values()) - self._clock()).total_seconds()
                if seconds > 0:
                    self._changed.wait(min(seconds, _LONGEST))
            self.look()
