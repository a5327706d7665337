"""Whether a text says what several memories say: nothing new, and no name, figure or "not" less. No model is asked.

Words are compared by their stems, in the nine languages of `languages`. Function words and frames ("who", "named") may
differ. Numbers, times and dates are compared in one form, so "two" is 2 and "3pm" is 15:00.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from langchain_mem.extraction.cues import HEDGES, NEGATIONS
from langchain_mem.extraction.grounding import claims
from langchain_mem.extraction.languages import FRAME, LANGUAGES, alike, language_of, root, words
from langchain_mem.extraction.quantities import quantities

_FUNCTION_WORDS: Final = frozenset().union(*LANGUAGES.values(), FRAME)
_JOINING: Final = frozenset(
    """
    both including include includes together well too while meanwhile plus with such other him himself her hers it
    itself them us
    """.split()
)
_ORDINAL: Final = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")


def added(text: str, sources: Sequence[str]) -> str | None:
    """What a text says that none of its sources does; `None` where there is nothing.

    Args:
        text: The text.
        sources: What it rests on, with the dates that are known of it.
    """
    return (
        _new_name(text, sources)
        or _new_figure(text, sources)
        or next((f"no memory says {word}" for word in _new_words(text, sources)), None)
        or ("no memory denies anything" if _denies(text) and not any(map(_denies, sources)) else None)
    )


def invented(text: str, sources: Sequence[str]) -> str | None:
    """What a text names or counts that none of its sources does; other words are free. `None` for nothing."""
    return _new_name(text, sources) or _new_figure(text, sources)


def left_out(text: str, sources: Sequence[str]) -> str | None:
    """A name, figure, negation or reservation of the sources that a text leaves out; `None` for none."""
    if any(map(_denies, sources)) and not _denies(text):
        return "it leaves out what is denied"
    if any(map(_hedges, sources)) and not _hedges(text):
        return "it states what is only possible"
    return next((f"it leaves out {each}" for source in sources for each in _lacking(text, source)), None)


def _new_name(text: str, sources: Sequence[str]) -> str | None:
    """A name that no source has; in a language that writes every noun like one, none can be told apart."""
    if language_of(text) == "de":
        return None
    said = _stems(sources)
    names = (name for name in sorted(claims(quantities(text).rest).names) if name not in _FUNCTION_WORDS)
    new = (name for name in names if not _said(name, said))
    return next((f"no memory says {name.title()}" for name in new), None)


def _new_figure(text: str, sources: Sequence[str]) -> str | None:
    stated, known = quantities(text), [quantities(source) for source in sources]
    numbers = {value for each in known for number in each.numbers for value in number} | {1.0}
    times = {value for each in known for time in each.times for value in time}
    dates = [date for each in known for date in each.dates]
    new = [f"{min(number):g}" for number in stated.numbers if not number & numbers]
    new += [min(time) for time in stated.times if not time & times]
    new += [_shown(date) for date in stated.dates if not any(date.agrees(other) for other in dates)]
    return f"no memory says {new[0]}" if new else None


def _lacking(text: str, source: str) -> Iterator[str]:
    """The names and figures of one source that a text leaves out."""
    said, stated, own = _stems([text]), quantities(text), quantities(source)
    if language_of(source) != "de":
        found = claims(own.rest)
        names = (name for name in sorted({*found.names, *found.identifiers}) if name not in _FUNCTION_WORDS)
        yield from (name for name in names if name not in text.casefold() and not _said(name, said))
    numbers = {value for number in stated.numbers for value in number} | {1.0}  # most of them are articles
    times = {value for time in stated.times for value in time}
    yield from (f"{min(number):g}" for number in own.numbers if not number & numbers)
    yield from (min(time) for time in own.times if not time & times)
    yield from (_shown(date) for date in own.dates if not any(date.agrees(other) for other in stated.dates))


def _new_words(text: str, sources: Sequence[str]) -> Iterator[str]:
    said, language = _stems(sources), language_of(text)
    for word in words(_ORDINAL.sub("", quantities(text).rest)):
        free = len(word) < 2 or word in _FUNCTION_WORDS or word in _JOINING or word in NEGATIONS
        if not free and not _said(word, said, language):
            yield word


def _said(word: str, said: frozenset[str], language: str | None = None) -> bool:
    parts = [part for part in (word, *re.split(r"['’-]", word)) if len(part) > 1]
    forms = {root(part, each) for part in parts for each in (language, None)}  # a short text may not tell its language
    return not forms or any(alike(form, other) for form in forms for other in said)


def _stems(texts: Sequence[str]) -> frozenset[str]:
    """The stems of all words of texts, each as its language has it and as none."""
    return frozenset(
        root(part, language)
        for text in texts
        for language in (language_of(text), None)
        for word in words(text)
        for part in (word, *re.split(r"['’-]", word))
        if part
    )


def _denies(text: str) -> bool:
    return any(word in NEGATIONS or word.endswith("n't") for word in words(text))


def _hedges(text: str) -> bool:
    return any(word in HEDGES for word in words(text))


def _shown(date: Sequence[int | None]) -> str:
    return "-".join(str(part) for part in date[:3] if part is not None)
