"""What an owner's index was when a folder was closed is where the next process begins, if nobody wrote meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import chromadb
import pytest
from chromadb.config import Settings

from langchain_mem import Encryption, LongTermStore, Memory
from langchain_mem.backends.chroma.kept import FOLDER
from langchain_mem.repository.owners import owners_of
from langchain_mem.testing import FakeEmbeddings
from tests.integration_tests.following import OWNER, QUESTION, Opened

COUNT = 1_050


def opened_in(folder: Path) -> Opened:
    return Opened(lambda clock: LongTermStore.chroma(folder, embed=FakeEmbeddings(dims=8), clock=clock))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, float]]]:
    """A closed folder with more memories of one owner than it takes to keep an index, and what a search found."""
    folder = tmp_path_factory.mktemp("filled") / "memory"
    opened = opened_in(folder)
    opened.fill(COUNT)
    found = opened.search()
    opened.close()
    return folder, found


@pytest.fixture
def folder(filled: tuple[Path, Any], tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled[0], tmp_path / "memory"))


@pytest.fixture
def reopen(folder: Path) -> Iterator[Callable[[], Opened]]:
    """Opens the folder; all are closed in the end."""
    every: list[Opened] = []

    def reopen() -> Opened:
        every.append(opened_in(folder))
        return every[-1]

    yield reopen
    for each in every:
        each.close()


def kept(folder: Path) -> list[Path]:
    return [file for file in (folder / FOLDER).glob("*") if file.suffix != ".json"]


def test_a_search_after_a_start_reads_no_memories_anew(reopen: Callable[[], Opened], filled: tuple[Path, Any]) -> None:
    """It finds what was found before, to the last digit, and the index goes on from there."""
    opened = reopen()
    assert opened.search() == filled[1]
    assert opened.loaded == 0
    assert owners_of(opened.store.items).nbytes > COUNT  # it counts against the budget
    opened.memory.add("Zanzibar has the number 77.", infer=False, **OWNER)
    assert "Zanzibar has the number 77." in dict(opened.search())
    assert opened.loaded == 1
    opened.close()
    again = reopen()
    assert "Zanzibar has the number 77." in dict(again.search())
    assert again.loaded == 0


def test_a_small_owner_is_read_from_a_file_too(tmp_path: Path) -> None:
    """Each owner has a file, and a write drops that of its owner alone."""
    owners = [{"user_id": name} for name in ("sam", "kim")]
    opened = opened_in(tmp_path)
    for owner in owners:
        opened.memory.add([f"Town {n} has the number {n}." for n in range(60)], infer=False, **owner)
        opened.memory.search(QUESTION, reinforce="none", **owner)
    opened.close()
    assert len(kept(tmp_path)) == 2
    again = opened_in(tmp_path)
    again.memory.search(QUESTION, reinforce="none", **owners[0])
    assert again.loaded == 0
    again.memory.add("Zanzibar has the number 77.", infer=False, **owners[0])
    assert len(kept(tmp_path)) == 1
    again.memory.search(QUESTION, reinforce="none", **owners[1])
    assert again.loaded == 0
    again.close()


def test_what_others_wrote_is_found(folder: Path, reopen: Callable[[], Opened]) -> None:
    """A program that writes to Chroma's files, and knows of no index, makes the kept one count for nothing."""
    opened = reopen()
    first = dict(opened.search())
    opened.close()
    with chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False)) as client:
        collection = client.get_collection("langchain_mem", embedding_function=None)
        best = next(iter(first)).lower()
        collection.delete(where_document={"$contains": best})
    opened = reopen()
    assert best not in {memory.lower() for memory in dict(opened.search())}
    assert opened.loaded == COUNT - 1


def test_a_write_drops_what_is_kept(folder: Path, reopen: Callable[[], Opened]) -> None:
    """From an owner's first write until the folder is closed nothing is kept: the process may be killed meanwhile."""
    opened = reopen()
    opened.search()
    opened.memory.add("Bob lives elsewhere.", infer=False, user_id="bob")
    assert len(kept(folder)) == 1
    opened.memory.add("Alex lives here.", infer=False, **OWNER)
    assert kept(folder) == []


def test_what_is_removed_stands_in_no_file(folder: Path, reopen: Callable[[], Opened]) -> None:
    """Words of a memory that was purged are in no index that is kept."""
    opened = reopen()
    (added,) = opened.memory.add("Alex keeps a quokka.", infer=False, **OWNER)["results"]
    opened.search()
    opened.memory.delete(added["id"])
    opened.clock.advance(timedelta(days=31))
    opened.memory.purge_expired()
    opened.search()
    opened.close()
    assert not any(b"quokka" in file.read_bytes() for file in kept(folder))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[: len(content) // 2], id="cut off"),
        pytest.param(lambda content: content[:-1] + bytes([content[-1] ^ 1]), id="a bit is wrong"),
        pytest.param(lambda content: bytes([content[0] ^ 1]) + content[1:], id="another release kept it"),
    ],
)
def test_a_damaged_file_costs_only_time(
    folder: Path, reopen: Callable[[], Opened], filled: tuple[Path, Any], damage: Callable[[bytes], bytes]
) -> None:
    """What cannot be read is made anew."""
    (file,) = kept(folder)
    file.write_bytes(damage(file.read_bytes()))
    opened = reopen()
    assert opened.search() == filled[1]
    assert opened.loaded == COUNT


def test_a_closed_folder_has_no_log_beside_its_database(folder: Path, reopen: Callable[[], Opened]) -> None:
    """While it is open, writes go through SQLite's write-ahead log; a closed folder can be copied file by file."""
    opened = reopen()
    opened.memory.add("Alex lives here.", infer=False, **OWNER)
    assert (folder / "chroma.sqlite3-wal").exists()
    opened.close()
    assert [file.name for file in folder.glob("chroma.sqlite3*")] == ["chroma.sqlite3"]


def test_after_a_kill_the_index_is_made_anew(
    folder: Path, reopen: Callable[[], Opened], tmp_path: Path, filled: tuple[Path, Any]
) -> None:
    """A copy of an open folder is what a kill leaves: the log is taken in, and what was kept before counts no more."""
    opened = reopen()
    opened.memory.add("Zanzibar has the number 77.", infer=False, **OWNER)
    opened.memory.add("Bob has the number 77.", infer=False, user_id="bob")
    left = opened_in(Path(shutil.copytree(folder, tmp_path / "left")))
    try:
        assert "Zanzibar has the number 77." in dict(left.search())
        assert left.loaded == COUNT + 1
    finally:
        left.close()


@pytest.mark.soak
def test_nothing_is_kept_of_what_is_encrypted(folder: Path) -> None:
    """Neither of memories that were sealed when they were written, nor of those that are sealed later."""
    assert len(kept(folder)) == 1
    sealed = LongTermStore.chroma(
        folder, embed=FakeEmbeddings(dims=8), encryption=Encryption(key=b"sixteen bytes or more")
    )
    memory = Memory(sealed)
    assert sealed.rotate_keys() >= COUNT
    assert memory.search(QUESTION, reinforce="none", **OWNER)["results"]
    memory.close()
    sealed.close()
    assert kept(folder) == []
