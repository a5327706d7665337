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

from collections.abc import Callable
from typing import Any

import pytest
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp

from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.forms import NS, Forms, keys
from langchain_mem.testing.searching import Searching

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

LISTINGS: list[tuple[dict[str, Any], list[str]]] = [
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
]
"""What to ask `list_namespaces` for, and what it finds."""


class StoreConformance(Searching):
    """Everything `BaseStore` documents, and what its stores have got wrong. See the module for how to subclass it."""

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
        store.batch([PutOp(NS, key, {"text": f"tea {key}"}) for key in "abc"])
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

    def test_any_text_as_key_and_label(self, store: Forms) -> None:
        """Keys and labels are opaque: what is syntax elsewhere addresses one item and no other."""
        store.batch([PutOp(("odd", odd), odd, {"text": f"note {n}"}) for n, odd in enumerate(ODD_TEXTS)])
        for n, odd in enumerate(ODD_TEXTS):
            assert store.get(("odd", odd), odd).value == {"text": f"note {n}"}
            assert [(item.namespace, item.key) for item in store.search(("odd", odd))] == [(("odd", odd), odd)]
        store.delete(("odd", "*"), "*")
        assert sorted(keys(store.search(("odd",), limit=99))) == sorted(set(ODD_TEXTS) - {"*"})

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
        """Of several operations at once, only the one that is wrong fails."""
        store.put(NS, "a", {"n": 1})
        bad = SearchOp(NS, {"n": {"$near": 1}})
        results = store.together(("put", NS, "b", {"n": 2}), ("batch", [bad]), ("put", NS, "c", {"n": 3}))
        assert [isinstance(result, Exception) for result in results] == [False, True, False]
        assert sorted(keys(store.search(NS))) == ["a", "b", "c"]

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

    def test_list_namespaces(self, store: Forms) -> None:
        """Namespaces are listed by prefix, suffix, wildcard and depth, each once, in order, by pages."""
        names = ["b.c", "a.x.c", "a.b.d", "b", "a.b.c"]
        store.batch([PutOp(tuple(name.split(".")), key, {"n": 1}, False) for name in names for key in ("1", "2")])
        for asked, expected in LISTINGS:
            found = [".".join(namespace) for namespace in store.list_namespaces(**asked)]
            assert (asked, found) == (asked, expected)

    def test_invalid_namespaces_are_refused(self, store: Forms) -> None:
        """Nothing is put where a namespace is empty, is LangGraph's own, or has an empty label or a period."""
        for namespace in [(), ("a.b",), ("a", ""), ("langgraph", "a")]:
            with pytest.raises(ValueError, match=r"(?i)namespace|label"):
                store.put(namespace, "a", {"text": "tea"})
        assert store.search(()) == []

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
