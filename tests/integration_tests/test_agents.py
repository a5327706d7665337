"""A whole agent over two threads and a restart, on every engine; killed and resumed; and never blocking its loop."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver

from langchain_mem import (
    InMemoryCheckpointer,
    LongTermStore,
    Memory,
    MemoryContext,
    MemoryMiddleware,
    PostgresCheckpointer,
    SqliteCheckpointer,
)
from langchain_mem.testing import FakeEmbeddings, ScriptedModel
from tests.blocking import never_blocking
from tests.integration_tests.killed import turn

ALEX = MemoryContext(user_id="alex")
FACT = {"operations": [{"action": "add", "text": "Prefers window seats", "evidence": [0]}]}
NOTHING: dict[str, Any] = {"operations": []}

Places: TypeAlias = Callable[[], tuple[LongTermStore, BaseCheckpointSaver[Any]]]
"""Opens a store and a checkpointer, the same ones each time."""


@pytest.fixture(params=["dictionary", "chroma", "postgres"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    """Where memories and threads lie; a dictionary does not survive a restart, so there it is kept."""
    if request.param == "postgres":
        dsn = request.getfixturevalue("fresh_postgres_dsn")
        yield lambda: (LongTermStore.postgres(dsn, embed=FakeEmbeddings()), PostgresCheckpointer.open(dsn))
    elif request.param == "chroma":
        file = tmp_path / "threads.sqlite"
        yield lambda: (
            LongTermStore.chroma(tmp_path / "memory", embed=FakeEmbeddings()),
            SqliteCheckpointer.open(file),
        )
    else:
        kept = LongTermStore.in_memory(embed=FakeEmbeddings()), InMemoryCheckpointer()
        yield lambda: kept


@contextmanager
def _agent(places: Places, model: ScriptedModel, *extractions: Any) -> Iterator[tuple[Any, Memory]]:
    store, saver = places()
    with Memory(store, model=ScriptedModel(*extractions)) as memory:
        middleware = [MemoryMiddleware(memory)]
        yield create_agent(model, middleware=middleware, checkpointer=saver, context_schema=MemoryContext), memory
    if not isinstance(saver, InMemoryCheckpointer):
        store.close()
        saver.close()  # type: ignore[attr-defined]


def _say(agent: Any, text: str, thread_id: str) -> Any:
    return agent.invoke({"messages": [HumanMessage(text)]}, {"configurable": {"thread_id": thread_id}}, context=ALEX)


def test_two_threads_and_a_restart(places: Places):
    """A fact of one thread is in the prompt of another after everything was closed and opened again."""
    with _agent(places, ScriptedModel("Noted."), FACT) as (agent, _):
        _say(agent, "I prefer window seats.", "1")
    model = ScriptedModel("A window seat.", "You said so.")
    with _agent(places, model, NOTHING, NOTHING) as (agent, memory):
        _say(agent, "Which seat?", "2")
        resumed = _say(agent, "How do you know?", "1")
        assert "Prefers window seats" in model.calls[0][-1].text
        assert [message.text for message in resumed["messages"]][:2] == ["I prefer window seats.", "Noted."]
        assert memory.erase("alex")["threads"] == ["1", "2"]
    with _agent(places, ScriptedModel(), NOTHING) as (_, memory):
        assert memory.get_all(user_id="alex")["results"] == []


@asynccontextmanager
async def _async_agent(places: Places, model: ScriptedModel, *extractions: Any) -> AsyncIterator[tuple[Any, Memory]]:
    store, saver = places()  # opened before the loop is watched, as at the start of a program
    async with store, saver, Memory(store, model=ScriptedModel(*extractions)) as memory:  # type: ignore[attr-defined]
        middleware = [MemoryMiddleware(memory)]
        yield create_agent(model, middleware=middleware, checkpointer=saver, context_schema=MemoryContext), memory


async def test_the_event_loop_is_never_blocked(places: Places):
    """A turn of an async agent makes no blocking call on the loop: recall, extraction, tools, threads."""
    store_and_saver = places()
    model = ScriptedModel(
        {"name": "search_memories", "args": {"query": "seats"}}, "Noted.",
        {"name": "save_memory", "args": {"text": "Likes green tea"}}, "A window seat.",
    )  # fmt: skip
    with never_blocking():
        async with _async_agent(lambda: store_and_saver, model, FACT, NOTHING) as (agent, memory):
            for text, thread_id in (("I prefer window seats.", "1"), ("I like green tea. Which seat?", "2")):
                config = {"configurable": {"thread_id": thread_id}}
                await agent.ainvoke({"messages": [HumanMessage(text)]}, config, context=ALEX)
            found = await memory.aget_all(user_id="alex")
            await memory.aflush()
    assert sorted(one["memory"] for one in found["results"]) == ["Likes green tea", "Prefers window seats"]


@pytest.mark.parametrize(("when", "calls"), [("before", 1), ("after", 0)])
def test_killed_and_resumed(tmp_path: Path, when: str, calls: int):
    """A process killed before its facts were written loses none; killed after, it writes none twice."""
    command = [sys.executable, "-m", "tests.integration_tests.killed", str(tmp_path), when]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert turn(tmp_path, "resume") == (["Prefers window seats"], 1, calls)
