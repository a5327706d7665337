"""Whether a user asked for a memory to be forgotten or changed.

A model may be talked into deleting by what it reads: a web page, a tool's output, a recalled memory. So it may only
propose; what decides is what users said themselves. No model is asked:

    forget   a user's message asks to forget something, and names it: a word of the memory or one of its categories, or
             everything there is; "forget that" names what the message before it spoke of
    change   what is new in the new text is what a user said: no name, number or date of it is invented, and a word is
             shared
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from langchain_mem.extraction.grounding import invented
from langchain_mem.extraction.messages import Turn
from langchain_mem.ranking.bm25 import tokenize

_FORGET: Final = re.compile(
    r"\b(?:forget|delete|remove|erase|wipe|clear|discard|drop|unlearn|scrap|get rid of)\b|"
    r"\b(?:do not|don['’]t|stop|no longer|never)\s+(?:\w+\s+)?(?:remember|keep|know|stor|sav)\w*|"
    r"\b(?:vergiss|vergessen|lösche?n?|entfernen?|oublie[rz]?|supprime[rz]?|efface[rz]?|olvid\w+|borr[ae]\w*|elimin\w+|"
    r"esque[cç]\w+|apag\w+|remov\w+|dimentic\w+|cancell\w+|vergeet|verwijder\w*|zapomni\w*|usuń|glöm\w*|radera)\b|"
    r"забуд\w*|удал\w*|сотр\w*|忘|删除|刪除|削除|消して|잊어|삭제|지워|انس|احذف|भूल|हटा",
    re.IGNORECASE,
)
"""How people ask to forget, in the languages most used. In another one, the application offers a way of its own."""

_ALL: Final = re.compile(
    r"\b(?:everything|all|anything|alles|tout|todo|tudo|tutto|wszystko|allt)\b|всё|все|全部|すべて|모두|모든|كل|सब",
    re.IGNORECASE,
)
_THAT: Final = re.compile(
    r"\b(?:that|this|it|them|those|these|das|cela|ça|eso|isso|quello|dat|det)\b|это|それ|那|这|그것", re.IGNORECASE
)
_FILLER: Final = frozenset(
    token
    for token in tokenize(
        "please forget delete remove erase wipe clear discard drop stop remember keep know store save memory memories "
        "everything all anything thing things stuff fact note info information about that this ok okay thanks"
    )
)


def asks_to_forget(memory: Mapping[str, Any], turns: Sequence[Turn]) -> bool:
    """Whether a user asked for this memory to be forgotten.

    Args:
        memory: As an operation returned it.
        turns: The conversation, oldest first.
    """
    about = {*tokenize(memory["memory"]), *tokenize(" ".join(memory["categories"]).replace("_", " "))} - _FILLER
    return any(
        turn.role == "user" and _FORGET.search(turn.text) and _names(turn, turns[:place], memory, about)
        for place, turn in enumerate(turns)
    )


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
    said = [turn.text for turn in turns if turn.role == "user"]
    new = {*tokenize(text)} - {*tokenize(memory["memory"])}
    shared = new & {token for each in said for token in tokenize(each)}
    return bool(shared) and not invented(text, said, observed=now, known=[memory["memory"]])
