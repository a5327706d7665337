"""What an owner has, as an index that follows the store: what others wrote comes in as changes since the last look."""

from __future__ import annotations

import asyncio
import threading
from array import array
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import repeat
from time import monotonic
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from langchain_mem._flow import arun, call, run
from langchain_mem.backends.base import Address, Row, in_scope
from langchain_mem.backends.changes import Changes, Uses, of_rows
from langchain_mem.decay.policy import Used
from langchain_mem.filters.conditions import ALWAYS, Condition, Path
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import dated
from langchain_mem.model.scopes import IDS, MEMORIES, TURNS, Namespace
from langchain_mem.ranking.columns import Columns
from langchain_mem.ranking.index import Index, IndexEntry
from langchain_mem.ranking.parts import Mask, Places
from langchain_mem.repository.condensed import condensed
from langchain_mem.repository.kept import Unreadable, joined, pieces_of, unpacked, without_collecting
from langchain_mem.store.items import Items

DIGEST: Final = Path(("digest",))
UPDATED: Final = Path(("updated_at",))
NAMESPACE: Final = Path(("", "namespace"))  # no memory has a key that is empty
EXPIRES: Final = Path(("", "expires"))

_TOLD: Final = tuple(Path((name,)) for name in ("memory", "event_date", "state", "group", "position", "cites"))
"""Of a memory, what its place in the index rests on."""
_ASKED: Final = (
    *(Path((name,)) for name in ("state", "layer", "expiration_date", "created_at", "event_date", "categories")),
    *(Path((name,)) for name in ("metadata", "role", *IDS)),
    DIGEST,
    UPDATED,
)
"""The fields that filters usually ask about; others get a column when they are asked about first."""

_AGING: Final = tuple(Path((name,)) for name in ("event_date", "updated_at", "categories"))
BETWEEN: Final = "\x1f"  # stands in no label: `escape` writes it as something else
_WORTH_KEEPING: Final = 1_000  # documents from which on an index is kept while others write: it is written often
_WORTH_A_FILE: Final = 50  # likewise where it is written once, when the store is closed
_DRIFT: Final = 10  # of an index that is kept, the tenth part is renewed by what was written since …
_LEFT: Final = 50  # … and the fiftieth, where the process ends: the next one would take that in at its first search
_REST: Final = 50  # times as long as keeping an index took, it is not kept again
_LOST: Final = 3_600.0  # seconds after which what is kept is renewed without the words of what was removed
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class View(NamedTuple):
    """A part of what an owner has."""

    places: Sequence[Namespace]
    condition: Condition


class Living:
    """The memories and kept turns of one owner that are in some states.

    Take `lock` to look at it or to change it.

    Args:
        owner: Kind and id.
        states: Which memories are ranked; of others it is only known that they are there, and what they say.

    Attributes:
        index: The documents, by address.
        stamp: Up to where it has followed the store; `None` where it has not begun.
        paths: The fields it asks the store for.
    """

    def __init__(self, owner: Namespace, states: frozenset[str]) -> None:
        self.stamp: Hashable | None = None
        self.lock = threading.Lock()
        self._scopes = ((MEMORIES, *owner), (TURNS, *owner))
        self._states = states
        self._asked = _ASKED
        self.paths = (*_TOLD, *_ASKED)
        self._handles: dict[Hashable, Address] = {}
        self._turn = threading.Lock()
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._begun = False
        self._looks = self._followed = 0  # how many looks at the store have begun, and which one ended well last
        self._rests_until = 0.0
        self._drift = 0  # rows taken in, or gone, since it was kept
        self._begin()

    def _begin(self) -> None:
        self.index: Index[Address] = Index((NAMESPACE, EXPIRES, *self._asked))
        self._handles.clear()
        self._measured = 0, 0  # documents, and bytes
        self._uses: Uses | None = Uses()
        self._others: dict[Address, str] = {}
        self._saying: dict[str, set[Address]] = {}
        self._lost: float | None = None  # since when something is gone whose words the index may still know

    @property
    def nbytes(self) -> int:
        """About the memory it takes: measured, and in proportion to its documents until it has grown by a half."""
        count = len(self.index.living)
        if count > self._measured[0] * 1.5:
            self._measured = count, self.index.nbytes + 200 * len(self._handles)
        measured, taken = self._measured
        return taken * count // max(1, measured)

    async def follow(self, items: Items, condition: Condition, most: int) -> str | None:
        """Takes in what was written since the last look. One thread, or one task of a loop, looks at a time.

        Those who waited for their turn share the next look, which began after all of them had asked.

        Args:
            items: The store.
            condition: What will be asked: fields that there is no column of yet are taken in as well.
            most: Load at most so many rows.

        Returns:
            "hit" where nothing had changed, "stale" where something had, "miss" where all was loaded; `None` where the
            backend cannot tell what changed, or there are more rows.
        """
        return await call(self._follow_here, self._follow_there, items, condition, most)

    def _follow_here(self, items: Items, condition: Condition, most: int) -> str | None:
        looks = self._looks
        with self._turn:
            if self._was_followed(looks, condition):
                return "hit"
            return run(self._follow(items, condition, most))

    async def _follow_there(self, items: Items, condition: Condition, most: int) -> str | None:
        looks = self._looks
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._was_followed(looks, condition):
                return "hit"
            return await arun(self._follow(items, condition, most))

    def _was_followed(self, looks: int, condition: Condition) -> bool:
        """Whether a look has ended well that began when so many had begun before it, and took in what is asked."""
        return self._followed > looks and not self.index.columns.missing(condition)

    async def _follow(self, items: Items, condition: Condition, most: int) -> str | None:
        if not self._begun:
            self._begun = True
            await self._resume(items)
        self.ask_for(condition)
        outcome = "hit"
        while True:
            with self.lock:
                self._looks += 1
                look, since, paths = self._looks, self.stamp, self.paths
            changes = await items.changes(self._scopes, paths, since, most)
            if changes is None:
                return None
            with self.lock:
                if self.stamp is not since or self.paths is not paths:  # somebody has taken in others meanwhile
                    continue
                self.take(changes)
                if changes.whole:
                    outcome = "miss"
                elif outcome == "hit" and (changes.addresses or changes.gone):
                    outcome = "stale"
                if not changes.more:
                    self._followed = look
                    return outcome

    async def keep(self, items: Items) -> bool:
        """Has the store keep the index for the next process, where that is worth it and something is new."""
        with self.lock:
            if not (self._drift and self.is_worth_keeping(lastingly=items.keeps_lastingly)):
                return False
            began, drift, self._drift = monotonic(), self._drift, 0
            self._forget_lost()
            stamp, pieces = self.stamp, pieces_of(self._state())
        kept = await items.keep(self._scopes, self._name, joined(pieces), stamp)
        if not kept:
            self._drift += drift
        self._rests_until = monotonic() + _REST * (monotonic() - began)
        return kept

    def is_worth_keeping(self, *, lastingly: bool) -> bool:
        """Whether to read it later saves more than to keep it costs.

        Args:
            lastingly: Whether it is kept again and again while others write; see `Lasting`.
        """
        return len(self.index) >= (_WORTH_KEEPING if lastingly else _WORTH_A_FILE)

    @property
    def has_rested(self) -> bool:
        """Whether it may be kept again although the process goes on: keeping takes a fiftieth of the time at most."""
        return monotonic() >= self._rests_until

    @property
    def has_drifted(self) -> bool:
        """Whether a process that began with what is kept would have much to take in, or would hold what is removed."""
        held = self._lost is not None and monotonic() - self._lost >= _LOST
        return held or self._drift * _DRIFT > len(self.index)

    @property
    def is_worth_leaving(self) -> bool:
        """Whether the next process would notice that what is kept is old."""
        return self.has_drifted or self._drift * _LEFT > len(self.index)

    async def _resume(self, items: Items) -> None:
        """Goes on from where another process has left off."""
        kept = await items.kept(self._scopes, self._name)
        if kept is None:
            return
        try:
            state = unpacked(kept.content)
        except Unreadable:
            return
        with self.lock:
            if self.stamp is None:
                self.index, self._asked, self._handles, uses, self._others, self._saying = state
                self._uses = None if uses is None else Uses(uses)
                self.paths = (*_TOLD, *self._asked)
                self.stamp = kept.stamp

    @property
    def _name(self) -> str:
        """What tells this index from the owner's others."""
        return "-".join(sorted(self._states))

    def _state(self) -> tuple[Any, ...]:
        uses = None if self._uses is None else self._uses.packed
        return self.index, self._asked, self._handles, uses, self._others, self._saying

    def ask_for(self, condition: Condition) -> None:
        """Has everything taken in anew, with columns for what a condition asks about, where it has no column yet."""
        missing = [] if condition is ALWAYS else self.index.columns.missing(condition)
        if missing:
            with self.lock:
                self._asked, self.stamp = (*self._asked, *missing), None
                self.paths = (*_TOLD, *self._asked)

    def take(self, changes: Changes) -> None:
        """Takes in what was written since the last look."""
        if changes.whole:
            self._begin()
        self._drift += len(changes.addresses) + len(changes.gone) + len(changes.used)
        if len(changes.addresses) >= _WORTH_A_FILE:
            with without_collecting():
                self._apply(changes)
        elif changes.addresses or changes.gone:
            self._apply(changes)
        if changes.used:
            self._note_used(changes)
        self.stamp = changes.stamp

    def shown(self, places: Sequence[Namespace], condition: Condition, now: datetime) -> Mask:
        """Which documents lie in these places, have not expired and fulfill a condition."""
        return visible(self.index.columns, len(self.index.living), places, condition, now) & self.index.living

    def used(self, addresses: Sequence[Address]) -> list[Used] | None:
        """What decay asks of memories that are ranked; `None` where the backend does not tell of their uses."""
        if self._uses is None:
            return None
        ticks = [array("q", self._uses.packed.get(address, b"")) for address in addresses]
        uses = [[_EPOCH + timedelta(microseconds=each) for each in some] for some in ticks]
        return list(map(Used, uses, *self.index.values(addresses, _AGING)))

    def like(self, first: Address, digest: str) -> list[Address]:
        """The memories, in whatever state, that have an address, or that say a text in the same home.

        Args:
            first: The address.
            digest: Of the text.
        """
        like = [first] if first in self.index or first in self._others else []
        for address in (*self.index.having(DIGEST, digest), *self._saying.get(digest, ())):
            if address.namespace == first.namespace:
                like.append(address)
        return like

    def newest(self, mask: Mask, most: int) -> list[tuple[int, Address]]:
        """The documents of a mask that were updated last, unordered, at least `most` of them if there are so many.

        Returns:
            Each with what sorts it: microseconds before 1970, and its address.
        """
        numbers = np.flatnonzero(mask)
        updated = self.index.columns[UPDATED].instants()[numbers]
        if len(numbers) > most:
            least = np.partition(updated, len(updated) - most)[len(updated) - most]
            numbers, updated = numbers[updated >= least], updated[updated >= least]
        return list(zip((-updated).tolist(), self.index.handles_of(numbers), strict=True))

    def _apply(self, changes: Changes) -> None:
        """Changes what was written: puts what is ranked, sets aside what is in another state, forgets what has gone."""
        gone = [self._handles.get(handle, handle) for handle in changes.gone]
        self._lost = monotonic() if gone and self._lost is None else self._lost
        dead: list[Address] = [address for address in gone if isinstance(address, Address)]
        told = list(zip(*changes.fields, strict=True)) or [()] * (len(_TOLD) + len(self._asked))
        is_ranked = [
            state in self._states and isinstance(said, str) for said, state in zip(told[0], told[2], strict=True)
        ]
        others = {
            address: said
            for address, said, ranked in zip(
                changes.addresses, told[len(_TOLD) + self._asked.index(DIGEST)], is_ranked, strict=True
            )
            if not ranked
        }
        ranked = self._ranked(changes, told, np.flatnonzero(is_ranked))
        self._note_uses([*dead, *others], changes)
        if dead or others:
            self.index.remove([*dead, *others])
        self.index.tidy()
        self.index.put(*ranked)
        self._set_aside([*dead, *changes.addresses], others)
        self._remember(changes)

    def _ranked(self, changes: Changes, told: Sequence[Sequence[Any]], which: Places) -> tuple[Any, ...]:
        """Those of the rows that are ranked, as the index takes them.

        Args:
            changes: The rows.
            told: For each path that was asked for, what is stored there in each row.
            which: The places of those that are ranked.
        """
        whole = len(which) == len(changes.addresses)
        some = which.tolist()

        def chosen(values: Sequence[Any]) -> Sequence[Any]:
            return values if whole else [values[at] for at in some]

        addresses = chosen(changes.addresses)
        memories, dates, _, groups, positions, cites = map(chosen, told[: len(_TOLD)])
        values = repeat(None) if changes.values is None else list(map(condensed, chosen(changes.values)))
        homes = {home: BETWEEN.join(home) for home in {address.namespace for address in addresses}}
        return (
            [
                IndexEntry(address, address.key, group, position, cited or (), each)
                for address, group, position, cited, each in zip(
                    addresses, groups, positions, cites, values, strict=False
                )
            ],
            [dated(said, parse_iso(when)) if when else said for said, when in zip(memories, dates, strict=True)],
            changes.vectors if whole else changes.vectors[which],
            changes.has if whole else changes.has[which],
            [
                [homes[address.namespace] for address in addresses],
                [at and iso(at) for at in chosen(changes.expiries)],
                *map(chosen, told[len(_TOLD) :]),
            ],
        )

    def _forget_lost(self) -> None:
        """Drops the words and values that only removed memories had, so that no bytes of it hold them."""
        if self._lost is not None:
            self.index.forget_dead()
            self._saying = {said: addresses for said, addresses in self._saying.items() if addresses}
            self._lost = None

    def _set_aside(self, changed: Sequence[Address], others: Mapping[Address, Any]) -> None:
        """Notes of those that are in another state what they say, and nothing else."""
        for address in changed if self._others else ():
            said = self._others.pop(address, None)
            if said is not None:
                self._saying[said].discard(address)
        for address, said in others.items():
            if isinstance(said, str):
                self._others[address] = said
                self._saying.setdefault(said, set()).add(address)

    def _remember(self, changes: Changes) -> None:
        """Notes what handles stand for, where they are not addresses."""
        for handle in changes.gone:
            self._handles.pop(handle, None)
        if changes.handles is not changes.addresses:
            self._handles.update(zip(changes.handles, changes.addresses, strict=True))

    def _note_uses(self, dead: Sequence[Address], changes: Changes) -> None:
        """Notes when the rows were used, where the backend tells. A write takes no use away."""
        if changes.uses is None or self._uses is None:
            self._uses = None
            return
        self._uses.written(changes.addresses, changes.uses)
        if dead:
            self._uses.forget(dead)

    def _note_used(self, changes: Changes) -> None:
        """Notes what was used since. Of what was written too, the row may tell of its uses already."""
        if self._uses is None:
            return
        written = set(changes.addresses)
        for handle, instants, keep in changes.used:
            address = self._handles.get(handle, handle)
            self._uses.add(address, instants, keep, told=address in written)


def visible(columns: Columns, size: int, places: Sequence[Namespace], condition: Condition, now: datetime) -> Mask:
    """Which of so many documents lie in these places, are not hidden yet and fulfill a condition."""
    where = tuple(places)
    inside = columns[NAMESPACE].where(("in", where), lambda label: in_scope(tuple(label.split(BETWEEN)), where))
    expires = columns[EXPIRES].instants()
    unexpired = (expires == 0) | (expires > (now - _EPOCH) // timedelta(microseconds=1))
    return np.asarray(inside & unexpired & columns.mask(condition, size))


def locked(livings: Sequence[Living]) -> ExitStack:
    """Holds the locks of several indexes, taken in one order so that nobody waits for one who waits."""
    stack = ExitStack()
    for living in sorted(livings, key=id):
        stack.enter_context(living.lock)
    return stack


def said_in(livings: Sequence[Living], said: Sequence[tuple[Address, str]]) -> list[Address]:
    """What has one of these addresses, or says in the same home one of these texts, in whatever state.

    Args:
        livings: The indexes of those whose homes these are.
        said: For each text the address that it has where it was the first to be there, and its digest.
    """
    with locked(livings):
        found = [address for living in livings for first, digest in said for address in living.like(first, digest)]
    return list(dict.fromkeys(found))


def shown_in(livings: Sequence[Living], views: Sequence[View], now: datetime) -> list[Mask]:
    """For each view which documents of these indexes it shows, their documents numbered one index after the other."""
    masks = []
    for places, condition in views:
        each = [living.shown(places, condition, now) for living in livings]
        masks.append(each[0] if len(each) == 1 else np.concatenate(each))
    return masks


def living_of(rows: Sequence[Row], states: frozenset[str], condition: Condition) -> Living:
    """An index of rows that were read, for one search."""
    living = Living((), states)
    living.ask_for(condition)
    living.take(of_rows(rows, living.paths, stamp=0, whole=True))
    return living


_ALWAYS_ASKED: Final = Columns(_ASKED)


def tells(condition: Condition) -> bool:
    """Whether every index has the columns that a condition asks about."""
    return not _ALWAYS_ASKED.missing(condition)
