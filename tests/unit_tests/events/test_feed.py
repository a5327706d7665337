"""The feed of events: pushed, watched, kept."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langgraph.graph import MessagesState, StateGraph

from langchain_mem import AsyncMemory, LongTermStore, Memory
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.checkpointers import InMemoryCheckpointer, Retention
from langchain_mem.errors import InvalidRequest, StoreError
from langchain_mem.events.feed import CAPACITY, Activity
from langchain_mem.testing import FakeClock, FakeEmbeddings
from tests.memories import Bench, op, proposed

SECRET = "the plan is to open a bakery"


class NoRoomForEvents(DictionaryBackend):
    """A backend that takes everything but events."""

    async def write(self, batch: Any, now: Any) -> None:
        if any(write.address.namespace[0] == "events" for write in batch):
            raise StoreError("No room.")
        await super().write(batch, now)


def _memory(store: LongTermStore | None = None, clock: FakeClock | None = None, **options: Any) -> Memory:
    clock = clock or FakeClock()
    store = store or LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock)
    return Memory(store, clock=clock, **options)


class TestOnEvent:
    def test_it_is_called_with_each_event(self):
        """A callback gets what happened, for whom and with which outcome, once the change is written."""
        seen: list[Any] = []
        memory = _memory(on_event=lambda event: seen.append((event, memory.get_all(user_id="alex")["count"])))
        added = memory.add("Likes tea", user_id="alex")
        memory.search("tea", user_id="alex")
        (add, count), (search, _) = seen
        assert (add["type"], add["ids"], count) == ("add", {"user_id": "alex"}, 1)
        assert add["details"]["results"] == added["results"]
        assert (search["type"], search["details"]["query"]) == ("search", "tea")

    def test_one_that_fails_breaks_nothing(self, caplog: pytest.LogCaptureFixture):
        """The operation is done, what comes after is told too, and the log says what failed."""
        calls = []

        def failing(event: Any) -> None:
            calls.append(event["type"])
            raise RuntimeError("the dashboard is down")

        memory = _memory(on_event=failing)
        memory.add("Likes tea", user_id="alex")
        assert memory.get_all(user_id="alex")["count"] == 1
        memory.search("tea", user_id="alex")
        assert calls == ["add", "search"]
        assert "the dashboard is down" in caplog.text

    def test_one_that_uses_the_memory_does_not_go_round(self):
        """What a callback does with the memory is no event for the callback, or it would never end."""
        calls: list[str] = []

        def note(event: Any) -> None:
            calls.append(event["type"])
            memory.add(f"Did {event['type']}", user_id="auditor")

        memory = _memory(on_event=note)
        memory.add("Likes tea", user_id="alex")
        assert calls == ["add"]
        assert [event["type"] for event in memory.events()] == ["add", "add"]

    def test_it_may_do_with_the_event_what_it_wants(self):
        """What a callback changes in an event is not changed in the feed."""
        memory = _memory(on_event=lambda event: event["details"].clear())
        memory.add("Likes tea", user_id="alex")
        assert memory.events()[0]["details"]["results"]

    def test_a_coroutine_is_refused(self):
        """Nobody would await it; the error says what to use."""

        async def later(event: Any) -> None: ...

        with pytest.raises(InvalidRequest, match="watch"):
            _memory(on_event=later)


class TestWatch:
    async def test_an_async_loop_gets_events_as_they_happen(self):
        """`async for` waits for each event, whichever thread it comes from, and only for those asked for."""
        memory = _memory()
        seen = []

        async def listen() -> None:
            async for event in events:
                seen.append(event["details"]["results"][0]["memory"])
                if len(seen) == 3:
                    return

        async with memory.watch({"add"}) as events:
            listening = asyncio.create_task(listen())
            await memory.aadd("One", user_id="alex")
            await memory.asearch("One", user_id="alex")
            await asyncio.to_thread(memory.add, "Two", user_id="alex")
            await asyncio.sleep(0)
            await memory.aadd("Three", user_id="alex")
            await asyncio.wait_for(listening, 60)
        assert seen == ["One", "Two", "Three"]

    async def test_it_is_there_for_async_memory(self):
        """`AsyncMemory` has the same."""
        async with AsyncMemory(LongTermStore.in_memory(embed=FakeEmbeddings())) as memory:
            with memory.watch() as events:
                await memory.add("One", user_id="alex")
                assert (await anext(events))["type"] == "add"

    def test_a_loop_on_a_thread_ends_when_it_is_closed(self):
        """A plain `for` gets what is in line, then waits until somebody closes it."""
        memory = _memory()
        events, seen = memory.watch(), []
        thread = threading.Thread(target=lambda: seen.extend(event["type"] for event in events))
        thread.start()
        memory.add("One", user_id="alex")
        memory.search("One", user_id="alex")
        events.close()
        thread.join(60)
        assert seen == ["add", "search"]

    async def test_closing_wakes_an_async_loop(self):
        """Who waits for an event that will not come waits no longer."""
        events = _memory().watch()
        waiting = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0)
        events.close()
        assert await asyncio.wait_for(waiting, 60) is None

    def test_who_does_not_keep_up_loses_the_oldest(self):
        """A reader that does not read costs a bounded amount of room, and learns how much it lost."""
        activity = Activity()
        with activity.watch() as events:
            for number in range(CAPACITY + 7):
                activity.record("add", f"{number:05d}", {})
            waiting = events.waiting()
        assert (len(waiting), events.dropped, waiting[0]["created_at"]) == (CAPACITY, 7, "00007")

    def test_who_has_gone_is_forgotten(self):
        """A loop that was left is not fed for ever."""
        activity = Activity()
        activity.watch()
        gc.collect()
        assert len(activity._watching) == 0


class TestKept:
    def test_another_process_sees_them(self):
        """Events of one `Memory` are there for the next one over the same store, as ids and numbers."""
        clock = FakeClock()
        first = _memory(clock=clock, keep_events=100)
        first.add(SECRET, user_id="alex")
        first.search("Which plan?", user_id="alex")
        first.close()
        later = _memory(first.store, clock, keep_events=100)
        search, add = later.events(user_id="alex")
        assert (search["type"], add["type"]) == ("search", "add")
        assert add["details"] == {"batch_id": add["details"]["batch_id"], "results": 1, "added": 1, "rejected": 0}
        assert search["details"]["query_chars"] == len("Which plan?")

    def test_they_hold_no_text(self):
        """Nothing in the store quotes a memory or a query, so what is purged is gone; a refusal keeps its reason."""
        bench = Bench(proposed(op("add", "Owns three boats", evidence=[7])), keep_events=100, all_owners=True)
        bench.memory.add(SECRET, user_id="alex")
        bench.memory.search(SECRET, user_id="alex")
        bench.memory.flush()
        kept = bench.memory.store.search(("events",), limit=100)
        told = " ".join(str(item.value) for item in kept)
        assert len(kept) == 3
        assert "bakery" not in told
        assert "boats" not in told
        (refused,) = [item.value for item in kept if item.value["details"].get("rejected")]
        assert refused["details"]["rejected"][0]["reason"]

    def test_they_are_bounded(self):
        """However much happens, about as many stay as were asked for, and those are the newest."""
        memory = _memory(keep_events=20)
        for number in range(70):
            memory.clock.advance(minutes=1)
            memory.search(f"Question {number}", user_id="alex")
            memory.flush()
        kept = memory.store.search(("events",), limit=100)
        assert 20 <= len(kept) <= 22
        assert min(item.value["created_at"] for item in kept) > "2026-01-01T00:45"

    def test_an_owner_sees_no_others(self):
        """Kept events are read for the owner that is named; everyone's only by an administrator's memory."""
        clock = FakeClock()
        first = _memory(clock=clock, keep_events=100)
        first.add("Likes tea", user_id="alex")
        first.add("Likes rain", user_id="bob")
        first.close()
        later = _memory(first.store, clock, keep_events=100)
        assert [event["ids"] for event in later.events(user_id="bob")] == [{"user_id": "bob"}]
        assert later.events() == []
        assert len(_memory(first.store, clock, keep_events=100, all_owners=True).events()) == 2

    def test_erasing_a_person_erases_them(self):
        """After `erase` no event names the person, neither one that was written nor one that was about to be."""
        memory = _memory(keep_events=100)
        memory.add("Likes tea", user_id="alex")
        memory.flush()
        memory.search("tea", user_id="alex")
        memory.erase("alex")
        memory.flush()
        assert memory.store.search(("events",), limit=100) == []
        assert memory.events(user_id="alex") == []

    def test_a_store_that_fails_fails_nothing(self, caplog: pytest.LogCaptureFixture):
        """Events that cannot be kept are lost with a warning."""
        store = LongTermStore(NoRoomForEvents(), embed=FakeEmbeddings())
        with Memory(store, keep_events=100) as memory:
            memory.add("Likes tea", user_id="alex")
            memory.flush()
            assert memory.get_all(user_id="alex")["count"] == 1
            assert [event["type"] for event in memory.events(user_id="alex")] == ["add"]
        assert "could not be kept" in caplog.text

    def test_filters_and_order(self):
        """Kept and present events are one feed: newest first, narrowed by type, instant and limit."""
        clock = FakeClock()
        first = _memory(clock=clock, keep_events=100)
        first.add("One", user_id="alex")
        clock.advance(days=1)
        first.search("One", user_id="alex")
        first.close()
        clock.advance(days=1)
        later = _memory(first.store, clock, keep_events=100)
        later.add("Two", user_id="alex")
        assert [event["type"] for event in later.events(user_id="alex")] == ["add", "search", "add"]
        assert len(later.events(user_id="alex", types={"add"})) == 2
        assert len(later.events(user_id="alex", since=clock() - timedelta(days=1))) == 2
        (newest,) = later.events(user_id="alex", limit=1)
        assert newest["details"]["results"][0]["memory"] == "Two"

    @pytest.mark.parametrize("many", [-1, 1.5, True, "10"])
    def test_a_number_that_is_none_is_refused(self, many: Any):
        """The error says what is allowed."""
        with pytest.raises(InvalidRequest, match="keep_events"):
            _memory(keep_events=many)


class TestLog:
    def test_a_line_for_each_operation(self, caplog: pytest.LogCaptureFixture):
        """Adding, searching, extracting, purging each leave one line with ids and numbers, and no text."""
        bench = Bench(proposed(op("add", "Opens a bakery"), op("add", "Owns a boat", evidence=[9])))
        with caplog.at_level(logging.DEBUG, "langchain_mem"):
            bench.memory.add(SECRET, user_id="alex")
            bench.memory.search("Which plan?", user_id="alex")
            bench.memory.delete(bench.memory.get_all(user_id="alex")["results"][0]["id"])
            bench.memory.purge_expired(user_id="alex")
        lines = [record.langchain_mem for record in caplog.records if hasattr(record, "langchain_mem")]
        assert [line["event"] for line in lines] == ["extraction", "add", "search", "delete", "purge"]
        extraction, add, search, _, purge = lines
        assert (extraction["accepted"], extraction["refused"]) == (1, 1)
        assert (add["user_id"], add["added"], add["rejected"]) == ("alex", 1, 1)
        assert (search["query_chars"], search["results"]) == (11, 1)
        assert purge["memories"] == 1
        assert all(line["ms"] >= 0 for line in lines)
        assert "bakery" not in caplog.text
        assert "plan" not in caplog.text

    def test_sweeps_leave_a_line(self, caplog: pytest.LogCaptureFixture):
        """A sweep of a store and one of threads say how much went."""
        clock = FakeClock()
        store = LongTermStore.in_memory(clock=clock)
        store.put(("notes",), "one", {"text": "x"}, ttl=1)
        saver = InMemoryCheckpointer(retention=Retention(thread_ttl=timedelta(days=1)))
        graph = StateGraph(MessagesState).add_node("reply", lambda _: {"messages": ["Yes."]}).set_entry_point("reply")
        graph.compile(checkpointer=saver).invoke({"messages": ["Hi"]}, {"configurable": {"thread_id": "t"}})
        clock.advance(days=1)
        with caplog.at_level(logging.INFO, "langchain_mem"):
            saver.sweep(datetime.now(UTC) + timedelta(days=2))
            future = store.start_ttl_sweeper(0.0001)
            while len(caplog.records) < 2:
                future.done()
            store.stop_ttl_sweeper()
        assert [record.getMessage() for record in caplog.records] == [
            "sweep threads=1 checkpoints=3", "sweep removed=1",
        ]  # fmt: skip

    def test_looking_is_told_apart(self):
        """An explanation is an event of its own kind, and no search."""
        memory = _memory()
        memory.explain("Which plan?", user_id="alex")
        assert [(event["type"], event["details"]["candidates"]) for event in memory.events()] == [("explain", 0)]

    def test_with_text(self, caplog: pytest.LogCaptureFixture):
        """An application may ask for the queries."""
        with caplog.at_level(logging.DEBUG, "langchain_mem"):
            _memory(log_text=True).search("Which plan?", user_id="alex")
        assert 'query="Which plan?"' in caplog.text

    def test_erasing_leaves_no_id(self, caplog: pytest.LogCaptureFixture):
        """The line on an erasure says how much went, and not who: a log outlives the person's data."""
        memory = _memory()
        memory.add("Likes tea", user_id="alex")
        with caplog.at_level(logging.DEBUG, "langchain_mem"):
            memory.erase("alex")
        (line,) = caplog.records
        assert line.getMessage().startswith("erase removed=")
        assert "alex" not in line.getMessage()
