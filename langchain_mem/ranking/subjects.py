"""Everyday subjects that requests and memories share without sharing a word: "my kid" and "daughter Lene".

A table, `subjects.toml`, has the words of some twenty subjects in several languages. An embedder that knows one
language well gives little to a request in another, and a weekday or a price says little to any; the words say it
plainly.

    shared(m) = min(1, Σ ln((n + 1) / (n(s) + 1)) / ln(n + 1) over the subjects s of both the query and the memory)

n is how many memories there are, n(s) how many are of the subject: a subject of all memories tells none apart.
"""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.parts import Floats, Mask
from langchain_mem.ranking.tokens import tokenize


@functools.cache
def subjects() -> Mapping[str, frozenset[str]]:
    """The words of each subject, as `tokenize` makes them."""
    text = files("langchain_mem.ranking").joinpath("subjects.toml").read_text("utf-8")
    return {name: frozenset(tokenize(words)) for name, words in tomllib.loads(text).items()}


@functools.cache
def _by_word() -> Mapping[str, tuple[str, ...]]:
    words = sorted(frozenset().union(*subjects().values()))
    return {word: tuple(name for name, those in subjects().items() if word in those) for word in words}


def subjects_of(text: str) -> list[str]:
    """The subjects of a text by name.

    >>> subjects_of("What shall I cook for my kid on Friday?"), subjects_of("Was koche ich am Mittwoch?")
    (['child', 'food', 'time'], ['food', 'time'])
    """
    known = _by_word()
    return sorted({name for token in tokenize(text) for name in known.get(token, ())})


def shared(found: Iterable[npt.NDArray[np.intp]], among: Mask) -> Floats:
    """How much of a query's subjects each memory has: the module's formula.

    Args:
        found: For each subject of the query, the numbers of the memories that have a word of it.
        among: Which memories count.

    Returns:
        Shape (memories,), from 0 to 1.
    """
    total = np.zeros(len(among))
    all_of_them = math.log(int(among.sum()) + 1) or 1.0
    for numbers in found:
        has = np.zeros(len(among), dtype=bool)
        has[numbers] = True
        total[has] += 1 - math.log(int((has & among).sum()) + 1) / all_of_them
    return np.minimum(total, 1.0)
