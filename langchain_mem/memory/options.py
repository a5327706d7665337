"""The arguments of a `Memory`, checked when it is made: a mistake is told there, not at the first operation."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from langgraph.store.base import BaseStore

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.judgement import Grounding
from langchain_mem.extraction.portions import LEAST_TOKENS
from langchain_mem.memory.settings import Decays, decay_of


def check_spans(**spans: timedelta | None) -> None:
    """Refuses what is no span of time above zero; `None` is for ever.

    Raises:
        InvalidRequest: One is something else; a number would leave its unit to guess.
    """
    for name, span in spans.items():
        if span is not None and not (isinstance(span, timedelta) and span > timedelta(0)):
            raise InvalidRequest(f"{name} must be a timedelta above 0, or None for ever, not {shown(span)}.")


def check_texts(**named: Any) -> None:
    """Refuses what is no text, or an empty one; `None` is none at all.

    Raises:
        InvalidRequest: One is something else; says which.
    """
    for name, text in named.items():
        if text is not None and not (isinstance(text, str) and text):
            raise InvalidRequest(f"{name} must be a text that is not empty, not {shown(text)}.")


def check_ids(**named: Any) -> None:
    """Refuses what cannot be the id of a thread, a checkpoint, a message or a batch; `None` is none at all.

    Raises:
        InvalidRequest: One is no text, is empty, or holds half a character, which no database can store.
    """
    check_texts(**named)
    for name, value in named.items():
        if value is not None and any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidRequest(f"{name} holds a lone surrogate, which is no character and cannot be stored.")


def check_limit(limit: Any) -> None:
    """Refuses what is no whole number above 0; `None` is no limit.

    Raises:
        InvalidRequest: It is something else.
    """
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise InvalidRequest(f"limit must be a whole number, 1 or more, or None, not {shown(limit)}.")


def check_names(**named: Any) -> None:
    """Refuses what is no list of texts; `None` is none at all. A text is no list of its letters.

    Raises:
        InvalidRequest: One is something else; says which.
    """
    for name, several in named.items():
        listed = isinstance(several, Collection) and not isinstance(several, str | bytes | Mapping)
        if several is not None and not (listed and all(isinstance(each, str) for each in several)):
            raise InvalidRequest(f"{name} must be a list of texts, not {shown(several)}.")


def check_checkpointer(checkpointer: Any) -> None:
    """Refuses what cannot delete threads; `None` is none at all.

    Raises:
        InvalidRequest: It is something else than a checkpointer.
    """
    able = all(callable(getattr(checkpointer, name, None)) for name in ("delete_thread", "adelete_thread"))
    if checkpointer is not None and not able:
        raise InvalidRequest(f"checkpointer must be a LangGraph checkpointer, not {shown(checkpointer)}.")


def check_decay(decay: Decays) -> None:
    """Refuses what is no setting of decay.

    Raises:
        InvalidRequest: It, or a policy in it, is something else.
    """
    for chosen in decay.values() if isinstance(decay, Mapping) else (decay,):
        decay_of(chosen)


def check_extraction(grounding: str, extraction_tokens: int) -> None:
    """Refuses what extraction cannot be told.

    Raises:
        InvalidRequest: One is out of its range; says which, and what is allowed.
    """
    if grounding not in get_args(Grounding):
        raise InvalidRequest(f"grounding is one of {', '.join(get_args(Grounding))}, not {shown(str(grounding))}.")
    whole = isinstance(extraction_tokens, int) and not isinstance(extraction_tokens, bool)
    if not whole or extraction_tokens < LEAST_TOKENS:
        told = repr(extraction_tokens)[:80]
        raise InvalidRequest(f"extraction_tokens must be a whole number from {LEAST_TOKENS}, not {told}.")


def check_policies(decay: Decays, min_confidence: float, reinforce: str) -> None:
    """Refuses policies that are none.

    Raises:
        InvalidRequest: One is; says which, and what is allowed.
    """
    check_decay(decay)
    number = isinstance(min_confidence, int | float) and not isinstance(min_confidence, bool)
    if not number or not 0 <= min_confidence <= 1:
        raise InvalidRequest(f"min_confidence must be a number from 0 to 1, not {shown(min_confidence)}.")
    if reinforce not in ("returned", "used", "none"):
        raise InvalidRequest(f'reinforce is "returned", "used" or "none", not {shown(reinforce)}.')


def check_watching(on_event: object, keep_events: object) -> None:
    """Refuses what events cannot be handed to.

    Raises:
        InvalidRequest: One is out of its range; says which, and what is allowed.
    """
    if on_event is not None and (not callable(on_event) or inspect.iscoroutinefunction(on_event)):
        raise InvalidRequest("on_event is a plain function of one event; a coroutine reads memory.watch() instead.")
    if isinstance(keep_events, bool) or not isinstance(keep_events, int) or keep_events < 0:
        raise InvalidRequest(f"keep_events must be a whole number, 0 or more, not {keep_events!r:.200}.")


def check_parts(
    *,
    callables: Mapping[str, Any],
    texts: Mapping[str, Any],
    categories: Any,
    model: Any,
    store: Any,
) -> None:
    """Refuses parts of a memory that are of the wrong kind.

    Raises:
        InvalidRequest: One is; says what it may be.
    """
    for name, part in callables.items():
        if part is not None and not callable(part):
            raise InvalidRequest(f"{name} must be a function, not {shown(part)}.")
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise InvalidRequest(f"{name} must be text, not {shown(text)}.")
    if categories is not None and not _is_text_by_text(categories):
        raise InvalidRequest(f"categories must map names to what each is for, not {shown(categories)}.")
    if not isinstance(model, str | None):
        _check_model(model)
    if not isinstance(store, BaseStore | str | Path | None):
        raise InvalidRequest(f"store must be a LangGraph store or where one lies, not {shown(store)}.")


def _check_model(model: Any) -> None:
    from langchain_core.language_models import BaseChatModel  # here, where there is a model: it imports LangSmith

    if not isinstance(model, BaseChatModel):
        raise InvalidRequest(f"model must be a chat model or its name, not {shown(model)}.")


def _is_text_by_text(given: Any) -> bool:
    return isinstance(given, Mapping) and all(isinstance(each, str) for pair in given.items() for each in pair)
