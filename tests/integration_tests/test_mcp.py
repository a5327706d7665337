"""The memory tools over the Model Context Protocol, met by the real client of the `mcp` package."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem.errors import InvalidRequest, ScopeError
from langchain_mem.testing import FakeEmbeddings

pytest.importorskip("mcp")

import httpx2
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from langchain_mem.embeddings import local_embeddings
from langchain_mem.integrations.mcp import mcp_server, serve, tokens_of

TOOLS = {"save_memory", "search_memories", "update_memory", "forget_memory"}

SERVER = """
import sys
from langchain_mem import LongTermStore, Memory
from langchain_mem.integrations.mcp import serve
from langchain_mem.testing import FakeEmbeddings
with Memory(LongTermStore.chroma(sys.argv[1], embed=FakeEmbeddings())) as memory:
    print("a stray line", file=sys.stderr)
    serve(memory, user_id="alex")
"""


def _memory() -> Memory:
    return Memory(LongTermStore.in_memory(embed=FakeEmbeddings()))


async def _said(client: Client, tool: str, **arguments: str) -> str:
    result = await client.call_tool(tool, arguments)
    return "\n".join(block.text for block in result.content if block.type == "text")


async def test_over_stdio(tmp_path: Path):
    """An assistant starts the server over a folder: it knows what was saved before, and what it saves stays."""
    with Memory(LongTermStore.chroma(tmp_path, embed=FakeEmbeddings())) as memory:
        memory.add("Prefers window seats", user_id="alex")
        memory.store.close()
    server = StdioServerParameters(command=sys.executable, args=["-c", SERVER, str(tmp_path)])
    async with Client(server) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(listed) == TOOLS
        assert {name for name, tool in listed.items() if tool.annotations and tool.annotations.read_only_hint} == {
            "search_memories"
        }
        assert all("user_id" not in str(tool.input_schema) for tool in listed.values())
        found = await _said(client, "search_memories", query="Which window seats?")
        memory_id = found.partition(":")[0]
        assert found == f"{memory_id}: Prefers window seats"
        assert await _said(client, "update_memory", memory_id=memory_id, text="Prefers aisle seats") == (
            "Updated: Prefers aisle seats"
        )
        assert await _said(client, "forget_memory", memory_id=memory_id) == "Forgotten: Prefers aisle seats"
        assert await _said(client, "save_memory", text="Likes green tea") == "Saved: Likes green tea"
        assert "seats" not in await _said(client, "search_memories", query="Which seats?")
    with Memory(LongTermStore.chroma(tmp_path, embed=FakeEmbeddings())) as memory:
        assert [one["memory"] for one in memory.get_all(user_id="alex")["results"]] == ["Likes green tea"]
        memory.store.close()


@contextmanager
def _http(memory: Memory, **options: Any) -> Iterator[str]:
    """The server on a free port of this machine."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        app = mcp_server(memory, url=f"http://127.0.0.1:{port}", **options).streamable_http_app()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        bound.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            server.should_exit = True
            thread.join(60)


@asynccontextmanager
async def _client(url: str, token: str | None = None) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http)) as one,
    ):
        yield one


async def test_over_http_for_one_owner():
    """On this machine one owner's memories are served without tokens."""
    memory = _memory()
    with _http(memory, user_id="alex") as url:
        async with _client(url) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
            await _said(client, "save_memory", text="Prefers window seats")
    assert [one["memory"] for one in memory.get_all(user_id="alex")["results"]] == ["Prefers window seats"]


async def test_over_http_a_token_says_whose():
    """Each token opens its user's memories; nobody sees, changes or forgets another's, and no token opens nothing."""
    memory = _memory()
    (added,) = memory.add("Prefers aisle seats", user_id="bob")["results"]
    with _http(memory, tokens={"secret-a": "alex", "secret-b": "bob"}) as url:
        async with _client(url, "secret-a") as client:
            await _said(client, "save_memory", text="Prefers window seats")
            assert "aisle" not in await _said(client, "search_memories", query="Which seats?")
            for tool, more in (("forget_memory", {}), ("update_memory", {"text": "Hates seats"})):
                assert await _said(client, tool, memory_id=added["id"], **more) == "There is no memory with this id."
        async with _client(url, "secret-b") as client:
            assert "Prefers aisle seats" in await _said(client, "search_memories", query="Which seats?")
        async with httpx2.AsyncClient() as http:
            for headers in ({}, {"Authorization": "Bearer guessed"}):
                answer = await http.post(url, headers=headers, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
                assert answer.status_code == 401


@pytest.mark.soak
async def test_from_the_command_line(tmp_path: Path):
    """`langchain-mem mcp` serves over HTTP whoever has a token that the environment names."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Memory(LongTermStore.chroma(tmp_path / "store", embed=local_embeddings())) as memory:
        memory.add("Prefers window seats", user_id="alex", infer=False)
        memory.add("Prefers aisle seats", user_id="bob", infer=False)
        memory.store.close()
    command = [sys.executable, "-m", "langchain_mem.cli", "mcp", "--http", "--port", str(port)]
    environment = {**os.environ, "LANGCHAIN_MEM_STORE": str(tmp_path / "store"), "LANGCHAIN_MEM_TOKENS": "t1=alex"}
    with _started(command, environment, port):
        async with _client(f"http://127.0.0.1:{port}/mcp", "t1") as client:
            found = await _said(client, "search_memories", query="Which seats?")
    assert "window" in found
    assert "aisle" not in found


@contextmanager
def _started(command: list[str], environment: dict[str, str], port: int) -> Iterator[None]:
    """A process that listens on a port; ended afterwards."""
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        while not _listens(port):
            assert process.poll() is None, "the server ended"
            time.sleep(0.1)  # another process starts; nothing here can be told when it has
        yield
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("text", ["", "alex", "t=", "=alex", "t=alex,nobody"])
def test_tokens_that_are_none(text: str):
    """Every part is a token and its user."""
    with pytest.raises(InvalidRequest):
        tokens_of(text)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, ScopeError),
        ({"user_id": ""}, ScopeError),
        ({"user_id": "alex", "tokens": {"t": "bob"}, "transport": "http"}, InvalidRequest),
        ({"tokens": {"t": "alex"}}, InvalidRequest),
        ({"tokens": {}, "transport": "http"}, InvalidRequest),
        ({"user_id": "alex", "transport": "carrier pigeon"}, InvalidRequest),
        ({"user_id": "alex", "transport": "http", "host": "0.0.0.0"}, InvalidRequest),
    ],
)
def test_a_server_for_nobody_or_for_all_does_not_start(options: dict[str, Any], error: type[Exception]):
    """Whose memories are served is said at the start, and beyond this machine only tokens say it."""
    with pytest.raises(error):
        serve(_memory(), **options)
