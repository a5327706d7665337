"""Which memories ask, and which are hardly ever needed for a request about the present, told by how they are worded.

What happened once ("Lost an umbrella in 2021"), what somebody thinks of things ("Thinks airports are too loud") and
what is so with people at a distance ("Old flatmate Dagmar is vegetarian") reads much like what a request needs ("Is
vegetarian"), and their embeddings are as near. The words tell them apart: the tense of the verb, a verb of opinion,
who the sentence is about. Whoever names Dagmar, or asks about the past, finds them all the same, by words and meaning.

The kin a person lives with or cares for (partner, children, parents, siblings) and present managers, teachers and
landlords are no people at a distance. A change of state ("Moved to Oslo", "Has retired", "Wife died in 2021") is no
passing event, and neither is one whose sentence goes on in the present ("Tore a ligament and must not run").

Of other languages a table, `passing.toml`, has the beginnings that tell opinions and people at a distance for certain;
the rest of them is told by meaning (`langchain_mem.ranking.situations`).
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Final

from langchain_mem._regex import regex

_FIRST_WORDS: Final = 9
"""A sentence's verb is looked for among so many."""

_PRESENT: Final = frozenset(
    """
    am are aren't can can't cannot do does doesn't don't has hasn't have haven't is isn't may might must need needs
    prefers should takes uses wants wears will won't works would wouldn't keeps likes lives owns says
    """.split()
)
_STILL: Final = frozenset("are can can't cannot has have is must need needs now says should still wants will".split())
_PAST: Final = frozenset(
    """
    ate began bent bit blew bought broke brought built burnt came caught chose cost cut dealt did drank drew drove fed
    fell felt flew forgave forgot fought found froze gave got grew had heard held hid hit hurt kept knew laid led left
    lent let lit lost made meant met paid put ran rang read rode rose said sang sank sat saw sent shook shot showed shut
    slept slid sold spent spilt spoilt spoke sprang stole stood struck stuck swam swept swore taught thought threw told
    took tore understood was went were woke won wore wrote
    """.split()
)
_NEW_STATE: Final = frozenset(
    """
    adopted allergic became born called changed decided diagnosed died divorced engaged exhausted interested married
    moved named promised quit retired separated started stopped stressed switched vowed widowed
    """.split()
)
_NO_PAST: Final = frozenset("based hundred indeed need speed tired unlimited".split())

_DATE: Final = regex(r"\[[^\]]{4,40}\] ")  # what `dated` puts before a text
_SPEAKER: Final = regex(r"^[\w .'-]{1,40}:\s")
_GOES_ON: Final = regex(
    r"(?:\b(?:and|but|so)|[;,])\s+(?!(?:across|always|as|his|its|perhaps|sometimes|this|us|was)\b)[a-z]{3,}s\b(?!')"
)
_OPINION: Final = regex(
    r"(?:the )?(?:user )?(?:thinks?|finds?|considers?|believes?)\b(?! (?:out|it (?:difficult|hard)))", re.IGNORECASE
)

_DISTANT: Final = (
    "acquaintance|aunt|barber|classmate|co-?worker|colleague|cousin|friend|great-aunt|great-uncle|hairdresser|neighbou?r"
    "|pen ?pal|schoolfriend|school friend|schoolmate|uncle|workmate"
)
_FORMER: Final = (
    "assistant|boss|coach|company|department|employer|flatmate|housemate|intern|job|landlady|landlord|manager|office"
    "|professor|pupil|roommate|school|student|teacher|team|trainee|trainer"
)
_OTHERS: Final = regex(
    r"(?:(?:an?|the|(?:the )?user'?s|his|her|their|my|our|one of (?:his|her|their|my))\s+)?"
    rf"(?:(?:old|former|ex-?|previous)[ -]?(?:{_DISTANT}|{_FORMER})|(?:{_DISTANT}))s?\b",
    re.IGNORECASE,
)
_QUESTION: Final = regex(r"[?？؟]\W*(\[[^\]]*\]\s*)?$")
_PAST_QUESTION: Final = regex(
    r"\b(?:ago|did|didn't|ever|had|happened|last|used to|was|wasn't|were|weren't|yesterday)\b"
    r"|\b(?:has|have)\b(?:\W+\w+){0,4}?\W+(?:been|done|\w+ed|\w+en)\b",
    re.IGNORECASE,
)
_FORMER_PLACE: Final = regex(
    r"\b(?:at|from|of) the (?:former|last|old|previous) (?:company|employer|flat|job|office|place|school|team)\b"
)


def is_question(text: str) -> bool:
    """Whether a memory asks rather than says; what stands in brackets at its end is not looked at.

    >>> is_question("Ann: Which one?"), is_question("Which one? [shares a photo]"), is_question("Why? Because.")
    (True, True, False)
    """
    return _QUESTION.search(text) is not None


def is_passing(text: str) -> bool:
    """Whether a memory tells of something that happened once, of an opinion, or of people at a distance.

    A turn with its speaker before it is taken for none of these, and of other languages only what is certain.

    Args:
        text: Its words, after its date where it has one.

    >>> is_passing("Lost an umbrella on the tram in 2021"), is_passing("Has lost the sense of smell")
    (True, False)
    >>> is_passing("Friend Zofia is allergic to penicillin"), is_passing("Daughter Mia is allergic to penicillin")
    (True, False)
    """
    date = _DATE.match(text)
    told = text if date is None else text[date.end() :]
    if _about_others(told) or _OPINION.match(told) is not None or _happened_once(told):
        return True
    return _elsewhere().match(told) is not None


def asks_of_past(query: str) -> bool:
    """Whether an English question is about what was, so that what passed is as good an answer as what lasts.

    >>> asks_of_past("When did we go to Rome?"), asks_of_past("Have I been to Rome?"), asks_of_past("Book me a hotel")
    (True, True, False)
    """
    return _PAST_QUESTION.search(query) is not None


def _about_others(told: str) -> bool:
    return _OTHERS.match(told) is not None or (" the " in told and _FORMER_PLACE.search(told) is not None)


@functools.cache
def _elsewhere() -> re.Pattern[str]:
    """What memories in other languages begin with that tell of opinions or of people at a distance."""
    text = files("langchain_mem.ranking").joinpath("passing.toml").read_text("utf-8")
    return re.compile(_any(map(_beginnings, tomllib.loads(text).values())) + r"\b", re.IGNORECASE)


def _beginnings(words: dict[str, list[str]]) -> str:
    """The pattern of one language's table."""
    people = _any([*words["distance"], *words["near"]])
    distant = _any([*words["distance"], f"{_any(words['former'])}[ -]{people}"])
    return _any([*words["opinions"], f"(?:{_any(words['articles'])}['’ ])?{distant}"])


def _any(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


def _happened_once(told: str) -> bool:
    """Whether the first verb is in the past, names no new state, and the sentence does not go on in the present."""
    words = told.lower().split()
    at = _past_verb(words)
    if at is None or _SPEAKER.match(told):
        return False
    return _STILL.isdisjoint(words[at + 1 :]) and not _GOES_ON.search(told)


def _past_verb(words: list[str]) -> int | None:
    """The place of a sentence's first verb, if that is in the past; a first word in -s or -ing is taken for a verb."""
    if words and words[0].endswith(("s", "ing")) and words[0] != "was":
        return None
    for at, word in enumerate(words[:_FIRST_WORDS]):
        if word in _PRESENT or word in _NEW_STATE:
            return None
        if word in _PAST or (word.endswith("ed") and len(word) > 4 and word not in _NO_PAST):
            return None if not _NEW_STATE.isdisjoint(words[at + 1 : at + 2]) else at
        if word.endswith(";"):
            return None
    return None
