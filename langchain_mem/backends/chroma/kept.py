"""What is kept beside a folder's database, and is valid only as long as nobody writes to the database.

SQLite counts in a database's header how often it has changed (https://www.sqlite.org/fileformat2.html, 1.3.7). When a
folder is closed, the number is noted with the files that hold by then. When it is opened and the number is another, or
was never noted since a process was killed, the files are removed. So it does not matter who wrote: an earlier release,
another program, or a backup that was restored.

Now and then Chroma leaves a connection open when its client is closed, and the database keeps its write-ahead log, in
which not each write is counted. Then the log's own number and the frames in it are noted as well: a write adds frames,
or begins the log anew under another number (https://www.sqlite.org/fileformat2.html, 4.1).
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from langchain_mem.backends.base import Namespace

FOLDER: Final = "langchain_mem.kept"
_NOTE: Final = "valid.json"
_HEADER: Final = struct.Struct(">18s2B4sI")  # of SQLite: up to the versions for writing and reading, and the counter
_ROLLBACK_JOURNAL: Final = (1, 1)  # the versions where each change is counted …
_LOGGED: Final = (2, 2)  # … and with a write-ahead log
_LOG_HEADER: Final = struct.Struct(">8xI4x8s8x")  # of the log: the size of a page and the salt that names the log
_FRAME_HEADER: Final = struct.Struct(">8x8s8x")  # of a frame: the salt again, where it is of this log


class KeptFiles:
    """Files of one folder, each about some scopes of a collection. Whoever uses it holds the folder's mutex.

    Opened before a client opens the database, and sealed after the last one has closed it.
    """

    def __init__(self, folder: Path) -> None:
        self._database = folder / "chroma.sqlite3"
        self._folder = folder / FOLDER
        self._files: dict[str, list[Hashable]] = {}
        self._resting_on: dict[Hashable, set[str]] = {}
        self._begin()

    def get(self, collection: str, scopes: Sequence[Namespace], name: str) -> bytearray | None:
        """What was kept under a name, if it holds, as the caller's own."""
        file = _file(collection, scopes, name)
        try:
            return _read(self._folder / file) if file in self._files else None
        except OSError:  # somebody has removed it
            return None

    def put(self, collection: str, scopes: Sequence[Namespace], name: str, content: bytes) -> bool:
        """Keeps something until one of its scopes changes; says no where the disk does not take it."""
        file = _file(collection, scopes, name)
        unfinished = self._folder / f"{file}.new"
        try:
            self._folder.mkdir(exist_ok=True)
            unfinished.write_bytes(content)
            unfinished.replace(self._folder / file)
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            return False
        self._note(file, [(collection, scope) for scope in scopes])
        return True

    def drop(self, collection: str, scopes: Iterable[Namespace]) -> None:
        """Removes what rests on one of these scopes, which are about to change."""
        for scope in scopes:
            for file in self._resting_on.pop((collection, scope), ()):
                if self._files.pop(file, None) is not None:
                    (self._folder / file).unlink(missing_ok=True)

    def _note(self, file: str, rests_on: list[Hashable]) -> None:
        """Notes what a file rests on: an owner each has a file, so that they are looked up at each write."""
        self._files[file] = rests_on
        for scope in rests_on:
            self._resting_on.setdefault(scope, set()).add(file)

    def seal(self) -> None:
        """Notes what holds, now that nobody writes any more."""
        state = self._state()
        if self._files and state is not None:
            note = json.dumps({"database": state, "files": self._files})
            with suppress(OSError):  # nothing holds without the note
                (self._folder / _NOTE).write_text(note, encoding="utf-8")

    def _begin(self) -> None:
        """Takes over what the last process left, if it holds; the note goes until this one leaves its own."""
        note = self._folder / _NOTE
        try:
            left: Any = json.loads(note.read_bytes())
        except (OSError, ValueError):
            left = {}
        if left.get("database") == self._state() is not None:
            for file, rests_on in left["files"].items():
                self._note(file, [(collection, tuple(scope)) for collection, scope in rests_on])
            note.unlink()
        elif self._folder.exists():
            shutil.rmtree(self._folder)

    def _state(self) -> list[int | str] | None:
        """What changes with every write to the database; `None` where nothing does."""
        try:
            with self._database.open("rb") as file:
                _, written, read, _, counter = _HEADER.unpack(file.read(_HEADER.size))
            logged = _frames(self._database.with_name("chroma.sqlite3-wal")) if (written, read) == _LOGGED else []
        except (OSError, struct.error):
            return None
        if (written, read) not in (_ROLLBACK_JOURNAL, _LOGGED) or self._database.with_name(
            "chroma.sqlite3-journal"
        ).exists():
            return None
        return [counter, os.stat(self._database).st_size, *logged]


def _frames(log: Path) -> list[int | str]:
    """The name of a write-ahead log, and how many frames of that name it begins with."""
    with log.open("rb") as file:
        page, salt = _LOG_HEADER.unpack(file.read(_LOG_HEADER.size))
        count = 0
        while (header := file.read(_FRAME_HEADER.size)) and _FRAME_HEADER.unpack(header) == (salt,):
            count += 1
            file.seek(page, os.SEEK_CUR)
        return [salt.hex(), count]


def _read(file: Path) -> bytearray:
    """What is in a file, held once: an index may be hundreds of megabytes."""
    with file.open("rb", buffering=0) as opened:
        content = bytearray(os.fstat(opened.fileno()).st_size)
        read = opened.readinto(content)
        return content[:read] if read is not None and read < len(content) else content


def _file(collection: str, scopes: Sequence[Namespace], name: str) -> str:
    told = json.dumps([collection, scopes, name])
    return blake2b(told.encode(errors="surrogatepass"), digest_size=16).hexdigest()
