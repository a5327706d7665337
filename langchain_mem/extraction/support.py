"""Whether a conversation supports a fact: its names, its figures, its words, and how they were said. No model is asked.

    contradicted   the words it rests on say another number, date or name in its place, deny it, ask it, suppose it,
                   tell it of somebody else or of the past; or nothing of it was said, and it names what nobody did
    in doubt       some of its words were not said, or not in its language, or not in one breath
    supported      the rest

The comparison is of words, and knows a little of eight languages (`cues`, `languages`, `quantities`). It was tuned on
half of the two sets in `benchmarks/data`, and is measured on the other half by `benchmarks/grounding.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import chain
from typing import Final

from langchain_mem.extraction.clauses import Clause, clauses, takes_back
from langchain_mem.extraction.cues import (
    AFFIRMATIONS,
    CALENDAR,
    PEOPLE,
    POSSESSIVES,
    QUESTION_WORDS,
)
from langchain_mem.extraction.figures import Figures, Objection
from langchain_mem.extraction.grounding import claims
from langchain_mem.extraction.languages import FRAME, LANGUAGES, alike, language_of, root, telling, words
from langchain_mem.extraction.manner import Manner
from langchain_mem.extraction.messages import Turn
from langchain_mem.extraction.quantities import quantities

__all__ = ["Objection", "Premise", "unvouched", "weigh"]

_BRIEF: Final = 6  # words of a message that takes back the one before without saying of what
_LONGEST: Final = 300  # letters of a message that stand in for a fact


@dataclass(frozen=True, kw_only=True)
class Premise:
    """What a fact is held against.

    Attributes:
        turns: The conversation.
        cited: The numbers of the messages a fact rests on; none for all.
        speakers: The roles whose words count; none for all.
        known: What needs no evidence: ids, and memories.
        observed: When it was said.
    """

    turns: Sequence[Turn]
    cited: Sequence[int]
    speakers: Sequence[str]
    known: Sequence[str]
    observed: datetime

    @cached_property
    def spoken(self) -> list[str]:
        """The words of each turn, after its speaker's name where it is known."""
        return [turn.spoken for turn in self.turns]

    @cached_property
    def own(self) -> list[int]:
        """The numbers of the cited messages whose words count, with questions that one of them affirms."""
        wanted = [index for index in self.cited or range(len(self.turns)) if self._counts(index)]
        asked = [index - 1 for index in wanted if index and not self._counts(index - 1) and self._affirms(index)]
        return sorted({*wanted, *asked})

    def _counts(self, index: int) -> bool:
        return not self.speakers or self.turns[index].role in self.speakers

    def _affirms(self, index: int) -> bool:
        return any(word in AFFIRMATIONS for word in words(self.turns[index].text)[:3])

    @cached_property
    def clauses(self) -> list[Clause]:
        """The clauses of the cited messages."""
        return [clause for index in self.own for clause in self._clauses(index)]

    def _clauses(self, index: int) -> list[Clause]:
        """The clauses of a message; a question that was affirmed is no question."""
        found = clauses(self.turns[index].text, index)
        return list(found) if self._counts(index) else [_stated(clause) for clause in found]

    @cached_property
    def elsewhere(self) -> list[Clause]:
        """The clauses of the other messages whose words count."""
        others = [index for index in range(len(self.turns)) if index not in self.own and self._counts(index)]
        return [clause for index in others for clause in clauses(self.turns[index].text, index)]

    @cached_property
    def names(self) -> frozenset[str]:
        """Every word that was said or is known, by anybody: a name said anywhere is no invention."""
        texts = [*self.spoken, *self.known]
        return frozenset().union(*map(_mentioned, texts))

    @cached_property
    def text(self) -> str:
        """The cited messages as one text."""
        return " ".join(self.turns[index].text for index in self.own)

    def about(self, memory: str) -> str | None:
        """The message that speaks of a memory, shortened; `None` where none of the cited ones does."""
        wanted = _roots(memory, language_of(memory))
        for index in reversed(self.own):
            said = {each for clause in clauses(self.turns[index].text) for each in clause.roots}
            if any(alike(one, other) for one in wanted for other in said):
                return self.spoken[index][:_LONGEST]
        return None


def _stated(clause: Clause) -> Clause:
    return Clause(clause.text, clause.turn, False, clause.language, False)


def weigh(fact: str, said: Premise) -> Objection:
    """What a conversation says of a fact."""
    findings = list(Weighing(fact, said).findings())
    contradictions = [finding.contradiction for finding in findings if finding.contradiction]
    doubts = list(dict.fromkeys(finding.doubt for finding in findings if finding.doubt))
    return Objection(contradictions[0] if contradictions else None, "; ".join(doubts[:2]) or None)


def unvouched(fact: str, said: Premise) -> str | None:
    """Why a fact must not be taken on somebody's word alone; `None` where its speakers said it.

    Stricter than `weigh`, for what nobody else looks at: its names, numbers and dates must have been said, and half of
    its words where it is in the language of the conversation.
    """
    weighing = Weighing(fact, said)
    found = weigh(fact, said)
    return found.contradiction or weighing.invented() or (None if weighing.mostly_said() else found.doubt)


class Weighing:
    """One fact, held against what was said."""

    def __init__(self, fact: str, said: Premise) -> None:
        self._fact = fact
        self._said = said
        self._language = language_of(fact) or language_of(said.text)
        self._words = words(fact)
        self._stated = {word: _forms(word, self._language) for word in telling(_undated(fact), self._language)}
        self._manner = Manner(fact, self._language, said.clauses, said.spoken, said.known)

    def findings(self) -> Iterator[Objection]:
        """Everything that speaks against the fact."""
        yield from self._stated_exactly()
        if self._in_another_language():
            yield Objection(doubt="said in another language")
            yield from self._how_it_was_said(sure=False)
            return
        yield from self._coverage()
        yield from self._how_it_was_said(sure=True)

    def invented(self) -> str | None:
        """A name, number or date of the fact that was not said; `None` where there is none."""
        found = (finding.contradiction or finding.doubt for finding in self._stated_exactly())
        return next((reason for reason in found if reason), None)

    def mostly_said(self) -> bool:
        """Whether at least half of the fact's words were said; in another language that cannot be told."""
        return self._in_another_language() or len(self._missing()) * 2 <= len(self._stated)

    def _stated_exactly(self) -> Iterator[Objection]:
        """What speaks against its names, numbers, times and dates."""
        said = self._said
        cited = [said.spoken[index] for index in said.own]
        others = [spoken for index, spoken in enumerate(said.spoken) if index not in said.own]
        yield from Figures(cited, [*others, *said.known], said.observed).findings(self._fact)
        yield from self._codes()
        yield from self._names()

    # --- names

    def _names(self) -> Iterator[Objection]:
        new = [name for name in self._claimed_names() if not _named(name, self._said.names | self._spelled_out)]
        if not self._anything_said() and (new or quantities(self._fact).numbers):
            yield Objection(contradiction="nobody said anything of it")
        elif not new:
            return
        elif (other := self._in_its_place(new)) is not None:
            yield Objection(contradiction=f"says {new[0].title()} where {other.title()} was said")
        else:
            yield Objection(doubt=f"nobody said {new[0].title()}")

    def _codes(self) -> Iterator[Objection]:
        """Addresses, links and codes, which have to be said to the letter."""
        texts = [*self._said.spoken, *self._said.known]
        there = {_plain(code) for text in texts for code in claims(text).identifiers}
        for code in sorted(claims(self._fact).identifiers):
            if _CODE.fullmatch(code) and not any(_plain(code) in each for each in there):
                yield Objection(doubt=f"nobody said {code}")

    def _claimed_names(self) -> list[str]:
        """Names; in a language that writes every noun like one, none can be told apart."""
        found = claims(self._fact)
        names = [] if self._language == "de" else sorted(found.names)
        return [name for name in names if not _is_figure(name) and not _is_function(name)]

    def _anything_said(self) -> bool:
        guessed = language_of(self._fact) is None and not self._said.text.isascii()
        if self._in_another_language() or language_of(self._said.text) is None or guessed:
            return True
        counted = {number for each in quantities(self._said.text).numbers for number in each}
        if any(number & counted for number in quantities(self._fact).numbers):
            return True
        said = {each for clause in self._clauses() for each in clause.roots}
        said |= {each for turn in self._said.turns for each in _roots(turn.spoken, language_of(turn.text))}
        said |= {each for text in self._said.known for each in _roots(text, self._language)}
        return any(alike(form, other) for forms in self._stated.values() for form in forms for other in said)

    def _in_its_place(self, new: Sequence[str]) -> str | None:
        """The name that was said where a fact has another one, with everything else of the fact around it."""
        rest = [forms for word, forms in self._stated.items() if word not in new and not _part_of(word, new)]
        if not rest or self._in_another_language():
            return None
        for clause in self._said.clauses:
            others = self._others_named(clause)
            if others and all(_among(forms, clause.roots) for forms in rest):
                return next((name for name in others if not any(_may_stand_for(name, each) for each in new)), None)
        return None

    @cached_property
    def _spelled_out(self) -> frozenset[str]:
        """Words of the fact whose initials were said: "machine learning" of "ML"."""
        short = [word for word in self._said.names if 2 <= len(word) <= 5]
        initials = "".join(word[0] for word in self._words)
        found = [(initials.find(word), len(word)) for word in short]
        return frozenset(word for at, length in found if at >= 0 for word in self._words[at : at + length])

    # --- words

    def _clauses(self) -> list[Clause]:
        return [*self._said.clauses, *self._said.elsewhere]

    def _in_another_language(self) -> bool:
        return language_of(self._said.text) != self._language

    def _coverage(self) -> Iterator[Objection]:
        """Words that were not said; what is known counts as said."""
        missing = self._missing()
        if len(missing) > self._spared():
            yield Objection(doubt=f"not said: {', '.join(missing[:4])}")

    def _missing(self) -> list[str]:
        said = frozenset(chain.from_iterable(clause.roots for clause in self._clauses()))
        known = frozenset(each for text in self._said.known for each in _roots(text, self._language))
        speakers = frozenset(each for turn in self._said.turns for each in _roots(turn.name or "", None))
        told = said | known | speakers
        stated = {word: forms for word, forms in self._stated.items() if word not in self._spelled_out}
        names = self._claimed_names()
        missing = [word for word, forms in stated.items() if word not in names and not _among(forms, told)]
        return [word for word in missing if not (_without_blanks(word) and word in self._said.text)]

    def _spared(self) -> int:
        """How many words of a fact may be the model's own."""
        return len(self._stated) // 5

    # --- how it was said

    def _how_it_was_said(self, *, sure: bool) -> Iterator[Objection]:
        """What the clauses that the fact rests on do with it."""
        best = self._best()
        if best is None:
            return
        full = sure and self._share(best) >= 0.99 and not self._elsewhere_plain(best)
        for reason in self._manner.against(best):
            yield Objection(contradiction=reason) if full else Objection(doubt=reason)
        yield from (Objection(doubt=reason) for reason in self._manner.doubts(best))
        if self._taken_back(best):
            yield Objection(doubt="taken back in a later message")
        yield from self._together()

    def _best(self) -> Clause | None:
        """The clause that says most of the fact; of several the one with least against it."""
        found = [
            (self._share(clause), -len(list(self._manner.against(clause))), -at)
            for at, clause in enumerate(self._said.clauses)
        ]
        if not found:
            return None
        share, _, place = max(found)
        return self._said.clauses[-place] if share > 0 or len(found) == 1 else None

    def _share(self, clause: Clause) -> float:
        """The share of the fact's words that a clause says."""
        if not self._stated:
            return 1.0
        return sum(_among(forms, clause.roots) for forms in self._stated.values()) / len(self._stated)

    def _elsewhere_plain(self, best: Clause) -> bool:
        """Whether another clause says half of the fact, with nothing against it."""
        others = (clause for clause in self._clauses() if clause is not best)
        return any(self._share(clause) >= 0.5 and not list(self._manner.against(clause)) for clause in others)

    def _taken_back(self, best: Clause) -> bool:
        """Whether the next message of the same side begins by taking something back."""
        turns = self._said.turns
        later = (index for index in range(best.turn + 1, len(turns)) if turns[index].role == turns[best.turn].role)
        after = next(later, None)
        if after is None or after in self._said.own or not takes_back(turns[after].text):
            return False
        return len(words(turns[after].text)) <= _BRIEF or self._is_about(turns[after].text)

    def _is_about(self, text: str) -> bool:
        """Whether a text says some of what the fact says, its names apart."""
        said = frozenset(each for clause in clauses(text) for each in clause.roots)
        names = self._claimed_names()
        return any(_among(forms, said) for word, forms in self._stated.items() if word not in names)

    def _together(self) -> Iterator[Objection]:
        """A word that was said only beside other names than the fact's: "Bruno is the lab, Pippa is the beagle"."""
        names = [name for name in self._claimed_names() if name in self._said.names]
        if len(names) != 1:
            return
        for word, forms in self._stated.items():
            saying = [clause for clause in self._said.clauses if _among(forms, clause.roots)]
            if word in names or not saying or any(set(names) & set(clause.words) for clause in saying):
                continue
            if all(self._others_named(clause) for clause in saying):
                yield Objection(doubt=f"{word} was said of somebody else than {names[0].title()}")

    def _others_named(self, clause: Clause) -> list[str]:
        return [name for name in clause.names if name not in self._words and not _is_function(name)]


_YEARS: Final = re.compile(r"\d")


def _undated(fact: str) -> str:
    return quantities(fact).rest


_CODE: Final = re.compile(r"\S+@\S+|https?://\S+|[a-z]+(?:-\w+)*-\d[\w-]*|[a-z]+\d[\w-]{2,}")


def _plain(code: str) -> str:
    return re.sub(r"[\s_-]", "", code)


def _without_blanks(word: str) -> bool:
    """Whether a word is in a script without capitals, some of which set no blanks between words."""
    return word.lower() == word.upper()


def _is_figure(name: str) -> bool:
    return name in CALENDAR or bool(_YEARS.search(name) and not re.search(r"[@/]", name))


def _forms(word: str, language: str | None) -> frozenset[str]:
    return frozenset(root(part, language) for part in (word, *re.split(r"['’-]", word)) if len(part) > 1)


@lru_cache(maxsize=4096)
def _mentioned(text: str) -> frozenset[str]:
    """The words of a text, and the parts of its hyphenated ones."""
    return frozenset(part for word in words(text) for part in (word, *re.split(r"['’-]", word)))


@lru_cache(maxsize=4096)
def _roots(text: str, language: str | None) -> frozenset[str]:
    return frozenset(form for word in telling(text, language) for form in _forms(word, language))


def _among(forms: frozenset[str], roots: frozenset[str]) -> bool:
    return bool(forms & roots) or any(alike(form, other) for form in forms for other in roots)


def _named(name: str, said: frozenset[str]) -> bool:
    """Whether a name was said: as it is, as a form of another word, or by its initial letters."""
    parts = [part for part in re.split(r"['’-]", name) if part]
    return name in said or all(any(alike(root(part, None), root(word, None)) for word in said) for part in parts)


def _may_stand_for(said: str, name: str) -> bool:
    """Whether a name may be another writing of one that was said: NYC of New York City, München of Munich."""
    return said[0] == name[0] and (len(said) <= 4 or alike(root(said, None), root(name, None)))


def _part_of(word: str, names: Sequence[str]) -> bool:
    return any(word in re.split(r"['’-]", name) for name in names)


def _is_function(name: str) -> bool:
    plain = PEOPLE | QUESTION_WORDS | POSSESSIVES | AFFIRMATIONS | FRAME
    return name in plain or name in CALENDAR or any(name in known for known in LANGUAGES.values())
