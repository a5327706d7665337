"""Messages in any form become turns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.messages import SUMMARY, Turn, text_of, turns_of
from langchain_mem.ranking.context import CLOSING, OPENING
from tests.naming import spelled


@pytest.mark.parametrize(
    ("message", "role"),
    [
        ("hi", "user"),
        ({"role": "user", "content": "hi"}, "user"),
        ({"type": "human", "content": "hi"}, "user"),
        ({"role": "ai", "content": "hi"}, "assistant"),
        ({"role": "developer", "content": "hi"}, "system"),
        ({"role": "function", "content": "hi"}, "tool"),
        (HumanMessage("hi"), "user"),
        (AIMessage("hi"), "assistant"),
        (AIMessageChunk(content="hi"), "assistant"),
        (SystemMessage("hi"), "system"),
        (ToolMessage("hi", tool_call_id="1"), "tool"),
        (FunctionMessage("hi", name="f"), "tool"),
        (ChatMessage("hi", role="assistant"), "assistant"),
        (ChatMessage("hi", role="stranger"), "tool"),
        (HumanMessage("hi", additional_kwargs={"lc_source": SUMMARY}), "system"),
    ],
    ids=spelled,
)
def test_who_said_it(message: Any, role: str) -> None:
    """Every way to write a message says whose it is; a summary that was put in is nobody's words."""
    (turn,) = turns_of(message)
    assert (turn.role, turn.text) == (role, "hi")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hi", "hi"),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": "x"}, "b"], "a\nb"),
        ([{"type": "input_text", "text": "a"}, {"type": "thinking", "thinking": "hm"}], "a"),
        ([{"type": "text"}, {"type": "text", "text": None}], ""),
        (None, ""),
        (5, ""),
    ],
    ids=spelled,
)
def test_text_of_content(content: Any, text: str) -> None:
    """Of content in blocks the text is kept, the rest is left alone."""
    assert text_of(content) == text


def test_what_a_turn_keeps() -> None:
    """Id, name and time are kept, and a name stands before the words."""
    (turn,) = turns_of(HumanMessage("hi", id="m1", name="Ann", additional_kwargs={"timestamp": "2024-01-01"}))
    assert turn == Turn(role="user", text="hi", id="m1", name="Ann", said_at=datetime(2024, 1, 1, tzinfo=UTC))
    assert turn.spoken == "Ann: hi"
    (turn,) = turns_of({"role": "user", "content": "hi", "timestamp": datetime(2024, 1, 1, tzinfo=UTC)})
    assert turn.said_at == datetime(2024, 1, 1, tzinfo=UTC)


def test_what_was_recalled_is_taken_out() -> None:
    """What the package put into a message is no part of what was said, whole or cut off."""
    assert turns_of(f"{OPENING}\n- Likes tea\n{CLOSING}\nWhat do I like?")[0].text == "What do I like?"
    assert turns_of(f"{OPENING}\n- Likes tea") == []


def test_redaction_comes_before_anything() -> None:
    """A text is masked as it comes in; one of which nothing is left is no turn."""
    assert [turn.text for turn in turns_of(["a secret", "secret"], lambda text: text.replace("secret", ""))] == ["a "]


@pytest.mark.parametrize(
    "wrong",
    [5, None, [None], [["nested"]], {"role": "user"}, {"content": "hi"}, {"role": "cat", "content": "hi"}, object()],
    ids=spelled,
)
def test_what_is_no_message(wrong: Any) -> None:
    """The error says what a message is."""
    with pytest.raises(InvalidRequest, match="is no message"):
        turns_of(wrong)
