"""Which memories come into question for a query, with what speaks for each.

An owner who is held is answered by an index, and the store is asked for the rows of the candidates alone. Others are
answered by rows: a whole scope, where it is small or an instant of the past is asked about, or those that the database
proposes by meaning and by words. The formula is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeAlias

import numpy as np

from langchain_mem._flow import offload
from langchain_mem.backends.base import Address, Row
from langchain_mem.decay.policy import Decay, Explanation
from langchain_mem.filters.conditions import Condition, conjunction, disjunction
from langchain_mem.memory.reading.queries import is_in, live
from langchain_mem.memory.settings import Settings
from langchain_mem.model.history import as_of as state_as_of
from langchain_mem.model.records import StoredMemory, content
from langchain_mem.model.scopes import MEMORIES, TURNS, Layer, Namespace, Scope, reroot
from langchain_mem.ranking.bm25 import tokenize, words_of
from langchain_mem.ranking.candidates import Ranked, rank
from langchain_mem.ranking.parts import Floats, Mask
from langchain_mem.ranking.relevance import Evidence
from langchain_mem.ranking.scale import Scale
from langchain_mem.ranking.union import Together
from langchain_mem.repository.living import Living, living_of
from langchain_mem.repository.owners import LIVE, locked
from langchain_mem.store.items import Scan
from langchain_mem.store.vectorizer import Vector

POOL: Final = 50
"""At least so many candidates are weighed, and at least three for each one wanted."""

_SPARE: Final = 2  # times the pool are looked at closely, so that what others lend cannot reorder what was left out
_HEAVY: Final = 5_000  # documents whose arithmetic would keep an event loop waiting
_WITH_SUPERSEDED: Final = LIVE | {"superseded"}
_KEPT_TURNS: Final = conjunction(is_in("layer", [Layer.CONVERSATION]), is_in("state", ["live"]))
_UNDECAYED: Final[Explanation] = {"factor": 1.0, "effective_age_seconds": None, "touches": 0}

Found: TypeAlias = list[tuple[Address, Evidence]]
"""Where candidates lie and what speaks for each, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search, checked; see `search` for what each means."""

    query: str
    scope: Scope
    now: datetime
    condition: Condition
    places: Sequence[Namespace]
    top_k: int
    threshold: float
    decay: Decay | None
    latest_only: bool
    history: bool
    newer: bool
    rerank: bool
    whole_pool: bool = False
    lasting: float = 0.0

    @property
    def pool(self) -> int:
        """How many candidates are weighed."""
        return max(3 * self.top_k, POOL)


@dataclass(slots=True)
class Hit:
    """A candidate and how its score comes about."""

    row: Row
    evidence: Evidence
    reranked: float | None = None
    decayed: Explanation = field(default_factory=lambda: _UNDECAYED)

    @property
    def memory(self) -> StoredMemory:
        """The candidate."""
        memory: StoredMemory = self.row.value
        return memory

    @property
    def relevance(self) -> float:
        """Of words and meaning, before decay; 0..1."""
        return self.evidence.relevance

    @property
    def product(self) -> float:
        """What is sorted by; may exceed 1."""
        return (self.relevance if self.reranked is None else self.reranked) * self.decayed["factor"]

    @property
    def key(self) -> tuple[float, str]:
        """Sorts best first, ties by id."""
        return (-round(self.product, 6), self.memory["id"])  # the last digits of a cosine depend on its row


async def candidates(settings: Settings, search: Search, as_of: str | None) -> tuple[list[Hit], list[Hit]]:
    """The most relevant memories, and the most relevant kept turns where history was asked for, best first. A body.

    Args:
        settings: Parts and policies.
        search: What is asked.
        as_of: ISO text, where memories count as they stood then.
    """
    asked, states = _asked(search), _states(search)
    livings = None if as_of or settings.owners is None else await settings.owners.current(search.places, asked, states)
    if livings is None:
        return await _by_rows(settings, search, as_of)
    vector, scale = await _asked_vector(settings, search)
    size = sum(living.index.size for living in livings)
    facts, turns = (
        await offload(_by_index, livings, search, vector, scale)
        if size > _HEAVY
        else _by_index(livings, search, vector, scale)
    )
    facts = facts[: _within_reach(facts, search)]
    rows = await settings.repo.read([address for address, _ in (*facts, *turns)], search.now)
    present = {row.address: row for row in rows if row is not None and row.value["state"] in states}
    return _hits(facts, present), _hits(turns, present)


def _within_reach(facts: Found, search: Search) -> int:
    """How many of the best memories could be returned, whatever their decay; at least twice those that are wanted.

    A factor lies between the policy's floor and ceiling, so one far below the last place cannot rise to it.
    """
    if search.rerank or search.whole_pool or len(facts) <= 2 * search.top_k:
        return len(facts)
    span = search.decay.floor / search.decay.ceiling if search.decay else 1.0
    least = facts[search.top_k - 1][1].relevance * span
    return max(2 * search.top_k, sum(evidence.relevance >= least for _, evidence in facts))


def _asked(search: Search) -> Condition:
    """Everything that is asked of any document."""
    return conjunction(search.condition, live(search.now))


def _states(search: Search) -> frozenset[str]:
    return LIVE if search.latest_only else _WITH_SUPERSEDED


def _by_index(
    livings: Sequence[Living], search: Search, vector: Vector | None, scale: Scale | None
) -> tuple[Found, Found]:
    with locked(livings):
        together = Together([living.index for living in livings])
        return _weighed(livings, together, search, together.cosines(vector, scale))


async def _by_rows(settings: Settings, search: Search, as_of: str | None) -> tuple[list[Hit], list[Hit]]:
    """The same by an index that is made of rows for this search. A body."""
    scan = await _scan(settings, search, as_of)
    living = living_of(scan.rows, _states(search), _asked(search))
    together = Together([living.index])
    near = await _near(settings, search, scan.rows, together)
    facts, turns = _weighed([living], together, search, near)
    present = {row.address: row for row in scan.rows}
    return _hits(facts, present), _hits(turns, present)


async def _asked_vector(settings: Settings, search: Search) -> tuple[Vector | None, Scale | None]:
    """The query's vector, leaned as far as was asked for, and the embedder's scale. A body."""
    vector, scale = await settings.repo.embed_query(search.query), await settings.repo.scale()
    if vector is None or scale is None:
        return vector, scale
    return scale.leaned(vector, search.lasting), scale


async def _near(settings: Settings, search: Search, rows: Sequence[Row], together: Together) -> Floats:
    """The cosine of each document, of its vector where the store tells it and else as the store found it. A body."""
    if any(len(row.vectors) for row in rows):
        return together.cosines(*await _asked_vector(settings, search))
    scale = await settings.repo.scale()
    cosines = await settings.repo.cosines(rows, search.query)
    near = np.full(together.size, np.nan)
    for row, cosine in zip(rows, cosines or (), strict=False):
        number = together.indexes[0].number(row.address)
        if number is not None and cosine is not None:
            near[number] = cosine
    return near if scale is None else scale.bare(near)


def _weighed(livings: Sequence[Living], together: Together, search: Search, cosines: Floats) -> tuple[Found, Found]:
    """Of the documents in scope the best memories and the best kept turns."""
    turns = [reroot(place, TURNS) for place in search.places] if search.history else []
    shown = [living.shown(search.places, search.condition, search.now) for living in livings]
    kept = [living.shown(turns, live(search.now), search.now) for living in livings]
    wanted = [together.joined(shown), together.joined(kept)]
    ranked = rank(together, search.query, cosines, wanted, count=_SPARE * search.pool)
    facts, spoken = (_best(together, ranked, among, search) for among in wanted)
    return facts, spoken


def _best(together: Together, ranked: Ranked, among: Mask, search: Search) -> Found:
    found: Found = []
    for number, evidence in ranked.best(search.threshold, among):
        if len(found) == search.pool:
            break
        index, own = together.find(number)
        found.append((index.entry(own).handle, evidence))
    return found


def _hits(found: Found, rows: Mapping[Address, Row]) -> list[Hit]:
    return [Hit(rows[address], evidence) for address, evidence in found if address in rows]


async def _scan(settings: Settings, search: Search, as_of: str | None) -> Scan:
    """What lies in scope with the turns kept beside it; as it stood at an instant, if one is given. A body."""
    repo, now = settings.repo, search.now if as_of is None else settings.now()
    places = [*search.places, *(reroot(place, TURNS) for place in search.places if place[0] == MEMORIES)]
    scan = await repo.load(places, now)
    if scan is None:
        wanted = disjunction(search.condition, _KEPT_TURNS) if search.history else search.condition
        searched = places if search.history else search.places
        return await repo.nearest(searched, wanted, search.query, _written(search.query), now)
    return scan if as_of is None else await _turned_back(settings, scan, as_of)


def _written(query: str) -> list[str]:
    """The words that stores look for: as they are written, for most texts have them so, and stemmed."""
    told = [word for word in words_of(query) if tokenize(word)]
    return list(dict.fromkeys([*told, *tokenize(query)]))


async def _turned_back(settings: Settings, scan: Scan, as_of: str) -> Scan:
    """Each memory as it stood then, with the embedding of what it said then. A body."""
    then = [(row, state_as_of(row.value, as_of)) for row in scan.rows if "log" in row.value]
    stood = [(row, memory) for row, memory in then if memory is not None]
    stale = [memory for row, memory in stood if content(memory) != content(row.value) or row.vector is None]
    vectors = await settings.repo.embed([content(memory) for memory in stale]) if stale else None
    fresh = (
        {} if vectors is None else {memory["id"]: vector[None] for memory, vector in zip(stale, vectors, strict=True)}
    )
    return Scan([replace(row, value=then, vectors=fresh.get(then["id"], row.vectors)) for row, then in stood])
