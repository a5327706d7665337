"""Which memories come into question for a query, with what speaks for each.

An owner who is held is answered by an index, and the store is asked for the rows of the candidates alone. Others are
answered by rows: a whole scope, where it is small or an instant of the past is asked about, or those that the database
proposes by meaning and by words. The formula is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np

from langchain_mem._flow import offload
from langchain_mem.backends.base import Address, Row, Vectors
from langchain_mem.decay.policy import Decay, Explanation, Used
from langchain_mem.filters.conditions import ALWAYS, Condition, conjunction, disjunction
from langchain_mem.memory.reading.queries import is_in, live
from langchain_mem.memory.settings import Settings
from langchain_mem.model.history import as_of as state_as_of
from langchain_mem.model.records import content, phrases_of
from langchain_mem.model.scopes import MEMORIES, TURNS, Layer, Namespace, Scope, reroot
from langchain_mem.ranking.candidates import Documents, Question, Ranked, answers
from langchain_mem.ranking.relevance import Evidence
from langchain_mem.ranking.scale import Compared
from langchain_mem.ranking.tokens import tokenize, words_of
from langchain_mem.ranking.union import Together
from langchain_mem.repository.living import Living, View, living_of, locked, shown_in
from langchain_mem.repository.owners import LIVE
from langchain_mem.store.items import Scan
from langchain_mem.store.vectorizer import Passage, Vector, parts_of

POOL: Final = 50
"""At least so many candidates are weighed, and at least three for each one wanted."""

_HEAVY: Final = 5_000  # documents whose arithmetic would keep an event loop waiting
WITH_SUPERSEDED: Final = LIVE | {"superseded"}
"""The states of memories that may be found where the latest are not enough."""

_KEPT_TURNS: Final = conjunction(is_in("layer", [Layer.CONVERSATION]), is_in("state", ["live"]))
_UNDECAYED: Final[Explanation] = {"factor": 1.0, "effective_age_seconds": None, "touches": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search, checked; see `search` for what each means.

    Attributes:
        asked: The part of `condition` that may ask for a field without a column in every index: what the user wrote.
        states: The states of memories that may be found.
        newer: Whether the newer of two memories about the same thing comes first.
        newer_from: What share of the older one's score it needs for that.
    """

    query: str
    scope: Scope
    now: datetime
    condition: Condition
    asked: Condition = ALWAYS
    places: Sequence[Namespace]
    top_k: int
    threshold: float
    decay: Decay | None
    states: frozenset[str] = LIVE
    turns: int
    newer: bool
    newer_from: float = 0.0
    rerank: bool
    lasting: float = 0.0

    @property
    def least(self) -> float:
        """The least relevance of a candidate; less than wanted where a change may come along with what it changes."""
        wanted = self.newer and not self.newer_from and not self.rerank
        return self.threshold / 4 if wanted else self.threshold

    @property
    def pool(self) -> int:
        """How many candidates are weighed."""
        return max(3 * self.top_k, self.turns, POOL)


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

    Those that an index found are not read yet; see `ranked.read_rows`.

    Args:
        settings: Parts and policies.
        search: What is asked.
        as_of: ISO text, where memories count as they stood then.
    """
    livings = None
    if as_of is None and settings.owners is not None:
        livings = await settings.owners.current(search.places, search.asked, search.states)
    if livings is None:
        return await _by_rows(settings, search, as_of)
    question = await settings.repo.question(search.query, search.lasting)
    if sum(len(living.index.living) for living in livings) > _HEAVY:
        return await offload(_by_index, livings, search, question)
    return _by_index(livings, search, question)


def _by_index(livings: Sequence[Living], search: Search, question: Question) -> tuple[list[Hit], list[Hit]]:
    views, limit, least = _views(search), search.pool, search.least
    with locked(livings):
        sorts = shown_in(livings, views, search.now)
        documents: Documents = livings[0].index
        if len(livings) > 1:
            documents = Together([living.index for living in livings])
        near = documents.compared(question.vector, question.scale).agreed(np.logical_or.reduce(sorts))
        found = answers(documents, question, near, sorts, limit=limit, threshold=least)
        facts, turns = _hits(found)
        _note_held(livings, search, [*facts, *turns])
        if search.decay is not None:
            _note_uses(livings, facts)
    return facts, turns


def _hits(found: Sequence[Sequence[Ranked]]) -> tuple[list[Hit], list[Hit]]:
    """The memories and the kept turns among what was found."""
    hits = [[Hit(each.handle, each.evidence, each.evidence.relevance) for each in sort] for sort in found]
    return hits[0], hits[1] if len(hits) > 1 else []


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


async def _by_rows(settings: Settings, search: Search, as_of: str | None) -> tuple[list[Hit], list[Hit]]:
    """The same by an index that is made of rows for this search."""
    scan = await _scan(settings, search, as_of)
    living = living_of(scan.rows, search.states, search.condition)
    question, compared = await _compared(settings, search, scan.rows, living)
    sorts = shown_in([living], _views(search), search.now)
    near = compared.agreed(np.logical_or.reduce(sorts))
    found = answers(living.index, question, near, sorts, limit=search.pool, threshold=search.threshold)
    facts, turns = _hits(found)
    rows = {row.address: row for row in scan.rows}
    for hit in (*facts, *turns):
        hit.row = rows[hit.address]
    return facts, turns


async def _compared(
    settings: Settings, search: Search, rows: Sequence[Row], living: Living
) -> tuple[Question, Compared]:
    """What is asked, and the cosine of each document, of its vector where there is one, else as the store found it."""
    if any(len(row.vectors) for row in rows):
        question = await settings.repo.question(search.query, search.lasting)
        return question, living.index.compared(question.vector, question.scale)
    scale = await settings.repo.scale()
    cosines = await settings.repo.cosines(rows, search.query)
    near = np.full(living.index.size, np.nan)
    for row, cosine in zip(rows, cosines or (), strict=False):
        number = living.index.number(row.address)
        if number is not None and cosine is not None:
            near[number] = cosine
    return Question(search.query, None, scale), Compared.same(near if scale is None else scale.bare(near))


async def _scan(settings: Settings, search: Search, as_of: str | None) -> Scan:
    """What lies in scope with the turns kept beside it; as it stood at an instant, if one is given."""
    repo, now = settings.repo, search.now if as_of is None else settings.now()
    places = [*search.places, *(reroot(place, TURNS) for place in search.places if place[0] == MEMORIES)]
    scan = await repo.load(places, now)
    if scan is None:
        wanted = disjunction(search.condition, _KEPT_TURNS) if search.turns else search.condition
        searched = places if search.turns else search.places
        return await repo.nearest(searched, wanted, search.query, _written(search.query), now, grouped=True)
    return scan if as_of is None else await _turned_back(settings, scan, as_of)


def _written(query: str) -> list[str]:
    """The words that stores look for: as they are written, for most texts have them so, and stemmed."""
    told = [word for word in words_of(query) if tokenize(word)]
    return list(dict.fromkeys([*told, *tokenize(query)]))


async def _turned_back(settings: Settings, scan: Scan, as_of: str) -> Scan:
    """Each memory as it stood then, with the embedding of what it said then."""
    then = [(row, state_as_of(row.value, as_of)) for row in scan.rows if "log" in row.value]
    stood = [(row, memory) for row, memory in then if memory is not None]
    present = {row.value["id"]: _passage(row.value) for row, _ in stood if row.vector is not None}
    stale = {memory["id"]: said for _, memory in stood if (said := _passage(memory)) != present.get(memory["id"])}
    fresh = await _embedded(settings, stale)
    return Scan([replace(row, value=then, vectors=fresh.get(then["id"], row.vectors)) for row, then in stood])


async def _embedded(settings: Settings, passages: Mapping[str, Passage]) -> dict[str, Vectors]:
    """The vectors of passages, by what they stand under, each in the shape that a row has; none without an embedder."""
    parts = parts_of(passages.values())
    vectors = await settings.repo.embed(parts) if parts else None
    if vectors is None:
        return {}
    known = dict(zip(parts, vectors, strict=True))
    made = {key: passage.vector(known) for key, passage in passages.items()}
    return {key: vector[None] for key, vector in made.items() if vector is not None}


def _passage(memory: Mapping[str, Any]) -> Passage:
    return Passage(content(memory), phrases_of(memory))
