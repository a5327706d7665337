"""What an assistant did, and what was thought of it: conversations with feedback, from which instructions are improved.

Feedback is what the application gives beside a conversation: a rating, a reviewer's words, a user's thumbs. What users
say within the conversation is no feedback, unless the application allows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.messages import Turn, turns_of
from langchain_mem.extraction.portions import tokens
from langchain_mem.extraction.redaction import Redact

_KEYS: Final = frozenset({"messages", "feedback", "score"})
_CUT: Final = "[…]"
_LEAST: Final = 40  # tokens of a message that is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One conversation.

    Attributes:
        turns: What was said and done.
        feedback: What was thought of it, in one line; `None` where nothing was.
    """

    turns: Sequence[Turn]
    feedback: str | None = None


class Feedback(NamedTuple):
    """One thing that instructions may be changed for.

    Attributes:
        conversation: The number of the conversation it is about.
        text: What was thought of it.
    """

    conversation: int
    text: str


def trajectories_of(given: Any, redact: Redact | None) -> list[Trajectory]:
    """What callers hand over as trajectories, in one form.

    Args:
        given: One or several.
        redact: What masks secrets in a text.

    Raises:
        InvalidRequest: Something is no trajectory; says what is allowed.
    """
    if _is_one(given):
        given = [given]
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise InvalidRequest(f"trajectories are a list of conversations, not {shown(given)}.")
    found = [_trajectory(each, redact) for each in given]
    return [each for each in found if each.turns]


def _is_one(given: Any) -> bool:
    """Whether something is one trajectory: a mapping, a pair with feedback, or messages themselves."""
    if isinstance(given, Mapping):
        return "messages" in given
    several = isinstance(given, list) and bool(given)
    return several and isinstance(given[0], Mapping) and "content" in given[0]


def _trajectory(given: Any, redact: Redact | None) -> Trajectory:
    messages, feedback, score = given, None, None
    if isinstance(given, Mapping) and "messages" in given:
        if unknown := given.keys() - _KEYS:
            raise InvalidRequest(f"A trajectory has messages, feedback and score, not {shown(sorted(unknown))}.")
        messages, feedback, score = given["messages"], given.get("feedback"), given.get("score")
    elif isinstance(given, tuple) and len(given) == 2:  # LangMem's AnnotatedTrajectory is one, too
        messages, feedback = given
    told = _told(feedback, score)
    return Trajectory(turns=turns_of(messages, redact), feedback=redact(told) if told and redact else told)


def _told(feedback: Any, score: Any) -> str | None:
    """Feedback in one line.

    Raises:
        InvalidRequest: It is neither a text nor JSON.
    """
    try:
        words = feedback if isinstance(feedback, str | None) else json.dumps(feedback, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"feedback is a text or JSON values, not {shown(feedback)}.") from error
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
        raise InvalidRequest(f"score is a number, not {shown(score)}.")
    parts = [*([] if score is None else [f"score {score:g}"]), *([" ".join(words.split())] if words else [])]
    return ": ".join(part for part in parts if part) or None


def feedback_on(trajectories: Sequence[Trajectory], *, allow_user: bool) -> list[Feedback]:
    """What instructions may be changed for, to be numbered in this order."""
    told = [Feedback(number, each.feedback) for number, each in enumerate(trajectories) if each.feedback]
    if not allow_user:
        return told
    wishes = "what the user says in this conversation of how the assistant should behave"
    return [*told, *(Feedback(number, wishes) for number, each in enumerate(trajectories) if _user_speaks(each))]


def _user_speaks(trajectory: Trajectory) -> bool:
    return any(turn.role == "user" for turn in trajectory.turns)


def fitted(trajectories: Sequence[Trajectory], limit: int) -> list[Trajectory]:
    """Trajectories cut to so many tokens together: of a long one the end stays, which feedback is mostly about."""
    share = max(_LEAST, limit // max(len(trajectories), 1))
    return [replace(each, turns=_end_of(each.turns, share)) for each in trajectories]


def _end_of(turns: Sequence[Turn], limit: int) -> list[Turn]:
    kept: list[Turn] = []
    left = limit
    for turn in reversed(turns):
        size = tokens(turn.text)
        if size > left and left < _LEAST:
            break
        kept.append(turn if size <= left else replace(turn, text=_shortened(turn.text, left)))
        left -= min(size, left)
    return kept[::-1]


def _shortened(text: str, limit: int) -> str:
    """The beginning and the end of a text, in about so many tokens."""
    half = max(1, 2 * limit)  # a token is about four letters, and each end gets half of them
    return f"{text[:half]} {_CUT} {text[-half:]}"
