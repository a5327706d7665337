"""The words of a text that can tell one memory from another: folded, stemmed, without those that every text has."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import Stemmer  # type: ignore[import-not-found]  # a C extension without stubs

# English function words, and those any chat is full of; "may" is also a month, and stays.
_STOP_WORDS = frozenset(
    """
    a about after again all also am an and any are aren't as at be because been before being both but by can can't
    could couldn't did didn't do does doesn't doing don't down during each few for from further get go got had has
    hasn't have haven't having he he's her here hers him his how i i'd i'll i'm i've if in into is isn't it it's
    its just let's like me more most much my myself no nor not now of off on once only or other our ours out over
    own really same she she's should so some such than that that's the their theirs them then there there's these
    they they're they've this those through to too under until up us very was wasn't we we'll we're we've were
    weren't what what's when where which while who whom whose why will with won't would wouldn't you you're you've
    your yours
    """.split()
)
# Thai, Lao, Myanmar, Khmer, kana, Han, Hangul
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_MARKS = "\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"  # vowel signs, which `\w` leaves out
_WORD = re.compile(rf"[{_UNSPACED}]+|(?:[^\W{_UNSPACED}_]|[{_MARKS}])+(?:'\w+)?")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'\w+)?")  # the same where there is nothing else, in a third of the time
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_ACCENTS = re.compile("[\u0300-\u036f]")


@lru_cache(maxsize=65_536)
def tokenize(text: str) -> tuple[str, ...]:
    """The words of a text that can tell one memory from another: stemmed, without stop words.

    Accents and case are folded. English is stemmed (Snowball); scripts written without spaces become pairs of
    neighboring characters.

    >>> tokenize("Alex prefers window seats, doesn't he?")
    ('alex', 'prefer', 'window', 'seat')
    >>> tokenize("東京大学")
    ('東京', '京大', '大学')
    """
    return tuple(token for word in words_of(text) for token in tokens_of(word))


def words_of(text: str, *, between: str = "") -> list[str]:
    """The words of a text as they are written, but for case and accents.

    Args:
        text: One text, or many joined by `between`: one call for all of them takes a tenth of the time.
        between: A character that stands in no word, and is returned wherever it stands.
    """
    word = _ASCII_WORD if text.isascii() else _WORD
    pattern = word if not between else re.compile(f"{re.escape(between)}|{word.pattern}")
    return pattern.findall(_fold(text))


def _fold(text: str) -> str:
    text = text.lower()
    if text.isascii():
        return text
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.replace("’", "'")))
    return unicodedata.normalize("NFC", bare)


@lru_cache(maxsize=65_536)
def tokens_of(word: str) -> Sequence[str]:
    """What a word that `words_of` found stands for: itself without its ending, pairs of characters, or nothing."""
    if word in _STOP_WORDS:
        return ()
    if not word.isascii() and _IS_UNSPACED.match(word):
        return tuple(word[i : i + 2] for i in range(max(1, len(word) - 1)))
    return (_stem(word),)


class _English(threading.local):
    """A stemmer for each thread: making one takes longer than stemming a hundred words, and none serves two threads."""

    def __init__(self) -> None:
        # what it would remember is remembered here, and its memory costs more than stemming
        self.stem = Stemmer.Stemmer("english", 0).stemWord


_ENGLISH = _English()


def _stem(word: str) -> str:
    return str(_ENGLISH.stem(word))
