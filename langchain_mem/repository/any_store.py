"""Memories over any LangGraph store that is not ours.

What a store may answer in its own way is finished here: scopes are listed and filtered in the package, touches lie in
items of their own, and conditional writes are checked under a lock of this process.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchItem,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from numpy.typing import NDArray
from typing_extensions import override

from langchain_mem._flow import Body, call, gather
from langchain_mem.backends.base import ANY, Address, NamespaceQuery, Row, Vectors, Write, in_scope, no_vectors
from langchain_mem.decay.policy import with_touch
from langchain_mem.errors import Conflict, InvalidRequest, MemError, StoreError, shown, unquoted
from langchain_mem.filters.conditions import Condition, Path, matches
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.scopes import ROOTS, TOUCHES, Namespace, reroot
from langchain_mem.ranking.candidates import Question
from langchain_mem.ranking.scale import SENTENCES, Scale
from langchain_mem.ranking.situations import Situations, table
from langchain_mem.repository.contract import Repository
from langchain_mem.store.items import Scan
from langchain_mem.store.vectorizer import measured_situations, stated_scale, stated_situations

R = TypeVar("R")

_PAGE: Final = 1_000
_REVISION: Final = "_revision"
_GONE: Final = "_gone_at"
_CONTENT: Final = "_content"
_UPDATED: Final = "_updated_at"
_OWN_KEYS: Final = (_REVISION, _GONE, _CONTENT, _UPDATED)


class AnyStore(Repository):
    """The `Repository` on any `BaseStore`: what the store may answer in its own way is finished here.

    Writes are checked and made under a lock of this process; another process may write in between, which no
    `BaseStore` can prevent. The guarantees page says what follows from that.
    """

    looks_up = False

    def __init__(self, store: BaseStore) -> None:
        self.store = store
        self._embeddings: Embeddings | None = getattr(store, "embeddings", None)
        self._scale: Scale | None = None
        self._situations: Situations | None = None
        self._gone: dict[Address, None] = {}
        self._writing = threading.Lock()
        self._writing_on: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    @override
    async def load(self, prefixes: Sequence[Namespace], now: datetime) -> Scan:
        items = await gather(*(self._list(prefix, now) for prefix in prefixes))
        touches = await gather(*(self._list(reroot(prefix, TOUCHES), now) for prefix in prefixes))
        used = {(item.namespace[1:], item.key): item.value["touches"] for found in touches for item in found}
        rows = [_row(item, used.get((item.namespace[1:], item.key), ())) for found in items for item in found]
        return Scan(sorted(rows, key=lambda row: row.address))

    @override
    async def addresses(self, prefixes: Sequence[Namespace], now: datetime) -> list[Address]:
        found = await gather(*(self._each(prefix, now, _address) for prefix in prefixes))
        return sorted({address for addresses in found for address in addresses})

    @override
    async def nearest(
        self,
        prefixes: Sequence[Namespace],
        condition: Condition,
        query: str,
        words: Sequence[str],
        now: datetime,
        *,
        grouped: bool = False,
    ) -> Scan:
        return Scan([row for row in (await self.load(prefixes, now)).rows if matches(condition, row.value)])

    @override
    async def having(
        self, namespaces: Sequence[Namespace], path: Path, values: Sequence[str], now: datetime
    ) -> list[Row] | None:
        return None

    @override
    async def select(
        self,
        prefixes: Sequence[Namespace],
        condition: Condition,
        now: datetime,
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[Row], int]:
        found = (await self.nearest(prefixes, condition, "", (), now)).rows
        newest = sorted(found, key=lambda row: row.updated_at, reverse=True)
        return newest[offset : None if limit is None else offset + limit], len(newest)

    @override
    async def read(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        places = [*addresses, *(Address(reroot(a.namespace, TOUCHES), a.key) for a in addresses)]
        found = await self._batch([GetOp(place.namespace, place.key, refresh_ttl=False) for place in places])
        items, touches = found[: len(addresses)], found[len(addresses) :]
        return [
            None if item is None or _gone(item.value, now) else _row(item, used.value["touches"] if used else ())
            for item, used in zip(items, touches, strict=True)
        ]

    @override
    async def find(self, keys: Iterable[str], prefixes: Sequence[Namespace], now: datetime) -> dict[str, Row]:
        wanted = set(keys)
        if not wanted:
            return {}
        return {row.address.key: row for row in (await self.load(prefixes, now)).rows if row.address.key in wanted}

    @override
    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        await self._guarded(call(self._write, self._awrite, batch))

    def _write(self, batch: Sequence[Write]) -> None:
        with self._writing:
            self._check(batch, self.store.batch(_gets(batch)))
            self.store.batch(self._puts(batch))

    async def _awrite(self, batch: Sequence[Write]) -> None:
        async with self._writing_on.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            self._check(batch, await self.store.abatch(_gets(batch)))
            await self.store.abatch(self._puts(batch))

    def _check(self, batch: Sequence[Write], found: Sequence[Any]) -> None:
        conditional = [write for write in batch if write.expects is not ANY]
        for write, item in zip(conditional, found, strict=True):
            if (item and _revision(item)) != write.expects:
                raise Conflict(f"{shown(write.address.key)} has changed since it was read.")

    def _puts(self, batch: Sequence[Write]) -> list[Op]:
        puts: list[Op] = []
        for write in batch:
            puts.append(_put_op(write))
            if write.row is None or write.row.touches:
                puts.append(_touch_op(write.address, None if write.row is None else write.row.touches))
        return _told_apart(puts) if isinstance(self.store, InMemoryStore) else puts

    @override
    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        ops: list[Op] = [
            GetOp(reroot(address.namespace, TOUCHES), address.key, refresh_ttl=False) for address in touches
        ]
        items = await self._batch(ops)
        puts = [
            _touch_op(address, _merged(item.value["touches"] if item else (), instants, keep))
            for (address, instants), item in zip(touches.items(), items, strict=True)
        ]
        await self._batch(puts)

    @override
    async def cosines(self, rows: Sequence[Row], query: str) -> list[float | None] | None:
        if self._embeddings is None or not rows:
            return None
        namespaces = sorted({row.address.namespace for row in rows})
        prefixes = sorted({namespace[:3] for namespace in namespaces})
        limit = len(rows) + _PAGE
        ops: list[Op] = [SearchOp(prefix, limit=limit, query=query, refresh_ttl=False) for prefix in prefixes]
        found = await self._batch(ops)
        scores = {(item.namespace, item.key): item.score for items in found for item in items}
        return [scores.get((row.address.namespace, row.address.key)) for row in rows]

    @override
    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        if self._embeddings is None or not texts:
            return None if self._embeddings is None else no_vectors()
        found = await call(self._embeddings.embed_documents, self._embeddings.aembed_documents, list(texts))
        return np.stack([_unit(vector) for vector in found])

    @override
    async def embed_query(self, text: str) -> NDArray[np.float32] | None:
        if self._embeddings is None:
            return None
        return _unit(await call(self._embeddings.embed_query, self._embeddings.aembed_query, text))

    @override
    async def question(self, text: str, lasting: float = 0.0) -> Question:
        asked = Question(text, await self.embed_query(text), await self.scale())
        situations = await self._everyday() if lasting else None
        return asked if situations is None else asked.wanting(situations, lasting)

    @override
    async def scale(self) -> Scale | None:
        if self._embeddings is None:
            return None
        if self._scale is None:
            self._scale = stated_scale(self._embeddings)
        if self._scale is None:
            vectors = await self.embed(SENTENCES)
            self._scale = None if vectors is None else Scale.of(vectors)
        return self._scale

    async def _everyday(self) -> Situations | None:
        """What the embedder makes of everyday situations, measured where it does not say; `None` without one."""
        scale = await self.scale()
        if self._embeddings is None or scale is None:
            return None
        if self._situations is None:
            self._situations = stated_situations(self._embeddings)
        if self._situations is None:
            vectors = await self.embed(table().sentences)
            if vectors is not None:
                self._situations = await measured_situations(vectors, scale, self.embed_query)
        return self._situations

    @override
    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        found: list[Namespace] = []
        while True:
            op = ListNamespacesOp((MatchCondition("prefix", query.prefix),), None, _PAGE, len(found))
            (page,) = await self._batch([op])
            found += page
            if len(page) < _PAGE:
                return found

    @override
    async def purge(self, now: datetime, *, limit: int | None = None) -> int:
        """Removes what may go: all of it, or with a limit some of what reads came across."""
        if limit is None:
            for root in await self._roots():
                await self._list((root,), now)
        gone = list(self._gone)[:limit]
        await self._batch([op for address in gone for op in _removal(address)])
        for address in gone:
            self._gone.pop(address, None)
        return len(gone)

    @override
    async def compact(self) -> None:
        """Has nothing to do: a `BaseStore` says nothing of files."""

    async def _roots(self) -> list[str]:
        op = ListNamespacesOp(None, 1, _PAGE, 0)
        (found,) = await self._batch([op])
        return sorted({namespace[0] for namespace in found} & set(ROOTS))

    async def _list(self, prefix: Namespace, now: datetime) -> list[SearchItem]:
        return await self._each(prefix, now, lambda item: item)

    async def _each(self, prefix: Namespace, now: datetime, kept: Callable[[SearchItem], R]) -> list[R]:
        """What is kept of each item of a scope; the items themselves are held a page at a time."""
        found: list[R] = []
        for offset in itertools.count(step=_PAGE):
            op = SearchOp(prefix, limit=_PAGE, offset=offset, refresh_ttl=False)
            (page,) = await self._batch([op])
            # a store may take `_` in a label for a pattern, and none knows when a memory is to be gone
            here = [item for item in page if in_scope(item.namespace, (prefix,))]
            self._gone |= {_address(item): None for item in here if _gone(item.value, now)}
            found += [kept(item) for item in here if not _gone(item.value, now)]
            if len(page) < _PAGE:
                break
        return found

    async def _batch(self, ops: Sequence[Op]) -> list[Any]:
        return await self._guarded(call(self.store.batch, self.store.abatch, ops))

    async def _guarded(self, doing: Body[R]) -> R:
        """What a store does, with its errors as ours: every store has a tree of its own."""
        try:
            return await doing
        except MemError:
            raise
        except Exception as error:
            raise StoreError(f"{type(self.store).__name__} failed: {unquoted(error)}") from error


def _unit(vector: Sequence[float]) -> NDArray[np.float32]:
    array = np.asarray(vector, dtype=np.float32)
    length = float(np.linalg.norm(array))
    return array / length if length else array


def _row(item: Any, touches: Iterable[str]) -> Row:
    value = {key: each for key, each in item.value.items() if key not in _OWN_KEYS}
    return Row(
        address=Address(tuple(item.namespace), item.key),
        value=copy.deepcopy(value),
        created_at=item.created_at,
        updated_at=_updated_at(item),
        revision=_revision(item),
        touches=tuple(parse_iso(touch) for touch in touches),
    )


def _revision(item: Any) -> str:
    """What was noted at the last write; empty where others wrote the item."""
    revision: str = item.value.get(_REVISION, "")
    return revision


def _updated_at(item: Any) -> datetime:
    """When it was written by our clock, which tells the memories of one `add` apart; the store has its own clock."""
    noted = item.value.get(_UPDATED) or item.value.get("updated_at")
    with suppress(InvalidRequest, TypeError, AttributeError):  # what others wrote need not be a time
        return parse_iso(noted)
    written: datetime = item.updated_at
    return written


def _address(item: SearchItem) -> Address:
    return Address(tuple(item.namespace), item.key)


def _gone(value: Mapping[str, Any], now: datetime) -> bool:
    gone_at = value.get(_GONE)
    return gone_at is not None and gone_at <= iso(now)


def _gets(batch: Sequence[Write]) -> list[Op]:
    conditional = [write.address for write in batch if write.expects is not ANY]
    return [GetOp(address.namespace, address.key, refresh_ttl=False) for address in conditional]


def _put_op(write: Write) -> PutOp:
    namespace, key = write.address
    row = write.row
    if row is None:
        return PutOp(namespace, key, None)
    value = {**copy.deepcopy(row.value), _REVISION: row.revision, _UPDATED: iso(row.updated_at)}
    if row.expires_at is not None:
        value[_GONE] = iso(row.expires_at)
    if not row.texts:
        return PutOp(namespace, key, value, index=False)
    content = "\n".join(
        (*row.texts, *row.phrases)
    )  # such a store has one vector for one text, which is all it is given
    return PutOp(namespace, key, {**value, _CONTENT: content}, index=[_CONTENT])


def _told_apart(puts: Sequence[Op]) -> list[Op]:
    """The same writes, where no two of them have one text to embed.

    LangGraph's `InMemoryStore` refuses a batch that says one text twice: it embeds the text once, and then looks for a
    vector for each item. Space at the end of a text says nothing.
    """
    said: set[str] = set()
    apart: list[Op] = []
    for put in puts:
        if isinstance(put, PutOp) and put.value is not None and _CONTENT in put.value:
            text = put.value[_CONTENT]
            while text in said:
                text += "\n"
            said.add(text)
            put = put._replace(value={**put.value, _CONTENT: text})
        apart.append(put)
    return apart


def _removal(address: Address) -> tuple[Op, Op]:
    return _put_op(Write.delete(address)), _touch_op(address, None)


def _touch_op(address: Address, touches: Iterable[datetime] | None) -> PutOp:
    value = None if touches is None else {"touches": [iso(touch) for touch in touches]}
    return PutOp(reroot(address.namespace, TOUCHES), address.key, value, index=False)


def _merged(recorded: Iterable[str], instants: Iterable[datetime], keep: int) -> tuple[datetime, ...]:
    touches = tuple(parse_iso(touch) for touch in recorded)
    for instant in instants:
        touches = with_touch(touches, instant, keep)
    return touches
