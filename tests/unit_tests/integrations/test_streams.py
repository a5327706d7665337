"""Tests of what users see while an agent with memory runs: no extraction, and nothing recalled, in any stream."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from langchain_mem import (
    InMemoryCheckpointer,
    Memory,
    MemoryMiddleware,
    MemoryState,
    extraction_node,
    recalled,
    retrieval_node,
)
from langchain_mem.testing import ScriptedModel
from tests.unit_tests.agents import facts, memory_with, texts, thread

MODES = ["values", "updates", "messages", "debug", "tasks", "checkpoints", "custom"]
SAID = {"messages": [HumanMessage("I fly to Tokyo. Which window seats?")]}


def _memory() -> Memory:
    memory = memory_with(facts("Flies to Tokyo"))
    memory.add("Prefers window seats", user_id="alex", infer=False)
    return memory


def _replies(messages: list[BaseMessage]) -> str:
    assert "Prefers window seats" in str(messages)
    return "Hello there."


def _agent(memory: Memory) -> Any:
    own = MemoryMiddleware(memory, tools=False)
    return create_agent(ScriptedModel(_replies), middleware=[own], checkpointer=InMemoryCheckpointer())


def _nodes(memory: Memory) -> Any:
    """A graph that recalls where it replies, so that nothing recalled is in its state."""

    def reply(state: MessagesState) -> dict[str, Any]:
        known = recalled(state, memory=memory)["memory_context"]
        return {"messages": model.invoke([*state["messages"], HumanMessage(known)])}

    model = ScriptedModel(_replies)
    builder = StateGraph(MessagesState).add_node("reply", reply).add_node("remember", extraction_node(memory))
    builder.add_edge(START, "reply").add_edge("reply", "remember").add_edge("remember", END)
    return builder.compile(checkpointer=InMemoryCheckpointer())


FORMS = pytest.mark.parametrize("form", [_agent, _nodes])


def _clean(streamed: Any) -> None:
    """No word of the recalled memory, and none of the extraction's answer."""
    shown = str(streamed)
    assert "Hello there." in shown.replace("content='Hello'", "Hello there.")
    assert "Prefers window" not in shown
    assert "operations" not in shown
    assert "Flies to Tokyo" not in shown


@FORMS
@pytest.mark.parametrize("mode", MODES[:-1])
def test_no_stream_shows_what_was_recalled(form: Any, mode: str):
    """Each stream mode has the agent's answer and nothing of its memory."""
    memory = _memory()
    _clean(list(form(memory).stream(SAID, thread(), stream_mode=mode)))
    assert texts(memory) == ["Flies to Tokyo", "Prefers window seats"]


@FORMS
async def test_no_stream_shows_it_on_an_event_loop(form: Any):
    """The same for all modes at once in the async form."""
    memory = _memory()
    _clean([part async for part in form(memory).astream(SAID, thread(), stream_mode=MODES, subgraphs=True)])
    assert texts(memory) == ["Flies to Tokyo", "Prefers window seats"]


@FORMS
@pytest.mark.filterwarnings("ignore")  # v1 is deprecated
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_no_event_shows_the_extraction(form: Any, version: Any):
    """`astream_events` has the model call of the agent, and no event at all of the extraction's."""
    memory = _memory()
    events = [event async for event in form(memory).astream_events(SAID, thread(), version=version)]
    assert [event["name"] for event in events if event["event"] == "on_chat_model_end"] == ["ScriptedModel"]
    recalled_in = {event["event"] for event in events if "Prefers window" in str(event)}
    assert recalled_in <= {"on_chat_model_start", "on_chat_model_end"}, "the prompt of the agent's own model call"
    assert "operations" not in str(events)
    assert texts(memory) == ["Flies to Tokyo", "Prefers window seats"]


@FORMS
@pytest.mark.filterwarnings("ignore")  # v3 is experimental
def test_the_output_of_an_event_stream(form: Any):
    """`run.output`, and every message that streams, are the agent's own."""
    memory = _memory()
    stream = form(memory).stream_events(SAID, thread(), version="v3")
    streamed = [str(message.text) for message in stream.messages]
    assert streamed == ["Hello there."]
    _clean(stream.output)


def test_extraction_is_still_counted():
    """What the extraction costs is in LangChain's usage callback, though no stream shows it."""
    used = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    answer = AIMessage('{"operations": []}', usage_metadata=used, response_metadata={"model_name": "extractor"})
    memory = memory_with(answer)
    memory.add("Prefers window seats", user_id="alex", infer=False)
    with get_usage_metadata_callback() as usage:
        _agent(memory).invoke(SAID, thread())
    assert usage.usage_metadata["extractor"]["total_tokens"] == 10


def test_the_models_own_streaming_is_not_changed():
    """The extraction works with a copy: a model that also replies goes on streaming."""
    memory = _memory()
    _agent(memory).invoke(SAID, thread())
    assert isinstance(memory.model, ScriptedModel)
    assert memory.model.disable_streaming is False


@pytest.mark.parametrize(
    ("mode", "shown"),
    [("messages", False), ("values", True), ("updates", True), ("tasks", True), ("debug", True)],
)
def test_a_retrieval_node_writes_into_state(mode: str, shown: bool):
    """What a node puts into state is in the streams of what nodes write, as the documentation says."""
    memory = _memory()
    builder = StateGraph(MemoryState, output_schema=MessagesState).add_node("recall", retrieval_node(memory))
    graph = builder.add_edge(START, "recall").compile(checkpointer=InMemoryCheckpointer())
    assert ("Prefers window" in str(list(graph.stream(SAID, thread(), stream_mode=mode)))) is shown
