"""What was said in a graph's state: whose words count, which turn is the last, and what was taken out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.messages import SUMMARY, text_of
from langchain_mem.extraction.worth_keeping import stands_alone
from langchain_mem.ranking.context import strip_recalled

MessagesById: TypeAlias = dict[str, BaseMessage]
"""Messages by id, in the order in which they were said."""

MESSAGES: Final = "messages"
"""Where a state holds its messages, unless an option says otherwise."""


def messages_in(state: Any, key: str = MESSAGES) -> list[Any]:
    """The messages of a graph's state, in whichever form the graph keeps it.

    Raises:
        InvalidRequest: The state has no such key; says how to name another one.
    """
    if isinstance(state, list):
        return list(state)
    held = state.get(key, _ABSENT) if isinstance(state, Mapping) else getattr(state, key, _ABSENT)
    if held is _ABSENT:
        raise InvalidRequest(f"The state has no {shown(key)}. Say where its messages are with messages_key=….")
    return list(cast(Any, held) or ())


_ABSENT: Final = object()


def value_in(state: Any, name: str) -> Any:
    """A value of a graph's state, in whichever form the graph keeps it; `None` where it is absent."""
    return state.get(name) if isinstance(state, Mapping) else getattr(state, name, None)


def spoken(messages: Sequence[Any]) -> MessagesById:
    """What people and the agent said, by message id: no tool's output, and no summary, which nobody said.

    Args:
        messages: As a state holds them; a message that is there twice counts once.
    """
    return {
        message.id or _id_of(place, message): message
        for place, message in enumerate(convert_to_messages(list(messages)))
        if isinstance(message, (HumanMessage, AIMessage)) and not is_summary(message)
    }


def is_summary(message: BaseMessage) -> bool:
    """Whether LangChain's `SummarizationMiddleware` put this message in."""
    return message.additional_kwargs.get("lc_source") == SUMMARY


def _id_of(place: int, message: BaseMessage) -> str:
    """An id for a message without one, the same each time in a list that only grows."""
    said = f"{place}\x1f{message.type}\x1f{text_of(message.content)}"
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def last_turn(said: MessagesById) -> MessagesById:
    """From the last run of human messages on."""
    items = list(said.items())
    humans = [place for place, (_, message) in enumerate(items) if isinstance(message, HumanMessage)]
    start = humans[-1] if humans else 0
    while start - 1 in humans:
        start -= 1
    return dict(items[start:])


def heard_by_model(messages: Sequence[Any]) -> MessagesById:
    """What was said before the model's last reply, which is what the model was given."""
    replies = [place for place, message in enumerate(messages) if isinstance(message, AIMessage)]
    return spoken(messages[: replies[-1]] if replies else messages)


def last_said(messages: Sequence[Any]) -> str:
    """The text of the last message of a person; empty where there is none."""
    said = [message for message in spoken(messages).values() if isinstance(message, HumanMessage)]
    return strip_recalled(text_of(said[-1].content)) if said else ""


def searchable(messages: Sequence[Any]) -> str:
    """What the last message of a person asks for, with as much before it as it needs to be understood.

    "yes" and "And when is it?" name nothing: what was said before them does. Messages are added, newest first, until
    one names something (`stands_alone`), three at most.

    Returns:
        The text to search for, oldest first; empty where nothing was named, as after a greeting.
    """
    said = list(spoken(messages).values())
    while said and not isinstance(said[-1], HumanMessage):
        said.pop()
    needed: list[str] = []
    for message in reversed(said[-_NEEDED:]):
        text = strip_recalled(text_of(message.content)).strip()
        needed.insert(0, text)
        if stands_alone(text):
            return "\n".join(text[-_LONGEST:] for text in needed if text)
    return ""


_NEEDED: Final = 4
_LONGEST: Final = 1_000  # characters of a message: its end is what the next one refers to


def spliced(now: MessagesById, before: MessagesById) -> MessagesById:
    """A conversation with what has been taken out of it since.

    Args:
        now: The messages of the state. Their order and their words count.
        before: Messages in the order in which they were heard. One that is no longer there is put behind the one it
            followed.
    """
    order = list(now)
    place = 0
    for message_id in before:
        if message_id in now:
            place = order.index(message_id) + 1
        else:
            order.insert(place, message_id)
            place += 1
    return {message_id: now.get(message_id) or before[message_id] for message_id in order}


def without(said: MessagesById, ids: Collection[str]) -> MessagesById:
    """A conversation without some of its messages."""
    return {message_id: message for message_id, message in said.items() if message_id not in ids}


def only(said: MessagesById, ids: Iterable[str]) -> MessagesById:
    """Of a conversation some of its messages, in its order."""
    wanted = set(ids)
    return {message_id: message for message_id, message in said.items() if message_id in wanted}
