"""Memory in agents of other frameworks: deepagents, supervisor, swarm, and LangMem's tools on our store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage

from langchain_mem import InMemoryCheckpointer, LongTermStore, Memory, MemoryMiddleware
from langchain_mem.testing import FakeEmbeddings, ScriptedModel
from tests.integration_tests.agents import world
from tests.integration_tests.agents.world import ANSWER, SEATS, call, facts, remembering

FORMS = pytest.mark.parametrize("form", ["invoke", "ainvoke", "stream:updates", "astream:messages"])


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def _text(model: ScriptedModel) -> list[str]:
    return ["\n".join(message.text for message in prompt) for prompt in model.calls]


def _check(seen: world.Seen, memory: Memory) -> None:
    """The user saw the answer and nothing of the memory, and what the user said is remembered, nothing else."""
    assert seen.answers[-1] == ANSWER
    assert "recalled_memories" not in str(seen.shown)
    assert facts(memory) == ["Flies to Tokyo", SEATS]


@FORMS
@pytest.mark.filterwarnings("ignore")
def test_deepagents(form: str, runner: asyncio.Runner):
    """A deep agent remembers its user; its sub-agent, a tool's, recalls and learns nothing of its task."""
    deepagents = pytest.importorskip("deepagents")
    memory, sub = remembering(), ScriptedModel("I fly to Mars. 12A.")
    task = call("task", description="I fly to Rome. Which window seats?", subagent_type="seats")
    model = ScriptedModel(task, ANSWER)
    agent = deepagents.create_deep_agent(
        model=model,
        middleware=[MemoryMiddleware(memory)],
        subagents=[
            {
                "name": "seats", "description": "Finds seats.", "system_prompt": "Find seats.", "model": sub,
                "middleware": [MemoryMiddleware(memory)],
            }
        ],
        checkpointer=InMemoryCheckpointer(),
    )  # fmt: skip
    seen = world.one_turn(agent, form, runner)
    assert all(SEATS in prompt for prompt in [*_text(model), *_text(sub)])
    assert len(sub.calls) == 1
    _check(seen, memory)


@FORMS
@pytest.mark.filterwarnings("ignore")
def test_supervisor(form: str, runner: asyncio.Runner):
    """A supervised agent hears the user itself, so it remembers; the supervisor's words are no one's facts."""
    supervisor = pytest.importorskip("langgraph_supervisor")
    memory, chief = remembering(), ScriptedModel(call("transfer_to_seats"), ANSWER)
    model = ScriptedModel("12A, as you fly.")
    seats = create_agent(model, [], middleware=[MemoryMiddleware(memory, tools=False)], name="seats")
    agent = supervisor.create_supervisor([seats], model=chief).compile(checkpointer=InMemoryCheckpointer())
    seen = world.one_turn(agent, form, runner)
    assert all(SEATS in prompt for prompt in _text(model))
    _check(seen, memory)


@FORMS
@pytest.mark.filterwarnings("ignore")
def test_swarm(form: str, runner: asyncio.Runner):
    """Agents that hand over to each other share the user's memory, and what was said is learned once."""
    swarm = pytest.importorskip("langgraph_swarm")
    memory = remembering()
    first, second = ScriptedModel(call("transfer_to_seats")), ScriptedModel(ANSWER)
    hand_over = swarm.create_handoff_tool(agent_name="seats")
    agents = [
        create_agent(first, [hand_over], middleware=[MemoryMiddleware(memory, tools=False)], name="desk"),
        create_agent(second, [], middleware=[MemoryMiddleware(memory, tools=False)], name="seats"),
    ]
    agent = swarm.create_swarm(agents, default_active_agent="desk").compile(checkpointer=InMemoryCheckpointer())
    seen = world.one_turn(agent, form, runner)
    assert all(SEATS in prompt for prompt in [*_text(first), *_text(second)])
    _check(seen, memory)


@FORMS
@pytest.mark.filterwarnings("ignore")
def test_langmems_tools(form: str, runner: asyncio.Runner):
    """LangMem's own tools work on our store, beside a memory of ours in the same one."""
    langmem = pytest.importorskip("langmem")
    memory = remembering()
    store = memory.store
    manage = langmem.create_manage_memory_tool(namespace=("notes", "{user_id}"), store=store)
    search = langmem.create_search_memory_tool(namespace=("notes", "{user_id}"), store=store)
    save = AIMessage("", tool_calls=[{"name": "manage_memory", "args": {"content": "Likes tea"}, "id": "1"}])
    look = AIMessage("", tool_calls=[{"name": "search_memory", "args": {"query": "tea"}, "id": "2"}])
    model = ScriptedModel(save, look, ANSWER)
    agent = create_agent(
        model, [manage, search], middleware=[MemoryMiddleware(memory, tools=False)], store=store,
        checkpointer=InMemoryCheckpointer(),
    )  # fmt: skip
    seen = world.one_turn(agent, form, runner)
    assert "Likes tea" in _text(model)[2]
    assert all(SEATS in prompt for prompt in _text(model))
    assert [item.value["content"] for item in store.search(("notes", "alex"))] == ["Likes tea"]
    _check(seen, memory)


def test_langmems_tools_on_an_empty_store():
    """The same without anything of ours, as LangMem's documentation has it."""
    langmem = pytest.importorskip("langmem")
    store = LongTermStore.in_memory(embed=FakeEmbeddings())
    manage = langmem.create_manage_memory_tool(namespace=("notes",), store=store)
    manage.invoke({"content": "Likes tea"})
    assert [item.value["content"] for item in store.search(("notes",), query="tea")] == ["Likes tea"]
