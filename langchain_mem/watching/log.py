"""What observers are told of an event: one structured log line, and counts and span attributes of OpenTelemetry.

    langchain_mem  DEBUG  search user_id=alex query_chars=11 results=3 ms=4.1

What an operation changed is logged at INFO, what it only read at DEBUG. The same ids and numbers are fields of the
record (`record.langchain_mem`, a dict), for formatters that write JSON. A value cannot break the line: spaces, quotes
and what is not printable are written as JSON text.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_mem.watching.telemetry import NAME, Instruments, elapsed_ms, instruments

LOGGER: Final = logging.getLogger("langchain_mem")
"""Where every line of the package goes."""

READS: Final = frozenset({"search", "recall", "explain"})
"""The types of events that change nothing a user would look for; they are logged at DEBUG."""

_QUOTING: Final = (
    (re.compile(r"(nobody said|not said:) (?!anything)[^;]+"), r"\1 …"),
    (re.compile(r"says [^;]+ where [^;]+ was said"), "says … where … was said"),
    (re.compile(r"[^;]+ was said of somebody else than [^;]+"), "… was said of somebody else"),
)
_IDS: Final = ("batch_id", "thread_id", "checkpoint_id", "memory_id", "reason_code")
_DONE: Final = {"ADD": "added", "UPDATE": "updated", "SUPERSEDE": "superseded", "DELETE": "deleted", "NONE": "known"}


def report(type_: str, ids: Mapping[str, Any], details: Mapping[str, Any], *, with_text: bool = False) -> None:
    """Tells of an event whoever listens: writes a line, counts what was done, and notes it on the span under way.

    Args:
        type_: What happened, such as "search".
        ids: Whose memories.
        details: What there is to say.
        with_text: Whether the texts of the event are logged too.
    """
    log_event(type_, ids, details, with_text=with_text)
    made = instruments()
    if made is not None:
        _count(made, type_, details)
        span = made.current()
        if span.is_recording():
            known = {**ids, **measures(details)}
            span.set_attributes({f"{NAME}.{name}": value for name, value in known.items() if value is not None})


def _count(made: Instruments, type_: str, details: Mapping[str, Any]) -> None:
    """Counts what an event tells."""
    counters = made.counters
    if type_ == "search":
        counters["search.results"].add(len(details.get("results") or ()))
        return
    for event, times in outcomes(details.get("results")).items():
        counters["memories"].add(times, {"event": event})
    for name, count in (("refusals", len(details.get("rejected") or ())), ("purged", int(details.get("removed") or 0))):
        if count:
            counters[name].add(count)


def log_event(
    type_: str, ids: Mapping[str, Any], details: Mapping[str, Any], *, with_text: bool = False, ms: float | None = None
) -> None:
    """Writes one line for an event, if anybody listens.

    Args:
        type_: What happened, such as "search".
        ids: Whose memories.
        details: What there is to say; its texts are left out.
        with_text: Whether the texts of the event are written too.
        ms: How long it took, in milliseconds; `None` for what the operation that is under way has taken so far.
    """
    level = logging.DEBUG if type_ in READS else logging.INFO
    if not LOGGER.isEnabledFor(level):
        return
    fields = {**ids, **measures(details), **(texts(details) if with_text else {})}
    ms = elapsed_ms() if ms is None else ms
    if ms is not None:
        fields["ms"] = round(ms, 1)
    LOGGER.log(level, "%s", line(type_, fields), extra={"langchain_mem": {"event": type_, **fields}})


def line(type_: str, fields: Mapping[str, Any]) -> str:
    """An event's type and its fields on one line.

    Example:
        >>> line("add", {"user_id": "a b", "results": 2, "batch_id": None})
        'add user_id="a b" results=2'
    """
    return " ".join([type_, *(f"{name}={_plain(value)}" for name, value in fields.items() if value is not None)])


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        return str(value)
    harmless = value.isprintable() and value.isascii() and not set(value) & set(' "=\\') and value != ""
    return value if harmless else json.dumps(value)


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
