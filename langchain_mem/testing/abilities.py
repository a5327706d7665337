"""The properties of what a backend may do beside the protocol: scans, stamps, full text search, touches.

What a backend cannot do, being no `Scanning`, `Listing`, `Lexical` or `Touching`, is skipped.
"""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from langgraph.store.base import PutOp

from langchain_mem.backends.base import Address, Listing, Query, Row
from langchain_mem.filters.language import parse_store
from langchain_mem.store.items import Items
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.forms import NS, Forms, Suite, keys
from langchain_mem.testing.rows import A, B, put, row_at

_NOTES = {
    "plain": "tea in the morning",
    "shout": "TEA in the evening",
    "both": "tea and biscuits",
    "rare": "sencha",
    "none": "stars at night",
}


class AbilitySuite(Suite):
    """What the optional protocols of `backends.base` ask."""

    # Scanning

    def test_scan_is_a_whole_scope(self, store: Forms, clock: FakeClock) -> None:
        """A scan gives every live row in scope with its vectors, in order of address, and no other owner's."""
        store.batch([PutOp(NS, key, {"text": f"tea {key}"}) for key in "cab"])
        store.put((*NS, "below"), "d", {"text": "tea"}, index=False)
        store.put((*NS, "below"), "e", {"text": "tea"}, ttl=1)
        store.put(("notes", "alexander"), "f", {"text": "tea"})
        clock.advance(minutes=1)
        rows = self._scan(store, limit=4)
        assert [row.address.key for row in rows] == ["a", "b", "c", "d"]
        assert [len(row.vectors) for row in rows] == [1, 1, 1, 0]
        assert store.do(store.store.items.scan([NS], limit=3)) is None

    def test_addresses_are_where_rows_are(self, store: Forms, clock: FakeClock) -> None:
        """Every live row in scope is listed, however its labels and its key are spelled, and none that went."""
        backend = store.store.items.backend
        if not isinstance(backend, Listing):
            pytest.skip("This backend does not list addresses.")
        long = (*NS, "long " * 40)
        here = [Address(NS, "a/b=c#1"), Address((*NS, "b%=ü"), "k"), Address(long, "k")]
        store.batch([PutOp(*address, {"text": "tea"}) for address in here])
        store.batch([PutOp(("notes", "alexander"), "f", {"text": "tea"}), PutOp(NS, "gone", {"text": "tea"})])
        store.delete(NS, "gone")
        store.put(NS, "e", {"text": "tea"}, ttl=1)
        clock.advance(minutes=1)
        assert store.do(backend.addresses((NS,), clock.now)) == sorted(here)

    def test_stamp_changes_with_writes(self, store: Forms, clock: FakeClock) -> None:
        """A scope's stamp changes with each put, delete, refresh and purge in it, not with time or touches."""
        stamps = [self._stamp(store)]
        changes: list[Callable[[], Any]] = [
            lambda: store.put(NS, "a", {"n": 1}),
            lambda: store.put(NS, "a", {"n": 1}),
            lambda: store.put((*NS, "below"), "b", {"n": 1}, ttl=1),
            lambda: store.get((*NS, "below"), "b", refresh_ttl=True),
            lambda: store.delete(NS, "a"),
            lambda: clock.advance(minutes=2) and store.sweep_ttl(),
        ]
        for change in changes:
            change()
            stamps.append(self._stamp(store))
            assert stamps[-1] != stamps[-2]
        store.put(NS, "a", {"n": 1})
        stamps.append(self._stamp(store))
        store.do(store.store.items.touch({A: [clock.now]}, keep=3))
        clock.advance(days=1)
        assert self._stamp(store) == stamps[-1]

    # Lexical search

    def test_lexical_finds_words(self, store: Forms) -> None:
        """Rows that hold a word of the query come, whatever its case; those without any do not."""
        store.batch([PutOp(NS, key, {"text": text}) for key, text in _NOTES.items()])
        assert self._lexical(store, ["sencha"]) == ["rare"]
        assert sorted(self._lexical(store, ["tea"])) == ["both", "plain", "shout"]
        assert self._lexical(store, ["absent"]) == []

    def test_lexical_ranks_rarer_and_more(self, store: Forms) -> None:
        """A row with more of the words, or with a rarer one, comes first."""
        store.batch([PutOp(NS, key, {"text": text}) for key, text in _NOTES.items()])
        assert self._lexical(store, ["tea", "biscuits"])[0] == "both"
        assert self._lexical(store, ["tea", "sencha"])[0] == "rare"

    def test_lexical_keeps_to_its_query(self, store: Forms, clock: FakeClock) -> None:
        """Scope, condition, expiry and limit hold for words as for vectors."""
        store.batch([PutOp(NS, str(n), {"text": "tea", "n": n}) for n in range(5)])
        store.put(("notes", "alexander"), "other", {"text": "tea", "n": 4})
        store.put(NS, "gone", {"text": "tea", "n": 4}, ttl=1)
        clock.advance(minutes=1)
        assert len(self._lexical(store, ["tea"], limit=2)) == 2
        assert sorted(self._lexical(store, ["tea"], condition=parse_store({"n": {"$gte": 3}}))) == ["3", "4"]

    def test_lexical_forgets(self, store: Forms) -> None:
        """Words that an update or a delete removed are found no more."""
        store.batch([PutOp(NS, "a", {"text": "tea"}), PutOp(NS, "b", {"text": "tea"}), PutOp(NS, "c", {"text": "tea"})])
        store.batch([PutOp(NS, "a", {"text": "coffee"}), PutOp(NS, "b", None), PutOp(NS, "c", {"text": "tea"}, False)])
        assert self._lexical(store, ["tea"]) == []

    # Touches

    def test_touches_are_kept(self, store: Forms, clock: FakeClock) -> None:
        """The newest touches are kept, newest last, and an absent row is skipped."""
        self._needs_touching(store)
        store.put(NS, "a", {"n": 1})
        instants = [clock.now + timedelta(seconds=n) for n in (3, 1, 2)]
        store.do(store.store.items.touch({A: instants[:1], B: instants}, keep=2))
        store.do(store.store.items.touch({A: instants[1:]}, keep=2))
        assert row_at(store, A).touches == (instants[2], instants[0])
        assert row_at(store, B) is None

    def test_touch_is_no_write(self, store: Forms, clock: FakeClock) -> None:
        """A touch leaves value, `updated_at` and revision alone."""
        self._needs_touching(store)
        store.put(NS, "a", {"text": "tea"})
        before = row_at(store, A)
        clock.advance(days=1)
        store.do(store.store.items.touch({A: [clock.now]}, keep=9))
        after = row_at(store, A)
        assert (after.value, after.updated_at, after.revision) == (before.value, before.updated_at, before.revision)
        assert keys(store.search(NS, query="tea")) == ["a"]

    def test_concurrent_touches_all_count(self, store: Forms, clock: FakeClock) -> None:
        """Touches made at once are all kept, those of one instant too."""
        self._needs_touching(store)
        store.put(NS, "a", {"n": 1})
        store.race(*(store.store.items.touch({A: [clock.now]}, keep=50) for _ in range(8)))
        assert len(row_at(store, A).touches) == 8

    def test_put_loses_no_touch(self, store: Forms, clock: FakeClock) -> None:
        """A put by someone who read the row before a touch keeps that touch, and counts none twice."""
        self._needs_touching(store)
        first, second, third = (clock.now + timedelta(seconds=n) for n in (1, 2, 3))
        items: Items = store.store.items
        store.do(items.write([put(A, {"n": 1}, None, touches=(first,))]))
        store.do(items.touch({A: [second]}, keep=9))
        store.do(items.write([put(A, {"n": 2}, None, touches=(first, third))]))
        assert row_at(store, A).touches == (first, second, third)

    def _scan(self, store: Forms, limit: int) -> list[Row]:
        scan = store.do(store.store.items.scan([NS], limit=limit))
        if scan is None:
            pytest.skip("This backend does not scan.")
        return list(scan.rows)

    def _stamp(self, store: Forms) -> Any:
        stamp = store.do(store.store.items.stamp([NS]))
        if stamp is None:
            pytest.skip("This backend knows no stamps.")
        return stamp

    def _lexical(self, store: Forms, words: Sequence[str], **query: Any) -> list[str]:
        items: Items = store.store.items
        found = store.do(items.lexical(Query(now=items.now(), prefixes=(NS,), **query), words))
        if found is None:
            pytest.skip("This backend has no full text search.")
        return [match.row.address.key for match in found]

    def _needs_touching(self, store: Forms) -> None:
        if not store.store.items.touching:
            pytest.skip("This backend records no touches.")
