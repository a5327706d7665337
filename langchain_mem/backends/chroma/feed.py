"""What was written of an owner on a server, so that another process reads only that.

Each owner has a *head*: a record that says how many batches have been written of what the owner has. A row carries the
number of the batch that wrote it last. So a process that has read everything up to some number asks for the head and,
where that has gone on, for the rows with a higher number. Batches have their numbers in the order in which they are
written, for a writer holds the owner's lock.

    epoch    drawn when the head is made: where it is another one, numbers from before say nothing
    number   of the last batch
    since    removals after this number are listed
    gone     the removals: `number:handle`, the oldest first

A head is upserted in the same call as the rows of its batch. It holds no name: its id and the handles are digests, so
that it may stay when everything about an owner is erased.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from langchain_mem.backends.base import Address, Namespace
from langchain_mem.backends.changes import OWNER_DEPTH, Changes, of_rows
from langchain_mem.backends.chroma import records as rows
from langchain_mem.backends.chroma.buffered import Table
from langchain_mem.backends.chroma.records import Record, record_id
from langchain_mem.backends.chroma.where import Where, both, either
from langchain_mem.filters.conditions import Path

HEAD: Final = "!head"
"""`s1` of a head; no label reads so."""

NUMBER: Final = "batch"
"""The metadata key of a row's number."""

MOST_ROWS: Final = 10_000
"""An owner with more rows is not handed over whole: over HTTP that takes seconds."""

_MOST_GONE: Final = 128  # removals that a head lists: with their numbers about 3 KB, of 4 KB that Chroma Cloud takes
_DEPTH: Final = f"s{OWNER_DEPTH}"


class Head(NamedTuple):
    """How far the rows of one owner have come."""

    epoch: str
    number: int = 0
    since: int = 0
    gone: tuple[tuple[int, str], ...] = ()

    @classmethod
    def of(cls, record: Record | None) -> Head:
        """What a record says; a new head where there is none."""
        if record is None:
            return cls(uuid.uuid4().hex[:12])
        said = record.metadata
        gone = (each.partition(":") for each in said["gone"].split())
        return cls(said["epoch"], said["number"], said["since"], tuple((int(n), handle) for n, _, handle in gone))

    def after(self, removed: Iterable[str]) -> Head:
        """The head after one more batch, which removed the rows with these ids."""
        gone = (*self.gone, *((self.number + 1, _handle(each)) for each in removed))
        kept = gone[-_MOST_GONE:]
        dropped = gone[: len(gone) - len(kept)]
        return Head(self.epoch, self.number + 1, dropped[-1][0] if dropped else self.since, kept)

    def record(self, identifier: str, dims: int) -> Record:
        """This head as a record."""
        gone = " ".join(f"{number}:{handle}" for number, handle in self.gone)
        metadata = {"s1": HEAD, "epoch": self.epoch, "number": self.number, "since": self.since, "gone": gone}
        return Record(identifier, rows.placeholder(identifier, dims), metadata, "")


class Seen(NamedTuple):
    """Up to which batch somebody has read an owner's rows. A stamp is one of these for each owner."""

    head: str
    epoch: str | None
    number: int


class Batch:
    """The numbers of one batch: one for each owner whose rows it changes.

    Args:
        heads: What the heads of these owners become.
    """

    def __init__(self, heads: Mapping[Namespace, Head]) -> None:
        self._heads = heads
        self._numbers = {rows.label(owner): head.number for owner, head in heads.items()}

    def number(self, owner: str) -> dict[str, int]:
        """What the metadata of a row says of this batch; nothing where its owner has no head."""
        return {NUMBER: self._numbers[owner]} if owner in self._numbers else {}

    def numbered(self, record: Record) -> Record:
        """A record of a row that the batch puts."""
        return record._replace(metadata={**record.metadata, **self.number(record.metadata.get(_DEPTH, ""))})

    def records(self, dims: int) -> list[Record]:
        """The heads as records with vectors of this length."""
        return [head.record(_head_id(owner), dims) for owner, head in self._heads.items()]


class Feed:
    """The heads of a collection.

    Args:
        table: The collection, which several processes write.
        most: An owner with more rows is not handed over whole.
    """

    def __init__(self, table: Table, *, most: int = MOST_ROWS) -> None:
        self._table = table
        self._most = most

    def ids(self, addresses: Iterable[Address]) -> list[str]:
        """The ids of the heads of these rows' owners. What lies in a namespace that names none has no head."""
        return list(dict.fromkeys(map(_head_id, filter(None, map(_owner, addresses)))))

    def next(
        self, changed: Iterable[Address], removed: Iterable[Address], before: Mapping[str, Record] | None = None
    ) -> Batch:
        """The next batch of the owners of some rows.

        Args:
            changed: Rows that are put or changed.
            removed: Rows that are removed.
            before: The records that `ids` names, as they are now; `None` to read them.
        """
        gone: dict[Namespace, list[str]] = {owner: [] for owner in filter(None, map(_owner, changed))}
        for address in removed:
            if owner := _owner(address):
                gone.setdefault(owner, []).append(record_id(address))
        if before is None:
            before = {record.id: record for record in self._table.read(list(map(_head_id, gone)), vectors=False)}
        return Batch({owner: Head.of(before.get(_head_id(owner))).after(ids) for owner, ids in gone.items()})

    def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is; `None` where that is over `limit` rows."""
        ids = {_head_id(scope): scope for scope in scopes}
        heads = {record.id: Head.of(record) for record in self._table.read(list(ids), vectors=False)}
        stamp = tuple(_seen(each, heads.get(each)) for each in ids)
        if since == stamp:
            return replace(of_rows([], paths, stamp=stamp, whole=False), uses=None)
        before = {each.head: each for each in since} if isinstance(since, tuple) else None
        if before is None or not all(_tells(heads.get(each), before.get(each)) for each in ids):
            return self._everything(scopes, paths, stamp, min(limit, self._most))
        records: list[Record] = []
        gone: list[str] = []
        for each, scope in ids.items():
            head, seen = heads.get(each), before.get(each)
            if seen != _seen(each, head):
                records += self._table.find(_since(scope, seen), limit=limit + 1)
                gone += [handle for number, handle in head.gone if not seen or number > seen.number] if head else []
        if len(records) > limit:
            return None
        return replace(_changes(records, paths, stamp, whole=False), gone=gone)

    def _everything(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], stamp: Hashable, limit: int
    ) -> Changes | None:
        inside = either(*rows.scopes(scopes))
        if len(self._table.ids(inside, limit + 1)) > limit:  # which is told sooner than what is in them
            return None
        return _changes(self._table.find(inside), paths, stamp, whole=True)


def _changes(records: Sequence[Record], paths: Sequence[Path], stamp: Hashable, *, whole: bool) -> Changes:
    """Rows as columns. Their uses are left to whoever finds them, since those of other processes do not come here."""
    changes = rows.changes_of(records, paths, stamp=stamp, whole=whole)
    handles = [_handle(record_id(each)) for each in changes.addresses]
    return replace(changes, handles=handles, uses=None, values=None)


def _seen(identifier: str, head: Head | None) -> Seen:
    return Seen(identifier, None, 0) if head is None else Seen(identifier, head.epoch, head.number)


def _tells(head: Head | None, seen: Seen | None) -> bool:
    """Whether a head tells what came after a stamp. Of an owner whom the stamp does not name, it is everything."""
    if seen is None:
        return head is None or head.since == 0
    if head is None or seen.epoch is None:
        return head is None and seen.epoch is None
    return head.epoch == seen.epoch and head.since <= seen.number <= head.number


def _since(scope: Namespace, seen: Seen | None) -> Where:
    inside = either(*rows.scopes([scope]))
    return inside if seen is None else both(inside, {NUMBER: {"$gt": seen.number}})


def forget_heads(table: Table) -> None:
    """Drops the heads, where something was written that they do not count: everybody reads all rows anew."""
    table.delete(table.ids({"s1": HEAD}))


def _owner(address: Address) -> Namespace | None:
    owner = address.namespace[:OWNER_DEPTH]
    return owner if len(owner) == OWNER_DEPTH else None


def _head_id(owner: Namespace) -> str:
    return f"{HEAD}~{hashlib.blake2b(rows.label(owner).encode(), digest_size=16).hexdigest()}"


def _handle(identifier: str) -> str:
    return hashlib.blake2b(identifier.encode(), digest_size=8).hexdigest()
