"""Locks on a Chroma server: one holder at a time, and one that died keeps nobody out for longer than its lease."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest
from chromadb.api import ClientAPI
from chromadb.errors import NotFoundError

from langchain_mem.backends.base import Address, Embedder
from langchain_mem.backends.chroma.client import CollectionClient
from langchain_mem.backends.chroma.collection import SharedCollection
from langchain_mem.backends.chroma.write_lock import STRIPES, WriteLock, stripe
from langchain_mem.errors import Conflict, EmbeddingMismatch, StoreError

HERE = Address(("memories", "user", "alex"), "1")
Locks = Callable[..., WriteLock]


@pytest.fixture
def name() -> str:
    """A collection's that nobody else writes."""
    return f"locked-{uuid.uuid4().hex}"


@pytest.fixture
def locks(chroma_client: ClientAPI, name: str) -> Locks:
    """Makes the locks of that collection as another process would have them."""
    return lambda **settings: WriteLock(chroma_client, name, **settings)


def dead(client: ClientAPI, name: str) -> str:
    """Leaves a lock behind, as a process that is killed does; gives its name."""
    lock = f"{name}-lock-{stripe(HERE)}"
    client.create_collection(lock, metadata={"by": "somebody who died"}, embedding_function=None)
    return lock


def test_one_holder_at_a_time(locks: Locks) -> None:
    """Of what three processes read, change and write in turn nothing is lost."""
    account = {"balance": 0}
    pause = threading.Event()

    def deposit(lock: WriteLock) -> None:
        for _ in range(5):
            with lock.held([HERE]):
                read = account["balance"]
                pause.wait(0.002)  # others run meanwhile
                account["balance"] = read + 1

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(deposit, [locks() for _ in range(3)]))
    assert account["balance"] == 15


@pytest.mark.parametrize("failing", [False, True])
def test_a_lock_is_gone_when_it_is_not_held(
    locks: Locks, chroma_client: ClientAPI, name: str, *, failing: bool
) -> None:
    """Whether what was done under it succeeded or failed."""
    lock = f"{name}-lock-{stripe(HERE)}"
    with pytest.raises(ZeroDivisionError) if failing else nullcontext(), locks().held([HERE]):
        assert chroma_client.get_collection(lock, embedding_function=None).metadata
        assert not failing or 1 / 0
    with pytest.raises(NotFoundError):
        chroma_client.get_collection(lock, embedding_function=None)


def test_a_holder_that_died_is_replaced(locks: Locks, chroma_client: ClientAPI, name: str) -> None:
    """After its lease several may find that out; one at a time goes on."""
    lock = dead(chroma_client, name)
    inside: list[int] = []
    most: list[int] = []

    def enter(each: WriteLock) -> None:
        with each.held([HERE]):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(enter, [locks(lease=0.5) for _ in range(3)]))
    assert most == [1, 1, 1]
    with pytest.raises(NotFoundError):
        chroma_client.get_collection(lock, embedding_function=None)


def test_a_holder_that_works_for_long_keeps_its_lock(locks: Locks) -> None:
    """It is renewed; whoever waits gives up in the end with an error, and gets it afterwards."""
    with locks(lease=1.0).held([HERE]) as held:
        with pytest.raises(StoreError, match="kept writing"), locks(lease=1.0, patience=1.5).held([HERE]):
            pass
        held.check()
    with locks().held([HERE]):
        pass


def test_a_holder_that_stood_still_does_not_write(locks: Locks) -> None:
    """Once half a lease has passed without a renewal, it takes no chance."""
    with locks(lease=1e-9).held([HERE]) as held, pytest.raises(Conflict, match="Read again"):
        held.check()
    with locks().held([HERE]):
        pass


def test_a_lock_whose_making_was_not_answered(locks: Locks, chroma_client: ClientAPI, name: str) -> None:
    """A server that made the lock and could not say so is asked again at once."""
    created: Any = chroma_client.create_collection
    made = []

    def silent(*args: Any, **kwargs: Any) -> Any:
        made.append(created(*args, **kwargs))
        raise OSError("The connection was cut.")

    lock = locks()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chroma_client, "create_collection", silent)
        with pytest.raises(StoreError), lock.held([HERE]):
            pass
    with lock.held([HERE]):
        assert len(made) == 1


def test_two_processes_open_a_new_collection(chroma_client: ClientAPI, name: str) -> None:
    """Of two embedders the first counts, also where the second process opened the collection before that was noted."""
    one, other = (
        SharedCollection(
            CollectionClient.open(chroma_client, name),
            threading.RLock(),
            kept=None,
            small=9,
            lock=WriteLock(chroma_client, name),
        )
        for _ in range(2)
    )
    one.describe(Embedder("first", 4))
    with pytest.raises(EmbeddingMismatch):
        other.describe(Embedder("second", 8))


def test_what_belongs_together_has_one_lock() -> None:
    """The memories, history and turns of an owner have one lock, and owners are spread over all."""
    assert stripe(HERE) == stripe(Address(("history", "user", "alex"), "2"))
    assert stripe(Address(("notes",), "1")) == stripe(Address(("notes",), "2"))
    owners = {stripe(Address(("memories", "user", f"u{number}"), "1")) for number in range(1_000)}
    assert len(owners) == STRIPES
