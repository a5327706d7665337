"""The properties of searches: filters, order and pages, vectors."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from langgraph.store.base import IndexConfig, PutOp

from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.forms import NS, Forms, Suite, keys

FILTERED: dict[str, dict[str, Any]] = {
    "a": {"n": 9, "kind": "tea", "day": "2026-01-01", "exact": 2**53 + 1, "deep": {"x": 1}, "tags": ["x", "y"]},
    "b": {"n": 10, "kind": "coffee", "day": "2026-01-03", "deep": {"x": 1, "y": {"z": 2}}, "tags": ["z"]},
    "c": {"n": 1, "flag": True},
    "d": {"n": 1, "flag": 1},
    "e": {"n": 1, "flag": "true"},
    "f": {"n": 1, "o'dd \"k%y\\": 1, "": 1},
}
FILTERS: dict[str, list[tuple[dict[str, Any], str]]] = {
    "equality": [({"n": 9}, "a"), ({"n": {"$eq": 9}, "kind": "tea"}, "a"), ({"n": 9, "kind": "coffee"}, "")],
    "numbers": [
        ({"n": {"$gt": 9}}, "b"),
        ({"n": {"$gte": 9, "$lt": 10}}, "a"),
        ({"n": {"$lte": 9}}, "acdef"),
        ({"n": {"$ne": 9}}, "bcdef"),
        ({"exact": 2**53}, ""),
        ({"exact": 2**53 + 1}, "a"),
    ],
    "dates and text": [({"day": {"$gte": "2026-01-02"}}, "b"), ({"kind": {"$gt": "milk"}}, "a")],
    "absence": [({"kind": {"$ne": "tea"}}, "bcdef"), ({"missing": {"$gt": 1}}, ""), ({"missing": {"$lte": 1}}, "")],
    "booleans": [({"flag": True}, "c"), ({"flag": 1}, "d"), ({"flag": "true"}, "e")],
    "dicts and lists": [
        ({"deep": {"x": 1}}, "ab"),
        ({"deep": {"x": 1, "y": {"z": 2}}}, "b"),
        ({"deep": {"x": {"$gte": 1}}}, "ab"),
        ({"tags": ["x", "y"]}, "a"),
        ({"tags": ["y", "x"]}, ""),
    ],
    "any key": [({"o'dd \"k%y\\": 1}, "f"), ({"": 1}, "f")],
    "connectives": [
        ({"$and": [{"n": {"$gt": 8}}, {"n": {"$lt": 10}}]}, "a"),
        ({"$or": [{"n": 9}, {"kind": "coffee"}]}, "ab"),
        ({"$or": [{"$and": [{"n": 9}, {"kind": "coffee"}]}, {"flag": "true"}]}, "e"),
        ({"$not": {"n": {"$gte": 9}}}, "cdef"),
    ],
    "membership": [
        ({"n": {"$in": [9, 11]}}, "a"),
        ({"n": {"$nin": [9, 11]}}, "bcdef"),
        ({"kind": {"$nin": ["tea", "milk"]}}, "bcdef"),
        ({"tags": {"$in": ["y", "z"]}}, "ab"),
    ],
    "containment": [({"tags": {"$contains": "x"}}, "a"), ({"kind": {"$contains": "off"}}, "b")],
    "existence": [({"kind": {"$exists": True}}, "ab"), ({"kind": {"$exists": False}}, "cdef")],
}
"""By theme: filters, and the keys in `FILTERED` of what each finds."""


class Searching(Suite):
    """What a store's searches do; a part of `StoreConformance`."""

    wide: ClassVar[int] = 120
    """How many items the tests of broad searches put; an approximate index shows itself from a hundred on."""

    # Filters

    @pytest.mark.parametrize("case", FILTERS)
    def test_filters(self, store: Forms, case: str) -> None:
        """A filter finds what it says, with and without a query."""
        store.batch([PutOp(NS, key, {"text": f"note {key}", **value}) for key, value in FILTERED.items()])
        for asked, expected in FILTERS[case]:
            assert (asked, sorted(keys(store.search(NS, filter=asked)))) == (asked, list(expected))
            assert (asked, sorted(keys(store.search(NS, query="note", filter=asked)))) == (asked, list(expected))

    def test_unknown_operator_is_refused(self, store: Forms) -> None:
        """An operator that does not exist is an error and never silently an empty result."""
        store.put(NS, "a", {"text": "tea", "n": 1})
        for wrong in ({"n": {"$near": 1}}, {"$xor": [{"n": 1}]}):
            with pytest.raises(ValueError, match=r"\$"):
                store.search(NS, filter=wrong)

    def test_filter_comes_before_limit(self, store: Forms) -> None:
        """A page is full although most items do not match the filter."""
        store.batch([PutOp(NS, f"{n:03}", {"text": f"note {n}", "even": n % 20 == 0}) for n in range(self.wide)])
        assert len(store.search(NS, filter={"even": True}, limit=5)) == 5
        assert len(store.search(NS, query="note 7", filter={"even": True}, limit=5)) == 5

    # Search without a query

    def test_newest_first(self, store: Forms, clock: FakeClock) -> None:
        """Without a query the item that was updated last comes first."""
        for key in ("b", "c", "a"):
            clock.advance(microseconds=1)
            store.put(NS, key, {"text": "tea"})
        clock.advance(microseconds=1)
        store.put(NS, "b", {"text": "more tea"})
        assert keys(store.search(NS)) == ["b", "a", "c"]
        assert [item.score for item in store.search(NS)] == [None] * 3

    def test_pages(self, store: Forms, clock: FakeClock) -> None:
        """Pages follow each other without gap or overlap, and end."""
        for n in range(7):
            clock.advance(seconds=1)
            store.put(NS, str(n), {"text": f"tea {n}"})
        every = keys(store.search(NS))
        pages = [keys(store.search(NS, limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
        assert pages == [every[:3], every[3:6], every[6:], []]
        assert sorted(every) == sorted("0123456")

    # Vectors

    def test_query_ranks_by_similarity(self, store: Forms) -> None:
        """The most similar comes first, with the cosine as its score."""
        store.batch([PutOp(NS, key, {"text": text}) for key, text in _TEXTS.items()])
        found = store.search(NS, query="green tea")
        assert keys(found)[:2] == ["green", "black"]
        assert found[0].score == pytest.approx(1, abs=1e-5)
        assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)

    def test_query_without_an_index(self, opened: Callable[..., Forms]) -> None:
        """A store without an index answers a query with unscored items."""
        store = opened(index=None)
        store.put(NS, "a", {"text": "tea"})
        assert [(item.key, item.score) for item in store.search(NS, query="tea")] == [("a", None)]

    def test_queries_go_through_embed_query(self, store: Forms, embeddings: FakeEmbeddings) -> None:
        """A query is embedded as a query: some models embed passages differently."""
        store.put(NS, "a", {"text": "green tea"})
        store.search(NS, query="tea?")
        assert embeddings.queries == ["tea?"]
        assert embeddings.texts == ["green tea"]

    def test_same_text_twice_in_a_batch(self, store: Forms) -> None:
        """Two items of a batch may have the same text, and both are found."""
        store.batch([PutOp(NS, "a", {"text": "green tea"}), PutOp(NS, "b", {"text": "green tea"})])
        assert sorted(keys(store.search(NS, query="tea"))) == ["a", "b"]

    def test_fields_are_honored(self, store: Forms, embeddings: FakeEmbeddings) -> None:
        """Only the configured fields are embedded."""
        store.put(NS, "a", {"text": "green tea", "secret": "coffee"})
        assert embeddings.texts == ["green tea"]

    def test_whole_value_without_fields(self, opened: Callable[..., Forms], embeddings: FakeEmbeddings) -> None:
        """Without fields the whole value is embedded as one text."""
        store = opened(index={"dims": embeddings.dims, "embed": embeddings})
        store.put(NS, "a", {"drink": "tea"})
        assert embeddings.texts == ['{"drink": "tea"}']
        assert store.search(NS, query="tea")[0].score > 0

    @pytest.mark.parametrize(
        ("paths", "texts"),
        [
            (["title"], ["stars"]),
            (["meta.author"], ["ann"]),
            (["parts[*].body"], ["one", "two"]),
            (["parts[0].body"], ["one"]),
            (["parts[-1].body"], ["two"]),
            (["title", "absent", "meta.author"], ["stars", "ann"]),
        ],
    )
    def test_index_of_an_item(
        self, store: Forms, embeddings: FakeEmbeddings, paths: list[str], texts: list[str]
    ) -> None:
        """A put may name its own paths, into dicts and lists, and they replace the configured ones."""
        value = {"title": "stars", "meta": {"author": "ann"}, "parts": [{"body": "one"}, {"body": "two"}], "text": "no"}
        store.put(NS, "a", value, index=paths)
        assert sorted(embeddings.texts) == sorted(texts)
        assert store.search(NS, query=texts[-1])[0].score == pytest.approx(1, abs=1e-5)

    def test_index_false_is_not_embedded(self, store: Forms, embeddings: FakeEmbeddings) -> None:
        """An item put with `index=False` is stored and not embedded."""
        store.put(NS, "a", {"text": "green tea"}, index=False)
        assert embeddings.texts == []
        assert store.get(NS, "a").value == {"text": "green tea"}
        assert _scored(store.search(NS, query="tea")) == []

    def test_index_false_drops_old_vectors(self, store: Forms) -> None:
        """An update with `index=False` is no longer found by what stood there before."""
        store.put(NS, "a", {"text": "green tea"})
        store.put(NS, "a", {"text": "green tea"}, index=False)
        assert _scored(store.search(NS, query="green tea")) == []

    def test_fewer_elements_drop_old_vectors(self, store: Forms) -> None:
        """An element that an update removes from an indexed list is no longer found."""
        store.put(NS, "a", {"list": ["stars", "tea"]}, index=["list[*]"])
        store.put(NS, "a", {"list": ["tea"]}, index=["list[*]"])
        assert max(item.score for item in store.search(NS, query="stars")) < 0.9

    def test_deleted_vectors_do_not_return(self, store: Forms) -> None:
        """An item that is deleted and put again unindexed is not found by its old text."""
        store.put(NS, "a", {"text": "green tea"})
        store.delete(NS, "a")
        store.put(NS, "a", {"text": "green tea"}, index=False)
        assert _scored(store.search(NS, query="green tea")) == []

    def test_item_counts_once_by_its_best(self, store: Forms) -> None:
        """An item with several vectors comes once, with the score of the best."""
        store.put(NS, "a", {"list": ["stars", "green tea", "tea"]}, index=["list[*]"])
        found = store.search(NS, query="green tea")
        assert keys(found) == ["a"]
        assert found[0].score == pytest.approx(1, abs=1e-5)

    def test_many_vectors_do_not_crowd_out(self, store: Forms) -> None:
        """Sixty vectors in one item leave room for the next item on the page."""
        store.put(NS, "long", {"list": [f"green tea {n}" for n in range(60)]}, index=["list[*]"])
        store.put(NS, "short", {"text": "green stars"})
        assert keys(store.search(NS, query="green tea", limit=2)) == ["long", "short"]

    def test_vector_pages(self, store: Forms) -> None:
        """The pages of a query are the ranking cut in pieces, at any offset."""
        store.batch([PutOp(NS, f"{n:03}", {"text": f"note {n} on tea"}) for n in range(self.wide)])
        ranking = keys(store.search(NS, query="note 7", limit=self.wide))
        assert len(set(ranking)) == self.wide
        pages = [keys(store.search(NS, query="note 7", limit=50, offset=offset)) for offset in (0, 50, 100)]
        assert sum(pages, []) == ranking  # noqa: RUF017 - three short lists

    def test_broad_search_fills_its_limit(self, store: Forms) -> None:
        """A query over everything gives as many items as it asks for."""
        store.batch([PutOp(("notes", f"u{n % 40}"), f"{n}", {"text": f"note {n}"}) for n in range(self.wide)])
        assert len(store.search((), query="note", limit=100)) == 100

    def test_unchanged_text_is_not_embedded_again(self, store: Forms, embeddings: FakeEmbeddings) -> None:
        """A put that changes other fields costs no embedding, and the item is still found."""
        store.put(NS, "a", {"text": "green tea", "n": 1})
        store.put(NS, "a", {"text": "green tea", "n": 2})
        assert embeddings.texts == ["green tea"]
        assert keys(store.search(NS, query="tea", filter={"n": 2})) == ["a"]

    def test_wrong_vector_length_is_refused(
        self, opened: Callable[..., Forms], embeddings: FakeEmbeddings, index: IndexConfig
    ) -> None:
        """A vector of another length is refused at the put, which writes nothing."""
        store = opened(index={**index, "embed": FakeEmbeddings(dims=embeddings.dims + 1)})
        with pytest.raises(Exception, match=r"(?i)dimension|length|numbers|shape"):
            store.put(NS, "a", {"text": "tea"})
        assert store.get(NS, "a") is None

    def test_failing_embedder_writes_nothing(self, store: Forms, embeddings: FakeEmbeddings) -> None:
        """An embedder's own error reaches the caller, and the batch writes nothing."""
        embeddings.fail_with = ConnectionError("no route")
        with pytest.raises(ConnectionError):
            store.batch([PutOp(NS, "a", {"text": "tea"}), PutOp(NS, "b", {"n": 1}, index=False)])
        assert store.get(NS, "a") is None
        assert store.get(NS, "b") is None


_TEXTS = {"stars": "stars at night", "black": "black tea", "green": "green tea", "boats": "boats on rivers"}


def _scored(items: Sequence[Any]) -> list[str]:
    """The keys of those items that were found by a vector; a store may fill a page with others."""
    return [item.key for item in items if item.score is not None]
