"""What became of a scope since it was last looked at, so that what is derived from it need not be derived anew.

A backend that is `Following` hands over changes as columns: the fields that were asked for and one matrix of vectors,
instead of a row with its whole value for each. `Log` is how a backend within one process knows them.
"""

from __future__ import annotations

import itertools
import threading
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from langchain_mem.backends.base import Address, Namespace, Row, Vectors, Write
from langchain_mem.filters.conditions import Path

OWNER_DEPTH: Final = 3
"""How many labels a scope that is followed has: `("memories", "user", "alex")`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_KEPT: Final = 4_096  # changes of a scope that a log remembers; whoever has missed more takes the scope anew
_ROWS: Final = 1_024  # rows that a log remembers, so that whoever follows need not read what was written just now


class Use(NamedTuple):
    """That something was used, apart from any write."""

    handle: Hashable
    """What `Changes.handles` calls it."""
    instants: Sequence[datetime]
    keep: int
    """How many uses of it are kept, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """What was written in some scopes since a stamp; each sequence but `gone` has one element a row.

    Attributes:
        stamp: What to ask from the next time.
        whole: Whether these are all the rows there are, so that any other has gone.
        handles: What `gone` will name each row by.
        addresses: Where each row is.
        fields: What is stored at each of the paths that were asked for, in their order.
        expiries: From when on each row is hidden. Rows that are hidden already may be among them.
        vectors: Shape (rows, dims): each row's first vector, zeros where it has none.
        has: Shape (rows,): which rows have one.
        uses: When each row was used, as far as its writer knew; `None` where the backend does not follow uses.
        used: What was used since, apart from writes: where, when, and how many of its uses are kept.
        gone: Handles of rows that were removed. A row that was removed and put again is among both: first it went.
        values: Each row's whole value, where to read a row takes a call to a database; `None` where it takes none, or
            where the values are not at hand.
        more: Whether this is a part: whoever asks at once from its stamp is told what follows. So that an owner who has
            very much is handed over without all of it being held at a time.
    """

    stamp: Hashable
    whole: bool
    handles: Sequence[Hashable] = ()
    addresses: Sequence[Address] = ()
    fields: Sequence[Sequence[Any]] = ()
    expiries: Sequence[datetime | None] = ()
    vectors: Vectors
    has: NDArray[np.bool_]
    uses: Sequence[Sequence[datetime]] | None = None
    used: Sequence[Use] = ()
    gone: Sequence[Hashable] = ()
    values: Sequence[Mapping[str, Any]] | None = None
    more: bool = False


@runtime_checkable
class Following(Protocol):
    """A backend that can tell what was written in a scope since it was last asked."""

    async def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is.

        Args:
            scopes: Namespaces of `OWNER_DEPTH` labels, and all below them.
            paths: The fields to hand over.
            since: The stamp of the last answer for these scopes and paths; `None` for everything.
            limit: Hand over at most so many rows.

        Returns:
            The changes; `None` where the backend cannot know them, or where there are over `limit` rows.
        """


class Kept(NamedTuple):
    """Something derived from a scope that was kept over a restart."""

    content: bytes | bytearray | memoryview
    stamp: Hashable
    """What `changes` takes, to tell what was written since."""


@runtime_checkable
class Keeping(Protocol):
    """A backend that keeps something derived from a scope, so that the next process need not derive it anew."""

    async def keep(self, scopes: tuple[Namespace, ...], name: str, content: bytes, stamp: Hashable) -> bool:
        """Keeps something under a name, as it follows from what was there at a stamp; says no where that has passed."""

    async def kept(self, scopes: tuple[Namespace, ...], name: str) -> Kept | None:
        """What was kept under a name; `None` where nothing was, or where it holds no more."""


@runtime_checkable
class Lasting(Keeping, Protocol):
    """A backend with which what is kept goes on counting while others write, and after the process was killed.

    So it is worth keeping at any time, not only when the process ends.
    """

    async def forget_kept(self) -> None:
        """Drops everything that is kept."""

    async def forget_lost(self) -> None:
        """Drops what is kept and holds anything that was removed since."""


class Uses:
    """When rows were used, as whoever follows a scope holds it: a few bytes each, for most are never asked about.

    Args:
        packed: What `packed` gave.

    Attributes:
        packed: By address, the microseconds since 1970 of each use as 64-bit numbers.
    """

    def __init__(self, packed: Mapping[Hashable, bytes] | None = None) -> None:
        self.packed: dict[Hashable, bytes] = dict(packed or {})

    def of(self, address: Hashable) -> list[datetime]:
        """When a row was used; nothing for one that is not known."""
        return [_EPOCH + timedelta(microseconds=each) for each in array("q", self.packed.get(address, b""))]

    def written(self, addresses: Sequence[Hashable], uses: Sequence[Sequence[datetime]]) -> None:
        """Rows were written, and tell of these uses. A write takes no use away."""
        for address, told in zip(addresses, uses, strict=True):
            self.packed[address] = _packed(both(self.of(address), told) if address in self.packed else told)

    def add(self, address: Hashable, uses: Sequence[datetime], keep: int, *, told: bool) -> None:
        """A known row was used, and the newest of its uses are kept.

        Args:
            address: Where it is.
            uses: When.
            keep: How many uses are kept.
            told: Whether the row may have told of these uses already.
        """
        if address in self.packed:
            before = self.of(address)
            every = both(before, uses) if told else sorted((*before, *uses))
            self.packed[address] = _packed(every[-keep:])

    def forget(self, addresses: Iterable[Hashable]) -> None:
        """Rows have gone."""
        for address in addresses:
            self.packed.pop(address, None)


def both(one: Sequence[datetime], other: Sequence[datetime]) -> list[datetime]:
    """The uses that either has."""
    return sorted((Counter(one) | Counter(other)).elements())


def _packed(uses: Sequence[datetime]) -> bytes:
    return array("q", [(each - _EPOCH) // _TICK for each in uses]).tobytes()


def of_rows(
    rows: Sequence[Row],
    paths: Sequence[Path],
    *,
    stamp: Hashable,
    whole: bool,
    used: Sequence[Use] = (),
    gone: Sequence[Address] = (),
) -> Changes:
    """Changes that are made of rows, whose addresses are their handles."""
    has = np.array([len(row.vectors) > 0 for row in rows], dtype=bool)
    present = [row.vectors[0] for row in rows if len(row.vectors)]
    vectors = np.zeros((len(rows), len(present[0]) if present else 0), dtype=np.float32)
    if present:
        vectors[has] = present
    addresses = [row.address for row in rows]
    return Changes(
        stamp=stamp,
        whole=whole,
        handles=addresses,
        addresses=addresses,
        fields=fields_of([row.value for row in rows], paths),
        expiries=[row.expires_at for row in rows],
        vectors=vectors,
        has=has,
        uses=[row.touches for row in rows],
        used=used,
        gone=gone,
    )


def fields_of(values: Iterable[Mapping[str, Any]], paths: Sequence[Path]) -> list[tuple[Any, ...]]:
    """What each value has at each path. Usually all paths are one key, which a C loop reads."""
    if all(len(path.keys) == 1 for path in paths):
        keys = [path.keys[0] for path in paths]
        return [tuple(map(value.get, keys)) for value in values]
    return [tuple([path.read(value) for path in paths]) for value in values]


class Stamp(NamedTuple):
    """How far a log had come."""

    log: int
    number: int


class Look(NamedTuple):
    """What a log says of some scopes."""

    stamp: Stamp
    """What to ask from the next time."""
    written: list[Address] | None
    """What was written since the stamp that was given, each once; `None` where that is not known any more."""
    used: Sequence[Use]
    """What was used since."""


class Log:
    """Which addresses of the scopes that somebody follows were written, and the rows that were written last.

    Safe to use from many threads.
    """

    _logs = itertools.count()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._scopes: dict[Namespace, deque[tuple[int, Address, Use | None]]] = {}
        self._since: dict[Namespace, int] = {}
        self._rows: OrderedDict[Address, Row | None] = OrderedDict()
        self.lose()

    def lose(self) -> None:
        """Forgets everything: whoever follows a scope takes it anew."""
        with self._lock:
            self._name = next(self._logs)
            self._scopes.clear()
            self._rows.clear()

    def note(self, batch: Iterable[Write]) -> None:
        """A batch has been written."""
        with self._lock:
            for write in batch:
                if self._noted(write.address):
                    self._rows[write.address] = write.row
                    self._rows.move_to_end(write.address)
            while len(self._rows) > _ROWS:
                self._rows.popitem(last=False)

    def changed(self, addresses: Iterable[Address]) -> None:
        """Something about the rows at these addresses is different now."""
        with self._lock:
            for address in addresses:
                self._noted(address)
                self._rows.pop(address, None)

    def latest(self, addresses: Iterable[Address]) -> dict[Address, Row | None]:
        """Those of the rows at these addresses that are remembered; `None` is one that was removed."""
        with self._lock:
            return {address: self._rows[address] for address in addresses if address in self._rows}

    def note_uses(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """These were used, and nothing else about them changed."""
        with self._lock:
            for address, instants in touches.items():
                self._noted(address, Use(address, tuple(instants), keep))

    def look(self, scopes: Sequence[Namespace], since: Hashable | None) -> Look:
        """What was written in these scopes since a stamp; from now on, what is written there is remembered."""
        with self._lock:
            noted = self._since_stamp(scopes, since)
            for scope in scopes:
                if scope not in self._scopes:
                    self._scopes[scope] = deque(maxlen=_KEPT)
                    self._since[scope] = self._number
            stamp = Stamp(self._name, self._number)
        if noted is None:
            return Look(stamp, None, ())
        written = dict.fromkeys(address for address, use in noted if use is None)
        return Look(stamp, list(written), [use for _, use in noted if use is not None])

    def _noted(self, address: Address, use: Use | None = None) -> bool:
        """Notes that an address was written or used, and says whether somebody follows it."""
        scope = address.namespace[:OWNER_DEPTH]
        noted = self._scopes.get(scope)
        if noted is None:
            return False
        self._number += 1
        if len(noted) == _KEPT:
            self._since[scope] = noted[0][0]
        noted.append((self._number, address, use))
        return True

    def _since_stamp(
        self, scopes: Sequence[Namespace], since: Hashable | None
    ) -> list[tuple[Address, Use | None]] | None:
        """What was noted of these scopes since a stamp; `None` where some of it is not remembered."""
        if not isinstance(since, Stamp) or since.log != self._name:
            return None
        if any(scope not in self._scopes or since.number < self._since[scope] for scope in scopes):
            return None
        return [each for scope in scopes for each in self._after(scope, since.number)]

    def _after(self, scope: Namespace, number: int) -> list[tuple[Address, Use | None]]:
        newest = itertools.takewhile(lambda noted: noted[0] > number, reversed(self._scopes[scope]))
        return [(address, use) for _, address, use in newest]
