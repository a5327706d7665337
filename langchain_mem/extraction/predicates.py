"""What a fact's own verb needs: "has", "is" and "works" say something only where the conversation says it, too.

Verbs like these are in nearly every fact, so their words are not compared. Instead, a clause has to hold something
that
says the same: a verb of having or getting, or "my", for "has a dog"; a form of "to be" for "is a nurse".

    "They offered me the manager role"    says nothing of  "Is a manager"
    "I'm the new manager"                 says it
"""

from __future__ import annotations

import re
from typing import Final

from langchain_mem._regex import regex

_HAS: Final = regex(
    r"\b(?:has|have|owns|own|hat|haben|besitzt|possède|tiene|tienen|ha|hanno|tem|têm|heeft|ma|har)\b(?!\s+\w+(?:ed"
    r"|en)\b)"
    r"|\A(?:\w+\s){0,3}a\s+(?:un|une|des|deux|trois|\d)\b",
    re.IGNORECASE,
)
_HAVING: Final = regex(
    r"\b(?:has|have|having|had|['’]ve|got|gets|get|getting|own|owns|with|my|our|mine|ours|there(?:['’]s| is| are)"
    r"|bought|adopted|inherited|received"
    r"|need|needs|gave|took|booked|is|are|was|s|belongs"
    r"|hab|habe|haben|hat|hatte|besitz\w*|mein\w*|unser\w*|gekauft|bekommen|gekriegt|mit|gibt|ist|sind"
    r"|ai|a|as|avons|ont|avoir|mon|ma|mes|notre|nos|avec|acheté|adopté|reçu|est|sont"
    r"|tengo|tenemos|tiene|tienen|tener|mi|mis|nuestr\w+|con|compr\w+|adopt\w+|hay|es|son"
    r"|ho|abbiamo|ha|hanno|mio|mia|miei|mie|nostr\w+|comprato|preso|è|sono"
    r"|tenho|temos|tem|têm|meu|minha|meus|minhas|noss\w+|com|há|é|são"
    r"|heb|hebben|heeft|mijn|ons|onze|gekocht|gekregen|met|zijn"
    r"|mam|mamy|mieć|mój|moja|moje|nasz\w*|kupi\w+|jest|z"
    r"|jag|har|min|mitt|mina|vår\w*|köpt\w*|med)\b",
    re.IGNORECASE,
)
_IS_ONE: Final = regex(
    r"(?i:\b(?:is|are)\s+(?:an?|the))\s+\w+|\b(?:ist|sind)\s+(?:ein\w*\s+)?[A-ZÄÖÜ]\w+|\b(?:est|sont)\s+\w+|\b(?:es"
    r"|son)\s+\w+|\bè\s+\w+|\bé\s+\w+"
)
_BEING: Final = regex(
    r"\b(?:am|im|is|are|was|were|be|been|being|become\w*|became|as|['’]m|['’]re|['’]s|s|re|m|work\w*|my|our|for"
    r"|bin|bist|ist|sind|war|werde|geworden|als|arbeite\w*|mein\w*|unser\w*"
    r"|suis|es|est|sommes|sont|étais|devenu\w*|comme|c['’]est|mon|ma|mes"
    r"|soy|eres|somos|son|estoy|está|estamos|trabaj\w+|como|mi|mis"
    r"|sono|sei|è|siamo|stato|stata|faccio|mio|mia"
    r"|sou|és|é|somos|são|estou|trabalh\w+|meu|minha"
    r"|ben|bent|zijn|werk\w*|mijn|jestem|jesteśmy|są|mój|moja|är|min|mitt)\b|['’](?:m|s|re)\b",
    re.IGNORECASE,
)
_WORKS: Final = regex(
    r"\b(?:works|working|job|arbeitet|travaille|trabaja|lavora|trabalha|werkt|pracuje)\b", re.IGNORECASE
)
_WORKING: Final = regex(
    r"work|\bjob|employ|hired|shift|office|colleague|boss|manager|role|position|company|firm|team|career|started"
    r"|start\b|\bam\b|['’]m\b|\bmy\b"
    r"|arbeit|beruf|büro|kolleg|chef|firma|schicht|\bbin\b|travail|boss|boulot|emploi|bureau|collègue|\bsuis\b"
    r"|trabaj|empleo|oficina|\bsoy\b|lavor"
    r"|ufficio|\bsono\b|trabalh|emprego|\bsou\b|werk|baan|\bben\b|prac|\bjestem\b|jobb|arbet|\bjag\b",
    re.IGNORECASE,
)
_NEEDS: Final = ((_HAS, _HAVING, "has"), (_IS_ONE, _BEING, "is"), (_WORKS, _WORKING, "works"))


def unsaid_verb(fact: str, clause: str) -> str | None:
    """The verb of a fact that nothing in a clause says; `None` where all is said.

    >>> unsaid_verb("Is a manager", "They offered me the manager role")
    'is'
    >>> unsaid_verb("Is a manager", "I'm the manager")
    """
    for stated, said, verb in _NEEDS:
        if stated.search(fact) and not said.search(clause):
            return verb
    return None
