"""A collection that buffers small writes reads as one that does not, at any moment and after a kill."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromadb.api import ClientAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_mem.backends.chroma.buffered import BufferedCollection
from langchain_mem.backends.chroma.client import CollectionClient, persistent_client
from langchain_mem.backends.chroma.records import Record
from langchain_mem.backends.chroma.side_database import FILE_NAME, SideDatabase
from langchain_mem.errors import StoreError

IDS = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "use", "delete", "change", "send", "reopen"]), st.sampled_from(IDS)),
    min_size=1,
    max_size=12,
)


def record(identifier: str, number: int, scope: str = "s/", **metadata: Any) -> Record:
    told = {"s1": scope, "data": f"{number}", "updated": number, **metadata}
    return Record(identifier, np.full(2, number, dtype=np.float32), told, f"text {number}")


def told(table: CollectionClient | BufferedCollection) -> list[Any]:
    records = table.read(IDS)
    return sorted((each.id, dict(each.metadata), each.document, each.embedding.tolist()) for each in records)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientAPI]:
    with persistent_client(tmp_path_factory.mktemp("chroma")) as client:
        yield client


@pytest.fixture
def side(tmp_path: Path) -> Iterator[SideDatabase]:
    side = SideDatabase(tmp_path)
    yield side
    side.close()


@pytest.fixture
def table(client: ClientAPI, side: SideDatabase) -> Iterator[BufferedCollection]:
    """A collection whose records wait until they are asked for."""
    yield BufferedCollection(CollectionClient.open(client, "of-a-test"), side, pause=None)
    client.delete_collection("of-a-test")


@settings(max_examples=15, deadline=None)
@given(STEPS)
def test_what_is_read_is_what_was_written(
    client: ClientAPI, tmp_path_factory: pytest.TempPathFactory, steps: Any
) -> None:
    """By any steps the records are those that a collection has which is written to at once."""
    side = SideDatabase(tmp_path_factory.mktemp("side"))
    plain, table = (CollectionClient.open(client, name) for name in ("plain", "buffered"))
    buffered = BufferedCollection(table, side, pause=None)
    for number, (step, which) in enumerate(steps, 1):
        for each in (plain, buffered):
            if step == "put":
                each.upsert([record(which, number, **{f"n{number % 3}": number})])
            elif step == "use" and each.read([which]):
                each.update({which: {"touches0": str(number), "keep": 2 if number % 2 else None}})
            elif step == "change":
                each.update({which: {"expires": number}})
            elif step == "delete":
                each.delete([which])
        if step == "send":
            buffered.flush()
        elif step == "reopen":
            buffered = BufferedCollection(table, side, pause=None)
        assert told(buffered) == told(plain)
    assert sorted(buffered.ids(None)) == sorted(plain.ids(None))
    for each in (plain, buffered):
        each.delete(IDS)
    side.close()


def test_a_kill_loses_nothing(client: ClientAPI, table: BufferedCollection, tmp_path: Path) -> None:
    """A copy of the side database as it lies on the disk is what a kill leaves."""
    table.upsert([record("a", 1), record("b", 2)])
    left = tmp_path / "left"
    left.mkdir()
    for file in tmp_path.glob(f"{FILE_NAME}*"):
        shutil.copy(file, left)
    side = SideDatabase(left)
    again = BufferedCollection(CollectionClient.open(client, table.name), side, pause=None)
    assert sorted(again.ids(None)) == ["a", "b"]
    side.close()


def test_a_search_by_chroma_finds_what_waits(table: BufferedCollection) -> None:
    table.upsert([record("a", 1)])
    assert [each.id for each in table.find({"s1": {"$in": ["s/"]}})] == ["a"]
    table.upsert([record("b", 2)])
    assert {each.id for each in table.nearest(np.ones(2, dtype=np.float32), 5, None)} == {"a", "b"}


def test_a_search_in_another_scope_sends_nothing(client: ClientAPI, table: BufferedCollection) -> None:
    """One owner's search does not wait for what was added for another."""
    table.upsert([record("a", 1)])
    assert table.find({"$and": [{"s1": {"$in": ["other/"]}}, {"updated": {"$gte": 0}}]}) == []
    assert CollectionClient.open(client, table.name).empty()


def test_records_reach_chroma_by_themselves(client: ClientAPI, tmp_path: Path) -> None:
    side = SideDatabase(tmp_path)
    table = BufferedCollection(CollectionClient.open(client, "by-itself"), side, pause=0.0)
    table.upsert([record("a", 1)])
    (thread,) = (each for each in threading.enumerate() if each.name == "langchain-mem-chroma")
    thread.join()
    assert not CollectionClient.open(client, "by-itself").empty()
    assert side.waiting("by-itself") == []
    side.close()


def test_what_was_deleted_stands_in_no_file(table: BufferedCollection, side: SideDatabase, tmp_path: Path) -> None:
    """Neither in the side database nor in its log, once that is compacted."""
    table.upsert([record("quokka", 1)._replace(document="a quokka")])
    table.update({"quokka": {"touches0": "123456789"}})
    table.delete(["quokka"])
    side.compact()
    left = b"".join(file.read_bytes() for file in tmp_path.glob(f"{FILE_NAME}*"))
    assert b"quokka" not in left
    assert b"123456789" not in left


def test_a_side_database_that_fails_says_so(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 200)
    with pytest.raises(StoreError, match=FILE_NAME):
        SideDatabase(tmp_path)
