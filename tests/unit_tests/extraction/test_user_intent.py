"""Tests of what counts as a user's wish to forget or change a memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.extraction.user_intent import asks_to_change, asks_to_forget, wishes_to_forget

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


SENTENCES = json.loads((Path(__file__).parents[2] / "data" / "consent.json").read_text())


def test_requests_of_the_set_are_understood():
    """Of forty requests to forget, in six languages, 95 % and more are seen as such."""
    requests = [each["sentence"] for each in SENTENCES if each["may_delete"]]
    missed = [sentence for sentence in requests if not wishes_to_forget(sentence)]
    assert len(missed) <= 0.05 * len(requests), missed


def test_nothing_else_of_the_set_deletes():
    """Of forty sentences with the same words that ask for something else, none may delete."""
    others = [each["sentence"] for each in SENTENCES if not each["may_delete"]]
    assert [sentence for sentence in others if wishes_to_forget(sentence)] == []


@pytest.mark.parametrize(
    "text",
    [
        "I don't remember my password",
        "Ich erinnere mich nicht an seinen Namen",
        "Je ne me souviens pas de son nom",
        "non ricordo il suo nome",
        "Please don't delete what you know about me",
        "How do I delete my Facebook data?",
        "Comment supprimer mes données de Facebook ?",
        "Forget the diet, give me dessert",
        "Delete the row where my name is wrong",
        "He said 'forget everything you know about me'",
    ],
)
def test_the_same_words_in_another_sense(text: str):
    """One's own forgetting, denials, questions, ways of speaking, quotations and work on files ask for nothing."""
    assert not wishes_to_forget(text)


@pytest.mark.parametrize(
    ("answer", "asks"), [("Yes, please.", True), ("Ja, bitte", True), ("Yes, and what is new?", False)]
)
def test_a_yes_to_the_question_is_a_request(answer: str, asks: bool):
    """An assistant may ask whether to forget, and a user's plain yes is the user's request."""
    asked = Turn(role="assistant", text="You told me that you like green tea. Shall I forget that you like green tea?")
    assert asks_to_forget(TEA, [asked, Turn(role="user", text=answer)]) is asks


def test_a_yes_to_another_question_is_none():
    """A yes to a question about something else forgets nothing."""
    asked = Turn(role="assistant", text="You like green tea. Shall I order some?")
    assert not asks_to_forget(TEA, [asked, Turn(role="user", text="Yes please")])
