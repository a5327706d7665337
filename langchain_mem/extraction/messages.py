"""What callers hand over as messages, in one form.

A string, a dict, a LangChain message, or a list of them becomes a list of `Turn`s. Text parts of content blocks are
kept, the rest is left alone; what the package itself recalled into a message is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.model.instants import instant
from langchain_mem.model.records import sound
from langchain_mem.ranking.context import strip_recalled

Role: TypeAlias = Literal["user", "assistant", "system", "tool"]

MessageLike: TypeAlias = str | Mapping[str, Any] | BaseMessage
"""One message, in any of the forms LangChain and OpenAI users write."""

Messages: TypeAlias = MessageLike | Sequence[MessageLike]
"""One message or several; a list of strings is a list of user messages."""

SUMMARY: Final = "summarization"
"""`additional_kwargs["lc_source"]` of the message that LangChain's `SummarizationMiddleware` puts in."""

_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One thing that was said.

    Attributes:
        role: Who said it.
        text: The words, without what was recalled into them.
        id: The message's id, where it has one.
        name: The speaker's name, where the message has one.
        said_at: The message's own time, where it has one.
        place: Which of the messages handed over it is, from 0.
        whole: All of what was said, where this is a piece of it.
    """

    role: Role
    text: str
    id: str | None = None
    name: str | None = None
    said_at: datetime | None = None
    place: int = field(default=0, compare=False)
    whole: str | None = field(default=None, compare=False)

    @property
    def spoken(self) -> str:
        """The words with the speaker's name before them, where it is known."""
        return f"{self.name}: {self.text}" if self.name else self.text


def turns_of(messages: Messages, redact: Callable[[str], str] | None = None) -> list[Turn]:
    """Messages as turns, those without any text left out.

    Args:
        messages: What a caller handed over.
        redact: What masks secrets in a text.

    Raises:
        InvalidRequest: Something is no message; says what is allowed.
    """
    several = [messages] if isinstance(messages, str | Mapping | BaseMessage) else messages
    if not isinstance(several, Iterable):
        raise _no_message(several)
    said = list(map(_turn, several))
    texts = list(map(strip_recalled, [turn.text for turn in said]))
    texts = list(map(sound, texts))
    texts = texts if redact is None else list(map(redact, texts))
    turns: list[Turn] = []
    for place, (turn, text) in enumerate(zip(said, texts, strict=True)):
        name = turn.name if redact is None or turn.name is None else redact(turn.name)
        turns += [replace(turn, text=text, name=name, place=place)] if text else []
    return turns


def text_of(content: Any) -> str:
    """The text of a message's content: as it is, or the text parts of its blocks, one a line."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Iterable):
        return ""
    return "\n".join(part for part in map(_part, content) if part)


def _part(block: Any) -> str:
    if isinstance(block, str):
        return block
    if isinstance(block, Mapping) and block.get("type") in ("text", "input_text", "output_text"):
        return str(block.get("text") or "")
    return ""


def _turn(message: Any) -> Turn:
    if isinstance(message, str):
        return Turn(role="user", text=message)
    if isinstance(message, BaseMessage):
        return _from_langchain(message)
    if isinstance(message, Mapping):
        return _from_mapping(cast(Mapping[str, Any], message))
    raise _no_message(message)


def _from_langchain(message: BaseMessage) -> Turn:
    return Turn(
        role=_role_of(message),
        text=text_of(message.content),
        id=message.id,
        name=message.name,
        said_at=_time(message.additional_kwargs.get("timestamp")),
    )


def _role_of(message: BaseMessage) -> Role:
    if message.additional_kwargs.get("lc_source") == SUMMARY:
        return "system"  # a summary is put in as a human message, and no human said it
    kinds: list[tuple[type[BaseMessage], Role]] = [
        (HumanMessage, "user"),
        (AIMessage, "assistant"),
        (SystemMessage, "system"),
        (ToolMessage, "tool"),
    ]
    for kind, role in kinds:
        if isinstance(message, kind):
            return role
    return _ROLES.get(str(getattr(message, "role", message.type)), "tool")


def _from_mapping(message: Mapping[str, Any]) -> Turn:
    role, content = message.get("role", message.get("type")), message.get("content")
    if role not in _ROLES or "content" not in message:
        raise _no_message(message)
    return Turn(
        role=_ROLES[role],
        text=text_of(content),
        id=message.get("id"),
        name=message.get("name"),
        said_at=_time(message.get("timestamp")),
    )


def _time(value: Any) -> datetime | None:
    return instant(value) if value else None


def _no_message(value: Any) -> InvalidRequest:
    return InvalidRequest(
        f"{shown(value)} is no message. Allowed: a string, a dict with role ({', '.join(sorted(_ROLES))}) and content, "
        "a LangChain message, or a list of them."
    )
