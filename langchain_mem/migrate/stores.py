"""Items of LangGraph's own stores, read from their tables as they lie, and copied into a `LongTermStore`.

The tables are read and not the stores opened: opening one migrates its schema, and reading through it lets expiring
items live on. Nothing is written to where the items come from.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.errors import InvalidRequest, MissingDependency
from langchain_mem.model.json_values import json_object
from langchain_mem.model.scopes import Namespace
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.store.operations import passages
from langchain_mem.store.place import POSTGRES

_PIECE: Final = 200  # items embedded and written at a time
_READ: Final = "SELECT * FROM store ORDER BY prefix, key"  # older tables lack the two columns of expiry


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """An item as it lies in one of LangGraph's stores.

    Attributes:
        namespace: Its labels.
        key: Which, within the namespace.
        value: JSON; an object, unless somebody wrote past the store.
        created_at: When it was first put.
        updated_at: When it was last put.
        expires_at: From when on a sweep removes it.
        ttl: The sliding expiry it was put with.
    """

    namespace: Namespace
    key: str
    value: Any
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    ttl: timedelta | None = None


@dataclass(slots=True)
class Copied:
    """What copying did.

    Attributes:
        copied: Items that were not there, or were older there.
        present: Items that were there already, as new or newer.
        expired: Items whose time was over, and which were left behind.
        bad: Which items could not be taken, and why.
    """

    copied: int = 0
    present: int = 0
    expired: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)


def items_of(source: str) -> Iterator[StoredItem]:
    """The items of LangGraph's `PostgresStore` or `SqliteStore`, in order of namespace and key.

    Args:
        source: A `postgresql://` address, or the path of an SQLite file.

    Raises:
        InvalidRequest: There is no such store.
        MissingDependency: psycopg is not installed.
    """
    rows = _postgres_rows(source) if POSTGRES.match(source) else _sqlite_rows(Path(source))
    return map(_item, rows)


def copy_items(
    store: LongTermStore,
    items: Iterable[StoredItem],
    *,
    fields: Sequence[str] | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Copied:
    """Copies items with their instants and expiry; the store's embedder embeds them.

    Copying again copies only what is new or was changed at the source since.

    Args:
        store: Where to.
        items: What to copy.
        fields: Paths of the texts to embed; the store's own if unset, none at all if empty.
        dry_run: Whether to count and write nothing.
        progress: Called after each piece with how many items were read so far.

    Returns:
        How many were copied, and what was left.

    Raises:
        StoreError: The store failed; what is written stays, and copying again goes on from there.
    """
    done, left, seen = Copied(), iter(items), 0
    while piece := list(islice(left, _PIECE)):
        rows = [row for item in piece if (row := _row(store, item, fields, done)) is not None]
        fresh = _fresh(store, rows, done)
        if fresh and not dry_run:
            run(store.items.write(fresh))
        done.copied += len(fresh)
        seen += len(piece)
        if progress is not None:
            progress(seen)
    return done


def _row(store: LongTermStore, item: StoredItem, fields: Sequence[str] | None, done: Copied) -> Row | None:
    """An item as it is to be written; `None`, and noted, where it is expired or none."""
    if item.expires_at is not None and item.expires_at <= store.items.now():
        done.expired += 1
        return None
    try:
        value = json_object(item.value)
    except InvalidRequest as error:
        done.bad.append((f"{'/'.join(item.namespace)} {item.key}", str(error)))
        return None
    return Row(
        address=Address(item.namespace, item.key),
        value=value,
        created_at=item.created_at.astimezone(UTC),
        updated_at=item.updated_at.astimezone(UTC),
        expires_at=_ends(item, store.items.now()),
        ttl=item.ttl,
        texts=passages(value, store.items.fields if fields is None else fields),
    )


def _ends(item: StoredItem, now: datetime) -> datetime | None:
    if item.expires_at is not None:
        return item.expires_at.astimezone(UTC)
    return None if item.ttl is None else now + item.ttl


def _fresh(store: LongTermStore, rows: Sequence[Row], done: Copied) -> list[Write]:
    there = run(store.items.read([row.address for row in rows]))
    pairs = list(zip(rows, there, strict=True))
    fresh = [Write.put(row, before=old) for row, old in pairs if old is None or row.updated_at > old.updated_at]
    done.present += len(pairs) - len(fresh)
    return fresh


def _sqlite_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.is_file():
        raise InvalidRequest(f"There is no file {path}; a source is an SQLite file or a postgresql:// address.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            for row in connection.execute(_READ):
                yield {**row, "value": _json(row["value"])}
    except sqlite3.Error as error:
        raise InvalidRequest(f"{path} is no store of LangGraph's: {error}.") from error


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text  # no object: it will be named


def _postgres_rows(dsn: str) -> Iterator[Mapping[str, Any]]:
    try:
        import psycopg
        from psycopg.rows import dict_row
    except ImportError as error:
        raise MissingDependency('Reading Postgres needs: pip install "langchain-mem[postgres]"') from error
    try:
        # a server-side cursor: a store may be larger than memory
        with psycopg.connect(dsn, row_factory=dict_row) as connection, connection.cursor("items") as cursor:
            yield from cursor.execute(_READ)
    except psycopg.Error as error:
        raise InvalidRequest(f"This Postgres holds no store of LangGraph's: {str(error).strip()}") from error


def _item(row: Mapping[str, Any]) -> StoredItem:
    minutes = row.get("ttl_minutes")
    return StoredItem(
        namespace=tuple(row["prefix"].split(".")),
        key=row["key"],
        value=row["value"],
        created_at=_instant(row["created_at"]),
        updated_at=_instant(row["updated_at"]),
        expires_at=_instant(row["expires_at"]) if row.get("expires_at") else None,
        ttl=timedelta(minutes=float(minutes)) if minutes else None,
    )


def _instant(given: datetime | str) -> datetime:
    """SQLite keeps text, and means UTC where it does not say."""
    moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
