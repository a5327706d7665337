"""Tests of options: they are checked when a surface is made, and all surfaces take the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import CachePolicy
from typing_extensions import TypedDict

from langchain_mem import (
    InMemoryCheckpointer,
    LongTermStore,
    Memory,
    MemoryContext,
    MemoryMiddleware,
    MemoryState,
    extraction_node,
    memory_tools,
    retrieval_node,
)
from langchain_mem.errors import FilterError, InvalidRequest, ScopeError, UnknownOption
from langchain_mem.testing import FakeEmbeddings, ScriptedModel
from tests.unit_tests.agents import facts, memory_with, prompt_of, texts, thread


def _say(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


@pytest.mark.parametrize("surface", [MemoryMiddleware, retrieval_node])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"topk": 3}, TypeError),
        ({"top_k": 0}, InvalidRequest),
        ({"threshold": 7}, InvalidRequest),
        ({"layers": ["usr"]}, InvalidRequest),
        ({"filters": {"nope": {"is": 1}}}, FilterError),
        ({"pinned": {"memory": {"like": 1}}}, FilterError),
        ({"token_budget": 0}, InvalidRequest),
        ({"template": "no place for them"}, InvalidRequest),
        ({"query": "seats"}, InvalidRequest),
        ({"on_error": "ignore"}, InvalidRequest),
        ({"owner": "{user_id}"}, InvalidRequest),
        ({"agent_id": ""}, ScopeError),
    ],
)
def test_a_mistake_is_told_when_a_surface_is_made(
    surface: Callable[..., Any], options: dict[str, Any], error: type[Exception]
):
    """No option waits for the first request to fail."""
    with pytest.raises(error):
        surface(memory_with(), **options)


def test_a_mistake_in_the_options_of_extraction():
    """The same for what `extraction_node` takes."""
    with pytest.raises(UnknownOption, match="on_eror"):
        extraction_node(memory_with(), on_eror="warn")


@pytest.mark.parametrize("options", [{"write": "later"}, {"name": "two words"}, {"name": ""}, {"model": "openai:x"}])
def test_a_mistake_in_the_middlewares_own_options(options: dict[str, Any]):
    """The same for what only the middleware has."""
    with pytest.raises(InvalidRequest):
        MemoryMiddleware(memory_with(), **options)
    with pytest.raises(InvalidRequest, match="Memory"):
        MemoryMiddleware(memory_with().store)  # type: ignore[arg-type]


def test_what_is_searched_for():
    """The middleware takes a query as `retrieval_node` does."""
    memory = memory_with()
    memory.add("Likes green tea", user_id="alex")
    model = ScriptedModel("Hi.")
    own = MemoryMiddleware(memory, write=None, query=lambda state: "green tea")
    create_agent(model, middleware=[own]).invoke(_say("Hello"), thread())
    assert "Likes green tea" in prompt_of(model.calls[0])


def test_an_agents_own_memories_are_written_where_they_are_read():
    """With an agent named in code, what it says is its own, and it reads it in its next run."""
    memory = memory_with(facts("Booked row 12", subject="assistant", evidence=[1]), facts())
    model = ScriptedModel("I booked row 12.", "Row 12, as I said.")
    agent = create_agent(model, middleware=[MemoryMiddleware(memory, agent_id="booker", tools=False)])
    agent.invoke(_say("Please book a row."), thread("1"))
    assert texts(memory, agent_id="booker") == ["Booked row 12"]
    agent.invoke(_say("Which row did you say is booked?"), thread("2"))
    assert "Booked row 12" in prompt_of(model.calls[1])


def test_several_agents_of_one_run():
    """Each agent of a graph has memories of its own, and all share the user's."""
    memory = memory_with()
    memory.add("Likes green tea", user_id="alex")
    memory.add("Answers in tea metaphors", agent_id="poet")
    memory.add("Answers with tea prices", agent_id="clerk")
    models = {name: ScriptedModel("Hi.") for name in ("poet", "clerk")}
    builder = StateGraph(MessagesState)
    for name, model in models.items():
        own = MemoryMiddleware(memory, agent_id=name, write=None, tools=False)
        builder.add_node(name, create_agent(model, middleware=[own], name=name))
    builder.add_edge(START, "poet").add_edge("poet", "clerk").add_edge("clerk", END)
    builder.compile().invoke(_say("Which tea?"), thread())
    poet, clerk = (prompt_of(model.calls[0]) for model in models.values())
    assert "Likes green tea" in poet
    assert "Likes green tea" in clerk
    assert ("metaphors" in poet, "prices" in poet) == (True, False)
    assert ("metaphors" in clerk, "prices" in clerk) == (False, True)


@pytest.mark.parametrize(
    ("owner", "context"),
    [
        (lambda runtime: runtime.context["user"]["id"], {"user": {"id": 7}}),
        ("{context.user.id}", {"user": {"id": 7}}),
        (None, MemoryContext(user_id=7)),
    ],
)
def test_an_owner_of_the_applications_choice(owner: Any, context: Any):
    """The middleware reads, writes and gives its tools the owner that the application resolves."""
    memory = memory_with()
    call = AIMessage("", tool_calls=[{"name": "save_memory", "args": {"text": "Likes tea"}, "id": "1"}])
    agent = create_agent(ScriptedModel(call, "Noted."), middleware=[MemoryMiddleware(memory, owner=owner)])
    agent.invoke(_say("I like tea, remember that."), context=context)
    assert texts(memory, user_id="7") == ["I like tea, remember that.", "Likes tea"]


class _Chat(TypedDict):
    chat: Annotated[list[AnyMessage], add_messages]


def test_another_name_for_the_messages():
    """A state that keeps its messages under another key says which; without that it is told, not passed over."""
    memory = memory_with()
    memory.add("Likes green tea", user_id="alex")
    builder = StateGraph(_Chat).add_node("remember", extraction_node(memory, messages_key="chat"))
    builder.add_edge(START, "remember").compile().invoke({"chat": [HumanMessage("I like rice.")]}, thread())
    assert texts(memory) == ["I like rice.", "Likes green tea"]
    found = retrieval_node(memory, messages_key="chat").invoke({"chat": [HumanMessage("Green tea?")]}, thread())
    assert found["memories"][0]["memory"] == "Likes green tea"
    for node in (extraction_node(memory), retrieval_node(memory)):
        with pytest.raises(InvalidRequest, match="messages_key"):
            node.invoke({"chat": []}, thread())


def test_parallel_retrieval():
    """Two nodes that recall in the same step both add to the state; a memory that both find is there once."""
    memory = memory_with()
    for topic in ("tea", "seats"):
        memory.add(f"Cares about {topic}", user_id="alex")
    seen: dict[str, Any] = {}
    builder = StateGraph(MemoryState, output_schema=MessagesState)
    for topic in ("tea", "seats"):
        builder.add_node(topic, retrieval_node(memory, query=lambda _, topic=topic: f"Cares about {topic}", top_k=1))
        builder.add_edge(START, topic)
    builder.add_node("end", lambda state: seen.update(state) or {})
    builder.add_edge(["tea", "seats"], "end").compile().invoke(_say("Hi"), thread())
    assert sorted(one["memory"] for one in seen["memories"]) == ["Cares about seats", "Cares about tea"]
    assert all(f"Cares about {topic}" in seen["memory_context"] for topic in ("tea", "seats"))


@pytest.mark.parametrize("policy", [CachePolicy(), CachePolicy(key_func=lambda state: "same")])
@pytest.mark.parametrize("make", [retrieval_node, extraction_node])
def test_a_cached_node_is_refused(make: Callable[..., Any], policy: CachePolicy[Any]):
    """LangGraph's cache does not know whose memories a node recalled, so a node of ours cannot be cached."""
    memory = memory_with()
    builder = StateGraph(MemoryState).add_node("own", make(memory), cache_policy=policy).add_edge(START, "own")
    graph = builder.compile(cache=InMemoryCache())
    with pytest.raises(InvalidRequest, match="CachePolicy"):
        graph.invoke(_say("Hi"), thread())


def _agent_without_memory(store: Any, model: ScriptedModel) -> Any:
    own = MemoryMiddleware(model=ScriptedModel(facts("Likes tea"), facts()))
    return create_agent(
        model, middleware=[own], store=store, context_schema=MemoryContext, checkpointer=InMemoryCheckpointer()
    )


def _graph_without_memory(store: Any, model: ScriptedModel) -> Any:
    builder = StateGraph(MemoryState, context_schema=MemoryContext, output_schema=MessagesState)
    builder.add_node("recall", retrieval_node())
    builder.add_node("reply", lambda s: {"messages": model.invoke([HumanMessage(s["memory_context"]), *s["messages"]])})
    builder.add_node("remember", extraction_node(model=ScriptedModel(facts("Likes tea"), facts())))
    for one, other in ((START, "recall"), ("recall", "reply"), ("reply", "remember"), ("remember", END)):
        builder.add_edge(one, other)
    return builder.compile(store=store, checkpointer=InMemoryCheckpointer())


@pytest.mark.parametrize("form", [_agent_without_memory, _graph_without_memory])
def test_over_the_store_of_the_run(form: Callable[..., Any]):
    """Without a memory, the surfaces work on the store the graph was compiled with."""
    store, model = LongTermStore.in_memory(embed=FakeEmbeddings()), ScriptedModel("Noted.", "Tea.")
    agent = form(store, model)
    for thread_id, text in (("1", "I like tea."), ("2", "Which tea?")):
        config = {"configurable": {"thread_id": thread_id}}
        agent.invoke(_say(text), config, context=MemoryContext(user_id="alex"))
    assert texts(Memory(store)) == ["Likes tea"]
    assert "Likes tea" in prompt_of(model.calls[1])


def test_without_a_memory_and_without_a_store():
    """A run that has neither is told what to give."""
    with pytest.raises(InvalidRequest, match="store="):
        create_agent(ScriptedModel("Hi."), middleware=[MemoryMiddleware()]).invoke(_say("Hi"), thread())
    assert [one.name for one in memory_tools()] == [
        "save_memory", "search_memories", "update_memory", "forget_memory",
    ]  # fmt: skip
