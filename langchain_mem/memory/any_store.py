"""Memories over any LangGraph store that is not ours.

What a store may answer in its own way is finished here: scopes are listed and filtered in the package, touches lie in
items of their own, and conditional writes are checked under a lock of this process.
"""

from __future__ import annotations

import asyncio
import copy
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar, cast
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
from numpy.typing import NDArray
from typing_extensions import override

from langchain_mem._flow import Body, call, gather
from langchain_mem.backends.base import ANY, Address, in_scope
from langchain_mem.decay.policy import with_touch
from langchain_mem.errors import Conflict, MemError, StoreError
from langchain_mem.filters.conditions import Condition, matches
from langchain_mem.memory.repository import Kept, Repository, Save, View
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import StoredMemory
from langchain_mem.model.scopes import ROOTS, TOUCHES, Namespace, reroot

R = TypeVar("R")

_PAGE: Final = 1_000
_REVISION: Final = "_revision"
_GONE: Final = "_gone_at"
_CONTENT: Final = "_content"
_OWN_KEYS: Final = (_REVISION, _GONE, _CONTENT)


class ForeignRepository(Repository):
    """On any `BaseStore`: what the store may answer in its own way is finished here.

    Writes are checked and made under a lock of this process; another process may write in between, which no
    `BaseStore` can prevent. The guarantees page says what follows from that.
    """

    def __init__(self, store: BaseStore) -> None:
        self.store = store
        self._embeddings: Embeddings | None = getattr(store, "embeddings", None)
        self._gone: dict[Address, None] = {}
        self._writing = threading.Lock()
        self._writing_on: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    @override
    async def load(self, prefixes: Sequence[Namespace], now: datetime) -> View:
        items = await gather(*(self._list(prefix, now) for prefix in prefixes))
        touches = await gather(*(self._list(reroot(prefix, TOUCHES), now) for prefix in prefixes))
        used = {(item.namespace[1:], item.key): item.value["touches"] for found in touches for item in found}
        kept = [_foreign(item, used.get((item.namespace[1:], item.key), ())) for found in items for item in found]
        return View(tuple(sorted(kept, key=lambda one: one.address)))

    @override
    async def nearest(
        self, prefixes: Sequence[Namespace], condition: Condition, query: str, words: Sequence[str], now: datetime
    ) -> View:
        view = await self.load(prefixes, now)
        return View(tuple(one for one in view.kept if matches(condition, one.memory)))

    @override
    async def select(
        self, prefixes: Sequence[Namespace], condition: Condition, now: datetime, *, limit: int | None, offset: int
    ) -> tuple[list[Kept], int]:
        found = (await self.nearest(prefixes, condition, "", (), now)).kept
        newest = sorted(found, key=lambda one: one.memory.get("updated_at", ""), reverse=True)
        return newest[offset : None if limit is None else offset + limit], len(newest)

    @override
    async def fetch(self, addresses: Sequence[Address], now: datetime) -> list[Kept | None]:
        places = [*addresses, *(Address(reroot(a.namespace, TOUCHES), a.key) for a in addresses)]
        found = await self._batch([GetOp(place.namespace, place.key, refresh_ttl=False) for place in places])
        items, touches = found[: len(addresses)], found[len(addresses) :]
        return [
            None if item is None or _gone(item.value, now) else _foreign(item, used.value["touches"] if used else ())
            for item, used in zip(items, touches, strict=True)
        ]

    @override
    async def find(self, keys: Iterable[str], prefixes: Sequence[Namespace], now: datetime) -> dict[str, Kept]:
        wanted = set(keys)
        if not wanted:
            return {}
        view = await self.load(prefixes, now)
        return {kept.address.key: kept for kept in view.kept if kept.address.key in wanted}

    @override
    async def save(self, batch: Sequence[Save], now: datetime) -> None:
        await self._guarded(call(self._save, self._asave, batch, now))

    def _save(self, batch: Sequence[Save], now: datetime) -> None:
        with self._writing:
            self._check(batch, self.store.batch(_gets(batch)))
            self.store.batch(self._puts(batch))

    async def _asave(self, batch: Sequence[Save], now: datetime) -> None:
        async with self._writing_on.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            self._check(batch, await self.store.abatch(_gets(batch)))
            await self.store.abatch(self._puts(batch))

    def _check(self, batch: Sequence[Save], found: Sequence[Any]) -> None:
        conditional = [save for save in batch if save.expects is not ANY]
        for save, item in zip(conditional, found, strict=True):
            if (item and item.value.get(_REVISION)) != save.expects:
                raise Conflict(f"{save.address.key} has changed since it was read.")

    def _puts(self, batch: Sequence[Save]) -> list[Op]:
        puts: list[Op] = []
        for save in batch:
            puts.append(_put_op(save))
            if save.value is None or save.touches:
                puts.append(_touch_op(save.address, None if save.value is None else save.touches))
        return puts

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
    async def cosines(self, view: View, query: str, now: datetime) -> list[float | None] | None:
        if self._embeddings is None or not view.kept:
            return None
        namespaces = sorted({kept.address.namespace for kept in view.kept})
        prefixes = sorted({namespace[:3] for namespace in namespaces})
        limit = len(view.kept) + _PAGE
        ops: list[Op] = [SearchOp(prefix, limit=limit, query=query, refresh_ttl=False) for prefix in prefixes]
        found = await self._batch(ops)
        scores = {(item.namespace, item.key): item.score for items in found for item in items}
        return [scores.get((kept.address.namespace, kept.address.key)) for kept in view.kept]

    @override
    async def embed(self, texts: Sequence[str]) -> list[NDArray[np.float32]] | None:
        if self._embeddings is None or not texts:
            return None if self._embeddings is None else []
        found = await call(self._embeddings.embed_documents, self._embeddings.aembed_documents, list(texts))
        return [_unit(vector) for vector in found]

    @override
    async def namespaces(self, pattern: Namespace, now: datetime) -> list[Namespace]:
        found: list[Namespace] = []
        while True:
            op = ListNamespacesOp((MatchCondition("prefix", pattern),), None, _PAGE, len(found))
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

    async def _roots(self) -> list[str]:
        op = ListNamespacesOp(None, 1, _PAGE, 0)
        (found,) = await self._batch([op])
        return sorted({namespace[0] for namespace in found} & set(ROOTS))

    async def _list(self, prefix: Namespace, now: datetime) -> list[SearchItem]:
        found: list[SearchItem] = []
        while True:
            op = SearchOp(prefix, limit=_PAGE, offset=len(found), refresh_ttl=False)
            (page,) = await self._batch([op])
            found += page
            if len(page) < _PAGE:
                break
        # a store may take `_` in a label for a pattern, and none knows when a memory is to be gone
        here = [item for item in found if in_scope(item.namespace, (prefix,))]
        self._gone |= {Address(tuple(item.namespace), item.key): None for item in here if _gone(item.value, now)}
        return [item for item in here if not _gone(item.value, now)]

    async def _batch(self, ops: Sequence[Op]) -> list[Any]:
        return await self._guarded(call(self.store.batch, self.store.abatch, ops))

    async def _guarded(self, doing: Body[R]) -> R:
        """What a store does, with its errors as ours: every store has a tree of its own."""
        try:
            return await doing
        except MemError:
            raise
        except Exception as error:
            raise StoreError(f"{type(self.store).__name__} failed: {error}") from error


def _unit(vector: Sequence[float]) -> NDArray[np.float32]:
    array = np.asarray(vector, dtype=np.float32)
    length = float(np.linalg.norm(array))
    return array / length if length else array


def _foreign(item: Any, touches: Iterable[str]) -> Kept:
    value = {key: each for key, each in item.value.items() if key not in _OWN_KEYS}
    return Kept(
        cast(StoredMemory, copy.deepcopy(value)),
        Address(tuple(item.namespace), item.key),
        item.value.get(_REVISION),
        None,
        tuple(parse_iso(touch) for touch in touches),
    )


def _gone(value: Mapping[str, Any], now: datetime) -> bool:
    gone_at = value.get(_GONE)
    return gone_at is not None and gone_at <= iso(now)


def _gets(batch: Sequence[Save]) -> list[Op]:
    return [
        GetOp(save.address.namespace, save.address.key, refresh_ttl=False) for save in batch if save.expects is not ANY
    ]


def _put_op(save: Save) -> PutOp:
    if save.value is None:
        return PutOp(save.address.namespace, save.address.key, None)
    value = {**copy.deepcopy(dict(save.value)), _REVISION: uuid.uuid4().hex}
    if save.expires_at is not None:
        value[_GONE] = iso(save.expires_at)
    if save.text is None:
        return PutOp(save.address.namespace, save.address.key, value, index=False)
    return PutOp(save.address.namespace, save.address.key, {**value, _CONTENT: save.text}, index=[_CONTENT])


def _removal(address: Address) -> tuple[Op, Op]:
    return _put_op(Save(address=address, value=None)), _touch_op(address, None)


def _touch_op(address: Address, touches: Iterable[datetime] | None) -> PutOp:
    value = None if touches is None else {"touches": [iso(touch) for touch in touches]}
    return PutOp(reroot(address.namespace, TOUCHES), address.key, value, index=False)


def _merged(recorded: Iterable[str], instants: Iterable[datetime], keep: int) -> tuple[datetime, ...]:
    touches = tuple(parse_iso(touch) for touch in recorded)
    for instant in instants:
        touches = with_touch(touches, instant, keep)
    return touches
