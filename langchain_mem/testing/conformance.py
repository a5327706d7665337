"""What a LangGraph store has to do, as a suite of tests for any of them.

A store's own test file is a fixture:

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def open_store(self, clock):
            place = Database()
            return lambda **config: MyStore(place, clock=clock, **config)

`config` is `index` and `ttl`, in LangGraph's words; see `Suite.open_store`. Every property runs with the sync and with
the async methods; `forms = ("sync",)` says that a store has one form only, and `expected_failures` what it lacks.
Neither pytest-asyncio nor a database is needed. `LongTermStoreConformance` adds what a backend of `LongTermStore` does
beyond `BaseStore`, and is subclassed in the same way.
"""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from langgraph.store.base import GetOp, IndexConfig, ListNamespacesOp, PutOp, SearchOp

from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.forms import Forms, Suite

NS = ("notes", "alex")
ODD_TEXTS = [
    "a b",
    "a/b",
    "a:b",
    "al_x",
    "100%",
    "back\\slash",
    "'",
    '"; DROP TABLE store; --',
    "*",
    "$gt",
    "{a}",
    "é",
    "東京",
    "🙂",
    "\n",
]

FILTERED: dict[str, dict[str, Any]] = {
    "a": {"n": 9, "kind": "tea", "day": "2026-01-01", "exact": 2**53 + 1, "deep": {"x": 1}, "tags": ["x", "y"]},
    "b": {"n": 10, "kind": "coffee", "day": "2026-01-03", "deep": {"x": 1, "y": {"z": 2}}, "tags": ["z"]},
    "c": {"flag": True},
    "d": {"flag": 1},
    "e": {"flag": "true"},
    "f": {"o'dd \"k%y\\": 1, "": 1},
}
FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "a bare value": ({"n": 9}, "a"),
    "two fields": ({"n": {"$eq": 9}, "kind": "tea"}, "a"),
    "numbers compare as numbers": ({"n": {"$gt": 9}}, "b"),
    "two ends of a range": ({"n": {"$gte": 9, "$lt": 10}}, "a"),
    "lte": ({"n": {"$lte": 9}}, "a"),
    "ne includes absent": ({"n": {"$ne": 9}}, "bcdef"),
    "a range over a missing field": ({"missing": {"$gt": 1}}, ""),
    "a range over ISO dates": ({"day": {"$gte": "2026-01-02"}}, "b"),
    "a range over text": ({"kind": {"$gt": "milk"}}, "a"),
    "True is not 1": ({"flag": True}, "c"),
    "1 is not True": ({"flag": 1}, "d"),
    "2**53 is not 2**53 + 1": ({"exact": 2**53}, ""),
    "2**53 + 1 is itself": ({"exact": 2**53 + 1}, "a"),
    "a nested dict": ({"deep": {"x": 1}}, "ab"),
    "a deeper dict": ({"deep": {"x": 1, "y": {"z": 2}}}, "b"),
    "an operator in a dict": ({"deep": {"x": {"$gte": 1}}}, "ab"),
    "a whole list": ({"tags": ["x", "y"]}, "a"),
    "any text as a key": ({"o'dd \"k%y\\": 1}, "f"),
    "no text as a key": ({"": 1}, "f"),
    "and": ({"$and": [{"n": {"$gt": 8}}, {"n": {"$lt": 10}}]}, "a"),
    "or": ({"$or": [{"n": 9}, {"kind": "coffee"}]}, "ab"),
    "and within or": ({"$or": [{"$and": [{"n": 9}, {"kind": "coffee"}]}, {"flag": "true"}]}, "e"),
    "not": ({"$not": {"n": {"$gte": 9}}}, "cdef"),
    "in": ({"n": {"$in": [9, 11]}}, "a"),
    "nin": ({"n": {"$nin": [9, 11]}}, "bcdef"),
    "in, of a list": ({"tags": {"$in": ["y", "z"]}}, "ab"),
    "contains an element": ({"tags": {"$contains": "x"}}, "a"),
    "contains text": ({"kind": {"$contains": "off"}}, "b"),
    "exists": ({"kind": {"$exists": True}}, "ab"),
    "exists not": ({"kind": {"$exists": False}}, "cdef"),
}


def keys(items: Sequence[Any]) -> list[str]:
    """The keys of items, in their order."""
    return [item.key for item in items]


class StoreConformance(Suite):
    """Everything `BaseStore` documents, and what its stores have got wrong. See the module for how to subclass it."""

    wide: ClassVar[int] = 120
    """How many items the tests of broad searches put; an approximate index shows itself from a hundred on."""

    # Items

    def test_gives_back_what_was_put(self, store: Forms) -> None:
        """An item comes back with its namespace, its key and an equal value."""
        value = {"text": "tea", "n": [1, 2.5, None, True, {"deep": [{}, [], ""]}], "big": 2**70, "é": "🙂"}
        store.put(NS, "a", value)
        item = store.get(NS, "a")
        assert (item.namespace, item.key, item.value) == (NS, "a", value)

    def test_nothing_there_is_none(self, store: Forms) -> None:
        """A get of what was never put is `None`."""
        store.put(NS, "a", {"text": "tea"})
        assert store.get(NS, "b") is None
        assert store.get(("notes",), "a") is None

    def test_put_replaces_the_whole_value(self, store: Forms) -> None:
        """A second put leaves nothing of the first value."""
        store.put(NS, "a", {"text": "tea", "old": 1})
        store.put(NS, "a", {"text": "tea", "new": 2})
        assert store.get(NS, "a").value == {"text": "tea", "new": 2}

    def test_delete_removes_and_may_find_nothing(self, store: Forms) -> None:
        """A deleted item is gone, and deleting it again is no error."""
        store.put(NS, "a", {"text": "tea"})
        store.delete(NS, "a")
        store.delete(NS, "a")
        assert store.get(NS, "a") is None
        assert store.search(NS) == []

    def test_created_at_survives_an_update(self, store: Forms, clock: FakeClock) -> None:
        """An update moves `updated_at` and leaves `created_at`."""
        store.put(NS, "a", {"text": "tea"})
        first = store.get(NS, "a")
        clock.advance(hours=1)
        store.put(NS, "a", {"text": "coffee"})
        second = store.get(NS, "a")
        assert second.created_at == first.created_at
        assert second.updated_at > first.updated_at

    def test_timestamps_are_aware_and_fine(self, store: Forms, clock: FakeClock) -> None:
        """Timestamps know their zone and keep microseconds, from get and from search."""
        clock.advance(microseconds=123_457)
        store.batch([PutOp(NS, key, {"text": "tea"}) for key in "abc"])
        items = [store.get(NS, "a"), *store.search(NS)]
        assert all(item.created_at.tzinfo and item.updated_at.tzinfo for item in items)
        assert any(item.updated_at.microsecond % 1000 for item in items)

    def test_values_are_isolated(self, store: Forms) -> None:
        """Changing what was put or what was got changes nothing in the store."""
        value = {"text": "tea", "tags": ["hot"]}
        store.put(NS, "a", value)
        value["tags"].append("mine")  # type: ignore[attr-defined]
        store.get(NS, "a").value["tags"].append("yours")
        store.search(NS)[0].value["tags"].append("theirs")
        assert store.get(NS, "a").value == {"text": "tea", "tags": ["hot"]}

    def test_any_text_in_a_value(self, store: Forms) -> None:
        """NUL, quotes and other syntax in a value are data."""
        value = {"text": "\x00", "odd": ODD_TEXTS, **{text: text for text in ["\x00", *ODD_TEXTS]}}
        store.put(NS, "a", value)
        assert store.get(NS, "a").value == value

    @pytest.mark.parametrize("odd", ODD_TEXTS)
    def test_any_text_as_key_and_label(self, store: Forms, odd: str) -> None:
        """Keys and labels are opaque: what is syntax elsewhere addresses one item and no other."""
        store.put(("odd", odd), odd, {"text": "this"})
        store.put(("odd", "other"), "other", {"text": "that"})
        assert store.get(("odd", odd), odd).value == {"text": "this"}
        assert [(item.namespace, item.key) for item in store.search(("odd", odd))] == [(("odd", odd), odd)]
        store.delete(("odd", odd), odd)
        assert store.list_namespaces() == [("odd", "other")]

    def test_large_values(self, store: Forms) -> None:
        """A value of a megabyte comes back whole."""
        value = {"text": "tea", "body": "0123456789abcdef" * 65_536}
        store.put(NS, "a", value)
        assert store.get(NS, "a").value == value

    # Batches

    def test_results_in_order(self, store: Forms) -> None:
        """A batch gives one result an operation, in their order."""
        store.put(NS, "a", {"text": "tea"})
        results = store.batch([PutOp(NS, "b", {"text": "b"}), SearchOp(NS), GetOp(NS, "a"), ListNamespacesOp()])
        assert results[0] is None
        assert keys(results[1]) == ["a"]
        assert results[2].key == "a"
        assert results[3] == [NS]

    def test_reads_come_before_writes(self, store: Forms) -> None:
        """Reads in a batch see the state before its writes, wherever they stand."""
        store.put(NS, "a", {"text": "old"})
        results = store.batch([PutOp(NS, "a", {"text": "new"}), GetOp(NS, "a"), SearchOp(NS)])
        assert results[1].value == results[2][0].value == {"text": "old"}
        assert store.get(NS, "a").value == {"text": "new"}

    def test_last_write_wins(self, store: Forms) -> None:
        """Of several writes to one address in a batch the last one counts."""
        store.batch([PutOp(NS, "a", {"text": "1"}), PutOp(NS, "a", None), PutOp(NS, "a", {"text": "3"})])
        store.batch([PutOp(NS, "b", {"text": "1"}), PutOp(NS, "b", None)])
        assert store.get(NS, "a").value == {"text": "3"}
        assert store.get(NS, "b") is None

    def test_bad_batch_leaves_nothing(self, store: Forms) -> None:
        """A batch with a value that is not JSON raises and writes nothing at all."""
        with pytest.raises((TypeError, ValueError)):
            store.batch([PutOp(NS, "a", {"text": "good"}), PutOp(NS, "b", {"text": "bad", "it": object()})])
        assert store.search(NS) == []

    def test_bad_operation_spares_its_neighbors(self, store: Forms) -> None:
        """Of several puts at once, only the one that is wrong fails."""
        values = {"a": {"text": "good"}, "b": {"text": "bad", "it": object()}, "c": {"text": "good"}}
        results = store.together(*(("put", NS, key, value) for key, value in values.items()))
        assert [isinstance(result, Exception) for result in results] == [False, True, False]
        assert sorted(keys(store.search(NS))) == ["a", "c"]

    def test_concurrent_puts_all_arrive(self, store: Forms) -> None:
        """Puts made at once, to one address and to many, are all done."""
        calls = [("put", NS, f"k{n % 10}", {"text": f"note {n}"}) for n in range(20)]
        assert store.together(*calls) == [None] * 20
        assert sorted(keys(store.search(NS, limit=20))) == [f"k{n}" for n in range(10)]

    def test_both_forms_see_one_store(self, store: Forms) -> None:
        """What one form writes the other reads, on the same object."""
        if len(self.forms) < 2:
            pytest.skip("This store has one form.")
        store.put(NS, "a", {"text": "green tea"})
        assert keys(store.other.search(NS, query="tea")) == ["a"]
        store.other.delete(NS, "a")
        assert store.get(NS, "a") is None

    # Namespaces

    def test_prefix_is_whole_labels(self, store: Forms) -> None:
        """A prefix never sees a longer label, and a label is no pattern."""
        for owner in ("alex", "alexander", "al_x", "al%"):
            store.put(("notes", owner), owner, {"text": "tea"})
        for owner in ("alex", "al_x", "al%"):
            assert keys(store.search(("notes", owner))) == [owner]
            assert keys(store.search(("notes", owner), query="tea")) == [owner]
        assert store.search(("notes", "al")) == []

    def test_prefix_covers_what_is_below(self, store: Forms) -> None:
        """A search sees its namespace and those below, and the empty prefix sees all."""
        for namespace in [("a",), ("a", "b"), ("a", "b", "c"), ("b",)]:
            store.put(namespace, "/".join(namespace), {"text": "tea"})
        assert sorted(keys(store.search(("a", "b")))) == ["a/b", "a/b/c"]
        assert len(store.search(())) == 4

    def test_list_prefix(self, store: Forms) -> None:
        """A prefix may be a list of labels."""
        store.put(NS, "a", {"text": "tea"})
        assert keys(store.search(list(NS))) == ["a"]
        assert keys(store.search(["notes"], query="tea")) == ["a"]

    def test_reading_creates_no_namespace(self, store: Forms) -> None:
        """Reading leaves no trace, and a namespace vanishes with its last item."""
        store.get(("never",), "a")
        store.search(("never",))
        store.put(NS, "a", {"text": "tea"})
        store.delete(NS, "a")
        store.delete(("never", "there"), "a")
        assert store.list_namespaces() == []

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({}, ["a.b.c", "a.b.d", "a.x.c", "b", "b.c"]),
            ({"prefix": ("a", "b")}, ["a.b.c", "a.b.d"]),
            ({"prefix": ["a", "b"]}, ["a.b.c", "a.b.d"]),
            ({"prefix": ("a", "*", "c")}, ["a.b.c", "a.x.c"]),
            ({"suffix": ("c",)}, ["a.b.c", "a.x.c", "b.c"]),
            ({"suffix": ("*", "c")}, ["a.b.c", "a.x.c", "b.c"]),
            ({"suffix": ("*", "*", "c")}, ["a.b.c", "a.x.c"]),
            ({"prefix": ("a",), "suffix": ("d",)}, ["a.b.d"]),
            ({"max_depth": 2}, ["a.b", "a.x", "b", "b.c"]),
            ({"prefix": ("a",), "max_depth": 1}, ["a"]),
            ({"limit": 2}, ["a.b.c", "a.b.d"]),
            ({"limit": 2, "offset": 3}, ["b", "b.c"]),
            ({"max_depth": 2, "limit": 2, "offset": 1}, ["a.x", "b"]),
            ({"prefix": ("c",)}, []),
        ],
    )
    def test_list_namespaces(self, store: Forms, asked: dict[str, Any], expected: list[str]) -> None:
        """Namespaces are listed by prefix, suffix, wildcard and depth, each once, in order, by pages."""
        names = ["b.c", "a.x.c", "a.b.d", "b", "a.b.c"]
        store.batch([PutOp(tuple(name.split(".")), key, {"text": "tea"}) for name in names for key in ("1", "2")])
        assert [".".join(namespace) for namespace in store.list_namespaces(**asked)] == expected

    @pytest.mark.parametrize("namespace", [(), ("a.b",), ("a", ""), ("langgraph", "a")])
    def test_invalid_namespaces_are_refused(self, store: Forms, namespace: tuple[str, ...]) -> None:
        """Nothing is put where a namespace is empty, is LangGraph's own, or has an empty label or a period."""
        with pytest.raises(ValueError, match=r"(?i)namespace|label"):
            store.put(namespace, "a", {"text": "tea"})
        assert store.search(()) == []

    # Filters

    @pytest.mark.parametrize("case", FILTERS)
    def test_filters(self, store: Forms, case: str) -> None:
        """A filter finds what it says, with and without a query."""
        asked, expected = FILTERS[case]
        store.batch([PutOp(NS, key, {"text": f"note {key}", **value}) for key, value in FILTERED.items()])
        assert sorted(keys(store.search(NS, filter=asked))) == list(expected)
        assert sorted(keys(store.search(NS, query="note", filter=asked))) == list(expected)

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
            store.put(NS, str(n), {"text": "tea"})
        pages = [keys(store.search(NS, limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
        assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"], []]

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

    # Expiry

    def test_expired_items_are_hidden_at_once(self, sliding: Forms, clock: FakeClock) -> None:
        """An expired item is in no get, search or list of namespaces, before any sweep."""
        sliding.put(NS, "a", {"text": "tea"})
        clock.advance(minutes=10)
        assert sliding.get(NS, "a") is None
        assert sliding.search(NS) == []
        assert sliding.list_namespaces() == []

    def test_put_sets_its_own_ttl(self, sliding: Forms, clock: FakeClock) -> None:
        """A put's own TTL replaces the default, and `None` is for ever."""
        sliding.put(NS, "default", {"text": "tea"})
        sliding.put(NS, "short", {"text": "tea"}, ttl=0.5)
        sliding.put(NS, "ever", {"text": "tea"}, ttl=None)
        clock.advance(seconds=31)
        assert sorted(keys(sliding.search(NS, refresh_ttl=False))) == ["default", "ever"]
        clock.advance(days=1000)
        assert keys(sliding.search(NS)) == ["ever"]

    @pytest.mark.parametrize("read", ["get", "search"])
    def test_reading_lets_live_on(self, sliding: Forms, clock: FakeClock, read: str) -> None:
        """A get or a search starts an item's time again, unless it is told not to; fractions of a minute count."""
        reads: dict[str, Callable[[bool | None], list[Any]]] = {
            "get": lambda refresh: [sliding.get(NS, "a", refresh_ttl=refresh)],
            "search": lambda refresh: sliding.search(NS, refresh_ttl=refresh) or [None],
        }
        sliding.put(NS, "a", {"text": "tea"}, ttl=0.5)
        for refresh in (None, True, True, False):
            clock.advance(seconds=20)
            assert reads[read](refresh) != [None]
        clock.advance(seconds=10)
        assert reads[read](None) == [None]

    def test_reading_need_not_refresh(self, opened: Callable[..., Forms], clock: FakeClock) -> None:
        """With `refresh_on_read` off a read changes nothing, unless it is told to."""
        store = opened(index=None, ttl={"default_ttl": 1, "refresh_on_read": False})
        if not store.store.supports_ttl:
            pytest.skip("This store has no TTL.")
        store.put(NS, "a", {"text": "tea"})
        clock.advance(seconds=40)
        assert store.get(NS, "a", refresh_ttl=True) is not None
        clock.advance(seconds=40)
        assert store.get(NS, "a") is not None
        clock.advance(seconds=20)
        assert store.get(NS, "a") is None

    def test_sweep_removes_and_counts(self, sliding: Forms, clock: FakeClock) -> None:
        """A sweep removes what has expired, says how much, and leaves the rest."""
        sliding.batch([PutOp(NS, key, {"text": "tea"}, ttl=1) for key in "abc"])
        sliding.put(NS, "d", {"text": "tea"})
        clock.advance(minutes=1)
        assert sliding.sweep_ttl() == 3
        assert sliding.sweep_ttl() == 0
        assert keys(sliding.search(NS)) == ["d"]

    def test_expired_item_is_written_anew(self, sliding: Forms, clock: FakeClock) -> None:
        """A put to where an item has expired creates a new item."""
        sliding.put(NS, "a", {"text": "old"})
        clock.advance(minutes=11)
        sliding.put(NS, "a", {"text": "new"})
        item = sliding.get(NS, "a")
        assert item.value == {"text": "new"}
        assert item.created_at == item.updated_at


_TEXTS = {"stars": "stars at night", "black": "black tea", "green": "green tea", "boats": "boats on rivers"}


def _scored(items: Sequence[Any]) -> list[str]:
    """The keys of those items that were found by a vector; a store may fill a page with others."""
    return [item.key for item in items if item.score is not None]
