"""A folder that Chroma keeps its files in: opened once in a process, by one process at a time."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from langchain_mem.backends.chroma import write_ahead
from langchain_mem.backends.chroma.buffered import BufferedCollection
from langchain_mem.backends.chroma.client import CollectionClient, persistent_client, recover
from langchain_mem.backends.chroma.collection import SharedCollection
from langchain_mem.backends.chroma.compaction import compact, scrub
from langchain_mem.backends.chroma.kept import KeptFiles
from langchain_mem.backends.chroma.lock import FolderLock
from langchain_mem.backends.chroma.side_database import SideDatabase
from langchain_mem.backends.chroma.statistics import give_statistics


class Folder:
    """An open folder, with one client for all in this process who use it.

    `acquire` and `release` count the users: the last one closes the client and gives the lock back.
    """

    _open: ClassVar[dict[tuple[int, Path], Folder]] = {}  # by process too: what a fork inherits is not its own
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mutex = threading.RLock()
        self._users = 0
        self._shared: dict[str, SharedCollection] = {}
        self._lock = FolderLock(path)
        self._lock.acquire()
        with ExitStack() as undo:
            undo.callback(self._lock.release)
            self._kept = KeptFiles(path)
            self._side = SideDatabase(path)
            undo.callback(self._side.close)
            if not give_statistics(path):
                persistent_client(path).close()  # makes the database
                give_statistics(path)
            write_ahead.begin(path)
            undo.callback(write_ahead.end, path)
            self._client = persistent_client(path)
            undo.pop_all()

    @classmethod
    def acquire(cls, path: str | Path) -> Folder:
        """The open folder at this path, opened if this process has not.

        Raises:
            StoreLocked: Another process has it open.
        """
        place = Path(path).expanduser().resolve()
        with cls._guard:
            folder = cls._open.get((os.getpid(), place)) or cls(place)
            cls._open[os.getpid(), place] = folder
            folder._users += 1
            return folder

    def release(self) -> None:
        """Says that one user is done; the last one closes the folder."""
        with self._guard, self.mutex:
            self._users -= 1
            if self._users == 0:
                self._open.pop((os.getpid(), self.path), None)
                for shared in self._shared.values():
                    shared.close()
                self._client.close()
                self._side.close()
                write_ahead.end(self.path)
                self._kept.seal()
                self._lock.release()

    def collection(self, collection: str, *, small: int) -> SharedCollection:
        """The rows of a collection, the same for all who ask; the first says how large a small scope is."""
        with self.mutex:
            if collection not in self._shared:
                self._shared[collection] = SharedCollection(
                    self._table(collection), self.mutex, kept=self._kept, small=small
                )
            return self._shared[collection]

    def compact(self) -> None:
        """Rewrites the files from what lives, so that what was deleted can be read from them no more.

        Raises:
            StoreError: It failed, or the index has a layout that is not known; what lives is untouched.
        """
        with self.mutex:
            for shared in self._shared.values():
                shared.close()
            self._side.compact()
            self._client.close()
            write_ahead.end(self.path)
            try:
                compact(self.path, list(self._shared), self._lock.descriptor)
            finally:
                write_ahead.begin(self.path)
                self._client = persistent_client(self.path)
                for name, shared in self._shared.items():
                    shared.bind(self._table(name))
            scrub(self.path)

    def _table(self, collection: str) -> BufferedCollection:
        recover(self._client, collection)
        table = CollectionClient.open(self._client, collection)
        table.sync_often()
        return BufferedCollection(table, self._side)
