"""What LangGraph's operations mean: each is checked, then done with a store's items.

All operations of a batch are checked before any is done: a batch that asks for something impossible writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import repeat, zip_longest
from typing import Any, Final

import numpy as np
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    NotProvided,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    get_text_at_path,
    tokenize_path,
)
from numpy.typing import NDArray

from langchain_mem._flow import gather
from langchain_mem.backends.base import WILDCARD, Address, Match, Namespace, NamespaceQuery, Query, Row, Write
from langchain_mem.backends.encrypted import EncryptedBackend
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.filters.language import parse_store
from langchain_mem.model.instants import to_instant
from langchain_mem.model.json_values import json_object
from langchain_mem.store.items import Items

_KINDS: Final = (GetOp, SearchOp, ListNamespacesOp, PutOp)
AT_ONCE: Final = 1000  # rows deleted in one write
_LONGEST: Final = 500_000_000  # minutes, some 950 years: what a `timedelta` from now surely holds


async def batch(items: Items, ops: Sequence[Op], now: datetime) -> list[Result]:
    """Does several operations: reads first, searches side by side under an event loop, then the writes at once.

    Args:
        items: What the store keeps.
        ops: The operations. Of several puts to one address the last one counts.
        now: The present.

    Returns:
        A result for each operation, in order.

    Raises:
        InvalidNamespaceError: A namespace is empty, or has a label that is empty or has a period or NUL.
        InvalidRequest: An operation asks for what cannot be.
        FilterError: A filter is wrong.
    """
    kinds = [_kind(op) for op in ops]
    gets = [(op, Address(_namespace(op.namespace), str(op.key))) for op in ops if isinstance(op, GetOp)]
    searches = [(op, _query(op, now)) for op in ops if isinstance(op, SearchOp)]
    listings = [_listing(op, now) for op in ops if isinstance(op, ListNamespacesOp)]
    puts = {Address(_namespace(op.namespace), str(op.key)): op for op in ops if isinstance(op, PutOp)}
    writes = [_write(items, op, now) for op in puts.values()]
    if writes and len(writes) == len(ops):
        await items.write(writes, now)
        return [None] * len(writes)
    results: dict[type, Iterator[Any]] = {
        GetOp: iter(await _get(items, gets, now)),
        SearchOp: iter(await _search(items, searches)),
        ListNamespacesOp: iter(await gather(*(_namespaces(items, query) for query in listings))),
        PutOp: repeat(None),
    }
    if writes:
        await items.write(writes, now)
    return [next(results[kind]) for kind in kinds]


async def put_until(
    items: Items, op: PutOp, ttl: float | NotProvided | None, expires_at: date | datetime | timedelta | str
) -> None:
    """Stores an item that is hidden from an instant on.

    Raises:
        InvalidNamespaceError: The namespace is empty, begins with `langgraph`, or a label is invalid.
        InvalidRequest: There is a `ttl` as well, or `expires_at` is no date.
    """
    if not isinstance(ttl, NotProvided) and ttl is not None:
        raise InvalidRequest("Give `ttl` or `expires_at`, not both.")
    now = items.now()
    row = replace(_row(items, op, now), expires_at=to_instant(expires_at, now=now).astimezone(UTC))
    if row.address.namespace[0] == "langgraph":  # as `BaseStore.put` has it; a batch may write there
        raise InvalidNamespaceError("The first label of a namespace is not 'langgraph': LangGraph keeps its own there.")
    await items.write([Write.put(row)], now)


async def count(items: Items, prefix: Sequence[str], filter: Mapping[str, Any] | None) -> int:  # noqa: A002 - LangGraph's
    """How many items are below a namespace and match a filter."""
    query = Query(now=items.now(), prefixes=(_namespace(prefix),), condition=parse_store(filter))
    return await items.count(query)


async def rotate_keys(items: Items) -> int:
    """Rewrites the items that are not encrypted with the key for new ones, and says how many.

    Raises:
        InvalidRequest: The store is not encrypted.
    """
    if not isinstance(items.backend, EncryptedBackend):
        raise InvalidRequest("This store is not encrypted; LongTermStore(…, encryption=Encryption(key=…)) is.")
    await items.ready()
    return await items.backend.rotate(items.now())


async def delete_namespace(items: Items, prefix: Sequence[str]) -> int:
    """Deletes every item below a namespace and says how many; what has expired goes too, uncounted.

    Raises:
        InvalidRequest: The prefix is empty.
    """
    now, namespace, deleted = items.now(), _namespace(prefix), 0
    if not namespace:
        raise InvalidRequest("Name at least one label: an empty prefix would delete the whole store.")
    query = Query(now=now, prefixes=(namespace,), limit=AT_ONCE)
    while found := await items.search(query):
        await items.write([Write.delete(match.row.address) for match in found], now)
        deleted += len(found)
    await items.purge(now)
    return deleted


async def _get(items: Items, gets: Sequence[tuple[GetOp, Address]], now: datetime) -> list[Item | None]:
    if not gets:
        return []
    found = await items.read([address for _, address in gets], now)
    await items.refresh([row for (op, _), row in zip(gets, found, strict=True) if row and op.refresh_ttl], now)
    return [None if row is None else Item(**_item(row)) for row in found]


async def _search(items: Items, searches: Sequence[tuple[SearchOp, Query | None]]) -> list[list[SearchItem]]:
    asked = list(dict.fromkeys(op.query for op, query in searches if query and op.query and op.query.strip()))
    vectors = dict(zip(asked, await gather(*(items.embed_query(text) for text in asked)), strict=True))
    return await gather(*(_search_one(items, op, query, vectors.get(op.query or "")) for op, query in searches))


async def _search_one(
    items: Items, op: SearchOp, query: Query | None, vector: NDArray[np.float32] | None
) -> list[SearchItem]:
    if query is None:
        return []
    found = await items.search(replace(query, vector=vector))
    if vector is not None and len(found) < op.limit:
        found = [*found, *await _without_vectors(items, query, vector, found)]
    if op.refresh_ttl:
        await items.refresh([match.row for match in found], query.now)
    return [SearchItem(**_item(match.row), score=match.score) for match in found]


async def _without_vectors(
    items: Items, query: Query, vector: NDArray[np.float32], found: Sequence[Match]
) -> list[Match]:
    """What fills a page that vectors left short: items without any, newest first and without a score.

    LangGraph's `InMemoryStore` does so. Items that were put with `index=False` stay accessible through a search.

    Args:
        items: What the store keeps.
        query: The page that is asked for.
        vector: What the searched text became.
        found: The last items of the page that have vectors.

    Returns:
        At most as many as the page has room for; none twice over the pages.
    """
    wanted = query.offset + (query.limit or 0)
    earlier = await items.search(replace(query, vector=vector, offset=0, limit=query.offset)) if query.offset else []
    ranked = {match.row.address for match in (*earlier, *found)}
    newest = await items.search(replace(query, offset=0, limit=wanted))
    others = [match for match in newest if match.row.address not in ranked]
    start = max(0, query.offset - len(ranked))
    return others[start : start + wanted - query.offset - len(found)]


async def _namespaces(items: Items, query: NamespaceQuery | None) -> list[Namespace]:
    return [] if query is None else await items.namespaces(query)


def _kind(op: Op) -> type:
    for kind in _KINDS:
        if isinstance(op, kind):
            return kind
    raise InvalidRequest(f"{shown(op)} is no operation; a batch holds {', '.join(kind.__name__ for kind in _KINDS)}.")


def _query(op: SearchOp, now: datetime) -> Query | None:
    """The rows that a search is for; `None` where it wants none."""
    prefix, condition = _namespace(op.namespace_prefix), parse_store(op.filter)
    if not _page(op.limit, op.offset):
        return None
    return Query(now=now, prefixes=(prefix,), condition=condition, limit=op.limit, offset=op.offset)


def _listing(op: ListNamespacesOp, now: datetime) -> NamespaceQuery | None:
    """The namespaces that are asked for; `None` where there can be none."""
    if op.max_depth is not None and op.max_depth < 1:
        raise InvalidRequest(f"`max_depth` is {op.max_depth}; it must be 1 or more.")
    conditions = op.match_conditions or ()
    prefix, suffix = _patterns(conditions, "prefix"), _patterns(conditions, "suffix")
    if not _page(op.limit, op.offset) or prefix is None or suffix is None:
        return None
    return NamespaceQuery(
        now=now, prefix=prefix, suffix=suffix, max_depth=op.max_depth, limit=op.limit, offset=op.offset
    )


def _patterns(conditions: Iterable[MatchCondition], match_type: str) -> Namespace | None:
    """One pattern that says as much as all conditions of a type together; `None` where they contradict each other."""
    step = 1 if match_type == "prefix" else -1
    paths = [_pattern(each)[::step] for each in conditions if each.match_type == match_type]
    columns = [set(labels) - {WILDCARD} for labels in zip_longest(*paths, fillvalue=WILDCARD)]
    if any(len(column) > 1 for column in columns):
        return None
    return tuple(column.pop() if column else WILDCARD for column in columns)[::step]


def _pattern(condition: MatchCondition) -> Namespace:
    """The labels of a condition; text is one label, as LangGraph's own tests have it."""
    return _namespace((condition.path,) if isinstance(condition.path, str) else condition.path)


def _write(items: Items, op: PutOp, now: datetime) -> Write:
    if op.value is None:
        return Write.delete(Address(_namespace(op.namespace), str(op.key)))
    return Write.put(_row(items, op, now))


def _row(items: Items, op: PutOp, now: datetime) -> Row:
    namespace, value = _namespace(op.namespace), json_object(op.value)
    if not namespace:
        raise InvalidNamespaceError("A namespace has at least one label; this one is empty.")
    if not (op.index is None or op.index is False or isinstance(op.index, list | tuple)):
        raise InvalidRequest(f"`index` is {shown(op.index)}; it must be a list of paths, False, or None.")
    ttl = _ttl(op.ttl)
    return Row(
        address=Address(namespace, str(op.key)),
        value=value,
        created_at=now,
        updated_at=now,
        expires_at=None if ttl is None else now + ttl,
        ttl=ttl,
        texts=() if op.index is False else passages(value, items.fields if op.index is None else op.index),
    )


def passages(value: Mapping[str, Any], paths: Sequence[str]) -> tuple[str, ...]:
    """The texts of a value at some paths, as LangGraph reads paths."""
    found = (get_text_at_path(value, path if path == "$" else tokenize_path(path)) for path in paths)
    return tuple(text for texts in found for text in texts)


def _ttl(minutes: float | None) -> timedelta | None:
    if minutes is None:
        return None
    if not 0 < minutes <= _LONGEST:
        raise InvalidRequest(f"`ttl` is {minutes}; it must be minutes above 0, at most {_LONGEST}, or None for ever.")
    return timedelta(minutes=minutes)


def _page(limit: int | None, offset: int) -> bool:
    """Whether a page can hold anything."""
    if offset < 0 or (limit is not None and limit < 0):
        raise InvalidRequest(f"`limit` is {limit} and `offset` is {offset}; neither may be below 0.")
    return limit != 0


def _namespace(labels: Sequence[str]) -> Namespace:
    """The labels as a tuple, checked as `BaseStore` checks them: a batch may come past its methods."""
    if isinstance(labels, str):
        raise InvalidNamespaceError(f"A namespace is a tuple of labels, such as ({shown(labels)},), not text.")
    for label in labels:
        if not isinstance(label, str) or not label or "." in label or "\x00" in label:
            raise InvalidNamespaceError(f"{shown(label)} is no label: text, not empty, without '.' and NUL.")
    return tuple(labels)


def _item(row: Row) -> dict[str, Any]:
    namespace, key = row.address
    return {
        "value": row.value,
        "key": key,
        "namespace": namespace,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
