"""Batches that are done whole: in one upsert where they fit, else by way of a journal kept in the collection."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from langchain_mem.backends.chroma.buffered import Table
from langchain_mem.backends.chroma.client import chunks
from langchain_mem.backends.chroma.records import DEAD, Record, micros, placeholder, tombstone

JOURNAL: Final = "!journal"
"""`s1` of a page of the journal; no label reads so."""

ABANDONED: Final = timedelta(minutes=10)
"""A page this old belongs to no writer that still runs."""

_PAGE = 200  # records on a page, about a megabyte


class Journal:
    """Writes batches to a table so that a process killed at any moment leaves all of one or none of it.

    One upsert of at most `table.batch` records is whole, so what a batch deletes is upserted with what it puts, as
    tombstones, and deleted afterwards. A larger batch is first upserted as pages that say what to do, in one call
    that makes it certain; then it is done page by page, and the pages are deleted. `repair` does what was left.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def apply(self, puts: Sequence[Record], dead: Sequence[str], *, dims: int, now: datetime) -> None:
        """Upserts records and deletes ids, all or nothing.

        Args:
            puts: What to upsert.
            dead: What to delete.
            dims: How long the collection's vectors are.
            now: When, so that what a dead process left can be told from work under way.
        """
        if len(puts) + len(dead) <= self._table.batch or not self._table.journals:
            self._do(puts, dead, dims)
        else:
            pages = _pages(puts, dead, dims, now, most=self._table.batch)
            self._table.upsert(pages)
            self._redo(pages)

    def repair(self, before: datetime | None = None) -> bool:
        """Finishes what killed processes began, and says whether there were rows among it.

        Args:
            before: Leave pages alone that were written since: their writer may be at work. `None` leaves none.
        """
        pages = self._table.find({"s1": JOURNAL}, vectors=False)
        old = [page for page in pages if before is None or page.metadata["updated"] < micros(before)]
        self._redo(old)
        self._table.delete(self._table.ids({"s1": DEAD}))
        return bool(old)

    def _do(self, puts: Sequence[Record], dead: Sequence[str], dims: int) -> None:
        if puts:
            self._table.upsert([*puts, *(tombstone(identifier, dims) for identifier in dead)])
        self._table.delete(dead)

    def _redo(self, pages: Sequence[Record]) -> None:
        for page in pages:
            work = json.loads(page.metadata["page"])
            self._table.upsert([_record(each) for each in work["puts"]])
            self._table.delete(work["dead"])
        self._table.delete([page.id for page in pages])


def _pages(puts: Sequence[Record], dead: Sequence[str], dims: int, now: datetime, most: int) -> list[Record]:
    size = max(_PAGE, -(-(len(puts) + len(dead)) // (most - 2)))
    works: list[Any] = [{"puts": [_plain(record) for record in some], "dead": []} for some in chunks(puts, size)]
    works += [{"puts": [], "dead": list(some)} for some in chunks(dead, size)]
    return [_page(json.dumps(work), dims, now) for work in works]


def _page(text: str, dims: int, now: datetime) -> Record:
    identifier = f"!{uuid.uuid4().hex}"
    return Record(identifier, placeholder(identifier, dims), {"s1": JOURNAL, "page": text, "updated": micros(now)}, "")


def _plain(record: Record) -> list[Any]:
    return [record.id, base64.b64encode(record.embedding.tobytes()).decode(), record.metadata, record.document]


def _record(plain: Sequence[Any]) -> Record:
    identifier, embedding, metadata, document = plain
    return Record(identifier, np.frombuffer(base64.b64decode(embedding), np.float32), metadata, document)
