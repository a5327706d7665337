"""Tests of the retriever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import create_retriever_tool
from langchain_tests.integration_tests import RetrieversIntegrationTests

from langchain_mem import LongTermStore, Memory, MemoryRetriever
from langchain_mem.errors import ScopeError
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel
from tests.unit_tests.agents import memory_with


def _memory() -> Memory:
    clock = FakeClock()
    memory = Memory(LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock), clock=clock)
    for fact in ("Likes green tea", "Likes black tea", "Likes iced tea", "Likes white tea"):
        memory.add(fact, user_id="alex")
    memory.add("Likes mint tea", user_id="bob")
    return memory


@pytest.fixture
def memory() -> Iterator[Memory]:
    with _memory() as memory:
        yield memory


class TestStandard(RetrieversIntegrationTests):
    """LangChain's own suite for retrievers."""

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return MemoryRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"memory": _memory(), "user_id": "alex"}

    @property
    def retriever_query_example(self) -> str:
        return "Which tea?"


def test_a_document_is_a_memory(memory: Memory):
    """The text is the content, the id the id, and the rest, score included, the metadata."""
    (found,) = memory.search("green", user_id="alex", top_k=1)["results"]
    (document,) = memory.as_retriever(user_id="alex", k=1).invoke("green")
    assert (document.id, document.page_content) == (found["id"], "Likes green tea")
    assert document.metadata["user_id"] == "alex"
    assert 0 < document.metadata["score"] <= 1
    assert document.metadata.keys() == found.keys() - {"id", "memory"}


def test_it_takes_what_a_search_takes(memory: Memory):
    """Filters given to the constructor narrow every call, and those given to a call that one."""
    retriever = memory.as_retriever(user_id="alex", filters={"memory": {"icontains": "black"}})
    assert [document.page_content for document in retriever.invoke("tea")] == ["Likes black tea"]
    assert retriever.invoke("tea", threshold=1.0) == []


def test_the_run_says_whose(memory: Memory):
    """One chain serves many users: the owner comes from the configuration of the run."""
    prompt = ChatPromptTemplate.from_template("{known}\n{question}")
    model = ScriptedModel("Mint.", "Green.")
    chain = {"known": MemoryRetriever(memory=memory), "question": RunnablePassthrough()} | prompt | model
    chain.invoke("Which tea?", {"configurable": {"user_id": "bob"}})
    chain.invoke("Which tea?", {"configurable": {"user_id": "alex"}})
    asked_by_bob, asked_by_alex = (messages[0].text for messages in model.calls)
    assert "mint" in asked_by_bob
    assert "green" not in asked_by_bob
    assert "mint" not in asked_by_alex


async def test_the_run_says_whose_on_an_event_loop(memory: Memory):
    """The same in the async form, called by itself."""
    found = await MemoryRetriever(memory=memory).ainvoke("Which tea?", {"configurable": {"user_id": "bob"}})
    assert [document.page_content for document in found] == ["Likes mint tea"]


def test_no_owner_fails(memory: Memory):
    """Without an owner nothing is returned, not everything."""
    with pytest.raises(ScopeError, match="Whose memory"):
        MemoryRetriever(memory=memory).invoke("Which tea?")


def test_the_owner_in_code_wins(memory: Memory):
    """A retriever made for one user stays his, whoever the run names."""
    found = memory.as_retriever(user_id="bob").invoke("tea", {"configurable": {"user_id": "alex"}})
    assert {document.metadata["user_id"] for document in found} == {"bob"}


def _two_memories() -> Memory:
    memory = memory_with()
    memory.add("Prefers window seats", user_id="alex")
    memory.add("Prefers aisle seats", user_id="bob")
    return memory


def _in_multi_query(retriever: MemoryRetriever) -> Any:
    from langchain_classic.retrievers import MultiQueryRetriever

    return MultiQueryRetriever.from_llm(retriever, ScriptedModel(otherwise="Which seats?\nAny seat preferences?"))


def _in_compression(retriever: MemoryRetriever) -> Any:
    from langchain_classic.retrievers import ContextualCompressionRetriever
    from langchain_classic.retrievers.document_compressors import LLMChainFilter

    filtering = LLMChainFilter.from_llm(ScriptedModel(otherwise="YES"))
    return ContextualCompressionRetriever(base_retriever=retriever, base_compressor=filtering)


@pytest.mark.parametrize("within", [_in_multi_query, _in_compression])
@pytest.mark.filterwarnings("ignore")
def test_within_another_retriever(within: Any):
    """LangChain's retrievers hand on callbacks only; whose memories these are comes from the chain around them."""
    pytest.importorskip("langchain_classic")
    chain = RunnablePassthrough() | within(MemoryRetriever(memory=_two_memories()))
    for user, seat in (("alex", "window"), ("bob", "aisle")):
        found = chain.invoke("Which seats?", {"configurable": {"user_id": user}})
        assert [document.page_content for document in found] == [f"Prefers {seat} seats"]


async def test_as_a_tool():
    """LangChain's `create_retriever_tool` makes a tool of it that asks for whoever's run calls it."""
    search = create_retriever_tool(MemoryRetriever(memory=_two_memories()), "search", "Searches.")
    config: Any = {"configurable": {"user_id": "bob"}}
    assert search.invoke({"query": "Which seats?"}, config) == "Prefers aisle seats"
    assert await search.ainvoke({"query": "Which seats?"}, config) == "Prefers aisle seats"


def test_an_owner_of_the_applications_choice():
    """A retriever that is called bare, by whatever code, may be told how to find its owner."""
    retriever = MemoryRetriever(memory=_two_memories(), owner=lambda _: "bob")
    assert [document.page_content for document in retriever.invoke("Which seats?")] == ["Prefers aisle seats"]
