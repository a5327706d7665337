"""Which memories come into question for a query, with what speaks for each.

An owner who is held is answered by an index, and the store is asked for the rows of the candidates alone. Others are
answered by rows: a whole scope, where it is small or an instant of the past is asked about, or those that the database
proposes by meaning and by words. The formula is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np

from langchain_mem._flow import offload
from langchain_mem.backends.base import Address, Row
from langchain_mem.decay.policy import Decay, Explanation, Used
from langchain_mem.filters.conditions import Condition, conjunction, disjunction
from langchain_mem.memory.reading.queries import is_in, live
from langchain_mem.memory.settings import Settings
from langchain_mem.model.history import as_of as state_as_of
from langchain_mem.model.records import content
from langchain_mem.model.scopes import MEMORIES, TURNS, Layer, Namespace, Scope, reroot
from langchain_mem.ranking.candidates import Documents, drawn, rank
from langchain_mem.ranking.parts import Mask
from langchain_mem.ranking.relevance import Evidence
from langchain_mem.ranking.scale import Compared, Scale
from langchain_mem.ranking.situations import Wanted
from langchain_mem.ranking.tokens import tokenize, words_of
from langchain_mem.ranking.union import Together
from langchain_mem.repository.condensed import expanded
from langchain_mem.repository.living import Living, View, living_of, locked, shown_in
from langchain_mem.repository.owners import LIVE
from langchain_mem.store.items import Scan
from langchain_mem.store.vectorizer import Vector

POOL: Final = 50
"""At least so many candidates are weighed, and at least three for each one wanted."""

_HEAVY: Final = 5_000  # documents whose arithmetic would keep an event loop waiting
_WITH_SUPERSEDED: Final = LIVE | {"superseded"}
_KEPT_TURNS: Final = conjunction(is_in("layer", [Layer.CONVERSATION]), is_in("state", ["live"]))
_UNDECAYED: Final[Explanation] = {"factor": 1.0, "effective_age_seconds": None, "touches": 0}


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
    turns: int
    newer: bool
    rerank: bool
    lasting: float = 0.0

    @property
    def pool(self) -> int:
        """How many candidates are weighed."""
        return max(3 * self.top_k, self.turns, POOL)

    @property
    def states(self) -> frozenset[str]:
        """The states of memories that may be found."""
        return LIVE if self.latest_only else _WITH_SUPERSEDED


class Held(NamedTuple):
    """What a search needs of a memory's row, where no row was read for it."""

    value: dict[str, Any]
    vector: Vector | None
    touches: Sequence[datetime]


@dataclass(slots=True)
class Hit:
    """A candidate and how its score comes about.

    Attributes:
        address: Where it lies.
        evidence: What speaks for it, of words and meaning.
        score: What decay multiplies: its relevance, or what a reranker gave it.
        reranked: What a reranker gave it, where one was asked.
        decayed: The factor of decay, and what it was computed from.
        product: What is sorted by: the score times the factor of decay, where that is on. It may exceed 1.
        used: What the factor is a function of, where the index knows it.
        held: The memory as the owner's index holds it, if it does; see `condensed`.
        vector: Its embedding, where that was asked for and the index holds the memory.
        row: The memory, once it was read.
    """

    address: Address
    evidence: Evidence
    score: float
    product: float = 0.0
    reranked: float | None = None
    decayed: Explanation = field(default_factory=lambda: _UNDECAYED)
    used: Used | None = None
    held: bytes | None = None
    vector: Vector | None = None
    row: Row | Held | None = None


async def candidates(settings: Settings, search: Search, as_of: str | None) -> tuple[list[Hit], list[Hit]]:
    """The most relevant memories, and the most relevant kept turns where history was asked for, best first.

    Those that an index found are not read yet; see `read_rows`.

    Args:
        settings: Parts and policies.
        search: What is asked.
        as_of: ISO text, where memories count as they stood then.
    """
    livings = None
    if as_of is None and settings.owners is not None:
        livings = await settings.owners.current(search.places, search.condition, search.states)
    if livings is None:
        return await _by_rows(settings, search, as_of)
    asked_for = await _asked_for(settings, search)
    if sum(len(living.index.living) for living in livings) > _HEAVY:
        return await offload(_by_index, livings, search, asked_for)
    return _by_index(livings, search, asked_for)


async def read_rows(settings: Settings, search: Search, hits: Sequence[Hit]) -> list[Hit]:
    """Those of some candidates that are still there, each with its row.

    What the indexes hold whole is taken from them, and all the others are read in one call.
    """
    for hit in hits:
        if hit.row is None and hit.held is not None and (hit.used is not None or not _is_decayed(search, hit)):
            hit.row = Held(expanded(hit.held), hit.vector, hit.used.touches if hit.used else ())
    missing = [hit for hit in hits if hit.row is None]
    rows = await settings.repo.read([hit.address for hit in missing], search.now) if missing else []
    for hit, row in zip(missing, rows, strict=True):
        if row is not None and row.value["state"] in search.states:
            hit.row = row
    return [hit for hit in hits if hit.row is not None]


def _by_index(livings: Sequence[Living], search: Search, asked_for: _AskedFor) -> tuple[list[Hit], list[Hit]]:
    views = _views(search)
    with locked(livings):
        wanted = shown_in(livings, views, search.now)
        documents: Documents = livings[0].index
        if len(livings) > 1:
            documents = Together([living.index for living in livings])
        near = documents.compared(asked_for.vector, asked_for.scale)
        facts, turns = _weighed(documents, search, near, asked_for.wanted, wanted)
        _note_held(livings, search, [*facts, *turns])
        if search.decay is not None:
            _note_uses(livings, facts)
    return facts, turns


def _views(search: Search) -> list[View]:
    """Where a search looks for memories and, if kept turns are wanted, where it looks for those."""
    views = [View(search.places, search.condition)]
    if search.turns:
        views.append(View([reroot(place, TURNS) for place in search.places], live(search.now)))
    return views


def _note_uses(livings: Sequence[Living], facts: Sequence[Hit]) -> None:
    """Notes with candidates when they were used, where their index knows."""
    for living in livings:
        mine = facts if len(livings) == 1 else [hit for hit in facts if hit.address in living.index]
        for hit, used in zip(mine, living.used([hit.address for hit in mine]) or (), strict=False):
            hit.used = used


def _note_held(livings: Sequence[Living], search: Search, hits: Sequence[Hit]) -> None:
    """Notes with candidates all that their index holds of them."""
    for index in (living.index for living in livings if living.index.holds_whole):
        mine = hits if len(livings) == 1 else [hit for hit in hits if hit.address in index]
        addresses = [hit.address for hit in mine]
        for hit, held in zip(mine, index.whole(addresses), strict=True):
            hit.held = held
        for hit, vector in zip(mine, index.vectors(addresses) if search.newer else (), strict=False):
            hit.vector = vector


def _is_decayed(search: Search, hit: Hit) -> bool:
    """Whether the score of a hit depends on its uses, which its row tells where its index does not."""
    return search.decay is not None and hit.address.namespace[0] != TURNS


async def _by_rows(settings: Settings, search: Search, as_of: str | None) -> tuple[list[Hit], list[Hit]]:
    """The same by an index that is made of rows for this search."""
    scan = await _scan(settings, search, as_of)
    living = living_of(scan.rows, search.states, search.condition)
    near, asked = await _near(settings, search, scan.rows, living)
    facts, turns = _weighed(living.index, search, near, asked, shown_in([living], _views(search), search.now))
    rows = {row.address: row for row in scan.rows}
    for hit in (*facts, *turns):
        hit.row = rows[hit.address]
    return facts, turns


class _AskedFor(NamedTuple):
    """What a query means: its vector, the embedder's scale, and what such a request wants known."""

    vector: Vector | None
    scale: Scale | None
    wanted: Wanted | None = None


async def _asked_for(settings: Settings, search: Search) -> _AskedFor:
    """The query's meaning."""
    vector, scale = await settings.repo.question(search.query)
    situations = await settings.repo.situations() if search.lasting and vector is not None else None
    if situations is None or vector is None:
        return _AskedFor(vector, scale)
    wanted = situations.wanted(vector, search.lasting)
    return _AskedFor(vector, scale, wanted if wanted.pull else None)


async def _near(
    settings: Settings, search: Search, rows: Sequence[Row], living: Living
) -> tuple[Compared, Wanted | None]:
    """The cosine of each document, of its vector where the store tells it and else as the store found it."""
    if any(len(row.vectors) for row in rows):
        asked_for = await _asked_for(settings, search)
        return living.index.compared(asked_for.vector, asked_for.scale), asked_for.wanted
    scale = await settings.repo.scale()
    cosines = await settings.repo.cosines(rows, search.query)
    near = np.full(living.index.size, np.nan)
    for row, cosine in zip(rows, cosines or (), strict=False):
        number = living.index.number(row.address)
        if number is not None and cosine is not None:
            near[number] = cosine
    return Compared.same(near if scale is None else scale.bare(near)), None


def _weighed(
    documents: Documents, search: Search, compared: Compared, asked: Wanted | None, wanted: Sequence[Mask]
) -> tuple[list[Hit], list[Hit]]:
    """Of the documents in scope the best memories and the best kept turns."""
    among, limit = np.logical_or.reduce(wanted), search.pool
    near = compared.agreed(among)
    if asked is not None:
        near = drawn(documents, search.query, near, asked, among)
    found = rank(documents, search.query, near, wanted, limit=limit, threshold=search.threshold)
    hits = [[Hit(each.handle, each.evidence, each.evidence.relevance) for each in sort] for sort in found]
    return hits[0], hits[1] if search.turns else []


async def _scan(settings: Settings, search: Search, as_of: str | None) -> Scan:
    """What lies in scope with the turns kept beside it; as it stood at an instant, if one is given."""
    repo, now = settings.repo, search.now if as_of is None else settings.now()
    places = [*search.places, *(reroot(place, TURNS) for place in search.places if place[0] == MEMORIES)]
    scan = await repo.load(places, now)
    if scan is None:
        wanted = disjunction(search.condition, _KEPT_TURNS) if search.turns else search.condition
        searched = places if search.turns else search.places
        return await repo.nearest(searched, wanted, search.query, _written(search.query), now)
    return scan if as_of is None else await _turned_back(settings, scan, as_of)


def _written(query: str) -> list[str]:
    """The words that stores look for: as they are written, for most texts have them so, and stemmed."""
    told = [word for word in words_of(query) if tokenize(word)]
    return list(dict.fromkeys([*told, *tokenize(query)]))


async def _turned_back(settings: Settings, scan: Scan, as_of: str) -> Scan:
    """Each memory as it stood then, with the embedding of what it said then."""
    then = [(row, state_as_of(row.value, as_of)) for row in scan.rows if "log" in row.value]
    stood = [(row, memory) for row, memory in then if memory is not None]
    stale = [memory for row, memory in stood if content(memory) != content(row.value) or row.vector is None]
    vectors = await settings.repo.embed([content(memory) for memory in stale]) if stale else None
    fresh = (
        {} if vectors is None else {memory["id"]: vector[None] for memory, vector in zip(stale, vectors, strict=True)}
    )
    return Scan([replace(row, value=then, vectors=fresh.get(then["id"], row.vectors)) for row, then in stood])
