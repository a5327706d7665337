"""The nouns: what a memory is in a store, and what operations return.

Results are plain `TypedDict`s of JSON values, so they are safe in graph state. A key without a value is `None`,
never missing. Instants are ISO 8601 text in UTC, `Z`, microseconds: fixed width, so text order is time order.
"""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import (
    Any,
    Final,
    Literal,
    NotRequired,  # pydantic reads these before Python 3.12
    cast,
)

from typing_extensions import TypedDict

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.instants import later, parse_iso
from langchain_mem.model.json_values import copied

Event = Literal["ADD", "UPDATE", "SUPERSEDE", "DELETE", "NONE"]
"""What an `add` did with one fact."""

Importance = Literal["always", "normal"]
"""Whether a memory belongs into every prompt (health, safety, names, instructions), or where it is relevant."""

State = Literal["live", "superseded", "deleted"]
"""Whether a memory is shown, was replaced by a newer one, or was deleted and can still be restored."""


class Source(TypedDict):
    """Where a memory, or a change of it, came from."""

    thread_id: str | None
    checkpoint_id: str | None
    message_ids: list[str]


class ScoreDetails(TypedDict):
    """How a score came about: `score` is `product` clamped to 0..1, and `product` is `relevance * factor`."""

    relevance: float
    parts: dict[str, float | None]
    reranked: float | None
    factor: float
    effective_age_seconds: float | None
    touches: int
    layer: str
    product: float


class MemoryDict(TypedDict):
    """One memory, as every operation returns it.

    `doubt` says why the conversation could not confirm it; `None` where nothing is in doubt. `event_date` is the start
    of what it tells of; `event_end` the end where that is longer than a day: a month, a year, a range. `useful_for` are
    short phrases for requests that need it without naming it; they are searched by meaning and never shown to a model.
    """

    id: str
    memory: str
    user_id: str | None
    agent_id: str | None
    app_id: str | None
    run_id: str | None
    org_id: str | None
    layer: str
    metadata: dict[str, Any]
    categories: list[str]
    confidence: float | None
    doubt: str | None
    importance: Importance
    useful_for: list[str]
    created_at: str
    updated_at: str
    expiration_date: str | None
    event_date: str | None
    event_end: str | None
    superseded_by: str | None
    source: Source
    role: str | None
    version: int


class FoundMemory(MemoryDict):
    """One memory that a search found, with its public score in 0..1."""

    score: float
    score_details: NotRequired[ScoreDetails]


class SearchResult(TypedDict):
    """What `search` returns."""

    results: list[FoundMemory]


class AddedMemory(TypedDict):
    """What `add` did with one fact."""

    id: str
    memory: str
    event: Event
    previous_memory: NotRequired[str]
    doubt: NotRequired[str]


class Rejected(TypedDict):
    """An operation the model proposed and the package refused, with the reason."""

    operation: dict[str, Any]
    reason: str


class AddResult(TypedDict):
    """What `add` returns; `rejected` only where something was, `revised` only where a plan was made anew."""

    results: list[AddedMemory]
    batch_id: str
    rejected: NotRequired[list[Rejected]]
    revised: NotRequired[int]


class Page(TypedDict):
    """One page of `get_all`; `next` and `previous` are page numbers, `cursor` what the next page goes on from."""

    results: list[MemoryDict]
    count: int
    page: int
    page_size: int
    next: int | None
    previous: int | None
    cursor: str | None


class Change(TypedDict):
    """One entry of a memory's history.

    A text, its metadata and the date of what it tells of are given as they were before the change and after it.
    Where the memory was superseded, `superseded_by` is the id of what replaced it, and `new_memory` its text.
    """

    memory_id: str
    event: str
    old_memory: str | None
    new_memory: str | None
    old_metadata: dict[str, Any] | None
    new_metadata: dict[str, Any] | None
    old_event_date: str | None
    new_event_date: str | None
    old_event_end: str | None
    new_event_end: str | None
    created_at: str
    source: Source
    batch_id: str | None
    reason: str | None
    superseded_by: str | None
    version: int


class Snapshot(TypedDict):
    """What a change may alter, as it stood after the change."""

    memory: str
    metadata: dict[str, Any]
    categories: list[str]
    confidence: float | None
    doubt: str | None
    importance: Importance
    useful_for: list[str]
    expiration_date: str | None
    event_date: str | None
    event_end: str | None
    superseded_by: str | None
    state: State


class LogEntry(TypedDict):
    """One change as a memory carries it; an undo says to which version it went back, 0 for before the first."""

    event: str
    version: int
    created_at: str
    batch_id: str | None
    reason: str | None
    source: Source
    after: Snapshot
    back_to: NotRequired[int]


class StoredMemory(MemoryDict):
    """A memory as it lies in the store: what is public, and what the package needs beside it.

    A memory carries its own history, so that both land in one write on every store. `said_to` is the user to whom an
    agent said what is kept verbatim: it may repeat the user's words, so it goes where the user is erased.
    """

    state: State
    digest: str
    log: list[LogEntry]
    cites: list[str]
    group: str | None
    position: str
    feedback: dict[str, Any] | None
    schema: str | None
    said_to: NotRequired[str]


PUBLIC: Final = tuple(MemoryDict.__annotations__)
"""The keys of a memory that operations return, in order."""

STORED: Final = tuple(StoredMemory.__annotations__)
"""The keys of a memory as it lies in the store."""

SNAPSHOT: Final = tuple(Snapshot.__annotations__)
"""The keys that a change may alter."""

_ADDED_LATER: Final[dict[str, Any]] = {"doubt": None, "importance": "normal", "event_end": None}
"""What a memory has that was written before these keys; `useful_for` beside, whose list is each memory's own."""


def complete(value: Mapping[str, Any]) -> StoredMemory:
    """A stored value with the keys that memories written by an earlier release do not have yet."""
    known = "useful_for" in value or "memory" not in value  # what is no memory, such as a journal, lacks nothing
    return cast(StoredMemory, value if known else {**_ADDED_LATER, "useful_for": [], **value})


def complete_with_log(value: Mapping[str, Any]) -> StoredMemory:
    """A stored value with the keys that an earlier release did not know, in its history too."""
    log = value.get("log")  # of any kind: what an import was given is checked afterwards
    completed = [_completed(entry) for entry in log] if isinstance(log, list) else log
    return cast(StoredMemory, {**complete(value), "log": completed})


def _completed(entry: Any) -> Any:
    after = entry.get("after") if isinstance(entry, Mapping) else None
    return {**entry, "after": complete(after)} if isinstance(after, Mapping) else entry


_IDS: Final = uuid.UUID("5f0c8f3e-8d43-4a5d-9b0e-6d1f6f2f7c11")


def public(stored: Mapping[str, Any]) -> MemoryDict:
    """A memory as operations return it: the caller's own, who may change it."""
    return public_all([stored])[0]


def public_all(stored: Sequence[Mapping[str, Any]]) -> list[MemoryDict]:
    """`public` for many memories."""
    known: list[Mapping[str, Any]] = [complete(each) for each in stored]
    return cast(list[MemoryDict], copied([{key: whole[key] for key in PUBLIC} for whole in known]))


def source_of(
    thread_id: str | None = None, checkpoint_id: str | None = None, message_ids: Sequence[str] = ()
) -> Source:
    """A source, complete."""
    return {"thread_id": thread_id, "checkpoint_id": checkpoint_id, "message_ids": list(message_ids)}


def sound(text: str) -> str:
    """A text that every engine can store: a surrogate without its other half, which is no character, is replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def fold(text: str) -> str:
    """What two texts share when they are the same fact: case, spacing and Unicode form folded.

    >>> fold("Likes  Tea ") == fold("likes tea")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def digest(text: str) -> str:
    """A short stand-in for `fold(text)`, to find the same fact by."""
    return hashlib.blake2b(fold(text).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def dated(text: str, when: datetime | None, until: datetime | None = None) -> str:
    """The text to embed and to index: a memory's words, after the day, the month or the year they tell of.

    >>> dated("Alex moved to Oslo.", datetime(2023, 5, 8))
    '[8 May 2023] Alex moved to Oslo.'
    >>> dated("Alex moved to Oslo.", datetime(2023, 5, 1), datetime(2023, 5, 31))
    '[May 2023] Alex moved to Oslo.'
    """
    return f"[{_day_or_longer(when, until)}] {text}" if when else text


def _day_or_longer(when: datetime, until: datetime | None) -> str:
    month = f"{_MONTHS[when.month - 1]} {when.year}"
    if until is None:
        return f"{when.day} {month}"
    if when.year == until.year and (when.month, until.month) == (1, 12):
        return str(when.year)
    last = f"{_MONTHS[until.month - 1]} {until.year}"
    return month if month == last else f"{month} to {last}"


_MONTHS: Final = (  # not strftime, whose names depend on the locale
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def content(memory: Mapping[str, Any]) -> str:
    """What of a memory is embedded and searched for words: its text, after its date where it has one."""
    return filed(memory["memory"], memory["event_date"], memory.get("event_end"))


def phrases_of(memory: Mapping[str, Any]) -> tuple[str, ...]:
    """What a memory is useful for, which is part of its vector; nothing where an earlier release wrote it."""
    return tuple(memory.get("useful_for") or ())


def filed(text: str, event_date: str | None, event_end: str | None) -> str:
    """A text after the date it tells of, as it is embedded."""
    return dated(text, parse_iso(event_date) if event_date else None, parse_iso(event_end) if event_end else None)


def is_live(memory: StoredMemory, now: str) -> bool:
    """Whether a memory is shown at an instant, given as ISO text."""
    return memory["state"] == "live" and not (memory["expiration_date"] and memory["expiration_date"] <= now)


def gone_at(memory: StoredMemory, purge_after: timedelta | None) -> datetime | None:
    """When a memory may be removed for good: so long after it expired, was superseded or was deleted."""
    ends = [memory["expiration_date"]] if memory["expiration_date"] else []
    ends += [memory["updated_at"]] if memory["state"] != "live" else []
    return None if purge_after is None or not ends else later(parse_iso(min(ends)), purge_after)


def id_for(home: Sequence[str], text: str, attempt: int = 0) -> str:
    """The id a text has in a namespace: the same text in the same place is the same memory, in any process.

    Args:
        home: The memory's namespace.
        text: Its text; `fold` of it counts.
        attempt: 0, or more where that id's memory has meanwhile been changed to another text.
    """
    return str(uuid.uuid5(_IDS, "\x1f".join([*home, fold(text), str(attempt)])))


def is_repeatable(source: Source) -> bool:
    """Whether a source names what was said, so that the same call can be told when it is repeated."""
    return source["thread_id"] is not None and bool(source["message_ids"])


def batch_id_of(ids: Mapping[str, str], source: Source, said: Iterable[str]) -> str:
    """The id of the batch of an addition: derived from what was said where that can be told, else random.

    Args:
        ids: Whose memories.
        source: Thread and messages.
        said: The words of each message: two facts may rest on the same one.
    """
    if not is_repeatable(source):
        return uuid.uuid4().hex
    whose = (f"{name}={value}" for name, value in ids.items())
    return batch_id_for(*whose, str(source["thread_id"]), *source["message_ids"], *said)


def check_importance(importance: Any) -> None:
    """Refuses what is no importance.

    Raises:
        InvalidRequest: It is something else.
    """
    if importance not in ("always", "normal"):
        raise InvalidRequest(f'importance is "always" or "normal", not {importance!r:.100}.')


def batch_id_for(*parts: str) -> str:
    """A batch's id, derived from what identifies it, so that a repeated run finds its result."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
