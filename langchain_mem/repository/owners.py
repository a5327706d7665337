"""The owners whose memories are held as living indexes: those asked for last, within a budget in bytes."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final
from weakref import WeakKeyDictionary, ref

from langchain_mem._flow import Body, gather, run
from langchain_mem.backends.base import NamespaceQuery
from langchain_mem.background.work import Background
from langchain_mem.errors import StoreError
from langchain_mem.filters.conditions import ALWAYS, Condition
from langchain_mem.model.scopes import MEMORIES, TURNS, Namespace
from langchain_mem.repository.living import Living
from langchain_mem.store.items import Items
from langchain_mem.watching.telemetry import lookups

CACHE_BYTES: Final = 512 * 1024**2
"""How much the indexes of a store take at most, where nobody says otherwise."""

LIVE: Final = frozenset({"live"})
"""The states of memories that are ranked."""

MOST_AT_ONCE: Final = 8
"""Owners that one search may name to be answered by their indexes."""

EVERYONE: Final = 64
"""Owners that a store may have for a search among everyone, such as an administrator's, to be answered so."""

_LOG: Final = logging.getLogger("langchain_mem")
_DEPTH: Final = 3  # labels that say whose a memory is: the root, the kind of owner and its id
_EACH: Final = 2_000  # bytes a memory takes beside its vector, at least about so many
_AGAIN: Final = 64  # times that an owner who was too large is passed over before it is counted again

Key = tuple[Namespace, frozenset[str]]


class Owners:
    """The living indexes of one store.

    Args:
        items: The store's items.
        cache_bytes: How much the indexes may take together. An owner who needs more alone is left to the database.
    """

    def __init__(self, items: Items, cache_bytes: int = CACHE_BYTES) -> None:
        self.cache_bytes = cache_bytes
        self._store = ref(items)  # its indexes do not keep a store alive
        self._keeps_lastingly = items.keeps_lastingly
        self._held: OrderedDict[Key, Living] = OrderedDict()
        self._sizes: dict[Key, int] = {}
        self._large: dict[Key, int] = {}
        self._lock = threading.Lock()
        self._bytes_each = 0
        self._behind = Background(capacity=8, workers=1)

    @property
    def _items(self) -> Items:
        items = self._store()
        if items is None:
            raise StoreError("The store of this memory is gone.")
        return items

    @property
    def nbytes(self) -> int:
        """About how much the indexes take."""
        with self._lock:
            return sum(self._sizes.values())

    def forget(self) -> None:
        """Drops every index. They are derived: the next search makes anew what it needs."""
        with self._lock:
            self._held.clear()
            self._sizes.clear()
            self._large.clear()

    async def forget_lost(self) -> None:
        """Has the store drop the indexes it keeps that still hold something that was removed."""
        await self._items.forget_lost()

    def leave(self) -> None:
        """Has the store keep the indexes for the next process, as far as it can: what it cannot is made anew there."""
        self._behind.wait()
        if self._items.keeps:
            _unless_it_fails(self._keep())

    async def _keep(self) -> None:
        lasting = self._keeps_lastingly
        with self._lock:
            livings = [living for living in self._held.values() if living.is_worth_keeping(lastingly=lasting)]
        most = self.cache_bytes // (self._bytes_each or self._measure())
        for living in livings:
            if await living.follow(self._items, ALWAYS, most) is None or (lasting and not living.is_worth_leaving):
                continue
            await living.keep(self._items)

    def _keep_behind(self, key: Key, living: Living) -> None:
        """Has the store keep an index that has drifted, on a thread of its own, where a kill would lose it else."""
        if not self._keeps_lastingly:
            return
        if living.has_drifted and living.has_rested and living.is_worth_keeping(lastingly=True):
            self._behind.submit(key, lambda: _unless_it_fails(living.keep(self._items)))

    async def current(
        self,
        places: Sequence[Namespace],
        condition: Condition = ALWAYS,
        states: frozenset[str] = LIVE,
        *,
        load: bool = True,
    ) -> list[Living] | None:
        """The indexes of all owners that these places belong to, as the store stands now.

        Args:
            places: Where to look.
            condition: What will be asked of the indexes.
            states: The states of memories that they rank.
            load: Whether those that are not held are made.

        Returns:
            One index an owner; `None` where some owner is not named, where they are too many or too large, or where
            the store cannot tell what changed.
        """
        owners = list(dict.fromkeys(place[1:_DEPTH] for place in places))
        if owners == [()]:
            owners = await self._everyone()
        elif len(owners) > MOST_AT_ONCE or any(len(owner) < _DEPTH - 1 for owner in owners):
            return None
        if not owners or not (load or all((owner, states) in self._sizes for owner in owners)):
            return None
        found = await gather(*(self._current((owner, states), condition) for owner in owners))
        livings: list[Living] = list(filter(None, found))
        return livings if len(livings) == len(found) else None

    async def _everyone(self) -> list[Namespace]:
        """All owners who have memories; none where they are too many to hold."""
        found: dict[Namespace, None] = {}
        for root in (MEMORIES, TURNS):
            query = NamespaceQuery(now=self._items.now(), prefix=(root,), max_depth=_DEPTH, limit=EVERYONE + 1)
            found |= {namespace[1:]: None for namespace in await self._items.namespaces(query)}
        return list(found) if len(found) <= EVERYONE else []

    async def _current(self, key: Key, condition: Condition) -> Living | None:
        """The index of one owner; `None` where it cannot be known or held."""
        living = self._of(key)
        if living is None:
            return None
        most = self.cache_bytes // (self._bytes_each or self._measure())
        outcome = await living.follow(self._items, condition, most)
        is_counted = outcome == "hit" and key in self._sizes  # what was kept by another process is not counted yet
        if outcome is None or not (is_counted or self._made_room(key, living.nbytes)):
            self._leave(key)
            return None
        if outcome != "hit":
            self._keep_behind(key, living)
        lookups("index")[outcome](1)
        return living

    def _of(self, key: Key) -> Living | None:
        """The index of an owner, made where there is none; `None` for one who was found to be too large."""
        with self._lock:
            left = self._large.pop(key, 0) - 1
            if left > 0:
                self._large[key] = left
                return None
            living = self._held.get(key)
            if living is None:
                living = self._held[key] = Living(*key)
            self._held.move_to_end(key)
            return living

    def _measure(self) -> int:
        """About how many bytes a memory takes: remembered once the embedder is known."""
        embedder = self._items.embedder
        if embedder is None:
            return _EACH
        self._bytes_each = _EACH + 4 * embedder.dims
        return self._bytes_each

    def _leave(self, key: Key) -> None:
        """Drops the index of an owner who is too large, and passes the owner over for a while."""
        with self._lock:
            self._held.pop(key, None)
            self._sizes.pop(key, None)
            self._large[key] = _AGAIN

    def _made_room(self, key: Key, size: int) -> bool:
        """Drops those that were not asked for longest, but never the one that is asked for now.

        Args:
            key: Whose index is asked for now.
            size: Of how many bytes it is; it may have grown since it was loaded.

        Returns:
            Whether the one that is asked for now fits by itself.
        """
        with self._lock:
            if key in self._held:
                self._sizes[key] = size
            total = sum(self._sizes.values())
            for each in list(self._held):
                if total <= self.cache_bytes or each == key:
                    break
                del self._held[each]
                total -= self._sizes.pop(each, 0)
        return size <= self.cache_bytes


def _unless_it_fails(keeping: Body[object]) -> None:
    """Keeps indexes. Where the store cannot, nothing is lost."""
    try:
        run(keeping)
    except StoreError as error:
        _LOG.info("Indexes could not be kept, and are made anew by the next process: %s", error)


_OF: WeakKeyDictionary[Items, Owners] = WeakKeyDictionary()
_OPENING: Final = threading.Lock()


def owners_of(items: Items, cache_bytes: int | None = None) -> Owners:
    """The indexes of a store: the same for every `Memory` on it; the last budget that was given counts."""
    with _OPENING:
        owners = _OF.setdefault(items, Owners(items))
        if cache_bytes is not None:
            owners.cache_bytes = cache_bytes
        return owners
