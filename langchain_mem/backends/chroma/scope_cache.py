"""Scopes of a Chroma collection that are held in memory, so that a small one is searched exactly and fast."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from langchain_mem._flow import run
from langchain_mem.backends.base import ANY, Address, Namespace, Row, Write
from langchain_mem.backends.dictionary import DictionaryBackend

MOST_BYTES: Final = 200_000_000
"""About how much is held at a time: 30,000 memories at 384 dimensions. Scopes not used for longest go first."""

EVER: Final = datetime.min.replace(tzinfo=UTC)
"""An instant by which nothing has expired."""


class ScopeCache:
    """Whole scopes, each with all its rows, in a `DictionaryBackend`.

    Valid only where every write goes through here too, which the lock on the folder makes so. Safe to use from many
    threads.

    Attributes:
        rows: The rows of all scopes that are held. Ask it only about what `covers` says is here.
        lock: Held by whoever asks, so that no scope goes meanwhile. Never for as long as a call to Chroma.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.rows = DictionaryBackend()
        self.lock = threading.RLock()
        self._most = most
        self._sizes: OrderedDict[Namespace, int] = OrderedDict()

    def covers(self, prefix: Namespace) -> bool:
        """Whether all rows below this prefix are here; asking counts as using them."""
        with self.lock:
            scope = self._above(prefix)
            if scope is not None:
                self._sizes.move_to_end(scope)
            return scope is not None

    def hold(self, prefix: Namespace, rows: Sequence[Row], size: int) -> None:
        """Takes in a scope of so many bytes: all its rows, the expired ones too. Others may have to go for it."""
        with self.lock:
            for below in [scope for scope in self._sizes if scope[: len(prefix)] == prefix]:
                self._drop(below)
            self._make_room(size)
            self._sizes[prefix] = size
            self._write([Write(address=row.address, row=row) for row in rows], EVER)

    def may_be_there(self, addresses: Sequence[Address]) -> list[Address]:
        """Those of some addresses that are not covered, or where something is, expired or not."""
        covered = [address for address in addresses if self.covers(address.namespace)]
        there = run(self.rows.get(covered, EVER)) if covered else []
        absent = {address for address, row in zip(covered, there, strict=True) if row is None}
        return [address for address in addresses if address not in absent]

    def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Repeats a batch that the collection has taken, as far as it concerns a scope that is here."""
        with self.lock:
            here = [replace(write, expects=ANY) for write in batch if self._counted(write)]
            self._write(here, now)
            self._make_room(0)

    def clear(self) -> None:
        """Forgets everything."""
        with self.lock:
            for scope in list(self._sizes):
                self._drop(scope)

    def _make_room(self, size: int) -> None:
        while self._sizes and sum(self._sizes.values()) + size > self._most:
            self._drop(next(iter(self._sizes)))

    def _counted(self, write: Write) -> bool:
        scope = self._above(write.address.namespace)
        if scope is not None and write.row is not None:
            self._sizes[scope] += _size(write.row)
        return scope is not None

    def _above(self, namespace: Namespace) -> Namespace | None:
        prefixes = (namespace[:depth] for depth in range(len(namespace) + 1))
        return next((prefix for prefix in prefixes if prefix in self._sizes), None)

    def _drop(self, scope: Namespace) -> None:
        del self._sizes[scope]
        rows = run(self.rows.scan((scope,), EVER, sys.maxsize - 1)) or []
        self._write([Write(address=row.address, row=None) for row in rows], EVER)

    def _write(self, batch: Sequence[Write], now: datetime) -> None:
        run(self.rows.write(batch, now))


def _size(row: Row) -> int:
    """About how many bytes a row takes; that of its value is guessed, since reckoning it would take its time."""
    return row.vectors.nbytes + 4 * len(row.text) + 4_000
