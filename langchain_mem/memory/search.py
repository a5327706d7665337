"""`search`: a query to ranked memories.

candidates in scope, filtered, unexpired  →  relevance  →  threshold  →  [rerank]  →  × decay  →  top_k  →  layers
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, Unpack, cast

from langchain_core.runnables import RunnableConfig

from langchain_mem.decay.policy import Decay
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.messages import turns_of
from langchain_mem.filters.conditions import ALWAYS, Condition, conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.reading.candidates import POOL as POOL
from langchain_mem.memory.reading.candidates import WITH_SUPERSEDED, Hit, Search
from langchain_mem.memory.reading.queries import is_in, of_kind, shown_at, view_of
from langchain_mem.memory.reading.ranked import ranked
from langchain_mem.memory.settings import QUOTED, Reinforce, Settings, decay_of
from langchain_mem.model.instants import instant, iso
from langchain_mem.model.kinds import KindName
from langchain_mem.model.records import PUBLIC, FoundMemory, ScoreDetails, SearchResult, public_all, source_of
from langchain_mem.model.scopes import Ids, Layer, Scope
from langchain_mem.ranking.relevance import NEARLY_EQUAL, asks_about_now, names_now
from langchain_mem.repository.owners import LIVE

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
            asks about the present. A newer one that announces a change ("moved", "no longer") then needs a quarter of
            the threshold only.
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
    in_layers, turns_wanted = _in_layers(layers), _turns_wanted(history, wanted)
    scope = Scope.of(ids)
    whose, patterns = scope.ids(), scope.patterns() if scope else ()
    now = settings.now()
    policy = settings.decay_for(scope.app_id) if decay is None else decay_of(decay)
    query = settings.clean(query)  # what was kept was cleaned too, so a hashed address is found by its hash
    then = now if as_of is None else instant(as_of)
    at = iso(then)
    places, asked = await view_of(settings, patterns, filters, now)
    asked = asked if kind is None else conjunction(asked, of_kind(kind))
    shown = shown_at(at, show_expired=show_expired, latest_only=latest_only)
    search = Search(
        query=query,
        scope=scope,
        now=then,
        condition=conjunction(asked, shown, in_layers),
        asked=asked,
        places=places,
        top_k=wanted,
        threshold=threshold,
        decay=policy,
        states=LIVE if latest_only else WITH_SUPERSEDED,
        turns=turns_wanted,
        newer=asks_about_now(query) if prefer_newer is None else prefer_newer,
        newer_from=0.0 if prefer_newer or names_now(query) else NEARLY_EQUAL,
        rerank=rerank,
        lasting=lasting,
    )
    hits, turns = await ranked(settings, search, None if as_of is None else at)
    found, details = _found([*hits, *turns], explain=explain)
    told = [{"id": hit.address.key, **each} for hit, each in zip(hits, details, strict=False)]
    memories, said = found[: len(hits)], found[len(hits) :]
    if order == "layer":
        memories.sort(key=_layer)
    if as_of is None and (reinforce or settings.reinforce) == "returned":
        settings.touches.record([hit.address for hit in hits], now)
    settings.activity.record("search", at, whose, query=query[:QUOTED], results=told)
    return {"results": [*memories, *said, *(raw_history(history) if isinstance(history, Sequence) else ())]}


search, asearch = operation(_search, run_name="search_memories")


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


def _layer(memory: FoundMemory) -> int:
    return _ORDER[memory["layer"]]


def _found(hits: Sequence[Hit], *, explain: bool) -> tuple[list[FoundMemory], list[ScoreDetails]]:
    """Memories as they are returned, each with its score, and how that came about, which some callers ask to see."""
    rows = [hit.row for hit in hits if hit.row is not None]  # every one was read
    memories = cast(list[FoundMemory], public_all([row.value for row in rows]))
    details = [_details(hit, memory) for hit, memory in zip(hits, memories, strict=True)]
    for memory, hit, detail in zip(memories, hits, details, strict=True):
        memory["score"] = min(max(hit.product, 0.0), 1.0)
        if explain:
            memory["score_details"] = detail
    return memories, details


def _details(hit: Hit, memory: FoundMemory) -> ScoreDetails:
    """How the score of a memory came about."""
    return {
        "relevance": hit.evidence.relevance,
        "parts": {name: value for name, value in hit.evidence._asdict().items() if name != "relevance"},
        "reranked": hit.reranked,
        "factor": hit.decayed["factor"],
        "effective_age_seconds": hit.decayed["effective_age_seconds"],
        "touches": hit.decayed["touches"],
        "layer": memory["layer"],
        "product": hit.product,
    }


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
