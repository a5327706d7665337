"""Tests of what still counts of messages that wait, and of when they are due. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.background.waiting import (
    Patience,
    Waiting,
    after_failure,
    behind,
    due,
    heard,
    waiting_after,
    without,
    words_of_message,
)
from langchain_mem.extraction.messages import Turn

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _said(*ids: str, text: str = "words") -> list[Any]:
    return [heard(each, Turn(role="user", text=f"{text} {each}", id=each), NOW, None) for each in ids]


def _note(behind_: str | None, *ids: str) -> Waiting:
    return {
        "ids": {"user_id": "alex"},
        "thread_id": "1",
        "behind": behind_,
        "messages": _said(*ids),
        "due_at": None,
        "failures": 0,
        "updated_at": "",
    }


@pytest.mark.parametrize(
    ("waits", "thread", "new", "left"),
    [
        (None, "ab", "ab", "ab"),
        (_note(None, "a", "b"), "abcd", "abcd", "abcd"),
        (_note("x", "a", "b"), "xay", "ay", "ay"),  # rewound to a
        (_note("x", "a", "b"), "xy", "y", "y"),  # rewound to what was read before
        (_note("x", "a", "b"), "by", "by", "aby"),  # trimmed: everything before b is gone
        (_note("x", "a", "b"), "y", "y", "aby"),  # trimmed: nothing is left to tell
        (_note(None, "a"), "b", "b", "ab"),
    ],
)
def test_what_is_trimmed_counts_and_what_is_taken_back_does_not(
    waits: Waiting | None, thread: str, new: str, left: str
):
    """A message that is gone while one before it is still there was taken back."""
    assert "".join(one["id"] for one in waiting_after(waits, list(thread), _said(*new))) == left


@given(st.lists(st.sampled_from("abcdefgh"), unique=True), st.integers(0, 8))
def test_a_thread_that_only_grows_loses_and_doubles_nothing(ids: list[str], cut: int):
    """However its messages come, all of them wait once and in order."""
    first, waits = ids[:cut], None
    if first:
        note = _note(None, *first)
        waits = note
    assert [one["id"] for one in waiting_after(waits, ids, _said(*ids))] == ids


def test_a_message_keeps_the_time_at_which_its_words_were_first_heard():
    """Edited, it has the time of the edit."""
    later = [
        heard("a", Turn(role="user", text=text, id="a"), NOW + timedelta(days=1), None) for text in ("words a", "x")
    ]
    assert [waiting_after(_note(None, "a"), ["a"], [one])[0]["said_at"][:10] for one in later] == [
        "2026-01-01",
        "2026-01-02",
    ]


def test_what_was_read_in_other_words_is_left():
    """A message that was edited while it was read waits on."""
    note = _note(None, "a", "b")
    read = {"a": words_of_message(note["messages"][0]), "b": "other words"}
    assert [one["id"] for one in without(note, read)] == ["b"]


def test_the_message_behind_is_the_one_before_the_first_that_waits():
    """Where that is gone from the thread, what was known before stays."""
    assert behind(["x", "a", "b"], _said("a", "b"), None) == "x"
    assert behind(["a"], _said("a"), None) is None
    assert behind(["y"], _said("a"), _note("x", "a")) == "x"


def test_many_tokens_are_due_at_once_and_failures_wait_longer_each_time():
    """The limit of a prompt counts where no other is given; after five failures it is given up."""
    patience = Patience(after=timedelta(minutes=5))
    assert due(_said("a"), patience, 100, NOW) == NOW + timedelta(minutes=5)
    assert due(_said("a", text="word " * 100), patience, 100, NOW) == NOW
    pauses = [after_failure(failures, NOW) for failures in range(1, 6)]
    assert [each and (each - NOW).total_seconds() for each in pauses] == [30, 60, 120, 240, None]
