"""What an owner has, as an index that follows the store: what others wrote comes in as changes since the last look."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from langchain_mem.backends.base import Address, Row, in_scope
from langchain_mem.backends.changes import Changes, of_rows
from langchain_mem.filters.conditions import Condition, Kind, Not, Operator, Path, Test, conjunction
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import dated
from langchain_mem.model.scopes import MEMORIES, TURNS, Namespace
from langchain_mem.ranking.columns import Columns
from langchain_mem.ranking.index import Entry, Index
from langchain_mem.ranking.parts import Mask


class Told(NamedTuple):
    """Of a memory, what its place in the index rests on."""

    memory: str
    event_date: str | None
    state: str
    group: str | None
    position: str
    cites: Sequence[str]


DIGEST: Final = Path(("digest",))
UPDATED: Final = Path(("updated_at",))
LAYER: Final = Path(("layer",))
NAMESPACE: Final = Path(("", "namespace"))  # no memory has a key that is empty
EXPIRES: Final = Path(("", "expires"))

_TOLD: Final = tuple(Path((name,)) for name in Told._fields)
_ASKED: Final = (
    *(Path((name,)) for name in ("state", "layer", "expiration_date", "created_at", "event_date", "categories")),
    *(Path((name,)) for name in ("metadata", "role", "user_id", "agent_id", "app_id", "run_id", "org_id")),
    DIGEST,
    UPDATED,
)
"""The fields that filters usually ask about; others get a column when they are asked about first."""

_BETWEEN: Final = "\x1f"  # stands in no label: `escape` writes it as something else


class Living:
    """The memories and kept turns of one owner that are in some states.

    Take `lock` to look at it or to change it.

    Attributes:
        index: The documents, by address.
        stamp: Up to where it has followed the store; `None` where it has not begun.
        scopes: The namespaces it follows.
        paths: The fields it asks the store for.
    """

    def __init__(self, owner: Namespace, states: frozenset[str], extra: Iterable[Path] = ()) -> None:
        self.scopes = ((MEMORIES, *owner), (TURNS, *owner))
        self.stamp: Hashable | None = None
        self.lock = threading.Lock()
        self._states = states
        self._asked = tuple(dict.fromkeys((*_ASKED, *extra)))
        self.paths = (*_TOLD, *self._asked)
        self._handles: dict[Hashable, Address] = {}
        self._turn = threading.Lock()
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._begin()

    def _begin(self) -> None:
        self.index: Index[Address] = Index((NAMESPACE, EXPIRES, *self._asked))
        self._handles.clear()
        self._others: dict[Address, str] = {}
        self._saying: dict[str, set[Address]] = {}

    @property
    def nbytes(self) -> int:
        """About the memory it takes."""
        return self.index.nbytes + 200 * len(self._handles)

    def covers(self, condition: Condition) -> bool:
        """Whether there is a column for every field that a condition asks about."""
        return not self.index.columns.missing(condition)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One thread at a time asks the store, so that a load is not made twice."""
        with self._turn:
            yield

    @asynccontextmanager
    async def aturn(self) -> AsyncIterator[None]:
        """The same among the tasks of an event loop."""
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            yield

    def take(self, changes: Changes, since: Hashable | None) -> bool:
        """Takes in changes since a stamp; says no where somebody else has taken others meanwhile."""
        with self.lock:
            if self.stamp is not since:
                return False
            if changes.whole:
                self._begin()
            self._apply(changes)
            self.stamp = changes.stamp
            return True

    def shown(self, places: Sequence[Namespace], condition: Condition, now: datetime) -> Mask:
        """Which documents lie in these places, have not expired and fulfill a condition."""
        inside = self.index.columns[NAMESPACE].where(
            ("in", tuple(places)), lambda label: in_scope(tuple(label.split(_BETWEEN)), places)
        )
        return np.asarray(inside & self.index.eligible(conjunction(condition, _unexpired(now))))

    def knows(self, address: Address) -> bool:
        """Whether there is a memory at an address, in whatever state."""
        return address in self.index or address in self._others

    def same_text(self, home: Namespace, digest: str) -> list[Address]:
        """The memories in a home that say a text, in whatever state."""
        found = self.index.columns[DIGEST].equal(digest)
        entries = [self.index.entry(int(number)) for number in found if self.index.living[number]]
        said = [*(entry.handle for entry in entries), *self._saying.get(digest, ())]
        return [address for address in said if address.namespace == home]

    def newest(self, mask: Mask, most: int) -> list[tuple[int, Address]]:
        """The documents of a mask that were updated last, unordered, at least `most` of them if there are so many.

        Returns:
            Each with what sorts it: microseconds before 1970, and its address.
        """
        numbers = np.flatnonzero(mask)
        updated = self.index.columns[UPDATED].instants()[numbers]
        if len(numbers) > most:
            least = np.partition(updated, len(updated) - most)[len(updated) - most]
            numbers, updated = numbers[updated >= least], updated[updated >= least]
        return [
            (-instant, self.index.entry(number).handle)
            for number, instant in zip(numbers.tolist(), updated.tolist(), strict=True)
        ]

    def _apply(self, changes: Changes) -> None:
        gone = [self._handles.get(handle, handle) for handle in changes.gone]
        dead: list[Address] = [address for address in gone if isinstance(address, Address)]
        entries, members = [], []
        others: dict[Address, Any] = {}
        for number, (address, fields) in enumerate(zip(changes.addresses, changes.fields, strict=True)):
            entry = self._entry(address, fields, changes.expiries[number])
            if entry is None:
                dead.append(address)
                others[address] = fields[self.paths.index(DIGEST)]
            else:
                entries.append(entry)
                members.append(number)
        self.index.remove(dead)
        chosen = slice(None) if len(members) == len(changes.addresses) else members
        self.index.put(entries, changes.vectors[chosen], changes.has[chosen])
        self.index.tidy()
        self._set_aside([*dead, *changes.addresses], others)
        self._remember(changes)

    def _entry(self, address: Address, fields: Sequence[Any], expires_at: datetime | None) -> Entry[Address] | None:
        told = Told(*fields[: len(_TOLD)])
        if told.state not in self._states or not isinstance(told.memory, str):
            return None
        when = parse_iso(told.event_date) if told.event_date else None
        columns = (_BETWEEN.join(address.namespace), expires_at and iso(expires_at), *fields[len(_TOLD) :])
        cites = tuple(told.cites or ())
        return Entry(address, address.key, dated(told.memory, when), told.group, told.position, cites, columns)

    def _set_aside(self, changed: Sequence[Address], others: Mapping[Address, Any]) -> None:
        """Notes of those that are in another state what they say, and nothing else."""
        for address in changed:
            said = self._others.pop(address, None)
            if said is not None:
                self._saying[said].discard(address)
        for address, said in others.items():
            if isinstance(said, str):
                self._others[address] = said
                self._saying.setdefault(said, set()).add(address)

    def _remember(self, changes: Changes) -> None:
        """Notes what handles stand for, where they are not addresses."""
        for handle in changes.gone:
            self._handles.pop(handle, None)
        if changes.handles is not changes.addresses:
            self._handles.update(zip(changes.handles, changes.addresses, strict=True))


def living_of(rows: Sequence[Row], states: frozenset[str], condition: Condition) -> Living:
    """An index of rows that were read, for one search."""
    living = Living((), states)
    living = Living((), states, living.index.columns.missing(condition))
    living.take(of_rows(rows, living.paths, stamp=0, whole=True), None)
    return living


_ALWAYS_ASKED: Final = Columns(_ASKED)


def tells(condition: Condition) -> bool:
    """Whether every index has the columns that a condition asks about."""
    return not _ALWAYS_ASKED.missing(condition)


def _unexpired(now: datetime) -> Condition:
    return Not(Test(EXPIRES, Operator.lte, iso(now), Kind.instant))
