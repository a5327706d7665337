"""Conversations in portions: bounded, in order, and nothing of them lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.extraction.messages import Turn
from langchain_mem.extraction.portions import LEAST_TOKENS, portions, tokens


def turns(*texts: str) -> list[Turn]:
    return [Turn(role="user", text=text, id=str(place), place=place) for place, text in enumerate(texts)]


def test_a_short_conversation_is_one_portion() -> None:
    """What fits is not cut."""
    assert portions(turns("Hello", "I like tea"), 1000) == [turns("Hello", "I like tea")]


def test_a_long_one_is_several() -> None:
    """Messages stay whole and in order, and no portion is larger than asked."""
    said = turns(*(f"{number} {'word ' * 60}" for number in range(100)))
    parts = portions(said, 500)
    assert [turn for part in parts for turn in part] == said
    assert max(sum(tokens(turn.text) for turn in part) for part in parts) <= 500


def test_a_message_that_is_too_long_is_cut_between_sentences() -> None:
    """Its pieces are messages with its id and speaker, and remember all of it."""
    (book,) = turns(" ".join(f"Sentence number {number} ends here." for number in range(200)))
    pieces = [turn for part in portions([book], 300) for turn in part]
    assert len(pieces) > 3
    assert all(piece.text.endswith("here.") for piece in pieces)
    assert {(piece.id, piece.whole) for piece in pieces} == {("0", book.text)}
    assert " ".join(piece.text for piece in pieces) == book.text


@given(st.lists(st.text(max_size=3_000), max_size=5), st.integers(LEAST_TOKENS, 2_000))
def test_bounded_and_whole(texts: list[str], limit: int) -> None:
    """Of any messages every portion is bounded, and every letter that is no space is in one of them."""
    parts = portions(turns(*texts), limit)
    assert all(sum(tokens(turn.text) for turn in part) <= limit for part in parts)
    said = "".join("".join(text.split()) for text in texts)
    assert "".join("".join(turn.text.split()) for part in parts for turn in part) == said


@pytest.mark.parametrize(("text", "least"), [("a" * 400, 100), ("東京" * 50, 70), ("", 0)])
def test_tokens(text: str, least: int) -> None:
    """Scripts beyond ASCII cost more a letter."""
    assert tokens(text) >= least
