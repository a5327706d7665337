"""What a Chroma collection does as a backend; `ChromaBackend` calls it, on a thread where it must not block.

A small scope is loaded whole and searched exactly, by the reference backend; a broad one is searched by the engine,
whose answers `matches` and the reference backend finish.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Final

from langchain_mem._flow import run
from langchain_mem.backends.base import (
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
from langchain_mem.backends.changes import OWNER_DEPTH, Changes, Kept, Log
from langchain_mem.backends.chroma import records as rows
from langchain_mem.backends.chroma.batch import Form, changes_of
from langchain_mem.backends.chroma.buffered import Table
from langchain_mem.backends.chroma.client import CollectionClient
from langchain_mem.backends.chroma.engine import Engine, dictionary_of, expired_by, in_scopes
from langchain_mem.backends.chroma.feed import Feed, forget_heads
from langchain_mem.backends.chroma.followed import PAGE, Followed
from langchain_mem.backends.chroma.journal import ABANDONED, Journal
from langchain_mem.backends.chroma.kept import KeptFiles
from langchain_mem.backends.chroma.recent import RecentRecords
from langchain_mem.backends.chroma.records import Record, record_id
from langchain_mem.backends.chroma.scope_cache import ScopeCache
from langchain_mem.backends.chroma.where import both
from langchain_mem.backends.chroma.write_lock import WriteLock
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.errors import EmbeddingMismatch, StoreError
from langchain_mem.filters.conditions import Path
from langchain_mem.filters.language import ALWAYS

_ITSELF: Final = Address((), "")  # what is locked where the collection itself is described

PLACEHOLDER_DIMS: Final = 2
"""How long vectors are in a collection without an embedder: Chroma wants some."""


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
        self._small = small
        self._cache = ScopeCache() if exclusive else None
        log, recent = Log(), RecentRecords()
        self._recent = recent if exclusive else None
        self._log = log if exclusive else None
        self._followed = None if kept is None else Followed(lambda: self.table, log, recent, kept, mutex, page=page)
        self._broad: dict[Namespace, int] = {}  # at least so many records
        self._lane = rows.lane(shared=not exclusive)
        self.bind(table)

    def bind(self, table: Table) -> None:
        """Goes on with this collection: the same rows, freshly opened."""
        self.table = table
        if self._recent is not None:
            self._recent.clear()
        self._look_again()
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
            return _shown(self._engine.rows(records), addresses, now)

    def held(self, addresses: Sequence[Address], now: datetime) -> list[Row | None] | None:
        """What `get` gives, if every row was read lately; `None` where Chroma has to be asked. It waits for nothing."""
        recent = None if self._recent is None else self._recent.read(list(dict.fromkeys(map(record_id, addresses))))
        known = None if recent is None else rows.single_rows(recent)
        return None if known is None else _shown(known, addresses, now)

    def having(
        self, namespaces: Sequence[Namespace], path: Path, values: Sequence[str], now: datetime
    ) -> list[Row] | None:
        """The unexpired rows in these very namespaces whose digest is one of some; `None` where that is not kept."""
        if not self._digests or path.keys != (rows.DIGEST,) or any(len(each) > rows.MOST_DIGEST for each in values):
            return None
        asked = both(in_scopes(namespaces), {rows.DIGEST: {"$in": sorted(set(values))}})
        with self.mutex:
            ids = self.table.ids(asked)
            found = self._engine.rows(self.table.read(ids)) if ids else []
        here = [row for row in found if row.address.namespace in namespaces and path.read(row.value) in values]
        return [row for row in here if not row.hidden(now)]

    def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Does all of the batch or none of it, also where the process is killed meanwhile."""
        addresses = [write.address for write in batch]
        with self._writing(addresses) as check:
            self._unkeep(addresses)
            before = self._before(addresses)
            form = Form(self.dims, self._lane, self._marks, self._digests)
            puts, dead = changes_of(batch, before, now, form)
            if self._feed is not None:
                puts = self._numbered(self._feed, puts, batch, before)
            check()
            self._apply(puts, dead, now, form.dims)
            self._repeat(batch, now)

    def search(self, query: Query) -> list[Match]:
        """The rows that the query describes, in its order."""
        with self._loaded(query.prefixes) as loaded:
            if loaded is not None:
                return run(loaded.search(query))
            return self._engine.newest(query) if query.vector is None else self._engine.nearest(query, query.vector)

    def count(self, query: Query) -> int:
        """How many rows the query describes."""
        with self._loaded(query.prefixes) as loaded:
            if loaded is not None:
                return run(loaded.count(query))
            if query.condition == ALWAYS and query.keys is None:
                return len(self._engine.live(query.prefixes, query.now))
            return run(dictionary_of(rows.rows_of(self._engine.found(query, vectors=False))).count(query))

    def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that the query describes."""
        head = query.prefix[: query.prefix.index(WILDCARD)] if WILDCARD in query.prefix else query.prefix
        with self._loaded((head,)) as loaded:
            if loaded is not None:
                return run(loaded.namespaces(query))
            held = self._engine.namespaces(self._engine.live((head,), query.now))
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
            if self._journal.repair(now - ABANDONED) and self._feed is not None:
                forget_heads(self.table)  # whose numbers may be older than what was written since
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
                if len(self._engine.live(prefixes, now)) > limit:
                    return None
                loaded = dictionary_of(rows.rows_of(self.table.find(in_scopes(prefixes))))
            return run(loaded.scan(prefixes, now, limit))

    def addresses(self, prefixes: tuple[Namespace, ...], now: datetime) -> list[Address]:
        """Where every unexpired row in scope is, in order: as the ids say, unless they are digests."""
        with self.mutex:
            return self._engine.addresses(prefixes, now)

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
        return None if self._followed is None else self._followed.changes(scopes, paths, since, limit)

    def unwritten(self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None) -> Changes | None:
        """What `changes` gives, if nothing was written in these scopes since the stamp. It waits for nothing."""
        return None if self._followed is None else self._followed.unwritten(scopes, paths, since)

    def keep(self, scopes: tuple[Namespace, ...], name: str, content: bytes, stamp: Hashable) -> bool:
        """Keeps something derived beside the folder's database until its scopes change; not over HTTP."""
        return self._followed is not None and self._followed.keep(scopes, name, content, stamp)

    def kept(self, scopes: tuple[Namespace, ...], name: str) -> Kept | None:
        """What was kept, if nobody has written to the database since the folder was closed."""
        return None if self._followed is None else self._followed.kept(scopes, name)

    def lexical(self, query: Query, words: Sequence[str]) -> list[Match]:
        """The rows that hold at least one of the words, those that hold more and rarer ones first."""
        with self._loaded(query.prefixes) as loaded:
            if loaded is None:
                loaded = dictionary_of(self._engine.rows(self._engine.candidates(query, list(dict.fromkeys(words)))))
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
        check_embedder(self.embedder, embedder)
        if "dims" in self.table.metadata and (embedder is None or self.embedder is not None):
            return
        with self._writing([_ITSELF]):
            if self._lock is not None and isinstance(self.table, CollectionClient):
                self.table.reopen()  # another process may have said meanwhile what it says of itself
                self._look_again()
            check_embedder(self.embedder, embedder)
            if embedder is not None and self.embedder is None:
                self._make_room(embedder.dims)
                self._note({"embedder": embedder.name, "dims": embedder.dims})
            elif "dims" not in self.table.metadata:
                self._note({"dims": PLACEHOLDER_DIMS})

    def _note(self, facts: Mapping[str, Any]) -> None:
        """Has the collection say more of itself; one that says nothing yet is new, and keeps tokens in the text."""
        known = self.table.metadata
        self.table.describe({**known, **({} if "dims" in known else {"tokens": "text", "digests": True}), **facts})
        self._look_again()

    def _look_again(self) -> None:
        """Asks the collection how it keeps tokens and digests."""
        self._marks = self.table.metadata.get("tokens") == "text"
        self._digests = bool(self.table.metadata.get("digests"))
        self._engine = Engine(self.table, marks=self._marks)

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
        return [each for each in self.table.find(expired_by(now), vectors=False, limit=limit) if rows.is_row(each)]

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
        if self._followed is not None:
            self._followed.unkeep(addresses)

    def _take_in(self, held: ScopeCache, prefixes: Collection[Namespace], *, load: bool) -> bool:
        """Whether all of the scope is held now."""
        for prefix in prefixes:
            if not held.covers(prefix) and not (load and self._hold(held, prefix)):
                return False
        return all(map(held.covers, prefixes))  # one may have gone for another

    def _hold(self, held: ScopeCache, prefix: Namespace) -> bool:
        if prefix in self._broad:
            return False
        records = self.table.find(in_scopes([prefix]), limit=self._small + 1)
        if len(records) > self._small:
            self._broad[prefix] = len(records)
            return False
        held.hold(prefix, rows.rows_of(records), size=sum(map(rows.size, records)))
        return True

    def _load(self, prefixes: Collection[Namespace]) -> DictionaryBackend | None:
        scope = in_scopes(prefixes)
        if len(self.table.ids(scope, self._small + 1)) > self._small:
            return None
        return dictionary_of(rows.rows_of(self.table.find(scope)))

    def _before(self, addresses: Sequence[Address]) -> dict[str, Record]:
        """What is at these addresses now. What is known to be absent is not asked for."""
        asked = addresses if self._cache is None else self._cache.may_be_there(addresses)
        heads = () if self._feed is None else self._feed.ids(addresses)
        records = self._bare([*map(record_id, asked), *heads])
        return {record.id: record for record in records if rows.is_row(record) or record.id in heads}

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

    def _apply(self, puts: Sequence[Record], dead: Sequence[str], now: datetime, dims: int) -> None:
        try:
            self._journal.apply(puts, dead, dims=dims, now=now)
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


def _sure() -> None:
    """Nobody else can write."""


def _shown(found: Iterable[Row], addresses: Sequence[Address], now: datetime) -> list[Row | None]:
    """The rows at these addresses, in order; `None` where there is none that has not expired."""
    rows_by_address = {row.address: row for row in found if not row.hidden(now)}
    return [rows_by_address.get(address) for address in addresses]
