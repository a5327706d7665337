"""Tests of the nodes, each in a whole graph."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, RetryPolicy, interrupt

from langchain_mem import (
    InMemoryCheckpointer,
    Memory,
    MemoryContext,
    MemoryState,
    SqliteCheckpointer,
    extraction_node,
    recalled,
    retrieval_node,
)
from langchain_mem.errors import ExtractionError, InvalidRequest, ScopeError
from langchain_mem.integrations.conversation import spoken
from langchain_mem.integrations.nodes import arecalled
from langchain_mem.testing import FakeEmbeddings, ScriptedModel
from tests.unit_tests.agents import facts, memory_with, texts, thread


def _graph(
    memory: Memory, reply: Callable[..., Any], saver: Any = None, retry: RetryPolicy | None = None, **options: Any
) -> CompiledStateGraph[Any, Any, Any, Any]:
    builder = StateGraph(MemoryState, context_schema=MemoryContext, output_schema=MessagesState)
    builder.add_node("recall", retrieval_node(memory, layers=["user"]))
    builder.add_node("reply", reply)
    builder.add_node("remember", extraction_node(memory, **options), retry_policy=retry)
    for one, next_one in ((START, "recall"), ("recall", "reply"), ("reply", "remember"), ("remember", END)):
        builder.add_edge(one, next_one)
    return builder.compile(checkpointer=saver, store=memory.store)


def _echo(state: MemoryState) -> dict[str, Any]:
    """Replies with what was recalled."""
    return {"messages": [AIMessage(state["memory_context"] or "Nothing is known.")]}


def _seen(state: MemoryState) -> dict[str, Any]:
    return {"messages": [AIMessage("I see.")]}


def _say(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def test_a_graph_remembers_across_threads():
    """What was said in one thread is recalled in another."""
    memory = memory_with(facts("Prefers window seats"), facts())
    graph = _graph(memory, _echo, InMemoryCheckpointer())
    graph.invoke(_say("I prefer window seats."), thread("1"))
    answer = graph.invoke(_say("Which seat?"), thread("2"))["messages"][-1].text
    assert "- Prefers window seats" in answer


async def test_a_graph_remembers_across_threads_on_an_event_loop():
    """The same through the async form, with the owner in the context."""
    memory = memory_with(facts("Prefers window seats"), facts())
    graph = _graph(memory, _echo, InMemoryCheckpointer())
    alex = MemoryContext(user_id="alex")
    await graph.ainvoke(_say("I prefer window seats."), {"configurable": {"thread_id": "1"}}, context=alex)
    result = await graph.ainvoke(_say("Which seat?"), {"configurable": {"thread_id": "2"}}, context=alex)
    assert "- Prefers window seats" in result["messages"][-1].text


def test_no_owner_fails():
    """A graph run for nobody fails before it says anything."""
    with pytest.raises(ScopeError, match="Whose memory"):
        _graph(memory_with(), _echo).invoke(_say("Hi"))


def test_the_result_holds_no_recalled_items():
    """With `output_schema=MessagesState` a graph returns its messages and nothing else."""
    assert _graph(memory_with(), _seen).invoke(_say("Hi"), thread()).keys() == {"messages"}


def test_no_checkpoint_holds_what_was_recalled(tmp_path: Path):
    """The bytes of the checkpointer's files have no word of a recalled memory: a deleted one is gone everywhere."""
    memory = memory_with()
    memory.add("Xylophone quarterly", user_id="alex")

    def wait(state: MemoryState) -> dict[str, Any]:
        assert "Xylophone" in recalled(state, memory=memory)["memory_context"]
        return {"messages": [AIMessage(str(interrupt("Which?")))]}

    with SqliteCheckpointer.open(tmp_path / "threads.sqlite") as saver:
        graph = _graph(memory, wait, saver)
        graph.invoke(_say("What is quarterly?"), thread())
        graph.invoke(Command(resume="Music"), thread())
    files = list(tmp_path.iterdir())
    assert any(b"Music" in file.read_bytes() for file in files)
    assert not any(b"Xylophone" in file.read_bytes() for file in files)


def test_what_an_interrupt_took_is_recalled_again():
    """After a resume the state holds nothing recalled; `recalled` finds it again, in the store of the graph."""
    memory = memory_with()
    memory.add("Prefers window seats", user_id="alex")
    states: list[bool] = []

    def reply(state: MemoryState, runtime: Runtime[MemoryContext]) -> dict[str, Any]:
        states.append("memory_context" in state)
        known = recalled(state, runtime)["memory_context"]
        return {"messages": [AIMessage(f"{interrupt('Sure?')}: {known}")]}

    graph = _graph(memory, reply, InMemoryCheckpointer())
    graph.invoke(_say("Which seat?"), thread())
    result = graph.invoke(Command(resume="Yes"), thread())
    assert states == [True, False]
    assert re.match(r"Yes: (?s:.*)Prefers window seats", result["messages"][-1].text)


async def test_recalling_again_on_an_event_loop():
    """The same through the async form."""
    memory = memory_with()
    memory.add("Prefers window seats", user_id="alex")

    async def reply(state: MemoryState) -> dict[str, Any]:
        known = (await arecalled(state, memory=memory))["memory_context"]
        return {"messages": [AIMessage(f"{interrupt('Sure?')}: {known}")]}

    graph = _graph(memory, reply, InMemoryCheckpointer())
    await graph.ainvoke(_say("Which seat?"), thread())
    result = await graph.ainvoke(Command(resume="Yes"), thread())
    assert "Prefers window seats" in result["messages"][-1].text


def test_recalling_needs_somewhere_to_look():
    """Without a memory and without a store the caller is told what to give."""
    with pytest.raises(InvalidRequest, match="memory="):
        recalled({"messages": [HumanMessage("Hi")]})


def test_the_search_is_the_applications():
    """How many, how long, and what is searched for are the node's options."""
    memory = memory_with()
    for tea in ("green", "black", "iced"):
        memory.add(f"Likes {tea} tea", user_id="alex")
    node = retrieval_node(memory, top_k=2, token_budget=60, query=lambda state: state["topic"])
    found = node.invoke({"messages": [HumanMessage("Hello")], "topic": "tea"}, thread())
    assert len(found["memories"]) == 2
    assert found["memory_context"].count("\n- ") == 1
    assert node.invoke({"messages": [], "topic": " "}, thread()) == {"memories": [], "memory_context": ""}


def test_pinned_memories_are_always_there():
    """What is pinned comes first, whatever is asked, and takes no place from what is found."""
    memory = memory_with()
    memory.add("Is allergic to nuts", user_id="alex", metadata={"pinned": True})
    memory.add("Likes green tea", user_id="alex")
    node = retrieval_node(memory, top_k=1, pinned={"metadata": {"pinned": True}})
    found = node.invoke(_say("Which tea?"), thread())
    assert [one["memory"] for one in found["memories"]] == ["Is allergic to nuts", "Likes green tea"]
    assert "Is allergic to nuts" in node.invoke({"messages": []}, thread())["memory_context"]
    again = node.invoke(_say("Any nuts?"), thread())["memories"]
    assert [one["memory"] for one in again] == ["Is allergic to nuts", "Likes green tea"]


def test_a_session_sees_its_own_notes():
    """A note of this thread is recalled, one of another thread is not."""
    memory = memory_with()
    memory.add("Draft seat plan A", user_id="alex", run_id="1")
    memory.add("Draft seat plan B", user_id="alex", run_id="2")
    found = retrieval_node(memory).invoke(_say("Which seat plan?"), thread("1"))
    assert [one["memory"] for one in found["memories"]] == ["Draft seat plan A"]


def test_where_a_memory_came_from():
    """A fact knows its thread, its checkpoint and its messages, and lasts beyond the thread."""
    memory = memory_with(facts("Prefers window seats"))
    _graph(memory, _seen, InMemoryCheckpointer()).invoke(
        {"messages": [HumanMessage("I prefer window seats.", id="m1")]}, thread("t1")
    )
    (found,) = memory.get_all(user_id="alex")["results"]
    assert found["source"]["thread_id"] == "t1"
    assert found["source"]["checkpoint_id"]
    assert found["source"]["message_ids"][0] == "m1"
    assert found["run_id"] is None


def test_each_message_is_extracted_once():
    """A turn's extraction has that turn's messages, and none of an earlier one."""
    memory = memory_with(facts("Has a dog named Rex"), facts("Lives in Lisbon"))
    graph = _graph(memory, _seen, InMemoryCheckpointer())
    graph.invoke(_say("My dog is named Rex."), thread())
    graph.invoke(_say("I live in Lisbon."), thread())
    assert isinstance(memory.model, ScriptedModel)
    first, second = (call[-1].text for call in memory.model.calls)
    assert "My dog" in first
    assert "My dog is named Rex." not in second.split("Lives", 1)[-1].replace("Has a dog named Rex", "")
    assert texts(memory) == ["Has a dog named Rex", "Lives in Lisbon"]


def test_a_retried_node_does_nothing_twice():
    """A node that failed after it wrote, and is run again, asks no model and writes nothing new."""
    memory = memory_with(facts("Has a dog named Rex"))
    remember, failures = extraction_node(memory), iter([ConnectionError("lost")])

    def fails_once(state: MemoryState) -> dict[str, Any]:
        remember.invoke(state)
        for failure in failures:
            raise failure
        return {}

    builder = StateGraph(MemoryState).add_node(
        "remember", fails_once, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False)
    )
    graph = builder.set_entry_point("remember").compile(checkpointer=InMemoryCheckpointer())
    graph.invoke(_say("My dog is named Rex."), thread())
    assert isinstance(memory.model, ScriptedModel)
    assert memory.model.count == 1
    assert texts(memory) == ["Has a dog named Rex"]
    (found,) = memory.get_all(user_id="alex")["results"]
    assert [change["event"] for change in memory.history(found["id"])] == ["ADD"]


def test_what_failed_is_in_the_next_extraction():
    """A failing model does not fail the graph; its messages come with the next turn's."""
    memory = memory_with(TimeoutError("slow"), facts("Has a dog named Rex"))
    graph = _graph(memory, _seen, InMemoryCheckpointer())
    graph.invoke(_say("My dog is named Rex."), thread())
    assert texts(memory) == []
    graph.invoke(_say("How are you?"), thread())
    assert texts(memory) == ["Has a dog named Rex"]


def test_a_failure_is_raised():
    """With `on_error="raise"` a failing extraction fails the node, and a retry policy tries it again."""
    memory = memory_with(TimeoutError("slow"), facts("Has a dog named Rex"))
    with pytest.raises(ExtractionError):
        _graph(memory, _seen, InMemoryCheckpointer(), on_error="raise").invoke(
            _say("My dog is named Rex."), thread("1")
        )
    retry = RetryPolicy(initial_interval=0.001, jitter=False)
    memory = memory_with(TimeoutError("slow"), facts("Has a dog named Rex"))
    _graph(memory, _seen, InMemoryCheckpointer(), retry, on_error="raise").invoke(
        _say("My dog is named Rex."), thread()
    )
    assert texts(memory) == ["Has a dog named Rex"]


def test_in_the_background():
    """A worker extracts; the reply does not wait for it."""
    gate: list[str] = []
    memory = memory_with(lambda _: gate.append("extracted") or facts("Has a dog named Rex"))
    graph = _graph(memory, _seen, InMemoryCheckpointer(), background=True)
    graph.invoke(_say("My dog is named Rex."), thread())
    memory.flush()
    assert gate == ["extracted"]
    assert texts(memory) == ["Has a dog named Rex"]


async def test_in_the_background_of_an_event_loop():
    """The same for an async graph; what failed is told by the flush and comes with the next turn's."""
    memory = memory_with(TimeoutError("slow"), facts("Has a dog named Rex"))
    graph = _graph(memory, _seen, InMemoryCheckpointer(), background=True)
    await graph.ainvoke(_say("My dog is named Rex."), thread())
    with pytest.raises(ExtractionError):
        await memory.aflush()
    await graph.ainvoke(_say("How are you?"), thread())
    await memory.aflush()
    assert texts(memory) == ["Has a dog named Rex"]


def test_erasing_a_person_stops_their_background_work():
    """What waits in the background for an erased person is dropped, so nothing comes back."""
    memory = memory_with(facts("Has a dog named Rex"))
    graph = _graph(memory, _seen, InMemoryCheckpointer(), background=True)
    graph.invoke(_say("My dog is named Rex."), thread())
    memory.erase("alex")
    memory.flush()
    assert texts(memory) == []


@pytest.mark.parametrize(
    ("answer", "remembered"),
    [(True, ["Has a dog named Rex"]), ({"approve": True}, ["Has a dog named Rex"]), (False, []), ("no", [])],
)
def test_approval(answer: Any, remembered: list[str]):
    """The plan is shown, and carried out or dropped; the model is asked once, and not again in the next turn."""
    memory = memory_with(facts("Has a dog named Rex"), facts())
    graph = _graph(memory, _seen, InMemoryCheckpointer(), approve=True)
    (shown,) = graph.invoke(_say("My dog is named Rex."), thread())["__interrupt__"]
    assert [one["memory"] for one in shown.value["results"]] == ["Has a dog named Rex"]
    assert texts(memory) == []
    graph.invoke(Command(resume=answer), thread())
    assert isinstance(memory.model, ScriptedModel)
    assert memory.model.count == 1
    assert texts(memory) == remembered
    graph.invoke(_say("How are you?"), thread())
    assert "My dog is named Rex" not in memory.model.calls[1][-1].text


async def test_approval_on_an_event_loop():
    """The same through the async form."""
    memory = memory_with(facts("Has a dog named Rex"))
    graph = _graph(memory, _seen, InMemoryCheckpointer(), approve=True)
    await graph.ainvoke(_say("My dog is named Rex."), thread())
    await graph.ainvoke(Command(resume=True), thread())
    assert texts(memory) == ["Has a dog named Rex"]


def test_a_plan_for_nothing_asks_nobody():
    """Where nothing is to be remembered the graph does not stop."""
    memory = memory_with(facts())
    result = _graph(memory, _seen, InMemoryCheckpointer(), approve=True).invoke(_say("Hello"), thread())
    assert "__interrupt__" not in result


def _superseding(text: str) -> Callable[[Any], dict[str, Any]]:
    return lambda _: {"operations": [{"action": "supersede", "memory": 0, "text": text, "evidence": [0]}]}


def test_a_plan_that_was_overtaken_is_made_anew():
    """An approval of a plan whose memories changed meanwhile writes nothing: a new plan is shown, and says so."""
    memory = memory_with(_superseding("Lives in Paris"), _superseding("Lives in Paris"))
    (known,) = memory.add("Lives in Berlin", user_id="alex", infer=False)["results"]
    graph = _graph(memory, _seen, InMemoryCheckpointer(), approve=True)
    graph.invoke(_say("I live in Paris."), thread())
    memory.update(known["id"], "Lives in Bonn", user_id="alex")
    (shown,) = graph.invoke(Command(resume=True), thread())["__interrupt__"]
    assert "changed" in shown.value
    assert texts(memory) == ["Lives in Bonn"]
    graph.invoke(Command(resume=True), thread())
    assert texts(memory) == ["Lives in Paris"]


def test_on_a_store_of_langgraphs_own():
    """Approval, planning anew and exactly once need no store of this package."""
    model = ScriptedModel(_superseding("Lives in Paris"), _superseding("Lives in Paris"), facts())
    memory = Memory(InMemoryStore(index={"dims": 64, "embed": FakeEmbeddings()}), model=model)
    (known,) = memory.add("Lives in Berlin", user_id="alex", infer=False)["results"]
    graph = _graph(memory, _seen, InMemoryCheckpointer(), approve=True)
    graph.invoke(_say("I live in Paris."), thread())
    memory.update(known["id"], "Lives in Bonn", user_id="alex")
    graph.invoke(Command(resume=True), thread())
    graph.invoke(Command(resume=True), thread())
    assert texts(memory) == ["Lives in Paris"]
    graph.invoke(_say("Hello"), thread())
    assert "I live in Paris." not in model.calls[2][-1].text


def test_what_cannot_be_is_refused_at_once():
    """A node is not made with options that contradict each other."""
    with pytest.raises(InvalidRequest, match="background"):
        extraction_node(memory_with(facts()), approve=True, background=True)
    with pytest.raises(InvalidRequest, match="model"):
        extraction_node(memory_with(), approve=True)
    with pytest.raises(InvalidRequest, match="on_error"):
        extraction_node(memory_with(), on_error="ignore")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="thread"):
        extraction_node(memory_with(facts()), approve=True).invoke(_say("Hi"), {"configurable": {"user_id": "alex"}})


def test_without_a_thread_the_last_turn_counts():
    """Nothing tells what was extracted before, so earlier turns of a list handed in again are left alone."""
    memory = memory_with()
    said = [HumanMessage("I like tea."), AIMessage("Good."), HumanMessage("I like rice.")]
    _graph(memory, _seen).invoke({"messages": said}, {"configurable": {"user_id": "alex"}})
    assert texts(memory) == ["I like rice."]


def test_without_a_model_only_the_user_is_kept():
    """Replies repeat what was recalled; stored verbatim they would come back as memories."""
    memory = memory_with()
    graph = _graph(memory, _echo, InMemoryCheckpointer())
    graph.invoke(_say("I like green tea."), thread())
    graph.invoke(_say("I buy it in Leeds."), thread())
    assert texts(memory) == ["I buy it in Leeds.", "I like green tea."]


def test_an_agents_own_memories():
    """With an agent alone, what it says is kept as its own; beside a user only the user's words are kept verbatim."""
    said = {"messages": [HumanMessage("I study mathematics.", id="1"), AIMessage("I am a tutor.", id="2")]}
    memory = memory_with()
    for thread_id, user in (("1", {"user_id": "alex"}), ("2", {})):
        ids = {"agent_id": "tutor", "thread_id": thread_id, **user}
        extraction_node(memory).invoke(said, {"configurable": ids})
    assert texts(memory, user_id="alex") == ["I study mathematics."]
    assert texts(memory, agent_id="tutor") == ["I am a tutor."]


def test_messages_without_ids():
    """A state that gives its messages no ids has each of them extracted once, too."""
    memory = memory_with(facts("Has a dog named Rex"), facts("Lives in Lisbon"))
    node, said = extraction_node(memory), [HumanMessage("My dog is named Rex."), AIMessage("I see.")]
    node.invoke({"messages": said}, thread())
    node.invoke({"messages": said}, thread())
    node.invoke({"messages": [*said, {"role": "user", "content": "I live in Lisbon."}]}, thread())
    assert texts(memory) == ["Has a dog named Rex", "Lives in Lisbon"]


def test_who_may_be_quoted():
    """Tools, instructions and summaries say nothing that could be remembered."""
    messages = [
        SystemMessage("Be brief.", id="1"),
        HumanMessage("A summary", id="2", additional_kwargs={"lc_source": "summarization"}),
        HumanMessage("Hello", id="3"),
        ToolMessage("42", tool_call_id="t", id="4"),
        AIMessage("Hi", id="5"),
    ]
    assert list(spoken(messages)) == ["3", "5"]


def test_pictures_are_left_alone():
    """Of a message with content blocks the text is extracted and searched for, and the rest is not."""
    memory = memory_with(facts("Has a dog named Rex"))
    picture = {"type": "image", "base64": "aGVsbG8=", "mime_type": "image/png"}
    said = {"messages": [HumanMessage([{"type": "text", "text": "My dog is named Rex."}, picture])]}
    _graph(memory, _seen, InMemoryCheckpointer()).invoke(said, thread())
    assert isinstance(memory.model, ScriptedModel)
    assert "aGVsbG8=" not in str(memory.model.calls)
    assert texts(memory) == ["Has a dog named Rex"]
    only_a_picture = {"messages": [HumanMessage([picture])]}
    assert retrieval_node(memory).invoke(only_a_picture, thread())["memories"] == []


def test_the_functional_api():
    """An `@entrypoint` recalls and remembers through the same operations, and tasks run once."""
    memory = memory_with(facts("Prefers window seats"), facts())

    @task
    def remember(text: str, user_id: str) -> list[str]:
        return [one["memory"] for one in memory.add(text, user_id=user_id)["results"]]

    @entrypoint(checkpointer=InMemoryCheckpointer(), store=memory.store)
    def chat(text: str, *, runtime: Runtime[MemoryContext]) -> str:
        known = recalled({"messages": [HumanMessage(text)]}, runtime)["memory_context"]
        remember(text, "alex").result()
        return known

    assert chat.invoke("I prefer window seats.", thread("1")) == ""
    assert "Prefers window seats" in chat.invoke("Which seat?", thread("2"))


def test_a_graph_with_the_servers_store():
    """`Memory(runtime.store)` inside a node works on the store the graph was given."""
    store = memory_with().store

    def keep(state: MessagesState, runtime: Runtime[MemoryContext]) -> dict[str, Any]:
        assert runtime.store is not None
        Memory(runtime.store).add(state["messages"][-1].text, user_id=runtime.context.user_id)
        return {}

    builder = StateGraph(MessagesState, context_schema=MemoryContext).add_node("keep", keep)
    graph = builder.set_entry_point("keep").compile(store=store)
    graph.invoke(_say("I like tea."), context=MemoryContext(user_id="alex"))
    assert texts(Memory(store)) == ["I like tea."]


def test_threads_are_noted_for_erasure():
    """A thread in which memories were only recalled is found when its person is erased, after a restart too."""
    memory, saver = memory_with(), InMemoryCheckpointer()
    builder = StateGraph(MemoryState).add_node("recall", retrieval_node(memory))
    graph = builder.set_entry_point("recall").compile(checkpointer=saver)
    for name in ("a.b/c", "2"):
        graph.invoke(_say("Hello"), thread(name))
    graph.invoke(_say("Hello"), thread("3", user_id="bob"))
    restarted = Memory(memory.store)
    assert restarted.erase("alex", checkpointer=saver)["threads"] == ["2", "a.b/c"]
    assert [saver.get_tuple(thread(name)) is None for name in ("a.b/c", "2", "3")] == [True, True, False]


def test_sqlite_is_what_is_searched(tmp_path: Path):
    """The check of the checkpointer's bytes would see a recalled text that was kept in a message."""
    with SqliteCheckpointer.open(tmp_path / "threads.sqlite") as saver:
        graph = _graph(memory_with(), _echo, saver)
        graph.invoke(_say("Xylophone quarterly"), thread())
    assert sqlite3.connect(tmp_path / "threads.sqlite").execute("SELECT count(*) FROM checkpoints").fetchone()[0] > 0
    assert any(b"Xylophone" in file.read_bytes() for file in tmp_path.iterdir())


def test_no_fact_is_lost_to_trimming():
    """A model that is shown a trimmed window replies, and what it no longer sees was remembered in its turn."""
    said = ["My dog is Rex.", "I live in Oslo.", "I play the cello.", "I am vegetarian."]
    memory = memory_with(*(facts(text) for text in said))
    shown: list[int] = []

    def reply(state: MemoryState) -> dict[str, Any]:
        window = trim_messages(state["messages"], max_tokens=2, token_counter=len, start_on="human")
        shown.append(len(window))
        return {"messages": [AIMessage("I see.")]}

    graph = _graph(memory, reply, InMemoryCheckpointer())
    for text in said:
        graph.invoke(_say(text), thread("one"))
    assert max(shown) <= 2
    assert texts(memory) == sorted(said)
