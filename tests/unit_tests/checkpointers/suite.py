"""What every saver of this package does, on real graphs. A saver's tests are this suite and a fixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
)
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.test_utils import generate_checkpoint, generate_metadata
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from langchain_mem.checkpointers import Retention, Swept
from langchain_mem.errors import InvalidRequest, ScopeError
from langchain_mem.testing import FakeClock
from tests.unit_tests.checkpointers.graphs import (
    DeltaLog,
    Log,
    OpenSaver,
    SyncForms,
    approval,
    by_hand,
    chat,
    id_at,
    ids,
    later,
    monologue,
    namespaces,
    talk,
    thread,
)

SECRET = "the vault opens at noon"


class CheckpointerSuite:
    """Subclass it and give it an `open_saver` fixture."""

    @pytest.fixture
    def open_saver(self) -> OpenSaver:
        raise NotImplementedError

    @pytest.fixture
    def saver(self, open_saver: OpenSaver) -> Iterator[Any]:
        with open_saver() as saver:
            yield saver

    def size(self, saver: Any) -> int:
        """How many bytes the saver's rows take."""
        raise NotImplementedError

    def raw(self, saver: Any) -> bytes:
        """Everything the saver keeps, as it keeps it."""
        raise NotImplementedError

    # --- LangGraph's contract

    @pytest.mark.parametrize("form", [lambda saver: saver, SyncForms], ids=["async", "sync"])
    async def test_passes_the_whole_conformance_suite(self, saver: Any, form: Callable[[Any], Any]) -> None:
        """Each capability LangGraph tests is there and passes, in both forms."""

        async def savers() -> AsyncIterator[Any]:
            yield form(saver)

        report = await validate(checkpointer_test(name="saver")(savers))
        failures = {name: result.failures for name, result in report.results.items() if result.failures}
        assert failures == {}
        assert {name for name, result in report.results.items() if result.passed} == {
            *("put", "put_writes", "get_tuple", "list", "delete_thread"),
            *("delete_for_runs", "copy_thread", "prune"),
        }

    async def test_rebuilds_delta_channels_as_langgraph_defines_it(self, saver: Any) -> None:
        """Both forms of the delta history equal the walk over `get_tuple` that LangGraph's base class makes."""
        talk(chat(saver, DeltaLog), 4)
        for item in saver.list(thread()):
            wanted = BaseCheckpointSaver.get_delta_channel_history(saver, config=item.config, channels=["log"])
            assert saver.get_delta_channel_history(config=item.config, channels=["log"]) == wanted
            assert await saver.aget_delta_channel_history(config=item.config, channels=["log"]) == wanted

    async def test_answers_both_forms_on_one_object(self, saver: Any) -> None:
        """What a sync run wrote an async run continues, and the other way round."""
        graph = chat(saver)
        await asyncio.to_thread(talk, graph, 1)
        await graph.ainvoke({"log": ["async turn"]}, thread())
        assert graph.get_state(thread()).values == (await graph.aget_state(thread())).values
        assert len(graph.get_state(thread()).values["log"]) == 4

    def test_works_in_one_event_loop_after_another(self, saver: Any) -> None:
        """Several `asyncio.run` in turn share one saver."""
        graph = chat(saver)
        for _ in range(3):
            asyncio.run(graph.ainvoke({"log": ["hello"]}, thread()))
        assert len(graph.get_state(thread()).values["log"]) == 6

    def test_may_be_written_while_listing(self, saver: Any) -> None:
        """A half-read list does not hold the saver back."""
        graph = chat(saver)
        talk(graph, 2)
        listing = saver.list(thread())
        next(listing)
        talk(graph, 1)
        assert len(graph.get_state(thread()).values["log"]) == 6

    # --- retention on real graphs

    @pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.soak)])
    def test_a_long_thread_stays_bounded(self, open_saver: OpenSaver, rounds: int) -> None:
        """Under `keep_last=20` a long thread stays within twice the size of twenty checkpoints."""
        with by_hand(open_saver, retention=Retention(keep_last=20)) as saver:
            graph = monologue(saver)
            graph.invoke({"turn": 0, "left": 18}, thread())
            assert len(ids(saver, thread())) == 20  # the input, the start, and 18 turns
            twenty = self.size(saver)
            for _ in range(rounds):
                graph.invoke({"left": 50}, {**thread(), "recursion_limit": 60})
                saver.sweep()
            assert graph.get_state(thread()).values["turn"] == 18 + 50 * rounds
            assert len(ids(saver, thread())) == 20
            assert self.size(saver) <= 2 * twenty

    def test_state_is_the_same_after_a_sweep(self, open_saver: OpenSaver) -> None:
        """Pruning takes history, never the present."""
        with by_hand(open_saver, retention=Retention(keep_last=3)) as saver:
            graph = chat(saver)
            talk(graph, 10)
            before = graph.get_state(thread())
            swept = saver.sweep()
            after = graph.get_state(thread())
            assert (after.values, after.next, after.config) == (before.values, before.next, before.config)
            assert swept == Swept(checkpoints=27)  # ten turns of three checkpoints; three stay
            talk(graph, 1)
            assert len(graph.get_state(thread()).values["log"]) == 22

    def test_time_travel_works_inside_the_window(self, open_saver: OpenSaver) -> None:
        """Every checkpoint kept can be read and run from."""
        with by_hand(open_saver, retention=Retention(keep_last=6)) as saver:
            graph = chat(saver)
            talk(graph, 10)
            known = {s.config["configurable"]["checkpoint_id"]: s.values for s in graph.get_state_history(thread())}
            saver.sweep()
            kept = list(graph.get_state_history(thread()))
            assert len(kept) == 6
            assert all(s.values == known[s.config["configurable"]["checkpoint_id"]] for s in kept)
            past = next(s for s in kept if s.next == ("answer",))
            again = graph.invoke(None, past.config)
            assert again["log"][:-1] == past.values["log"]

    def test_the_oldest_kept_checkpoint_has_no_parent(self, open_saver: OpenSaver) -> None:
        """No kept checkpoint points to one that is gone."""
        with by_hand(open_saver, retention=Retention(keep_last=4)) as saver:
            talk(chat(saver), 5)
            saver.sweep()
            kept = set(ids(saver, thread()))
            parents = [item.parent_config for item in saver.list(thread())]
            assert parents[-1] is None
            assert all(parent["configurable"]["checkpoint_id"] in kept for parent in parents[:-1])

    def test_max_age_keeps_the_newest(self, open_saver: OpenSaver) -> None:
        """However old a thread is, its present state stays."""
        with by_hand(open_saver, retention=Retention(max_age=timedelta(days=7))) as saver:
            graph = chat(saver)
            talk(graph, 3)
            newest = graph.get_state(thread())
            assert saver.sweep(later(days=6)) == Swept()
            assert saver.sweep(later(days=8)) == Swept(checkpoints=8)
            assert graph.get_state(thread()).values == newest.values

    async def test_idle_threads_go_whole(self, open_saver: OpenSaver) -> None:
        """A thread idle for longer than its time goes, and one that woke since stays."""
        with by_hand(open_saver, retention=Retention(thread_ttl=timedelta(days=30))) as saver:
            await asyncio.to_thread(talk, chat(saver), 1, thread("old"))
            assert await saver.asweep(later(days=29)) == Swept()
            assert await saver.asweep(later(days=31)) == Swept(threads=("old",), checkpoints=3)
            assert await saver.athreads() == []
            assert await saver.aget_tuple(thread("old")) is None

    def test_a_thread_that_wakes_during_a_sweep_stays(self, open_saver: OpenSaver) -> None:
        """A turn that comes between a sweep's look at a thread and its deletes saves the whole thread."""
        woken: list[RunnableConfig] = []

        class Waking(Retention):
            def is_idle(self, namespaces: Any, *, now: datetime) -> bool:
                idle = super().is_idle(namespaces, now=now)
                if idle and not woken:
                    turn = {**generate_checkpoint(), "id": id_at(now)}
                    woken.append(saver.put(thread(checkpoint_ns=""), turn, generate_metadata(), {}))
                return idle

        with by_hand(open_saver, retention=Waking(thread_ttl=timedelta(days=30))) as saver:
            talk(chat(saver), 1)
            assert saver.sweep(later(days=31)) == Swept()
            assert len(ids(saver, thread())) == 4

    def test_without_a_policy_nothing_goes(self, saver: Any) -> None:
        """A saver opened without retention keeps everything."""
        talk(chat(saver), 3)
        assert saver.sweep(later(days=10_000)) == Swept()
        assert len(ids(saver, thread())) == 9

    def test_sweeps_many_pages_of_threads(self, open_saver: OpenSaver) -> None:
        """A sweep reaches every thread, not only the first page of them."""
        with by_hand(open_saver, retention=Retention(keep_last=1)) as saver:
            for number in range(300):
                for _ in range(2):
                    saver.put(thread(f"{number}", checkpoint_ns=""), generate_checkpoint(), generate_metadata(), {})
            assert saver.sweep() == Swept(checkpoints=300)

    def test_a_naive_now_is_refused(self, saver: Any) -> None:
        """An instant without a time zone could be any of 38."""
        with pytest.raises(InvalidRequest, match="time zone"):
            saver.sweep(datetime(2026, 1, 1))

    # --- automatic sweeps

    def test_sweeps_by_itself_on_writes(self, open_saver: OpenSaver) -> None:
        """A write starts a sweep when one is due, and only then."""
        clock = FakeClock(later())
        retention = Retention(thread_ttl=timedelta(days=30), sweep_every=timedelta(minutes=10))
        with open_saver(retention=retention, clock=clock) as saver:
            talk(chat(saver), 1, thread("old"))  # the first write is due, and finds nothing
            saver.join()
            clock.advance(minutes=5, days=0)
            talk(chat(saver), 1, thread("also old"))
            saver.join()
            assert saver.threads() == ["also old", "old"]
            clock.advance(days=31)
            saver.put(thread("new", checkpoint_ns=""), generate_checkpoint(), generate_metadata(), {})
            saver.join()
            assert "old" not in saver.threads()

    async def test_sweeps_by_itself_on_async_writes(self, open_saver: OpenSaver) -> None:
        """The async form starts sweeps as well."""
        clock = FakeClock(later(days=31))
        async with open_saver(retention=Retention(thread_ttl=timedelta(days=30)), clock=clock) as saver:
            await saver.aput(thread("old", checkpoint_ns=""), generate_checkpoint(), generate_metadata(), {})
            await saver.ajoin()
            assert await saver.athreads() == []

    # --- what must survive

    @pytest.mark.parametrize("turns", [3, 11])
    def test_delta_channels_are_the_same_after_a_sweep(self, open_saver: OpenSaver, turns: int) -> None:
        """A `DeltaChannel` still reaches the snapshot and the writes it is rebuilt from, at every kept checkpoint."""
        with by_hand(open_saver, retention=Retention(keep_last=2)) as saver:
            graph = chat(saver, DeltaLog)
            talk(graph, turns)
            before = {s.config["configurable"]["checkpoint_id"]: s.values for s in graph.get_state_history(thread())}
            swept = saver.sweep()
            after = {s.config["configurable"]["checkpoint_id"]: s.values for s in graph.get_state_history(thread())}
            newest_two = sorted(before)[-2:]
            assert swept.checkpoints > 0
            assert {i: after[i] for i in newest_two} == {i: before[i] for i in newest_two}
            talk(graph, 1)
            assert len(graph.get_state(thread()).values["log"]) == 2 * turns + 2

    def test_delta_threads_stay_bounded(self, open_saver: OpenSaver) -> None:
        """What is kept for a `DeltaChannel` ends at its last snapshot."""
        with by_hand(open_saver, retention=Retention(keep_last=2)) as saver:
            graph = chat(saver, DeltaLog)
            talk(graph, 40)
            saver.sweep()
            assert len(ids(saver, thread())) <= 2 + 2 * 5  # two kept, and up to a snapshot each five updates

    @pytest.mark.parametrize("durability", ["sync", "async", "exit"])
    def test_an_interrupted_thread_resumes_after_a_sweep(self, open_saver: OpenSaver, durability: str) -> None:
        """A question asked in a subgraph is answered after the thread was pruned to one checkpoint."""
        with by_hand(open_saver, retention=Retention(keep_last=1)) as saver:
            graph = approval(saver)
            graph.invoke({"log": ["start"]}, thread(), durability=durability)
            before = graph.get_state(thread(), subgraphs=True)
            saver.sweep()
            after = graph.get_state(thread(), subgraphs=True)
            assert (after.values, after.interrupts) == (before.values, before.interrupts)
            assert after.tasks[0].state.values == before.tasks[0].state.values
            done = graph.invoke(Command(resume="yes"), thread(), durability=durability)
            assert done["log"] == ["start", "worked", "start", "worked", "prepared", "person said yes"]

    def test_pending_writes_survive(self, open_saver: OpenSaver) -> None:
        """Of two parallel tasks one failed: after a sweep the other's result is still there, and is not run again."""
        runs: list[str] = []

        def steady(state: Any) -> dict[str, Any]:
            runs.append("steady")
            return {"log": ["steady"]}

        def shaky(state: Any) -> dict[str, Any]:
            runs.append("shaky")
            if runs.count("shaky") == 1:
                raise ConnectionError("down")
            return {"log": ["shaky"]}

        with by_hand(open_saver, retention=Retention(keep_last=1)) as saver:
            builder = StateGraph(Log)
            builder.add_node("steady", steady).add_node("shaky", shaky)
            builder.add_edge(START, "steady").add_edge(START, "shaky")
            graph = builder.compile(checkpointer=saver)
            with pytest.raises(ConnectionError):
                graph.invoke({"log": []}, {**thread(), "max_concurrency": 1}, durability="sync")
            saver.sweep()
            assert sorted(graph.invoke(None, thread())["log"]) == ["shaky", "steady"]
            assert runs.count("steady") == 1

    def test_subgraphs_are_pruned_with_their_parents(self, open_saver: OpenSaver) -> None:
        """A finished call's namespace goes with the step that made the call."""
        with by_hand(open_saver, retention=Retention(keep_last=1)) as saver:
            graph = approval(saver)
            for _ in range(3):
                graph.invoke({"log": ["start"]}, thread())
                graph.invoke(Command(resume="yes"), thread())
            assert len(namespaces(saver, thread())) == 4
            saver.sweep()
            assert namespaces(saver, thread()) == {""}

    def test_prune_keeps_what_resuming_needs(self, saver: Any) -> None:
        """`prune` follows the same rule as a sweep."""
        graph = approval(saver)
        graph.invoke({"log": ["start"]}, thread())
        saver.prune(["t"])
        assert len(ids(saver, thread(checkpoint_ns=""))) == 1
        assert graph.invoke(Command(resume="yes"), thread())["log"][-1] == "person said yes"

    def test_prune_says_what_it_takes(self, saver: Any) -> None:
        """An unknown strategy, and one id for a list of them, are refused."""
        with pytest.raises(InvalidRequest, match="keep_latest"):
            saver.prune(["t"], strategy="all")
        with pytest.raises(InvalidRequest, match="sequence"):
            saver.prune("t")

    @pytest.mark.parametrize("state", [Log, DeltaLog])
    def test_sweeps_beside_writers(self, open_saver: OpenSaver, state: type) -> None:
        """Two threads keep talking while sweeps run; nothing they said is lost, and what is left is in order."""
        with by_hand(open_saver, retention=Retention(keep_last=1)) as saver, ThreadPoolExecutor() as pool:
            graph = chat(saver, state)
            talks = [pool.submit(talk, graph, 15, thread(name)) for name in ("a", "b")]
            while not all(running.done() for running in talks):
                saver.sweep()
            assert [running.exception() for running in talks] == [None, None]
            saver.sweep()
            for name in ("a", "b"):
                log = graph.get_state(thread(name)).values["log"]
                assert [turn for turn in log if turn.startswith("turn")] == [f"turn {n}" for n in range(15)]

    # --- copying and erasing

    def test_a_copy_goes_its_own_way(self, saver: Any) -> None:
        """A copied delta thread has the same state, and what happens to one does not touch the other."""
        graph = chat(saver, DeltaLog)
        talk(graph, 4)
        saver.copy_thread("t", "copy")
        assert graph.get_state(thread("copy")).values == graph.get_state(thread()).values
        talk(graph, 1, thread("copy"))
        saver.delete_thread("t")
        assert len(graph.get_state(thread("copy")).values["log"]) == 10

    def test_a_copy_never_mixes_two_histories(self, saver: Any) -> None:
        """Copying onto a thread that exists is refused."""
        talk(chat(saver), 1)
        talk(chat(saver), 1, thread("other"))
        with pytest.raises(InvalidRequest, match="exists"):
            saver.copy_thread("t", "other")

    def test_deleting_a_run_spares_what_later_runs_are_rebuilt_from(self, saver: Any) -> None:
        """A `DeltaChannel` has the same value after an earlier run was deleted."""
        graph = chat(saver, DeltaLog)
        for run in ("one", "two"):
            graph.invoke({"log": [run]}, {**thread(), "metadata": {"run_id": run}})
        values = graph.get_state(thread()).values
        saver.delete_for_runs(["one"])
        assert graph.get_state(thread()).values == values

    async def test_finds_and_deletes_the_threads_of_a_user(self, saver: Any) -> None:
        """Erasure reaches checkpoints by `configurable.user_id`, and no one else's."""
        graph = chat(saver)
        for name, user in (("a", "alice"), ("b", "bob"), ("c", "alice"), ("d", 7)):
            await graph.ainvoke({"log": ["hi"]}, thread(name, user_id=user))
        assert await saver.athreads(user_id="alice") == ["a", "c"]
        assert await saver.athreads(user_id=7) == ["d"]
        assert await asyncio.to_thread(saver.delete_user_threads, "alice") == ["a", "c"]
        assert await saver.adelete_user_threads("nobody") == []
        assert await asyncio.to_thread(saver.threads) == ["b", "d"]

    def test_an_empty_user_is_refused(self, saver: Any) -> None:
        """No user is not every user."""
        with pytest.raises(ScopeError):
            saver.delete_user_threads("")

    async def test_says_how_much_a_thread_holds(self, saver: Any) -> None:
        """Checkpoints are counted as they are listed, a longer text weighs its bytes, and the user is named."""
        graph = chat(saver)
        short, long = thread("short"), thread("long", user_id="alice")
        await graph.ainvoke({"log": ["hi"]}, short)
        await graph.ainvoke({"log": ["hi" * 5_000]}, long)
        sizes = {each["thread_id"]: each for each in await saver.asizes()}
        assert sizes.keys() == {"short", "long"}
        assert (sizes["short"]["user_id"], sizes["long"]["user_id"]) == (None, "alice")
        for name, config in (("short", short), ("long", long)):
            listed = await asyncio.to_thread(ids, saver, config)
            assert sizes[name]["checkpoints"] == len(listed)
            assert (sizes[name]["first"], sizes[name]["last"]) == (min(listed), max(listed))
        assert sizes["long"]["bytes"] - sizes["short"]["bytes"] > 9_990
        assert await asyncio.to_thread(saver.sizes) == list(sizes.values())

    # --- encryption

    def test_encrypted_checkpoints_are_pruned_like_others(self, open_saver: OpenSaver) -> None:
        """With LangGraph's serializer no value is readable in what is stored, and retention works the same."""
        serde = EncryptedSerializer.from_pycryptodome_aes(key=b"0123456789abcdef")
        with by_hand(open_saver, retention=Retention(keep_last=2), serde=serde) as saver:
            graph = chat(saver, DeltaLog)
            for turn in range(8):
                graph.invoke({"log": [f"{SECRET} {turn}"], "label": SECRET}, thread())
            values = graph.get_state(thread()).values
            assert saver.sweep().checkpoints > 0
            assert graph.get_state(thread()).values == values
            assert (values["log"][0], values["label"]) == (f"{SECRET} 0", SECRET)
            assert SECRET.encode() not in self.raw(saver)

    def test_unencrypted_checkpoints_are_readable(self, saver: Any) -> None:
        """The search that finds nothing in encrypted bytes finds the value in plain ones."""
        chat(saver).invoke({"log": [SECRET]}, thread())
        assert SECRET.encode() in self.raw(saver)
