"""Tests of an agent whose memory is down: it answers all the same, and the log and the events say so."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from langchain_mem import (
    InMemoryCheckpointer,
    LongTermStore,
    Memory,
    MemoryMiddleware,
    MemoryState,
    extraction_node,
    retrieval_node,
)
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.testing import FakeEmbeddings, ScriptedModel
from tests.unit_tests.agents import facts, texts, thread


class _DownEmbeddings(FakeEmbeddings):
    """An embedder whose server can be gone."""

    down = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.down:
            raise ConnectionError("the embedder is gone")
        return super().embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class _DownBackend(DictionaryBackend):
    """A backend whose server can be gone."""

    down = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("get", "put", "delete", "search", "scan", "namespaces") and super().__getattribute__("down"):
            raise ConnectionError("the store is gone")
        return super().__getattribute__(name)


class _World:
    """A memory with something in it, of which a part goes down."""

    def __init__(self, part: str) -> None:
        self.embeddings, self.backend = _DownEmbeddings(), _DownBackend()
        self.model = ScriptedModel(TimeoutError("the model is gone") if part == "model" else facts("Likes tea"))
        self.memory = Memory(LongTermStore(self.backend, embed=self.embeddings), model=self.model)
        self.memory.add("Prefers window seats", user_id="alex", infer=False)
        self.embeddings.down = part == "embedder"
        self.backend.down = part == "store"

    def mend(self) -> None:
        self.embeddings.down = self.backend.down = False
        self.model.script(facts("Likes tea"))


def _agent(memory: Memory) -> Any:
    model = ScriptedModel(otherwise="Hello.")
    return create_agent(model, middleware=[MemoryMiddleware(memory)], checkpointer=InMemoryCheckpointer())


def _graph(memory: Memory) -> Any:
    builder = StateGraph(MemoryState, output_schema=MessagesState)
    builder.add_node("recall", retrieval_node(memory)).add_node("remember", extraction_node(memory))
    builder.add_node("reply", lambda _: {"messages": [AIMessage("Hello.")]})
    for one, other in ((START, "recall"), ("recall", "reply"), ("reply", "remember"), ("remember", END)):
        builder.add_edge(one, other)
    return builder.compile(checkpointer=InMemoryCheckpointer())


SAID = {"messages": [HumanMessage("I like tea.")]}


@pytest.mark.parametrize("form", [_agent, _graph])
@pytest.mark.parametrize("part", ["store", "embedder", "model"])
def test_the_agent_answers(form: Any, part: str, caplog: pytest.LogCaptureFixture):
    """With the store, the embedder or the model down the reply arrives; what was said is learned when it is back."""
    world = _World(part)
    agent = form(world.memory)
    with caplog.at_level(logging.WARNING, "langchain_mem"):
        assert agent.invoke(SAID, thread())["messages"][-1].text == "Hello."
    assert "gone" in caplog.text
    failed = {event["type"] for event in world.memory.events() if event["type"].endswith("_failed")}
    assert failed
    world.mend()
    agent.invoke({"messages": [HumanMessage("Hello again.")]}, thread())
    assert texts(world.memory) == ["Likes tea", "Prefers window seats"]


@pytest.mark.parametrize("part", ["store", "embedder"])
async def test_the_agent_answers_on_an_event_loop(part: str):
    """The same through the async form."""
    world = _World(part)
    result = await _agent(world.memory).ainvoke(SAID, thread())
    assert result["messages"][-1].text == "Hello."


@pytest.mark.parametrize("part", ["store", "embedder"])
def test_a_tool_says_that_memory_is_down(part: str):
    """A tool whose memory is down tells the model, and the run goes on."""
    world = _World(part)
    call = AIMessage("", tool_calls=[{"name": "search_memories", "args": {"query": "seat"}, "id": "1"}])
    agent = create_agent(ScriptedModel(call, "I do not know."), middleware=[MemoryMiddleware(world.memory, write=None)])
    result = agent.invoke(SAID, thread())
    assert "not available" in result["messages"][-2].text
    assert result["messages"][-1].text == "I do not know."


def test_it_may_fail_the_run():
    """With `on_error="raise"` nothing is passed over."""
    world = _World("embedder")
    with pytest.raises(Exception, match="gone"):
        create_agent(ScriptedModel("Hi."), middleware=[MemoryMiddleware(world.memory, on_error="raise")]).invoke(
            SAID, thread()
        )
    with pytest.raises(Exception, match="gone"):
        retrieval_node(world.memory, on_error="raise").invoke(SAID, thread())
