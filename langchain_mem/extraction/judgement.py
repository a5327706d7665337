"""Whether an operation that a model proposes may be carried out: its form, who may ask for it, and what it rests on.

refused   it cannot be carried out, nobody who may ask for it did, or the conversation contradicts it
in doubt  the conversation does not confirm it: it is carried out, with the reason beside it
clear     nothing speaks against it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from langchain_mem.extraction.messages import Turn
from langchain_mem.extraction.reconcile import Action, CheckedProposal
from langchain_mem.extraction.support import Premise, weigh
from langchain_mem.extraction.user_intent import wishes_to_forget

Grounding: TypeAlias = Literal["strict", "mark", "off"]
"""What becomes of a fact that the conversation does not confirm: "strict" refuses it, "mark" keeps it with its doubt.

Both refuse what the conversation contradicts; "off" compares nothing."""

_WITHOUT_TEXT: Final = (Action.DELETE, Action.CLOSE)
_SPEAKERS: Final = {"user": ("user",), "assistant": ("assistant", "system")}
"""Whose words a fact of each subject may rest on."""


class Judgement(NamedTuple):
    """What becomes of one operation.

    Attributes:
        operation: It, with its doubt; what replaces it where only its wording was at fault.
        refused: Why it is not carried out; `None` where it is.
    """

    operation: CheckedProposal
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges the operations of one conversation.

    Attributes:
        turns: What was said.
        observed: When.
        known: Words that need no evidence, such as the owner's id and what is known already.
        min_confidence: The least confidence.
        grounding: How strict to be.
        by_speaker: Whether a user's facts must rest on a user's words, and an assistant's on its own.
    """

    turns: Sequence[Turn]
    observed: datetime
    known: Sequence[str] = ()
    min_confidence: float = 0.0
    grounding: Grounding = "mark"
    by_speaker: bool = True

    def __call__(self, operation: CheckedProposal) -> Judgement:
        """What becomes of an operation."""
        if operation.action is Action.KEEP:
            return Judgement(operation)
        refused = self.malformed(operation) or self._unauthorized(operation)
        if refused is not None or operation.action in _WITHOUT_TEXT:
            return Judgement(operation, refused)
        return self._grounded(operation)

    def malformed(self, operation: CheckedProposal) -> str | None:
        """What is wrong with the form of an operation; `None` where nothing is."""
        if operation.confidence < self.min_confidence:
            return f"confidence {operation.confidence} is below {self.min_confidence}"
        if not all(0 <= index < len(self.turns) for index in operation.evidence):
            return f"evidence names a message that is not there; there are 0 to {len(self.turns) - 1}"
        if operation.action is not Action.ADD and operation.target is None:
            return "it names no known memory"
        if operation.action not in _WITHOUT_TEXT and not operation.text.strip():
            return "its text is empty"
        return None

    def _unauthorized(self, operation: CheckedProposal) -> str | None:
        """Why nobody who may ask for an operation did."""
        if operation.action in (*_WITHOUT_TEXT, Action.UPDATE) and not self.user_said(operation):
            return "only a user's message can delete or change a memory"
        if operation.action is Action.CLOSE and operation.target is not None:
            about = self.said(operation).about(operation.target["memory"])
            return None if about else "no message of the user among those it cites speaks of the memory"
        if operation.action is Action.DELETE:
            cited = [self.turns[index] for index in operation.evidence]
            asked = any(turn.role == "user" and wishes_to_forget(turn.text) for turn in cited)
            return None if asked else "no message of the user among those it cites asks to forget anything"
        if self.by_speaker and not self.rests_on(operation):
            return f"no message of the {operation.subject} is among those it cites"
        return None

    def user_said(self, operation: CheckedProposal) -> bool:
        """Whether an operation cites a user's message; an assistant may also correct what it said of itself."""
        if operation.action is Action.UPDATE and operation.subject == "assistant":
            return True
        return any(self.turns[index].role == "user" for index in operation.evidence)

    def rests_on(self, operation: CheckedProposal) -> bool:
        """Whether an operation cites a message of the one whose fact it is."""
        cited = [self.turns[index] for index in operation.evidence] or self.turns
        return any(turn.role in _SPEAKERS[operation.subject] for turn in cited)

    def _grounded(self, operation: CheckedProposal) -> Judgement:
        if self.grounding == "off":
            return Judgement(operation)
        finding = weigh(operation.text, self.said(operation))
        if finding.contradiction is not None:
            mended = self._in_own_words(operation)
            return Judgement(operation, finding.contradiction) if mended is None else Judgement(mended)
        if finding.doubt is not None and self.grounding == "strict":
            return Judgement(operation, finding.doubt)
        doubts = [doubt for doubt in (operation.doubt, finding.doubt) if doubt]
        return Judgement(replace(operation, doubt="; ".join(doubts) or None))

    def said(self, operation: CheckedProposal) -> Premise:
        """What an operation is held against."""
        target = [operation.target["memory"]] if operation.target else []
        speakers = _SPEAKERS[operation.subject] if self.by_speaker else ()
        return Premise(
            turns=self.turns,
            cited=operation.evidence,
            speakers=speakers,
            known=[*self.known, *target],
            observed=self.observed,
        )

    def _in_own_words(self, operation: CheckedProposal) -> CheckedProposal | None:
        """A change whose wording is wrong, in the words of the message that asks for it.

        What it would replace is outdated all the same: left live, it would be shown and recalled as if it still held.
        """
        if operation.action is not Action.SUPERSEDE or operation.target is None:
            return None
        words = self.said(operation).about(operation.target["memory"])
        return None if words is None else replace(operation, text=words, doubt="in the words of the message")
