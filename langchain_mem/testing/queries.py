"""The properties of queries: scope, order, vectors and filters, each held against its plain meaning in Python."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from langgraph.store.base import PutOp

from langchain_mem.backends.base import Address, NamespaceQuery, Query, fits
from langchain_mem.filters.language import matches, parse_store
from langchain_mem.store.items import Items
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.forms import NS, Forms, Suite
from langchain_mem.testing.rows import A, C, put


class QuerySuite(Suite):
    """What a backend finds, counts and lists."""

    examples: ClassVar[int] = 25
    """How many random cases each law is tried on; each has several values and several filters."""

    def test_query_by_keys(self, store: Forms, clock: FakeClock) -> None:
        """`keys` asks for some rows of a scope, with and without a vector."""
        store.batch([PutOp(NS, key, {"text": f"tea {key}"}) for key in "abc"])
        query = Query(now=clock.now, prefixes=(NS,), keys=frozenset({"a", "c", "x"}))
        assert found(store, query) == [A, C]
        vector = store.do(store.store.items.embed_query("tea c"))
        assert found(store, replace(query, vector=vector)) == [C, A]

    def test_query_of_several_scopes(self, store: Forms, clock: FakeClock) -> None:
        """A row is found once where prefixes overlap, and no prefixes find nothing."""
        namespaces = [("a",), ("a", "b"), ("b",), ("c",)]
        store.batch([PutOp(namespace, "k", {"text": "tea"}) for namespace in namespaces])
        query = Query(now=clock.now, prefixes=(("b",), ("a", "b"), ("a",)))
        assert [address.namespace for address in found(store, query)] == namespaces[:3]
        assert found(store, replace(query, prefixes=())) == []

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
                assert [address.key for address in found(store, query)] == expected
                assert sorted(address.key for address in found(store, replace(query, vector=vector))) == expected
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

    def _law(self, test: Callable[[], None]) -> Callable[[], None]:
        from hypothesis import HealthCheck, settings

        return settings(max_examples=self.examples, deadline=None, suppress_health_check=list(HealthCheck))(test)


def found(store: Forms, query: Query) -> list[Address]:
    """Where the rows are that a query finds, in their order."""
    return [match.row.address for match in store.do(store.store.items.search(query))]
