"""When messages that wait for their extraction are due, and which of them still count.

A chat of short turns costs one model call when it goes quiet, instead of one a turn. Until then its messages wait in
the store, so that they survive the process. Everything here is pure: a note of what waits, and what becomes of it.

    due = last message + after                 it has been quiet for so long
          now, from `tokens` tokens on         a prompt is full, and waiting longer saves nothing
          now + 30 s * 2^(failures - 1)        after a failure; given up after 5 until somebody speaks again
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, cast

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.extraction.portions import tokens
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import digest

TRIES: Final = 5
"""So often an extraction that fails is tried by itself."""

FIRST_PAUSE: Final = timedelta(seconds=30)
"""The pause after the first failure; each further one is twice as long."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long messages wait for their extraction.

    Attributes:
        after: For how long a thread must be quiet before its messages are extracted.
        tokens: How many waiting tokens are extracted at once; `None` for as many as one prompt contains.

    Raises:
        InvalidRequest: `after` is not a timedelta above zero, or `tokens` is not a whole number above zero.
    """

    after: timedelta
    tokens: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.after, timedelta) or self.after <= timedelta(0):
            raise InvalidRequest(f"after must be a timedelta above 0, not {shown(self.after)}.")
        whole = isinstance(self.tokens, int) and not isinstance(self.tokens, bool)
        if self.tokens is not None and (not whole or self.tokens < 1):
            raise InvalidRequest(f"after_tokens must be a whole number, 1 or more, not {shown(self.tokens)}.")


class Heard(TypedDict):
    """One message that waits, cleaned of secrets. A message without text waits too, to be counted as read."""

    id: str
    role: Role
    text: str
    name: str | None
    said_at: str
    checkpoint_id: str | None


class Waiting(TypedDict):
    """What waits of one thread, as it lies in the store. `due_at` is `None` where its extraction was given up."""

    ids: dict[str, str]
    thread_id: str
    behind: str | None
    messages: list[Heard]
    due_at: str | None
    failures: int
    updated_at: str


def heard(message_id: str, turn: Turn | None, now: datetime, checkpoint_id: str | None) -> Heard:
    """A message as it waits. When it was said is noted: "tomorrow" is counted from then, whenever it is read.

    Args:
        message_id: Its id.
        turn: What it says; `None` for a message without text.
        now: The present.
        checkpoint_id: The checkpoint of its thread in which it was heard.
    """
    said = turn or Turn(role="user", text="")
    return {
        "id": message_id,
        "role": said.role,
        "text": said.text,
        "name": said.name,
        "said_at": iso(said.said_at or now),
        "checkpoint_id": checkpoint_id,
    }


def turns(waiting: Sequence[Heard], *, dated: bool) -> list[Turn]:
    """What waits as turns, in order.

    Args:
        waiting: The messages.
        dated: Whether each turn says when it was said.
    """
    return [
        Turn(
            role=one["role"],
            text=one["text"],
            id=one["id"],
            name=one["name"],
            said_at=parse_iso(one["said_at"]) if dated else None,
            place=place,
        )
        for place, one in enumerate(waiting)
        if one["text"]
    ]


NO_WORDS: Final = digest("")
"""What a message without text said."""


def words_of_message(message: Heard) -> str:
    """What a message said, as a digest."""
    return digest(Turn(role=message["role"], text=message["text"], name=message["name"]).spoken)


def still_counting(before: Waiting | None, thread: Sequence[str]) -> list[Heard]:
    """Of what waits, the messages that are gone from their thread and count all the same.

    A message that is gone while one before it is still there was taken back: the thread was rewound, or the message
    deleted. What is gone along with everything before it was only trimmed, as summaries do, and was said.

    Args:
        before: What waits.
        thread: The ids of all messages of the thread, as it is now.
    """
    if before is None or before["behind"] in thread:
        return []
    present = [place for place, one in enumerate(before["messages"]) if one["id"] in thread]
    return before["messages"][: present[0] if present else None]


def waiting_after(before: Waiting | None, thread: Sequence[str], new: Sequence[Heard]) -> list[Heard]:
    """What waits after a turn: what counts of what waited, and what is new; one message once, in its newest words.

    Args:
        before: What waited.
        thread: The ids of all messages of the thread, in order.
        new: Those that have not been read in these words.
    """
    said = {one["id"]: one for one in (before["messages"] if before else ())}
    kept = still_counting(before, thread)
    return [*kept, *(_first_said(one, said.get(one["id"])) for one in new)]


def _first_said(now: Heard, before: Heard | None) -> Heard:
    """A message with the time at which these words were first heard."""
    return before if before is not None and words_of_message(before) == words_of_message(now) else now


def behind(thread: Sequence[str], waiting: Sequence[Heard], before: Waiting | None) -> str | None:
    """The message of a thread that the first waiting one follows."""
    if not waiting or waiting[0]["id"] not in thread:
        return before["behind"] if before else None
    place = list(thread).index(waiting[0]["id"])
    return thread[place - 1] if place else None


def due(waiting: Sequence[Heard], patience: Patience, limit: int, now: datetime) -> datetime:
    """When messages are to be read, where nothing has failed.

    Args:
        waiting: All that waits of a thread.
        patience: How long they wait.
        limit: How many tokens one prompt holds.
        now: The present, in which the last of them was said.
    """
    full = sum(tokens(one["text"]) for one in waiting) >= (patience.tokens or limit)
    return now if full else now + patience.after


def after_failure(failures: int, now: datetime) -> datetime | None:
    """When to try again after so many failures in a row; `None` where it is given up.

    >>> after_failure(2, datetime(2026, 1, 1)).isoformat(), after_failure(TRIES, datetime(2026, 1, 1))
    ('2026-01-01T00:01:00', None)
    """
    return None if failures >= TRIES else now + FIRST_PAUSE * 2 ** (failures - 1)


def without(waiting: Waiting, read: Mapping[str, str]) -> list[Heard]:
    """What is left of what waits once messages have been read.

    Args:
        waiting: What waits.
        read: The words that were read, by message id; a message with other words by now was edited and is left.
    """
    return [one for one in waiting["messages"] if read.get(one["id"]) != words_of_message(one)]


def holds(waiting: Waiting | None, message_ids: Collection[str]) -> bool:
    """Whether all of these messages still wait."""
    return waiting is not None and {*message_ids} <= {one["id"] for one in waiting["messages"]}


def waiting_in(value: Mapping[str, Any]) -> Waiting:
    """What a stored note says."""
    return cast(Waiting, value)
