"""Tests of the chat history."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables.history import RunnableWithMessageHistory
from langgraph.graph import MessagesState, StateGraph

from langchain_mem import InMemoryCheckpointer, MemoryChatHistory
from langchain_mem.errors import ScopeError
from langchain_mem.testing import ScriptedModel
from tests.unit_tests.agents import facts, memory_with, texts


def _chain(model: ScriptedModel, history: Any) -> RunnableWithMessageHistory:
    prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("past"), ("human", "{question}")])
    with pytest.deprecated_call(match="RunnableWithMessageHistory"):
        return RunnableWithMessageHistory(
            prompt | model, history, input_messages_key="question", history_messages_key="past"
        )


def test_a_chain_has_a_history_and_a_memory():
    """What was said is in the next call of the thread, and in the memory of its user."""
    saver, memory = InMemoryCheckpointer(), memory_with(facts("Has a dog named Rex"), facts())
    model = ScriptedModel("Hello, Rex.", "Rex.")
    chain = _chain(model, lambda session_id: MemoryChatHistory(saver, session_id, memory=memory, user_id="alex"))
    session = {"configurable": {"session_id": "1"}}
    chain.invoke({"question": "My dog is named Rex."}, session)
    chain.invoke({"question": "What is his name?"}, session)
    assert [message.text for message in model.calls[1]] == ["My dog is named Rex.", "Hello, Rex.", "What is his name?"]
    assert texts(memory) == ["Has a dog named Rex"]


async def test_a_chain_on_an_event_loop():
    """The same through the async form."""
    saver, memory = InMemoryCheckpointer(), memory_with(facts("Has a dog named Rex"), facts())
    model = ScriptedModel("Hello, Rex.", "Rex.")
    chain = _chain(model, lambda session_id: MemoryChatHistory(saver, session_id, memory=memory, user_id="alex"))
    session = {"configurable": {"session_id": "1"}}
    await chain.ainvoke({"question": "My dog is named Rex."}, session)
    await chain.ainvoke({"question": "What is his name?"}, session)
    assert len(model.calls[1]) == 3
    assert texts(memory) == ["Has a dog named Rex"]


def test_a_graph_finds_the_thread():
    """The messages are those of the thread: a graph with the same checkpointer goes on from them."""
    saver = InMemoryCheckpointer()
    MemoryChatHistory(saver, "1").add_messages([HumanMessage("One"), AIMessage("Two")])
    builder = StateGraph(MessagesState).add_node("reply", lambda state: {"messages": AIMessage("Four")})
    graph = builder.set_entry_point("reply").compile(checkpointer=saver)
    result = graph.invoke({"messages": "Three"}, {"configurable": {"thread_id": "1"}})
    assert [message.text for message in result["messages"]] == ["One", "Two", "Three", "Four"]
    assert [message.text for message in MemoryChatHistory(saver, "1").messages] == ["One", "Two", "Three", "Four"]


async def test_clearing_deletes_the_thread():
    """After clear there are no messages; other threads keep theirs."""
    saver = InMemoryCheckpointer()
    one, two, three = (MemoryChatHistory(saver, name) for name in "123")
    for history in (one, two, three):
        await history.aadd_messages([HumanMessage("Hello")])
    one.clear()
    await two.aclear()
    assert [len(await history.aget_messages()) for history in (one, two, three)] == [0, 0, 1]


def test_no_owner_fails():
    """A history that remembers must know for whom."""
    history = MemoryChatHistory(InMemoryCheckpointer(), "1", memory=memory_with())
    with pytest.raises(ScopeError):
        history.add_messages([HumanMessage("Hello")])
