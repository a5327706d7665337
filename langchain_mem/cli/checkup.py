"""Whether a store is sound: its index against its rows, what nobody refers to any more, vectors that are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Backend, Embedder, Listing, Query, Row
from langchain_mem.model.scopes import BATCHES, MEMORIES, TOUCHES

PROBES: Final = 100
"""Memories whose own vectors are searched for, spread over the store."""

AT_ONCE: Final = 500
"""Rows that are held at a time."""

_NEAR: Final = 20  # among so many nearest a memory must find itself, however many say nearly the same


@dataclass(frozen=True, kw_only=True)
class StoreProblem:
    """Something that is not right.

    Attributes:
        problem: What it is, in words.
        addresses: Which rows it concerns.
        repair: How it can be mended: `"embed"`, `"remove"` or `"rebuild"`; `None` where only a person can decide.
    """

    problem: str
    addresses: Sequence[Address]
    repair: str | None = None


class _Kind(NamedTuple):
    """What can be wrong, and how it is mended."""

    problem: str
    repair: str | None = None


_MISFILED: Final = _Kind("no memory of this package, or stored under another id")
_TWINS: Final = _Kind("stored at two places under one id")
_BARE: Final = _Kind("without a vector: a search by meaning does not find it", "embed")
_UNLINKED: Final = _Kind("superseded by a memory that is not there")
_UNINDEXED: Final = _Kind("not found by its own vector: the index and the rows differ", "rebuild")
_USES: Final = _Kind("uses of a memory that is not there", "remove")
_BATCHES: Final = _Kind("changes of memories that are all gone", "remove")
_KINDS: Final = (_MISFILED, _TWINS, _BARE, _UNLINKED, _UNINDEXED, _USES, _BATCHES)


class Checkup:
    """One pass over the rows of a store, so many at a time; nothing is changed.

    Args:
        backend: The store's backend, ready.
        recorded: Whose vectors it holds.
        now: What has expired by then is not looked at: a purge will remove it.
        progress: Told how many rows have been looked at, and of how many.
    """

    def __init__(
        self,
        backend: Backend,
        recorded: Embedder | None,
        now: datetime,
        *,
        progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> None:
        self._backend = backend
        self._recorded = recorded
        self._now = now
        self._progress = progress
        self._keys: Counter[str] = Counter()
        self.memories = 0

    def findings(self) -> Sequence[StoreProblem]:
        """What is not right, by what it is."""
        memories, batches = self._addresses(MEMORIES), self._addresses(BATCHES)
        self.memories, total = len(memories), len(memories) + len(batches)
        self._keys = Counter(address.key for address in memories)
        found: dict[_Kind, list[Address]] = {kind: [] for kind in _KINDS}
        found[_TWINS] = [address for address in memories if self._keys[address.key] > 1]
        every = max(1, len(memories) // PROBES)
        for place, row in enumerate(self._rows(memories)):
            for kind in self._wrong_with(row, probe=place % every == 0):
                found[kind].append(row.address)
            self._progress(place + 1, total)
        for place, row in enumerate(self._rows(batches), len(memories)):
            if not self._concerns_any(row.value):
                found[_BATCHES].append(row.address)
            self._progress(place + 1, total)
        found[_USES] = [address for address in self._addresses(TOUCHES) if address.key not in self._keys]
        return [StoreProblem(problem=kind.problem, addresses=where, repair=kind.repair)
                for kind, where in found.items() if where]  # fmt: skip

    def _addresses(self, root: str) -> list[Address]:
        if isinstance(self._backend, Listing):
            return run(self._backend.addresses(((root,),), self._now))
        return [match.row.address for match in run(self._backend.search(Query(now=self._now, prefixes=((root,),))))]

    def _rows(self, addresses: Sequence[Address]) -> Iterator[Row]:
        """The rows at these addresses, of which few are held at a time."""
        for start in range(0, len(addresses), AT_ONCE):
            found = run(self._backend.get(addresses[start : start + AT_ONCE], self._now))
            yield from (row for row in found if row is not None)

    def _wrong_with(self, row: Row, *, probe: bool) -> Iterator[_Kind]:
        value = row.value
        if value.get("id") != row.address.key or not _is_memory(value):
            yield _MISFILED
        live = value.get("state") == "live" and value.get("memory")
        if live and self._recorded and not len(row.vectors):
            yield _BARE
        if value.get("superseded_by") is not None and value["superseded_by"] not in self._keys:
            yield _UNLINKED
        if probe and len(row.vectors) and not self._finds(row):
            yield _UNINDEXED

    def _finds(self, row: Row) -> bool:
        query = Query(now=self._now, prefixes=(row.address.namespace,), vector=row.vectors[0], limit=_NEAR)
        found = run(self._backend.search(query))
        same = len(found) == _NEAR and (found[-1].score or 0) > 0.9999  # more twins than were asked for
        return same or any(match.row.address == row.address for match in found)

    def _concerns_any(self, batch: Mapping[str, Any]) -> bool:
        named = batch.get("memories") or ()
        return not named or any(key in self._keys for _, key in named)


def _is_memory(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("memory"), str) and value.get("state") in ("live", "superseded", "deleted")
