"""The best of what comes into question, in its order: by relevance or a reranker, and by decay.

Decay needs what only a memory's row knows, where no index holds it. So rows are read in steps: those of the first
candidates, and of more where the best might be among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, cast

from langchain_mem._flow import offload
from langchain_mem.decay.policy import Used
from langchain_mem.errors import InvalidRequest
from langchain_mem.memory.reading.candidates import Held, Hit, Search, candidates
from langchain_mem.memory.settings import Settings
from langchain_mem.model.records import StoredMemory
from langchain_mem.model.scopes import TURNS
from langchain_mem.ranking.relevance import ANNOUNCED_CHANGE, SAME_STATEMENT, announces_change, prefer_newer
from langchain_mem.ranking.scale import Scale
from langchain_mem.repository.condensed import expanded
from langchain_mem.repository.touch_writer import Touches

_EQUAL: Final = (
    1e-6  # products that differ by no more are put in order by id: cosines' last digits depend on the engine
)


async def ranked(settings: Settings, search: Search, as_of: str | None) -> tuple[list[Hit], list[Hit]]:
    """The best memories, and the best kept turns where history was asked for, each with its row and its score.

    Args:
        settings: Parts and policies.
        search: What is asked.
        as_of: ISO text, where memories count as they stood then.
    """
    noted = settings.touches.noted()  # before the index is read: what is written meanwhile is in one of both
    facts, turns = await candidates(settings, search, as_of)
    ready = not search.rerank and (search.decay is None or all(hit.used for hit in facts))
    if ready:
        _decay(settings, search, facts, noted)
        facts.sort(key=_place)
    facts, faint = _faint_apart(facts, search)
    reach = len(facts) if search.rerank else search.top_k if ready else 2 * search.top_k
    while True:
        read = await read_rows(settings, search, [*facts[:reach], *turns])  # in one call
        read, said = [hit for hit in read if not _is_turn(hit)], [hit for hit in read if _is_turn(hit)]
        if not ready:
            await _score(settings, search, read, noted)
        fresh, repeats = _repeats_apart(read)
        needed = 0 if search.rerank else _within_reach(facts, fresh, search, ready=ready)
        if needed <= reach or reach >= len(facts):
            break
        reach = min(needed, 2 * reach) if ready else needed
    best = [*fresh, *repeats][: search.top_k]
    if search.newer:
        best = await _newer_first(settings, search, best, faint, noted)
    _undecayed(said)
    return best, _each_once(said)[: search.turns]


async def read_rows(settings: Settings, search: Search, hits: Sequence[Hit]) -> list[Hit]:
    """Those of some candidates that are still there, each with its row.

    What the indexes hold whole is taken from them, and all the others are read in one call.
    """
    held = [(hit, hit.held) for hit in hits if hit.row is None and hit.held is not None and _is_known(search, hit)]
    for hit, content in held:
        hit.row = Held(expanded(content), hit.vector, hit.used.touches if hit.used else ())
    missing = [hit for hit in hits if hit.row is None]
    rows = await settings.repo.read([hit.address for hit in missing], search.now) if missing else []
    for hit, row in zip(missing, rows, strict=True):
        if row is not None and row.value["state"] in search.states:
            hit.row = row
    return [hit for hit in hits if hit.row is not None]


def _is_known(search: Search, hit: Hit) -> bool:
    """Whether its index tells the uses of a hit, or its score does not depend on them."""
    return hit.used is not None or search.decay is None or _is_turn(hit)


def _within_reach(facts: Sequence[Hit], fresh: Sequence[Hit], search: Search, *, ready: bool) -> int:
    """How many of the first memories have to be read, so that the best are among them.

    Args:
        facts: By their product where that is known, else by their relevance.
        fresh: What was read, by its product, without repeats.
        search: What is asked.
        ready: Whether the product is known. Else decay raises relevance to its ceiling at the most, so one far below
            the last place cannot rise to it.
    """
    if len(fresh) < search.top_k:
        return len(facts)  # what was out of reach may rise past repeats
    if ready or search.decay is None:
        return 0
    least = (fresh[search.top_k - 1].product - _EQUAL) / search.decay.ceiling
    return sum(hit.score >= least for hit in facts)


async def _score(settings: Settings, search: Search, hits: list[Hit], noted: Touches) -> None:
    """Asks the reranker where one is wanted, applies decay, and puts memories that were read in their order."""
    if search.rerank:
        await _rerank(settings, search.query, hits)
    _decay(settings, search, hits, noted)
    hits.sort(key=_place)


async def _rerank(settings: Settings, query: str, hits: Sequence[Hit]) -> None:
    """Asks the reranker how well each candidate answers."""
    reranker = settings.reranker
    if reranker is None:
        raise InvalidRequest("rerank=True needs Memory(reranker=…): a function of a query and texts to scores.")
    scores = await offload(reranker, query, [memory_of(hit)["memory"] for hit in hits])
    if len(scores) != len(hits):
        raise InvalidRequest(f"The reranker gave {len(scores)} scores for {len(hits)} texts.")
    squash = any(not 0 <= score <= 1 for score in scores)
    for hit, score in zip(hits, scores, strict=True):
        hit.reranked = hit.score = _logistic(score) if squash else float(score)


def _decay(settings: Settings, search: Search, hits: Sequence[Hit], noted: Touches) -> None:
    """Multiplies scores by the factor of decay, where decay is on."""
    if search.decay is None:
        _undecayed(hits)
        return
    uses = [hit.used or _used(hit) for hit in hits]
    uses = settings.touches.counted_all([hit.address for hit in hits], uses, noted)
    for hit, decayed in zip(hits, search.decay.explain_all(uses, search.now), strict=True):
        hit.decayed, hit.product = decayed, hit.score * decayed["factor"]


def _undecayed(hits: Sequence[Hit]) -> None:
    """Takes scores as they are."""
    for hit in hits:
        hit.product = hit.score


def _used(hit: Hit) -> Used:
    """What decay asks of a memory that was read."""
    memory = memory_of(hit)
    touches = hit.row.touches if hit.row else ()
    return Used(touches, memory["event_date"], memory["updated_at"], memory["categories"])


def memory_of(hit: Hit) -> StoredMemory:
    """The memory of a candidate that was read."""
    assert hit.row is not None  # noqa: S101 - `read_rows` leaves out those that are gone
    return cast(StoredMemory, hit.row.value)


def _place(hit: Hit) -> tuple[float, str]:
    """Sorts best first, ties by id."""
    return -round(hit.product, 6), hit.address.key  # the last digits of a cosine depend on its row


def _is_turn(hit: Hit) -> bool:
    return hit.address.namespace[0] == TURNS


def _each_once(turns: Sequence[Hit]) -> list[Hit]:
    """Kept turns, one of those that several owners keep."""
    best: dict[tuple[str, str], Hit] = {}
    for hit in turns:
        turn = memory_of(hit)
        best.setdefault((turn["position"], turn["memory"]), hit)
    return list(best.values())


def _repeats_apart(hits: Sequence[Hit]) -> tuple[list[Hit], list[Hit]]:
    """Results, and apart from them those all of whose source messages were cited by a better result; they come last.

    So a fact and the message it came from do not take two places. Memories of one batch never count as repeats.
    """
    shown: dict[tuple[str | None, str], str | None] = {}
    fresh: list[Hit] = []
    repeats: list[Hit] = []
    for hit in hits:
        memory = memory_of(hit)
        said, batch = _sources(memory), memory["log"][0]["batch_id"]
        repeated = bool(said) and all(shown.get(each, batch) != batch for each in said)
        (repeats if repeated else fresh).append(hit)
        for each in said:
            shown.setdefault(each, batch)
    return fresh, repeats


def _sources(memory: StoredMemory) -> list[tuple[str | None, str]]:
    source = memory["source"]
    return [(source["thread_id"], message_id) for message_id in source["message_ids"]]


def _faint_apart(hits: Sequence[Hit], search: Search) -> tuple[list[Hit], list[Hit]]:
    """Those that reach the threshold, and those that do not."""
    return (
        [hit for hit in hits if hit.score >= search.threshold],
        [hit for hit in hits if hit.score < search.threshold],
    )


async def _newer_first(
    settings: Settings, search: Search, found: list[Hit], faint: Sequence[Hit], noted: Touches
) -> list[Hit]:
    """Of memories about the same thing the newer first; a change of what was found comes along, found or not."""
    scale = await settings.repo.scale()
    if scale is None:
        return found
    read = await read_rows(settings, search, faint[: search.top_k]) if found and faint else []
    changes = [hit for hit in read if announces_change(memory_of(hit)["memory"])]
    _decay(settings, search, changes, noted)
    return _in_order([*found, *changes], len(found), search.newer_from, scale)[: search.top_k]


def _in_order(hits: Sequence[Hit], found: int, least: float, scale: Scale) -> list[Hit]:
    """The first so many hits, each newer one above the older one it replaces; of the others those that replace one.

    Args:
        hits: Best first.
        found: How many of them were found; the others are too faint for that.
        least: What share of an older one's score a newer one needs.
        scale: Of the embedder.
    """
    vectors = [hit.row.vector if hit.row else None for hit in hits]
    memories = [memory_of(hit) for hit in hits]

    def similarity(one: int, other: int) -> float:
        mine, others = vectors[one], vectors[other]
        alike = 0.0 if mine is None or others is None else scale.alike(mine, others)
        announced = alike >= ANNOUNCED_CHANGE and announces_change(memories[one]["memory"])
        return max(alike, SAME_STATEMENT) if announced else alike

    def newer(one: int, other: int) -> bool:
        later = _stated(memories[one]) > _stated(memories[other])
        return later and hits[one].product >= least * hits[other].product

    def replaces(one: int) -> bool:
        return any(newer(one, other) and similarity(one, other) >= SAME_STATEMENT for other in range(found))

    shown = [*range(found), *filter(replaces, range(found, len(hits)))]
    return [hits[at] for at in prefer_newer(shown, similarity=similarity, newer=newer)]


def _stated(memory: StoredMemory) -> str:
    return memory["event_date"] or memory["updated_at"]


def _logistic(score: float) -> float:
    return 1 / (1 + math.exp(-max(min(score, 500.0), -500.0)))
