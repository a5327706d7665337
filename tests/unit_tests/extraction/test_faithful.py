"""Tests of whether a text says what several memories say, no more and no less."""

from __future__ import annotations

import pytest

from langchain_mem.extraction.faithful import added, invented, left_out

TRUE = [
    ("Has a dog named Rex, who is two years old and likes snow", ["Has a dog named Rex", "Rex is 2", "Rex likes snow"]),
    ("The dentist is on 3 May 2024 at 15:00", ["Dentist on 2024-05-03", "The dentist appointment is at 3pm"]),
    ("Is vegetarian and does not eat eggs", ["Is a vegetarian", "Doesn't eat eggs"]),
    ("Might move to Oslo or Bergen", ["Is considering a move to Oslo", "Might move to Bergen"]),
    ("Hat einen Hund namens Rex und eine Katze", ["Hat einen Hund namens Rex", "Hat eine Katze"]),
    ("Vive en Madrid y trabaja en un hospital", ["Vive en Madrid", "Trabaja en el hospital"]),
]

FALSE = [
    ("Has a dog named Max", ["Has a dog named Rex", "Rex likes snow"], "Max"),
    ("Has 3 dogs", ["Has 2 dogs", "The dogs like snow"], "3"),
    ("The dentist is on 4 May 2024", ["The dentist is on 3 May 2024", "Fears the dentist"], "4"),
    ("Meets the dentist at 16:00", ["Meets the dentist at 15:00", "Fears the dentist"], "16:00"),
    ("Has a dog that bites", ["Has a dog", "The dog is old"], "bites"),
    ("Does not like snow", ["Likes snow", "Likes rain"], "denies"),
]

LESS = [
    ("Has a dog", ["Has a dog named Rex", "The dog is old"], "rex"),
    ("Has a dog named Rex", ["Has a dog named Rex", "Rex is 2"], "2"),
    ("Has a dentist appointment", ["Dentist on 3 May 2024", "Fears the dentist"], "5-3"),
    ("Eats eggs", ["Doesn't eat eggs", "Eats bread"], "denied"),
    ("Moves to Oslo", ["Might move to Oslo", "Likes Oslo"], "possible"),
]


@pytest.mark.parametrize(("text", "sources"), TRUE)
def test_what_the_sources_say_is_faithful(text: str, sources: list[str]):
    """Other forms of words, numbers and dates are the same."""
    assert (added(text, sources), left_out(text, sources)) == (None, None)


@pytest.mark.parametrize(("text", "sources", "what"), FALSE)
def test_what_no_source_says_is_told(text: str, sources: list[str], what: str):
    """A name, a figure, a word or a negation of its own."""
    assert what in (added(text, sources) or "")


@pytest.mark.parametrize(("text", "sources", "what"), LESS)
def test_what_is_missing_is_told(text: str, sources: list[str], what: str):
    """A name, a figure, a negation or a reservation."""
    assert what in (left_out(text, sources) or "")


def test_a_summary_may_choose_its_words_but_no_names_and_figures():
    """So a profile may paraphrase."""
    assert invented("Shares a home with Rex", ["Has a dog named Rex"]) is None
    assert invented("Shares a home with Max", ["Has a dog named Rex"]) == "no memory says Max"
