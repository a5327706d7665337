"""What was said, clause by clause, with how it was said: denied, supposed, asked, over, or of somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from langchain_mem._regex import regex
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
from langchain_mem.extraction.moods import requests, wishes
from langchain_mem.extraction.quantities import in_digits

_SENTENCE: Final = regex(r"[^.!?;…\n]+(?:[.](?=\w)[^.!?;…\n]+)*[.!?;…]*", re.UNICODE)
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
_BREAKS: Final = {code: regex(rf"\s*[,:()–—]\s+|\s+-\s+|\s+(?=(?:{words})\s)") for code, words in _CONJUNCTIONS.items()}
_USED_TO: Final = regex(
    r"\b(?:was|were|had|war|waren|hatte|était|avait|era|había|aveva|tinha)\b.*\b(?:until|till|bis|hasta|fino|até"
    r"|tot)\b"
    r"|\bused\s+to\b|\bno\s+longer\b|\bnot\s+any\s*more\b|\b(?:una volta|un tempo)\b",
    re.IGNORECASE,
)
_NO_DENIAL: Final = regex(
    r"\bnot only\b|\bno doubt\b|\bnever mind\b|\bno problem\b|\bno worries\b|\bwhy not\b|\bnot bad\b"
    r"|\bcan['’]?t wait\b"
    r"|\bcouldn['’]?t (?:be|agree|have) \w*|\bdon['’]?t (?:forget|worry|mind)\b|\bno,|\bnicht nur\b|\bno wait\b",
    re.IGNORECASE,
)
_CONDITION: Final = regex(r"\s*(?:if|unless|falls|gdyby|jeśli)\b", re.IGNORECASE)
_HEDGED: Final = regex(r"\b(?:a lo mejor|tal vez|quem sabe|je pense à|not sure|(?-i:may) \w+)\b", re.IGNORECASE)
_TELLS: Final = regex(  # questions that tell what they ask about
    r"\W*(?:did|have|haven't|didn't)\s+i\s+(?:tell|told|mention|mentioned|say|said)"
    r"|\W*(?:did )?you know (?:that|what)|\W*guess\b|\W*hab(?:e)? ich (?:dir )?(?:schon )?(?:erzählt|gesagt)"
    r"|\W*weißt du(?: schon)?,|\W*je t'ai dit"
    r"|\W*te (?:he dicho|conté)|\W*ti ho detto|\W*já te disse|\W*heb ik (?:je )?(?:al )?verteld",
    re.IGNORECASE,
)
_TOLD_IN: Final = regex(
    r"\b(?:in|im|en|dans|nel|no|na|w|i)\s+(?:(?:the|this|that|a|my|dem|diesem|einem|el|la|la|le|il|lo|un|una|een|het"
    r"|de)\s+)?"
    r"(book|novel|film|movie|series|episode|buch|film|libro|novela|película|livre|roman|romanzo|livro|filme|boek"
    r"|książce|boken)\b",
    re.IGNORECASE,
)
_THAT: Final = regex(r"(?:that|dass|ob|que|qu['’]|che|dat|że|att)(?!\w)", re.IGNORECASE)
_QUOTE: Final = regex(r"[\"“„«]")
_TO_DO: Final = regex(r"\bzu\s+\w+en\b|\b\w+zu\w+en\b|\bte\s+\w+en\b", re.IGNORECASE)
_APPOSITION: Final = regex(r"(?:the|der|die|das|le|la|el|il|o|a|de|het)\s+\S+(?:\s+\S+)?", re.IGNORECASE)
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
        requested: Whether it asks for something, without a question mark.
    """

    text: str
    turn: int
    asked: bool
    language: str | None
    supposed: bool
    told_of: str | None = None
    requested: bool = False

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
    split = [part.strip() for part in _BREAKS[language or "en"].split(sentence) if part.strip(" .!?;…¿¡")]
    parts = _with_appositions(split)
    is_question, began = sentence.rstrip(" \"'”").endswith("?") and not _TELLS.match(sentence), False
    told_of = _told_in(sentence)
    supposed = bool(parts and _CONDITION.match(parts[0]))  # at the end it is often said by the way: ", if you like"
    awaited, demanded = False, "?" not in sentence and requests(sentence, language)
    for place, part in enumerate(parts):
        began = began or "¿" in part or _begins_as_question(part) or (place == len(parts) - 1 and place > 0)
        hedged = supposed or bool(_HEDGED.search(part)) or any(word in HEDGES for word in words(part))
        requested = demanded and (place == 0 or bool(_QUOTE.search(sentence)) or not _speaks_up(part))
        asked = is_question and (began or len(parts) == 1)
        clause = Clause(part, turn, asked, language, hedged or awaited, told_of, requested)
        awaited = bool(hedged or wishes(part, language)) and _goes_on(parts[place + 1 :])
        yield clause
        told_of = clause.person if clause.person or clause.says_i() else told_of


def _with_appositions(parts: list[str]) -> list[str]:
    """Parts of a sentence, with what explains a name at its end: "Biscuit, the beagle"."""
    joined: list[str] = []
    for part in parts:
        if joined and _APPOSITION.fullmatch(part.rstrip(".!?…")) and joined[-1].split()[-1][:1].isupper():
            joined[-1] = f"{joined[-1]}, {part}"
        else:
            joined.append(part)
    return joined


def _speaks_up(part: str) -> bool:
    """Whether a part has its speaker as subject."""
    return any(word in _FIRST_PERSON or word.startswith(("i'", "we'")) for word in words(part)[:_LEADING])


def _goes_on(after: list[str]) -> bool:
    """Whether the next part is what the one before thinks or hopes: "kann sein, dass …"."""
    return bool(after and (_THAT.match(after[0]) or _TO_DO.search(after[0])))


def _told_in(sentence: str) -> str | None:
    """What makes a sentence a tale: a word of fiction, or the book it is from."""
    found = _TOLD_IN.search(sentence)
    return found[1].casefold() if found else next((word for word in words(sentence) if word in FICTION), None)


def _begins_as_question(part: str) -> bool:
    said = words(part)
    return (bool(said) and any(word in QUESTION_WORDS for word in said[:1])) or "?" in part[:-1]


def takes_back(text: str) -> bool:
    """Whether a message begins by taking something back: "actually no, …"."""
    beginning = f" {' '.join(words(text)[:5])} "
    return any(f" {cue} " in beginning for cue in CORRECTIONS)
