"""Records of a folder that were read a while ago, so that what is asked for again is not read again.

Chroma takes a tenth of a millisecond to read one record, because each key of its metadata is a row of its own in
SQLite.
A search asks for the few memories it returns and a page for a hundred, and an owner's index is made of all of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from langchain_mem.backends.chroma.records import Record, merged

MOST_BYTES: Final = 64_000_000
"""About how much is held: some 15,000 memories at 384 dimensions. Those not asked for longest go first."""

_EACH: Final = 1_200  # bytes that the dicts and objects of a record take beside its texts and its vector


class RecentRecords:
    """Records as the collection has them.

    Valid only where every write is repeated here, which the lock on the folder makes so. `put` and the changes are for
    whoever holds the folder's mutex; `read` is for everybody. A batch is repeated at once, so nobody sees half of it.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, ids: Sequence[str]) -> list[Record] | None:
        """The records with these ids; `None` where one of them is not here, for it may be in the collection."""
        with self._lock:
            found = [self._records.get(each) for each in ids]
            records = [record for record in found if record is not None]
            if len(records) < len(ids):
                return None
            for each in ids:
                self._records.move_to_end(each)
            return records

    def put(self, records: Sequence[Record]) -> None:
        """Takes in what was read just now, with vectors. More than half of what there is room for is left out."""
        if sum(map(_size, records)) > self._most // 2:
            return
        with self._lock:
            for record in records:
                self._set(record._replace(embedding=record.embedding.copy()))
            self._make_room()

    def repeat(self, puts: Iterable[Record], dead: Iterable[str]) -> None:
        """Repeats a batch, as far as it concerns records that are here. The engine merges metadata key by key."""
        with self._lock:
            for record in puts:
                old = self._records.get(record.id)
                if old is not None:
                    self._set(record._replace(metadata=merged(old.metadata, record.metadata)))
            for each in dead:
                self._drop(each)
            self._make_room()

    def update(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Repeats a change of metadata."""
        with self._lock:
            for each, change in changes.items():
                old = self._records.get(each)
                if old is not None:
                    self._set(old._replace(metadata=merged(old.metadata, change)))

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._records.clear()
            self._bytes = 0

    def _set(self, record: Record) -> None:
        self._drop(record.id)
        self._records[record.id] = record
        self._bytes += _size(record)

    def _drop(self, identifier: str) -> None:
        old = self._records.pop(identifier, None)
        self._bytes -= 0 if old is None else _size(old)

    def _make_room(self) -> None:
        while self._bytes > self._most:
            _, oldest = self._records.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(record: Record) -> int:
    return _EACH + record.embedding.nbytes + len(record.document) + len(record.metadata.get("data", ""))
