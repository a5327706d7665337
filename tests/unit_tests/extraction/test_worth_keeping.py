"""Which turns are worth keeping as they are."""

from __future__ import annotations

import pytest

from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.extraction.worth_keeping import stands_alone, worth_keeping

SAID = [
    "I live in Hamburg.",
    "Actually I moved to Berlin",
    "My daughter Mia is four",
    "I'm allergic to nuts, so please no pesto",
    "Please always answer in German",
    "Good morning! I started at Initech on Monday.",
    "Can you help me? My boss is called Anna and she hates long mails.",
    "Great, and my sister Nina comes on Friday",
    "Ich wohne in Leipzig und habe zwei Kinder",
    "Je suis végétarienne",
    "Mi hermana vive en Lima",
    "Я живу в Казани",
    "私は東京に住んでいます。",
    "No meat for me",
    "I have to run every morning or I get grumpy",
    "Talk to Anna tomorrow about the roof",
    "And toast.",
    "What I like most is sailing.",
    "How I met Karin: on the ferry, in a storm",
    "When I was young we lived in Bonn",
    "What matters to me is that nobody calls on Sundays.",
    "Was ich nicht ausstehen kann, ist Koriander.",
    "Quand j'étais petite, nous habitions à Nice.",
]
UNSAID = [
    "What do you know about my daughter?",
    "what do you know about me",
    "Where do I live",
    "what is my boat called",
    "How the hell do I get there",
    "Was mag ich am liebsten",
    "And when is it?",
    "Hi",
    "Hello there!",
    "Good morning, Alex!",
    "Thank you so much",
    "Thanks, that's great.",
    "ok",
    "Great, do that.",
    "yes please",
    "Sounds good!",
    "Got it. Thanks!",
    "Thanks! Talk later.",
    "ok, gotta run, talk to you tomorrow",
    "Bis morgen, schönen Abend noch!",
    "À bientôt !",
    "Hasta luego",
    "Was weißt du über meine Tochter?",
    "Guten Morgen!",
    "Vielen Dank",
    "Merci beaucoup !",
    "¿Dónde vivo?",
    "Muchas gracias",
    "Где я живу?",
    "你好",
    "ありがとうございます",
    "私はどこに住んでいますか？",
    "Forget that I live in Hamburg.",
    "Please forget everything about my boss",
    "👍",
    "...",
]


def turn(role: Role, text: str) -> Turn:
    return Turn(role=role, text=text)


@pytest.mark.parametrize("text", SAID)
def test_what_says_something_is_kept(text: str) -> None:
    """A statement is kept, in several languages, beside a greeting or a question too."""
    assert worth_keeping([turn("user", text)]) == [True]


@pytest.mark.parametrize("text", UNSAID)
def test_what_says_nothing_is_not(text: str) -> None:
    """Questions, greetings, thanks, acknowledgments and requests to forget are no memories."""
    assert worth_keeping([turn("user", text)]) == [False]


def test_replies_that_answer_or_repeat_are_not_kept() -> None:
    """A reply is kept only if it says what a person did not, and was not merely asked."""
    talk = [
        turn("user", "Where do I live?"),
        turn("assistant", "You live in Hamburg."),
        turn("user", "I moved to Berlin with my cat Pixel."),
        turn("assistant", "So you moved to Berlin with your cat Pixel."),
        turn("assistant", "I have booked a vet in Kreuzberg for Tuesday at ten."),
    ]
    assert worth_keeping(talk) == [False, False, True, False, True]


@pytest.mark.parametrize("text", ["Where does my sister live?", "What should I cook?", "Ich suche einen Tierarzt"])
def test_a_message_that_names_something_stands_alone(text: str) -> None:
    """One that names what it is about can be searched for as it is."""
    assert stands_alone(text)


@pytest.mark.parametrize("text", ["yes", "Great, do that.", "And when is it?", "Tell me more", "ja genau", "Why?"])
def test_a_message_that_only_points_does_not(text: str) -> None:
    """One that points at what was said before needs it."""
    assert not stands_alone(text)
