"""What a model proposes: the form of its answer, and each operation of it checked and read.

The answer is read leniently as a whole and strictly one operation at a time. One that cannot be is rejected with the
reason, and the rest stands. A document that is not valid is a fault, which the model is asked to correct.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.document_proposals import (
    DocumentFault,
    Written,
    about_document,
    as_operations,
    faulty_patches,
    unmended,
)
from langchain_mem.extraction.loose_dates import loose_span
from langchain_mem.extraction.reconcile import Action, CheckedProposal
from langchain_mem.extraction.request import ExtractionRequest
from langchain_mem.model.instants import iso, to_instant
from langchain_mem.model.kinds import Kinds
from langchain_mem.model.phrases import read_phrases
from langchain_mem.model.records import Importance, Rejected, StoredMemory, sound


class Proposal(BaseModel):
    """One operation, as a model writes it."""

    model_config = ConfigDict(extra="ignore")

    action: Action
    text: str = ""
    memory: int | None = Field(default=None, description="number of the known memory")
    subject: str = Field(default="user", description="user, assistant, or a speaker's name")
    layer: Literal["owner", "session"] = "owner"
    importance: Importance = "normal"
    categories: list[str] = []
    useful_for: list[str] = Field(default=[], description="requests and situations that do not name it")
    event_date: str | None = None
    expires: str | None = None
    confidence: float = Field(default=1.0, ge=0, le=1)
    evidence: list[int] = Field(default=[], description="numbers of messages")
    reason: str = ""

    @field_validator("action", "layer", "importance", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("text", "subject", "layer", "importance", "categories", "confidence", "evidence", "reason",
                     mode="before")  # fmt: skip
    @classmethod
    def _absent(cls, value: Any, info: Any) -> Any:
        """A model writes null where it means the default."""
        return cls.model_fields[info.field_name].get_default() if value is None else value

    @field_validator("useful_for", mode="before")
    @classmethod
    def _phrases(cls, value: Any) -> list[str]:
        """A fact is not lost with phrases that are none."""
        return read_phrases(value)

    @field_validator("event_date", "expires", mode="after")
    @classmethod
    def _no_date(cls, value: str | None) -> str | None:
        return value if value and value.strip().lower() not in ("null", "none", "n/a") else None


class Extraction(BaseModel):
    """What to remember of this conversation."""

    operations: list[Proposal]


class DocumentProposal(Proposal):
    """One operation on a fact or on a document, as a model writes it."""

    kind: str | None = Field(default=None, description="of a document, its kind")
    document: dict[str, Any] | None = Field(default=None, description="whole; for update only the keys that change")


_PATCHES: Final[Any] = Field(default={}, description="by schema, the keys that change; null removes a key")


class TypedExtraction(Extraction):
    """What to remember of this conversation, and what it changes of the documents."""

    documents: dict[str, Any] = _PATCHES


class CollectedExtraction(BaseModel):
    """What to remember of this conversation, as facts and as documents."""

    operations: list[DocumentProposal]


class WholeExtraction(CollectedExtraction):
    """What to remember, as facts and as documents, and what changes of the documents of which there is one."""

    documents: dict[str, Any] = _PATCHES


def form_of(kinds: Kinds) -> type[BaseModel]:
    """The form of an answer, which asks for no field that nobody needs."""
    if kinds.many:
        return WholeExtraction if kinds.one else CollectedExtraction
    return TypedExtraction if kinds.one else Extraction


class Answer(NamedTuple):
    """What a model's answer holds, unchecked."""

    operations: list[Any]
    documents: dict[str, Any]


class Proposals(NamedTuple):
    """What a model proposes.

    Attributes:
        operations: Those that can be read.
        rejected: Those that cannot.
        documents: Patches of the documents of which there is one.
        faults: Operations and patches whose document is not valid.
    """

    operations: list[CheckedProposal]
    rejected: list[Rejected]
    documents: dict[str, Any]
    faults: Sequence[Rejected] = ()

    def mended(self, second: Proposals) -> Proposals:
        """With what a second answer corrects; what it does not correct is rejected."""
        left = unmended(self.faults, [*second.operations, *second.documents])
        told = second.faults or left
        return Proposals(
            [*self.operations, *second.operations],
            [*self.rejected, *second.rejected, *told],
            {**self.documents, **second.documents},
        )

    def all_told(self) -> Proposals:
        """With the faults among what is rejected."""
        return self._replace(rejected=[*self.rejected, *self.faults], faults=())


def proposals_of(answer: Answer, request: ExtractionRequest) -> Proposals:
    """An answer, checked for form; documents that are not valid stand apart."""
    kinds = request.kinds
    operations, rejected, faults = _checked([*answer.operations, *as_operations(answer.documents, kinds)], request)
    patches = {name: patch for name, patch in answer.documents.items() if name not in kinds.many}
    wrong: list[Rejected] = [
        _rejected({"document": name, "patch": patches.pop(name)}, reason)
        for name, reason in [*faulty_patches(patches, request.documents, kinds)]
    ]
    if not kinds:  # a model that was asked for no documents is not asked to correct them
        return Proposals(operations, [*rejected, *wrong], patches, faults)
    faults += wrong
    return Proposals(operations, rejected, patches, faults)


def _checked(
    found: Sequence[Any], request: ExtractionRequest
) -> tuple[list[CheckedProposal], list[Rejected], list[Rejected]]:
    """Operations that can be, those that cannot, and those whose document is not valid."""
    operations: list[CheckedProposal] = []
    rejected: list[Rejected] = []
    faults: list[Rejected] = []
    form = DocumentProposal if request.kinds.many else Proposal
    for item in found:
        try:
            operations.append(_operation(form.model_validate(item), request))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            rejected.append(_rejected(item, f"{'.'.join(map(str, first['loc'])) or 'operation'}: {first['msg']}"))
        except DocumentFault as error:
            faults.append(_rejected(item, str(error)))
        except InvalidRequest as error:
            rejected.append(_rejected(item, str(error)))
    return operations, rejected, faults


def _rejected(item: Any, reason: str) -> Rejected:
    """A refusal as JSON: NaN, which is none, becomes text."""
    told = item if isinstance(item, Mapping) else {"given": item}
    return {"operation": json.loads(json.dumps(told, default=repr), parse_constant=str), "reason": reason}


def _operation(proposal: Proposal, request: ExtractionRequest) -> CheckedProposal:
    """A proposal with its numbers looked up and its dates worked out.

    Raises:
        InvalidRequest: A number names no memory, or a date is none.
    """
    target = None if proposal.action is Action.ADD else _known(proposal.memory, request.known)
    subject, speaker = _subject(proposal.subject.strip(), request)
    start, end, doubt = _dates(proposal.event_date)
    fact = CheckedProposal(
        action=_action(proposal),
        text=_attributed(" ".join(sound(proposal.text).split()), speaker),
        target=target,
        subject=subject,
        speaker=speaker,
        layer=proposal.layer,
        importance=proposal.importance,
        useful_for=tuple(proposal.useful_for),
        categories=tuple(name for name in dict.fromkeys(proposal.categories) if name in request.categories),
        event_date=start,
        event_end=end,
        expires=iso(to_instant(proposal.expires, now=request.observed)) if proposal.expires else None,
        confidence=proposal.confidence,
        evidence=tuple(proposal.evidence),
        reason=sound(proposal.reason),
        doubt=doubt,
    )
    if not isinstance(proposal, DocumentProposal):
        return fact
    return about_document(fact, Written(proposal.kind, proposal.document), request.kinds)


def _dates(said: str | None) -> tuple[str | None, str | None, str | None]:
    """The start and the end of an event, and why there is none: a fact is not lost with a date that nobody can read."""
    if said is None:
        return None, None, None
    try:
        return *loose_span(said), None
    except InvalidRequest:
        return None, None, f"its date cannot be read: {shown(said)}"


def _action(proposal: Proposal) -> Action:
    """What a model wants done; a plan that is closed with what came of it is superseded by that."""
    return Action.SUPERSEDE if proposal.action is Action.CLOSE and proposal.text.strip() else proposal.action


def _subject(said: str, request: ExtractionRequest) -> tuple[Literal["user", "assistant"], str | None]:
    """Whose fact it is, and the name of the speaker where several people speak."""
    names = request.people
    speaker = next((name for name in names if name.casefold() == said.casefold()), None) if len(names) > 1 else None
    if request.subjects != "both":
        return request.subjects, speaker
    return ("assistant" if said.casefold() == "assistant" else "user"), speaker


def _attributed(text: str, speaker: str | None) -> str:
    """A fact with the name of whose it is, where the text does not say it."""
    named = speaker is None or not text or any(part.casefold() in text.casefold() for part in speaker.split())
    return text if named else f"{speaker}: {text}"


def _known(number: int | None, known: Sequence[StoredMemory]) -> StoredMemory | None:
    if number is None:
        return None
    if not 0 <= number < len(known):
        raise InvalidRequest(f"memory {number} is not among the {len(known)} known ones, numbered from 0")
    return known[number]
