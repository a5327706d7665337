"""The feed as it happens: server-sent events with what changes and what this process does.

Changes are read from the store, so another process's changes are there too; what this process does wakes the reader
at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from langchain_mem._flow import run
from langchain_mem.errors import MemError
from langchain_mem.memory.looking import ChangeOfOwner
from langchain_mem.model.instants import iso
from langchain_mem.ui.door import HEADERS
from langchain_mem.ui.pages import Inspected, ids_of

LOOK_EVERY: Final = 2.0
"""Seconds between two looks into the store where nothing of this process wakes the reader."""

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

    async def told(self, request: Request) -> AsyncIterator[str]:
        """Server-sent events until the reader or the server goes."""
        yield "retry: 2000\n\n"
        with self._memory.watch() as events:
            self._inspected.feeds.add(events)
            while not (events.closed or await request.is_disconnected()):
                for event in await _gathered(events, LOOK_EVERY):
                    yield _piece("event", self._fragment("_event.html", event=event))
                for change in await run_in_threadpool(self._changes):
                    yield _piece("change", self._fragment("_change.html", one=change))
                yield ": still here\n\n"

    def _changes(self) -> list[ChangeOfOwner]:
        """What changed since the last look, oldest first. A store that fails is asked again at the next look."""
        try:
            found = run(self._memory.operations.latest(since=self._since, limit=_AT_ONCE, **self._ids))
        except MemError:
            return []
        fresh = [one for one in reversed(found) if self._is_fresh(one)]
        if fresh:
            self._since = fresh[-1]["change"]["created_at"]
            self._sent |= {_key(one): None for one in fresh}
            self._sent = dict(list(self._sent.items())[-_REMEMBERED:])
        return fresh

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


def _piece(name: str, html: str) -> str:
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"event: {name}\n{lines}\n"
