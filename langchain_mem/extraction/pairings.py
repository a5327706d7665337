"""Which name a word goes with, and which way: two names that were said may have changed places in a fact.

"My daughter Lena plays with her friend Mia"    a daughter Lena, a friend Mia
"We flew from Oslo to Bergen"                   from Oslo, to Bergen
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from langchain_mem.extraction.clauses import Clause
from langchain_mem.extraction.cues import CALENDAR
from langchain_mem.extraction.languages import FRAME, LANGUAGES, alike, language_of, root, words

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_FROM: Final = frozenset("from von aus de da dal van z från du desde depuis des".split())
_TO: Final = frozenset("to into towards nach à a para al naar do till pour ins hasta".split())
_NAMING: Final = frozenset(
    "named called heißt heisst namens genannt s'appelle appelé appelée llama llamado llamada chiama chiamato chiamata"
    " chama chamado chamada heet genaamd".split()
)
_BESIDE: Final = 4  # words between a word and the name that goes with it


_LEAST: Final = 4  # words of a fact that is about its name alone


class Pair(NamedTuple):
    """A name, the word it stands with, the preposition before it, and whether the text names the word so."""

    name: str
    word: str | None
    before: str
    named: bool


def pairs(text: str) -> Iterator[Pair]:
    """The names of a text, each with the nearest word before it that says something."""
    said, language = _WORD.findall(text), language_of(text)
    for at, word in enumerate(said):
        if at and _may_name(word, language):
            before = [each.casefold() for each in said[max(0, at - _BESIDE) : at]]
            telling = [each for each in before if not _is_plain(each)]
            named = any(each in _NAMING for each in before)
            yield Pair(word.casefold(), telling[-1] if telling else None, before[-1], named)


def swapped(fact: str, clauses: Sequence[Clause]) -> Iterator[str]:
    """What a fact says of a name that its clauses say of another one."""
    found = list(pairs(fact))
    both_ways = {_way(pair.before) for pair in found} >= {"from", "to"}
    short = len([word for word in words(fact) if not _is_plain(word)]) <= _LEAST
    for pair in found:
        if both_ways and _turned_round(pair, clauses):
            yield f"{pair.name.title()} was said the other way round"
        elif pair.word is not None and (short or pair.named) and _elsewhere(pair.name, pair.word, fact, clauses):
            yield f"{pair.word} was said beside another name than {pair.name.title()}"


def _may_name(word: str, language: str | None) -> bool:
    plain = word.casefold()
    return (
        word[0].isupper()
        and len(word) > 1
        and plain not in CALENDAR
        and plain not in LANGUAGES.get(language or "en", ())
    )


def _turned_round(pair: Pair, clauses: Sequence[Clause]) -> bool:
    """Whether "from" was said where a fact says "to"."""
    ways = {_way(other.before) for clause in clauses for other in pairs(f"x {clause.text}") if other.name == pair.name}
    way = _way(pair.before)
    return way is not None and way not in ways and bool(ways - {None})


def _way(word: str) -> str | None:
    return "from" if word in _FROM else "to" if word in _TO else None


def _elsewhere(name: str, word: str, fact: str, clauses: Sequence[Clause]) -> bool:
    """Whether a word and a name were said apart, each beside something else that the fact does not say."""
    with_word = [clause for clause in clauses if _place(word, clause) is not None]
    with_name = [clause for clause in clauses if name in clause.words]
    if not with_word or not with_name:
        return False
    both = [clause for clause in with_word if name in clause.words]
    if both:
        return all(_nearer(name, word, fact, clause) for clause in both)
    return all(_others(clause, fact) for clause in with_word) and all(
        _says_more(name, fact, each) for each in with_name
    )


def _place(word: str, clause: Clause) -> int | None:
    wanted = root(word, clause.language)
    return next((at for at, each in enumerate(clause.words) if alike(root(each, clause.language), wanted)), None)


def _nearer(name: str, word: str, fact: str, clause: Clause) -> bool:
    """Whether another name stands much nearer to a word."""
    at, said = _place(word, clause) or 0, clause.words
    away = abs(said.index(name) - at)
    return any(abs(said.index(other) - at) + 2 <= away for other in _others(clause, fact) if other in said)


def _others(clause: Clause, fact: str) -> list[str]:
    """Names of a clause that a fact does not say: in capitals, or after a word that names."""
    said = _WORD.findall(clause.text)
    german = clause.language == "de"
    found = [
        word.casefold()
        for at, word in enumerate(said)
        if _may_name(word, clause.language) and (not german or (at and said[at - 1].casefold() in _NAMING))
    ]
    return [word for word in found if word not in fact.casefold()]


def _says_more(name: str, fact: str, clause: Clause) -> bool:
    """Whether the clause of a name says something else of it."""
    return any(not _is_plain(word) and word != name and word not in fact.casefold() for word in clause.words)


def _is_plain(word: str) -> bool:
    plain = word.casefold()
    return plain in FRAME or plain in _NAMING or any(plain in known for known in LANGUAGES.values())
