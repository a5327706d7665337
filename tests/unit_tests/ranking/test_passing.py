"""Tests of what is told to pass by how it is worded."""

from __future__ import annotations

import pytest

from langchain_mem.ranking.passing import asks_of_past, is_passing
from langchain_mem.ranking.subjects import subjects, subjects_of


@pytest.mark.parametrize(
    "text",
    [
        "Went to a museum on a rainy Sunday",
        "The washing machine was repaired in March",
        "[June 2022] Got stuck under a bridge",
        "Thinks round tables are friendlier",
        "Ex-colleague Sunniva is gluten-free",
        "The user's friend Marit has a fear of lifts",
        "Tomás from the old office is allergic to strawberries",
        "Kollegin Birgit ist allergisch gegen Haselnüsse",
        "Meint, dass Züge früher pünktlicher waren",
        "Un ancien camarade habite à Montréal",
        "L'ex-patron collectionnait des montres",
        "El vecino de arriba toca la batería",
        "Il vicino ha comprato una moto",
        "Acha que o café do aeroporto é caro",
    ],
)
def test_passes(text: str) -> None:
    """Events, opinions, and people at a distance."""
    assert is_passing(text)


@pytest.mark.parametrize(
    "text",
    [
        "Is allergic to nuts",
        "User drives a 2014 VW Transporter diesel",
        "Moved to Oslo in 2023",
        "Daughter Mia was born on 9 May 2022",
        "Wife Dorothy died in October 2021",
        "Tore a ligament in January; must not run until autumn",
        "Mother Pilar had a hip operation in spring and walks with a stick",
        "Has not drunk alcohol since 2019",
        "Sober since 2018; asked never to be offered alcohol",
        "Boss is called Petra and wants short mails",
        "Ann: I went to the zoo yesterday",
        "Wohnt in Leipzig, vierter Stock, kein Aufzug",
        "Chefin heißt Petra",
        "Glaubt an Gott und fastet vor Ostern",
        "La compagne Léa est végétarienne",
        "Vicino a Torino con la compagna e un cane",
        "Trouve difficilement le sommeil",
        "",
    ],
)
def test_lasts(text: str) -> None:
    """States, changes of state, and what goes on; a turn is not judged."""
    assert not is_passing(text)


def test_a_question_about_the_past_is_told_by_its_words() -> None:
    """A request about what is to come is none."""
    assert asks_of_past("Where did I stay last time?")
    assert not asks_of_past("when do I fit in two classes a week?")
    assert not asks_of_past("What should I cook tonight?")


def test_a_word_is_of_a_subject_in_any_form_and_language() -> None:
    """Stems and accents are folded as in search."""
    assert subjects_of("driving") == subjects_of("drives") == ["travel"]
    assert subjects_of("mi hijo") == subjects_of("my sons") == ["child"]
    assert subjects_of("Quetzalcoatlus") == []
    assert all(subjects().values())
