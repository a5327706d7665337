"""The arguments of a `Memory`, checked when it is made: a mistake is told there, not at the first operation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.store.base import BaseStore

from langchain_mem.errors import InvalidRequest, shown


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


def check_importance(importance: Any) -> None:
    """Refuses what is no importance.

    Raises:
        InvalidRequest: It is something else.
    """
    if importance not in ("always", "normal"):
        raise InvalidRequest(f'importance is "always" or "normal", not {importance!r:.100}.')


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
    if not isinstance(model, BaseChatModel | str | None):
        raise InvalidRequest(f"model must be a chat model or its name, not {shown(model)}.")
    if not isinstance(store, BaseStore | str | Path | None):
        raise InvalidRequest(f"store must be a LangGraph store or where one lies, not {shown(store)}.")


def _is_text_by_text(given: Any) -> bool:
    return isinstance(given, Mapping) and all(isinstance(each, str) for pair in given.items() for each in pair)
