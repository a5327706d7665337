"""Tests of the server's store and checkpointer."""

from __future__ import annotations

from pathlib import Path

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from langchain_mem import Memory
from langchain_mem.errors import InvalidRequest
from langchain_mem.server import checkpointer, store


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DSN", "EMBEDDER", "THREAD_TTL_DAYS", "KEEP_LAST"):
        monkeypatch.delenv(f"LANGCHAIN_MEM_{name}", raising=False)
    monkeypatch.setenv("LANGCHAIN_MEM_PATH", str(tmp_path / "memory"))
    return tmp_path / "memory"


async def test_a_store_outlives_the_server():
    """What one run of the server stored the next one finds, through `Memory` over the server's store."""
    async with store() as first:
        await Memory(first).aadd("Prefers window seats", user_id="alex")
    async with store() as second:
        found = await Memory(second).asearch("Which seat?", user_id="alex")
    assert [one["memory"] for one in found["results"]] == ["Prefers window seats"]


async def test_threads_outlive_the_server(monkeypatch: pytest.MonkeyPatch):
    """A checkpoint is found again, and retention is as the environment says."""
    monkeypatch.setenv("LANGCHAIN_MEM_THREAD_TTL_DAYS", "30")
    monkeypatch.setenv("LANGCHAIN_MEM_KEEP_LAST", "20")
    config = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
    async with checkpointer() as first:
        await first.aput(config, empty_checkpoint(), {}, {})
    async with checkpointer() as second:
        assert await second.aget_tuple(config) is not None


async def test_a_number_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch):
    """A variable that cannot be read stops the server, and says which."""
    monkeypatch.setenv("LANGCHAIN_MEM_KEEP_LAST", "many")
    with pytest.raises(InvalidRequest, match="LANGCHAIN_MEM_KEEP_LAST must be a number, not 'many'"):
        async with checkpointer():
            pass
