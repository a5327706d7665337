"""What `LongTermStore` itself decides, over the reference backend; what every backend does is in the suite."""

from __future__ import annotations

import asyncio
import math
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)

from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.errors import FilterError, InvalidRequest, StoreError
from langchain_mem.store import operations
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, FakeEmbeddings
from tests.naming import spelled

NS = ("notes", "alex")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> LongTermStore:
    return LongTermStore.in_memory(clock=clock)


class TestOpening:
    def test_in_memory_has_no_vectors_by_default(self, store: LongTermStore) -> None:
        """Nothing is embedded unless an embedder is given."""
        assert store.items.embedder is None

    def test_embed_is_short_for_an_index(self) -> None:
        """`embed` alone indexes the whole value."""
        store = LongTermStore.in_memory(embed=FakeEmbeddings())
        store.put(NS, "a", {"drink": "tea"})
        assert store.search(NS, query="drink tea")[0].score == pytest.approx(1, abs=1e-5)

    def test_embed_may_be_a_function(self) -> None:
        """A function from texts to vectors is an embedder, and its name identifies it."""

        def lengths(texts: list[str]) -> list[list[float]]:
            return [[float(len(text)), 1.0] for text in texts]

        store = LongTermStore.in_memory(index={"embed": lengths, "fields": ["text"]})
        store.put(NS, "a", {"text": "tea"})
        assert store.search(NS, query="tea")[0].score == pytest.approx(1)
        assert store.items.embedder is not None
        assert store.items.embedder.name.endswith("lengths")
        assert store.items.embedder.dims == 2

    def test_chroma_embeds_locally_by_default(self, tmp_path: Path) -> None:
        """A folder alone gives a store that finds what means the same."""
        with LongTermStore.chroma(tmp_path) as store:
            store.batch([PutOp(NS, "a", {"text": "I never eat meat"}), PutOp(NS, "b", {"text": "My car is red"})])
            assert store.search(NS, query="vegetarian food")[0].key == "a"

    def test_entering_gives_the_store_itself(self, store: LongTermStore) -> None:
        """`with` and `async with` give the store, and closing twice is no error."""

        async def enter() -> None:
            async with store as entered:
                assert entered is store

        with store as entered:
            assert entered is store
        asyncio.run(enter())

    def test_a_graph_takes_it(self, store: LongTermStore) -> None:
        """A compiled graph's nodes use the store they were given."""

        def remember(state: dict[str, Any], *, store: BaseStore) -> dict[str, Any]:
            store.put(NS, "a", {"text": state["said"]})
            return {}

        builder = StateGraph(dict)
        builder.add_node("remember", remember)
        builder.add_edge(START, "remember")
        builder.compile(store=store).invoke({"said": "tea"})
        item = store.get(NS, "a")
        assert item is not None
        assert item.value == {"text": "tea"}


class TestRefusals:
    @pytest.mark.parametrize(
        "value",
        [
            {"x": object()},
            {"x": {1, 2}},
            {"x": datetime(2026, 1, 1, tzinfo=UTC)},
            {"x": b"bytes"},
            {"x": math.nan},
            {"x": [math.inf]},
            {"x": {1: "one"}},
            ["no", "dict"],
            "text",
        ],
        ids=spelled,
    )
    def test_values_are_json(self, store: LongTermStore, value: Any) -> None:
        """A value that JSON cannot say is refused, and the message says where it is."""
        with pytest.raises(InvalidRequest, match="value"):
            store.put(NS, "a", value)
        assert store.get(NS, "a") is None

    def test_value_that_holds_itself(self, store: LongTermStore) -> None:
        """A value that holds itself is refused like one that nests too deep."""
        value: dict[str, Any] = {}
        value["self"] = [value]
        with pytest.raises(InvalidRequest, match="100 levels"):
            store.put(NS, "a", value)

    @pytest.mark.parametrize("namespace", [(), ("",), ("a.b",), ("a\x00",), "text", ("a", 1)], ids=spelled)
    def test_namespaces_past_the_methods(self, store: LongTermStore, namespace: Any) -> None:
        """Operations that come straight to `batch` are checked as the methods check theirs."""
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(NS, "a", {"n": 1}), PutOp(namespace, "a", {"n": 1})])
        assert store.count() == 0

    def test_a_reserved_label(self, store: LongTermStore) -> None:
        """`put` keeps the first label `langgraph` for LangGraph, which writes there through `batch`."""
        for options in ({}, {"expires_at": "2030-01-01"}):
            with pytest.raises(InvalidNamespaceError, match="langgraph"):
                store.put(("langgraph", "x"), "a", {"n": 1}, **options)
        store.batch([PutOp(("langgraph", "x"), "a", {"n": 1})])
        assert store.get(("langgraph", "x"), "a").value == {"n": 1}  # type: ignore[union-attr]

    def test_text_as_a_pattern(self, store: LongTermStore) -> None:
        """Text in a condition of a listing is one label."""
        store.batch([PutOp(("docs", "public"), "a", {"n": 1}), PutOp(("docs", "private"), "a", {"n": 1})])
        (listed,) = store.batch([ListNamespacesOp((MatchCondition("suffix", "public"),))])  # type: ignore[arg-type]
        assert listed == [("docs", "public")]

    def test_what_has_no_vector_fills_a_page(self) -> None:
        """What was put without an index follows what a query ranks, each once over the pages, newest first."""
        clock = FakeClock()
        store = LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock)
        for key in ("a", "b", "c", "d", "e"):
            clock.advance(seconds=1)
            store.put(NS, key, {"text": f"tea {key}"}, index=None if key in "bd" else False)
        pages = [store.search(NS, query="tea b", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        assert [[(item.key, item.score is None) for item in page] for page in pages] == [
            [("b", False), ("d", False)],
            [("e", True), ("c", True)],
            [("a", True)],
            [],
        ]
        assert [item.key for item in store.search(NS, query="tea b", limit=3, offset=1)] == ["d", "e", "c"]

    def test_says_what_it_indexes(self) -> None:
        """`index_config` is there as in LangGraph's stores."""
        embeddings = FakeEmbeddings()
        store = LongTermStore.in_memory(index={"dims": 64, "embed": embeddings, "fields": ["text"]})
        assert store.index_config == {"dims": 64, "embed": embeddings, "fields": ["text"]}
        assert LongTermStore.in_memory().index_config is None

    @pytest.mark.parametrize("op", [GetOp(("a.b",), "k"), SearchOp(("",)), PutOp(("a.b",), "k", None), "no operation"])
    def test_wrong_operations_write_nothing(self, store: LongTermStore, op: Any) -> None:
        """One operation that cannot be keeps the whole batch from being done."""
        with pytest.raises(ValueError, match=r"label|operation"):
            store.batch([PutOp(NS, "a", {"n": 1}), op])
        assert store.count() == 0

    @pytest.mark.parametrize(
        "op",
        [
            SearchOp(NS, limit=-1),
            SearchOp(NS, offset=-1),
            ListNamespacesOp(max_depth=0),
            ListNamespacesOp(limit=-1),
            PutOp(NS, "b", {"n": 1}, ttl=0),
            PutOp(NS, "b", {"n": 1}, ttl=-1),
            PutOp(NS, "b", {"n": 1}, ttl=math.nan),
            PutOp(NS, "b", {"n": 1}, ttl=math.inf),
            PutOp(NS, "b", {"n": 1}, index="text"),  # type: ignore[arg-type]
            PutOp(NS, "b", {"n": 1}, index=True),  # type: ignore[arg-type]
        ],
        ids=spelled,
    )
    def test_arguments_out_of_range(self, store: LongTermStore, op: Any) -> None:
        """An argument that cannot be is refused, and nothing is written."""
        with pytest.raises(InvalidRequest):
            store.batch([PutOp(NS, "a", {"n": 1}), op])
        assert store.count() == 0

    def test_wrong_filter_writes_nothing(self, store: LongTermStore) -> None:
        """A filter is read before anything is written."""
        with pytest.raises(FilterError):
            store.batch([PutOp(NS, "a", {"n": 1}), SearchOp(NS, {"n": {"$near": 1}})])
        assert store.count() == 0

    async def test_both_forms_raise_the_same(self, store: LongTermStore) -> None:
        """A wrong filter is a `FilterError` in the async form too, and no group of errors."""
        with pytest.raises(FilterError):
            await store.asearch(NS, filter={"n": {"$near": 1}})
        with pytest.raises(FilterError):
            await store.acount(NS, filter={"n": {"$near": 1}})

    def test_whole_store_is_not_a_namespace(self, store: LongTermStore) -> None:
        """`delete_namespace` wants a label."""
        store.put(NS, "a", {"n": 1})
        with pytest.raises(InvalidRequest, match="whole store"):
            store.delete_namespace(())
        assert store.count() == 1

    def test_ttl_or_instant(self, store: LongTermStore, clock: FakeClock) -> None:
        """A TTL and an instant of expiry exclude each other."""
        with pytest.raises(InvalidRequest, match="not both"):
            store.put(NS, "a", {"n": 1}, ttl=5, expires_at=clock.now)
        assert store.count() == 0


class TestReading:
    def test_zero_limit_is_an_empty_page(self, store: LongTermStore) -> None:
        """A page of nothing is empty, and no error."""
        store.put(NS, "a", {"n": 1})
        assert store.search(NS, limit=0) == []
        assert store.list_namespaces(limit=0) == []

    def test_blank_query_is_none(self) -> None:
        """A query of blanks is not embedded: it orders nothing."""
        embeddings = FakeEmbeddings()
        store = LongTermStore.in_memory(embed=embeddings)
        store.put(NS, "a", {"n": 1})
        assert [item.score for query in ("", " ") for item in store.search(NS, query=query)] == [None, None]
        assert embeddings.queries == []

    def test_blank_texts_are_not_embedded(self) -> None:
        """A blank passage has no vector; some embedders refuse blanks."""
        embeddings = FakeEmbeddings()
        store = LongTermStore.in_memory(index={"embed": embeddings, "fields": ["list[*]"]})
        store.put(NS, "a", {"list": ["", " ", "tea"]})
        assert embeddings.texts == ["tea"]

    def test_batch_embeds_once(self) -> None:
        """All new texts of a batch are one call to the embedder, each text once; a query asked twice is one too."""
        embeddings = FakeEmbeddings()
        store = LongTermStore.in_memory(index={"embed": embeddings, "fields": ["text"]})
        store.batch([PutOp(NS, str(n), {"text": f"tea {n % 3}"}) for n in range(9)])
        store.batch([SearchOp(NS, query="tea"), SearchOp((), query="tea")])
        assert (embeddings.batches, embeddings.texts) == (1, ["tea 0", "tea 1", "tea 2"])
        assert embeddings.queries == ["tea"]

    @pytest.mark.parametrize(
        ("conditions", "expected"),
        [
            ([("prefix", ("a", "*")), ("prefix", ("*", "b"))], [("a", "b", "c")]),
            ([("prefix", ("a",)), ("prefix", ("b",))], []),
            ([("suffix", ("c",)), ("suffix", ("b", "*"))], [("a", "b", "c"), ("b", "c")]),
        ],
    )
    def test_several_conditions_of_a_kind(
        self, store: LongTermStore, conditions: list[Any], expected: list[Any]
    ) -> None:
        """Prefixes, or suffixes, that are given together all hold."""
        for namespace in [("a", "b", "c"), ("a", "x"), ("b", "c")]:
            store.put(namespace, "k", {"n": 1})
        op = ListNamespacesOp(tuple(MatchCondition(kind, path) for kind, path in conditions))
        assert store.batch([op]) == [expected]

    async def test_searches_of_a_batch_run_together(self) -> None:
        """Under an event loop all queries of a batch are at the embedder at the same time."""
        barrier = asyncio.Barrier(3)

        class Meeting(FakeEmbeddings):
            async def aembed_query(self, text: str) -> list[float]:
                await barrier.wait()
                return self.embed_query(text)

        store = LongTermStore.in_memory(embed=Meeting())
        async with asyncio.timeout(5):
            results = await store.abatch([SearchOp(NS, query=query) for query in "abc"])
        assert results == [[], [], []]


class TestExpiry:
    @pytest.mark.parametrize(
        "expires_at",
        [
            timedelta(days=1),
            datetime(2026, 1, 2, tzinfo=UTC),
            "2026-01-02T01:00:00+01:00",
            date(2026, 1, 1),
            "P1D",
        ],
        ids=spelled,
    )
    async def test_whatever_says_when(self, store: LongTermStore, clock: FakeClock, expires_at: Any) -> None:
        """An instant, a date through its last moment, a duration, or the text of one."""
        store.put(NS, "a", {"n": 1}, expires_at=expires_at)
        await store.aput(NS, "b", {"n": 1}, expires_at=expires_at)
        clock.advance(days=1, microseconds=-1)
        assert store.count() == 2
        clock.advance(microseconds=1)
        assert store.count() == 0

    def test_instant_replaces_default(self, clock: FakeClock) -> None:
        """An item with an instant of its own does not take the store's TTL."""
        store = LongTermStore.in_memory(ttl={"default_ttl": 1}, clock=clock)
        store.put(NS, "a", {"n": 1}, expires_at=timedelta(days=1))
        clock.advance(hours=23)
        assert store.get(NS, "a") is not None

    def test_delete_namespace_leaves_nothing_hidden(self, clock: FakeClock) -> None:
        """What has expired below a deleted namespace is gone too, and more than fits in one write."""
        backend = DictionaryBackend()
        store = LongTermStore(backend, clock=clock)
        store.put(NS, "expired", {"n": 1}, ttl=1)
        store.batch([PutOp(NS, str(n), {"n": n}) for n in range(operations.AT_ONCE + 1)])
        clock.advance(minutes=2)
        assert store.delete_namespace(("notes",)) == operations.AT_ONCE + 1
        clock.advance(minutes=-2)
        assert store.count() == 0


class Noticing(DictionaryBackend):
    """Says when it was swept; the first sweep fails."""

    def __init__(self) -> None:
        super().__init__()
        self.swept = threading.Semaphore(0)
        self.failed = False

    async def purge(self, now: datetime, limit: int | None = None) -> int:
        self.swept.release()
        if not self.failed:
            self.failed = True
            raise StoreError("The first sweep fails.")
        return await super().purge(now, limit)


class TestSweeper:
    def test_thread_sweeps_on_and_stops(self, caplog: pytest.LogCaptureFixture) -> None:
        """The sweeper goes on after a sweep that fails, and is gone when stopped."""
        store = LongTermStore(backend := Noticing())
        done = store.start_ttl_sweeper(sweep_interval_minutes=1e-5)
        assert store.start_ttl_sweeper() is done
        assert all(backend.swept.acquire(timeout=60) for _ in range(3))
        assert store.stop_ttl_sweeper()
        assert done.result(timeout=60) is None
        assert "sweep of expired items failed" in caplog.text

    def test_cancelling_stops_the_thread(self) -> None:
        """Cancelling what `start_ttl_sweeper` returned ends its thread, and it may start again."""
        store = LongTermStore(backend := Noticing(), ttl={"sweep_interval_minutes": 1})
        assert store.start_ttl_sweeper().cancel()
        assert store.stop_ttl_sweeper(timeout=60)
        store.start_ttl_sweeper(sweep_interval_minutes=1e-5)
        assert backend.swept.acquire(timeout=60)
        store.close()
        assert not any(thread.name == "ttl-sweeper" for thread in threading.enumerate())

    async def test_task_sweeps_on_and_stops(self) -> None:
        """The same on an event loop."""
        store = LongTermStore(backend := Noticing())
        task = await store.astart_ttl_sweeper(sweep_interval_minutes=1e-5)
        assert await store.astart_ttl_sweeper() is task
        assert all([await asyncio.to_thread(backend.swept.acquire, timeout=60) for _ in range(3)])
        assert await store.astop_ttl_sweeper()
        assert task.done()

    async def test_nothing_to_stop(self, store: LongTermStore) -> None:
        """Stopping a sweeper that never started is no error."""
        assert store.stop_ttl_sweeper()
        assert await store.astop_ttl_sweeper()
