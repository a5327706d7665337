"""Servers that are silent, late or cut off, die and come back: Chroma over HTTP, and Postgres."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from psycopg.conninfo import make_conninfo

from langchain_mem import LongTermStore, Memory
from langchain_mem.backends.chroma import backend
from langchain_mem.backends.chroma.client import CollectionClient
from langchain_mem.backends.chroma.records import Record
from langchain_mem.errors import StoreError
from langchain_mem.testing import FakeEmbeddings
from tests.integration_tests.faults.wire import Wire, postgres_socket

TIMEOUT = 3.0
SAID = [{"role": "user", "content": "Likes tea"}, {"role": "user", "content": "Lives in Oslo"}]


class Far:
    """A memory whose store is at the other end of a wire."""

    def __init__(self, wire: Wire, store: LongTermStore) -> None:
        self.wire = wire
        self.store = store
        self.memory = Memory(store)

    def count(self) -> int:
        return int(self.memory.get_all(user_id="alex")["count"])


def _postgres(dsn: str) -> tuple[Wire, Callable[[], LongTermStore]]:
    wire = Wire(lambda: postgres_socket(dsn))
    through = make_conninfo(dsn, host="127.0.0.1", port=wire.port)
    schema = f"far_{uuid.uuid4().hex[:12]}"
    return wire, lambda: LongTermStore.postgres(through, schema=schema, embed=FakeEmbeddings(), timeout=TIMEOUT)


def _chroma(port: int) -> tuple[Wire, Callable[[], LongTermStore]]:
    wire = Wire(lambda: socket.create_connection(("127.0.0.1", port)))

    def opened() -> LongTermStore:
        client = chromadb.HttpClient("127.0.0.1", wire.port, settings=Settings(anonymized_telemetry=False))
        name = f"far-{uuid.uuid4().hex}"
        return LongTermStore.chroma(client=client, collection=name, embed=FakeEmbeddings(), timeout=TIMEOUT)

    return wire, opened


@pytest.fixture(params=["chroma", "postgres"])
def far(request: pytest.FixtureRequest) -> Iterator[Far]:
    """A memory that works, with one thing in it."""
    if request.param == "chroma":
        wire, opened = _chroma(request.getfixturevalue("chroma_port"))
    else:
        wire, opened = _postgres(request.getfixturevalue("postgres_dsn"))
    far = Far(wire, opened())
    far.memory.add("Plays chess", infer=False, user_id="alex")
    yield far
    wire.mood, wire.late = "through", 0.0
    far.memory.close()
    far.store.close()
    wire.close()


def _both(far: Far) -> list[Callable[[], Any]]:
    """A write and a read, in the sync and in the async form."""
    add = {"infer": False, "user_id": "alex"}
    return [
        lambda: far.memory.add(SAID, **add),
        lambda: far.memory.search("tea", user_id="alex"),
        lambda: asyncio.run(far.memory.aadd(SAID, **add)),
        lambda: asyncio.run(far.memory.asearch("tea", user_id="alex")),
    ]


@pytest.mark.parametrize("mood", [*(pytest.param(mood, marks=pytest.mark.soak) for mood in ("silent", "half")), "cut"])
def test_an_answer_that_does_not_come(far: Far, mood: Any) -> None:
    """Each form ends with the store's error in time. A write is there whole or not at all, and the next call works."""
    for call in _both(far):
        far.wire.mood = mood
        began = time.monotonic()
        with pytest.raises(StoreError):
            call()
        assert time.monotonic() - began < 20 * TIMEOUT
        far.wire.mood = "through"
        assert far.count() in (1, 3)  # Chess alone, or with both of what was said
        far.memory.delete_all(user_id="alex")
        far.memory.add("Plays chess", infer=False, user_id="alex")


def _answer(status: bytes, body: str) -> bytes:
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return head + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _internal(said: str) -> bytes:
    """How Chroma tells that it failed."""
    body = {"error": "InternalError", "message": f"Error executing plan: Internal error: {said}"}
    return _answer(b"500 Internal Server Error", json.dumps(body))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_internal("Error creating hnsw segment reader: Nothing found on disk"), id="first write"),
        pytest.param(_internal("Error finding id"), id="beside a delete", marks=pytest.mark.soak),
        pytest.param(_answer(b"503 Service Unavailable", "<html>"), id="starting"),
    ],
)
def test_an_answer_that_passes(chroma_port: int, answer: bytes) -> None:
    """What a Chroma server answers for a moment is asked again, twice here: nothing fails, nothing is done twice."""
    wire, opened = _chroma(chroma_port)
    far = Far(wire, opened())
    wire.instead = answer
    far.memory.add("Plays chess", infer=False, user_id="alex")
    for call in _both(far):
        wire.mood, wire.times = "instead", 2
        call()
        assert wire.times == 0
    assert far.count() == 3
    far.memory.close()
    far.store.close()
    wire.close()


def test_an_answer_without_vectors(chroma_port: int) -> None:
    """A record that Chroma lists before its vector is indexed is read again."""
    wire, _ = _chroma(chroma_port)
    client = chromadb.HttpClient("127.0.0.1", wire.port, settings=Settings(anonymized_telemetry=False))
    table = CollectionClient.open(client, f"far-{uuid.uuid4().hex}", patience=TIMEOUT)
    table.upsert([Record("a", np.ones(2, dtype=np.float32), {"s1": "x"}, "said")])
    half = {"ids": ["a"], "embeddings": [], "metadatas": [{"s1": "x"}], "documents": ["said"], "include": []}
    wire.instead, wire.mood, wire.times = _answer(b"200 OK", json.dumps(half)), "instead", 1
    (found,) = table.find({"s1": "x"})
    assert wire.times == 0
    assert list(found.embedding) == [1.0, 1.0]
    wire.close()


def test_an_answer_that_stays(chroma_port: int) -> None:
    """An internal error that no waiting mends is told at once."""
    wire, opened = _chroma(chroma_port)
    far = Far(wire, opened())
    far.memory.add("Plays chess", infer=False, user_id="alex")
    wire.instead, wire.mood, wire.times = _internal("Error loading hnsw index"), "instead", 1
    with pytest.raises(StoreError, match="Error loading hnsw index"):
        far.memory.search("chess", user_id="alex")
    far.memory.close()
    far.store.close()
    wire.close()


@pytest.mark.parametrize(
    "status",
    [
        b"429 Too Many Requests",
        pytest.param(b"500 Internal Server Error", marks=pytest.mark.soak),
        pytest.param(b"503 Service Unavailable", marks=pytest.mark.soak),
    ],
)
def test_an_answer_that_is_an_error(chroma_port: int, status: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a Chroma server or a proxy before it answers, each form raises the store's error, and the next works."""
    monkeypatch.setattr(backend, "LONGEST", 0.2)  # seconds within which it is asked again
    wire, opened = _chroma(chroma_port)
    far = Far(wire, opened())
    far.memory.add("Plays chess", infer=False, user_id="alex")
    wire.instead = _answer(status, "{}")
    for call in _both(far):
        wire.mood = "instead"
        with pytest.raises(StoreError, match=f"HTTP {status[:3].decode()}"):
            call()
        wire.mood = "through"
        assert far.count() in (1, 3)
        far.memory.delete_all(user_id="alex")
        far.memory.add("Plays chess", infer=False, user_id="alex")
    far.memory.close()
    far.store.close()
    wire.close()


def test_an_answer_that_comes_late(far: Far) -> None:
    """Slow is no fault: within the time-out, answers are waited for."""
    far.wire.late = 0.1
    assert far.memory.search("chess", user_id="alex")["results"][0]["memory"] == "Plays chess"


def test_connections_that_were_dropped(far: Far) -> None:
    """After every connection was cut, the next calls are answered, in both forms."""
    far.memory.search("chess", user_id="alex")
    far.wire.drop()
    assert far.count() == 1
    far.wire.drop()
    assert asyncio.run(far.memory.aget_all(user_id="alex"))["count"] == 1
