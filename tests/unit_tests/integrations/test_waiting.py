"""Tests of extraction that waits until a thread is quiet: in graphs, with a clock that the test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from langchain_mem import InMemoryCheckpointer, LongTermStore, Memory, MemoryMiddleware, extraction_node
from langchain_mem.errors import ExtractionError, InvalidRequest
from langchain_mem.testing import FakeClock, ScriptedModel
from tests.memories import unalarmed
from tests.unit_tests.agents import facts, memory_with, prompt_of, texts, thread

QUIET = timedelta(minutes=5)


def _graph(memory: Memory, **options: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("reply", lambda _: {"messages": [AIMessage("I see.")]})
    builder.add_node("remember", extraction_node(memory, write="background", after=QUIET, **options))
    for one, next_one in ((START, "reply"), ("reply", "remember"), ("remember", END)):
        builder.add_edge(one, next_one)
    return builder.compile(checkpointer=InMemoryCheckpointer())


def _say(*said: str | BaseMessage) -> dict[str, Any]:
    return {"messages": [HumanMessage(each) if isinstance(each, str) else each for each in said]}


def _pass(memory: Memory, time: timedelta = QUIET) -> Any:
    """Lets time pass, and reads what is due by then, as the alarm would."""
    unalarmed(memory).clock.advance(time)  # type: ignore[attr-defined]
    return memory.extract_waiting()


def _asked(memory: Memory) -> list[str]:
    """The conversations that the model was shown, a prompt each."""
    model = memory.model
    assert isinstance(model, ScriptedModel)
    return [prompt_of(call).rpartition("<conversation>")[2].partition("</conversation>")[0] for call in model.calls]


def _noting(events: list[tuple[str, Any]]) -> Callable[[Any], None]:
    return lambda event: events.append((event["type"], event["details"]))


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_a_chat_of_short_turns_costs_one_call_when_it_is_quiet(form: str):
    """Six turns are one model call, which is shown all of them once and in order; more time makes no further call."""
    memory = memory_with(facts("Has a dog named Rex"))
    graph = _graph(memory)
    for number in range(6):
        said = _say(f"Line {number}: my dog is named Rex.")
        await graph.ainvoke(said, thread()) if form == "async" else graph.invoke(said, thread())
        read = await memory.aextract_waiting() if form == "async" else memory.extract_waiting()
        assert read == {"extracted": 0, "failed": 0, "waiting": 1}
        memory.clock.advance(minutes=4)  # type: ignore[attr-defined]
    assert _pass(memory) == {"extracted": 12, "failed": 0, "waiting": 0}
    (shown,) = _asked(memory)
    places = [shown.index(f"Line {number}") for number in range(6)]
    assert places == sorted(places)
    assert texts(memory) == ["Has a dog named Rex"]
    assert _pass(memory, timedelta(days=1)) == {"extracted": 0, "failed": 0, "waiting": 0}


def test_the_agent_middleware_waits_too():
    """The same with `MemoryMiddleware`, and the next turn after it makes a call of its own for what is new."""
    memory = memory_with(facts("Has a dog named Rex"), facts("Has a cat named Tom"))
    replies = ScriptedModel(*["I see."] * 4)
    agent = create_agent(
        replies,
        middleware=[MemoryMiddleware(memory, write="background", after=QUIET, tools=False)],
        checkpointer=InMemoryCheckpointer(),
    )
    for said in ("My dog is named Rex.", "He is old.", "He likes snow."):
        agent.invoke(_say(said), thread())
    assert _pass(memory)["extracted"] == 6
    agent.invoke(_say("My cat is named Tom."), thread())
    assert _pass(memory)["extracted"] == 2
    first, second = _asked(memory)
    assert "snow" in first
    assert "Rex" not in second


def test_many_tokens_are_read_at_once():
    """A prompt that is full does not wait for silence."""
    memory = memory_with(facts("Has a dog named Rex"))
    graph = _graph(memory, after_tokens=50)
    graph.invoke(_say("My dog is named Rex."), thread())
    assert memory.background.wait(60)
    assert _asked(memory) == []
    graph.invoke(_say("He is a good dog. " * 20), thread())
    memory.flush()
    assert len(_asked(memory)) == 1


def test_what_is_said_while_a_model_reads_is_read_next():
    """A message that comes during the call is neither lost nor part of it."""

    def reads(_: Any) -> Any:
        graph.invoke(_say("My cat is named Tom."), thread())
        return facts("Has a dog named Rex")

    memory = memory_with(reads, facts("Has a cat named Tom"))
    graph = _graph(memory)
    graph.invoke(_say("My dog is named Rex."), thread())
    assert _pass(memory) == {"extracted": 2, "failed": 0, "waiting": 1}
    assert _pass(memory) == {"extracted": 2, "failed": 0, "waiting": 0}
    assert texts(memory) == ["Has a cat named Tom", "Has a dog named Rex"]
    assert "Rex" not in _asked(memory)[1]


def test_two_readers_make_one_call():
    """While one reads what waits of an owner, another leaves it alone."""
    memory = memory_with(lambda _: seen.append(memory.extract_waiting()) or facts("Has a dog named Rex"))
    seen: list[Any] = []
    _graph(memory).invoke(_say("My dog is named Rex."), thread())
    assert _pass(memory)["extracted"] == 2
    assert seen == [{"extracted": 0, "failed": 0, "waiting": 1}]


def test_a_claim_of_a_dead_reader_ends():
    """Who died while reading keeps nobody from reading; and if he only was slow, his answer comes too late."""

    def slow(_: Any) -> Any:
        memory.clock.advance(minutes=6)  # type: ignore[attr-defined]
        assert memory.extract_waiting()["extracted"] == 2
        return facts("Has a dog named Rex, too late")

    memory = memory_with(slow, facts("Has a dog named Rex"))
    _graph(memory).invoke(_say("My dog is named Rex."), thread())
    assert _pass(memory)["extracted"] == 0
    assert texts(memory) == ["Has a dog named Rex"]


def test_an_edited_message_counts_in_its_new_words():
    """A message that a client edits while it waits is read once, as it is now."""
    memory = memory_with(facts("Has a dog named Max"))
    graph = _graph(memory)
    graph.invoke(_say(HumanMessage("My dog is named Rex.", id="m1")), thread())
    graph.invoke(_say(HumanMessage("My dog is named Max.", id="m1")), thread())
    assert _pass(memory)["extracted"] == 3
    (shown,) = _asked(memory)
    assert "Max" in shown
    assert "Rex" not in shown


def test_what_a_fork_left_behind_is_not_read():
    """A thread that goes on from an earlier checkpoint: what waits of the abandoned way is dropped."""
    memory = memory_with(facts("Lives in Oslo"))
    graph = _graph(memory)
    graph.invoke(_say("Hello, I am Alex."), thread())
    before = {"configurable": {**graph.get_state(thread()).config["configurable"], "user_id": "alex"}}
    graph.invoke(_say("I live in Rome."), thread())
    graph.invoke(_say("I live in Oslo."), before)
    assert _pass(memory)["extracted"] == 4
    (shown,) = _asked(memory)
    assert "Oslo" in shown
    assert "Rome" not in shown


def test_what_was_trimmed_is_read():
    """Messages that leave the state with everything before them, as a summary makes them, were said all the same."""
    memory = memory_with(facts("Has a dog named Rex"))
    graph = _graph(memory)
    graph.invoke(_say(HumanMessage("My dog is named Rex.", id="m1")), thread())
    graph.invoke(_say(RemoveMessage(id="m1"), HumanMessage("He is old.", id="m2")), thread())
    assert _pass(memory)["extracted"] == 4
    assert "Rex" in _asked(memory)[0]


@pytest.mark.parametrize("gone", ["erase", "delete_users", "delete_all"])
def test_who_is_deleted_while_messages_wait_is_not_learned_of_again(gone: str):
    """What was said before is never extracted: not when it is due, and not with the next turn."""
    memory = memory_with(facts("Has a cat named Tom"))
    graph = _graph(memory)
    graph.invoke(_say("My dog is named Rex."), thread())
    memory.erase("alex") if gone == "erase" else getattr(memory, gone)(user_id="alex")
    assert _pass(memory) == {"extracted": 0, "failed": 0, "waiting": 0}
    if gone != "erase":
        graph.invoke(_say("My cat is named Tom."), thread())
        assert _pass(memory)["extracted"] == 2
        assert "Rex" not in _asked(memory)[0]


def test_erasing_a_person_while_a_model_reads_leaves_nothing():
    """The answer of a model that was asked before the erasure is thrown away."""
    memory = memory_with(lambda _: memory.erase("alex") and facts("Has a dog named Rex"))
    _graph(memory).invoke(_say("My dog is named Rex."), thread())
    assert _pass(memory)["extracted"] == 0
    assert texts(memory) == []
    assert list(memory.export(user_id="alex")) == []


def test_undoing_what_a_thread_taught_takes_back_what_waits():
    """`undo(thread_id=…)` of a thread that was rewound holds for what was not read yet, too."""
    memory = memory_with()
    memory.settings.model = ScriptedModel()
    _graph(memory).invoke(_say("I live in Rome."), thread("t"))
    memory.undo(thread_id="t", user_id="alex")
    assert _pass(memory) == {"extracted": 0, "failed": 0, "waiting": 0}


def test_failures_are_tried_again_with_pauses_and_then_given_up_until_somebody_speaks():
    """Five tries with growing pauses, each told; the agent is never in the way, and no message is lost."""
    told: list[tuple[str, Any]] = []
    memory = memory_with(*[TimeoutError("slow")] * 5, facts("Has a dog named Rex"), on_event=_noting(told))
    graph = _graph(memory)
    graph.invoke(_say("My dog is named Rex."), thread())
    assert _pass(memory)["failed"] == 1
    for pause in (30, 60, 120, 240):
        assert _pass(memory, timedelta(seconds=pause - 1))["failed"] == 0
        assert _pass(memory, timedelta(seconds=1))["failed"] == 1
    assert _pass(memory, timedelta(days=1)) == {"extracted": 0, "failed": 0, "waiting": 1}
    failed = [details for type_, details in told if type_ == "extraction_failed"]
    assert [(each["failures"], each["given_up"]) for each in failed] == [(n, n == 5) for n in range(1, 6)]
    graph.invoke(_say("He is old."), thread())
    assert _pass(memory)["extracted"] == 4
    assert texts(memory) == ["Has a dog named Rex"]


def test_events_say_what_waits_and_what_was_read():
    """Queued, then finished with the batch that undoes it."""
    told: list[tuple[str, Any]] = []
    memory = memory_with(facts("Has a dog named Rex"), on_event=_noting(told))
    _graph(memory).invoke(_say("My dog is named Rex."), thread())
    _pass(memory)
    names = [type_ for type_, _ in told if type_.startswith("extraction_")]
    assert names == ["extraction_queued", "extraction_finished"]
    queued, finished = told[0][1], told[-1][1]
    assert (queued["thread_id"], queued["messages"]) == ("1", 2)
    assert (finished["thread_id"], finished["messages"], finished["waited_seconds"]) == ("1", 2, 300)
    memory.undo(finished["batch_id"])
    assert texts(memory) == []


def test_usage_callbacks_of_the_run_count_the_call_that_comes_later():
    """`get_usage_metadata_callback` around the run counts tokens of a call that is made after it."""
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    answer = AIMessage("", tool_calls=[{"name": "Extraction", "args": facts("Has a dog"), "id": "1"}])
    answer.usage_metadata, answer.response_metadata = usage, {"model_name": "scripted"}  # type: ignore[assignment]
    for options in ({"after": QUIET}, {}):
        memory = memory_with(answer)
        builder = StateGraph(MessagesState)
        builder.add_node("remember", extraction_node(memory, write="background", **options))
        graph = builder.set_entry_point("remember").compile(checkpointer=InMemoryCheckpointer())
        with get_usage_metadata_callback() as counted:
            graph.invoke(_say("I have a dog."), thread())
        memory.flush()
        assert counted.usage_metadata["scripted"]["total_tokens"] == 15


def test_a_flush_finishes_and_a_close_keeps():
    """`flush` extracts what is not due yet and raises what failed; `close` leaves it to the next process."""
    memory = memory_with(TimeoutError("slow"), facts("Has a dog named Rex"))
    graph = _graph(memory)
    graph.invoke(_say("My dog is named Rex."), thread())
    with pytest.raises(ExtractionError):
        memory.flush()
    assert texts(memory) == []
    memory.close()
    clock: Any = memory.clock
    again = Memory(memory.store, model=ScriptedModel(facts("Has a dog named Rex")), clock=clock)
    clock.advance(QUIET)
    assert again.extract_waiting()["extracted"] == 2
    assert texts(again) == ["Has a dog named Rex"]


def test_the_next_process_takes_up_what_waits_by_itself():
    """The first turn of a process, whoever's it is, has what others left read; nothing runs before it."""
    before = memory_with(facts())
    clock: Any = before.clock
    _graph(before).invoke(_say("My dog is named Rex."), thread())
    before.close()
    clock.advance(days=1)
    model = ScriptedModel(facts("Has a dog named Rex"))
    memory = Memory(before.store, model=model, clock=clock)
    with memory.watch({"extraction_finished"}) as told:
        running = {*threading.enumerate()}
        graph = _graph(memory)
        assert {*threading.enumerate()} <= running
        graph.invoke(_say("Hello."), thread("2", "kim"))
        assert next(told)["details"]["messages"] == 2
    assert texts(memory) == ["Has a dog named Rex"]


def test_the_alarm_rings_by_itself():
    """With the real clock nobody has to ask: the thread is read when it is quiet."""
    model = ScriptedModel(facts("Has a dog named Rex"))
    memory = Memory(LongTermStore.in_memory(), model=model)
    builder = StateGraph(MessagesState)
    node = extraction_node(memory, write="background", after=timedelta(milliseconds=10))
    graph = builder.add_node("remember", node).set_entry_point("remember").compile(checkpointer=InMemoryCheckpointer())
    with memory.watch({"extraction_finished"}) as told:
        graph.invoke(_say("My dog is named Rex."), thread())
        assert next(told)["details"]["messages"] == 1
    assert texts(memory) == ["Has a dog named Rex"]


def test_relative_dates_count_from_when_it_was_said():
    """The prompt says when each message was said, however late it is read."""
    memory = memory_with(facts())
    graph = _graph(memory)
    graph.invoke(_say("I fly tomorrow."), thread())
    _pass(memory, timedelta(days=3))
    clock: Any = FakeClock()
    assert f"{clock():%A %Y-%m-%d}" in _asked(memory)[0]


def test_without_a_model_messages_wait_and_are_stored_as_they_are():
    """Only what the user said, as without waiting."""
    memory = memory_with()
    _graph(memory).invoke(_say("My dog is named Rex."), thread())
    assert texts(memory) == []
    _pass(memory)
    assert texts(memory) == ["My dog is named Rex."]


@pytest.mark.parametrize(
    "options",
    [
        {"write": "after", "after": QUIET},
        {"write": "background", "after": timedelta(0)},
        {"write": "background", "after": 5},
        {"write": "background", "after_tokens": 100},
        {"write": "background", "after": QUIET, "after_tokens": 0},
        {"write": "later"},
    ],
)
def test_options_that_cannot_be(options: dict[str, Any]):
    """Both surfaces say so when they are made."""
    for surface in (extraction_node, MemoryMiddleware):
        with pytest.raises(InvalidRequest):
            surface(memory_with(), **options)
