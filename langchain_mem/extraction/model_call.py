"""Messages to candidates: the one model call, and reading what it says.

The model answers through structured output, or in text where it has none. Its answer is read leniently as a whole and
strictly one operation at a time: one that cannot be is rejected with the reason, the rest stands. Only an answer with
no operations in it at all is asked for once more, with the error shown.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables.config import RunnableConfig, var_child_runnable_config

# private, but what LangGraph itself tells its streaming handlers by
from langchain_core.tracers._streaming import _StreamingCallbackHandler, _V2StreamingCallbackHandler
from pydantic import BaseModel, ValidationError

from langchain_mem._flow import call
from langchain_mem.errors import ExtractionError
from langchain_mem.extraction import prompts
from langchain_mem.extraction.document_prompts import again as again_for
from langchain_mem.extraction.messages import text_of
from langchain_mem.extraction.proposals import Answer, Proposals, form_of, proposals_of
from langchain_mem.extraction.request import ExtractionRequest

if TYPE_CHECKING:  # they import LangSmith: half a second, which a memory without a model does without
    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import Runnable

_LOG: Final = logging.getLogger("langchain_mem")

QUIET: Final[RunnableConfig] = {"tags": ["nostream", "langsmith:nostream"], "run_name": "langchain_mem"}
"""How the package calls a model: its tokens are not streamed to the user of the graph it runs in."""


def quiet(config: RunnableConfig | None = None) -> RunnableConfig:
    """The configuration of a call that no stream of the run around it shows; its traces and usage counts do.

    `stream(stream_mode="messages")` leaves out what is tagged `nostream`. `astream_events` and the event streams of
    LangGraph Server do not know the tag, so the handlers that feed them are left out here.

    Args:
        config: That of the run around it; the one under way if unset.
    """
    manager = (config or var_child_runnable_config.get() or {}).get("callbacks")
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


class Unprocessable(ExtractionError):
    """The model cannot or will not take this conversation: another try fails the same way, a part of it may not."""


async def propose(model: BaseChatModel, request: ExtractionRequest) -> Proposals:
    """Asks the model once, and once more if its answer holds no operations.

    Raises:
        Unprocessable: The model refused, was cut off, or gave nothing to read twice.
        ExtractionError: The model failed; it may succeed later.
    """
    model = unstreamed(model)
    formed = structured(model, form_of(request.kinds), without=() if request.expansion else ("useful_for",))
    messages = request.messages(as_json=formed is None)
    reply = await ask(formed or model, messages)
    ended = _ended_early(reply)
    if ended is not None:
        whole = _whole_operations(reply) if ended in _CUT_OFF and len(request.turns) == 1 else []
        if not whole:
            raise Unprocessable(f"the model ended its answer early: {ended}")
        return proposals_of(Answer(whole, {}), request).all_told()
    try:
        answer = read(reply)
    except ValueError as error:
        again = [*messages, AIMessage(_said(reply) or "…"), HumanMessage(prompts.RETRY.format(error=error))]
        answer = _read_or_fail(await ask(formed or model, again))
    proposals = proposals_of(answer, request)
    if not proposals.faults:
        return proposals
    faults = [(fault["operation"], fault["reason"]) for fault in proposals.faults]
    again = [*messages, AIMessage(_said(reply) or "…"), HumanMessage(again_for(faults))]
    return proposals.mended(await _second(formed or model, again, request))


async def _second(model: Runnable[Any, Any], messages: Sequence[BaseMessage], request: ExtractionRequest) -> Proposals:
    """What a model corrects of its documents; nothing where it fails, for the rest of its answer stands."""
    try:
        return proposals_of(read(await ask(model, messages)), request)
    except (ExtractionError, ValueError):
        _LOG.warning("Invalid documents could not be asked for again; they are among what was refused.", exc_info=True)
        return Proposals([], [], {})


async def asked_for(
    model: BaseChatModel, form: type[BaseModel], messages: Sequence[BaseMessage], as_json: str
) -> list[Any]:
    """Asks for a list of `operations` of another form, and once more where there is none.

    Args:
        model: The model.
        form: What an answer looks like.
        messages: The prompt, rules first.
        as_json: Added to the rules for a model that has no structured output.

    Returns:
        The operations, unchecked.

    Raises:
        Unprocessable: The model refused, was cut off, or gave nothing to read twice.
        ExtractionError: The model failed; it may succeed later.
    """
    model = unstreamed(model)
    formed = structured(model, form, "Answer")
    rules, *data = messages
    prompt = [rules if formed else SystemMessage(rules.text + as_json), *data]
    reply = await ask(formed or model, prompt)
    ended = _ended_early(reply)
    if ended is not None:
        raise Unprocessable(f"the model ended its answer early: {ended}")
    try:
        return list(read(reply).operations)
    except ValueError as error:
        again = [*prompt, AIMessage(_said(reply) or "…"), HumanMessage(prompts.RETRY.format(error=error))]
        return list(_read_or_fail(await ask(formed or model, again)).operations)


def _read_or_fail(reply: AIMessage) -> Answer:
    try:
        return read(reply)
    except ValueError as error:
        raise Unprocessable(f"the model gave no valid output, twice. Last: {error}") from error


def structured(
    model: BaseChatModel, form: type[BaseModel], title: str = "Extraction", *, without: tuple[str, ...] = ()
) -> Runnable[Any, Any] | None:
    """The model with structured output; `None` where it has none. A plain schema leaves the reading to us.

    Args:
        model: The model.
        form: What an answer looks like.
        title: The name of it.
        without: Fields of an operation that are not asked for.
    """
    schema = {**json.loads(_schema(form, without)), "title": title}
    try:
        return model.with_structured_output(schema, include_raw=True)
    except NotImplementedError:
        return None


@lru_cache(maxsize=32)
def _schema(form: type[BaseModel], without: tuple[str, ...]) -> str:
    """A form's JSON schema, as text because providers' packages change a schema in place. Pydantic takes ms for one."""
    schema = form.model_json_schema()
    for part in schema.get("$defs", {}).values():
        part["properties"] = {name: each for name, each in part.get("properties", {}).items() if name not in without}
    return json.dumps(schema)


async def ask(model: Runnable[Any, Any], messages: Sequence[BaseMessage]) -> AIMessage:
    """One call of a model, quiet.

    Raises:
        ExtractionError: The model failed; its own error is the cause.
    """
    try:
        answer = await call(model.invoke, model.ainvoke, list(messages), quiet())
    except Exception as error:  # every provider has an error tree of its own
        if _refused(error):
            raise Unprocessable(f"the model refused the request: {_shortly(error)}") from error
        raise ExtractionError(f"The model failed, nothing was written: {_shortly(error)}") from error
    raw = answer["raw"] if isinstance(answer, Mapping) and "raw" in answer else answer
    return raw if isinstance(raw, AIMessage) else AIMessage(text_of(getattr(raw, "content", raw)))


_CUT_OFF: Final = frozenset({"length", "max_tokens", "model_length", "model_context_window_exceeded"})
_FILTERED: Final = frozenset(
    {"content_filter", "safety", "refusal", "prohibited_content", "blocklist", "spii", "recitation", "guardrail"}
)
_UNPROCESSABLE: Final = frozenset({400, 413, 422})
"""HTTP codes that say the request itself cannot be served; 401, 403, 404, 408, 429 and 5xx say nothing of it."""
_ECHO: Final = 160  # letters of a provider's own words


def _ended_early(reply: AIMessage) -> str | None:
    """Why an answer is not whole: refused, filtered or cut off; `None` where it is."""
    if reply.additional_kwargs.get("refusal"):
        return "refusal"
    told = reply.response_metadata
    reason = str(told.get("finish_reason") or told.get("stop_reason") or told.get("done_reason") or "").lower()
    return reason if reason in _CUT_OFF | _FILTERED else None


def _refused(error: BaseException) -> bool:
    """Whether an error is about what was sent, so that sending it again is in vain.

    Half an answer over HTTP is not: it is no JSON today, and may be whole the next time.
    """
    response = getattr(error, "response", None)
    code = getattr(error, "status_code", None) or getattr(response, "status_code", None) or getattr(error, "code", None)
    named = ("ContentFilter", "LengthFinishReason", "BlockedPrompt", "StopCandidate")
    unreadable = isinstance(error, ValidationError | OutputParserException | UnicodeError)
    about_it = isinstance(code, int) and code in _UNPROCESSABLE
    return about_it or unreadable or any(name in type(error).__name__ for name in named)


def _shortly(error: BaseException) -> str:
    told = f"{type(error).__name__}: {error}"
    return told if len(told) <= _ECHO else f"{told[:_ECHO]}…"


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


def _whole_operations(reply: AIMessage) -> list[Any]:
    """The operations that are whole in an answer that was cut off."""
    found = [part for each in _objects(_said(reply)) for part in (each if isinstance(each, list) else [each])]
    return [part for part in found if isinstance(part, Mapping) and "action" in part]


def payloads(reply: AIMessage) -> list[Any]:
    """What a model's answer holds as JSON: the arguments of its tool calls, else what stands in its text."""
    return [tool_call["args"] for tool_call in reply.tool_calls] or [*_objects(_said(reply))]


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
