"""How something was said decides whether a fact was: wishes, requests, the past, others, names in other places."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from langchain_mem.extraction.judgement import Judge, Judgement
from langchain_mem.extraction.messages import turns_of
from langchain_mem.extraction.reconcile import Action, CheckedProposal


def judged(said: str, fact: str) -> Judgement:
    """What becomes of a fact drawn from one message."""
    turns = turns_of([{"role": "user", "content": said}])
    judge = Judge(turns=turns, observed=datetime(2024, 7, 9, 18, 30, tzinfo=UTC))
    return judge(CheckedProposal(action=Action.ADD, text=fact, evidence=(0,)))


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ("I'd love to live by the sea one day", "Lives by the sea"),
        ("Almost bought a Tesla last week", "Bought a Tesla last week"),
        ("They offered me the manager role, I have until Monday to decide", "Is a manager"),
        ("Kann sein, dass wir im Sommer nach Kroatien fahren", "Fährt im Sommer nach Kroatien"),
        ("J'aimerais bien apprendre le japonais", "Apprend le japonais"),
        ("Se calhar mudo-me para o Porto", "Muda-se para o Porto"),
        ("any tips for learning Greek", "Is learning Greek"),
        ('translate: "I live in Munich and have two cats"', "Lives in Munich and has two cats"),
        ("I was a vegetarian for ten years", "Is a vegetarian"),
        ("We sold the boat in June", "Owns a boat"),
        ("I switched from Android to iPhone last month", "Uses Android"),
        ("Da bambino suonavo il violino", "Suona il violino"),
        ("Troquei o Renault por um Toyota", "Tem um Renault"),
        ("Mara from accounting is moving to Lisbon", "Is moving to Lisbon"),
        ("Everyone in my class has an iPad except me", "Has an iPad"),
        ("the previous tenant was a drummer", "Is a drummer"),
        ("My son's teacher is called Mr Okoro", "His son is called Okoro"),
        ("El hijo de mi vecina estudia medicina", "Su hijo estudia medicina"),
        ("My daughter Lena plays with her friend Mia", "Has a daughter named Mia"),
        ("We flew from Oslo to Bergen", "Flew from Bergen to Oslo"),
        ("Jonas introduced me to Felix", "Introduced Jonas to Felix"),
    ],
)
def test_what_was_not_stated_is_in_doubt(said: str, fact: str) -> None:
    """A fact whose words were said as a wish, a request, the past or of others does not pass unmarked."""
    judgement = judged(said, fact)
    assert judgement.refused or judgement.operation.doubt


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ("I'd love to live by the sea one day", "Would love to live by the sea one day"),
        ("They offered me the manager role, I have until Monday to decide", "Was offered the manager role"),
        ("We sold the boat in June", "Sold the boat in June 2024"),
        ("I switched from Android to iPhone last month", "Switched from Android to iPhone in June 2024"),
        ("Mara from accounting is moving to Lisbon", "Mara from accounting is moving to Lisbon"),
        ("El hijo de mi vecina estudia medicina", "El hijo de su vecina estudia medicina"),
        ("My daughter Lena plays with her friend Mia", "Has a daughter named Lena"),
        ("We flew from Oslo to Bergen", "Flew from Oslo to Bergen"),
    ],
)
def test_what_was_said_so_is_clear(said: str, fact: str) -> None:
    """A fact that keeps the wish, the past or the other person is in no doubt."""
    judgement = judged(said, fact)
    assert (judgement.refused, judgement.operation.doubt) == (None, None)


def test_who_asks_about_what_is_theirs_has_it() -> None:
    """A question presupposes what it calls "my"."""
    judgement = judged("Can you help me with the tax return for my café in Brno?", "Has a café in Brno")
    assert (judgement.refused, judgement.operation.doubt) == (None, None)


def test_a_denial_in_other_words_is_no_contradiction() -> None:
    """A negated fact is not refused because the message denies it without a negation."""
    assert judged("My doctor ruled out celiac disease", "Does not have celiac disease").refused is None
