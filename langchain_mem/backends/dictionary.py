"""The reference backend: rows in dicts, and each method of the protocol in the fewest words.

Read this file to learn what a backend does, before one that does it fast in a database.
"""

from __future__ import annotations

import itertools
import math
import re
import threading
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from langchain_mem.backends.base import (
    ANY,
    Address,
    Embedder,
    Match,
    Namespace,
    NamespaceQuery,
    Query,
    Row,
    Write,
    check_embedder,
    fits,
    unexpired,
)
from langchain_mem.backends.changes import Changes, Log, of_rows
from langchain_mem.errors import Conflict, shown
from langchain_mem.filters.conditions import Path
from langchain_mem.filters.language import matches
from langchain_mem.model.json_values import copied

_WORD = re.compile(r"\w+")


class _Node:
    """A namespace: its rows by key, and the namespaces below it by label."""

    __slots__ = ("below", "rows", "stamp")

    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.rows: dict[str, Row] = {}
        self.stamp = 0

    def walk(self) -> Iterator[_Node]:
        """This node and all below it."""
        nodes = [self]
        while nodes:
            node = nodes.pop()
            yield node
            nodes.extend(node.below.values())


class DictionaryBackend:
    """Keeps rows in this process, as long as it lives. Safe to use from many threads.

    Namespaces form a tree, so that the rows of one owner are found without looking at any other's. Every write
    leaves a number that was never used before on each node above the row: that is the `stamp` of a scope.
    """

    def __init__(self) -> None:
        self._root = _Node()
        self._numbers = itertools.count(1)
        self._embedder: Embedder | None = None
        self._lock = threading.RLock()
        self._log = Log()

    async def setup(self, embedder: Embedder | None) -> Embedder | None:
        """Remembers the first embedder and refuses another."""
        with self._lock:
            check_embedder(self._embedder, embedder)
            self._embedder = self._embedder or embedder
            return self._embedder

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""
        with self._lock:
            rows = [self._at(address) for address in addresses]
            return _handed_out(rows, now) if any(rows) else rows

    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Does all of the batch or none of it."""
        with self._lock:
            before = [self._find(write.address, now) for write in batch]
            for write, row in zip(batch, before, strict=True):
                _expect(write, row)
            for write, row in zip(batch, before, strict=True):
                self._put(write.address, write.row and _merge(write.row, row))
            self._log.changed([write.address for write in batch])

    async def search(self, query: Query) -> list[Match]:
        """The rows that the query describes, in its order."""
        with self._lock:
            rows = sorted(self._select(query), key=_address)
            if query.vector is None:
                found = [Match(row, None) for row in sorted(rows, key=_updated_at, reverse=True)]
            else:
                found = _by_cosine(rows, query.vector)
            return _page(found, query)

    async def count(self, query: Query) -> int:
        """How many rows the query describes."""
        with self._lock:
            return sum(1 for _ in self._select(query))

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that the query describes."""
        with self._lock:
            held = {row.address.namespace for row in self._scope(((),), query.now)}
        found = sorted({namespace[: query.max_depth] for namespace in held if fits(namespace, query)})
        return found[query.offset :][: query.limit]

    async def refresh(self, addresses: Sequence[Address], now: datetime) -> None:
        """Sets `expires_at` to `now + ttl` for those rows that have a `ttl` and have not expired."""
        with self._lock:
            for address in addresses:
                row = self._find(address, now)
                if row is not None and row.ttl is not None:
                    self._put(address, replace(row, expires_at=now + row.ttl))
                    self._log.changed([address])

    async def purge(self, now: datetime, limit: int | None = None) -> int:
        """Removes rows that have expired by `now`, at most `limit` of them, and says how many."""
        with self._lock:
            expired = (row for node in self._root.walk() for row in node.rows.values() if row.hidden(now))
            addresses = [row.address for row in itertools.islice(expired, limit)]
            for address in addresses:
                self._put(address, None)
            self._log.changed(addresses)
            return len(addresses)

    async def close(self) -> None:
        """Nothing was opened; the rows stay."""

    async def scan(self, prefixes: tuple[Namespace, ...], now: datetime, limit: int) -> list[Row] | None:
        """Every unexpired row in scope in order of address, itself; `None` where there are over `limit`."""
        with self._lock:
            rows = list(itertools.islice(self._scope(prefixes, now), limit + 1))
            return None if len(rows) > limit else sorted(rows, key=_address)

    async def addresses(self, prefixes: tuple[Namespace, ...], now: datetime) -> list[Address]:
        """Where every unexpired row in scope is, in order."""
        with self._lock:
            return sorted(row.address for row in self._scope(prefixes, now))

    async def stamp(self, prefixes: tuple[Namespace, ...]) -> Hashable | None:
        """The numbers that the last writes left on these namespaces."""
        with self._lock:
            nodes = [self._node(prefix) for prefix in prefixes]
            return tuple(node.stamp if node else 0 for node in nodes)

    async def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is; `None` where that is over `limit` rows."""
        with self._lock:
            stamp, written, used = self._log.look(scopes, since)
            if written is None:
                rows = [row for node in self._nodes(scopes) for row in node.rows.values()]
                return None if len(rows) > limit else of_rows(rows, paths, stamp=stamp, whole=True)
            if not written:
                return of_rows((), paths, stamp=stamp, whole=False, used=used)
            found = [self._at(address) for address in written]
            gone = [address for address, row in zip(written, found, strict=True) if row is None]
            rows = [row for row in found if row is not None]
            return of_rows(rows, paths, stamp=stamp, whole=False, used=used, gone=gone)

    async def lexical(self, query: Query, words: Sequence[str]) -> list[Match]:
        """The rows that hold at least one of the words, scored by the rarity of those they hold."""
        with self._lock:
            rows = sorted(self._select(query), key=_address)
            return _page(_by_words(rows, set(words)), query)

    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Adds these instants to the rows' touches and keeps the `keep` newest; absent rows are skipped."""
        with self._lock:
            for address, instants in touches.items():
                node = self._node(address.namespace)
                if node and (row := node.rows.get(address.key)):
                    every = sorted((*row.touches, *instants))
                    node.rows[address.key] = replace(row, touches=tuple(every[max(0, len(every) - keep) :]))
            self._log.note_uses(touches, keep)

    def _node(self, path: Namespace) -> _Node | None:
        node: _Node | None = self._root
        for label in path:
            node = node and node.below.get(label)
        return node

    def _at(self, address: Address) -> Row | None:
        node = self._node(address.namespace)
        return node.rows.get(address.key) if node else None

    def _nodes(self, prefixes: Sequence[Namespace]) -> Iterator[_Node]:
        roots = [self._node(prefix) for prefix in _outermost(prefixes)]
        return (node for root in roots if root for node in root.walk())

    def _find(self, address: Address, now: datetime) -> Row | None:
        row = self._at(address)
        return None if row is None or row.hidden(now) else row

    def _scope(self, prefixes: Sequence[Namespace], now: datetime) -> Iterator[Row]:
        rows = (row for node in self._nodes(prefixes) for row in node.rows.values())
        return (row for row in rows if not row.hidden(now))

    def _select(self, query: Query) -> Iterator[Row]:
        for row in self._scope(query.prefixes, query.now):
            if (query.keys is None or row.address.key in query.keys) and matches(query.condition, row.value):
                yield row

    def _put(self, address: Address, row: Row | None) -> None:
        """Puts a row, or removes what is there together with the nodes that this leaves empty."""
        path = [self._root]
        for label in address.namespace:
            path.append(path[-1].below.setdefault(label, _Node()))
        if row is None:
            path[-1].rows.pop(address.key, None)
        else:
            path[-1].rows[address.key] = row
        number = next(self._numbers)
        for node in path:
            node.stamp = number
        for label, node, above in zip(address.namespace[::-1], path[:0:-1], path[-2::-1], strict=True):
            if not node.rows and not node.below:
                del above.below[label]


def _expect(write: Write, there: Row | None) -> None:
    if write.expects is ANY or write.expects == (there and there.revision):
        return
    raise Conflict(
        f"{shown(write.address.key)} has changed since it was read. Nothing was written; read again and retry."
    )


def _merge(row: Row, before: Row | None) -> Row:
    """The row as it is kept: with the touches that were recorded while its writer was busy."""
    if before is None:
        return row
    both = Counter(before.touches) | Counter(row.touches)
    return replace(row, touches=tuple(sorted(both.elements())))


def _handed_out(rows: Sequence[Row | None], now: datetime) -> list[Row | None]:
    """Rows as callers get them: those that have not expired, with values and vectors that are the caller's own."""
    found = unexpired(rows, now)
    for at, row in enumerate(found):
        if row is not None:
            found[at] = replace(row, value=copied(row.value), vectors=row.vectors.copy())
    return found


def _outermost(prefixes: Sequence[Namespace]) -> set[Namespace]:
    """Those prefixes that lie below no other, so that no row is met twice."""
    every = set(prefixes)
    return {prefix for prefix in every if not any(prefix[:depth] in every for depth in range(len(prefix)))}


def _by_cosine(rows: list[Row], vector: NDArray[np.float32]) -> list[Match]:
    """Best first. The product of unit vectors is their cosine; a row counts by the best of its vectors."""
    rows = [row for row in rows if len(row.vectors)]
    if not rows:
        return []
    starts = np.cumsum([0, *(len(row.vectors) for row in rows[:-1])])
    cosines = np.concatenate([row.vectors for row in rows]) @ vector
    best = np.maximum.reduceat(cosines, starts).clip(-1, 1)
    return _ranked(zip(rows, best.tolist(), strict=True))


def _by_words(rows: list[Row], words: set[str]) -> list[Match]:
    """Best first. A row scores `ln(1 + N / n)` for each word it holds, one that `n` of the `N` rows hold."""
    held = [words & set(_WORD.findall(row.text.lower())) for row in rows]
    rarity = {word: math.log1p(len(rows) / n) for word, n in Counter(itertools.chain(*held)).items()}
    scores = [sum(rarity[word] for word in each) for each in held]
    return _ranked((row, score) for row, score in zip(rows, scores, strict=True) if score)


def _ranked(scored: Iterable[tuple[Row, float]]) -> list[Match]:
    return sorted(itertools.starmap(Match, scored), key=_score, reverse=True)


def _page(found: list[Match], query: Query) -> list[Match]:
    page = found[query.offset :][: query.limit]
    rows = _handed_out([row for row, _ in page], query.now)
    return [Match(row, score) for row, (_, score) in zip(rows, page, strict=True) if row is not None]


def _score(match: Match) -> float:
    return match.score or 0.0


def _address(row: Row) -> Address:
    return row.address


def _updated_at(row: Row) -> datetime:
    return row.updated_at
