"""Whether a user asked for a memory to be forgotten or changed.

A model may be talked into deleting by what it reads: a web page, a tool's output, a recalled memory. So it may only
propose; what decides is what users said themselves. No model is asked:

    forget   a user's message asks to forget something remembered (`wishes_to_forget`), and names it: a word of the
             memory or one of its categories, or everything there is; "forget that" names what the message before it
             spoke of, and a yes names what the assistant asked about
    change   what is new in the new text is what a user said, by the checks of extraction, and a word is shared
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from langchain_mem._regex import regex
from langchain_mem.extraction.forget_words import TONGUES
from langchain_mem.extraction.messages import Turn
from langchain_mem.extraction.support import Premise, unvouched
from langchain_mem.ranking.tokens import tokenize

_FLAGS: Final = re.IGNORECASE

_FORGET: Final = [regex(tongue.forget, _FLAGS) for tongue in TONGUES]
_UNKEPT: Final = [regex(tongue.unkept, _FLAGS) for tongue in TONGUES]
_DELETE: Final = [regex(tongue.delete, _FLAGS) for tongue in TONGUES]
_DELETED: Final = [regex(tongue.deleted, _FLAGS) for tongue in TONGUES]
_REMEMBERED: Final = [regex(tongue.remembered, _FLAGS) for tongue in TONGUES]
_DENIED: Final = [regex(tongue.denied, _FLAGS) for tongue in TONGUES]
_ASKED: Final = [regex(tongue.asked, _FLAGS) for tongue in TONGUES]

_SENTENCE: Final = regex(r"[^.!?;\n。！？]+[.!?;\n。！？]*")
_QUOTED: Final = regex(
    r"(?<!\w)(?:'[^'\n]{1,200}'(?!\w)|\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”"
    r"|„[^“”\n]{1,200}[“”]|«[^»\n]{1,200}»|`[^`\n]{1,200}`)"
)
_NONE_OF_OURS: Final = regex(
    r"\b(?:recipe|paragraph|sentence|file|files|folder|code|function|table|browser|cookies|cache|disk|drive"
    r"|branch|commit|e-?mail|mail|draft"
    r"|document|story|essay|poem|letter|slides?|presentation|report|article|script|chapter|invoice|cv|resume"
    r"|spreadsheet|column|row|photo|video|song|playlist|rezept|absatz|datei|receta|archivo|recette|fichier"
    r"|ricetta|receita|arquivo|ficheiro)\b",
    _FLAGS,
)
"""What is deleted where somebody works on a thing of their own."""
_REQUEST: Final = regex(
    r"(?:^|[,:–—-]\s*|\b(?:and|but|so|then|please|pls|plz|just|also|now|kindly|ok|okay|yes|yeah|no|hey|oh"
    r"|actually|again|forever"
    r"|you (?:can|may|should|could|must|might|need to|have to|ought to)(?: also| now| just| please)?|(?:can"
    r"|could|would|will|can['’]t|couldn['’]t|won['’]t) you(?: also| now| just| please| kindly)?"
    r"|(?:want|like|need|ask|asked|tell|told|wish|expect|prefer) (?:that )?you(?: to)?(?: also| now| just"
    r"| please)?|(?:want|like|need) to have you|time to|rather you|better if you|hope you|request(?: that)? you"
    r"|let['’]s)\s+)$",
    _FLAGS,
)
"""What may stand before "forget" where it is a request."""

_AGREES: Final = regex(
    r"^\W*(?:yes|yeah|yep|yup|sure|ok|okay|please do|do it|do so|go ahead|right|correct|exactly|ja|klar|gerne"
    r"|genau|sí|si|claro|vale|oui"
    r"|d['’]accord|vas-y|sì|certo|va bene|sim|pode|isso|tak|да|はい|好的?|是的?|네)\b(?:\W+(?:please|do|do it|go ahead"
    r"|do that|bitte|mach das|por favor|hazlo|s['’]il te plaît"
    r"|fais-le|per favore|fallo|faça|sure|thanks|thank you))*\W*$",
    _FLAGS,
)
"""A yes and nothing more."""

_ALL: Final = regex(
    r"\b(?:everything|all|anything|alles|tout|todo|tudo|tutto|wszystko|allt)\b|всё|все|全部|すべて|모두|모든|كل|सब",
    re.IGNORECASE,
)
_THAT: Final = regex(
    r"\b(?:that|this|it|them|those|these|das|cela|ça|eso|isso|quello|dat|det)\b|это|それ|那|这|그것", re.IGNORECASE
)
_FILLER: Final = frozenset(
    token
    for token in tokenize(
        "please forget delete remove erase wipe clear discard drop stop remember keep know store save memory "
        "memories "
        "everything all anything thing things stuff fact note info information about that this ok okay thanks"
    )
)


def wishes_to_forget(text: str, *, known: Sequence[str] = ()) -> bool:
    """Whether a message asks to forget, or not to keep, something that was remembered.

    "Forget" asks by itself, unless it is denied ("don't forget", "I always forget") or a way of speaking ("forget
    it"). "Delete" and its like ask where the sentence says that it is about memory ("from your notes", "what I told
    you", "my address"), for people delete paragraphs and files too. A question for an answer asks for nothing.

    Args:
        text: What a user wrote.
        known: Words that are as good as a mention of memory, such as a memory's id.
    """
    return any(_wishes(sentence[0], known) for sentence in _SENTENCE.finditer(_QUOTED.sub(" ", text)))


def _wishes(sentence: str, known: Sequence[str]) -> bool:
    if sentence.rstrip().endswith(("?", "？")) and _any(_ASKED, sentence):
        return False
    for denied in _DENIED:
        sentence = denied.sub(" ∅ ", sentence)
    if _asks_in_english(sentence) or _any(_FORGET[1:], sentence):
        return True
    if _NONE_OF_OURS.search(sentence):
        return False
    ours = _any(_REMEMBERED, sentence) or any(word in sentence for word in known)
    return _any(_UNKEPT, sentence) or (ours and (_any(_DELETE, sentence) or _any(_DELETED, sentence)))


def _asks_in_english(sentence: str) -> bool:
    """English has one form for "forget!" and "I forget", so what stands before it decides."""
    return any(
        _REQUEST.search(sentence[: found.start()].lstrip(" \t\"'(*-")) for found in _FORGET[0].finditer(sentence)
    )


def _any(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)


def asks_to_forget(memory: Mapping[str, Any], turns: Sequence[Turn]) -> bool:
    """Whether a user asked for this memory to be forgotten.

    Args:
        memory: As an operation returned it.
        turns: The conversation, oldest first.
    """
    about = {*tokenize(memory["memory"]), *tokenize(" ".join(memory["categories"]).replace("_", " "))} - _FILLER
    return any(
        turn.role == "user"
        and (_asks(turn, turns[:place], memory, about) or _agrees(turn, turns[:place], memory, about))
        for place, turn in enumerate(turns)
    )


def _asks(turn: Turn, before: Sequence[Turn], memory: Mapping[str, Any], about: set[str]) -> bool:
    return wishes_to_forget(turn.text, known=[memory["id"]]) and _names(turn, before, memory, about)


def _agrees(turn: Turn, before: Sequence[Turn], memory: Mapping[str, Any], about: set[str]) -> bool:
    """Whether a user says yes to the question whether this memory is to be forgotten."""
    asked = before[-1] if before else None
    if asked is None or asked.role != "assistant" or not _AGREES.match(turn.text):
        return False
    question = next((found[0] for found in _SENTENCE.finditer(asked.text) if "?" in found[0]), "")
    verbs = _any(_FORGET, question) or _any(_DELETE, question)
    return verbs and (memory["id"] in asked.text or bool({*tokenize(question)} & about))


def _names(turn: Turn, before: Sequence[Turn], memory: Mapping[str, Any], about: set[str]) -> bool:
    named = {*tokenize(turn.text)} - _FILLER
    if memory["id"] in turn.text or named & about:
        return True
    if named:  # it names something, and this is not it
        return False
    if _ALL.search(turn.text):
        return True
    spoken = next((earlier for earlier in reversed(before) if earlier.role in ("user", "assistant")), None)
    return bool(_THAT.search(turn.text) and spoken and {*tokenize(spoken.text)} & about)


def asks_to_change(memory: Mapping[str, Any], text: str, turns: Sequence[Turn], *, now: datetime) -> bool:
    """Whether what a new text says of a memory is what a user said.

    Args:
        memory: As an operation returned it.
        text: What it is to say.
        turns: The conversation.
        now: The present, for dates such as "tomorrow".
    """
    new = {*tokenize(text)} - {*tokenize(memory["memory"])}
    spoken = [turn for turn in turns if turn.role == "user"]
    if not new & {token for turn in spoken for token in tokenize(turn.text)}:
        return False
    said = Premise(turns=spoken, cited=(), speakers=(), known=[memory["memory"]], observed=now)
    return unvouched(text, said) is None
