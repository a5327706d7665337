"""A small database beside Chroma's, in the same folder: records that wait for Chroma, and when records were used.

    waiting   records that `buffered` has taken and Chroma has not got yet
    uses      the touches of records, by the digest of an id, so that a use rewrites neither a record nor an index

A use written to Chroma is an update of a record: a transaction of several milliseconds, in which Chroma reads its log
again. Here the uses of a hundred records are one transaction of about one millisecond.

What is deleted is overwritten with zeros (https://www.sqlite.org/pragma.html#pragma_secure_delete).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from langchain_mem.backends.chroma.records import Record
from langchain_mem.errors import StoreError, unquoted

FILE_NAME: Final = "langchain_mem.sqlite3"
"""The file in the folder. A log lies beside it while the folder is open, and after a kill."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS waiting
    (collection TEXT, id TEXT, embedding BLOB, metadata TEXT, document TEXT, PRIMARY KEY (collection, id));
CREATE TABLE IF NOT EXISTS uses (record BLOB PRIMARY KEY, touches TEXT) WITHOUT ROWID;
"""
_PRAGMAS: Final = ("locking_mode = exclusive", "journal_mode = wal", "synchronous = full", "secure_delete = on")
_VARIABLES: Final = 500  # of one statement; SQLite takes 999 at least

Touches = Mapping[str, Any]
"""The metadata of a record that tells when it was used."""


class SideDatabase:
    """The database of one folder. Safe to use from many threads.

    Raises, all methods: `StoreError` where SQLite fails, such as on a full disk. Nothing was written then.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        with _sqlite_errors():
            self._database = sqlite3.connect(folder / FILE_NAME, check_same_thread=False)
            for pragma in _PRAGMAS:
                self._database.execute(f"PRAGMA {pragma}")
            self._database.executescript(_SCHEMA)
            (count,) = self._database.execute("SELECT count(*) FROM uses").fetchone()
        self._has_uses = bool(count)

    def waiting(self, collection: str) -> list[Record]:
        """The records that wait for Chroma, in the order in which they came."""
        select = "SELECT id, embedding, metadata, document FROM waiting WHERE collection = ? ORDER BY rowid"
        with self._lock, _sqlite_errors():
            found = self._database.execute(select, (collection,)).fetchall()
        return [
            Record(identifier, np.frombuffer(vector, dtype=np.float32), json.loads(metadata), document)
            for identifier, vector, metadata, document in found
        ]

    def wait(self, collection: str, records: Iterable[Record], *, used_anew: Collection[str] = ()) -> None:
        """Has records wait for Chroma, all of them or none.

        Args:
            collection: Where they belong.
            records: Those that have waited already are replaced.
            used_anew: Ids of those whose metadata tells of all their uses.
        """
        rows = [
            (collection, each.id, each.embedding.tobytes(), json.dumps(dict(each.metadata)), each.document)
            for each in records
        ]
        with self._changing():
            self._database.executemany("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?)", rows)
            self._forget(collection, used_anew)

    def arrived(self, collection: str, ids: Sequence[str]) -> None:
        """Chroma has got these records."""
        with self._changing():
            self._database.executemany(
                "DELETE FROM waiting WHERE collection = ? AND id = ?", [(collection, each) for each in ids]
            )

    def uses(self, collection: str, ids: Sequence[str]) -> dict[str, Touches]:
        """What is known here of the uses of these records, by id."""
        if not self._has_uses or not ids:
            return {}
        by_digest = {_digest(collection, each): each for each in ids}
        with self._lock, _sqlite_errors():
            return {by_digest[digest]: json.loads(told) for digest, told in self._told(list(by_digest))}

    def use(self, collection: str, touches: Mapping[str, Touches]) -> None:
        """Takes over what is now known of the uses of records, by id."""
        rows = [(_digest(collection, each), json.dumps(dict(told))) for each, told in touches.items()]
        with self._changing():
            self._database.executemany("INSERT OR REPLACE INTO uses VALUES (?, ?)", rows)
        self._has_uses = self._has_uses or bool(rows)

    def forget(self, collection: str, ids: Collection[str]) -> None:
        """Forgets the uses of records."""
        if self._has_uses and ids:
            with self._changing():
                self._forget(collection, ids)

    def compact(self) -> None:
        """Rewrites the file from what lives in it, so that what was deleted can be read from neither it nor its log."""
        with self._lock, _sqlite_errors():
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes the database; its log goes."""
        with self._lock, _sqlite_errors():
            self._database.close()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction."""
        with self._lock, _sqlite_errors(), self._database:
            yield

    def _forget(self, collection: str, ids: Collection[str]) -> None:
        digests = [(_digest(collection, each),) for each in ids]
        self._database.executemany("DELETE FROM uses WHERE record = ?", digests)

    def _told(self, digests: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
        for start in range(0, len(digests), _VARIABLES):
            some = digests[start : start + _VARIABLES]
            marks = ",".join("?" * len(some))
            yield from self._database.execute(
                f"SELECT record, touches FROM uses WHERE record IN ({marks})",  # noqa: S608 - only question marks
                some,
            )


def _digest(collection: str, identifier: str) -> bytes:
    """What a record is known by here: nobody's name can be read from it."""
    told = f"{collection}\x00{identifier}"
    return hashlib.blake2b(told.encode(errors="surrogatepass"), digest_size=16).digest()


@contextmanager
def _sqlite_errors() -> Iterator[None]:
    """Raises what SQLite raises as `StoreError`.

    Raises:
        StoreError: It failed.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"The file {FILE_NAME} in the folder failed: {unquoted(error)}") from error
