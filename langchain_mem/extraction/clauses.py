"""What was said, clause by clause, with how it was said: denied, supposed, asked, over, or of somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from langchain_mem.extraction.cues import (
    CORRECTIONS,
    FICTION,
    HEDGES,
    NEGATIONS,
    PAST,
    PEOPLE,
    POSSESSIVES,
    QUESTION_WORDS,
    SAME,
)
from langchain_mem.extraction.grounding import claims
from langchain_mem.extraction.languages import language_of, root, telling, words
from langchain_mem.extraction.quantities import in_digits

_SENTENCE: Final = re.compile(r"[^.!?;…\n]+(?:[.](?=\w)[^.!?;…\n]+)*[.!?;…]*", re.UNICODE)
_CONJUNCTIONS: Final = {
    "en": "but|and|so|because|although|though|while",
    "de": "aber|und|weil|sondern|obwohl",
    "fr": "mais|et|car",
    "es": "pero|y|porque|aunque",
    "it": "ma|e|perché|però",
    "pt": "mas|e|porque",
    "nl": "maar|en|want|omdat",
    "pl": "ale|i|bo|więc",
    "sv": "men|och|för",
}
_BREAKS: Final = {
    code: re.compile(rf"\s*[,:()–—]\s+|\s+-\s+|\s+(?=(?:{words})\s)") for code, words in _CONJUNCTIONS.items()
}
_USED_TO: Final = re.compile(
    r"\b(?:was|were|had|war|waren|hatte|était|avait|era|había|aveva|tinha)\b.*\b(?:until|till|bis|hasta|fino|até|tot)\b"
    r"|\bused\s+to\b|\bno\s+longer\b|\bnot\s+any\s*more\b|\b(?:una volta|un tempo)\b",
    re.IGNORECASE,
)
_NO_DENIAL: Final = re.compile(
    r"\bnot only\b|\bno doubt\b|\bnever mind\b|\bno problem\b|\bno worries\b|\bwhy not\b|\bnot bad\b|\bcan['’]?t wait\b"
    r"|\bcouldn['’]?t (?:be|agree|have) \w*|\bdon['’]?t (?:forget|worry|mind)\b|\bno,|\bnicht nur\b|\bno wait\b",
    re.IGNORECASE,
)
_CONDITION: Final = re.compile(r"\s*(?:if|unless|falls|gdyby|jeśli)\b", re.IGNORECASE)
_HEDGED: Final = re.compile(r"\b(?:a lo mejor|tal vez|quem sabe|je pense à|not sure|(?-i:may) \w+)\b", re.IGNORECASE)
_TELLS: Final = re.compile(  # questions that tell what they ask about
    r"\W*(?:did|have|haven't|didn't)\s+i\s+(?:tell|told|mention|mentioned|say|said)"
    r"|\W*(?:did )?you know (?:that|what)|\W*guess\b|\W*hab(?:e)? ich (?:dir )?(?:schon )?(?:erzählt|gesagt)"
    r"|\W*weißt du(?: schon)?,|\W*je t'ai dit"
    r"|\W*te (?:he dicho|conté)|\W*ti ho detto|\W*já te disse|\W*heb ik (?:je )?(?:al )?verteld",
    re.IGNORECASE,
)
_FIRST_PERSON: Final = frozenset("i im ich je io eu ik yo we wir nous".split())
_LEADING: Final = 3  # words before a subject: "well, and then my sister"

_KIN: Final = {word: group.split()[0] for group in SAME for word in group.split()}


@dataclass(frozen=True)
class Clause:
    """A part of a message that says one thing.

    Attributes:
        text: Its words.
        turn: The number of its message.
        asked: Whether it is a question.
        language: The code of its message's language, where it is known.
        supposed: Whether its sentence makes it a possibility.
        told_of: Whom the words before it in its sentence tell of.
    """

    text: str
    turn: int
    asked: bool
    language: str | None
    supposed: bool
    told_of: str | None = None

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Its words, case folded."""
        return tuple(words(self.text))

    @cached_property
    def roots(self) -> frozenset[str]:
        """The roots of the words that say something."""
        return frozenset(root(part, self.language) for word in telling(self.text, None) for part in _parts(word))

    @cached_property
    def names(self) -> frozenset[str]:
        """Words written as names."""
        return claims(self.text).names

    @cached_property
    def denied(self) -> bool:
        """Whether it says that something is not so."""
        return _denies(_NO_DENIAL.sub(" ", self.text))

    @cached_property
    def over(self) -> bool:
        """Whether it tells of what was."""
        return bool(_USED_TO.search(self.text)) or any(word in PAST for word in self.words)

    @cached_property
    def person(self) -> str | None:
        """Whom it tells of where that is neither speaker nor listener: "sister" of "my sister is a vet"."""
        return self._own_person() or (self.told_of if not self.says_i() else None)

    def says_i(self) -> bool:
        """Whether its speaker is its subject."""
        return any(word in _FIRST_PERSON or word.startswith(("i'", "we'")) for word in self.words[:_LEADING])

    def _own_person(self) -> str | None:
        for at, word in enumerate(self.words[: _LEADING + 2]):
            owned = at > 0 and self.words[at - 1] in POSSESSIVES
            if word in PEOPLE and (owned or at == 0):
                return _KIN.get(word, word)
            if word in _FIRST_PERSON:
                return None
        return None


def _parts(word: str) -> list[str]:
    return [word, *re.split(r"['’-]", word)] if re.search(r"['’-]", word) else [word]


def _denies(text: str) -> bool:
    return any(word in NEGATIONS or word.endswith(("n't", "n’t")) for word in words(text))


@lru_cache(maxsize=2048)
def clauses(text: str, turn: int = 0) -> tuple[Clause, ...]:
    """The clauses of a message, in order."""
    language = language_of(text)
    sentences = _SENTENCE.findall(in_digits(text))
    return tuple(clause for sentence in sentences for clause in _clauses(sentence, turn, language))


def _clauses(sentence: str, turn: int, language: str | None) -> Iterator[Clause]:
    """The clauses of a sentence; of a question, those from the first on that begins as one are asked."""
    parts = [part.strip() for part in _BREAKS[language or "en"].split(sentence) if part.strip(" .!?;…¿¡")]
    is_question, began = sentence.rstrip(" \"'”").endswith("?") and not _TELLS.match(sentence), False
    told_of = next((word for word in words(sentence) if word in FICTION), None)
    supposed = bool(parts and _CONDITION.match(parts[0]))  # at the end it is often said by the way: ", if you like"
    for place, part in enumerate(parts):
        began = began or "¿" in part or _begins_as_question(part) or (place == len(parts) - 1 and place > 0)
        hedged = supposed or bool(_HEDGED.search(part)) or any(word in HEDGES for word in words(part))
        clause = Clause(part, turn, is_question and (began or len(parts) == 1), language, hedged, told_of)
        yield clause
        told_of = clause.person if clause.person or clause.says_i() else told_of


def _begins_as_question(part: str) -> bool:
    said = words(part)
    return (bool(said) and any(word in QUESTION_WORDS for word in said[:1])) or "?" in part[:-1]


def takes_back(text: str) -> bool:
    """Whether a message begins by taking something back: "actually no, …"."""
    beginning = f" {' '.join(words(text)[:5])} "
    return any(f" {cue} " in beginning for cue in CORRECTIONS)
