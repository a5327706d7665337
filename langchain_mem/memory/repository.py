"""Where memories lie, over any LangGraph store.

`Repository` is what the operations above need of a store, as bodies (see `_flow`). `OwnRepository` puts it on a
`LongTermStore`: whole scopes with their vectors in one read, atomic conditional writes, touches apart from writes.
`langchain_mem.memory.any_store` puts it on any other `BaseStore`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import numpy as np
from langgraph.store.base import BaseStore
from numpy.typing import NDArray
from typing_extensions import override

from langchain_mem._flow import gather
from langchain_mem.backends.base import (
    ANY,
    Address,
    NamespaceQuery,
    Query,
    Row,
    Unconditional,
)
from langchain_mem.filters.conditions import Condition
from langchain_mem.model.instants import parse_iso
from langchain_mem.model.records import StoredMemory
from langchain_mem.model.scopes import Namespace
from langchain_mem.store.items import Delete, Put, Rows
from langchain_mem.store.long_term import LongTermStore

EXACT_LIMIT: Final = 10_000
"""Up to so many rows a scope is ranked whole; above, the store proposes candidates."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A memory as it was read.

    Attributes:
        memory: Its stored value.
        address: Where it lies.
        revision: What `Save.expects` takes, so that a change made meanwhile is noticed.
        vector: Shape (dims,), unit length; `None` where it has none or the store does not hand it over.
        touches: When it was used, oldest first.
    """

    memory: StoredMemory
    address: Address
    revision: str | None = None
    vector: NDArray[np.float32] | None = None
    touches: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What lies in a scope.

    Attributes:
        kept: In order of address. All of the scope where `complete`, else candidates for one query.
        stamp: Equal stamps of the same prefixes mean equal views, touches apart; `None` where that is not known.
        complete: Whether nothing was left out.
    """

    kept: tuple[Kept, ...]
    stamp: Hashable | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Save:
    """One value to put at an address, or with `value=None` to remove.

    Attributes:
        address: Where.
        value: JSON.
        text: What to embed and find words in; `None` for a value that is no memory.
        vector: The text's embedding where it is known already.
        touches: Uses to begin with, such as the creation.
        expires_at: When the value may be removed for good.
        expects: The revision read, `None` for "nothing was there", or `ANY`.
    """

    address: Address
    value: Mapping[str, Any] | None
    text: str | None = None
    vector: NDArray[np.float32] | None = None
    touches: Sequence[datetime] = ()
    expires_at: datetime | None = None
    expects: str | Unconditional | None = ANY


class Repository(ABC):
    """What the operations need of a store. Every `async def` is a body."""

    store: BaseStore

    @abstractmethod
    async def load(self, prefixes: Sequence[Namespace], now: datetime) -> View | None:
        """All that lies in a scope; `None` where that is too much to rank whole."""

    @abstractmethod
    async def nearest(
        self, prefixes: Sequence[Namespace], condition: Condition, query: str, words: Sequence[str], now: datetime
    ) -> View:
        """Candidates for a query from a scope too large to load: by meaning and by words, filtered."""

    @abstractmethod
    async def select(
        self, prefixes: Sequence[Namespace], condition: Condition, now: datetime, *, limit: int | None, offset: int
    ) -> tuple[list[Kept], int]:
        """A page of what fulfills a condition, newest update first, and how many there are in all."""

    @abstractmethod
    async def fetch(self, addresses: Sequence[Address], now: datetime) -> list[Kept | None]:
        """What lies at these addresses."""

    @abstractmethod
    async def find(self, keys: Iterable[str], prefixes: Sequence[Namespace], now: datetime) -> dict[str, Kept]:
        """What has these keys anywhere in a scope, by key."""

    @abstractmethod
    async def save(self, batch: Sequence[Save], now: datetime) -> None:
        """Writes all of it or nothing.

        Raises:
            Conflict: What a write expects is not what is there.
        """

    @abstractmethod
    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Adds uses to memories; absent ones are skipped."""

    @abstractmethod
    async def cosines(self, view: View, query: str, now: datetime) -> list[float | None] | None:
        """How near each memory of a view is to a query; `None` without an embedder. Embeds the query once."""

    @abstractmethod
    async def embed(self, texts: Sequence[str]) -> list[NDArray[np.float32]] | None:
        """The unit-length embeddings of texts in one batch; `None` without an embedder."""

    @abstractmethod
    async def namespaces(self, pattern: Namespace, now: datetime) -> list[Namespace]:
        """Namespaces that start with a pattern, in which `*` is any label."""

    @abstractmethod
    async def purge(self, now: datetime, *, limit: int | None = None) -> int:
        """Removes what may be removed for good by now, at most `limit` values of it, and says how many."""

    async def compact(self) -> None:  # noqa: B027 - a store without files of its own has nothing to do
        """Rewrites what the store's files still hold of what was removed."""

    async def places(self, patterns: Sequence[Namespace], now: datetime) -> tuple[Namespace, ...]:
        """Patterns with their wildcards worked out."""
        found = await gather(*(self._expand(pattern, now) for pattern in patterns))
        return tuple(dict.fromkeys(prefix for prefixes in found for prefix in prefixes))

    async def _expand(self, pattern: Namespace, now: datetime) -> list[Namespace]:
        if "*" not in pattern:
            return [pattern]
        found = [namespace[: len(pattern)] for namespace in await self.namespaces(pattern, now)]
        return [labels for labels in found if _fits(labels, pattern)]  # a store may read `*` as any number of labels


def _fits(labels: Namespace, pattern: Namespace) -> bool:
    return all(wanted in ("*", label) for label, wanted in zip(labels, pattern, strict=False))


class OwnRepository(Repository):
    """On a `LongTermStore`: everything is pushed down."""

    CANDIDATES: Final = 300

    def __init__(self, store: LongTermStore) -> None:
        self.store = store
        self._rows: Rows = store.rows
        self._asked: tuple[str, NDArray[np.float32] | None] = ("", None)

    @override
    async def load(self, prefixes: Sequence[Namespace], now: datetime) -> View | None:
        scan = await self._rows.scan(tuple(prefixes), now=now, limit=EXACT_LIMIT)
        return None if scan is None else View(tuple(map(_kept, scan.rows)), scan.stamp)

    @override
    async def nearest(
        self, prefixes: Sequence[Namespace], condition: Condition, query: str, words: Sequence[str], now: datetime
    ) -> View:
        ask = Query(now=now, prefixes=tuple(prefixes), condition=condition, limit=self.CANDIDATES)
        vector = await self._vector(query)
        near = [] if vector is None else await self._rows.search(_with_vector(ask, vector))
        worded = await self._rows.lexical(ask, words) or []
        rows = {match.row.address: match.row for match in [*near, *worded]}
        return View(tuple(_kept(rows[address]) for address in sorted(rows)), complete=False)

    async def _vector(self, query: str) -> NDArray[np.float32] | None:
        """The embedding of a query; the last one is kept, for an operation may need it for two steps."""
        text, vector = self._asked
        if text != query or vector is None:
            vector = await self._rows.embed_query(query)
            self._asked = (query, vector)
        return vector

    @override
    async def select(
        self, prefixes: Sequence[Namespace], condition: Condition, now: datetime, *, limit: int | None, offset: int
    ) -> tuple[list[Kept], int]:
        query = Query(now=now, prefixes=tuple(prefixes), condition=condition, limit=limit, offset=offset)
        found = await self._rows.search(query)
        if limit is None and not offset:
            return [_kept(match.row) for match in found], len(found)
        return [_kept(match.row) for match in found], await self._rows.count(query)

    @override
    async def fetch(self, addresses: Sequence[Address], now: datetime) -> list[Kept | None]:
        rows = await self._rows.read(addresses, now=now)
        return [None if row is None else _kept(row) for row in rows]

    @override
    async def find(self, keys: Iterable[str], prefixes: Sequence[Namespace], now: datetime) -> dict[str, Kept]:
        wanted = frozenset(keys)
        if not wanted:
            return {}
        found = await self._rows.search(Query(now=now, prefixes=tuple(prefixes), keys=wanted))
        return {match.row.address.key: _kept(match.row) for match in found}

    @override
    async def save(self, batch: Sequence[Save], now: datetime) -> None:
        await self._rows.write([_change(save) for save in batch], now=now)

    @override
    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        await self._rows.touch(touches, keep=keep)

    @override
    async def cosines(self, view: View, query: str, now: datetime) -> list[float | None] | None:
        vector = await self._vector(query)
        if vector is None:
            return None
        return _dot([kept.vector for kept in view.kept], vector)

    @override
    async def embed(self, texts: Sequence[str]) -> list[NDArray[np.float32]] | None:
        vectors = await self._rows.embed(texts)
        return None if vectors is None else list(vectors)

    @override
    async def namespaces(self, pattern: Namespace, now: datetime) -> list[Namespace]:
        return await self._rows.namespaces(NamespaceQuery(now=now, prefix=pattern))

    @override
    async def purge(self, now: datetime, *, limit: int | None = None) -> int:
        return await self._rows.purge(now, limit=limit)

    @override
    async def compact(self) -> None:
        await self._rows.compact()


def _kept(row: Row) -> Kept:
    vector = row.vectors[0] if len(row.vectors) else None
    return Kept(cast(StoredMemory, row.value), row.address, row.revision, vector, row.touches)


def _change(save: Save) -> Put | Delete:
    if save.value is None:
        return Delete(address=save.address, expects=save.expects)
    return Put(
        address=save.address,
        value=dict(save.value),
        texts=None if save.text is None else [save.text],
        vectors=None if save.vector is None else save.vector[None, :],
        updated_at=parse_iso(save.value["updated_at"]) if "updated_at" in save.value else None,
        expires_at=save.expires_at,
        expects=save.expects,
        touches=tuple(save.touches),
    )


def _with_vector(query: Query, vector: NDArray[np.float32]) -> Query:
    return Query(now=query.now, prefixes=query.prefixes, condition=query.condition, vector=vector, limit=query.limit)


def _dot(vectors: Sequence[NDArray[np.float32] | None], query: NDArray[np.float32]) -> list[float | None]:
    present = [vector for vector in vectors if vector is not None]
    if not present:
        return [None] * len(vectors)
    products = iter((np.stack(present) @ query).tolist())
    return [None if vector is None else next(products) for vector in vectors]
