"""Tests of which memories an answer drew on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.ranking.attribution import used

words = st.lists(st.sampled_from("window seat flight tokyo tea green cello music dog rex".split()), max_size=6)
sentences = words.map(" ".join)


def _memories(*texts: str) -> list[dict[str, Any]]:
    return [{"id": f"id-{place}", "memory": text} for place, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("question", "answer", "drawn_on"),
    [
        ("Which seat?", "I booked a window seat.", ["Prefers window seats"]),
        ("Which seat?", "What would you like?", []),
        ("What do I play?", "The cello, and you sit at the window.", ["Prefers window seats", "Plays the cello"]),
        ("Which seat?", "As you said (id-1).", ["Plays the cello"]),
        ("Do I play the cello?", "Yes, you play the cello.", ["Plays the cello"]),
    ],
)
def test_an_answer_draws_on_what_it_says(question: str, answer: str, drawn_on: list[str]):
    """A memory is used where the answer cites it or says what only it says."""
    found = used(_memories("Prefers window seats", "Plays the cello"), question, answer)
    assert [memory["memory"] for memory in found] == drawn_on


def test_a_word_that_every_memory_has_says_little():
    """Shared words weigh less: 1/3 ÷ (1/3 + 1 + 1) = 1/7 < 1/4."""
    memories = _memories("Alex drinks coffee", "Alex eats rice", "Alex climbs mountains")
    assert used(memories, "What now?", "Hello Alex") == []


@given(texts=st.lists(sentences, max_size=4), question=sentences, answer=sentences, more=sentences)
def test_saying_more_uses_no_less(texts: list[str], question: str, answer: str, more: str):
    """A longer answer draws on everything the shorter one drew on; an empty one on nothing."""
    memories = _memories(*texts)
    short, long = used(memories, question, answer), used(memories, question, f"{answer} {more}")
    assert [memory for memory in short if memory not in long] == []
    assert used(memories, question, "") == []
