"""Edits of instructions that a model proposes: read, judged and applied. Pure.

An edit is refused where

    it rests on no feedback            so that nothing changes for what a user merely says
    it repeats a user's own words      or names a person of the conversation
    it loses or invents a placeholder  which the application fills in
    it has no room, or is there already

Secrets and personal data in it are masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from langchain_mem.extraction.portions import tokens
from langchain_mem.extraction.trajectories import Trajectory
from langchain_mem.model.records import Rejected, fold, sound

LONGEST: Final = 600
"""Letters of one line that a model may write."""

RUN: Final = 6
"""So many words in a row that only a user said make a line a user's."""

SHORT_RUN: Final = 3
"""Where half of a line's runs of so many words are a user's, it is the user's as well."""

_LEAST: Final = 3  # short runs that have to be a user's

_PLACEHOLDER: Final = re.compile(r"\{+\s*[A-Za-z_][\w.]*\s*\}+")
_NAMED: Final = re.compile(
    r"\b(?i:my name is|i am|i['’]m|call me|this is|name['’]s|ich heiße|ich bin|je m['’]appelle|me llamo|mi chiamo)\s+"
    r"([A-ZÀ-ÖØ-Þ][\w'’-]+)"
)
_WORD: Final = re.compile(r"\w+", re.UNICODE)


def _numbers(value: Any) -> Any:
    return [value] if isinstance(value, int | str) else value


class ProposedEdit(BaseModel):
    """One change of a line, as a model writes it."""

    model_config = ConfigDict(extra="ignore")

    prompt: str = ""
    action: Literal["add", "replace", "remove"]
    line: int | None = None
    text: str | None = None
    because: Annotated[list[int], BeforeValidator(_numbers)] = []
    reason: str | None = ""


class ProposedEdits(BaseModel):
    """Which lines of the instructions to change."""

    edits: list[ProposedEdit]


class Finding(BaseModel):
    """One failure, and how to mend it."""

    problem: str
    advice: str
    because: Annotated[list[int], BeforeValidator(_numbers)] = []


class Findings(BaseModel):
    """What a review found."""

    findings: list[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionDraft:
    """One text of instructions while it is edited.

    Attributes:
        lines: As they were shown; an edit refers to them by number, from 1.
        learned: Which of them a model has written before.
        after: Lines that were added after each number; 0 is before the first.
        replaced: New texts of lines, `None` for those removed.
    """

    lines: tuple[str, ...]
    learned: frozenset[str] = frozenset()
    after: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    replaced: Mapping[int, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, learned: Collection[str] = ()) -> InstructionDraft:
        """A text by its lines."""
        return cls(lines=tuple(text.splitlines()), learned=frozenset(learned))

    def text(self) -> str:
        """The text as it is now."""
        kept: list[str] = [*self.after.get(0, ())]
        for number, line in enumerate(self.lines, 1):
            now = self.replaced.get(number, line)
            kept += [*([] if now is None else [now]), *self.after.get(number, ())]
        return "\n".join(kept)

    def with_edit(self, edit: ProposedEdit, text: str) -> InstructionDraft:
        """The draft after an edit."""
        if edit.action == "add":
            place = len(self.lines) if edit.line is None else edit.line
            return replace(self, after={**self.after, place: (*self.after.get(place, ()), text)})
        now = None if edit.action == "remove" else text
        return replace(self, replaced={**self.replaced, edit.line or 0: now})


class Edited(NamedTuple):
    """What became of the edits.

    Attributes:
        drafts: The texts after them, by name.
        refused: Those that were refused, each with the reason.
        reasons: Why each text changed.
        written: The lines that were written, by name.
    """

    drafts: dict[str, InstructionDraft]
    refused: list[Rejected]
    reasons: dict[str, list[str]]
    written: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Judges and applies edits.

    Attributes:
        feedback: How many pieces of feedback there are.
        limit: At most so many tokens of all texts together.
        trajectories: The conversations, whose users' words and names stay out.
        mask: What masks secrets and personal data.
        allow_user: Whether a user's words may become an instruction.
        only_learned: Whether lines that no model wrote stay as they are.
        given: The application's texts, whose names and words are no user's: the instructions, and its guidance.
        told: The feedback, whose words are no user's.
    """

    feedback: int
    limit: int
    trajectories: Sequence[Trajectory]
    mask: Callable[[str], str]
    allow_user: bool = False
    only_learned: bool = False
    given: Sequence[str] = ()
    told: Sequence[str] = ()

    def __call__(self, drafts: Mapping[str, InstructionDraft], proposed: Sequence[Any]) -> Edited:
        """Applies what may be applied, one edit after the other."""
        edited = Edited(dict(drafts), [], {name: [] for name in drafts}, {name: [] for name in drafts})
        for item in proposed:
            reason = self._taken(edited, item)
            if reason is not None:
                edited.refused.append({"operation": _told(item), "reason": reason})
        return edited

    def _taken(self, edited: Edited, item: Any) -> str | None:
        """Applies one edit; says why not, where it may not be."""
        try:
            edit = ProposedEdit.model_validate(item)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            return f"{'.'.join(map(str, first['loc'])) or 'edit'}: {first['msg']}"
        name = edit.prompt if edit.prompt or len(edited.drafts) > 1 else next(iter(edited.drafts))
        if name not in edited.drafts:
            return f"there are no instructions named {name[:80]!r}; there are {', '.join(edited.drafts)}"
        draft, text = edited.drafts[name], self.mask(sound(" ".join((edit.text or "").split())))
        refused = self._malformed(draft, edit, text) or self._unfounded(edit, text) or self._broken(draft, edit, text)
        if refused is not None:
            return refused
        after = draft.with_edit(edit, text)
        if self._size({**edited.drafts, name: after}) > max(self.limit, self._size(edited.drafts)):
            return f"no room: the instructions may have {self.limit} tokens"
        edited.drafts[name] = after
        edited.reasons[name].append(edit.reason or edit.action)
        edited.written[name] += [text] if edit.action != "remove" else []
        return None

    def _malformed(self, draft: InstructionDraft, edit: ProposedEdit, text: str) -> str | None:
        first = 0 if edit.action == "add" else 1
        if edit.line is not None and not first <= edit.line <= len(draft.lines):
            return f"there is no line {edit.line}; there are {len(draft.lines)}"
        if edit.line is None and edit.action != "add":
            return f"{edit.action} needs the number of a line"
        if edit.action != "add" and edit.line in draft.replaced:
            return f"line {edit.line} was changed already"
        if edit.action != "remove" and not 0 < len(text) <= LONGEST:
            return f"a line has 1 to {LONGEST} letters, not {len(text)}"
        if edit.action != "remove" and fold(text) in {fold(line) for line in draft.text().splitlines()}:
            return "the instructions say that already"
        return None

    def _unfounded(self, edit: ProposedEdit, text: str) -> str | None:
        """Why an edit is not the application's will."""
        if not edit.because or not all(0 <= number < self.feedback for number in edit.because):
            return "it rests on no feedback"
        named = _names(self.trajectories) & {*_WORD.findall(text)} - {*_WORD.findall(" ".join(self.given))}
        if named:
            return f"it names a person of the conversation: {min(named)}"
        if not self.allow_user and (copied := _copied(text, self.trajectories, [*self.given, *self.told])) is not None:
            return f"it repeats what only a user said: {copied}"
        return None

    def _broken(self, draft: InstructionDraft, edit: ProposedEdit, text: str) -> str | None:
        """Why an edit would harm the instructions."""
        old = draft.lines[edit.line - 1] if edit.line and edit.action != "add" else ""
        if self.only_learned and edit.action != "add" and old not in draft.learned:
            return f"line {edit.line} is the application's, and only lessons may be changed"
        before, after = placeholders(draft.text()), placeholders(draft.with_edit(edit, text).text())
        if before - after:
            return f"the placeholder {min(before - after)} would be lost"
        if after - before:
            return f"there is no placeholder {min(after - before)}"
        return None

    def _size(self, drafts: Mapping[str, InstructionDraft]) -> int:
        return sum(tokens(draft.text()) for draft in drafts.values())


def _told(item: Any) -> dict[str, Any]:
    """A refused edit as JSON, not longer than it has to be."""
    told = item if isinstance(item, Mapping) else {"given": item}
    return {str(key): str(value)[:300] for key, value in told.items()}


def placeholders(text: str) -> set[str]:
    """The placeholders in a text, as they are written.

    >>> sorted(placeholders("Answer {user_name} in {{ language }}."))
    ['{user_name}', '{{ language }}']
    """
    return {found[0] for found in _PLACEHOLDER.finditer(text)}


def _names(trajectories: Sequence[Trajectory]) -> set[str]:
    """By what names the users of conversations go."""
    turns = [turn for each in trajectories for turn in each.turns if turn.role == "user"]
    told = {name for turn in turns for name in _NAMED.findall(turn.text)}
    return told | {word for turn in turns for word in _WORD.findall(turn.name or "") if len(word) > 1}


def _copied(text: str, trajectories: Sequence[Trajectory], given: Sequence[str]) -> str | None:
    """Words of a text that only users said; `None` where it is not theirs.

    It is theirs where it holds a long run of their words, or where half of its short runs are theirs: a model that
    copies an order leaves out or changes a word.
    """
    theirs = [turn.text for each in trajectories for turn in each.turns if turn.role == "user"]
    others = [*given, *(t.text for each in trajectories for t in each.turns if t.role != "user")]
    for length, share in ((RUN, 0.0), (SHORT_RUN, 0.5)):
        only = {run for said in theirs for run in _runs(said, length)}
        only -= {run for said in others for run in _runs(said, length)}
        runs = _runs(text, length)
        found = [" ".join(run) for run in runs if run in only]
        if found and len(found) >= max(_LEAST if share else 1, share * len(runs)):
            return found[0]
    return None


def _runs(text: str, length: int) -> list[tuple[str, ...]]:
    """The runs of so many words in a text, in order."""
    words = _WORD.findall(text.casefold())
    return [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]
