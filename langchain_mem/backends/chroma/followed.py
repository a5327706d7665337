"""What was written in a folder's scopes since somebody looked, and what is kept of them beside the folder."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final

from langchain_mem.backends.base import Address, Namespace, Row
from langchain_mem.backends.changes import OWNER_DEPTH, Changes, Kept, Log, of_rows
from langchain_mem.backends.chroma import records as rows
from langchain_mem.backends.chroma.buffered import Table
from langchain_mem.backends.chroma.engine import in_scopes
from langchain_mem.backends.chroma.kept import KeptFiles
from langchain_mem.backends.chroma.recent import RecentRecords
from langchain_mem.backends.chroma.records import record_id
from langchain_mem.filters.conditions import Path

PAGE: Final = 1_000
"""Rows of a large scope that are handed over at a time, so that not all of them are held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """The stamp of a part of all there is: what follows, and the stamp of the whole."""

    stamp: Hashable
    ids: Sequence[str]


class Followed:
    """The scopes of one collection that nobody else writes to.

    Args:
        table: Gives the collection. It is asked while the mutex is held, for a compaction opens the collection anew.
        log: What was written lately.
        recent: Records that were read lately.
        kept: What is kept beside the folder.
        mutex: The folder's, held while Chroma is called.
        page: How many rows of a large scope are handed over at a time.
    """

    def __init__(
        self,
        table: Callable[[], Table],
        log: Log,
        recent: RecentRecords,
        kept: KeptFiles,
        mutex: AbstractContextManager[Any],
        *,
        page: int = PAGE,
    ) -> None:
        self._table = table
        self._log = log
        self._recent = recent
        self._kept = kept
        self._mutex = mutex
        self._page_size = page

    def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is; `None` over `limit` rows."""
        stamp, written, used = self._log.look(scopes, since)
        if written == []:
            return of_rows([], paths, stamp=stamp, whole=False, used=used)
        if isinstance(since, _Rest):
            return self._page(since, paths)
        if written is None:
            return self._whole(scopes, paths, stamp, limit)
        found = self._written(written)
        gone = [address for address in written if found.get(address) is None]
        here = [row for row in found.values() if row is not None]
        changes = of_rows(here, paths, stamp=stamp, whole=False, used=used, gone=gone)
        return replace(changes, values=[row.value for row in here])

    def _whole(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], stamp: Hashable, limit: int
    ) -> Changes | None:
        """All there is in these scopes, or the first part of it."""
        with self._mutex:
            table = self._table()
            records = table.find(in_scopes(scopes), limit=min(limit, self._page_size) + 1)
            if len(records) <= min(limit, self._page_size):
                self._recent.put(records)
                return rows.changes_of(records, paths, stamp=stamp, whole=True)
            del records
            ids = [each for each in table.ids(in_scopes(scopes)) if rows.is_row_id(each)]
        return None if len(ids) > limit else self._page(_Rest(stamp, ids), paths, whole=True)

    def _page(self, rest: _Rest, paths: Sequence[Path], *, whole: bool = False) -> Changes:
        """The next part of all there is."""
        some, others = rest.ids[: self._page_size], rest.ids[self._page_size :]
        with self._mutex:
            records = self._table().read(some)
        stamp = _Rest(rest.stamp, others) if others else rest.stamp
        return rows.changes_of(records, paths, stamp=stamp, whole=whole, more=bool(others))

    def unwritten(self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None) -> Changes | None:
        """What `changes` gives, if nothing was written in these scopes since the stamp. It waits for nothing."""
        if since is None:
            return None
        stamp, written, used = self._log.look(scopes, since)
        return of_rows([], paths, stamp=stamp, whole=False, used=used) if written == [] else None

    def keep(self, scopes: tuple[Namespace, ...], name: str, content: bytes, stamp: Hashable) -> bool:
        """Keeps something derived beside the folder's database until its scopes change."""
        with self._mutex:
            now = self._log.look(scopes, stamp)
            if now.written is None or now.written or now.used:
                return False
            return self._kept.put(self._table().name, scopes, name, content)

    def kept(self, scopes: tuple[Namespace, ...], name: str) -> Kept | None:
        """What was kept, if nobody has written to the database since the folder was closed."""
        with self._mutex:
            content = self._kept.get(self._table().name, scopes, name)
            return None if content is None else Kept(content, self._log.look(scopes, None).stamp)

    def _written(self, addresses: Sequence[Address]) -> dict[Address, Row | None]:
        """The rows at addresses that were written: as the log remembers them, and the others as they are read."""
        found = self._log.latest(addresses)
        forgotten = [record_id(address) for address in addresses if address not in found]
        if forgotten:
            with self._mutex:
                read = self._table().read
                found |= {row.address: row for row in rows.rows_of(read(forgotten), read)}
        return found

    def unkeep(self, addresses: Iterable[Address]) -> None:
        """Drops what is kept of scopes that are about to change."""
        self._kept.drop(self._table().name, {address.namespace[:OWNER_DEPTH] for address in addresses})
