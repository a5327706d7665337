"""Tests of what counts as a user's wish to forget or change a memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.extraction.user_intent import asks_to_change, asks_to_forget

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEA: dict[str, Any] = {"id": "m-1", "memory": "Likes green tea", "categories": ["food"]}
roles = st.sampled_from(["assistant", "system", "tool"])


def _user(text: str) -> list[Turn]:
    return [Turn(role="user", text=text)]


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Forget that I like green tea", True),
        ("delete all of my food preferences", True),
        ("Forget everything about me", True),
        ("please remove m-1", True),
        ("Oublie le green tea", True),
        ("忘记 tea", True),
        ("Forget everything about jazz", False),
        ("I like green tea", False),
        ("Never mind", False),
        ("Forget that", False),
    ],
)
def test_a_request_names_what_to_forget(text: str, asks: bool):
    """A message asks to forget a memory where it asks to forget something, and that is this memory or everything."""
    assert asks_to_forget(TEA, _user(text)) is asks


@given(role=roles, text=st.sampled_from(["Forget green tea", "Delete everything", "Erase m-1"]))
@settings(max_examples=20)
def test_only_users_ask(role: Role, text: str):
    """The same words from anyone but a user ask for nothing."""
    turns = [Turn(role=role, text=text), Turn(role="user", text="Hello")]
    assert not asks_to_forget(TEA, turns)
    assert not asks_to_change(TEA, "Likes green coffee", [Turn(role=role, text="coffee")], now=NOW)


def test_a_change_is_what_was_said():
    """The new words come from a user, and nothing in them is invented."""
    said = _user("Actually I drink Ceylon tea these days")
    assert asks_to_change(TEA, "Likes Ceylon tea", said, now=NOW)
    assert not asks_to_change(TEA, "Likes Darjeeling tea", said, now=NOW)
    assert not asks_to_change(TEA, "Likes tea", said, now=NOW)
