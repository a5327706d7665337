"""OpenAI's Responses API, as the peer speaks it: requests to messages, and answers to output items and events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import tool_call

from langchain_mem.extraction.messages import text_of


def messages_of(body: Mapping[str, Any]) -> list[BaseMessage]:
    """The messages of a request: its instructions, and its input items; reasoning items say nothing."""
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    found = [message for item in items if (message := _message(item)) is not None]
    return [SystemMessage(body["instructions"]), *found] if body.get("instructions") else found


def _message(item: Mapping[str, Any]) -> BaseMessage | None:
    match item.get("type", "message"):
        case "function_call":
            call = tool_call(name=item["name"], args=json.loads(item["arguments"]), id=item["call_id"])
            return AIMessage("", tool_calls=[call])
        case "function_call_output":
            return ToolMessage(text_of(item["output"]), tool_call_id=item["call_id"])
        case "message":
            message: BaseMessage = _ROLES[item["role"]](text_of(item["content"]))
            return message
    return None


_ROLES: dict[str, Any] = {
    "user": HumanMessage,
    "assistant": AIMessage,
    "system": SystemMessage,
    "developer": SystemMessage,
}


def tools_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The functions of a request, in the shape of chat completions."""
    tools = [tool for tool in body.get("tools") or [] if tool.get("type") == "function"]
    return [{"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} for tool in tools]


def response(body: Mapping[str, Any], message: AIMessage) -> dict[str, Any]:
    """A whole answer."""
    items = [*_text_items(message.text), *(_call_item(*call) for call in _calls(message))]
    return _envelope(_new_id(), body, "completed", items, _usage(body, message))


def events(body: Mapping[str, Any], chunks: Iterable[AIMessageChunk]) -> Iterator[dict[str, Any]]:
    """The events of a streamed answer, numbered in order."""
    for number, event in enumerate(_events(body, chunks)):
        yield {**event, "sequence_number": number}


def _events(body: Mapping[str, Any], chunks: Iterable[AIMessageChunk]) -> Iterator[dict[str, Any]]:
    answer, total, said = _new_id(), AIMessageChunk(content=""), f"msg_{uuid4().hex}"
    yield {"type": "response.created", "response": _envelope(answer, body, "in_progress", [], None)}
    for chunk in chunks:
        if chunk.text and not total.text:
            yield from _begin_text(said)
        total += chunk
        if chunk.text:
            yield {"type": "response.output_text.delta", "delta": chunk.text, "logprobs": [], **_part(said)}
    items = _text_items(total.text, said)
    if items:
        yield from _end_text(items[0])
    for call in _calls(total):
        item = _call_item(*call)
        yield from _call_events(item, len(items))
        items.append(item)
    yield {"type": "response.completed", "response": _envelope(answer, body, "completed", items, _usage(body, total))}


def _begin_text(said: str) -> Iterator[dict[str, Any]]:
    item = {"type": "message", "id": said, "role": "assistant", "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    empty = {"type": "output_text", "text": "", "annotations": []}
    yield {"type": "response.content_part.added", "part": empty, **_part(said)}


def _end_text(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    (part,) = item["content"]
    yield {"type": "response.output_text.done", "text": part["text"], "logprobs": [], **_part(item["id"])}
    yield {"type": "response.content_part.done", "part": part, **_part(item["id"])}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}


def _call_events(item: dict[str, Any], index: int) -> Iterator[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": index}
    begun = {**item, "arguments": "", "status": "in_progress"}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    yield {"type": "response.function_call_arguments.delta", "delta": item["arguments"], **place}
    done = {"arguments": item["arguments"], "name": item["name"], **place}
    yield {"type": "response.function_call_arguments.done", **done}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _part(said: str) -> dict[str, Any]:
    return {"item_id": said, "output_index": 0, "content_index": 0}


def _text_items(text: str, said: str | None = None) -> list[dict[str, Any]]:
    if not text:
        return []
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    id_ = said or f"msg_{uuid4().hex}"
    return [{"type": "message", "id": id_, "role": "assistant", "status": "completed", "content": [part]}]


def _calls(message: AIMessage) -> list[tuple[str, str, str]]:
    """Id, name and arguments of each call; arguments that are no JSON as they are."""
    valid = [(call["id"], call["name"], json.dumps(call["args"])) for call in message.tool_calls]
    broken = [(call["id"], call["name"], call["args"]) for call in message.invalid_tool_calls]
    return [(str(id_), str(name), str(args)) for id_, name, args in [*valid, *broken]]


def _call_item(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    item = {"type": "function_call", "id": f"fc_{uuid4().hex}", "call_id": call_id, "name": name}
    return {**item, "arguments": arguments, "status": "completed"}


def _new_id() -> str:
    """An id of an answer. LangChain takes it for its message's, so a thread would keep one of two that are the same."""
    return f"resp_{uuid4().hex}"


def _envelope(answer: str, body: Mapping[str, Any], status: str, output: list[Any], usage: Any) -> dict[str, Any]:
    return {
        "id": answer,
        "object": "response",
        "created_at": 0,
        "status": status,
        "model": body.get("model", "scripted"),
        "output": output,
        "usage": usage,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "parallel_tool_calls": True,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "temperature": 1.0,
        "top_p": 1.0,
        "text": body.get("text") or {"format": {"type": "text"}},
    }


def _usage(body: Mapping[str, Any], message: AIMessage) -> dict[str, Any]:
    """The scripted usage, or words where OpenAI counts tokens."""
    asked = sum(len(text_of(each.content).split()) for each in messages_of(body))
    said = len(message.text.split())
    usage = message.usage_metadata
    return {
        "input_tokens": usage["input_tokens"] if usage else asked,
        "output_tokens": usage["output_tokens"] if usage else said,
        "total_tokens": usage["total_tokens"] if usage else asked + said,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
