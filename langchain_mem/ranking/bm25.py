"""Words shared by a query and a memory: tokens, an inverted index, and BM25 at three widths.

A chat turn says little by itself: "Yes, two of them!" is found by the words before it. So a memory is scored by its own
words, by those of its window, and by those of its whole group (the session it stood in). The window is the memory and
the one before it in its group, with half of the one before that and half of the one after: what a turn answers stands
before it, and its speaker's last words stand before that.

    idf(t)   = ln(1 + (N + 30 - df + 0.5) / (df + 0.5))          df of N memories have the word
    tf'(t,x) = tf / (tf + k1·(1 - b + b·|x| / avg|x|))           x = the memory, its window, or its group
    score(x) = Σ_t idf(t)·tf'(t,x) / Σ_t idf(t)                  t over the query's words; 0 ≤ score < 1

This is BM25 (Robertson & Zaragoza 2009, in Lucene's form) over the most it could be: the share of the query's rare
words that were found. A word that no memory has counts among them, so a query of unknown words scores 0 and one known
word in ten scores a tenth. The 30 are imagined memories without the word, because in a store of two the counts say
nothing about which words are rare.

Only the query's own rows of the index are ever scored, so one index serves all three widths, and building it costs
little more than reading the words. (`bm25s` scores every word of every text ahead: three indexes, and 0.8 s to import.)
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import Stemmer  # type: ignore[import-not-found]  # a C extension without stubs

from langchain_mem.ranking.parts import Floats

K1 = 1.5  # BM25's usual saturation …
B = 0.75  # … and length normalization (Robertson & Zaragoza 2009, section 3.6)
BEFORE, AFTER, EARLIER = 1.0, 0.5, 0.5  # of the memory before, of the one after, of the one before the one before
BACKGROUND = 30  # imagined memories without the word: rarity in a small store is near a large one's

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


def tokens_of(word: str) -> Sequence[str]:
    """What a word that `words_of` found stands for: itself without its ending, pairs of characters, or nothing."""
    if word in _STOP_WORDS:
        return ()
    if not word.isascii() and _IS_UNSPACED.match(word):
        return [word[i : i + 2] for i in range(max(1, len(word) - 1))]
    return (_stem(word),)


class _English(threading.local):
    """A stemmer for each thread: making one takes longer than stemming a hundred words, and none serves two threads."""

    def __init__(self) -> None:
        # what it would remember is remembered here, and its memory costs more than stemming
        self.stem = Stemmer.Stemmer("english", 0).stemWord


_ENGLISH = _English()


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    return str(_ENGLISH.stem(word))


class Widths(NamedTuple):
    """What of the query was found, from 0 to below 1 for each document, at three widths."""

    own: Floats
    neighbors: Floats
    session: Floats


class InvertedIndex:
    """Which document has which word how often; immutable.

    Args:
        texts: One a document.
        groups: The group of each document, as numbers from 0; documents of a group stand together, in their order.
    """

    def __init__(self, texts: Sequence[str], groups: Sequence[int]) -> None:
        tokens = [tokenize(text) for text in texts]
        self._vocabulary: dict[str, int] = {}
        numbered = [self._vocabulary.setdefault(token, len(self._vocabulary)) for words in tokens for token in words]
        self._lengths = np.array([len(words) for words in tokens], dtype=np.float64)
        self._groups = np.asarray(groups, dtype=np.intp)
        self._file(np.array(numbered, dtype=np.int64))

    @property
    def lengths(self) -> Floats:
        """How many words each document has."""
        return self._lengths

    def _file(self, terms: npt.NDArray[np.int64]) -> None:
        """Count the occurrences and sort them by word: those of `t` stand from `_starts[t]` to `_starts[t + 1]`."""
        size = len(self._lengths)
        documents = np.repeat(np.arange(size), self._lengths.astype(np.intp))
        pairs, self._counts = np.unique(terms * size + documents, return_counts=True)
        self._documents = pairs % max(size, 1)
        self._starts = np.searchsorted(pairs, np.arange(len(self._vocabulary) + 1) * size)

    def scores(self, query: str) -> Widths:
        """Score every document against the query at each width; all zero for a query without words."""
        words = sorted(set(tokenize(query)))
        counts = np.stack([self._row(word) for word in words]) if words else np.zeros((1, len(self._lengths)))
        weights = idf(np.count_nonzero(counts, axis=1), counts.shape[1])
        grouped, group_lengths = _by_group(counts, self._groups), _by_group(self._lengths, self._groups)
        windows, window_lengths = _windows(counts, self._groups), _windows(self._lengths, self._groups)
        return Widths(
            own=_bm25(counts, self._lengths, weights),
            neighbors=_bm25(windows, window_lengths, weights),
            session=_bm25(grouped, group_lengths, weights)[self._groups],
        )

    def _row(self, word: str) -> Floats:
        row = np.zeros(len(self._lengths))
        if (term := self._vocabulary.get(word)) is not None:
            found = slice(self._starts[term], self._starts[term + 1])
            row[self._documents[found]] = self._counts[found]
        return row


def _windows(values: Floats, groups: npt.NDArray[np.intp]) -> Floats:
    """Add to each document what stands around it in its group, along the last axis, each as the window weighs it."""
    widened = values.copy()
    near = groups[1:] == groups[:-1]
    widened[..., 1:] += BEFORE * values[..., :-1] * near
    widened[..., :-1] += AFTER * values[..., 1:] * near
    widened[..., 2:] += EARLIER * values[..., :-2] * (groups[2:] == groups[:-2])
    return widened


def _by_group(values: Floats, groups: npt.NDArray[np.intp]) -> Floats:
    """Add up the documents of each group, along the last axis."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.add.reduceat(values, starts, axis=-1) if len(starts) else values


def _bm25(counts: Floats, lengths: Floats, weights: Floats) -> Floats:
    """The module's formula: `counts` has a row a query word, a column a text; returns one score a text."""
    typical = float(lengths.mean()) if lengths.any() else 1.0
    share: Floats = weights @ (counts / (counts + saturation(lengths, typical))) / weights.sum()
    return share


def idf(found_in: Floats | npt.NDArray[np.int64], size: int) -> Floats:
    """How rare words are, each found in so many memories.

    Args:
        found_in: In how many of the memories each word is.
        size: How many memories there are.
    """
    return np.asarray(np.log1p((size + BACKGROUND - found_in + 0.5) / (found_in + 0.5)))


def saturation(lengths: Floats | npt.NDArray[np.int64], typical: float) -> Floats:
    """How often a word has to be in a text of a length to count half.

    Args:
        lengths: Tokens of each text.
        typical: The mean of them.
    """
    return np.asarray(K1 * (1 - B + B * lengths / typical))
