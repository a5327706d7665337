"""The event feed: what the operations of this process did.

The feed lies in memory, bounded, and hands each event on as it happens: to the log, to OpenTelemetry, to a callback, to
whoever watches, and to the store where events are kept. It is for looking and debugging, and nothing depends on it.
What must last is in each memory's history.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import threading
import uuid
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from types import TracebackType
from typing import Any, Final, Protocol, TypeAlias, TypedDict

from langchain_mem.watching.log import report

CAPACITY: Final = 1_000
"""How many events a feed keeps, and how many wait for one who watches."""

_LOG: Final = logging.getLogger("langchain_mem")


class ActivityEvent(TypedDict):
    """One operation: its own id, what it was, when (ISO text), for whom, and its details."""

    id: str
    type: str
    created_at: str
    ids: dict[str, str]
    details: dict[str, Any]


OnEvent: TypeAlias = Callable[[ActivityEvent], object]
"""What is called with each event. What it returns is ignored, and an error of its own is logged."""

_silent: Final = ContextVar("langchain_mem_silent", default=False)
_telling: Final = ContextVar("langchain_mem_telling", default=False)


class Keeper(Protocol):
    """What keeps events beyond their process; see `langchain_mem.events.kept`."""

    def take(self, event: ActivityEvent) -> None:
        """Keeps an event."""

    def forget(self, ids: Mapping[str, str] | None = None) -> None:
        """Drops what is not kept yet: all, or what names one of these ids."""


class Activity:
    """A bounded feed, safe to write from several threads.

    Args:
        capacity: How many events it keeps.
        on_event: Called with each event on the thread of the operation, once its changes are written.
        log_text: Whether log lines hold the texts of events, such as queries.
        keeper: Keeps events beyond this process.
    """

    def __init__(
        self,
        capacity: int = CAPACITY,
        on_event: OnEvent | None = None,
        *,
        log_text: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        self._events: deque[ActivityEvent] = deque(maxlen=capacity)
        self._lock = threading.Lock()
        self._on_event = on_event
        self._log_text = log_text
        self._keeper = keeper
        self._process = uuid.uuid4().hex[:8]
        self._order = count()
        self._watching: weakref.WeakSet[Watching] = weakref.WeakSet()

    def record(self, type_: str, at: str, ids: Mapping[str, str], **details: Any) -> None:
        """Notes one operation, and hands it on."""
        if _silent.get():
            return
        id_ = f"{at}|{next(self._order):09d}|{self._process}"
        event: ActivityEvent = {"id": id_, "type": type_, "created_at": at, "ids": dict(ids), "details": details}
        with self._lock:
            self._events.append(event)
            watching = list(self._watching)
        report(type_, ids, details, with_text=self._log_text)
        if self._keeper is not None:
            self._keeper.take(event)
        for one in watching:
            one.take(event)
        if self._on_event is not None:
            self._tell(self._on_event, event)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Within it nothing is noted: for looking, and for operations that are steps of another one."""
        token = _silent.set(True)
        try:
            yield
        finally:
            _silent.reset(token)

    def watch(self, types: Collection[str] | None = None) -> Watching:
        """Hands on each event from now on; see `Watching`.

        Args:
            types: Only these; `None` for all.
        """
        watching = Watching(types)
        with self._lock:
            self._watching.add(watching)
        return watching

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
        if self._keeper is not None:
            self._keeper.forget()

    def forget(self, ids: Mapping[str, str]) -> None:
        """Removes every event that names one of these ids, or no one: whose such an event is cannot be known."""
        with self._lock:
            named = (event for event in self._events if event["ids"])
            left = [event for event in named if not (event["ids"].items() & ids.items())]
            self._events.clear()
            self._events.extend(left)
        if self._keeper is not None:
            self._keeper.forget(ids)

    def _tell(self, on_event: OnEvent, event: ActivityEvent) -> None:
        """Calls the callback. What it does itself with the memory makes no calls again, or they would never end."""
        if _telling.get():
            return
        token = _telling.set(True)
        try:
            on_event(copy.deepcopy(event))
        except Exception:  # noqa: BLE001 - somebody else's code; the operation is done and must not fail for it
            _LOG.warning("on_event failed for an event %r; its operation is done.", event["type"], exc_info=True)
        finally:
            _telling.reset(token)


class Watching:
    """The events from one moment on, as they happen: an iterator and a context manager, each sync and async.

        with memory.watch(types={"add"}) as events:
            for event in events: ...                       # waits for each one

        async for event in memory.watch(): ...

    Events that nobody fetches wait, at most 1,000 of them; then the oldest are dropped and counted. It ends when it is
    closed.

    Attributes:
        dropped: How many events were lost because they were not fetched in time.
    """

    def __init__(self, types: Collection[str] | None = None) -> None:
        self.dropped = 0
        self._types = None if types is None else frozenset(types)
        self._queue: deque[ActivityEvent] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def take(self, event: ActivityEvent) -> None:
        """Puts an event in line, from any thread."""
        if self._types is not None and event["type"] not in self._types:
            return
        with self._changed:
            if len(self._queue) >= CAPACITY:
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(event)
            self._wake()

    def waiting(self) -> list[ActivityEvent]:
        """The events in line, which are thereby fetched; does not wait."""
        with self._changed:
            found = list(self._queue)
            self._queue.clear()
        return found

    def close(self) -> None:
        """Ends it: who waits for an event waits no longer."""
        with self._changed:
            self._closed = True
            self._wake()

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed

    def __iter__(self) -> Iterator[ActivityEvent]:
        return self

    def __next__(self) -> ActivityEvent:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if self._queue:
                return self._queue.popleft()
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[ActivityEvent]:
        return self

    async def __anext__(self) -> ActivityEvent:
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._changed:
            self._waiters.append(waiter)
        try:
            while True:
                with self._changed:
                    if self._queue:
                        return self._queue.popleft()
                    if self._closed:
                        raise StopAsyncIteration
                    waiter[1].clear()
                await waiter[1].wait()
        finally:
            with self._changed:
                self._waiters.remove(waiter)

    def __enter__(self) -> Watching:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Watching:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wake(self) -> None:
        """Wakes who waits, on a thread or on a loop; the caller holds the lock."""
        self._changed.notify_all()
        for loop, event in self._waiters:
            loop.call_soon_threadsafe(event.set)
