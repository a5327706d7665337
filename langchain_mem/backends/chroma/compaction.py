"""Erasure: Chroma deletes without overwriting, so what was deleted can be read from its files until they are rewritten.

Text stays in free pages and full-text segments of the database and in the log; vectors stay, marked as deleted, in the
vector index, whose files are also written with whatever memory held before. So the database is vacuumed, each
collection is copied into a new one by a process that never saw the old text, and the database is vacuumed again.

    python -m langchain_mem.backends.chroma.compaction vacuum FOLDER
    python -m langchain_mem.backends.chroma.compaction rewrite FOLDER COLLECTION ...

Each step is a process of its own, with no client open beside it: two SQLite libraries in one process would drop each
other's locks.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from langchain_mem.errors import StoreError

_HEADER = struct.Struct("<iQQQQ")  # hnswlib's: version, offset of level 0, capacity, elements, bytes of an element
_LENGTH_BYTES = 4


def compact(folder: Path, collections: Sequence[str]) -> None:
    """Rewrites a folder from what lives in it. Nothing may have it open.

    Args:
        folder: Where Chroma's files are.
        collections: Those to rewrite. Only the database is vacuumed of what others have deleted.

    Raises:
        StoreError: A step failed; nothing was lost, and the next opening tidies up.
    """
    for step in (["vacuum", folder], ["rewrite", folder, *collections], ["vacuum", folder]):
        _run([sys.executable, "-m", __name__, *map(str, step)])


def vacuum(folder: Path) -> None:
    """Drops what the database has deleted, and the indexes of collections that are gone."""
    with closing(sqlite3.connect(folder / "chroma.sqlite3", isolation_level=None)) as database:
        database.execute("INSERT INTO embedding_fulltext_search (embedding_fulltext_search) VALUES ('optimize')")
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        segments = {identifier for (identifier,) in database.execute("SELECT id FROM segments")}
    for index in filter(_is_index, folder.iterdir()):
        if index.name not in segments:
            shutil.rmtree(index)


def scrub(folder: Path) -> None:
    """Blanks what lies in the index files beyond their elements: the memory of the process that wrote them.

    Called when nobody uses the files, or while whoever does is made to wait.
    """
    for header in folder.glob("*/header.bin"):
        if _is_index(header.parent) and header.stat().st_size >= _HEADER.size:
            _, _, _, elements, element_bytes = _HEADER.unpack_from(header.read_bytes())
            _blank(header.with_name("data_level0.bin"), elements * element_bytes)
            _blank(header.with_name("length.bin"), elements * _LENGTH_BYTES)


def rewrite(folder: Path, collections: Sequence[str]) -> None:
    """Copies each collection into a new one that takes its place."""
    from langchain_mem.backends.chroma.client import Table
    from langchain_mem.backends.chroma.folder import persistent_client  # only here: the other step wants no Chroma

    with persistent_client(folder) as client:
        for name in collections:
            Table.open(client, name).rewritten()


def _blank(file: Path, start: int) -> None:
    with file.open("r+b") as opened:
        end = opened.seek(0, os.SEEK_END)
        opened.seek(start)
        opened.write(bytes(max(0, end - start)))


def _is_index(path: Path) -> bool:
    try:
        return path.is_dir() and bool(uuid.UUID(path.name))
    except ValueError:
        return False


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        raise StoreError(f"Compaction failed: {done.stderr.strip()}") from subprocess.CalledProcessError(
            done.returncode, command, done.stdout, done.stderr
        )


def main(step: str, folder: str, *collections: str) -> None:
    """Does one step; see the module."""
    if step == "vacuum":
        vacuum(Path(folder))
    else:
        rewrite(Path(folder), collections)


if __name__ == "__main__":
    main(*sys.argv[1:])
