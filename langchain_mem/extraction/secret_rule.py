"""One kind of secret: how it is found, and what must be true of what was found.

A secret that people choose is a word like any other, so rules for those look at its label ("password", "PIN") and at
what stands between the two. Those connecting words are here too, since all such rules share them. Every repetition in
a pattern is bounded, so that the time a text takes grows with its length and no faster.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from langchain_mem._regex import regex

TextMatch = re.Match[str]


def always(match: TextMatch) -> bool:
    """Accepts every match."""
    return True


@dataclass(frozen=True, kw_only=True, eq=False)  # compared by identity: what rules hint at is kept by them
class Rule:
    """One kind of secret.

    Attributes:
        name: What the mask says.
        hints: Substrings, one of which every such secret or its label has; one in lower case matches in any case. They
            are what makes ordinary text cheap. Without any, the patterns are always tried.
        find: Patterns, or the `module.Class` of the detector that has them.
        group: Which group of a match is the secret.
        accepts: What else must be true of a match.
    """

    name: str
    hints: tuple[str, ...] = ()
    find: str | re.Pattern[str]
    group: int | str = 0
    accepts: Callable[[TextMatch], bool] = always


@functools.cache
def detector(name: str) -> Any:
    """A detector's class, imported when a text first hints at it: `detect-secrets` imports `requests`, 0.3 s."""
    module, cls = name.split(".")
    return getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), cls)


def pattern(*parts: str) -> re.Pattern[str]:
    """The parts as one pattern that does not mind capitals."""
    return regex("".join(parts), re.IGNORECASE)


def any_of(words: str) -> str:
    """One of these words, the longest first; `_` stands for a blank or a hyphen."""
    ordered = sorted(words.split(), key=len, reverse=True)
    return "|".join(re.escape(word).replace("_", "[ -]?") for word in ordered)


SAID: Final = r"[\"'`\])*]{0,3}[ \t]{0,3}(?P<said>=>|->|→|:=|==?|:|：)[*]{0,2}[ \t]{0,3}"
"""`=`, `: `, `": "`, `:** `, ` -> `."""

VERBS: Final = any_of(
    "is was are be reads says remains it's its's became becomes ist war lautet lautete heißt heisst bleibt es "
    "era será "
    "sigue_siendo est était c'est sera reste è era rimane é foi continua_sendo era to jest är er on je luidt este "
    "este_acum είναι هي هو היא הוא है là adalah yra"
)
TURNS: Final = any_of("to auf zu in a al à en para per por naar na til till into with mit con avec com met of being")
STILL: Final = any_of(
    "now still just always probably again currently jetzt nun immer_noch noch ahora aún maintenant ora adesso agora"
)

FOR: Final = (
    r"(?:[ \t]+(?:for|to|of|on|at|with|für|fürs|von|vom|zum|zur|der|des|meiner|meines|auf|de|del|della|do|da|du"
    r"|van|voor|op|per|pour|para|em|en|im|in|do|от|для|к|на)"
    r"(?:[ \t]+[\w'’.-]+){1,5}?)"
)
"""What a secret is for: "for the wifi", "del bancomat"."""

IS: Final = (
    rf"(?:['’]s|{FOR}?[ \t]+(?:is|was|are|were|ist|sind|lautet|lauten|es|son|est|sont|c['’]est|è|sono|é|são"
    rf"|zijn|jest|są|är|er|هو|هي|היא|הוא|है|là|adalah)"
    rf"(?:[ \t]+(?:{STILL}))?):?[ \t]+"
)
"""The same in prose, close to its label: `is`, `for the wifi is`, `is now: `, `lautet`."""

PROSE: Final = (
    r"(?:['’]s|"
    r"(?:[ \t]+[\w'’()&-]+){0,9}?"
    rf"(?:[ \t]+(?:{VERBS}|{TURNS})|[ \t]+(?:it|es|lo|la|le|o)['’]s|[ \t]?:|[ \t]?[?]|[ \t]+[–—-](?=[ \t]))"
    rf"(?:[ \t]+(?:{STILL}))?):?[ \t]+"
)

VALUE: Final = (
    r"(?:(?P<quote>[\"'`“„«])(?=[^\s\"'`”“»]{3,80}[\"'`”“»]))?"
    r"(?P<secret>(?:(?!&\w+=)[^\s\"'`“”„«»]){0,200}(?!&\w+=)(?:(?<=\w)!|[^\s\"'`“”„«».,;:!?)\]}>]))"
    r"(?P<last>[\"'`“”».,;:!?)\]}>]*(?=\s*$|\s*\n|,|;|\s+(?:and|but|for|if|with|und|aber|y|et|e)\b))?"
)
"""One word, without the punctuation after it."""


def reads_unlike_a_word(value: str) -> bool:
    """Whether a value is a number, mixes letters with digits, or has a symbol inside."""
    return value.isdecimal() or re.search(r"\d.*[^\W\d]|[^\W\d].*\d|[@#$%^&*+=~!?]", value) is not None
