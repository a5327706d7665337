"""What a backend of `LongTermStore` has to do beyond `BaseStore`, as a suite of tests for any of them."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import pytest
from langgraph.store.base import IndexConfig, PutOp

from langchain_mem.backends.base import ANY, Address, Listing, NamespaceQuery, Query, Row, Unconditional, Write, fits
from langchain_mem.errors import Conflict, EmbeddingMismatch
from langchain_mem.filters.language import matches, parse_store
from langchain_mem.store.items import Items
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.conformance import StoreConformance
from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.forms import NS, Forms, keys

A, B, C = (Address(NS, key) for key in "abc")


class OtherEmbeddings(FakeEmbeddings):
    """An embedder of another name and the same length."""


class LongTermStoreConformance(StoreConformance):
    """`StoreConformance`, and what `backends.base` asks of a backend. Subclassed in the same way.

    What a backend cannot do at all, being no `Scanning`, `Lexical` or `Touching`, is skipped.
    """

    examples: ClassVar[int] = 25
    """How many random cases each law is tried on; each has several values and several filters."""

    # The store's own

    def test_count(self, store: Forms) -> None:
        """`count` is how many items a search without a limit would find."""
        store.batch([PutOp(("notes", f"u{n % 2}"), str(n), {"text": "tea", "n": n}) for n in range(25)])
        assert store.count() == 25
        assert store.count(("notes", "u0")) == 13
        assert store.count(("notes",), filter={"n": {"$gte": 20}}) == 5
        assert store.count(("no",)) == 0

    def test_delete_namespace(self, store: Forms) -> None:
        """`delete_namespace` removes a namespace and what is below it, says how much, and spares its neighbors."""
        for namespace in [("a",), ("a", "b"), ("ab",), ("b", "a")]:
            store.put(namespace, "k", {"text": "tea"})
        assert store.delete_namespace(("a",)) == 2
        assert store.delete_namespace(("a",)) == 0
        assert store.list_namespaces() == [("ab",), ("b", "a")]
        assert len(store.search((), query="tea")) == 2

    def test_expires_at_an_instant(self, store: Forms, clock: FakeClock) -> None:
        """An item with an instant of expiry is hidden from then on, however often it is read."""
        store.put(NS, "a", {"text": "tea"}, expires_at=clock.now + timedelta(hours=1))
        clock.advance(minutes=59)
        assert store.get(NS, "a", refresh_ttl=True) is not None
        clock.advance(minutes=1)
        assert (store.get(NS, "a"), store.search(NS, query="tea"), store.count(NS)) == (None, [], 0)

    def test_place_outlives_a_store(self, opened: Callable[..., Forms], index: IndexConfig) -> None:
        """What one store has written another reads from the same place, vectors included."""
        opened(index=index).put(NS, "a", {"text": "green tea"})
        assert opened(index=index).search(NS, query="green tea")[0].score == pytest.approx(1, abs=1e-5)

    def test_setup_and_close_may_be_repeated(self, store: Forms) -> None:
        """Setting up twice and closing twice are no errors."""
        store.setup()
        store.setup()
        store.close()

    @pytest.mark.parametrize("case", [FakeEmbeddings(dims=32), OtherEmbeddings()], ids=["length", "name"])
    def test_another_embedder_is_refused(
        self, opened: Callable[..., Forms], index: IndexConfig, case: FakeEmbeddings
    ) -> None:
        """A place that holds one embedder's vectors opens with no other, and the error names both."""
        opened(index=index).put(NS, "a", {"text": "tea"})
        other = opened(index={**index, "embed": case, "dims": case.dims})
        with pytest.raises(EmbeddingMismatch, match=rf"FakeEmbeddings.*{type(case).__qualname__}.*{case.dims}"):
            other.put(NS, "b", {"text": "tea"})

    def test_dims_are_learned(self, opened: Callable[..., Forms], embeddings: FakeEmbeddings) -> None:
        """Without `dims` the length of a vector is what the embedder gives."""
        store = opened(index={"embed": embeddings.embed_documents, "fields": ["text"]})
        store.put(NS, "a", {"text": "green tea"})
        assert store.search(NS, query="green tea")[0].score == pytest.approx(1, abs=1e-5)

    @pytest.mark.parametrize("key", ["", "\x00", "a\x00b", "k" * 500, "e\u0301"])
    def test_any_key(self, store: Forms, key: str) -> None:
        """A key may be any text, empty or long or with NUL, and is compared exactly."""
        store.batch(
            [PutOp(NS, key, {"text": "this"}), PutOp(NS, f"{key} ", {"text": "that"}), PutOp(NS, "é", {"n": 1})]
        )
        assert store.get(NS, key).value == {"text": "this"}
        assert keys(store.search(NS, query="this", limit=1)) == [key]
        store.delete(NS, key)
        assert store.count(NS) == 2

    def test_half_characters(self, store: Forms) -> None:
        """A value may hold half a surrogate pair, as a model's output that was cut off does."""
        value = {"text": "tea \ud83c", "\udf75": ["\udf75\ud83c"]}
        store.put(NS, "a", value)
        assert store.get(NS, "a").value == value
        assert keys(store.search(NS, query="tea", filter={"text": "tea \ud83c"})) == ["a"]

    # Rows

    def test_rows_come_back_whole(self, store: Forms, clock: FakeClock) -> None:
        """A row keeps its instants, expiry, touches, vectors and digests."""
        at = clock.now - timedelta(days=3, microseconds=7)
        ends, ttl = clock.now + timedelta(seconds=90.5), timedelta(seconds=90.5)
        store.do(
            store.store.items.write([put(A, {"n": 1}, ["tea", "coffee"], at, touches=(at,), ttl=ttl, expires_at=ends)])
        )
        row = _read(store, A)
        assert (row.created_at, row.updated_at, row.touches, row.ttl) == (at, at, (at,), ttl)
        assert row.expires_at == ends
        assert row.vectors.dtype == np.float32
        assert np.linalg.norm(row.vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
        assert len(set(row.digests)) == 2

    def test_given_vectors_are_kept(self, store: Forms, embeddings: FakeEmbeddings) -> None:
        """Vectors that come with a row are brought to unit length and not embedded again."""
        vectors = np.eye(2, embeddings.dims, dtype=np.float32) * 3
        store.do(store.store.items.write([put(A, {}, ["x", "y"], vectors=vectors)]))
        assert _read(store, A).vectors == pytest.approx(vectors / 3, abs=1e-6)
        assert embeddings.texts == []

    def test_revision_changes_with_each_write(self, store: Forms) -> None:
        """Two writes of one value have two revisions."""
        store.put(NS, "a", {"n": 1})
        first = _read(store, A).revision
        store.put(NS, "a", {"n": 1})
        assert _read(store, A).revision != first

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
        store.do(write([Write.delete(A, expects=_read(store, A).revision)]))
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
        expects = _read(store, A).revision
        results = store.race(*(store.store.items.write([put(A, {"n": n}, None, expects=expects)]) for n in range(1, 6)))
        assert sum(isinstance(result, Conflict) for result in results) == 4
        assert results.count(None) == 1
        assert _read(store, A).value == {"n": results.index(None) + 1}

    def test_purge_in_parts(self, store: Forms, clock: FakeClock) -> None:
        """`purge` removes at most its limit, and only what has expired."""
        store.batch([PutOp(NS, str(n), {"n": n}, ttl=1) for n in range(5)])
        store.put(NS, "a", {"n": 5})
        clock.advance(minutes=2)
        assert [store.do(store.store.items.purge(limit=3)) for _ in range(3)] == [3, 2, 0]
        assert store.count() == 1

    # Queries

    def test_query_by_keys(self, store: Forms, clock: FakeClock) -> None:
        """`keys` asks for some rows of a scope, with and without a vector."""
        store.batch([PutOp(NS, key, {"text": f"tea {key}"}) for key in "abc"])
        query = Query(now=clock.now, prefixes=(NS,), keys=frozenset({"a", "c", "x"}))
        assert _found(store, query) == [A, C]
        vector = store.do(store.store.items.embed_query("tea c"))
        assert _found(store, replace(query, vector=vector)) == [C, A]

    def test_query_of_several_scopes(self, store: Forms, clock: FakeClock) -> None:
        """A row is found once where prefixes overlap, and no prefixes find nothing."""
        namespaces = [("a",), ("a", "b"), ("b",), ("c",)]
        store.batch([PutOp(namespace, "k", {"text": "tea"}) for namespace in namespaces])
        query = Query(now=clock.now, prefixes=(("b",), ("a", "b"), ("a",)))
        assert [address.namespace for address in _found(store, query)] == namespaces[:3]
        assert _found(store, replace(query, prefixes=())) == []

    def test_ties_go_by_address(self, store: Forms) -> None:
        """Items of one instant come in order of their namespaces and keys, by code point."""
        names = [("b", "a"), ("B", "z"), ("b", "Z"), ("a", "é"), ("a", "z"), ("a-b", "a")]
        store.batch([PutOp((label,), key, {"n": 1}) for label, key in names])
        assert [(item.namespace[0], item.key) for item in store.search(())] == sorted(names)

    def test_cosines_are_exact_in_a_scope(self, store: Forms, clock: FakeClock, embeddings: FakeEmbeddings) -> None:
        """In one owner's rows the ranking is that of the exact cosines, negative ones included."""
        random = np.random.default_rng(7)
        vectors = random.standard_normal((40, embeddings.dims)).astype(np.float32)
        writes = [
            put(Address(NS, str(n)), {"n": n}, [str(n)], vectors=vector[None]) for n, vector in enumerate(vectors)
        ]
        store.do(store.store.items.write(writes))
        target = vectors[0] / np.linalg.norm(vectors[0])
        cosines = vectors @ target / np.linalg.norm(vectors, axis=1)
        found = store.do(store.store.items.search(Query(now=clock.now, prefixes=(NS,), vector=target)))
        assert [match.row.value["n"] for match in found] == np.argsort(-cosines).tolist()
        assert [match.score for match in found] == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)

    def test_filters_agree_with_matches(self, store: Forms, clock: FakeClock) -> None:
        """A backend finds and counts exactly the rows for which `matches` is true, with a query and without."""
        from hypothesis import given
        from hypothesis import strategies as st

        from langchain_mem.testing.strategies import store_filters, store_values

        owners = itertools.count()
        items: Items = store.store.items
        vector = store.do(items.embed_query("tea"))

        @self._law
        @given(st.lists(store_values(), min_size=1, max_size=6), st.lists(store_filters(), min_size=1, max_size=4))
        def agree(values: list[dict[str, Any]], filters: list[dict[str, Any]]) -> None:
            scope = ("law", str(next(owners)))
            store.do(items.write([put(Address(scope, str(n)), value, ["tea"]) for n, value in enumerate(values)]))
            for given_filter in filters:
                condition = parse_store(given_filter)
                expected = [str(n) for n, value in enumerate(values) if matches(condition, value)]
                query = Query(now=clock.now, prefixes=(scope,), condition=condition)
                assert [address.key for address in _found(store, query)] == expected
                assert sorted(address.key for address in _found(store, replace(query, vector=vector))) == expected
                assert store.do(items.count(query)) == len(expected)

        agree()

    def test_values_come_back(self, store: Forms) -> None:
        """Any JSON value comes back equal and of the same types."""
        from hypothesis import given
        from hypothesis import strategies as st

        from langchain_mem.testing.strategies import store_values

        @self._law
        @given(st.lists(store_values(), min_size=1, max_size=8))
        def come_back(values: list[dict[str, Any]]) -> None:
            store.batch([PutOp(NS, str(n), value) for n, value in enumerate(values)])
            got = [store.get(NS, str(n)).value for n in range(len(values))]
            assert got == values
            assert repr(got) == repr(values)

        come_back()

    def test_namespaces_agree_with_fits(self, store: Forms, clock: FakeClock) -> None:
        """A backend lists exactly the namespaces that `fits`, cut, once each, in order."""
        from hypothesis import given
        from hypothesis import strategies as st

        paths = st.lists(st.sampled_from(["a", "b", "a_", "*"]), max_size=4).map(tuple)
        some = st.sets(paths.filter(bool), max_size=6)

        @self._law
        @given(some, paths, paths, st.none() | st.integers(1, 3))
        def agree(
            held: set[tuple[str, ...]], prefix: tuple[str, ...], suffix: tuple[str, ...], depth: int | None
        ) -> None:
            store.batch([PutOp(namespace, "k", {"n": 1}) for namespace in held])
            query = NamespaceQuery(now=clock.now, prefix=prefix, suffix=suffix, max_depth=depth)
            assert store.do(store.store.items.namespaces(query)) == sorted(
                {each[:depth] for each in held if fits(each, query)}
            )
            store.batch([PutOp(namespace, "k", None) for namespace in held])

        agree()

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
        assert _read(store, A).touches == (instants[2], instants[0])
        assert _read(store, B) is None

    def test_touch_is_no_write(self, store: Forms, clock: FakeClock) -> None:
        """A touch leaves value, `updated_at` and revision alone."""
        self._needs_touching(store)
        store.put(NS, "a", {"text": "tea"})
        before = _read(store, A)
        clock.advance(days=1)
        store.do(store.store.items.touch({A: [clock.now]}, keep=9))
        after = _read(store, A)
        assert (after.value, after.updated_at, after.revision) == (before.value, before.updated_at, before.revision)
        assert keys(store.search(NS, query="tea")) == ["a"]

    def test_concurrent_touches_all_count(self, store: Forms, clock: FakeClock) -> None:
        """Touches made at once are all kept, those of one instant too."""
        self._needs_touching(store)
        store.put(NS, "a", {"n": 1})
        store.race(*(store.store.items.touch({A: [clock.now]}, keep=50) for _ in range(8)))
        assert len(_read(store, A).touches) == 8

    def test_put_loses_no_touch(self, store: Forms, clock: FakeClock) -> None:
        """A put by someone who read the row before a touch keeps that touch, and counts none twice."""
        self._needs_touching(store)
        first, second, third = (clock.now + timedelta(seconds=n) for n in (1, 2, 3))
        items: Items = store.store.items
        store.do(items.write([put(A, {"n": 1}, None, touches=(first,))]))
        store.do(items.touch({A: [second]}, keep=9))
        store.do(items.write([put(A, {"n": 2}, None, touches=(first, third))]))
        assert _read(store, A).touches == (first, second, third)

    def _law(self, test: Callable[[], None]) -> Callable[[], None]:
        from hypothesis import HealthCheck, settings

        return settings(max_examples=self.examples, deadline=None, suppress_health_check=list(HealthCheck))(test)

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


_NOTES = {
    "plain": "tea in the morning",
    "shout": "TEA in the evening",
    "both": "tea and biscuits",
    "rare": "sencha",
    "none": "stars at night",
}


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


def _read(store: Forms, address: Address) -> Any:
    return store.do(store.store.items.read([address]))[0]


def _found(store: Forms, query: Query) -> list[Address]:
    return [match.row.address for match in store.do(store.store.items.search(query))]
