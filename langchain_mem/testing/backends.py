"""What a backend of `LongTermStore` has to do beyond `BaseStore`, as a suite of tests for any of them.

rows        what is written comes back
queries     what is found, counted and listed
abilities   what a backend may do beside: scans, stamps, full text search, touches
"""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from langgraph.store.base import IndexConfig, PutOp

from langchain_mem.errors import EmbeddingMismatch
from langchain_mem.testing.abilities import AbilitySuite
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.conformance import StoreConformance
from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.forms import NS, Forms, keys
from langchain_mem.testing.queries import QuerySuite
from langchain_mem.testing.rows import RowSuite


class OtherEmbeddings(FakeEmbeddings):
    """An embedder of another name and the same length."""


class LongTermStoreConformance(StoreConformance, RowSuite, QuerySuite, AbilitySuite):
    """`StoreConformance`, and what `backends.base` asks of a backend. Subclassed in the same way.

    What a backend cannot do at all, being no `Scanning`, `Lexical` or `Touching`, is skipped.
    """

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
