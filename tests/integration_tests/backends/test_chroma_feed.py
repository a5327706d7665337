"""What a Chroma server's heads tell of an owner's rows, and when they say that all has to be read anew."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chromadb.api import ClientAPI

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.backends.changes import Changes
from langchain_mem.backends.chroma.backend import ChromaBackend
from langchain_mem.backends.chroma.feed import HEAD
from langchain_mem.filters.conditions import Path

NOW = datetime(2025, 6, 1, tzinfo=UTC)
ALEX, SAM = ("memories", "user", "alex"), ("memories", "user", "sam")
Open = Callable[[], ChromaBackend]


@pytest.fixture
def name() -> str:
    """A collection's."""
    return f"feed-{uuid.uuid4().hex}"


@pytest.fixture
def opened(chroma_client: ClientAPI, name: str) -> Iterator[Open]:
    """Opens the collection as one more process would."""
    backends: list[ChromaBackend] = []

    def open_() -> ChromaBackend:
        backends.append(ChromaBackend(client=chroma_client, collection=name))
        run(backends[-1].setup(None))
        return backends[-1]

    yield open_
    for backend in backends:
        run(backend.close())


def put(backend: ChromaBackend, owner: tuple[str, ...], *keys: str, **more: Any) -> None:
    rows = [Row(address=Address(owner, key), value={"n": key}, created_at=NOW, updated_at=NOW, **more) for key in keys]
    run(backend.write([Write(address=row.address, row=row) for row in rows], NOW))


def delete(backend: ChromaBackend, owner: tuple[str, ...], *keys: str) -> None:
    run(backend.write([Write(address=Address(owner, key), row=None) for key in keys], NOW))


def told(backend: ChromaBackend, *owners: tuple[str, ...], since: Changes | None = None) -> Changes:
    found = run(backend.changes(owners, (Path(("n",)),), since and since.stamp, 1_000))
    assert found is not None
    return found


def keys(changes: Changes) -> list[str]:
    return sorted(address.key for address in changes.addresses)


def test_what_another_process_wrote_comes_once(opened: Open) -> None:
    """Batches of two writers in turn are told to a third, each once."""
    one, other, reader = opened(), opened(), opened()
    put(one, ALEX, "a")
    first = told(reader, ALEX)
    put(other, ALEX, "b")
    put(one, ALEX, "c")
    delete(other, ALEX, "a")
    second = told(reader, ALEX, since=first)
    assert (keys(second), len(second.gone)) == (["b", "c"], 1)
    assert keys(told(reader, ALEX, since=second)) == []


def test_an_owner_who_joins(opened: Open) -> None:
    """Of an owner whom the stamp does not name everything comes, and of the others what is new."""
    backend = opened()
    put(backend, ALEX, "a")
    put(backend, SAM, "s")
    first = told(backend, ALEX)
    put(backend, ALEX, "b")
    second = told(backend, ALEX, SAM, since=first)
    assert (second.whole, keys(second)) == (False, ["b", "s"])
    assert keys(told(backend, ALEX, SAM, since=second)) == []


def test_more_removals_than_are_listed(opened: Open) -> None:
    """Whoever has missed some of them takes everything anew, and whoever has not goes on."""
    backend = opened()
    many = [f"k{n}" for n in range(130)]
    put(backend, ALEX, "stays", *many)
    first = told(backend, ALEX)
    delete(backend, ALEX, *many)
    second = told(backend, ALEX, since=first)
    assert (second.whole, keys(second)) == (True, ["stays"])
    put(backend, ALEX, "later")
    assert keys(told(backend, ALEX, since=second)) == ["later"]


def test_a_slid_expiry_is_a_change(opened: Open) -> None:
    """A read that lets a row live on is told to the others, who would hide it else."""
    backend = opened()
    put(backend, ALEX, "a", ttl=timedelta(hours=1), expires_at=NOW + timedelta(hours=1))
    first = told(backend, ALEX)
    run(backend.refresh([Address(ALEX, "a")], NOW + timedelta(minutes=30)))
    assert told(backend, ALEX, since=first).expiries == [NOW + timedelta(minutes=90)]


def test_a_head_that_is_made_anew_is_another_one(opened: Open, chroma_client: ClientAPI, name: str) -> None:
    """Where heads were dropped, as when the folder was opened without the server, numbers from before say nothing."""
    backend = opened()
    put(backend, ALEX, "a")
    first = told(backend, ALEX)
    chroma_client.get_collection(name, embedding_function=None).delete(where={"s1": HEAD})
    put(backend, ALEX, "b")
    assert keys(told(backend, ALEX, since=first)) == ["a", "b"]


def test_a_head_names_nobody(opened: Open, chroma_client: ClientAPI, name: str) -> None:
    """When an owner's rows are gone, nothing says whose they were."""
    backend = opened()
    put(backend, ALEX, "secret")
    delete(backend, ALEX, "secret")
    left = chroma_client.get_collection(name, embedding_function=None).get()
    assert len(left["ids"]) == 1
    assert "alex" not in str(left)
    assert "secret" not in str(left)
