"""Which language a text is in, and the words of it that say something. Small: no model, a few words for each language.

Only what is compared needs it: two texts in different languages cannot be held against each other word by word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import Stemmer  # type: ignore[import-not-found]  # a C extension without stubs

from langchain_mem.extraction.cues import SAME

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

_FUNCTION_WORDS: Final = {
    "en": """the a an and or of to in on at for with is are was were be been has have had i i'm im i've my me you
    your he
        she it we our they their this that not but if so as from by about just do does did will would can who what when
        how his her its than then there user at into over been""",
    "de": """der die das den dem des ein eine einen einem einer und oder von zu zum zur im in am an auf für mit
    ist sind war
        ich mein meine mir mich du er sie es wir uns nicht aber wenn so als aus bei nach nur hat habe haben hab wird
        seit auch kein keine sich wie noch schon nen dann""",
    "fr": """le la les l' un une des et ou de du à au aux en sur pour avec est sont était je j' mon ma mes tu il
    elle nous
        vous ne pas mais si que qui dans par plus ai a ont c'est ce cette depuis donc j'ai d' se son sa leur""",
    "es": """el la los las un una unos y o de del a al en sobre para con es son era yo mi mis me tú él ella
    nosotros no pero
        si que se su por más tengo tiene he ha desde muy como lo le este esta está nos""",
    "it": """il lo la i gli le un una uno e o di del della a al in su per con è sono era io mio mia miei mi tu lui
    lei noi non
        ma se che si da dal più ho ha hanno come questo questa nel nella ne""",
    "pt": """o a os as um uma e ou de do da dos em no na para com é são era eu meu minha me tu você ele ela nós
    não mas se que
        por mais tenho tem desde como isso este esta num numa ao pra""",
    "nl": """de het een en of van te in op voor met is zijn was ik mijn me je jij hij zij wij we niet maar als dat
    die aan bij
        naar heb heeft hebben er ook nog dus geen om uit sinds wat""",
    "pl": """i w na z do jest są był była mam ma nie że się to ja mój moja moje mnie od dla ale po przez o jak już
    tak ze za
        czy""",
    "sv": """och en ett det den är var jag min mitt mina du han hon vi inte men om som på i av för med till har
    hade sig""",
}
LANGUAGES: Final = {code: frozenset(words.split()) for code, words in _FUNCTION_WORDS.items()}
"""The function words of each language, by its code."""

_STEMMERS: Final = {
    "en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese",
    "nl": "dutch", "sv": "swedish",
}  # fmt: skip

FRAME: Final = frozenset(
    """
    mr mrs ms miss dr herr frau monsieur madame señor señora signor user user's users person is are was were be
    been being am has have had having do does did doing done named called
    name names known own owns owned also currently now new about around approximately roughly mostly usually very one
    years old aged looking starting works working work job prefers most least themselves himself herself them
    their theirs who whom which that where when because since during named's per each
    get gets got getting go goes went gone made make makes take takes took use uses used using keep keeps say says said
    ist sind war hat haben hatte heißt namens nutzer nutzerin etwa circa
    est sont était a ont avait s'appelle nommé nommée utilisateur environ
    es son era tiene tienen llamado llamada llama usuario aproximadamente
    è sono era ha hanno chiamato chiamata utente circa
    é são era tem têm chamado chamada usuário
    is zijn was heeft hebben heet genaamd gebruiker ongeveer
    """.split()
)
"""What a fact is put together with, and says nothing by itself."""


@lru_cache(maxsize=4096)  # one fact after the other is held against the same messages
def words(text: str) -> tuple[str, ...]:
    """The words of a text, case folded, a possessive `'s` taken off."""
    return tuple(re.sub(r"['’]s$", "", word.casefold()).replace("’", "'") for word in _WORD.findall(text))


@lru_cache(maxsize=4096)
def language_of(text: str) -> str | None:
    """The code of the language whose function words a text has most of; `None` where it has none, or as many of two.

    >>> language_of("Ich trinke keinen Kaffee"), language_of("Drinks no coffee in the morning"), language_of("Oslo")
    ('de', 'en', None)
    """
    said = [part for word in words(text) for part in re.split(r"(?<=['’])|(?=['’](?:s|m|re|ve|ll|d|t)\b)", word)]
    counts = {code: sum(word in known for word in said) for code, known in LANGUAGES.items()}
    best = max(counts.values())
    leading = [code for code, count in counts.items() if count == best]
    if not best:
        return None
    return leading[0] if len(leading) == 1 else "en" if "en" in leading and text.isascii() else None


def telling(text: str, language: str | None) -> list[str]:
    """The words of a text that say something by themselves, in order, each once."""
    left_out = LANGUAGES.get(language or "", frozenset()) | FRAME
    return list(dict.fromkeys(word for word in words(text) if word not in left_out and len(word) > 1))


@lru_cache(maxsize=65_536)
def root(word: str, language: str | None) -> str:
    """What forms of a word share: its stem without accents, or that of the word it stands for."""
    stem = _stemmed(_STEMMERS.get(language or "en", "english"), word)
    if language in (None, "en"):
        stem = _groups().get(stem, stem)
    return "".join(mark for mark in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(mark))


@lru_cache(maxsize=1)
def _groups() -> dict[str, str]:
    """English stems that stand for one another, each with the one that stands for all."""
    groups = [[_stemmed("english", word) for word in group.split()] for group in SAME]
    return {stem: group[0] for group in groups for stem in group}


def _stemmed(stemmer: str, word: str) -> str:
    return str(Stemmer.Stemmer(stemmer).stemWord(word))


_LEAST: Final = 4  # letters that two forms of a word share


@lru_cache(maxsize=262_144)
def alike(one: str, other: str) -> bool:
    """Whether two roots are forms of one word: equal, or the same for most of their length.

    >>> alike("adopt", "adoption"), alike("munch", "munich"), alike("plan", "planet")
    (True, True, False)
    """
    if one == other:
        return True
    shared = _shared(one, other)
    shorter, longer = sorted((len(one), len(other)))
    if shared >= _LEAST and longer - shared <= (1 if shared == _LEAST else 3):
        return True
    return shorter >= 5 and longer - shorter <= 2 and _edits(one, other) <= (1 if longer < 8 else 2)


def _shared(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _edits(one: str, other: str) -> int:
    """How many letters have to change (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for at, a in enumerate(one, 1):
        above, row[0] = row[0], at
        for place, b in enumerate(other, 1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (a != b))
    return row[-1]
