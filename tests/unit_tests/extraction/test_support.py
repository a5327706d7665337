"""What a conversation supports, on the two sets of the benchmark, and the parts that tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.grounding import measure
from langchain_mem.extraction.clauses import clauses, takes_back
from langchain_mem.extraction.languages import language_of
from langchain_mem.extraction.messages import turns_of
from langchain_mem.extraction.prompts import DEFAULT_CATEGORIES, rules
from langchain_mem.extraction.quantities import quantities
from langchain_mem.extraction.support import Premise, weigh
from langchain_mem.testing.clock import FakeClock

NOW = FakeClock()()


@pytest.mark.parametrize("split", ["held_out", "all"])
def test_the_bars(split: str) -> None:
    """Of the true paraphrases at least 95 % are kept; of the falsehoods at most 10 % pass without a doubt."""
    found = measure(split)
    assert found["true"]["refused"] / found["true"].total() <= 0.05
    assert found["false"]["clear"] / found["false"].total() <= 0.10


@pytest.mark.parametrize(
    ("text", "numbers", "times"),
    [
        ("I am thirty-four", {34}, set()),
        ("we have two dozen hens", {2, 24}, set()),
        ("rent is £1.4k", {1.4, 1400}, set()),
        ("earns 1,200 euros or 1.200", {1200}, set()),
        ("i told myself 4.5 million saved by then", {4_500_000}, set()),
        ("Das Haus kostet 1,2 Millionen", {1_200_000}, set()),
        ("Das Haus kostet 1,2 Mio. Euro", {1.2, 1_200_000}, set()),
        ("it costs $4.5m, and is 12 m long", {4.5, 4_500_000, 12}, set()),
        ("at quarter to nine", set(), {"8:45", "20:45"}),
        ("Mein Termin ist um halb vier", set(), {"3:30", "15:30"}),
        ("3pm works", set(), {"15:00"}),
        ("Tengo cuarenta y dos años y un perro", {42, 1}, set()),
        ("COVID-19", set(), set()),
    ],
)
def test_quantities(text: str, numbers: set[float], times: set[str]) -> None:
    """Numbers and times in one form however they were written."""
    found = quantities(text)
    assert {number for each in found.numbers for number in each} == numbers
    assert {time for each in found.times for time in each} == times


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("on 5 May 2024", (2024, 5, 5)),
        ("May 5th, 2024", (2024, 5, 5)),
        ("2024-05", (2024, 5, None)),
        ("5.5.24", (2024, 5, 5)),
        ("am 5. Mai", (None, 5, 5)),
        ("en mai 88", (1988, 5, None)),
        ("back in '09", (2009, None, None)),
    ],
)
def test_dates(text: str, date: tuple[int | None, ...]) -> None:
    """Dates in the forms people write; what is left open stays open."""
    assert [found[:3] for found in quantities(text).dates] == [date]


@pytest.mark.parametrize(
    ("text", "code"),
    [("I like the sea", "en"), ("Ich mag das Meer", "de"), ("J'aime la mer et le vent", "fr"), ("Oslo", None)],
)
def test_languages(text: str, code: str | None) -> None:
    """A few function words tell a language, and one word tells none."""
    assert language_of(text) == code


def test_how_a_clause_was_said() -> None:
    """Each clause of a message is asked, denied, supposed, past or of somebody else by itself."""
    said = "I don't eat meat, my sister does. If I move, I buy a bike. I used to smoke. Is Porto nice?"
    found = {clause.text: clause for clause in clauses(said)}
    assert found["I don't eat meat"].denied
    assert found["my sister does."].person == "sister"
    assert all(found[text].supposed for text in ("If I move", "I buy a bike."))
    assert found["I used to smoke."].over
    assert found["Is Porto nice?"].asked
    assert not found["I don't eat meat"].asked


def test_taking_back() -> None:
    """A message that begins by correcting itself takes something back."""
    assert takes_back("oh sorry, LIVED, not live")
    assert not takes_back("I live in Leeds")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_weighed(fact: str, said: str) -> None:
    """Whatever a model and a user write, there is an answer."""
    told = Premise(turns=turns_of([said or "x"]), cited=(), speakers=("user",), known=(), observed=NOW)
    weigh(fact, told)


def test_the_prompt_is_short() -> None:
    """The rules cost under 1,100 tokens before anything is known or said."""
    from langchain_core.messages import SystemMessage
    from langchain_core.messages.utils import count_tokens_approximately

    text = rules(DEFAULT_CATEGORIES, None, subjects="both", as_json=True)
    assert count_tokens_approximately([SystemMessage(text)]) < 1_100
