"""Whether a store is sound: its index against its rows, what nobody refers to any more, vectors that are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Backend, Embedder, NamespaceQuery, Query, Row
from langchain_mem.model.scopes import BATCHES, MEMORIES, TOUCHES, Namespace

PROBES: Final = 100
"""Memories whose own vectors are searched for, spread over the store."""

_NEAR: Final = 20  # among so many nearest a memory must find itself, however many say nearly the same


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not right.

    Attributes:
        problem: What it is, in words.
        addresses: Which rows it concerns.
        repair: How it can be mended: `"embed"`, `"remove"` or `"rebuild"`; `None` where only a person can decide.
    """

    problem: str
    addresses: Sequence[Address]
    repair: str | None = None


class Checkup:
    """One pass over the rows of a store; nothing is changed.

    Args:
        backend: The store's backend, ready.
        recorded: Whose vectors it holds.
        now: What has expired by then is not looked at: a purge will remove it.
    """

    def __init__(self, backend: Backend, recorded: Embedder | None, now: datetime) -> None:
        self._backend = backend
        self._recorded = recorded
        self._now = now
        self._places: dict[str, list[Address]] = {}
        self._probes: list[Row] = []
        self.memories = 0

    def findings(self) -> Iterator[Finding]:
        """What is not right, check by check."""
        rows = list(self._under(MEMORIES))
        self.memories = len(rows)
        for row in rows:
            self._places.setdefault(row.address.key, []).append(row.address)
        checks = (self._misfiled, self._doubled, self._unembedded, self._unlinked, self._unindexed)
        found = (Finding(problem=problem, addresses=addresses, repair=repair)
                 for check in checks for problem, addresses, repair in [check(rows)])  # fmt: skip
        yield from (finding for finding in (*found, *self._orphans()) if finding.addresses)

    def _under(self, root: str) -> Iterator[Row]:
        query = NamespaceQuery(now=self._now, prefix=(root,))
        for namespace in run(self._backend.namespaces(query)):
            yield from self._in(namespace)

    def _in(self, namespace: Namespace) -> list[Row]:
        found = run(self._backend.search(Query(now=self._now, prefixes=(namespace,))))
        return [match.row for match in found if match.row.address.namespace == namespace]

    def _misfiled(self, rows: Sequence[Row]) -> tuple[str, list[Address], None]:
        wrong = [row.address for row in rows if row.value.get("id") != row.address.key or not _is_memory(row.value)]
        return "no memory of this package, or stored under another id", wrong, None

    def _doubled(self, rows: Sequence[Row]) -> tuple[str, list[Address], None]:
        twins = [address for places in self._places.values() if len(places) > 1 for address in places]
        return "stored at two places under one id", twins, None

    def _unembedded(self, rows: Sequence[Row]) -> tuple[str, list[Address], str]:
        live = [row for row in rows if row.value.get("state") == "live" and row.value.get("memory")]
        bare = [row.address for row in live if self._recorded and not len(row.vectors)]
        return "without a vector: a search by meaning does not find it", bare, "embed"

    def _unlinked(self, rows: Sequence[Row]) -> tuple[str, list[Address], None]:
        lost = [row.address for row in rows if row.value.get("superseded_by") not in (None, *self._places)]
        return "superseded by a memory that is not there", lost, None

    def _unindexed(self, rows: Sequence[Row]) -> tuple[str, list[Address], str]:
        embedded = [row for row in rows if len(row.vectors)]
        probes = embedded[:: max(1, len(embedded) // PROBES)]
        lost = [row.address for row in probes if not self._finds(row)]
        return "not found by its own vector: the index and the rows differ", lost, "rebuild"

    def _finds(self, row: Row) -> bool:
        query = Query(now=self._now, prefixes=(row.address.namespace,), vector=row.vectors[0], limit=_NEAR)
        found = run(self._backend.search(query))
        same = len(found) == _NEAR and (found[-1].score or 0) > 0.9999  # more twins than were asked for
        return same or any(match.row.address == row.address for match in found)

    def _orphans(self) -> Iterator[Finding]:
        uses = [row.address for row in self._under(TOUCHES) if row.address.key not in self._places]
        yield Finding(problem="uses of a memory that is not there", addresses=uses, repair="remove")
        batches = [row.address for row in self._under(BATCHES) if not self._concerns_any(row.value)]
        yield Finding(problem="changes of memories that are all gone", addresses=batches, repair="remove")

    def _concerns_any(self, batch: Mapping[str, Any]) -> bool:
        named = batch.get("memories") or ()
        return not named or any(key in self._places for _, key in named)


def _is_memory(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("memory"), str) and value.get("state") in ("live", "superseded", "deleted")
