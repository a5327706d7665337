"""One process at a time: a lock on a folder that the operating system drops when its holder dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Final

from langchain_mem.errors import StoreError, StoreLocked

FILE_NAME: Final = "langchain_mem.lock"
"""The file in the folder that is locked. It stays; that it exists says nothing."""


class FolderLock:
    """Holds a folder for this process until it is released or the process ends, however it ends.

    The lock is advisory (`flock`, on Windows `msvcrt.locking`): Chroma itself does not ask for it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None

    @property
    def descriptor(self) -> int:
        """The file descriptor of the lock; a child process that inherits it holds the lock as well."""
        if self._file is None:
            raise ValueError("The lock is not held.")
        return self._file.fileno()

    def acquire(self) -> None:
        """Takes the lock.

        Raises:
            StoreLocked: Another process has it.
            StoreError: The folder cannot be made, or nothing can be written there.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / FILE_NAME).open("ab")
        except OSError as error:
            raise StoreError(f"The folder {self._folder} cannot be written: {error.strerror or error}.") from error
        try:
            _lock(file)
        except OSError as error:
            file.close()
            raise StoreLocked(
                f"Another process holds {self._folder} open, and Chroma in process serves one. Start "
                f"`chroma run --path {self._folder}` and pass `client=chromadb.HttpClient()` in each process, use "
                "Postgres, or close the other store."
            ) from error
        self._file = file

    def release(self) -> None:
        """Gives the lock back; nothing if it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
