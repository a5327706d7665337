"""`search`: a query to ranked memories.

candidates in scope, filtered, unexpired  →  relevance  →  threshold  →  [rerank]  →  × decay  →  top_k  →  layers
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final, Literal, Unpack, cast

from langchain_core.runnables import RunnableConfig

from langchain_mem._flow import offload
from langchain_mem.decay.policy import Decay
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.messages import turns_of
from langchain_mem.filters.conditions import Condition, conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.reading.candidates import POOL as POOL
from langchain_mem.memory.reading.candidates import Hit, Search, candidates
from langchain_mem.memory.reading.queries import is_in, live, of_kind, view
from langchain_mem.memory.settings import Reinforce, Settings, decay_of
from langchain_mem.model.instants import instant, iso, parse_iso
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
from langchain_mem.model.scopes import Ids, Layer, Scope
from langchain_mem.ranking.relevance import (
    ANNOUNCED_CHANGE,
    SAME_STATEMENT,
    announces_change,
    asks_about_now,
    prefer_newer,
)

_ORDER: Final = {layer: place for place, layer in enumerate(Layer)}


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
    history: bool | Sequence[Any] | None = None,
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

    Scope, filters and expiry decide before anything is ranked. The best `top_k` by score, relevance times decay,
    are selected over all visible layers, and returned user first, then agent, session, app and org.

    Args:
        settings: Parts and policies; given by the memory.
        query: In the user's words.
        filters: Narrows what the ids allow; see the filter language. Without ids it must name an owner.
        kind: Only documents of this kind: a schema, or its name.
        top_k: At most so many, 1 or more.
        threshold: The least relevance, before decay, in 0..1.
        rerank: Whether to ask the reranker `Memory` was given.
        explain: Whether each result tells how its score came about, as `score_details`.
        decay: A policy, or on or off, for this search; `None` for that of `Memory`.
        order: `"score"` returns by score alone.
        show_expired: Whether expired memories count too.
        latest_only: Whether superseded memories stay hidden.
        history: `True` adds kept turns after the memories, messages add themselves; neither takes a place of one.
        layers: Only these: user, agent, session, app, org.
        as_of: Answers as the store stood then.
        prefer_newer: Whether of two that say nearly the same the newer comes first; `None`: where the query asks
            about the present.
        lasting: How far to prefer what holds for long ("is vegetarian") to what happened once, from 0 to 1: 0 for
            questions, about 0.5 for requests, which seldom name what they need.
        reinforce: Which results count as used; `None` for what `Memory` says.
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
    scope, now = Scope.of(ids), settings.now()
    check_search(query, top_k if limit is None else limit, threshold)
    if config is not None and not isinstance(config, Mapping):
        raise InvalidRequest(f"config must be a RunnableConfig, not {shown(config)}.")
    query = settings.clean(query)  # what was kept was cleaned too, so a hashed address is found by its hash
    _check_choices(order, reinforce, history)
    check_lasting(lasting)
    then = now if as_of is None else instant(as_of)
    places, asked = await view(settings, scope, filters, now)
    chosen = settings.decay_for(scope.app_id) if decay is None else decay_of(decay)
    asked_for = Search(
        query=query,
        scope=scope,
        now=then,
        condition=conjunction(
            asked,
            live(then, show_expired=show_expired, latest_only=latest_only),
            _in_layers(layers),
            conjunction() if kind is None else of_kind(kind),
        ),
        places=places,
        top_k=top_k if limit is None else limit,
        threshold=threshold,
        decay=chosen,
        latest_only=latest_only,
        history=history is True,
        newer=asks_about_now(query) if prefer_newer is None else prefer_newer,
        rerank=rerank,
        lasting=lasting,
    )
    hits, turns = await _ranked(settings, asked_for, None if as_of is None else iso(then))
    ordered = _by_layer(hits) if order == "layer" else hits
    results = [_found(hit, explain) for hit in [*ordered, *turns]]
    if isinstance(history, Sequence):
        results += raw_history(history)
    if as_of is None and (reinforce or settings.reinforce) == "returned":
        settings.touches.record([hit.row.address for hit in hits], now)
    told = [{"id": hit.memory["id"], **_details(hit)} for hit in hits]
    settings.activity.record("search", iso(then), scope.ids(), query=settings.quoted(query), results=told)
    return {"results": results}


search, asearch = operation(_search, run_name="search_memories")


async def _ranked(settings: Settings, search: Search, as_of: str | None) -> tuple[list[Hit], list[Hit]]:
    """The best memories, and after them the best kept turns where history was asked for. A body."""
    facts, turns = await candidates(settings, search, as_of)
    if search.rerank:
        await _rerank(settings, search.query, facts)
    _decay(settings, search, facts)
    fresh, repeats = _repeats_apart(sorted(facts, key=lambda hit: hit.key))
    if repeats and len(fresh) < search.top_k and not search.whole_pool:  # what was out of reach may rise past repeats
        return await _ranked(settings, replace(search, whole_pool=True), as_of)
    return _newer_first([*fresh, *repeats], search)[: search.top_k], _each_once(turns)[: search.top_k]


async def _rerank(settings: Settings, query: str, hits: Sequence[Hit]) -> None:
    """Asks the reranker how well each candidate answers. A body."""
    reranker = settings.reranker
    if reranker is None:
        raise InvalidRequest("rerank=True needs Memory(reranker=…): a function of a query and texts to scores.")
    scores = await offload(reranker, query, [hit.memory["memory"] for hit in hits])
    if len(scores) != len(hits):
        raise InvalidRequest(f"The reranker gave {len(scores)} scores for {len(hits)} texts.")
    squash = any(not 0 <= score <= 1 for score in scores)
    for hit, score in zip(hits, scores, strict=True):
        hit.reranked = _logistic(score) if squash else float(score)


def _decay(settings: Settings, search: Search, hits: Sequence[Hit]) -> None:
    if search.decay is None:
        return
    for hit in hits:
        memory, touches = hit.memory, hit.row.touches
        hit.decayed = search.decay.explain(
            [*touches, *settings.touches.pending(hit.row.address)],
            search.now,
            updated_at=parse_iso(memory["updated_at"]),
            event_date=parse_iso(memory["event_date"]) if memory["event_date"] else None,
            categories=memory["categories"],
        )


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


def _check_choices(order: object, reinforce: object, history: object) -> None:
    if order not in ("layer", "score"):
        raise InvalidRequest(f'order is "layer" or "score", not {shown(order)}.')
    if reinforce not in (None, "returned", "used", "none"):
        raise InvalidRequest(f'reinforce is "returned", "used" or "none", not {shown(reinforce)}.')
    if isinstance(history, str) or not (history is None or isinstance(history, bool | Sequence)):
        raise InvalidRequest(f"history is True, False or a list of messages, not {shown(history)}.")


def _in_layers(layers: Collection[str] | None) -> Condition:
    if layers is None:
        return conjunction()
    known = [str(layer) for layer in Layer if layer is not Layer.CONVERSATION]
    if isinstance(layers, str) or not layers or not set(layers) <= set(known):
        raise InvalidRequest(f"layers must be some of {known}, not {shown(layers)}.")
    return is_in("layer", [str(layer) for layer in layers])


def _each_once(turns: Sequence[Hit]) -> list[Hit]:
    """Kept turns, one of those that several owners keep."""
    best: dict[tuple[str, str], Hit] = {}
    for hit in turns:
        best.setdefault((hit.memory["position"], hit.memory["memory"]), hit)
    return list(best.values())


def _repeats_apart(hits: Sequence[Hit]) -> tuple[list[Hit], list[Hit]]:
    """Results, and apart from them those all of whose source messages were cited by a better result; they come last.

    So a fact and the message it came from do not take two places. Memories of one batch never count as repeats.
    """
    shown: dict[tuple[str | None, str], str | None] = {}
    fresh: list[Hit] = []
    repeats: list[Hit] = []
    for hit in hits:
        said, batch = _sources(hit.memory), hit.memory["log"][0]["batch_id"]
        repeated = bool(said) and all(shown.get(each, batch) != batch for each in said)
        (repeats if repeated else fresh).append(hit)
        for each in said:
            shown.setdefault(each, batch)
    return fresh, repeats


def _sources(memory: StoredMemory) -> list[tuple[str | None, str]]:
    source = memory["source"]
    return [(source["thread_id"], message_id) for message_id in source["message_ids"]]


def _newer_first(hits: list[Hit], search: Search) -> list[Hit]:
    """Of neighbors that say nearly the same the newer first; which come back stays as it is."""
    if not search.newer:
        return hits
    chosen = hits[: search.top_k]

    def similarity(one: int, other: int) -> float:
        vectors = chosen[one].row.vector, chosen[other].row.vector
        alike = 0.0 if vectors[0] is None or vectors[1] is None else float(vectors[0] @ vectors[1])
        announced = alike >= ANNOUNCED_CHANGE and announces_change(chosen[one].memory["memory"])
        return max(alike, SAME_STATEMENT) if announced else alike

    def newer(one: int, other: int) -> bool:
        return _stated(chosen[one].memory) > _stated(chosen[other].memory)

    return [chosen[at] for at in prefer_newer(range(len(chosen)), similarity=similarity, newer=newer)]


def _stated(memory: StoredMemory) -> str:
    return memory["event_date"] or memory["updated_at"]


def _by_layer(hits: Sequence[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: _ORDER[Layer(hit.memory["layer"])])


def _found(hit: Hit, explain: bool) -> FoundMemory:
    score = min(max(hit.product, 0.0), 1.0)
    found = cast(FoundMemory, {**public(hit.memory), "score": score})
    if explain:
        found["score_details"] = _details(hit)
    return found


def _details(hit: Hit) -> ScoreDetails:
    return {
        "relevance": hit.relevance,
        "parts": {name: value for name, value in hit.evidence.as_dict().items() if name != "relevance"},
        "reranked": hit.reranked,
        "factor": hit.decayed["factor"],
        "effective_age_seconds": hit.decayed["effective_age_seconds"],
        "touches": hit.decayed["touches"],
        "layer": hit.memory["layer"],
        "product": hit.product,
    }


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
