"""What is kept beside a folder's database holds exactly until somebody writes to the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from langchain_mem.backends.chroma.kept import KeptFiles

SCOPES = (("memories", "user", "alex"),)


@pytest.fixture(params=["delete", "wal"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that stays open, as Chroma leaves one now and then, to a database in each of SQLite's modes."""
    with closing(sqlite3.connect(tmp_path / "chroma.sqlite3")) as database:
        database.execute(f"PRAGMA journal_mode = {request.param}")
        database.execute("CREATE TABLE numbers (number)")
        database.commit()
        yield database


def sealed(folder: Path) -> None:
    files = KeptFiles(folder)
    assert files.put("memory", SCOPES, "index", b"an index")
    files.seal()


def test_it_holds_while_nobody_writes(database: sqlite3.Connection, tmp_path: Path) -> None:
    """Also where the database could not be taken out of its write-ahead log."""
    sealed(tmp_path)
    assert KeptFiles(tmp_path).get("memory", SCOPES, "index") == b"an index"


@pytest.mark.parametrize("checkpoint", ["none", "restart"])
def test_it_holds_no_more_after_a_write(database: sqlite3.Connection, tmp_path: Path, checkpoint: str) -> None:
    """Also where the log was begun anew, and is as long as before."""
    sealed(tmp_path)
    if checkpoint == "restart":
        database.execute("PRAGMA wal_checkpoint(RESTART)")
    database.execute("INSERT INTO numbers VALUES (1)")
    database.commit()
    assert KeptFiles(tmp_path).get("memory", SCOPES, "index") is None


def test_it_holds_once(database: sqlite3.Connection, tmp_path: Path) -> None:
    """A process that is killed leaves no note, so what it found counts no more."""
    sealed(tmp_path)
    KeptFiles(tmp_path)
    assert KeptFiles(tmp_path).get("memory", SCOPES, "index") is None
