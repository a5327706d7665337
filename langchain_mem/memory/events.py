"""The event feed: what the operations of this process did, newest first.

The feed lies in memory, bounded: it is for looking and debugging, and nothing depends on it. What must last is in each
memory's history.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Final, TypedDict

CAPACITY: Final = 1_000
"""How many events a feed keeps."""


class ActivityEvent(TypedDict):
    """One operation: what it was, when (ISO text), for whom, and its details."""

    type: str
    created_at: str
    ids: dict[str, str]
    details: dict[str, Any]


class Activity:
    """A bounded feed, safe to write from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._events: deque[ActivityEvent] = deque(maxlen=capacity)
        self._lock = threading.Lock()

    def record(self, type_: str, at: str, ids: Mapping[str, str], **details: Any) -> None:
        """Notes one operation."""
        event: ActivityEvent = {"type": type_, "created_at": at, "ids": dict(ids), "details": details}
        with self._lock:
            self._events.append(event)

    def events(
        self, *, types: Collection[str] | None = None, since: str | None = None, limit: int | None = None
    ) -> list[ActivityEvent]:
        """What was noted, newest first.

        Args:
            types: Only these; `None` for all.
            since: Only from this instant on, ISO text.
            limit: At most so many.
        """
        with self._lock:
            events = list(self._events)
        wanted = [event for event in reversed(events) if types is None or event["type"] in types]
        recent = [event for event in wanted if since is None or event["created_at"] >= since]
        return recent[:limit]

    def clear(self) -> None:
        """Removes every event."""
        with self._lock:
            self._events.clear()

    def forget(self, ids: Mapping[str, str]) -> None:
        """Removes every event that names one of these ids, or no one: whose such an event is cannot be known."""
        with self._lock:
            named = (event for event in self._events if event["ids"])
            left = [event for event in named if not (event["ids"].items() & ids.items())]
            self._events.clear()
            self._events.extend(left)
