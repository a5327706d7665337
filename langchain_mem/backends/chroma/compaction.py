"""Erasure: Chroma deletes without overwriting, so what was deleted can be read from its files until they are rewritten.

Text stays in free pages and full-text segments of the database and in the log; vectors stay, marked as deleted, in the
vector index, whose files are also written with whatever memory held before. So the database is vacuumed, each
collection is copied into a new one by a process that never saw the old text, and the database is vacuumed again.

    python -m langchain_mem.backends.chroma.compaction vacuum FOLDER
    python -m langchain_mem.backends.chroma.compaction rewrite FOLDER COLLECTION ...

Each step is a process of its own, with no client open beside it: two SQLite libraries in one process would drop each
other's locks. With `--bound` before its name a step ends when its standard input does, which is when the process dies
that started it; and it holds the folder's lock as long as it runs, so that nobody opens the folder beside it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from langchain_mem.errors import StoreError

_HEADER = struct.Struct("<iQQQQ")  # hnswlib's: version, offset of level 0, capacity, elements, bytes of an element
_VERSION = 1  # of that layout, the only one there has been
_LENGTH_BYTES = 4
_BOUND: Final = "--bound"


def compact(folder: Path, collections: Sequence[str], lock: int) -> None:
    """Rewrites a folder from what lives in it. Nothing may have it open.

    Args:
        folder: Where Chroma's files are.
        collections: Those to rewrite. Only the database is vacuumed of what others have deleted.
        lock: The descriptor of the folder's lock, which each step holds, too.

    Raises:
        StoreError: A step failed; nothing was lost, and the next opening tidies up.
    """
    for step in (["vacuum", folder], ["rewrite", folder, *collections], ["vacuum", folder]):
        _run([sys.executable, "-m", __name__, _BOUND, *map(str, step)], lock)


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

    Only compaction does this, and only to files whose layout is the known one to the byte, since the header is
    hnswlib's own affair and blanking by another layout would destroy the index.

    Raises:
        StoreError: The layout is another one. No file was touched.
    """
    headers = [header for header in folder.glob("*/header.bin") if _is_index(header.parent)]
    for path, start in [part for header in headers for part in _beyond(header)]:
        _blank(path, start)


def _beyond(header: Path) -> list[tuple[Path, int]]:
    """The files of an index that have room beyond their elements, and where that begins."""
    read = header.read_bytes()
    if len(read) < _HEADER.size:
        raise _unknown_layout("is cut off")
    version, _, capacity, elements, element_bytes = _HEADER.unpack_from(read)
    rows, lengths = header.with_name("data_level0.bin"), header.with_name("length.bin")
    sizes = (rows.stat().st_size, lengths.stat().st_size)
    if version != _VERSION:
        raise _unknown_layout(f"says version {version}, and {_VERSION} is known")
    rooms = sizes[1] // _LENGTH_BYTES  # the capacity, or as many as there were elements when the files last grew
    if not elements <= rooms <= capacity or sizes != (rooms * element_bytes, rooms * _LENGTH_BYTES):
        raise _unknown_layout("does not fit the sizes of its files")
    return [(rows, elements * element_bytes), (lengths, elements * _LENGTH_BYTES)]


def _unknown_layout(what: str) -> StoreError:
    return StoreError(
        f"The folder was compacted, but not scrubbed: the header of a vector index {what}, so this version of Chroma "
        "keeps it in a way that langchain-mem does not know. No live memory is affected. Room that the index has not "
        "used yet may hold bytes of what was erased; to be sure, export the memories and import them into a new folder."
    )


def rewrite(folder: Path, collections: Sequence[str]) -> None:
    """Copies each collection into a new one that takes its place."""
    from langchain_mem.backends.chroma.client import (  # only here: the other step wants no Chroma
        CollectionClient,
        persistent_client,
    )

    with persistent_client(folder) as client:
        for name in collections:
            CollectionClient.open(client, name).rewritten()


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


def _run(command: Sequence[str], lock: int) -> None:
    kept = () if sys.platform == "win32" else (lock,)
    with _lifeline() as end:
        done = subprocess.run(  # noqa: S603 - our own module
            command, stdin=end, pass_fds=kept, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise StoreError(f"Compaction failed: {done.stderr.strip()}") from subprocess.CalledProcessError(
            done.returncode, command, done.stdout, done.stderr
        )


@contextmanager
def _lifeline() -> Iterator[int]:
    """The end of a pipe that is closed when this process dies, however it dies."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


def _end_with_stdin() -> None:
    """Ends this process when its standard input ends."""
    os.read(0, 1)
    os._exit(1)


def main(step: str, folder: str, *collections: str) -> None:
    """Does one step; see the module."""
    if step == "vacuum":
        vacuum(Path(folder))
    else:
        rewrite(Path(folder), collections)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[0] == _BOUND:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
        arguments = arguments[1:]
    main(*arguments)
