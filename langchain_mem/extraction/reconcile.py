"""What a model proposes, against what is known: add, update, supersede, delete or keep.

Pure: operations and memories in, decisions out. A model's word never destroys: a deletion hides, and can be undone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from langchain_mem.extraction.grounding import may_say_the_same
from langchain_mem.model.records import Importance, StoredMemory, fold

SAME_MEANING: Final = 0.95
"""The cosine from which two facts are taken to be one, where their names, numbers and times agree."""

Likeness: TypeAlias = Callable[["CheckedProposal"], Sequence[float | None]]
"""How near an operation's fact is to each of the live memories, in their order.

A cosine, 0 where it is not known; `None` for a memory that lies elsewhere than the fact would.
"""


class Action(StrEnum):
    """What is to be done about one fact."""

    ADD = "add"
    UPDATE = "update"
    SUPERSEDE = "supersede"
    CLOSE = "close"
    DELETE = "delete"
    KEEP = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedProposal:
    """One proposal, read and checked for form.

    Attributes:
        action: What the model wants done.
        text: The fact; empty for deletions.
        target: The known memory it is about.
        subject: Whose fact it is.
        layer: Whether it lasts.
        categories: Names of categories.
        speaker: The name of whose fact it is, where several people speak.
        importance: Whether it belongs into every prompt.
        useful_for: Phrases for requests that need it without naming it.
        event_date: When it happens, ISO text.
        event_end: When that ends, where it is longer than a day.
        expires: When it stops being true, ISO text.
        confidence: 0 to 1.
        evidence: Indices of the turns it rests on.
        reason: Why, in the model's words.
        doubt: Why the conversation does not confirm it; `None` where nothing is in doubt.
        kind: Of a document, its kind; `None` for a fact.
        document: Of a document, the whole of it, or the keys that an update changes.
    """

    action: Action
    text: str = ""
    target: StoredMemory | None = None
    subject: Literal["user", "assistant"] = "user"
    layer: Literal["owner", "session"] = "owner"
    categories: tuple[str, ...] = ()
    speaker: str | None = None
    importance: Importance = "normal"
    useful_for: tuple[str, ...] = ()
    event_date: str | None = None
    event_end: str | None = None
    expires: str | None = None
    confidence: float = 1.0
    evidence: tuple[int, ...] = ()
    reason: str = ""
    doubt: str | None = None
    kind: str | None = None
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What will be done about one fact.

    Attributes:
        action: May differ from what was proposed.
        operation: The proposal.
        target: The memory it is done to.
        rests: Of a superseded compound fact, the statements that still hold.
    """

    action: Action
    operation: CheckedProposal
    target: StoredMemory | None = None
    rests: tuple[str, ...] = ()


def reconcile(
    operations: Sequence[CheckedProposal],
    live: Sequence[StoredMemory],
    likeness: Likeness,
) -> list[Decision]:
    """Decides what each operation comes to.

    The same text, or the same meaning (cosine of at least `SAME_MEANING`, and names, numbers, negations and times
    agree), is kept rather than written twice. Of several operations on one memory the first counts.

    Args:
        operations: As judged.
        live: The memories that are shown now.
        likeness: How near an operation's fact is to each of them.
    """
    decisions: list[Decision] = []
    settled: set[str] = set()
    written: set[str] = set()
    known = [(memory, fold(memory["memory"])) for memory in live]
    for operation in operations:
        said = fold(operation.text)
        decision = _decide(operation, said, known, likeness)
        if decision.target is not None and decision.action is not Action.KEEP:
            if decision.target["id"] in settled:
                continue
            settled.add(decision.target["id"])
        if operation.text and decision.action is not Action.KEEP:
            if said in written:
                continue
            written.add(said)
        decisions.append(replace(decision, rests=_rests(decision, operations)))
    return decisions


def _decide(
    operation: CheckedProposal, said: str, known: Sequence[tuple[StoredMemory, str]], likeness: Likeness
) -> Decision:
    """What one operation comes to.

    Args:
        operation: As judged.
        said: Its text, as `fold` has it.
        known: The memories that are shown now, each with its text in the same form.
        likeness: How near an operation's fact is to each of them.
    """
    target = operation.target
    if operation.action in (Action.KEEP, Action.CLOSE, Action.DELETE):
        return Decision(operation.action, operation, target)
    if target is not None and fold(target["memory"]) == said:
        return Decision(Action.KEEP, operation, target)
    for (memory, words), cosine in zip(known, likeness(operation), strict=True):
        if memory is target or cosine is None:
            continue
        if words == said or _mean_the_same(operation.text, memory["memory"], cosine):
            # a known statement that replaces another one still retires it
            retires = operation.action is Action.SUPERSEDE and target is not None
            return Decision(Action.SUPERSEDE if retires else Action.KEEP, operation, target if retires else memory)
    return Decision(operation.action, operation, target)


def _mean_the_same(text: str, known: str, cosine: float) -> bool:
    return cosine >= SAME_MEANING and may_say_the_same(text, known)


_CLAUSES: Final = re.compile(r",?\s+and\s+|;\s+")
_PREDICATE: Final = re.compile(
    r"(?:is|are|was|has|have|had|owns|likes|loves|prefers|enjoys|hates|dislikes|wants|needs|plans|lives|works|plays"
    r"|uses|drinks|eats|studies|speaks|teaches)\b"
)
_LEAST_WORDS: Final = 3  # of a clause that says something by itself


def _rests(decision: Decision, operations: Sequence[CheckedProposal]) -> tuple[str, ...]:
    """What a superseded compound fact said beside what is now outdated: "lives in Berlin and has a dog" has a dog.

    The prompt asks a model to add the half that still holds. A model whose answer holds more than this one change has
    done so where it meant to, and what was brought back beside its words was mostly outdated.
    """
    if decision.action is not Action.SUPERSEDE or decision.target is None or len(operations) > 1:
        return ()
    said = fold(" ".join(operation.text for operation in operations))
    outdated = _verb(decision.operation.text)
    return tuple(
        text
        for text in statements(decision.target["memory"])
        if _verb(text) not in (outdated, None) and not _covered(text, said)
    )


def statements(compound: str) -> list[str]:
    """The clauses of a compound fact that can stand alone, each with its subject; none where it is one statement."""
    first, *others = _CLAUSES.split(compound.rstrip("."))
    own = [clause for clause in others if len(clause.split()) >= _LEAST_WORDS and _PREDICATE.match(clause)]
    if not own:
        return []
    verb = _PREDICATE.search(first.lower())
    subject = first[: verb.start()].strip() if verb else ""
    later = [f"{subject} {clause}" if subject else clause[:1].upper() + clause[1:] for clause in own]
    return [first, *later]


def _covered(clause: str, said: str) -> bool:
    return all(word in said for word in fold(clause).split())


def _verb(text: str) -> str | None:
    found = _PREDICATE.search(text.lower())
    return found[0] if found else None
