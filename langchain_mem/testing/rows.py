"""The properties of rows: what is written comes back, one writer of many wins, and what has expired goes."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from langgraph.store.base import PutOp

from langchain_mem.backends.base import ANY, Address, Row, Unconditional, Write
from langchain_mem.errors import Conflict
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.forms import NS, Forms, Suite, keys

A, B, C = (Address(NS, key) for key in "abc")
_THEN = datetime(2026, 1, 1, tzinfo=UTC)


def put(
    address: Address,
    value: dict[str, Any],
    texts: Sequence[str] | None = None,
    at: datetime = _THEN,
    *,
    expects: str | Unconditional | None = ANY,
    **row: Any,
) -> Write:
    """A write of a row of these passages, made at an instant."""
    made = Row(address=address, value=value, texts=tuple(texts or ()), created_at=at, updated_at=at, **row)
    return Write.put(made, expects=expects)


def row_at(store: Forms, address: Address) -> Any:
    """The row at an address; `None` where there is none."""
    return store.do(store.store.items.read([address]))[0]


class RowSuite(Suite):
    """What a backend does with rows that are written, read and purged."""

    def test_rows_come_back_whole(self, store: Forms, clock: FakeClock) -> None:
        """A row keeps its instants, expiry, touches, vectors and digests."""
        at = clock.now - timedelta(days=3, microseconds=7)
        ends, ttl = clock.now + timedelta(seconds=90.5), timedelta(seconds=90.5)
        store.do(
            store.store.items.write([put(A, {"n": 1}, ["tea", "coffee"], at, touches=(at,), ttl=ttl, expires_at=ends)])
        )
        row = row_at(store, A)
        assert (row.created_at, row.updated_at, row.touches, row.ttl) == (at, at, (at,), ttl)
        assert row.expires_at == ends
        assert row.vectors.dtype == np.float32
        assert np.linalg.norm(row.vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
        assert len(set(row.digests)) == 2

    def test_given_vectors_are_kept(self, store: Forms, embeddings: FakeEmbeddings) -> None:
        """Vectors that come with a row are brought to unit length and not embedded again."""
        vectors = np.eye(2, embeddings.dims, dtype=np.float32) * 3
        store.do(store.store.items.write([put(A, {}, ["x", "y"], vectors=vectors)]))
        assert row_at(store, A).vectors == pytest.approx(vectors / 3, abs=1e-6)
        assert embeddings.texts == []

    def test_revision_changes_with_each_write(self, store: Forms) -> None:
        """Two writes of one value have two revisions."""
        store.put(NS, "a", {"n": 1})
        first = row_at(store, A).revision
        store.put(NS, "a", {"n": 1})
        assert row_at(store, A).revision != first

    def test_writes_may_expect(self, store: Forms, clock: FakeClock) -> None:
        """A write is done where what it expects is there, and else is a `Conflict`; what has expired is nothing."""
        write = store.store.items.write
        store.do(write([put(A, {"n": 1}, None, expects=None, expires_at=clock.now + timedelta(hours=1))]))
        with pytest.raises(Conflict):
            store.do(write([put(A, {"n": 2}, None, expects=None)]))
        with pytest.raises(Conflict):
            store.do(write([Write.delete(A, expects="another")]))
        with pytest.raises(Conflict):
            store.do(write([Write.delete(B, expects="another")]))
        clock.advance(hours=2)
        store.do(write([put(A, {"n": 3}, None, expects=None)]))
        store.do(write([Write.delete(A, expects=row_at(store, A).revision)]))
        assert store.count() == 0

    def test_conflict_writes_nothing(self, store: Forms) -> None:
        """Where one write of a batch conflicts, none is done."""
        store.put(NS, "b", {"text": "old"})
        changes = [
            put(A, {"n": 1}, ["tea"]),
            Write.delete(B),
            put(B._replace(key="c"), {"n": 1}, None, expects="absent"),
        ]
        with pytest.raises(Conflict):
            store.do(store.store.items.write(changes))
        assert keys(store.search(NS)) == ["b"]

    def test_one_of_many_writers_wins(self, store: Forms) -> None:
        """Of writers that expect the same revision, one succeeds and the others are told."""
        store.put(NS, "a", {"n": 0})
        expects = row_at(store, A).revision
        results = store.race(*(store.store.items.write([put(A, {"n": n}, None, expects=expects)]) for n in range(1, 6)))
        assert sum(isinstance(result, Conflict) for result in results) == 4
        assert results.count(None) == 1
        assert row_at(store, A).value == {"n": results.index(None) + 1}

    def test_purge_in_parts(self, store: Forms, clock: FakeClock) -> None:
        """`purge` removes at most its limit, and only what has expired."""
        store.batch([PutOp(NS, str(n), {"n": n}, ttl=1) for n in range(5)])
        store.put(NS, "a", {"n": 5})
        clock.advance(minutes=2)
        assert [store.do(store.store.items.purge(limit=3)) for _ in range(3)] == [3, 2, 0]
        assert store.count() == 1
