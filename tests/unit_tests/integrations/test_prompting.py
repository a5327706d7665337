"""Tests of where recalled text stands in a prompt: behind the question, so that prompt caches survive it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import dynamic_prompt
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_mem import InMemoryCheckpointer, Memory, MemoryMiddleware
from langchain_mem.testing import ScriptedModel
from tests.unit_tests.agents import memory_with, prompt_of, thread

TOPICS = ("seats", "dogs", "tea", "music", "trains", "hotels", "books", "sports")


def _memory() -> Memory:
    memory = memory_with()
    for topic in TOPICS:
        memory.add(f"Cares a lot about {topic} and says so in many words", user_id="alex")
    memory.add("Is allergic to nuts", user_id="alex", metadata={"pinned": True})
    return memory


def _prompts(*middleware: Any) -> list[list[BaseMessage]]:
    """What a model is given in a conversation of sixteen turns that moves from topic to topic."""
    model = ScriptedModel(otherwise="That depends on what you have in mind, so tell me a little more about it, please.")
    agent = create_agent(
        model, middleware=list(middleware), checkpointer=InMemoryCheckpointer(), system_prompt="Be brief. " * 20
    )
    for turn in range(16):
        question = f"What do I think of {TOPICS[turn % len(TOPICS)]}, and why is that so, would you say?"
        agent.invoke({"messages": [HumanMessage(question)]}, thread())
    return model.calls


def _shared(calls: list[list[BaseMessage]]) -> float:
    """The part of each prompt, after the first, that is the beginning of the one before, on average."""
    prompts = ["\x1e".join(f"{message.type}\x1f{message.text}" for message in call) for call in calls]
    shares = [_common(one, next_one) / len(next_one) for one, next_one in itertools.pairwise(prompts)]
    return sum(shares) / len(shares)


def test_a_prompt_cache_keeps_its_prefix():
    """Over sixteen turns, six memories each, prompts share at least 0.8 of the prefix they share without a memory."""
    memory = _memory()
    core = {"metadata": {"pinned": True}}
    with_memory = _prompts(MemoryMiddleware(memory, write=None, tools=False, pinned=core, top_k=6))
    assert all("Cares a lot" in prompt_of(call) and "allergic" in prompt_of(call) for call in with_memory)
    assert _shared(with_memory) >= 0.8 * _shared(_prompts())


def test_within_a_turn_the_prompt_only_grows():
    """The calls of one turn have the same recalled text in the same place, behind the question."""

    def search(query: str) -> str:
        """Searches."""
        return "found"

    call = AIMessage("", tool_calls=[{"name": "search", "args": {"query": "x"}, "id": "1"}])
    model = ScriptedModel(call, call.model_copy(update={"id": "2"}), "Done.")
    agent = create_agent(model, [search], middleware=[MemoryMiddleware(_memory(), write=None, tools=False)])
    agent.invoke({"messages": [HumanMessage("Tell me about dogs.")]}, thread())
    first, second, third = model.calls
    assert "Cares a lot about dogs" in first[-1].text
    assert second[: len(first)] == first
    assert third[: len(second)] == second


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    places = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(places) if a != b), min(len(one), len(other)))


@dynamic_prompt
def _brief(request: Any) -> str:
    return "Be very brief."


@pytest.mark.parametrize("first", ["memory", "other"])
def test_a_dynamic_prompt_keeps_what_was_recalled(first: str):
    """Whatever sets the system prompt, before or after it, the core and what was found are in the call."""
    own = MemoryMiddleware(_memory(), write=None, tools=False, pinned={"metadata": {"pinned": True}})
    model = ScriptedModel("Hi.")
    agent = create_agent(model, middleware=[own, _brief] if first == "memory" else [_brief, own])
    agent.invoke({"messages": [HumanMessage("Tell me about dogs.")]}, thread())
    system, question = model.calls[0]
    assert system.text.startswith("Be very brief.")
    assert system.text.count("allergic to nuts") == 1
    assert "Cares a lot about dogs" in question.text


def test_blocks_stay_blocks():
    """A question of content blocks, a picture and a cache mark among them, gets a block of its own behind them."""
    blocks: list[Any] = [
        {"type": "text", "text": "Tell me about dogs.", "cache_control": {"type": "ephemeral"}},
        {"type": "image", "base64": "aGVsbG8=", "mime_type": "image/png"},
    ]
    model = ScriptedModel("Hi.")
    agent = create_agent(model, middleware=[MemoryMiddleware(_memory(), write=None, tools=False)])
    agent.invoke({"messages": [HumanMessage(blocks)]}, thread())
    content = model.calls[0][-1].content
    assert content[:2] == blocks
    assert isinstance(content[2], dict)
    assert content[2].keys() == {"type", "text"}


def test_two_memories_of_one_agent():
    """The user's and the company's memories are both recalled, each by its own owner, with tools of their own."""
    memory = memory_with()
    memory.add("Likes dogs", user_id="alex")
    memory.add("Dogs are allowed in the office", org_id="acme")
    chain = [
        MemoryMiddleware(memory, write=None, pinned={"memory": {"contains": "Likes"}}),
        MemoryMiddleware(memory, name="company", owner={"org_id": "acme"}, write=None),
    ]
    model = ScriptedModel("Hi.")
    create_agent(model, middleware=chain).invoke({"messages": [HumanMessage("What about dogs?")]}, thread())
    assert "Likes dogs" in model.calls[0][0].text
    assert "Dogs are allowed" in model.calls[0][1].text
    assert {"save_memory", "save_company_memory", "search_company_memories"} <= set(model.tools[0])


def test_two_memories_are_both_written():
    """Each of two memories learns what was said, for its own owner, once."""
    memory = memory_with()
    chain = [
        MemoryMiddleware(memory, tools=False),
        MemoryMiddleware(memory, name="team", owner="team-{context.team}", tools=False),
    ]
    saver = InMemoryCheckpointer()
    agent = create_agent(ScriptedModel(otherwise="I see."), middleware=chain, checkpointer=saver)
    for text in ("I like dogs.", "I like tea."):
        config = {"configurable": {"thread_id": "1"}}
        agent.invoke({"messages": [HumanMessage(text)]}, config, context={"user_id": "alex", "team": 7})
    for owner in ("alex", "team-7"):
        found = memory.get_all(user_id=owner)["results"]
        assert sorted(one["memory"] for one in found) == ["I like dogs.", "I like tea."]


def test_a_frame_of_the_applications_own():
    """The text around what was recalled is an option."""
    model = ScriptedModel("Hi.")
    own = MemoryMiddleware(_memory(), write=None, tools=False, template="NOTES {memories}")
    create_agent(model, middleware=[own]).invoke({"messages": [HumanMessage("Tell me about dogs.")]}, thread())
    assert "NOTES About the user" in model.calls[0][-1].text
