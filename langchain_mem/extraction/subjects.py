"""Whom a clause is about, where that is somebody else than who speaks: a name, a relative's relative, everyone.

"Mara from accounting is moving"    mara
"Everyone in my class has one"      everyone
"Tom's wife is pregnant"            wife, of tom
"el hijo de mi vecina"              hijo, of vecina
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from langchain_mem._regex import regex
from langchain_mem.extraction.cues import PEOPLE, POSSESSIVES
from langchain_mem.extraction.languages import FRAME, LANGUAGES, words

FIRST_PERSON: Final = frozenset(
    """
    i i'm im i've i'd i'll me my mine myself we we're we've our ours us ich mir mich mein meine meinen meiner meinem
    wir uns
    unser unsere je j'ai me moi mon ma mes nous notre nos yo mi mis nosotros nuestro nuestra io mio mia miei mie noi
    nostro
    eu meu minha meus minhas nós nosso nossa ik mijn me wij we ons onze ja mój moja moje mnie mam my nasz jag min
    mitt mina vi
    """.split()
)
"""Words with which people speak of themselves."""

OTHERS: Final = frozenset(
    """
    everyone everybody people they he she someone somebody others most jeder alle viele leute er sie tout-le-monde
    ils elles
    elle lui eux todos ellos ella él tutti loro eles elas ele ela toda-a-gente iedereen ze zij hij wszyscy oni ona
    alla hon
    han
    """.split()
)
"""Words that stand for somebody else."""
_OPENING: Final = 4
_VERB: Final = regex(
    r"(?:is|was|are|has|had|does|did|will|just|also|never|always|gave|got|took|went|came|said|told|made|left|bought"
    r"|sold|lives"
    r"|works|from (?!(?:the|my|an?|our)\b)|and (?=[A-Z])|[^\W\d_]{3,}ed|ist|war|hat|wird|est|était|es|está|tiene|è"
    r"|ha|é|tem|heeft|jest|ma|är|har)\b"
)
_NAME: Final = regex(r"[^\W\d_]{2,}(?:-[^\W\d_]+)*")
_OWNED: Final = (
    regex(r"(?P<owner>[^\W\d_]+)['’]s?\s+(?:\w+\s+)??(?P<owned>[^\W\d_]+)"),
    regex(
        r"(?P<owned>[^\W\d_-]+)(?:\s+(?:of|de|du|del|della|do|da|van|von|vom)\s+|\s+d['’])(?:(?:my|the|mein\w*"
        r"|un[sa]er\w*|de[rnm]|minha|mi|mon|ma|mia|mio|minha|meu|mijn|un|una|um|uma|la|le|el)\s+)?"
        r"(?P<owner>[^\W\d_-]+)",
        re.IGNORECASE,
    ),
    regex(
        r"(?P<owned>[^\W\d_]+)\s+(?:meiner|meines|unserer|unseres|einer|eines|der|des)\s+(?P<owner>[^\W\d_]+)",
        re.IGNORECASE,
    ),
    regex(r"(?P<owner>(?<!\A)[A-ZÄÖÜ][^\W\d_]+|\A[A-ZÄÖÜ][^\W\d_]+)s\s+(?P<owned>[A-ZÄÖÜ][^\W\d_]+)"),
)


_SUBJECT: Final = regex(
    r"(?:(?:and|but|so|oh|well)\s+)?(?:the|this|that|his|her|their|der|die|das|le|la|el|o|il|lo|de"
    r"|het)\s+(?P<subject>(?:[^\W\d_]+\s+){1,3}?)"
    r"(?:is|was|has|had|ist|war|hat|hatte|est|était|es|era|está|tiene|è|ha|foi|é|tem|heeft|was)\b",
    re.IGNORECASE,
)
_AT: Final = regex(r"\bbei\s+([A-ZÄÖÜ][a-zäöüß]+)\s+(?:wurde|ist|war|hat|haben|geht|steht)\b", re.IGNORECASE)


def other(text: str) -> str | None:
    """The somebody else that a clause begins with; `None` where it begins otherwise or speaks of its speaker first."""
    said = words(text)
    if (at_whom := _AT.search(text)) is not None:
        return at_whom[1].casefold()
    for at, word in enumerate(said[:_OPENING]):
        if word in FIRST_PERSON:
            return None
        if word in OTHERS:
            return word
        if at == 0 and _begins_with_name(text):
            return word
    return None


def _begins_with_name(text: str) -> bool:
    first, _, rest = text.lstrip().partition(" ")
    plain = _NAME.fullmatch(first)
    said = first.casefold()
    common = said in POSSESSIVES | FIRST_PERSON | PEOPLE | FRAME or any(said in known for known in LANGUAGES.values())
    return bool(plain and first[0].isupper() and first[1:].islower() and not common and _VERB.match(rest))


def owners(text: str) -> Iterator[tuple[str, str]]:
    """What belongs to somebody who is not the speaker: pairs of the thing or person and its owner, case folded.

    >>> list(owners("el hijo de mi vecina estudia")), list(owners("Tom's wife")), list(owners("my wife"))
    ([('hijo', 'vecina')], [('wife', 'tom')], [])
    """
    for pattern in _OWNED:
        for found in pattern.finditer(text):
            owned, owner = found["owned"].casefold(), found["owner"].casefold()
            apart = owned != owner and owned not in POSSESSIVES and owner not in FIRST_PERSON | POSSESSIVES
            if apart and (_is_person(owner) or (owned in PEOPLE and found["owner"][0].isupper())):
                yield owned, owner


def _is_person(word: str) -> bool:
    """Whether a word is a person, in a case of its own or not: "Nachbarn"."""
    return word in PEOPLE or (word.endswith(("n", "s", "en", "es")) and word.rstrip("s").removesuffix("n") in PEOPLE)


def subject_of(text: str) -> tuple[str, ...] | None:
    """The words of a subject such as "the previous tenant"; `None` where a clause begins otherwise.

    >>> subject_of("the previous tenant was a drummer"), subject_of("I was a drummer")
    (('previous', 'tenant'), None)
    """
    found = _SUBJECT.match(text.strip())
    return tuple(words(found["subject"])) if found else None
