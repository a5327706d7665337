"""All memories of a store as columns, which follow the store: what is counted and listed without reading every memory.

An inspector asks for everyone at once: how many memories each owner has, which expire soon, what changed last. Reading
10,000 memories with their histories for that takes seconds. This keeps a few fields of each memory and when it was
used; after the first look only what was written since is taken in.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from langchain_mem._flow import arun, call, run
from langchain_mem.backends.base import Address, NamespaceQuery, Query, Row
from langchain_mem.backends.changes import OWNER_DEPTH, Changes, both
from langchain_mem.filters.conditions import Condition, Path
from langchain_mem.model.instants import iso
from langchain_mem.model.scopes import MEMORIES, Namespace
from langchain_mem.ranking.columns import Columns, Growing
from langchain_mem.ranking.parts import Places
from langchain_mem.repository.living import BETWEEN, EXPIRES, NAMESPACE, UPDATED, visible
from langchain_mem.store.items import Items

MOST: Final = 50_000
"""Memories that are held at most; the pages of a larger store read what they show."""

_AGAIN: Final = 64  # times that a store that was too large is passed over before it is counted again
_TOLD: Final = (
    *(Path((name,)) for name in ("state", "created_at", "updated_at", "expiration_date", "categories", "layer")),
    *(Path((name,)) for name in ("schema", "memory", "metadata", "importance", "doubt", "user_id", "agent_id")),
    *(Path((name,)) for name in ("app_id", "org_id", "run_id", "role", "event_date")),
)
"""The fields that pages tell of and that filters usually ask about; others are taken in when they are asked about."""


class Brief(NamedTuple):
    """What is counted of a memory."""

    address: Address
    state: str
    created_at: str
    updated_at: str
    expiration_date: str | None
    categories: Sequence[str]
    layer: str
    schema: str | None
    uses: Sequence[datetime]


_BRIEF: Final = tuple(Path((name,)) for name in Brief._fields[1:-1])


class Overview:
    """The memories of everyone in one store. Safe to use from many threads.

    Args:
        items: The store's items.
        most: How many memories are held at most.
    """

    def __init__(self, items: Items, most: int = MOST) -> None:
        self._items = items
        self._most = most
        self._asked = _TOLD
        self._turn = threading.Lock()
        self._passes = 0
        self._begin()

    def _begin(self) -> None:
        self._stamp: Hashable | None = None
        self._scopes: dict[Namespace, None] = {}
        self._columns = Columns((NAMESPACE, EXPIRES, *self._asked))
        self._living = Growing(np.bool_, fill=False)
        self._addresses: list[Address] = []
        self._numbers: dict[Address, int] = {}
        self._handles: dict[Hashable, Address] = {}
        self._uses: dict[Hashable, Sequence[datetime]] | None = {}

    async def briefs(
        self, places: Sequence[Namespace], condition: Condition, now: datetime, *, uses: bool = False
    ) -> list[Brief] | None:
        """What is counted of the memories in some places that fulfill a condition.

        Args:
            places: Where they lie.
            condition: What they fulfill.
            now: The present.
            uses: Whether it is needed when each was used.

        Returns:
            One for each, in no order; `None` where the backend tells of no changes, or not of uses that are needed, or
            has too many.
        """
        known = await call(self._briefs_here, self._briefs_there, places, condition, now)
        return None if uses and self._uses is None else known

    async def uses_by_day(self, places: Sequence[Namespace], now: datetime) -> Mapping[str, int] | None:
        """How many uses are on record in some places, by UTC day; `None` where the backend does not count them."""
        return await self._items.uses_by_day(places, now)

    async def newest(
        self, places: Sequence[Namespace], condition: Condition, now: datetime, *, limit: int, offset: int = 0
    ) -> tuple[list[Address], int] | None:
        """The addresses of those that were changed last, newest first, and how many there are in all.

        Returns:
            A page of so many, and the count; `None` where the backend tells of no changes, or has too many.
        """
        return await call(self._newest_here, self._newest_there, places, condition, now, limit, offset)

    def _briefs_here(self, places: Sequence[Namespace], condition: Condition, now: datetime) -> list[Brief] | None:
        with self._turn:
            return self._told(places, condition, now) if run(self._follow(condition, now)) else None

    async def _briefs_there(
        self, places: Sequence[Namespace], condition: Condition, now: datetime
    ) -> list[Brief] | None:
        return self._told(places, condition, now) if await arun(self._follow(condition, now)) else None

    def _newest_here(
        self, places: Sequence[Namespace], condition: Condition, now: datetime, limit: int, offset: int
    ) -> tuple[list[Address], int] | None:
        with self._turn:
            return self._last(places, condition, now, limit, offset) if run(self._follow(condition, now)) else None

    async def _newest_there(
        self, places: Sequence[Namespace], condition: Condition, now: datetime, limit: int, offset: int
    ) -> tuple[list[Address], int] | None:
        followed = await arun(self._follow(condition, now))
        return self._last(places, condition, now, limit, offset) if followed else None

    async def _follow(self, condition: Condition, now: datetime) -> bool:
        """Takes in what was written since the last look; says no where that cannot be told, or is too much."""
        missing = self._columns.missing(condition)
        if missing:
            self._asked = (*self._asked, *missing)
            self._begin()
        if self._stamp is None and not await self._fits(now):
            return False
        listed = await self._items.namespaces(NamespaceQuery(now=now, prefix=(MEMORIES,), max_depth=OWNER_DEPTH))
        fresh = tuple(scope for scope in listed if scope not in self._scopes)
        known = tuple(self._scopes)
        paths, since = self._asked, self._stamp
        more = await self._changes(known, paths, since) if known else []
        new = await self._changes(fresh, paths, None) if fresh else []
        if more is None or new is None:
            self._begin()
            self._passes = _AGAIN
            return False
        if self._asked is paths and self._stamp is since:  # else another task has taken in changes meanwhile
            self._take(more, new, fresh)
        return True

    async def _changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None
    ) -> list[Changes] | None:
        """What was written in some scopes since a stamp, in all its parts; `None` where it is too much."""
        parts: list[Changes] = []
        while not parts or parts[-1].more:
            part = await self._items.changes(scopes, paths, parts[-1].stamp if parts else since, self._most)
            if part is None:
                return None
            parts.append(part)
        return parts

    async def _fits(self, now: datetime) -> bool:
        """Whether the store has few enough memories; one that had not is counted again only after a while."""
        self._passes = max(0, self._passes - 1)
        if self._passes:
            return False
        fits = await self._items.count(Query(now=now, prefixes=((MEMORIES,),))) <= self._most
        self._passes = 0 if fits else _AGAIN
        return fits

    def _take(self, more: Sequence[Changes], new: Sequence[Changes], fresh: Iterable[Namespace]) -> None:
        scopes = [*self._scopes, *fresh]
        if more and more[0].whole:
            self._begin()
        for changes in (*more, *new):
            self._put(changes)
        # of two stamps the older one serves for both: what came between them is told again
        self._stamp = (more or new)[-1].stamp if more or new else self._stamp
        self._scopes = dict.fromkeys(scopes)
        self._tidy()

    def _put(self, changes: Changes) -> None:
        for handle in changes.gone:
            self._drop(self._handles.pop(handle, handle))
        for address in changes.addresses:
            self._retire(address)
        first = len(self._addresses)
        self._addresses += changes.addresses
        self._numbers.update({address: first + place for place, address in enumerate(changes.addresses)})
        self._living.add(len(changes.addresses), True)
        homes = [BETWEEN.join(address.namespace) for address in changes.addresses]
        expiries = [at and iso(at) for at in changes.expiries]
        told = list(zip(*changes.fields, strict=True)) or [()] * len(self._asked)
        self._columns.extend([homes, expiries, *told])
        if changes.handles is not changes.addresses:
            self._handles.update(zip(changes.handles, changes.addresses, strict=True))
        self._note_uses(changes)

    def _note_uses(self, changes: Changes) -> None:
        if changes.uses is None or self._uses is None:
            self._uses = None
            return
        self._uses.update(zip(changes.addresses, changes.uses, strict=True))
        written = set(changes.addresses)  # of these the row may tell of its uses already
        for handle, instants, keep in changes.used:
            address = self._handles.get(handle, handle)
            before = self._uses.get(address)
            if before is not None:
                every = both(before, instants) if address in written else sorted((*before, *instants))
                self._uses[address] = every[-keep:]

    def _retire(self, address: Address) -> None:
        """What is known of a memory is old."""
        number = self._numbers.pop(address, None)
        if number is not None:
            self._living.all[number] = False

    def _drop(self, address: Hashable) -> None:
        """A memory has gone for good."""
        if isinstance(address, Address):
            self._retire(address)
            if self._uses is not None:
                self._uses.pop(address, None)

    def _tidy(self) -> None:
        """Drops what is old, where it is more than half."""
        living = self._living.all
        if len(living) > 2 * len(self._numbers) + 1_000:
            self._columns.keep(living)
            self._addresses = [self._addresses[number] for number in np.flatnonzero(living)]
            self._numbers = {address: number for number, address in enumerate(self._addresses)}
            self._living.keep(living)

    def _which(self, places: Sequence[Namespace], condition: Condition, now: datetime) -> Places:
        mask = visible(self._columns, len(self._addresses), places, condition, now)
        return np.flatnonzero(mask & self._living.all)

    def _told(self, places: Sequence[Namespace], condition: Condition, now: datetime) -> list[Brief]:
        known = self._uses or {}
        numbers = self._which(places, condition, now)
        addresses = [self._addresses[number] for number in numbers.tolist()]
        uses = [known.get(address, ()) for address in addresses]
        return list(map(Brief, addresses, *self._columns.values(numbers, _BRIEF), uses))

    def _last(
        self, places: Sequence[Namespace], condition: Condition, now: datetime, limit: int, offset: int
    ) -> tuple[list[Address], int]:
        numbers = self._which(places, condition, now)
        updated = self._columns[UPDATED].instants()[numbers]
        if len(numbers) > offset + limit:
            least = np.partition(updated, -(offset + limit))[-(offset + limit)]
            near = updated >= least
            shown, when = numbers[near], updated[near]
        else:
            shown, when = numbers, updated
        keyed: list[tuple[int, Address]] = [
            (-at, self._addresses[number]) for at, number in zip(when.tolist(), shown.tolist(), strict=True)
        ]
        return [address for _, address in sorted(keyed)[offset : offset + limit]], len(numbers)


def brief(row: Row) -> Brief:
    """The same of a memory that was read."""
    told = [row.value.get(name) for name in Brief._fields[1:-1]]
    return Brief._make((row.address, *told, row.touches))
