"""Messages to candidates: the one model call, and reading what it says.

The model answers through structured output, or in text where it has none. Its answer is read leniently as a whole and
strictly one operation at a time: one that cannot be is rejected with the reason, the rest stands. Only an answer with
no operations in it at all is asked for once more, with the error shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

# private, but what LangGraph itself tells its streaming handlers by
from langchain_core.tracers._streaming import _StreamingCallbackHandler, _V2StreamingCallbackHandler
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from langchain_mem._flow import call
from langchain_mem.errors import ExtractionError, InvalidRequest
from langchain_mem.extraction import prompts
from langchain_mem.extraction.messages import Turn, text_of
from langchain_mem.extraction.reconcile import Action, Operation
from langchain_mem.model.instants import instant, iso, to_instant
from langchain_mem.model.records import Rejected, StoredMemory, sound

QUIET: Final[RunnableConfig] = {"tags": ["nostream", "langsmith:nostream"], "run_name": "langchain_mem"}
"""How the package calls a model: its tokens are not streamed to the user of the graph it runs in."""


def quiet() -> RunnableConfig:
    """The configuration of a call that no stream of the run around it shows; its traces and usage counts do.

    `stream(stream_mode="messages")` leaves out what is tagged `nostream`. `astream_events` and the event streams of
    LangGraph Server do not know the tag, so the handlers that feed them are left out here.
    """
    manager = (var_child_runnable_config.get() or {}).get("callbacks")
    if not isinstance(manager, BaseCallbackManager):
        kept = [handler for handler in manager or [] if not _streams(handler)]
        return {**QUIET, "callbacks": kept} if manager else QUIET
    manager = manager.copy()
    for handler in [handler for handler in manager.handlers if _streams(handler)]:
        manager.remove_handler(handler)
    return {**QUIET, "callbacks": manager}


def _streams(handler: BaseCallbackHandler) -> bool:
    return isinstance(handler, (_StreamingCallbackHandler, _V2StreamingCallbackHandler))


def unstreamed(model: BaseChatModel) -> BaseChatModel:
    """The model as one that answers whole, whatever handlers would have it stream. The model itself is not changed."""
    return model.model_copy(update={"disable_streaming": True})


class Proposal(BaseModel):
    """One operation, as a model writes it."""

    model_config = ConfigDict(extra="ignore")

    action: Action
    text: str = ""
    memory: int | None = Field(default=None, description="number of the known memory")
    subject: Literal["user", "assistant"] = "user"
    layer: Literal["owner", "session"] = "owner"
    categories: list[str] = []
    relates_to: list[int] = []
    event_date: str | None = None
    expires: str | None = None
    confidence: float = Field(default=1.0, ge=0, le=1)
    evidence: list[int] = Field(default=[], description="numbers of messages")
    reason: str = ""

    @field_validator("action", "subject", "layer", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("text", "subject", "layer", "categories", "relates_to", "confidence", "evidence", "reason",
                     mode="before")  # fmt: skip
    @classmethod
    def _absent(cls, value: Any, info: Any) -> Any:
        """A model writes null where it means the default."""
        return cls.model_fields[info.field_name].get_default() if value is None else value

    @field_validator("event_date", "expires", mode="after")
    @classmethod
    def _no_date(cls, value: str | None) -> str | None:
        return value if value and value.strip().lower() not in ("null", "none", "n/a") else None


class Extraction(BaseModel):
    """What to remember of this conversation."""

    operations: list[Proposal]


class TypedExtraction(Extraction):
    """What to remember of this conversation, and what it changes of the documents."""

    documents: dict[str, Any] = Field(default={}, description="by schema, the keys that change; null removes a key")


class Answer(NamedTuple):
    """What a model's answer holds, unchecked."""

    operations: list[Any]
    documents: dict[str, Any]


class Proposals(NamedTuple):
    """What a model proposes: operations that can be read, those that cannot, and patches of documents."""

    operations: list[Operation]
    rejected: list[Rejected]
    documents: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a model is asked to extract from.

    Attributes:
        turns: The conversation.
        known: Live memories the conversation may be about; the model sees their numbers, never their ids.
        observed: When the conversation took place, for turns without a time of their own.
        subjects: Whose facts are wanted.
        categories: Names, and what each is for.
        instructions: The application's own rules.
        schemas: JSON schemas of the documents to keep up to date, by name.
        documents: Those documents as they are.
    """

    turns: Sequence[Turn]
    known: Sequence[StoredMemory]
    observed: datetime
    subjects: Literal["user", "assistant", "both"]
    categories: Mapping[str, str]
    instructions: str | None = None
    schemas: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)

    def messages(self, *, as_json: bool) -> list[BaseMessage]:
        """The prompt: rules first, then what is known and said, as data."""
        rules = prompts.rules(
            self.categories, self.instructions, subjects=self.subjects, as_json=as_json, schemas=self.schemas
        )
        known = prompts.known([memory["memory"] for memory in self.known])
        data = [known, prompts.documents(self.documents), prompts.conversation(self.turns, self.observed)]
        return [SystemMessage(rules), HumanMessage("\n\n".join(part for part in data if part))]


async def propose(model: BaseChatModel, request: Request) -> Proposals:
    """Asks the model once, and once more if its answer holds no operations. A body.

    Raises:
        ExtractionError: The model failed, or gave nothing to read twice.
    """
    model = unstreamed(model)
    structured = _structured(model, TypedExtraction if request.schemas else Extraction)
    messages = request.messages(as_json=structured is None)
    reply = await ask(structured or model, messages)
    try:
        answer = read(reply)
    except ValueError as error:
        again = [*messages, AIMessage(_said(reply) or "…"), HumanMessage(prompts.RETRY.format(error=error))]
        answer = _read_or_fail(await ask(structured or model, again))
    return Proposals(*_checked(answer.operations, request), answer.documents)


def _read_or_fail(reply: AIMessage) -> Answer:
    try:
        return read(reply)
    except ValueError as error:
        raise ExtractionError(f"The model gave no valid output, twice; nothing was written. Last: {error}") from error


def _structured(model: BaseChatModel, form: type[Extraction]) -> Runnable[Any, Any] | None:
    """The model with structured output; `None` where it has none. A plain schema leaves the reading to us."""
    schema = {**form.model_json_schema(), "title": "Extraction"}
    try:
        return model.with_structured_output(schema, include_raw=True)
    except NotImplementedError:
        return None


async def ask(model: Runnable[Any, Any], messages: Sequence[BaseMessage]) -> AIMessage:
    """One call of a model, quiet. A body.

    Raises:
        ExtractionError: The model failed; its own error is the cause.
    """
    try:
        answer = await call(model.invoke, model.ainvoke, list(messages), quiet())
    except Exception as error:  # every provider has an error tree of its own
        raise ExtractionError(f"The model failed, nothing was written: {error!r}") from error
    raw = answer["raw"] if isinstance(answer, Mapping) and "raw" in answer else answer
    return raw if isinstance(raw, AIMessage) else AIMessage(text_of(getattr(raw, "content", raw)))


_TRIES: Final = 100  # no answer has more stray brackets, and ten thousand of them would take minutes
_THINKING: Final = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)


def read(reply: AIMessage) -> Answer:
    """What a model's answer holds: arguments of its tool calls, else JSON anywhere in its text.

    Raises:
        ValueError: There are no operations; says what was expected.
    """
    called = [tool_call["args"] for tool_call in reply.tool_calls]
    answers = _answers(called) or _answers(_objects(_said(reply)))
    if not answers:
        raise ValueError('Expected a JSON object with a list "operations".')
    operations = [operation for answer in answers for operation in answer.operations]
    return Answer(operations, {name: patch for answer in answers for name, patch in answer.documents.items()})


def numbers(reply: AIMessage, count: int) -> list[int]:
    """The numbers from 0 below `count` that a model's answer names, each once.

    Raises:
        ValueError: It names one that is not there.
    """
    named = [int(number) for number in re.findall(r"\d+", _THINKING.sub("", _said(reply)))]
    if any(number >= count for number in named):
        raise ValueError(f"expected numbers from 0 to {count - 1}, got {named}")
    return list(dict.fromkeys(named))


def _said(reply: AIMessage) -> str:
    broken = " ".join(str(tool_call["args"] or "") for tool_call in reply.invalid_tool_calls)
    return f"{text_of(reply.content)} {broken}".strip()


def _answers(payloads: Iterable[Any]) -> list[Answer]:
    return [answer for answer in map(_answer, payloads) if answer is not None]


def _answer(payload: Any) -> Answer | None:
    """A payload as an answer; a bare list is one if it holds operations, as what is left of a broken object may."""
    if isinstance(payload, list):
        proposed = payload and all(isinstance(each, Mapping) and "action" in each for each in payload)
        return Answer(payload, {}) if proposed else None
    if not isinstance(payload, Mapping):
        return None
    operations, documents = payload.get("operations"), payload.get("documents")
    if isinstance(operations, str):  # a model may write the list as a string within the object
        operations = next(_objects(operations), None)
    if operations is None and isinstance(documents, Mapping):
        operations = []
    told = documents if isinstance(documents, Mapping) else {}
    return Answer(operations, dict(told)) if isinstance(operations, list) else None


def _objects(text: str) -> Iterator[Any]:
    """Every JSON object or list that stands in a text, outermost first; fences and chatter are passed over."""
    decoder, text, at, failed = json.JSONDecoder(), _THINKING.sub("", text), 0, 0
    while failed < _TRIES and (start := _opening(text, at)) is not None:
        try:
            found, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            at, failed = start + 1, failed + 1
        else:
            yield found


def _opening(text: str, at: int) -> int | None:
    found = re.compile(r"[{\[]").search(text, at)
    return found.start() if found else None


def _checked(found: Sequence[Any], request: Request) -> tuple[list[Operation], list[Rejected]]:
    operations: list[Operation] = []
    rejected: list[Rejected] = []
    for item in found:
        try:
            operations.append(_operation(Proposal.model_validate(item), request))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            rejected.append(_rejected(item, f"{'.'.join(map(str, first['loc'])) or 'operation'}: {first['msg']}"))
        except InvalidRequest as error:
            rejected.append(_rejected(item, str(error)))
    return operations, rejected


def _rejected(item: Any, reason: str) -> Rejected:
    """A refusal as JSON: NaN, which is none, becomes text."""
    told = item if isinstance(item, Mapping) else {"given": item}
    return {"operation": json.loads(json.dumps(told, default=repr), parse_constant=str), "reason": reason}


def _operation(proposal: Proposal, request: Request) -> Operation:
    """A proposal with its numbers looked up and its dates worked out.

    Raises:
        InvalidRequest: A number names no memory, or a date is none.
    """
    target = None if proposal.action is Action.ADD else _known(proposal.memory, request.known)
    subject = proposal.subject if request.subjects == "both" else request.subjects
    return Operation(
        action=proposal.action,
        text=" ".join(sound(proposal.text).split()),
        target=target,
        subject=subject,
        layer=proposal.layer,
        categories=tuple(name for name in dict.fromkeys(proposal.categories) if name in request.categories),
        relates_to=tuple(request.known[n]["id"] for n in proposal.relates_to if 0 <= n < len(request.known)),
        event_date=iso(instant(proposal.event_date)) if proposal.event_date else None,
        expires=iso(to_instant(proposal.expires, now=request.observed)) if proposal.expires else None,
        confidence=proposal.confidence,
        evidence=tuple(proposal.evidence),
        reason=sound(proposal.reason),
    )


def _known(number: int | None, known: Sequence[StoredMemory]) -> StoredMemory | None:
    if number is None:
        return None
    if not 0 <= number < len(known):
        raise InvalidRequest(f"memory {number} is not among the {len(known)} known ones, numbered from 0")
    return known[number]
