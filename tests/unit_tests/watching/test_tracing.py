"""A search in a trace of LangChain: a retriever run with the memories and their scores."""

from __future__ import annotations

import sys
from typing import Any
from uuid import UUID

import langsmith
import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.globals import set_debug
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import StateGraph

from langchain_mem import LongTermStore, Memory
from langchain_mem.integrations.middleware import MemoryMiddleware
from langchain_mem.integrations.nodes import MemoryState, retrieval_node
from langchain_mem.testing import FakeEmbeddings, ScriptedModel
from langchain_mem.watching.tracing import unheard


class Tracer(BaseCallbackHandler):
    """Notes retriever runs."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.found: list[Any] = []
        self.failed: list[BaseException] = []
        self.chains: list[UUID] = []

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.chains.append(run_id)

    def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:
        self.started.append({"query": query, **kwargs})

    def on_retriever_end(self, documents: Any, **kwargs: Any) -> None:
        self.found.append(documents)

    def on_retriever_error(self, error: BaseException, **kwargs: Any) -> None:
        self.failed.append(error)


class AsyncTracer(Tracer, AsyncCallbackHandler):
    """The same, as a handler with coroutines."""

    async def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:
        self.started.append({"query": query, **kwargs})

    async def on_retriever_end(self, documents: Any, **kwargs: Any) -> None:
        self.found.append(documents)


@pytest.fixture
def memory() -> Memory:
    memory = Memory(LongTermStore.in_memory(embed=FakeEmbeddings()))
    memory.add("Likes green tea", user_id="alex")
    memory.add("Is allergic to nuts", user_id="alex", metadata={"pinned": True})
    return memory


def _graph(memory: Memory) -> Any:
    node = retrieval_node(memory, pinned={"metadata.pinned": True}, threshold=0.0)
    return StateGraph(MemoryState).add_node("recall", node).set_entry_point("recall").compile()


def _config(tracer: Any) -> Any:
    return {"callbacks": [tracer], "configurable": {"user_id": "alex"}}


def _check(tracer: Tracer) -> None:
    (start,), (documents,) = tracer.started, tracer.found
    assert (start["query"], start["name"]) == ("Which tea?", "recall_memories")
    assert start["parent_run_id"] in tracer.chains
    assert [document.page_content for document in documents] == ["Is allergic to nuts", "Likes green tea"]
    assert all(0 <= document.metadata["score"] <= 1 for document in documents)
    assert documents[1].metadata["user_id"] == "alex"


def test_recall_in_a_graph_is_a_retriever_run(memory: Memory):
    """A trace shows what a node recalled, pinned memories first, with scores, below the node's own run."""
    tracer = Tracer()
    _graph(memory).invoke({"messages": [HumanMessage("Which tea?")]}, _config(tracer))
    _check(tracer)


@pytest.mark.parametrize("tracer", [Tracer(), AsyncTracer()], ids=["sync handler", "async handler"])
async def test_recall_on_an_event_loop(memory: Memory, tracer: Tracer):
    """The async form is traced alike, by handlers of either kind."""
    await _graph(memory).ainvoke({"messages": [HumanMessage("Which tea?")]}, _config(tracer))
    _check(tracer)


def _agent(memory: Memory) -> Any:
    return create_agent(ScriptedModel(otherwise="Gladly."), middleware=[MemoryMiddleware(memory, write=None)])


def test_what_the_middleware_recalls_is_a_retriever_run(memory: Memory):
    """The trace of an agent shows what was recalled for its reply."""
    tracer = Tracer()
    _agent(memory).invoke({"messages": [HumanMessage("Which tea?")]}, _config(tracer))
    assert [(start["query"], start["name"]) for start in tracer.started] == [("Which tea?", "recall_memories")]
    assert "Likes green tea" in [document.page_content for document in tracer.found[0]]


async def test_what_the_middleware_recalls_on_an_event_loop(memory: Memory):
    """The same where the agent runs on a loop."""
    tracer = AsyncTracer()
    await _agent(memory).ainvoke({"messages": [HumanMessage("Which tea?")]}, _config(tracer))
    assert [start["name"] for start in tracer.started] == ["recall_memories"]
    assert "Likes green tea" in [document.page_content for document in tracer.found[0]]


def test_a_search_with_a_configuration(memory: Memory):
    """`search(…, config=…)` is a run of that configuration; the results are the same."""
    tracer = Tracer()
    found = memory.search("tea", user_id="alex", config={"callbacks": [tracer]})
    ((first, *_),) = tracer.found
    assert tracer.started[0]["name"] == "search_memories"
    assert (first.id, first.metadata["score"]) == (found["results"][0]["id"], found["results"][0]["score"])


async def test_a_search_within_a_run(memory: Memory):
    """A search in a step of a chain belongs to the trace that is under way, without being told."""

    async def asearch(query: str) -> Any:
        return await memory.asearch(query, user_id="alex")

    tracer = Tracer()
    RunnableLambda(lambda query: memory.search(query, user_id="alex")).invoke("tea", {"callbacks": [tracer]})
    await RunnableLambda(asearch).ainvoke("tea", {"callbacks": [tracer]})
    assert [start["parent_run_id"] in tracer.chains for start in tracer.started] == [True, True]


def test_the_retriever_is_one_run(memory: Memory):
    """A LangChain retriever over a memory is a retriever run already, and has no second one in it."""
    tracer = Tracer()
    memory.as_retriever(user_id="alex").invoke("tea", {"callbacks": [tracer]})
    assert len(tracer.started) == 1


def test_looking_is_no_run(memory: Memory):
    """`explain` weighs everything there is, which is no recall."""
    tracer = Tracer()
    RunnableLambda(lambda query: memory.explain(query, user_id="alex")).invoke("tea", {"callbacks": [tracer]})
    assert tracer.started == []


def test_a_secret_in_a_query_is_masked(memory: Memory):
    """A trace and an event hold the query as memories would: without its secrets, and of a long one the beginning."""
    tracer = Tracer()
    said = "My key is sk-abcdefghijklmnopqrstuvwxyz0123456789ABCD. " + "And so on. " * 100
    _graph(memory).invoke({"messages": [HumanMessage(said)]}, _config(tracer))
    memory.search(said, user_id="alex", config={"callbacks": [tracer]})
    quotes = [start["query"] for start in tracer.started]
    quotes += [event["details"]["query"] for event in memory.events(types={"search"})]
    assert len(quotes) == 4
    assert [quote for quote in quotes if "sk-abc" in quote or len(quote) > 500] == []


def test_a_search_that_fails():
    """The run ends with the error, and so does the search."""

    class Down(FakeEmbeddings):
        def embed_query(self, text: str) -> list[float]:
            raise ConnectionError("The provider is down.")

    tracer, broken = Tracer(), Memory(LongTermStore.in_memory(embed=Down()))
    broken.add("Likes tea", user_id="alex")
    with pytest.raises(ConnectionError):
        broken.search("tea", user_id="alex", config={"callbacks": [tracer]})
    assert [type(error) for error in tracer.failed] == [ConnectionError]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported LangSmith."""
    monkeypatch.delitem(sys.modules, "langsmith", raising=False)
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("fresh")
def test_nothing_can_listen():
    """Without a configuration and without LangSmith a search need not ask who listens."""
    assert unheard(None)
    assert not unheard({"tags": ["mine"]})


@pytest.mark.usefixtures("fresh")
def test_langsmith_may_listen(monkeypatch: pytest.MonkeyPatch):
    """Who imported LangSmith may have switched tracing on in it."""
    monkeypatch.setitem(sys.modules, "langsmith", langsmith)
    assert not unheard(None)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("name", ["LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"])
def test_the_environment_switches_tracing_on(monkeypatch: pytest.MonkeyPatch, name: str):
    """A process may be traced from its first search on."""
    monkeypatch.setenv(name, "true")
    assert not unheard(None)


@pytest.mark.usefixtures("fresh")
def test_debug_mode_listens():
    """LangChain's debug mode prints every run."""
    set_debug(True)
    try:
        assert not unheard(None)
    finally:
        set_debug(False)
