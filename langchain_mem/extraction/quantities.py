"""The numbers, times and dates in a text, in one form however they were written.

    "thirty-four"  34      "two dozen"      24       "3pm"              15:00      "quarter to nine"  8:45
    "£1.4k"        1400    "siete mil"      7000     "halb vier"        3:30       "back in '09"      2009

Words become numbers through `text2num`, in the languages it knows; of any other language only digits count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from text_to_num import alpha2digit  # type: ignore[import-untyped]  # a C extension without stubs

from langchain_mem._regex import regex
from langchain_mem.extraction.languages import language_of

_SPOKEN: Final = frozenset({"en", "fr", "es", "pt", "de", "it", "nl"})

_MONTHS: Final = {
    month: number
    for names in (
        "january february march april may june july august september october november december",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
        "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "jan feb mrz apr mai jun jul aug sept okt nov dez",
    )
    for number, month in enumerate(names.split(), 1)
}
_MONTH: Final = "|".join(sorted(map(re.escape, _MONTHS), key=len, reverse=True))
_DATE: Final = regex(
    rf"""\b(?P<iso>(?:19|20)\d\d-\d\d(?:-\d\d)?)\b
    |\b(?P<dotted>\d{{1,2}}[./]\d{{1,2}}[./](?:\d{{4}}|\d\d))\b
    |\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th|º|\.)?(?:\s*[-–]\s*(?P<until>\d{{1,2}})\.?)?\s+(?:of\s+|de\s+)?)?
      (?<!\w)(?P<month>{_MONTH})\b\.?
      (?:\s+(?P<after>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d|:|\s*(?:am|pm|%)))?(?:\s*,?\s+(?:de\s+)?(?P<year>(?:19|20)\d\d|'?\d\d\b))?
    |(?<![\d.,])(?P<alone>(?:19|20)\d\d)(?![\d:]|[.,]\d)(?!-\d)
    |(?<!\w)['’](?P<short>\d\d)(?!\d)
    |\bback\s+in\s+'?(?P<back>\d\d)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_HALF: Final = regex(r"\b(?:halb|half)\s+(\d{1,2})\b(?!\s*(?:hour|year|an))", re.IGNORECASE)
_CLOCK: Final = regex(
    r"\b(\d{1,2})(?:[:h](\d\d)|[.](\d\d)(?=\s*(?:am|pm|uhr)))?\s*(o'?clock|uhr|heures?|uur|horas?|h)?\s*(am|pm|a\.m\.|p\.m\.)?(?=\W|$)",
    re.IGNORECASE,
)
_RELATIVE_CLOCK: Final = regex(
    r"\b(half|quarter|viertel|kwart)\s+(past|to|before|after|nach|vor|over|voor)\s+(\d{1,2})\b", re.IGNORECASE
)
_AMOUNT: Final = regex(
    r"(?<![\w.,])(?<![^\W\d_]-)(\d+(?:[.,  ]\d{3})*(?:[.,]\d+)?|\d+)"
    r"\s?(k|tsd|grand|mil|tysięcy|dozen|m|mn|mio|mln)?(?![\w])",
    re.IGNORECASE,
)
_TIMES: Final = {
    "k": 1000, "tsd": 1000, "grand": 1000, "mil": 1000, "tysięcy": 1000, "dozen": 12,
    "mn": 1_000_000, "mio": 1_000_000, "mln": 1_000_000,
}  # fmt: skip
_CURRENCIES: Final = ("$", "€", "£", "¥", "₹", "₦")
_LARGE: Final = {
    1_000: "thousand thousands tausend duizend mila tysiące tysięcy",
    1_000_000: "million millions millionen millón millones milhão milhões milione milioni miljoen"
    " milion miliony milionów",
    1_000_000_000: "billion billions milliarde milliarden milliard milliards miliardo miliardi miljard"
    " miliard miliardów",
}
_LARGE_VALUES: Final = {word: value for value, words in _LARGE.items() for word in words.split()}
_OF_LARGE: Final = regex(rf"(?<![\w.,])(\d+(?:[.,]\d+)?)[  ]({'|'.join(_LARGE_VALUES)})\b", re.IGNORECASE)
"""Digits before such a word: "4.5 million" is one number."""
_MIXED: Final = regex(r"(\d+)\s?(?:'|ft|foot|feet)\s?(\d+)")
_IN_WORD: Final = regex(r"(?<=[a-zA-Z])(\d+)|(\d+)(?=[a-zA-Z])")

_WORDS_FOR_ONE: Final = regex(r"\b(?:once|single|a couple)\b", re.IGNORECASE)
_COUPLE: Final = {"once": "1", "single": "1", "a couple": "2"}


class Date(NamedTuple):
    """A date as a text writes it; what it leaves open is `None`."""

    year: int | None
    month: int | None
    day: int | None
    until: int | None = None

    def agrees(self, other: Date) -> bool:
        """Whether two dates can be one: what both say is the same."""
        pairs = zip(self[:3], other[:3], strict=True)
        same = all(one is None or another is None or one == another for one, another in pairs)
        return same and any(
            one is not None and one == another for one, another in zip(self[:3], other[:3], strict=True)
        )

    def covers(self, when: date) -> bool:
        """Whether a day can be meant by this date."""
        return self.agrees(Date(when.year, when.month, when.day)) and (self.year in (None, when.year))


class Quantities(NamedTuple):
    """What a text counts and dates; each number and time with the values that it may have."""

    numbers: tuple[frozenset[float], ...]
    times: tuple[frozenset[str], ...]
    dates: tuple[Date, ...]
    rest: str


@lru_cache(maxsize=4096)
def quantities(text: str) -> Quantities:
    """The numbers, clock times and dates of a text, and the text without its dates, words as digits."""
    plain = in_digits(text)
    dates = tuple(date for date in map(_date, _DATE.finditer(plain)) if date is not None)
    rest = _DATE.sub(" ", plain)
    times = tuple(frozenset(time) for time in _times(rest))
    rest = _CLOCK.sub(lambda found: " " if _is_clock(found) else found[0], rest)
    numbers = tuple(frozenset(number) for number in _numbers(_RELATIVE_CLOCK.sub(" ", _HALF.sub(" ", rest))))
    return Quantities(numbers, times, dates, rest)


@lru_cache(maxsize=4096)
def in_digits(text: str) -> str:
    """A text with its number words as digits.

    >>> in_digits("We have thirty-four hens and two dogs")
    'We have 34 hens and 2 dogs'
    >>> in_digits("I want to have saved 4.5 million by August")
    'I want to have saved 4500000 by August'
    """
    language = language_of(text) or "en"
    text = _WORDS_FOR_ONE.sub(lambda found: _COUPLE[found[0].lower()], text)
    text = _OF_LARGE.sub(_multiplied, text)
    if language not in _SPOKEN:
        return text
    return str(alpha2digit(text, language, threshold=0))


def _multiplied(found: re.Match[str]) -> str:
    value = _value(found[1])
    return found[0] if value is None else f"{value * _LARGE_VALUES[found[2].lower()]:.0f}"


def _date(found: re.Match[str]) -> Date | None:
    if iso := found["iso"]:
        year, month, *day = map(int, iso.split("-"))
        return Date(year, month, day[0] if day else None)
    if dotted := found["dotted"]:
        day_, month, year = map(int, re.split(r"[./]", dotted))
        return Date(_century(year), month, day_)
    for name in ("alone", "short", "back"):
        if found[name]:
            return Date(_century(int(found[name])), None, None)
    return _named(found)


def _named(found: re.Match[str]) -> Date | None:
    month = _MONTHS[found["month"].lower()]
    day, year = found["day"] or found["after"], found["year"]
    if day is not None and int(day) > 31:
        day, year = None, day
    if (
        found["month"].lower() in ("may", "mar", "mai", "maj", "mars")
        and found["month"].islower()
        and not (day or year)
    ):
        return None  # "may" is a verb more often
    whole = int(year.lstrip("'")) if year else None
    return Date(_century(whole), month, int(day) if day else None, int(found["until"]) if found["until"] else None)


def _century(year: int | None) -> int | None:
    if year is None or year > 99:
        return year
    return 2000 + year if year < 40 else 1900 + year


def _times(text: str) -> Iterator[list[str]]:
    """Clock times as "8:45", each at both halves of the day where the text does not say which."""
    for found in _HALF.finditer(text):
        # "halb vier" is half an hour before four; in English "half four" is after it
        yield _both(int(found[1]) - (found[0].lower().startswith("halb")), 30)
    for found in _RELATIVE_CLOCK.finditer(text):
        yield _both(*_offset(found[1].lower(), found[2].lower(), int(found[3])))
    for found in _CLOCK.finditer(text):
        hour, minute, half = int(found[1]), int(found[2] or found[3] or 0), (found[5] or "").lower()
        if hour > 24 or minute > 59 or not _is_clock(found):
            continue
        if half:
            yield [f"{hour % 12 + (12 if half[0] == 'p' else 0)}:{minute:02d}"]
        else:
            yield _both(hour, minute)


def _is_clock(found: re.Match[str]) -> bool:
    return any(found[group] for group in (2, 3, 4, 5))


def _offset(part: str, way: str, hour: int) -> tuple[int, int]:
    minutes = 30 if part == "half" else 15
    return (hour, minutes) if way in ("past", "after", "nach", "over") else (hour - 1, 60 - minutes)


def _both(hour: int, minute: int) -> list[str]:
    halves = (hour, hour + 12) if hour <= 12 else (hour,)
    return [f"{each % 24}:{minute:02d}" for each in halves]


def _numbers(text: str) -> Iterator[list[float]]:
    for found in _MIXED.finditer(text):
        yield from ([float(found[1])], [float(found[2])])
    for found in _AMOUNT.finditer(_MIXED.sub(" ", text)):
        value = _value(found[1])
        if value is not None:
            times = _TIMES.get((found[2] or "").lower())
            if found[2] == "m" and found.string[: found.start()].endswith(_CURRENCIES):
                times = 1_000_000  # without a currency they are meters
            yield [value, value * times] if times else [value]
    for found in _IN_WORD.finditer(_AMOUNT.sub(" ", text)):
        yield [float(found[1] or found[2])]


def _value(digits: str) -> float | None:
    """The value of digits in any writing: 1,200 and 1.200 and 1 200 are 1200; 1.5 and 1,5 are one and a half."""
    bare = re.sub(r"[  ]", "", digits)
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", bare):
        bare = re.sub(r"[.,]", "", bare)
    bare = re.sub(r"[.,](?=.*[.,])", "", bare).replace(",", ".")
    try:
        return float(bare)
    except ValueError:
        return None
