"""The ids and numbers of an event: what may be logged, traced and kept without telling what a memory says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

_QUOTING: Final = (
    (re.compile(r"(nobody said|not said:) (?!anything)[^;]+"), r"\1 …"),
    (re.compile(r"says [^;]+ where [^;]+ was said"), "says … where … was said"),
    (re.compile(r"[^;]+ was said of somebody else than [^;]+"), "… was said of somebody else"),
)
_IDS: Final = ("batch_id", "thread_id", "checkpoint_id", "memory_id", "reason_code")


def measures(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details of an event without its texts.

    Numbers and ids stay, a list becomes its length, a text becomes the count of its characters, and an error, told as
    `StoreError: …`, becomes its type.

    Args:
        details: An event's `details`.

    Returns:
        Names and values that are numbers, booleans or ids.

    Example:
        >>> measures({"query": "Which seat?", "results": [{"event": "ADD"}], "batch_id": "b1", "tokens": 12})
        {'query_chars': 11, 'results': 1, 'added': 1, 'batch_id': 'b1', 'tokens': 12}
    """
    found: dict[str, Any] = {}
    for name, value in details.items():
        found.update(_measured(name, value))
    return found


def texts(details: Mapping[str, Any]) -> dict[str, str]:
    """The texts of an event, which are told only where an application asks for them."""
    return {name: value for name, value in details.items() if isinstance(value, str) and name not in _IDS}


def without_quotes(reason: str) -> str:
    """Why something was refused or doubted (see `langchain_mem.extraction.support`), without the words it quotes.

    Example:
        >>> without_quotes("nobody said Basque; not said: speaks; the message only supposes it")
        'nobody said …; not said: …; the message only supposes it'
    """
    for pattern, without in _QUOTING:
        reason = pattern.sub(without, reason)
    return reason


def outcomes(results: Any) -> Counter[str]:
    """How often each thing was done to a memory, by the `event` of each result."""
    listed = results if isinstance(results, Sequence) and not isinstance(results, str) else ()
    return Counter(str(each["event"]) for each in listed if isinstance(each, Mapping) and "event" in each)


_DONE: Final = {"ADD": "added", "UPDATE": "updated", "SUPERSEDE": "superseded", "DELETE": "deleted", "NONE": "known"}


def _measured(name: str, value: Any) -> dict[str, Any]:
    if value is None or isinstance(value, bool | int | float) or name in _IDS:
        return {name: value}
    if name == "error" and isinstance(value, str):
        return {name: kind} if (kind := value.partition(":")[0]).isidentifier() else {}
    if isinstance(value, str):
        return {f"{name}_chars": len(value)}
    if isinstance(value, Sequence):
        done = {_DONE.get(event, event.lower()): count for event, count in outcomes(value).items()}
        return {name: len(value), **done}
    return {name: len(value)} if isinstance(value, Mapping) else {}
