"""What speaks against a fact in how a clause says it: denied, asked, supposed, over, or told of somebody else.

Two strengths: what `Manner.against` finds contradicts a fact whose words are all in that clause, what `Manner.doubts`
finds only puts it in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from langchain_mem.extraction.clauses import Clause
from langchain_mem.extraction.cues import (
    AVERSIONS,
    HEDGES,
    INTENTIONS,
    NEGATIONS,
    PAST_FACT,
    PEOPLE,
)
from langchain_mem.extraction.grounding import claims
from langchain_mem.extraction.languages import FRAME, alike, root, telling, words
from langchain_mem.extraction.moods import ends, lasted, left_behind, was, wishes
from langchain_mem.extraction.pairings import swapped
from langchain_mem.extraction.predicates import unsaid_verb
from langchain_mem.extraction.subjects import OTHERS, other, owners, subject_of

_MINE: Final = frozenset(
    """
    my mine our mine's mein meine meinen meiner meinem unser unsere mon ma mes notre nos mi mis nuestro nuestra mio
    mia miei
    mie nostro nostra meu minha meus minhas nosso nossa mijn onze mój moja moje nasz min mitt mina
    """.split()
)
_HELD: Final = 5  # words after "my" that say what is mine
_SHORT: Final = 4
_ATTENDING: Final = frozenset("doctor teacher boss manager landlord landlady client customer".split())
"""People who do or say something about whoever speaks: "my doctor ruled out an allergy"."""
_DID: Final = re.compile(
    r"[^\W\d_]{3,}ed|gave|sold|bought|told|taught|lent|sent|met|made|paid|brought|took|showed|beat|lost|won"
)
_BY: Final = frozenset("by with from that of and at for than through".split())
_EXCEPT: Final = re.compile(
    r"\b(?:except|but|apart from|other than)\s+(?:for\s+)?(?:me|us)\b|\b(?:außer|bis auf)\s+(?:mir|mich|uns)\b"
    r"|\b(?:menos|excepto|salvo|exceto)\s+(?:yo|eu|nosotros|nós)\b|\bsauf\s+(?:moi|nous)\b|\btranne\s+(?:me|noi)\b"
    r"|\bbehalve\s+(?:ik|wij)\b|\boprócz\s+mnie\b|\butom\s+(?:jag|mig)\b",
    re.IGNORECASE,
)
_DONE: Final = re.compile(  # a fact that tells what happened, or that something is over
    r"\b(?:(?!named\b|called\b)\w{3,}ed|bought|sold|got|took|went|came|made|had|left|won|lost|gave|began|met|told"
    r"|said|wrote|read|ran|flew|drove"
    r"|chose|found|built|was|were|been|since|ago|until|till|hat|ist ge\w+|war|wurde\w*|ge\w{3,}(?:t|en)|a \w+é"
    r"|\w{3,}(?:ado|ido|ato|uto|ito)"
    r"|\w{3,}(?:ó|ou|eu|iu)|heeft|\w{3,}(?:ł|ła|li|ły)|seit|depuis|desde|da quando|sinds)\b",
    re.IGNORECASE,
)


class Manner:
    """A fact, and how its conversation says what it says.

    Args:
        fact: The fact.
        language: The code of its language.
        clauses: Those it rests on.
        said: Every message.
        known: What needs no evidence.
    """

    def __init__(
        self, fact: str, language: str | None, clauses: Sequence[Clause], said: Sequence[str], known: Sequence[str]
    ) -> None:
        self._fact = fact
        self._words = words(fact)
        self._language = language
        self._clauses = clauses
        self._texts = [*said, *known]

    def against(self, clause: Clause) -> Iterator[str]:
        """What contradicts the fact where the clause says all of its words."""
        fact = set(self._words)
        own_words = fact - {"the", "a"}
        mine = self._is_mine(clause)
        if clause.denied and not self._denies() and not mine:
            yield "the message denies it"
        if clause.asked and not mine:
            yield "the message only asks it"
        if clause.supposed and not own_words & (HEDGES | INTENTIONS) and "may" not in fact and not mine:
            yield "the message only supposes it"
        if clause.over and not own_words & PAST_FACT and not self._denies():
            yield "the message tells of the past"
        if clause.person is not None and clause.person not in _ATTENDING and not self._mentions(clause):
            yield f"the message tells of somebody else ({clause.person})"

    def doubts(self, clause: Clause) -> Iterator[str]:
        """What puts the fact in doubt."""
        language = clause.language
        mine = self._is_mine(clause)
        if self._negates() and not self._anything_denied():
            yield "the message does not deny it"
        if clause.requested and not self._intends() and not mine:
            yield "the message only asks it"
        if not clause.supposed and wishes(clause.text, language) and not self._intends() and not mine:
            yield "the message only supposes it"
        if self._is_over(clause):
            yield "the message tells of the past"
        if _EXCEPT.search(clause.text) and not self._denies():
            yield "the message makes an exception of its speaker"
        if clause.person in _ATTENDING and not self._mentions(clause):
            yield f"the message tells of somebody else ({clause.person})"
        if clause.person is None and (somebody := other(clause.text)) and not self._begins_with(somebody):
            yield f"the message tells of somebody else ({somebody})"
        yield from swapped(self._fact, self._clauses)
        yield from self._belongs(clause)
        if (left := left_behind(clause.text, language)) and self._says(left) and not self._tells_of_the_past():
            yield "the message tells that it is over"
        if not mine and self._is_short() and (verb := unsaid_verb(self._fact, self._message(clause))) is not None:
            yield f"not said: {verb}"
        if (subject := subject_of(clause.text)) is not None and not any(map(self._says, subject)):
            yield f"the message tells of something else ({' '.join(subject)})"

    # --- what the fact says itself

    def _denies(self) -> bool:
        return self._negates() or any(word in AVERSIONS for word in self._words)

    def _negates(self) -> bool:
        return any(word in NEGATIONS or word.endswith(("n't", "n’t")) for word in self._words)

    def _anything_denied(self) -> bool:
        """Whether some cited clause denies something; a fact of several parts may deny in one of them."""
        return any(
            each.denied or ends(each.text, each.language) or any(word in AVERSIONS for word in each.words)
            for each in self._clauses
        )

    def _intends(self) -> bool:
        """Whether the fact says itself that it is a wish, a question or a possibility."""
        own = set(self._words)
        return bool(own & (HEDGES | INTENTIONS)) or wishes(self._fact, self._language)

    def _tells_of_the_past(self) -> bool:
        return bool(set(self._words) & PAST_FACT) or bool(_DONE.search(self._fact)) or ends(self._fact, self._language)

    def _is_short(self) -> bool:
        """Whether a fact has so few words that its verb decides."""
        return len(telling(self._fact, self._language)) <= _SHORT

    # --- what the clause says

    def _message(self, clause: Clause) -> str:
        """The message of a clause, without its other sentences."""
        return " ".join(each.text for each in self._clauses if each.turn == clause.turn)

    def _is_over(self, clause: Clause) -> bool:
        if self._tells_of_the_past() or self._denies():
            return False
        if ends(clause.text, clause.language) or was(clause.text, clause.language):
            return True
        stated = {root(word, self._language): word for word in self._words}
        return any(
            word not in self._words and lasted(word, clause.language) and alike(root(word, self._language), form)
            for word in clause.words
            for form in stated
        )

    def _is_mine(self, clause: Clause) -> bool:
        """Whether all that the fact says is said to be the speaker's: "help me with the taxes of my café in Brno".

        Who asks, denies or supposes something of what is theirs has it all the same.
        """
        said, held = clause.words, set()
        for at, word in enumerate(said):
            if word in _MINE:
                held |= {root(each, self._language) for each in said[at + 1 : at + 1 + _HELD]}
        wanted = self._roots
        return bool(held and wanted) and all(any(alike(each, one) for one in held) for each in wanted)

    @cached_property
    def _roots(self) -> list[str]:
        """The roots of the words in which the fact tells something."""
        wanted = [word for word in telling(self._fact, self._language) if word not in FRAME]
        return [root(word, self._language) for word in wanted]

    def _belongs(self, clause: Clause) -> Iterator[str]:
        """What is somebody else's, or somebody's of whom the fact tells something itself: "my son's teacher"."""
        for owned, owner in owners(clause.text):
            if self._says(owned) and not self._names(owner):
                yield f"the {owned} is said to be somebody else's ({owner})"
            elif owner in PEOPLE and owned in PEOPLE and self._says(owner) and not self._says(owned):
                yield f"the message tells of somebody else ({owned})"

    def _says(self, word: str) -> bool:
        return any(alike(root(word, self._language), root(each, self._language)) for each in self._words)

    def _names(self, somebody: str) -> bool:
        """Whether the fact says whom the clause tells of."""
        if any(alike(root(somebody, None), root(word, None)) for word in self._words):
            return True
        names = () if self._language == "de" else claims(self._fact).names  # German writes every noun like a name
        return any(self._goes_by(somebody, word) for word in names) or self._says_people(somebody)

    def _begins_with(self, somebody: str) -> bool:
        """Whether the fact names somebody, and not only as one to whom something was done."""
        if not self._names(somebody):
            return False
        places = [at for at, word in enumerate(self._words) if word == somebody]
        done = bool(self._words) and bool(_DID.fullmatch(self._words[0]))
        return not (done and places and self._words[places[0] - 1] not in _BY)

    def _says_people(self, somebody: str) -> bool:
        """Whether the fact is about people, and a pronoun may mean them."""
        return somebody in OTHERS and (any(word in PEOPLE for word in self._words) or bool(claims(self._fact).names))

    def _mentions(self, clause: Clause) -> bool:
        """Whether a fact says whom a clause tells of, or is about somebody by name."""
        if any(word in PEOPLE for word in self._words) or (clause.person or "") in self._words:
            return True
        first = self._words[0] if self._words[:1] and self._words[0] in claims(self._fact).names else None
        return first is not None and (first in clause.words or self._goes_by(clause.person or "", first))

    def _goes_by(self, person: str, name: str) -> bool:
        """Whether a person is called by a name somewhere: "her mother Agnes"."""
        called = re.compile(rf"\b{re.escape(person)}\W+(?:\w+\W+)?{re.escape(name)}\b", re.IGNORECASE)
        return any(called.search(text) for text in self._texts)
