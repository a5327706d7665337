"""The reference backend, by the suite that every backend runs, and what only this one promises."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Query, Row, Write
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, LongTermStoreConformance

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINE = Address(("notes", "alex"), "a")


class TestDictionaryBackend(LongTermStoreConformance):
    @pytest.fixture
    def open_store(self, clock: FakeClock) -> Callable[..., LongTermStore]:
        backend = DictionaryBackend()
        return lambda **config: LongTermStore(backend, clock=clock, **config)


class Untouchable(Row):
    """A row that nobody may look at."""

    __slots__ = ()

    def hidden(self, now: datetime) -> bool:
        raise AssertionError("A row of another owner was looked at.")


def row(address: Address, *, kind: type[Row] = Row) -> Row:
    return kind(address=address, value={"n": 1}, created_at=NOW, updated_at=NOW, revision="1", texts=("tea",))


@pytest.fixture
def backend() -> DictionaryBackend:
    """One owner with one row, beside another owner whose rows may not be looked at."""
    backend = DictionaryBackend()
    rows = [row(MINE), row(Address(("notes", "bob"), "a"), kind=Untouchable)]
    run(backend.write([Write(address=each.address, row=each) for each in rows], NOW))
    return backend


def test_nobody_elses_rows_are_looked_at(backend: DictionaryBackend) -> None:
    """Whatever is done in one owner's scope, no row of another owner is looked at."""
    query = Query(now=NOW, prefixes=(("notes", "alex"),))
    assert len(run(backend.search(query))) == 1
    assert run(backend.count(query)) == 1
    assert len(run(backend.lexical(query, ["tea"]))) == 1
    assert len(run(backend.scan(query.prefixes, NOW, 9)) or []) == 1
    assert len(run(backend.get([MINE], NOW))) == 1
    run(backend.write([Write(address=MINE, row=row(MINE))], NOW))
    run(backend.refresh([MINE], NOW))
    run(backend.touch({MINE: [NOW]}, 9))


def test_stamp_is_the_scopes_own(backend: DictionaryBackend) -> None:
    """Another owner's writes leave a scope's stamp alone, and change that of the whole."""
    before = run(backend.stamp((("notes", "alex"),))), run(backend.stamp(((),)))
    run(backend.write([Write(address=Address(("notes", "bob"), "b"), row=row(Address(("notes", "bob"), "b")))], NOW))
    assert run(backend.stamp((("notes", "alex"),))) == before[0]
    assert run(backend.stamp(((),))) != before[1]


def test_rows_are_nobody_elses(backend: DictionaryBackend) -> None:
    """Values and vectors are copied on the way out, but for a scan: whoever changes them changes no row."""
    given = replace(row(MINE), value={"tags": []}, vectors=np.ones((1, 2), dtype=np.float32))
    run(backend.write([Write(address=MINE, row=given)], NOW))
    query = Query(now=NOW, prefixes=(("notes", "alex"),))
    got = [run(backend.get([MINE], NOW))[0], run(backend.search(query))[0].row]
    for each in got:
        assert each is not None
        each.value["tags"].append("mine")
        each.vectors[0] = 7
    kept = run(backend.get([MINE], NOW))[0]
    assert kept is not None
    assert (kept.value, kept.vectors.tolist()) == ({"tags": []}, [[1, 1]])


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns after each few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_may_share_it() -> None:
    """Readers and writers on many threads see whole batches, and nothing is lost."""
    backend = DictionaryBackend()
    scope = ("notes", "alex")

    def write(n: int) -> int:
        pair = [row(Address(scope, f"{n}-{side}")) for side in "lr"]
        run(backend.write([Write(address=each.address, row=each) for each in pair], NOW))
        return len(run(backend.scan((scope,), NOW, 999)) or [])

    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(write, range(100)))
    assert all(count % 2 == 0 for count in seen)
    assert max(seen) == 200


def test_emptied_namespaces_leave_nothing(backend: DictionaryBackend) -> None:
    """A namespace whose last row is deleted takes no place: it is again like one that never was."""
    deep = Address(("runs", "1", "2", "3"), "a")
    run(backend.write([Write(address=deep, row=row(deep))], NOW))
    run(backend.write([Write(address=deep, row=None)], NOW))
    for depth in range(1, 5):
        assert run(backend.stamp((deep.namespace[:depth],))) == run(backend.stamp((("never",),)))
