"""Phrases that say what a memory is useful for: short, few, and without anything but words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.model.records import sound

MOST_PHRASES: Final = 5
"""So many phrases a memory has at most."""

LONGEST_PHRASE: Final = 80
"""So many characters a phrase has at most."""


def checked_phrases(given: Any) -> list[str]:
    """Phrases as a caller gave them, each once and cleaned; `None` is none.

    Raises:
        InvalidRequest: They are no list of texts, or too many or too long.
    """
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes | dict)
    phrases = list(given) if several else []
    if (given is not None and not several) or not all(isinstance(phrase, str) for phrase in phrases):
        raise InvalidRequest(f"useful_for is a list of short phrases, not {shown(given)}.")
    cleaned = _cleaned(phrases)
    if len(cleaned) > MOST_PHRASES or any(len(phrase) > LONGEST_PHRASE for phrase in cleaned):
        raise InvalidRequest(
            f"useful_for has at most {MOST_PHRASES} phrases of at most {LONGEST_PHRASE} characters, not {shown(given)}."
        )
    return cleaned


def read_phrases(written: Any) -> list[str]:
    """Phrases as a model wrote them: what is none, is too long or is too much is left out."""
    texts = [each for each in written if isinstance(each, str)] if isinstance(written, list) else []
    return [phrase for phrase in _cleaned(texts) if len(phrase) <= LONGEST_PHRASE][:MOST_PHRASES]


def _cleaned(phrases: Iterable[str]) -> list[str]:
    """Phrases without control characters, line breaks and repetitions."""
    plain = ("".join(each if each.isprintable() else " " for each in sound(phrase)) for phrase in phrases)
    return [phrase for phrase in dict.fromkeys(" ".join(each.split()) for each in plain) if phrase]
