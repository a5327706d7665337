"""What a fact rests on: its names, numbers and dates, compared with the words it was drawn from.

No model is asked. A fact that names someone or something that its messages do not is invented; two facts whose names,
numbers, negations or times differ are two facts, however alike their embeddings are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

_IDENTIFIER: Final = re.compile(
    r"https?://\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[A-Z]+(?:-\w+)*-\d[\w-]*|\b(?=\w*\d)(?=\w*[^\W\d_])\w+(?:-\w+)*"
)
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ORDINAL: Final = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# "may" is a month where it is written like a name or stands beside a number
_MONTH: Final = "|".join(rf"{m}|{m[:3]}" for m in _MONTHS if m != "may") + r"|(?-i:May)|may(?=\s+\d)"
_DATE: Final = re.compile(
    rf"\d{{4}}-\d\d(?:-\d\d)?|(?:\b\d{{1,2}}\s+)?\b(?:{_MONTH})\b\.?(?:\s+\d{{1,2}}\b)?(?:,?\s+\d{{4}})?"
    r"|\b(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_RELATIVE: Final = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|ago|this|last|next|coming|past|in \w+ (?:day|week|month|year)s?"
    rf"|since|recently|weekend|{'|'.join(_WEEKDAYS)})\b",
    re.IGNORECASE,
)
_NUMBER_WORDS: Final = {
    word: str(number)
    for number, word in enumerate(
        ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
         "seventeen eighteen nineteen twenty").split()
    )
} | {"once": "1", "twice": "2", "thirty": "30", "forty": "40", "fifty": "50", "hundred": "100"}  # fmt: skip

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
    """The names, numbers and identifiers a text states; dates apart (see `invented`)."""
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


def invented(candidate: str, evidence: Sequence[str], *, observed: datetime, known: Iterable[str] = ()) -> list[str]:
    """What a candidate states that its evidence does not.

    Args:
        candidate: The fact.
        evidence: The texts it cites.
        observed: When they were said: a date may be worked out from "next month".
        known: Further words that need no evidence, such as the owner's name.

    Returns:
        The names, numbers, identifiers and dates without ground; empty for a grounded fact.
    """
    said = " ".join([*evidence, *known])
    words, capitals = _words(said), {_bare(word) for word in _WORD.findall(said) if word[0].isupper()}
    stated = claims(candidate)
    names = [name for name in stated.names if not _said_name(name, words, capitals)]
    numbers = [number for number in stated.numbers if number not in _numbers(said)]
    identifiers = [one for one in stated.identifiers if one not in claims(said).identifiers]
    dates = [date[0].strip() for date in _DATE.finditer(candidate) if not _said_date(date[0], said, observed)]
    return sorted([*names, *numbers, *identifiers, *dates])


def _words(text: str) -> set[str]:
    """The words of a text, and the parts of its hyphenated ones."""
    words = {_bare(word) for word in _WORD.findall(text)}
    return words | {part for word in words for part in re.split(r"['’-]", word)}


def _said_name(name: str, words: set[str], capitals: set[str]) -> bool:
    """A name is said as it is, or as a form of another name: Italian of Italy. Ann is not said by "planned"."""
    if name in words or all(part in words for part in re.split(r"['’-]", name)):
        return True
    stem = name[: max(4, len(name) - 3)]
    return len(name) > 4 and any(word.startswith(stem) for word in capitals)


def _numbers(text: str) -> set[str]:
    digits = {found.replace(",", "") for found in _NUMBER.findall(text)}
    parts = {part for number in digits for part in re.split(r"[.:]", number)}
    return digits | parts | {_NUMBER_WORDS[word] for word in _words(text) if word in _NUMBER_WORDS}


def _said_date(date: str, said: str, observed: datetime) -> bool:
    """Whether a date's parts were said, or can follow from a time that was said relative to the observation."""
    if _RELATIVE.search(said):
        return True
    numbers, words = _numbers(_DATE_PARTS.sub(" ", said)), _words(said)
    day_and_year = [str(int(number)) for number in re.findall(r"\d+", _month_apart(date)[1])]
    month = _month_apart(date)[0]
    # a year left unsaid is the year in which it was said
    known = {*(str(int(number)) for number in numbers if number.isdigit()), str(observed.year)}
    return all(number in known for number in day_and_year) and _said_month(month, words, known)


_DATE_PARTS: Final = re.compile(r"[-/]|(?<=\d)(?:st|nd|rd|th)\b", re.IGNORECASE)


def _month_apart(date: str) -> tuple[int | None, str]:
    """The month's number, and the date without it."""
    numeric = re.fullmatch(r"(\d{4})-(\d\d)(-\d\d)?", date.strip())
    if numeric:
        return int(numeric[2]), f"{numeric[1]} {numeric[3] or ''}"
    for number, month in enumerate(_MONTHS, 1):
        if re.search(rf"\b(?:{month}|{month[:3]})\b", date, re.IGNORECASE):
            return number, date
    return None, date


def _said_month(month: int | None, words: set[str], numbers: set[str]) -> bool:
    if month is None:
        return True
    name = _MONTHS[month - 1]
    return name in words or name[:3] in words or str(month) in numbers


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
