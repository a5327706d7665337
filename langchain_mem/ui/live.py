"""The feed as it happens: server-sent events with what changes and what this process does.

What this process does is told at once: its events name the memories that changed. What other processes do is found by
looking into the store now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from langchain_mem._flow import run
from langchain_mem.errors import MemError
from langchain_mem.events.feed import ActivityEvent
from langchain_mem.memory.looking import ChangeOfOwner
from langchain_mem.model.instants import iso
from langchain_mem.ui.door import HEADERS
from langchain_mem.ui.pages import Inspected, ids_of

LOOK_EVERY: Final = 2.0
"""At least so many seconds lie between two looks into the store for what other processes did."""

_SHARE: Final = 0.05  # of the time at most is spent on such looks, so that a large store is looked into less often
_AT_ONCE: Final = 50  # changes in one look
_REMEMBERED: Final = 1_000  # changes that are known to have been sent

Fragment = Callable[..., str]
"""Renders a template."""


def stream(inspected: Inspected, fragment: Fragment) -> Callable[[Request], Awaitable[Response]]:
    """What answers with the live feed."""

    async def respond(request: Request) -> Response:
        pieces = _Pieces(inspected, fragment, dict(request.query_params))
        return StreamingResponse(pieces.told(request), media_type="text/event-stream", headers=HEADERS)

    return respond


class _Pieces:
    """The pieces of one reader's feed."""

    def __init__(self, inspected: Inspected, fragment: Fragment, asked: dict[str, str]) -> None:
        self._inspected = inspected
        self._memory = inspected.memory
        self._fragment = fragment
        self._ids = ids_of(asked)
        self._shown_until = asked.get("since", "")
        self._since = self._shown_until or iso(self._memory.clock())
        self._sent: dict[tuple[str, int], None] = {}
        self._next_look = 0.0

    async def told(self, request: Request) -> AsyncIterator[str]:
        """Server-sent events until the reader or the server goes."""
        yield "retry: 2000\n\n"
        with self._memory.watch() as events:
            self._inspected.feeds.add(events)
            while not (events.closed or await request.is_disconnected()):
                happened = await _gathered(events, LOOK_EVERY)
                for event in happened:
                    yield _piece("event", self._fragment("_event.html", event=event))
                for change in await run_in_threadpool(self._changes, _changed(happened)):
                    yield _piece("change", self._fragment("_change.html", one=change))
                yield ": still here\n\n"

    def _changes(self, changed: list[str]) -> list[ChangeOfOwner]:
        """What changed, oldest first: the memories that events name, and now and then everybody's."""
        found = self._latest(among=changed) if changed else []
        started = time.monotonic()
        if started >= self._next_look:
            found += self._latest()
            took = time.monotonic() - started
            self._next_look = time.monotonic() + max(LOOK_EVERY, took / _SHARE)
        told = {_key(one): one for one in found if self._is_fresh(one)}
        fresh = sorted(told.values(), key=lambda one: (one["change"]["created_at"], one["change"]["version"]))
        self._sent |= dict.fromkeys(told)
        self._sent = dict(list(self._sent.items())[-_REMEMBERED:])
        return fresh

    def _latest(self, among: list[str] | None = None) -> list[ChangeOfOwner]:
        """The changes since the last look; none where the store fails, which is asked again at the next look."""
        latest = self._memory.operations.latest
        try:
            found = run(latest(since=self._since, among=among, limit=_AT_ONCE, **self._ids))
        except MemError:
            return []
        if among is None and found:
            self._since = found[0]["change"]["created_at"]
        return found

    def _is_fresh(self, one: ChangeOfOwner) -> bool:
        return _key(one) not in self._sent and one["change"]["created_at"] > self._shown_until


def _key(one: ChangeOfOwner) -> tuple[str, int]:
    return one["change"]["memory_id"], one["change"]["version"]


async def _gathered(events: Any, seconds: float) -> list[Any]:
    """What was noted within some seconds; returns as soon as there is something."""
    try:
        first = await asyncio.wait_for(anext(events), seconds)
    except (TimeoutError, StopAsyncIteration):
        return []
    return [first, *events.waiting()]


def _changed(events: Iterable[ActivityEvent]) -> list[str]:
    """The memories that events say were changed."""
    results = (each for event in events for each in event["details"].get("results") or ())
    return list(dict.fromkeys(each["id"] for each in results if "event" in each))


def _piece(name: str, html: str) -> str:
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"event: {name}\n{lines}\n"
