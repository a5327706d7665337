"""What a fact rests on: its names, numbers and dates, compared with the words it was drawn from.

No model is asked. A fact that names someone or something that its messages do not is invented; two facts whose names,
numbers, negations or times differ are two facts, however alike their embeddings are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from langchain_mem._regex import regex

_IDENTIFIER: Final = regex(
    r"https?://\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[A-Z]+(?:-\w+)*-\d[\w-]*|\b(?=\w*\d)(?=\w*[^\W\d_])\w+(?:-\w+)*"
)
_NUMBER: Final = regex(r"\d+(?:[.,:]\d+)*")
_WORD: Final = regex(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ORDINAL: Final = regex(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# "may" is a month where it is written like a name or stands beside a number
_MONTH: Final = "|".join(rf"{m}|{m[:3]}" for m in _MONTHS if m != "may") + r"|(?-i:May)|may(?=\s+\d)"
_DATE: Final = regex(
    rf"\d{{4}}-\d\d(?:-\d\d)?|(?:\b\d{{1,2}}\s+)?\b(?:{_MONTH})\b\.?(?:\s+\d{{1,2}}\b)?(?:,?\s+\d{{4}})?"
    r"|\b(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_NO_NAMES: Final = frozenset(
    "a an the i i'm i've i'd my me he she it they we you his her its their our your user user's users assistant "
    "assistant's this that these those there and or but not no if when while since until also both each every some "
    "one someone everyone nobody".split()
)
_VERBS: Final = frozenset(
    "is are was were am has have had does did do can could will would should may might must likes loves prefers enjoys "
    "hates dislikes wants needs plans lives works plays owns uses drinks eats studies teaches speaks knows thinks "
    "feels believes bought buys moved moves went goes got gets started starts stopped stops visited visits travels "
    "traveled travelled joined joins became becomes grew married met recommended asked said told recently currently "
    "also never always often".split()
)
# what a fact may begin with that is no name, though it is written with a capital there and a verb follows
_SUBJECTS: Final = frozenset(
    "name names nickname birthday age email mail phone number address job work career role title salary employer "
    "company boss manager colleague colleagues team client customer project goal goals plan plans budget deadline "
    "meeting mother father mom mum dad parents sister brother siblings wife husband spouse partner girlfriend "
    "boyfriend son daughter kid kids child children baby family friend friends neighbor neighbour grandmother "
    "grandfather dog cat pet pets home house flat apartment city country car bike favorite favourite preferred "
    "favorites diet allergy allergies food dinner lunch breakfast coffee tea music sport sports health sleep "
    "doctor school university course hobby hobbies travel trip flight hotel vacation holiday wedding party "
    "weekend language languages password account order people everything nothing something".split()
)
_GUARDS: Final = frozenset(
    "not no never none nothing nobody neither nor without cannot can't don't doesn't didn't isn't aren't wasn't "
    "weren't won't wouldn't hasn't haven't hadn't longer stopped quit former formerly previously ex used anymore "
    "except dislikes dislike hates hate avoids avoid refuses allergic only until till from since before after during "
    "temporarily currently now yesterday today tomorrow last next past future will was were".split()
) | {*_MONTHS, *_WEEKDAYS}


class Claims(NamedTuple):
    """What in a text can be checked, case folded."""

    names: frozenset[str]
    numbers: frozenset[str]
    identifiers: frozenset[str]


@lru_cache(maxsize=4096)
def claims(text: str) -> Claims:
    """The names, numbers and identifiers a text states; dates apart."""
    without_dates = _DATE.sub(" ", _ORDINAL.sub(r"\1", text))
    identifiers = frozenset(found.rstrip(".,;!?").casefold() for found in _IDENTIFIER.findall(without_dates))
    rest = _IDENTIFIER.sub(" ", without_dates)
    numbers = frozenset(found.replace(",", "") for found in _NUMBER.findall(rest))
    return Claims(frozenset(_names(rest)), numbers, identifiers)


def _names(text: str) -> Iterable[str]:
    """Words in capitals where a sentence does not ask for them; a sentence's first only as the subject of a verb."""
    for sentence in re.split(r"(?<=[.!?;])\s+|\n", text):
        words = _WORD.findall(sentence)
        for place, word in enumerate(words):
            if not word[0].isupper() or word.casefold() in _NO_NAMES:
                continue
            if place or (len(words) > 1 and words[1].casefold() in _VERBS and _may_name(word.casefold())):
                yield _bare(word)


def _may_name(word: str) -> bool:
    return word not in _VERBS and word not in _SUBJECTS and not word.endswith("ing")


def _bare(word: str) -> str:
    return re.sub(r"['’]s$", "", word.casefold())


def _words(text: str) -> set[str]:
    """The words of a text, and the parts of its hyphenated ones."""
    words = {_bare(word) for word in _WORD.findall(text)}
    return words | {part for word in words for part in re.split(r"['’-]", word)}


def may_say_the_same(one: str, other: str) -> bool:
    """Whether two texts that sound alike can be one fact.

    Their names, numbers and identifiers must agree, and so must what turns a statement round or dates it: negations,
    "until", "formerly", months. Words of scripts without capitals all count as names.
    """
    if claims(one) != claims(other) or _dates(one) != _dates(other):
        return False
    differing = _words(one) ^ _words(other)
    return not any(word in _GUARDS or _without_case(word) for word in differing)


def _dates(text: str) -> set[str]:
    return {" ".join(date.casefold().split()) for date in _DATE.findall(text)}


def _without_case(word: str) -> bool:
    return word.lower() == word.upper()
