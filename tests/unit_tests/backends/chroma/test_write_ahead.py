"""A folder's database is written through a log while it is open, and is one plain file again when it is closed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from langchain_mem.backends.chroma import write_ahead


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """What Chroma is to a folder: a connection that stays open."""
    with closing(sqlite3.connect(tmp_path / "chroma.sqlite3", isolation_level=None)) as database:
        database.execute("CREATE TABLE said (what TEXT)")
        yield database


def test_what_was_written_through_the_log_is_in_the_one_file_afterwards(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    assert write_ahead.begin(tmp_path)
    database.execute("INSERT INTO said VALUES ('hello')")
    assert (tmp_path / "chroma.sqlite3-wal").exists()
    database.close()
    assert write_ahead.end(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["chroma.sqlite3"]
    with closing(sqlite3.connect(tmp_path / "chroma.sqlite3")) as closed:
        assert closed.execute("SELECT what FROM said").fetchall() == [("hello",)]
        assert closed.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_the_log_stays_while_somebody_has_the_database_open(database: sqlite3.Connection, tmp_path: Path) -> None:
    assert write_ahead.begin(tmp_path)
    database.execute("INSERT INTO said VALUES ('hello')")
    assert not write_ahead.end(tmp_path, patience=0)
    assert database.execute("SELECT what FROM said").fetchall() == [("hello",)]


def test_a_folder_without_a_database_is_left_alone(tmp_path: Path) -> None:
    assert not write_ahead.begin(tmp_path)
    assert not write_ahead.end(tmp_path)
    assert list(tmp_path.iterdir()) == []
