"""Instructions in the prompt of an agent: by a node, by the middleware, and as a prompt of their own."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRequest, dynamic_prompt
from langchain_core.messages import HumanMessage

from langchain_mem import LongTermStore, Memory, MemoryContext, MemoryMiddleware, retrieval_node
from langchain_mem.errors import InvalidRequest, ScopeError
from langchain_mem.testing import FakeEmbeddings, ScriptedModel

ASKED = {"messages": [HumanMessage("Which tea?")]}
CONTEXT = MemoryContext(user_id="alex", agent_id="tutor")


@pytest.fixture
def memory() -> Memory:
    memory = Memory(LongTermStore.in_memory(embed=FakeEmbeddings()))
    memory.add("Likes green tea", user_id="alex", importance="always")
    memory.instruct("Give a hint first.", agent_id="tutor")
    return memory


def _system(memory: Memory, **options: Any) -> str:
    """The system message that a model is given."""
    model = ScriptedModel("Noted.")
    agent = create_agent(model, context_schema=MemoryContext, system_prompt="You help.", **options)
    agent.invoke(ASKED, context=CONTEXT)
    return model.calls[0][0].text


def test_the_middleware(memory: Memory):
    """They stand in the system message, before what is recalled and outside of its fence."""
    system = _system(memory, middleware=[MemoryMiddleware(memory, instructions="system", write=None)])
    assert system.startswith("You help.\n\nGive a hint first.\n\n<recalled_memories>")
    assert "hint" not in _system(memory, middleware=[MemoryMiddleware(memory, write=None)])


def test_a_node(memory: Memory):
    """They are in `memory_context`; a run that names nobody who has instructions fails."""
    node = retrieval_node(memory, instructions="system", agent_id="tutor", owner=lambda _: "alex")
    found = node.invoke(ASKED)
    assert found["memory_context"].startswith("Give a hint first.\n\n<recalled_memories>")
    assert "Give a hint first." not in [each["memory"] for each in found["memories"]]
    with pytest.raises(ScopeError, match="agent_id"):
        retrieval_node(memory, instructions="system", owner=lambda _: "alex").invoke(ASKED)
    with pytest.raises(InvalidRequest):
        retrieval_node(memory, instructions="")


def test_a_prompt_of_their_own(memory: Memory):
    """As a dynamic prompt they are the whole system message, and the next call has what was improved."""

    @dynamic_prompt
    def told(request: ModelRequest[MemoryContext]) -> str:
        return memory.instructions(agent_id=str(request.runtime.context.agent_id), default="You help.")

    assert _system(memory, middleware=[told]) == "Give a hint first."
    memory.instruct("Ask back.", agent_id="tutor")
    assert _system(memory, middleware=[told]) == "Ask back."
