"""A conversation in portions that one model call can take.

Adopting a long thread, or pasting a book, makes several prompts of bounded size instead of one that no model reads. A
message that is too long for a portion is cut between sentences, and its pieces are messages of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from langchain_mem.extraction.messages import Turn

DEFAULT_TOKENS: Final = 4_000
"""Tokens of conversation in one prompt, beside the rules (about 1,000) and what is known (at most about 1,500)."""

LEAST_TOKENS: Final = 200
"""The smallest portion: below it a sentence and its answer no longer stand together."""

EARLIER: Final = 4
"""So many messages of the portion before are shown again, for understanding only."""

_BREAK: Final = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_HEADING: Final = 20  # tokens of a speaker and a time


def tokens(text: str) -> int:
    """About how many tokens a text has: four bytes of UTF-8 each, which fits scripts beyond ASCII better than letters.

    >>> tokens("Has a dog called Rex"), tokens("東京に住んでいます")
    (5, 6)
    """
    return len(text.encode("utf-8", "surrogatepass")) // 4


def portions(turns: Sequence[Turn], limit: int) -> list[list[Turn]]:
    """Turns in portions of at most so many tokens, in order; a turn that is too long comes in pieces."""
    found: list[list[Turn]] = [[]]
    room = limit
    for piece in (piece for turn in turns for piece in _pieces(turn, limit)):
        cost = tokens(piece.text) + _HEADING
        if found[-1] and cost > room:
            found.append([])
            room = limit
        found[-1].append(piece)
        room -= cost
    return found


def _pieces(turn: Turn, limit: int) -> Iterator[Turn]:
    if tokens(turn.text) + _HEADING <= limit:
        yield turn
        return
    text = ""
    for part in _parts(turn.text, limit - _HEADING):
        if text and tokens(f"{text} {part}") > limit - _HEADING:
            yield replace(turn, text=text, whole=turn.spoken)
            text = part
        else:
            text = f"{text} {part}".strip()
    yield replace(turn, text=text, whole=turn.spoken)


def _parts(text: str, limit: int) -> Iterator[str]:
    """The sentences of a text; one that is too long itself is cut anywhere."""
    for sentence in _BREAK.split(text):
        # a letter takes up to four bytes, which is a token
        size = limit if tokens(sentence) > limit else max(1, len(sentence))
        yield from (sentence[at : at + size] for at in range(0, len(sentence), size))
