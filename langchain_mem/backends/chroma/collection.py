"""What a Chroma collection does as a backend; `ChromaBackend` calls it, on a thread where it must not block.

A small scope is loaded whole and searched exactly, by the reference backend; a broad one is searched by the engine,
whose answers `matches` and the reference backend finish.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from langchain_mem._flow import run
from langchain_mem.backends.base import (
    ANY,
    WILDCARD,
    Address,
    Embedder,
    Match,
    Namespace,
    NamespaceQuery,
    Query,
    Row,
    Write,
    check_embedder,
    fits,
)
from langchain_mem.backends.changes import OWNER_DEPTH, Changes, Kept, Log, of_rows
from langchain_mem.backends.chroma import records as rows
from langchain_mem.backends.chroma.buffered import Table
from langchain_mem.backends.chroma.feed import Feed, forget_heads
from langchain_mem.backends.chroma.journal import ABANDONED, Journal
from langchain_mem.backends.chroma.kept import KeptFiles
from langchain_mem.backends.chroma.recent import RecentRecords
from langchain_mem.backends.chroma.records import Record, record_id
from langchain_mem.backends.chroma.scope_cache import EVER, ScopeCache
from langchain_mem.backends.chroma.where import Where, both, either, in_text, keys_where, where
from langchain_mem.backends.chroma.write_lock import WriteLock
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.errors import Conflict, EmbeddingMismatch, StoreError, shown
from langchain_mem.filters.conditions import Path
from langchain_mem.filters.language import ALWAYS

PLACEHOLDER_DIMS: Final = 2
"""How long vectors are in a collection without an embedder: Chroma wants some."""

PAGE: Final = 1_000
"""Rows of a large scope that are handed over at a time, so that not all of them are held at once."""

_FIRST_NEAREST = 256  # how many neighbors to ask for at first, so that all of the first pages come from one answer …
_MOST_NEAREST = 4_096  # … and beyond which to look at every row instead
_MOST_CANDIDATES = 2_000  # rows that words are looked for in
_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=30))


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """The stamp of a part of all there is: what follows, and the stamp of the whole."""

    stamp: Hashable
    ids: Sequence[str]


class SharedCollection:
    """The rows of one collection, shared by all in this process who have it open.

    Args:
        table: The collection.
        mutex: Held through each write, and where `exclusive` through whatever else calls Chroma. What is held in memory
            is read without it, so that such reads wait for no write.
        kept: What is kept beside the collection, where nobody else writes to it, so that scopes can be held in memory;
            `None` where others write too.
        small: A scope of at most so many records is loaded and searched exactly.
        lock: What keeps writers of other processes out; `None` where there are none.
        page: How many rows of a large scope are handed over at a time.
    """

    def __init__(
        self,
        table: Table,
        mutex: AbstractContextManager[Any],
        *,
        kept: KeptFiles | None,
        small: int,
        lock: WriteLock | None = None,
        page: int = PAGE,
    ) -> None:
        exclusive = kept is not None
        self.mutex = mutex
        self._lock = lock
        self._kept = kept
        self._small = small
        self._page_size = page
        self._cache = ScopeCache() if exclusive else None
        self._recent = RecentRecords() if exclusive else None
        self._log = Log() if exclusive else None
        self._broad: dict[Namespace, int] = {}  # at least so many records
        self._lane = rows.lane(shared=not exclusive)
        self.bind(table)

    def bind(self, table: Table) -> None:
        """Goes on with this collection: the same rows, freshly opened."""
        self.table = table
        if self._recent is not None:
            self._recent.clear()
        self._marks = table.metadata.get("tokens") == "text"
        self._journal = Journal(table)
        self._feed = Feed(table) if self._cache is None else None
        if self._cache is not None:
            self._journal.repair()
            forget_heads(table)

    def close(self) -> None:
        """Refuses whatever is asked from now on, by those too who had begun before."""
        self.table.close()

    @property
    def dims(self) -> int:
        """How long the collection's vectors are."""
        dims: int = self.table.metadata.get("dims", PLACEHOLDER_DIMS)
        return dims

    @property
    def embedder(self) -> Embedder | None:
        """Whose vectors the collection holds."""
        name = self.table.metadata.get("embedder")
        return Embedder(name, self.dims) if name else None

    def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""
        held = self.held(addresses, now)
        if held is not None:
            return held
        with self._loaded({address.namespace for address in addresses}, load=False) as loaded:
            if loaded is not None:
                return run(loaded.get(addresses, now))
            records = self.table.read(list(dict.fromkeys(map(record_id, addresses))))
            self._remember(records)
            return _shown(self._rows(records), addresses, now)

    def held(self, addresses: Sequence[Address], now: datetime) -> list[Row | None] | None:
        """What `get` gives, if every row was read lately; `None` where Chroma has to be asked. It waits for nothing."""
        recent = None if self._recent is None else self._recent.read(list(dict.fromkeys(map(record_id, addresses))))
        known = None if recent is None else rows.single_rows(recent)
        return None if known is None else _shown(known, addresses, now)

    def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Does all of the batch or none of it, also where the process is killed meanwhile."""
        with self._writing(write.address for write in batch) as check:
            self._unkeep(write.address for write in batch)
            before = self._before(batch)
            for write in batch:
                _expect(write, before.get(record_id(write.address)), now)
                self._measure(write.row)
            puts, dead = self._changes(batch, before, now)
            if self._feed is not None:
                puts = self._numbered(self._feed, puts, batch, before)
            check()
            self._apply(puts, dead, now)
            self._repeat(batch, now)

    def search(self, query: Query) -> list[Match]:
        """The rows that the query describes, in its order."""
        with self._loaded(query.prefixes) as loaded:
            if loaded is not None:
                return run(loaded.search(query))
            return self._newest(query) if query.vector is None else self._nearest(query, query.vector)

    def count(self, query: Query) -> int:
        """How many rows the query describes."""
        with self._loaded(query.prefixes) as loaded:
            if loaded is not None:
                return run(loaded.count(query))
            if query.condition == ALWAYS and query.keys is None:
                return len(self._live(query.prefixes, query.now))
            return run(_dictionary(rows.rows_of(self._found(query, vectors=False))).count(query))

    def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that the query describes."""
        head = query.prefix[: query.prefix.index(WILDCARD)] if WILDCARD in query.prefix else query.prefix
        with self._loaded((head,)) as loaded:
            if loaded is not None:
                return run(loaded.namespaces(query))
            held = self._namespaces(self._live((head,), query.now))
            found = sorted({namespace[: query.max_depth] for namespace in held if fits(namespace, query)})
            return found[query.offset :][: query.limit]

    def refresh(self, addresses: Sequence[Address], now: datetime) -> None:
        """Sets `expires_at` to `now + ttl` for those rows that have a `ttl` and have not expired."""
        with self._writing(addresses) as check:
            sliding = [row for row in self.get(addresses, now) if row is not None and row.ttl is not None]
            self._unkeep(row.address for row in sliding)
            expiries = {record_id(row.address): {"expires": rows.micros(now + row.ttl)} for row in sliding if row.ttl}
            check()
            self._update(expiries)
            self._announce(sliding)
            if self._log is not None:
                self._log.changed(row.address for row in sliding)
            if self._cache is not None:
                run(self._cache.rows.refresh([row.address for row in sliding], now))

    def purge(self, now: datetime, limit: int | None = None) -> int:
        """Removes rows that have expired by `now`, at most `limit` of them, and says how many."""
        doomed = () if self._lock is None else self._doomed(now, limit)
        with self._writing(row.address for row in rows.rows_of(doomed)) as check:
            self._journal.repair(now - ABANDONED)
            expired = self._doomed(now, limit) if self._lock is None else self._still_doomed(doomed, now)
            check()
            self._unkeep(row.address for row in rows.rows_of(expired))
            dead = [id_ for record in expired for id_ in (*rows.parts_of(record), record.id)]
            self.table.delete(dead)
            if self._feed is not None:
                gone = self._feed.next((), (row.address for row in rows.rows_of(expired)))
                self.table.upsert(gone.records(self.dims))
            if self._recent is not None:
                self._recent.repeat((), dead)
            self._repeat([Write(address=row.address, row=None) for row in rows.rows_of(expired)], now)
            return len(expired)

    def scan(self, prefixes: tuple[Namespace, ...], now: datetime, limit: int) -> list[Row] | None:
        """Every unexpired row in scope in order of address; `None` where there are over `limit`."""
        with self._loaded(prefixes) as loaded:
            if loaded is None:
                if len(self._live(prefixes, now)) > limit:
                    return None
                loaded = _dictionary(rows.rows_of(self.table.find(_scopes(prefixes))))
            return run(loaded.scan(prefixes, now, limit))

    def addresses(self, prefixes: tuple[Namespace, ...], now: datetime) -> list[Address]:
        """Where every unexpired row in scope is, in order: as the ids say, unless they are digests."""
        with self.mutex:
            ids = self._live(prefixes, now)
            told = {identifier: rows.address_of(identifier) for identifier in ids}
            digested = [identifier for identifier, address in told.items() if address is None]
            read = [row.address for row in rows.rows_of(self.table.read(digested, vectors=False))] if digested else []
            return sorted([*filter(None, told.values()), *read])

    def stamp(self, prefixes: tuple[Namespace, ...]) -> Hashable | None:
        """What changes with each write in scope; `None` over HTTP, and for scopes too large to be held in memory."""
        if self._cache is None:
            return None
        with self._loaded(prefixes) as loaded:
            return None if loaded is None else run(loaded.stamp(prefixes))

    def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is; `None` where that is over `limit` rows."""
        if self._feed is not None:
            return self._feed.changes(scopes, paths, since, limit)
        if self._log is None:
            return None
        stamp, written, used = self._log.look(scopes, since)
        if written == []:
            return of_rows([], paths, stamp=stamp, whole=False, used=used)
        if isinstance(since, _Rest):
            return self._page(since, paths)
        if written is None:
            return self._whole(scopes, paths, stamp, limit)
        found = self._written(self._log, written)
        gone = [address for address in written if found.get(address) is None]
        here = [row for row in found.values() if row is not None]
        return of_rows(here, paths, stamp=stamp, whole=False, used=used, gone=gone)

    def _whole(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], stamp: Hashable, limit: int
    ) -> Changes | None:
        """All there is in these scopes, or the first part of it."""
        with self.mutex:
            records = self.table.find(_scopes(scopes), limit=min(limit, self._page_size) + 1)
            if len(records) <= min(limit, self._page_size):
                self._remember(records)
                return rows.changes_of(records, paths, stamp=stamp, whole=True)
            del records
            ids = [each for each in self.table.ids(_scopes(scopes)) if rows.is_row_id(each)]
        return None if len(ids) > limit else self._page(_Rest(stamp, ids), paths, whole=True)

    def _page(self, rest: _Rest, paths: Sequence[Path], *, whole: bool = False) -> Changes:
        """The next part of all there is."""
        some, others = rest.ids[: self._page_size], rest.ids[self._page_size :]
        with self.mutex:
            records = self.table.read(some)
        stamp = _Rest(rest.stamp, others) if others else rest.stamp
        return rows.changes_of(records, paths, stamp=stamp, whole=whole, more=bool(others))

    def unwritten(self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None) -> Changes | None:
        """What `changes` gives, if nothing was written in these scopes since the stamp. It waits for nothing."""
        if self._log is None or since is None:
            return None
        stamp, written, used = self._log.look(scopes, since)
        return of_rows([], paths, stamp=stamp, whole=False, used=used) if written == [] else None

    def keep(self, scopes: tuple[Namespace, ...], name: str, content: bytes, stamp: Hashable) -> bool:
        """Keeps something derived beside the folder's database until its scopes change; not over HTTP."""
        if self._log is None or self._kept is None:
            return False
        with self.mutex:
            now = self._log.look(scopes, stamp)
            if now.written is None or now.written or now.used:
                return False
            return self._kept.put(self.table.name, scopes, name, content)

    def kept(self, scopes: tuple[Namespace, ...], name: str) -> Kept | None:
        """What was kept, if nobody has written to the database since the folder was closed."""
        if self._log is None or self._kept is None:
            return None
        with self.mutex:
            content = self._kept.get(self.table.name, scopes, name)
            return None if content is None else Kept(content, self._log.look(scopes, None).stamp)

    def lexical(self, query: Query, words: Sequence[str]) -> list[Match]:
        """The rows that hold at least one of the words, those that hold more and rarer ones first."""
        with self._loaded(query.prefixes) as loaded:
            if loaded is None:
                loaded = _dictionary(self._rows(self._candidates(query, list(dict.fromkeys(words)))))
            return run(loaded.lexical(query, words))

    def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Adds these instants to the rows' touches and keeps the `keep` newest; absent rows are skipped."""
        with self._writing(touches) as check:
            self._unkeep(touches)
            by_id = {record_id(address): instants for address, instants in touches.items()}
            records = filter(rows.is_row, self._bare(list(by_id)))
            changes = {each.id: rows.touch(each.metadata, by_id[each.id], keep, lane=self._lane) for each in records}
            check()
            self._update(changes)
            if self._cache is not None:
                run(self._cache.rows.touch(touches, keep))
            if self._log is not None:
                self._log.note_uses(touches, keep)

    def describe(self, embedder: Embedder | None) -> None:
        """Records whose vectors the collection holds, if it does not say yet; compares if it does.

        Raises:
            EmbeddingMismatch: It holds another's; or it holds rows, no vectors, and others may be using it.
        """
        with self.mutex:
            check_embedder(self.embedder, embedder)
            if embedder is not None and self.embedder is None:
                self._make_room(embedder.dims)
                self._note({"embedder": embedder.name, "dims": embedder.dims})
            elif "dims" not in self.table.metadata:
                self._note({"dims": PLACEHOLDER_DIMS})

    def _note(self, facts: Mapping[str, Any]) -> None:
        """Has the collection say more of itself; one that says nothing yet is new, and keeps tokens in the text."""
        known = self.table.metadata
        self.table.describe({**known, **({} if "dims" in known else {"tokens": "text"}), **facts})
        self._marks = self.table.metadata.get("tokens") == "text"

    def _make_room(self, dims: int) -> None:
        """Lets a collection that had no embedder take vectors of this length: Chroma fixes it at the first record."""
        if "dims" not in self.table.metadata:
            return
        if self._cache is not None:
            self.bind(self.table.rewritten(dims))
        elif self.table.empty():
            self.bind(self.table.anew())
        else:
            raise EmbeddingMismatch(
                "This collection was made without an embedder, and other processes may be using it: open it without "
                "one, or copy the memories to a new store with export() and import_()."
            )

    def _holds(self, address: Address) -> bool:
        return self._cache is not None and self._cache.covers(address.namespace)

    @contextmanager
    def _writing(self, addresses: Iterable[Address]) -> Iterator[Callable[[], None]]:
        """Keeps others from writing at these addresses; gives what makes sure of it right before something is written.

        Who writes elsewhere in this process waits for no other process, so the mutex is taken last.
        """
        if self._lock is None:
            with self.mutex:
                yield _sure
            return
        with self._lock.held(addresses) as held, self.mutex:
            yield held.check

    def _doomed(self, now: datetime, limit: int | None) -> list[Record]:
        """Rows that have expired."""
        return [each for each in self.table.find(_expired(now), vectors=False, limit=limit) if rows.is_row(each)]

    def _still_doomed(self, doomed: Sequence[Record], now: datetime) -> list[Record]:
        """Those of the rows that nobody has written meanwhile."""
        found = self.table.read([record.id for record in doomed], vectors=False)
        return [each for each in found if rows.is_row(each) and rows.hidden(each, now)]

    @contextmanager
    def _loaded(self, prefixes: Collection[Namespace], *, load: bool = True) -> Iterator[DictionaryBackend | None]:
        """Something that has all rows in scope; `None` where they are too many, or not held and `load` is false.

        Good for as long as the `with` lasts. Where the engine must be asked instead, nobody here writes meanwhile.
        """
        if self._cache is None:
            yield self._load(prefixes) if load else None
            return
        with self._cache.lock:
            if all(map(self._cache.covers, prefixes)):
                yield self._cache.rows
                return
        with self.mutex:
            yield self._cache.rows if self._take_in(self._cache, prefixes, load=load) else None

    def _unkeep(self, addresses: Iterable[Address]) -> None:
        """Drops what is kept of scopes that are about to change."""
        if self._kept is not None:
            self._kept.drop(self.table.name, {address.namespace[:OWNER_DEPTH] for address in addresses})

    def _written(self, log: Log, addresses: Sequence[Address]) -> dict[Address, Row | None]:
        """The rows at addresses that were written: as the log remembers them, and the others as they are read."""
        found = log.latest(addresses)
        forgotten = [record_id(address) for address in addresses if address not in found]
        if forgotten:
            with self.mutex:
                found |= {row.address: row for row in self._rows(self.table.read(forgotten))}
        return found

    def _take_in(self, held: ScopeCache, prefixes: Collection[Namespace], *, load: bool) -> bool:
        """Whether all of the scope is held now."""
        for prefix in prefixes:
            if not held.covers(prefix) and not (load and self._hold(held, prefix)):
                return False
        return all(map(held.covers, prefixes))  # one may have gone for another

    def _hold(self, held: ScopeCache, prefix: Namespace) -> bool:
        if prefix in self._broad:
            return False
        records = self.table.find(_scopes([prefix]), limit=self._small + 1)
        if len(records) > self._small:
            self._broad[prefix] = len(records)
            return False
        held.hold(prefix, rows.rows_of(records), size=sum(map(rows.size, records)))
        return True

    def _load(self, prefixes: Collection[Namespace]) -> DictionaryBackend | None:
        scope = _scopes(prefixes)
        if len(self.table.ids(scope, self._small + 1)) > self._small:
            return None
        return _dictionary(rows.rows_of(self.table.find(scope)))

    def _rows(self, records: Sequence[Record]) -> list[Row]:
        """The rows these records stand for, their further vectors fetched where they are not among them."""
        return rows.rows_of(records, self.table.read)

    def _before(self, batch: Sequence[Write]) -> dict[str, Record]:
        """What is at these addresses now. What is known to be absent is not asked for."""
        asked = [write.address for write in batch if not self._holds(write.address)]
        held = [write.address for write in batch if self._holds(write.address)]
        if self._cache is not None:
            asked += [each for each, row in zip(held, self._cache.at(held), strict=True) if row is not None]
        heads = () if self._feed is None else self._feed.ids(write.address for write in batch)
        records = self._bare([*(record_id(address) for address in asked), *heads])
        return {record.id: record for record in records if rows.is_row(record) or record.id in heads}

    def _measure(self, row: Row | None) -> None:
        if row is not None and len(row.vectors) and row.vectors.shape[1] != self.dims:
            raise StoreError(
                f"An item has vectors of {row.vectors.shape[1]} dimensions, and this collection takes "
                f"{self.dims}. Nothing was written."
            )

    def _changes(
        self, batch: Sequence[Write], before: Mapping[str, Record], now: datetime
    ) -> tuple[list[Record], list[str]]:
        """What to upsert, and which ids to delete."""
        puts: dict[str, Record] = {}
        dead: list[str] = []
        for write in batch:
            old = before.get(record_id(write.address))
            if write.row is not None:
                puts |= {record.id: record for record in self._replacing(write.row, old, now)}
            if old is not None:
                dead += [old.id, *rows.parts_of(old)]
        return list(puts.values()), [identifier for identifier in dead if identifier not in puts]

    def _numbered(
        self, feed: Feed, puts: Sequence[Record], batch: Sequence[Write], before: Mapping[str, Record]
    ) -> list[Record]:
        """The records of a batch as other processes are to be told of them."""
        removed = [each.address for each in batch if each.row is None and record_id(each.address) in before]
        told = feed.next((each.address for each in batch if each.row is not None), removed, before)
        return [*map(told.numbered, puts), *told.records(self.dims)]

    def _announce(self, changed: Sequence[Row]) -> None:
        """Tells other processes that something about these rows has changed."""
        if self._feed is None or not changed:
            return
        told = self._feed.next((row.address for row in changed), ())
        owners = {record_id(row.address): rows.label(row.address.namespace[:OWNER_DEPTH]) for row in changed}
        self.table.update({each: number for each, owner in owners.items() if (number := told.number(owner))})
        self.table.upsert(told.records(self.dims))

    def _replacing(self, row: Row, old: Record | None, now: datetime) -> list[Record]:
        """A row's records, to be merged by the engine into what is there: touches stay, unless they expired."""
        known = None if old is None else old.metadata
        if old is not None and rows.hidden(old, now):
            known = {key: value for key, value in old.metadata.items() if key == "expires"}
        record, *parts = rows.records_of(row, self.dims, lane=self._lane, old=known, marks=self._marks)
        if old is not None and known is not old.metadata:
            record = record._replace(metadata={**rows.untouched(old.metadata), **record.metadata})
        return [record, *parts]

    def _apply(self, puts: Sequence[Record], dead: Sequence[str], now: datetime) -> None:
        try:
            self._journal.apply(puts, dead, dims=self.dims, now=now)
        except StoreError:
            self._forget()  # how far the engine got is not known
            raise
        if self._recent is not None:
            self._recent.repeat(puts, dead)

    def _update(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Changes metadata, here as well as there."""
        try:
            self.table.update(changes)
        except StoreError:
            self._forget()
            raise
        if self._recent is not None:
            self._recent.update(changes)

    def _forget(self) -> None:
        """Drops what is held in memory of the collection."""
        if self._cache is not None:
            self._cache.clear()
        if self._recent is not None:
            self._recent.clear()
        if self._log is not None:
            self._log.lose()

    def _remember(self, records: Sequence[Record]) -> None:
        """Holds records that were read with their vectors, for who asks for them next."""
        if self._recent is not None:
            self._recent.put(records)

    def _bare(self, ids: Sequence[str]) -> list[Record]:
        """The records with these ids, whose vectors are not asked for."""
        recent = None if self._recent is None else self._recent.read(ids)
        return self.table.read(ids, vectors=False) if recent is None else recent

    def _repeat(self, batch: Sequence[Write], now: datetime) -> None:
        """Keeps what is held in memory, and known of broad scopes, in step with a batch."""
        if self._cache is not None:
            self._cache.write(batch, now)
        if self._log is not None:
            self._log.note(batch)
        for write in batch:
            if write.row is None:
                self._shrink(write.address.namespace)

    def _shrink(self, namespace: Namespace) -> None:
        for prefix in (namespace[:depth] for depth in range(len(namespace) + 1)):
            if prefix in self._broad:
                self._broad[prefix] -= 1
                if self._broad[prefix] <= self._small:
                    del self._broad[prefix]

    def _newest(self, query: Query) -> list[Match]:
        """The rows updated last, found by looking back further and further: Chroma does not sort."""
        for window in _WINDOWS if query.limit is not None else ():
            found = self._finish(query, {"updated": {"$gte": rows.micros(query.now - window)}})
            if len(found) == query.limit:
                return found
        return self._finish(query, None)

    def _nearest(self, query: Query, vector: NDArray[np.float32]) -> list[Match]:
        """The rows nearest to the query's vector, found by asking for more and more until enough of them match."""
        count = _FIRST_NEAREST
        while query.limit is not None and count <= _MOST_NEAREST:
            if count >= query.offset + query.limit:
                asked, containing = self._asked(query)
                records = self.table.nearest(vector, count, asked, containing=containing)
                found = run(_dictionary(self._rows(self._wholes(records))).search(query))
                if len(found) == query.limit:
                    return found
                if len(records) < count:
                    break
            count *= 4
        return self._finish(query, None)

    def _wholes(self, records: Sequence[Record]) -> list[Record]:
        """These records with those of the rows they are parts of."""
        here = {record.id for record in records}
        missing = {rows.whole_id(record.id) for record in records} - here
        return [*records, *self.table.read(list(missing))]

    def _finish(self, query: Query, more: Where) -> list[Match]:
        return run(_dictionary(self._rows(self._found(query, more))).search(query))

    def _found(self, query: Query, more: Where = None, *, vectors: bool = True) -> list[Record]:
        """The records that a query describes, and perhaps others in its scope."""
        asked, containing = self._asked(query)
        return self.table.find(both(asked, more), containing=containing, vectors=vectors)

    def _asked(self, query: Query) -> tuple[Where, Where]:
        """A query as Chroma's `where` and `where_document`, which find perhaps more."""
        scope, tokens = _scopes(query.prefixes), both(where(query.condition), keys_where(query.keys))
        return (scope, in_text(tokens)) if self._marks else (both(scope, tokens), None)

    def _candidates(self, query: Query, words: Sequence[str]) -> list[Record]:
        """Rows in scope that hold some of the words, those with the rarest first if they are too many."""
        scope, holding = self._asked(query)
        some = both(holding, either(*map(_containing, words)))
        found = self.table.find(scope, containing=some, limit=_MOST_CANDIDATES) if words else []
        if len(found) < _MOST_CANDIDATES:
            return found
        by_word = [
            self.table.find(scope, containing=both(holding, _containing(word)), limit=_MOST_CANDIDATES)
            for word in words
        ]
        every = [record for records in sorted(by_word, key=len) for record in records]
        return list({record.id: record for record in every}.values())[:_MOST_CANDIDATES]

    def _live(self, prefixes: Iterable[Namespace], now: datetime) -> set[str]:
        """The ids of the rows in scope that have not expired: all but those that have, which are quickly found."""
        scope = _scopes(prefixes)
        every = filter(rows.is_row_id, self.table.ids(scope))
        return set(every).difference(self.table.ids(both(scope, _expired(now))))

    def _namespaces(self, ids: Iterable[str]) -> set[Namespace]:
        by_id = {identifier: rows.namespace_of(identifier) for identifier in ids}
        digested = [identifier for identifier, namespace in by_id.items() if namespace is None]
        told = {row.address.namespace for row in rows.rows_of(self.table.read(digested, vectors=False))}
        return told.union(namespace for namespace in by_id.values() if namespace is not None)


def _sure() -> None:
    """Nobody else can write."""


def _expect(write: Write, there: Record | None, now: datetime) -> None:
    if write.expects is ANY:
        return
    revision = None if there is None or rows.hidden(there, now) else rows.revision(there)
    if write.expects != revision:
        raise Conflict(
            f"{shown(write.address.key)} has changed since it was read. Nothing was written; read again and retry."
        )


def _shown(found: Iterable[Row], addresses: Sequence[Address], now: datetime) -> list[Row | None]:
    """The rows at these addresses, in order; `None` where there is none that has not expired."""
    rows_by_address = {row.address: row for row in found if not row.hidden(now)}
    return [rows_by_address.get(address) for address in addresses]


def _dictionary(loaded: Iterable[Row]) -> DictionaryBackend:
    """A backend that has these rows and no others."""
    backend = DictionaryBackend()
    run(backend.write([Write(address=row.address, row=row) for row in loaded], EVER))
    return backend


def _scopes(prefixes: Iterable[Namespace]) -> Where:
    return either(*rows.scopes(prefixes))


def _expired(now: datetime) -> Where:
    """Rows that have expired, and tombstones."""
    return {"expires": {"$lte": rows.micros(now)}}


def _containing(word: str) -> dict[str, Any]:
    return {"$contains": word}
