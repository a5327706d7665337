"""`search`: a query to ranked memories.

candidates in scope, filtered, unexpired  →  relevance  →  threshold  →  [rerank]  →  × decay  →  top_k  →  layers
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, Unpack, cast

from langchain_core.runnables import RunnableConfig

from langchain_mem._flow import offload
from langchain_mem.decay.policy import Decay, Used
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.messages import turns_of
from langchain_mem.filters.conditions import ALWAYS, Condition, conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.reading.candidates import POOL as POOL
from langchain_mem.memory.reading.candidates import Hit, Search, candidates, read_rows
from langchain_mem.memory.reading.queries import is_in, live, of_kind, view
from langchain_mem.memory.settings import QUOTED, Reinforce, Settings, decay_of
from langchain_mem.model.instants import instant, iso
from langchain_mem.model.kinds import KindName
from langchain_mem.model.records import (
    PUBLIC,
    FoundMemory,
    ScoreDetails,
    SearchResult,
    StoredMemory,
    public,
    source_of,
)
from langchain_mem.model.scopes import TURNS, Ids, Layer, Scope
from langchain_mem.ranking.relevance import (
    ANNOUNCED_CHANGE,
    SAME_STATEMENT,
    announces_change,
    asks_about_now,
    prefer_newer,
)
from langchain_mem.ranking.scale import Scale
from langchain_mem.repository.touch_writer import Touches

_EQUAL: Final = (
    1e-6  # products that differ by no more are put in order by id: cosines' last digits depend on the engine
)
_ORDER: Final = {str(layer): place for place, layer in enumerate(Layer)}


async def _search(
    settings: Settings,
    query: str,
    *,
    filters: Mapping[str, Any] | None = None,
    kind: KindName | None = None,
    top_k: int = 10,
    threshold: float = 0.1,
    rerank: bool = False,
    explain: bool = False,
    decay: Decay | bool | None = None,
    order: Literal["layer", "score"] = "layer",
    show_expired: bool = False,
    latest_only: bool = True,
    history: bool | int | Sequence[Any] | None = None,
    layers: Collection[str] | None = None,
    as_of: date | datetime | str | None = None,
    prefer_newer: bool | None = None,
    lasting: float = 0.0,
    reinforce: Reinforce | None = None,
    limit: int | None = None,
    version: str | None = None,
    output_format: str | None = None,
    config: RunnableConfig | None = None,
    **ids: Unpack[Ids],
) -> SearchResult:
    """Finds the memories that answer a query.

    The ids, the filters and the expiry select the memories that may be found. Each gets a relevance from 0 to 1, and
    its score is the relevance multiplied by its decay factor. The `top_k` memories with the highest scores over all
    layers are returned: those of the user first, then agent, session, app and org.

    Args:
        query: What to look for, in the user's words.
        filters: A filter on the memories that the ids allow; see the filter language. In a call without ids it must
            name an owner in each branch.
        kind: Only documents of this kind are found: a schema, or its name.
        top_k: How many memories are returned at most, 1 or more.
        threshold: The least relevance of a result, from 0 to 1, compared before decay. The default is for questions;
            nodes, middleware and tools use a lower one.
        rerank: Whether the reranker of `Memory` scores the candidates.
        explain: Whether each result contains the parts of its score, as `score_details`.
        decay: The decay policy for this search, or `True` or `False`; `None` for the policy of `Memory`.
        order: `"layer"` groups the results by layer, `"score"` orders them by score alone.
        show_expired: Whether expired memories may be found.
        latest_only: Whether superseded memories stay hidden.
        history: `True` adds as many kept turns after the memories as there may be memories, a number adds so many, and
            messages add themselves. None of them takes a place of a memory.
        layers: Only these layers are searched: user, agent, session, app, org.
        as_of: A time in the past. The memories are searched as they were then.
        prefer_newer: Whether the newer of two memories about the same thing comes first; `None` does this if the query
            asks about the present.
        lasting: How strongly to prefer memories that such a request usually needs, and lasting facts, from 0 to 1. For
            example, "What should I cook?" needs a diet. Use 0 for questions and 0.75 for requests, which seldom name
            what they need.
        reinforce: Which results count as used; `None` for the setting of `Memory`.
        limit: Older code's `top_k`.
        version: Accepted from older code, and means nothing.
        output_format: Accepted from older code, and means nothing.
        config: The run of LangChain in whose trace the search is a retriever run; the one that is under way if unset.
        **ids: Whose memories: `user_id`, `agent_id`, `app_id`, `org_id`, and `run_id` (or `session_id`).

    Returns:
        `{"results": […]}`: memories with a `score` in 0..1.

    Raises:
        ScopeError: No owner is named.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
        InvalidRequest: The query is empty, or an argument is out of its range.
    """
    wanted = top_k if limit is None else limit
    check_search(query, wanted, threshold)
    _check_choices(order, reinforce, history, config)
    check_lasting(lasting)
    in_layers = _in_layers(layers)
    scope, now = Scope.of(ids), settings.now()
    then = now if as_of is None else instant(as_of)
    policy = settings.decay_for(scope.app_id) if decay is None else decay_of(decay)
    query = settings.clean(query)  # what was kept was cleaned too, so a hashed address is found by its hash
    places, asked = await view(settings, scope, filters, now)
    shown = live(then, show_expired=show_expired, latest_only=latest_only)
    hits, turns = await _ranked(
        settings,
        Search(
            query=query,
            scope=scope,
            now=then,
            condition=conjunction(asked, shown, in_layers, ALWAYS if kind is None else of_kind(kind)),
            places=places,
            top_k=wanted,
            threshold=threshold,
            decay=policy,
            latest_only=latest_only,
            turns=_turns_wanted(history, wanted),
            newer=asks_about_now(query) if prefer_newer is None else prefer_newer,
            rerank=rerank,
            lasting=lasting,
        ),
        None if as_of is None else iso(then),
    )
    details = _details([*hits, *turns])
    told = [{"id": hit.address.key, **each} for hit, each in zip(hits, details, strict=False)]
    found = _found([*hits, *turns], details if explain else None)
    memories = found[: len(hits)]
    results = (sorted(memories, key=_layer) if order == "layer" else memories) + found[len(hits) :]
    if as_of is None and (reinforce or settings.reinforce) == "returned":
        settings.touches.record([hit.address for hit in hits], now)
    settings.activity.record("search", iso(then), scope.ids(), query=query[:QUOTED], results=told)
    return {"results": [*results, *(raw_history(history) if isinstance(history, Sequence) else ())]}


search, asearch = operation(_search, run_name="search_memories")


async def _ranked(settings: Settings, search: Search, as_of: str | None) -> tuple[list[Hit], list[Hit]]:
    """The best memories, and after them the best kept turns where history was asked for."""
    noted = settings.touches.noted()  # before the index is read: what is written meanwhile is in one of both
    facts, turns = await candidates(settings, search, as_of)
    ready = not search.rerank and (search.decay is None or all(hit.used for hit in facts))
    if ready:
        _decay(settings, search, facts, noted)
        facts.sort(key=_place)
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
    scale = await settings.repo.scale() if search.newer else None
    best = _newer_first([*fresh, *repeats], search, scale)[: search.top_k]
    _undecayed(said)
    return best, _each_once(said)[: search.turns]


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
    scores = await offload(reranker, query, [_memory(hit)["memory"] for hit in hits])
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
    for at, hit in enumerate(hits):
        every = settings.touches.counted(hit.address, uses[at].touches, noted)
        uses[at] = uses[at] if every is uses[at].touches else uses[at]._replace(touches=every)
    for hit, decayed in zip(hits, search.decay.explain_all(uses, search.now), strict=True):
        hit.decayed, hit.product = decayed, hit.score * decayed["factor"]


def _undecayed(hits: Sequence[Hit]) -> None:
    """Takes scores as they are."""
    for hit in hits:
        hit.product = hit.score


def _used(hit: Hit) -> Used:
    """What decay asks of a memory that was read."""
    memory = _memory(hit)
    touches = hit.row.touches if hit.row else ()
    return Used(touches, memory["event_date"], memory["updated_at"], memory["categories"])


def _memory(hit: Hit) -> StoredMemory:
    """The memory of a candidate that was read."""
    assert hit.row is not None  # noqa: S101 - `read_rows` leaves out those that are gone
    memory: StoredMemory = hit.row.value
    return memory


def _place(hit: Hit) -> tuple[float, str]:
    """Sorts best first, ties by id."""
    return -round(hit.product, 6), hit.address.key  # the last digits of a cosine depend on its row


def check_search(query: str, top_k: int, threshold: float) -> None:
    """Refuses a search that cannot be.

    Raises:
        InvalidRequest: Says which argument, and what is allowed.
    """
    if not isinstance(query, str) or not query.strip():
        raise InvalidRequest(f"A query is a text that is not empty, not {shown(query)}.")
    if not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1:
        raise InvalidRequest(f"top_k must be a whole number, 1 or more, not {shown(top_k)}.")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise InvalidRequest(f"threshold must be a number from 0 to 1, not {shown(threshold)}.")


def check_lasting(lasting: float) -> None:
    """Refuses a share that is none.

    Raises:
        InvalidRequest: Says what is allowed.
    """
    if isinstance(lasting, bool) or not isinstance(lasting, int | float) or not 0 <= lasting <= 1:
        raise InvalidRequest(f"lasting must be a number from 0 to 1, not {lasting!r:.100}.")


def _check_choices(order: object, reinforce: object, history: object, config: object) -> None:
    if config is not None and not isinstance(config, Mapping):
        raise InvalidRequest(f"config must be a RunnableConfig, not {shown(config)}.")
    if order not in ("layer", "score"):
        raise InvalidRequest(f'order is "layer" or "score", not {shown(order)}.')
    if reinforce not in (None, "returned", "used", "none"):
        raise InvalidRequest(f'reinforce is "returned", "used" or "none", not {shown(reinforce)}.')
    if (
        isinstance(history, str)
        or not (history is None or isinstance(history, int | Sequence))
        or _is_negative(history)
    ):
        raise InvalidRequest(f"history is True, False, how many turns, or a list of messages, not {shown(history)}.")


def _is_negative(history: object) -> bool:
    return isinstance(history, int) and history < 0


def _turns_wanted(history: bool | int | Sequence[Any] | None, top_k: int) -> int:
    """How many kept turns a search returns at most."""
    if history is True:
        return top_k
    return history if isinstance(history, int) else 0


def _in_layers(layers: Collection[str] | None) -> Condition:
    if layers is None:
        return ALWAYS
    known = [str(layer) for layer in Layer if layer is not Layer.CONVERSATION]
    if isinstance(layers, str) or not layers or not set(layers) <= set(known):
        raise InvalidRequest(f"layers must be some of {known}, not {shown(layers)}.")
    return is_in("layer", [str(layer) for layer in layers])


def _is_turn(hit: Hit) -> bool:
    return hit.address.namespace[0] == TURNS


def _each_once(turns: Sequence[Hit]) -> list[Hit]:
    """Kept turns, one of those that several owners keep."""
    best: dict[tuple[str, str], Hit] = {}
    for hit in turns:
        turn = _memory(hit)
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
        memory = _memory(hit)
        said, batch = _sources(memory), memory["log"][0]["batch_id"]
        repeated = bool(said) and all(shown.get(each, batch) != batch for each in said)
        (repeats if repeated else fresh).append(hit)
        for each in said:
            shown.setdefault(each, batch)
    return fresh, repeats


def _sources(memory: StoredMemory) -> list[tuple[str | None, str]]:
    source = memory["source"]
    return [(source["thread_id"], message_id) for message_id in source["message_ids"]]


def _newer_first(hits: list[Hit], search: Search, scale: Scale | None) -> list[Hit]:
    """Of neighbors that say nearly the same the newer first; which come back stays as it is."""
    if scale is None:
        return hits
    chosen = hits[: search.top_k]

    vectors = [hit.row.vector if hit.row else None for hit in chosen]
    memories = [_memory(hit) for hit in chosen]

    def similarity(one: int, other: int) -> float:
        mine, others = vectors[one], vectors[other]
        alike = 0.0 if mine is None or others is None else scale.alike(mine, others)
        announced = alike >= ANNOUNCED_CHANGE and announces_change(memories[one]["memory"])
        return max(alike, SAME_STATEMENT) if announced else alike

    def newer(one: int, other: int) -> bool:
        return _stated(memories[one]) > _stated(memories[other])

    return [chosen[at] for at in prefer_newer(range(len(chosen)), similarity=similarity, newer=newer)]


def _stated(memory: StoredMemory) -> str:
    return memory["event_date"] or memory["updated_at"]


def _layer(memory: FoundMemory) -> int:
    return _ORDER[memory["layer"]]


def _found(hits: Sequence[Hit], details: Sequence[ScoreDetails] | None) -> list[FoundMemory]:
    """Memories as they are returned, each with its score, and with how that came about where it was asked for."""
    memories = [cast(FoundMemory, public(_memory(hit))) for hit in hits]
    for at, (memory, hit) in enumerate(zip(memories, hits, strict=True)):
        memory["score"] = min(max(hit.product, 0.0), 1.0)
        if details is not None:
            memory["score_details"] = details[at]
    return memories


def _details(hits: Sequence[Hit]) -> list[ScoreDetails]:
    """How the score of each memory came about."""
    parts = [hit.evidence.as_dict() for hit in hits]
    return [
        {
            "relevance": hit.evidence.relevance,
            "parts": {name: value for name, value in part.items() if name != "relevance"},
            "reranked": hit.reranked,
            "factor": hit.decayed["factor"],
            "effective_age_seconds": hit.decayed["effective_age_seconds"],
            "touches": hit.decayed["touches"],
            "layer": hit.row.value["layer"] if hit.row else "",
            "product": hit.product,
        }
        for hit, part in zip(hits, parts, strict=True)
    ]


def _logistic(score: float) -> float:
    return 1 / (1 + math.exp(-max(min(score, 500.0), -500.0)))


def raw_history(messages: Sequence[Any]) -> list[FoundMemory]:
    """The messages of a live thread in the shape of results: conversation memory, after everything else."""
    return [
        cast(
            FoundMemory,
            {
                **dict.fromkeys(PUBLIC),
                "id": turn.id or "",
                "memory": turn.spoken,
                "layer": str(Layer.CONVERSATION),
                "metadata": {"role": turn.role},
                "categories": [],
                "importance": "normal",
                "source": source_of(),
                "version": 0,
                "score": 0.0,
            },
        )
        for turn in turns_of(messages)
    ]
