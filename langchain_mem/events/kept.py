"""Events that outlive their process: kept in the store, bounded for each owner, gone when the person is erased.

What is kept holds ids and numbers and no texts: a memory that is deleted or purged is not quoted by an event. Events
are written off the caller's path, in pieces; a process killed in between loses its newest ones, never a memory.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.background.work import Background
from langchain_mem.errors import StoreError
from langchain_mem.events.feed import ActivityEvent
from langchain_mem.filters.conditions import Condition, Kind, Operator, Path, Test, conjunction
from langchain_mem.model.instants import parse_iso
from langchain_mem.model.scopes import EVENTS, Ids, Namespace, Scope, escape
from langchain_mem.repository.contract import Repository
from langchain_mem.watching import telemetry
from langchain_mem.watching.log import measures, without_quotes

NOBODY: Final[Namespace] = (EVENTS, "none", "none")
"""Where events lie that name no owner, such as a purge of everything."""

_LOG: Final = logging.getLogger("langchain_mem")


class KeptEvents:
    """The events in the store.

    Args:
        repo: Where they are kept.
        background: Writes them.
        most: At most so many for each owner; the oldest go first. A few more may be there between two clean-ups.
        clock: Where the time comes from.
    """

    def __init__(self, repo: Repository, background: Background, most: int, clock: Callable[[], datetime]) -> None:
        self._repo = repo
        self._background = background
        self._most = most
        self._clock = clock
        self._pending: list[Row] = []
        self._since_trimmed: dict[Namespace, int] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def take(self, event: ActivityEvent) -> None:
        """Notes an event to be written soon; returns at once."""
        with self._lock:
            self._pending.append(self._row(event))
            first = len(self._pending) == 1
        if first and not self._background.submit(self, self._write):
            with self._lock:
                self._pending.clear()  # so much is waiting that events are what can be done without

    def forget(self, ids: Mapping[str, str] | None = None) -> None:
        """Drops what is not written yet: all, or what names one of these ids; waits for what is being written."""
        with self._writing, self._lock:
            named = ids.items() if ids is not None else {}
            self._pending = [row for row in self._pending if ids is not None and not row.value["ids"].items() & named]

    async def read(
        self, *, types: Collection[str] | None, since: str | None, limit: int | None, ids: Ids
    ) -> list[ActivityEvent]:
        """Kept events, newest first.

        Args:
            types: Only these; `None` for all.
            since: Only from this instant on, ISO text.
            limit: At most so many.
            ids: Whose; everyone's where it is empty.
        """
        place = _place(dict(Scope.of(ids).ids())) if Scope.of(ids) else (EVENTS,)
        parts: list[Condition] = []
        if types is not None:
            parts.append(Test(Path(("type",)), Operator.in_, tuple(sorted(types)), Kind.text))
        if since is not None:
            parts.append(Test(Path(("created_at",)), Operator.gte, since, Kind.instant))
        rows, _ = await self._repo.select([place], conjunction(*parts), self._clock(), limit=limit)
        newest = sorted(rows, key=lambda row: row.address.key, reverse=True)
        return [
            ActivityEvent(
                id=row.address.key,
                type=row.value["type"],
                created_at=row.value["created_at"],
                ids=row.value["ids"],
                details=row.value["details"],
            )
            for row in newest
        ]

    def _row(self, event: ActivityEvent) -> Row:
        at = parse_iso(event["created_at"])
        details = measures(event["details"])
        refused = [
            {"reason": without_quotes(each.get("reason", ""))} for each in event["details"].get("rejected") or ()
        ]
        if refused:
            details["rejected"] = refused
        value = {**event, "details": details, "updated_at": event["created_at"]}
        return Row(address=Address(_place(event["ids"]), event["id"]), value=value, created_at=at, updated_at=at)

    def _write(self) -> None:
        """Writes what is pending. Events that cannot be written are lost, and the operations they tell of are done."""
        with self._writing:
            with self._lock:
                rows, self._pending = self._pending, []
            if rows:
                try:
                    run(self._keep(rows))
                except StoreError as error:
                    telemetry.count("store.errors", 1, {"error.type": type(error).__name__})
                    _LOG.warning("%d events could not be kept; what they tell of is done.", len(rows), exc_info=True)

    async def _keep(self, rows: list[Row]) -> None:
        now = self._clock()
        await self._repo.write([Write.put(row, before=None) for row in rows], now)
        for place in {row.address.namespace for row in rows}:
            new = sum(row.address.namespace == place for row in rows)
            self._since_trimmed[place] = self._since_trimmed.get(place, self._most) + new
            if self._since_trimmed[place] > self._most / 10:
                await self._trim(place)
                self._since_trimmed[place] = 0

    async def _trim(self, place: Namespace) -> None:
        rows, _ = await self._repo.select([place], conjunction(), self._clock(), offset=self._most)
        if rows:
            await self._repo.write([Write.delete(row.address) for row in rows], self._clock())


def _place(ids: Mapping[str, str]) -> Namespace:
    """Where the events of an owner lie."""
    if not ids:
        return NOBODY
    kind, owner_id = Scope(**{name: value for name, value in ids.items() if value}).owner()
    return (EVENTS, kind, escape(owner_id))
