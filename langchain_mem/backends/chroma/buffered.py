"""A collection of a folder that takes few records at once without waiting for Chroma.

A write to Chroma has a price of its own, whatever it writes: one record costs about 8 ms of processor time, and each of
sixteen together 1 ms. So a small upsert is written to the folder's `side_database`, which makes it certain, and reaches
Chroma a second later, together with others. That is how databases do it that keep a log and a table apart (O'Neil and
others 1996, "The log-structured merge-tree").

    a record by its id     is read here while it waits
    a search by Chroma     first has it take in what waits, if that may be in scope
    a large upsert, a deletion, a change of metadata    likewise, and goes to Chroma at once
    touches                stay in the side database for good
    after a kill           Chroma takes in what waits when the folder is opened
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from langchain_mem.backends.chroma.client import CollectionClient
from langchain_mem.backends.chroma.records import Record, is_touch, merged
from langchain_mem.backends.chroma.side_database import SideDatabase
from langchain_mem.backends.chroma.where import Where, may_find
from langchain_mem.errors import StoreError

PAUSE: Final = 1.0
"""Seconds that records wait for others."""

_SMALL: Final = 16  # records of one upsert that may wait
_TOGETHER: Final = 32  # records that go to Chroma in one upsert
_MOST: Final = 256  # records that wait at most: whoever adds another takes part in the work
_ABSENT: Final = 4_096  # ids that are remembered as being no record's

_LOG: Final = logging.getLogger("langchain_mem")


class BufferedCollection:
    """A collection as `CollectionClient` has it, of which the last records may wait beside it.

    Whoever uses it holds the folder's mutex. The thread that sends what waits does not, so that nobody waits for it but
    those who need it done.

    Args:
        table: The collection.
        side: The folder's own database.
        name: The collection's name, where the table has been renamed.
        pause: Seconds that records wait for others; `None` for as long as nobody needs Chroma to have them.
    """

    def __init__(
        self,
        table: CollectionClient,
        side: SideDatabase,
        *,
        name: str | None = None,
        pause: float | None = PAUSE,
    ) -> None:
        self.name = name or table.name
        self.batch, self.page, self.journals = table.batch, table.page, table.journals
        self._table = table
        self._side = side
        self._pause = pause
        self._waiting = {record.id: record for record in side.waiting(self.name)}
        self._whole: set[str] = set()  # of those that wait, which have no older record in Chroma
        self._absent: set[str] = set()  # ids that were asked for and are no record's
        self._lock = threading.Lock()  # of the three above
        self._sending = threading.Lock()  # held by who sends; taken before the other
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.flush()
        _OPEN.add(self)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the collection says of itself."""
        return self._table.metadata

    def describe(self, metadata: Mapping[str, Any]) -> None:
        """Sets what the collection says of itself."""
        self._table.describe(metadata)

    def empty(self) -> bool:
        """Whether there is no record at all."""
        return not self._waiting and self._table.empty()

    def read(self, ids: Sequence[str], *, vectors: bool = True) -> list[Record]:
        """The records with these ids, those that exist, in no order."""
        with self._lock:
            waiting = [self._waiting[each] for each in ids if each in self._waiting]
            asked = [each for each in ids if each not in self._whole and each not in self._absent]
        found = {record.id: record for record in self._table.read(asked, vectors=vectors)}
        for record in waiting:
            older = found[record.id].metadata if record.id in found else {}
            found[record.id] = record._replace(metadata=merged(older, record.metadata))
        self._note_absent([each for each in asked if each not in found])
        return self._with_uses(list(found.values()))

    def find(
        self, where: Where, *, containing: Where = None, vectors: bool = True, limit: int | None = None
    ) -> list[Record]:
        """The records that `where` describes and whose text `containing` does, at most `limit` of them."""
        self._settle(where)
        return self._with_uses(self._table.find(where, containing=containing, vectors=vectors, limit=limit))

    def ids(self, where: Where, limit: int | None = None, *, containing: Where = None) -> list[str]:
        """The ids of the records that `where` and `containing` describe, at most `limit` of them."""
        self._settle(where)
        return self._table.ids(where, limit, containing=containing)

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Where, *, containing: Where = None
    ) -> list[Record]:
        """About the `count` records that `where` and `containing` describe whose vectors are nearest, nearest first."""
        self._settle(where)
        return self._with_uses(self._table.nearest(vector, count, where, containing=containing))

    def upsert(self, records: Sequence[Record]) -> None:
        """Puts records; whole if they are at most `batch`."""
        used = {record.id for record in records if any(map(is_touch, record.metadata))}
        known = self._side.uses(self.name, list(used))
        told = [each._replace(metadata={**known.get(each.id, {}), **each.metadata}) for each in records]
        if len(told) > _SMALL:
            self.flush()
            self._absent.difference_update(each.id for each in told)
            self._table.upsert(told)
            self._side.forget(self.name, used)
        else:
            self._wait(told, used)

    def update(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Merges metadata into the records with these ids; `None` removes a key, an absent id is no error."""
        if all(is_touch(key) for change in changes.values() for key in change):
            known = self._side.uses(self.name, list(changes))
            self._side.use(self.name, {each: {**known.get(each, {}), **change} for each, change in changes.items()})
        else:
            self.flush()
            self._table.update(changes)

    def delete(self, ids: Sequence[str]) -> None:
        """Deletes records; whole if they are at most `batch`, an absent id is no error."""
        if ids:
            self.flush()
            self._side.forget(self.name, ids)
            self._table.delete(ids)

    def rewritten(self, dims: int | None = None) -> BufferedCollection:
        """Copies the records into a new collection, which takes this one's place and name; see `CollectionClient`."""
        self.flush()
        self._closed.set()
        return BufferedCollection(self._table.rewritten(dims), self._side, name=self.name, pause=self._pause)

    def anew(self) -> BufferedCollection:
        """Drops this collection for an empty one of its name, which takes vectors of any length."""
        self.flush()
        self._closed.set()
        return BufferedCollection(self._table.anew(), self._side, name=self.name, pause=self._pause)

    def flush(self) -> None:
        """Has Chroma take in all that waits."""
        while self._send_some():
            pass

    def rest(self) -> None:
        """Sends nothing more by itself, and waits for what is being sent."""
        self._closed.set()
        with self._sending:
            pass

    def close(self) -> None:
        """Has Chroma take in what waits, and refuses whatever is asked from now on."""
        self._closed.set()
        try:
            self.flush()
        except StoreError:
            _LOG.warning("Chroma could not take in what was written last, which waits for the next opening.")
        self._table.close()

    def _wait(self, records: Sequence[Record], used: set[str]) -> None:
        """Has records wait, on top of what waits already."""
        with self._lock:
            stacked = {
                each.id: each._replace(metadata={**self._waiting[each.id].metadata, **each.metadata})
                if each.id in self._waiting
                else each
                for each in records
            }
            self._side.wait(self.name, stacked.values(), used_anew=used)
            self._whole |= self._absent & stacked.keys()
            self._absent -= stacked.keys()
            self._waiting |= stacked
            if self._thread is None and self._pause is not None:
                self._thread = threading.Thread(target=self._send_later, name="langchain-mem-chroma", daemon=True)
                self._thread.start()
        if len(self._waiting) > _MOST:
            self._send_some()

    def _settle(self, where: Where) -> None:
        """Has Chroma take in what waits, if a `where` might find some of it."""
        with self._lock:
            concerned = any(may_find(where, record.metadata) for record in self._waiting.values())
        if concerned:
            self.flush()

    def _send_some(self) -> bool:
        """Has Chroma take in the first of those that wait, and says whether there were any."""
        with self._sending:
            with self._lock:
                some = list(islice(self._waiting.values(), _TOGETHER))
            if some:
                self._table.upsert(some)
                self._note_sent(some)
        return bool(some)

    def _note_sent(self, records: Sequence[Record]) -> None:
        """Chroma has these records; one that was put again meanwhile goes on waiting."""
        with self._lock:
            done = [record.id for record in records if self._waiting[record.id] is record]
            self._side.arrived(self.name, done)
            self._whole.difference_update(record.id for record in records)
            for each in done:
                del self._waiting[each]

    def _send_later(self) -> None:
        """What a thread does: lets records gather, has Chroma take in those that there are, until there are none."""
        while not self._closed.wait(self._pause) and self._sent_all():
            pass

    def _sent_all(self) -> bool:
        """Has Chroma take in what waits by now, and says whether more has come meanwhile."""
        try:
            for _ in range(0, len(self._waiting), _TOGETHER):
                if not self._closed.is_set():
                    self._send_some()
        except StoreError:
            # they go with the next ones, or with what needs them, which raises
            _LOG.warning("Chroma could not take in what was written; trying again later.", exc_info=True)
            more = False
        else:
            more = not self._closed.is_set()
        with self._lock:
            more = more and bool(self._waiting)
            self._thread = self._thread if more else None
            return more

    def _note_absent(self, ids: Sequence[str]) -> None:
        with self._lock:
            if len(self._absent) > _ABSENT:
                self._absent.clear()
            self._absent.update(ids)

    def _with_uses(self, records: list[Record]) -> list[Record]:
        uses = self._side.uses(self.name, [record.id for record in records])
        if not uses:
            return records
        return [
            each._replace(metadata=merged(each.metadata, uses[each.id])) if each.id in uses else each
            for each in records
        ]


_OPEN: Final[WeakSet[BufferedCollection]] = WeakSet()


@atexit.register
def _rest_all() -> None:
    """Lets no thread be in Chroma when Python ends; what waits is taken in at the next opening."""
    for each in list(_OPEN):
        each.rest()


Table = CollectionClient | BufferedCollection
"""A collection, however it is written to."""
