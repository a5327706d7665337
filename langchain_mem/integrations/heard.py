"""What was heard in a run of an agent: what its model was given, as it was given, and what never reached it.

State keeps three notes for this, which are private to the middleware:

    memory_heard     messages that a model was given and that are not extracted yet, by the middleware's name
    memory_turn      ids of the messages that the last run began with
    memory_passed    ids of messages that no model was given in their own turn: a guardrail kept them from it
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Any, Final, NotRequired

from langchain.agents.middleware.types import AgentState, PrivateStateAttr
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langgraph.channels import UntrackedValue

from langchain_mem.integrations.conversation import (
    MessagesById,
    heard_by_model,
    last_turn,
    messages_in,
    only,
    spliced,
    spoken,
    value_in,
    without,
)
from langchain_mem.integrations.extracting import Extracting
from langchain_mem.integrations.failing import MISTAKES, report

_ASKED: Final = 10_000
"""At most so many messages are noted as given to a model that has not answered."""


def _by_name(before: Any, after: dict[str, list[AnyMessage]]) -> dict[str, list[AnyMessage]]:
    return {**(before if isinstance(before, dict) else {}), **after}  # a thread of release 0.1.0 has a list here


class MemoryAgentState(AgentState[Any]):
    """What the middleware adds to an agent's state; private to it, and no text of a memory is in it.

    Attributes:
        memory_run: The number under which middlewares keep what was recalled for this run; in no checkpoint.
        memory_heard: Messages that are not extracted yet, as a model was given them, by the middleware's name.
        memory_turn: Ids of the messages that the last run began with.
        memory_passed: Ids of messages that are not to be extracted.
    """

    memory_run: NotRequired[Annotated[str, UntrackedValue, PrivateStateAttr]]
    memory_heard: NotRequired[Annotated[dict[str, list[AnyMessage]], PrivateStateAttr, _by_name]]
    memory_turn: NotRequired[Annotated[list[str], PrivateStateAttr]]
    memory_passed: NotRequired[Annotated[list[str], PrivateStateAttr]]


class Hearing:
    """Keeps these notes for one middleware, and hands to extraction what was heard.

    Args:
        name: The middleware's.
        extracting: What is done with what was heard.
    """

    def __init__(self, name: str, extracting: Extracting) -> None:
        self._name = name
        self._extracting = extracting
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._given: OrderedDict[str, None] = OrderedDict()

    async def begin(self, state: Any, runtime: Any) -> dict[str, Any]:
        """What a run notes when it begins."""
        said, kept = spoken(messages_in(state)), self._kept(state)
        passed = {*_listed(state, "memory_passed"), *self._unanswered(state, said, kept)}
        turn = [message_id for message_id in last_turn(said) if message_id not in passed]
        earlier = without(without(said, passed), turn)
        heard = await self._pending(spliced(earlier, kept), runtime)
        return {
            "memory_heard": {self._name: list(heard.values())},
            "memory_turn": turn,
            "memory_passed": [message_id for message_id in said if message_id in passed],
        }

    def asked(self, messages: list[Any], runtime: Any) -> None:
        """Notes that a model is given messages, so that they count even if it never answers."""
        for message_id in last_turn(spoken(messages)):
            self._asked[message_id] = None
        while len(self._asked) > _ASKED:
            self._asked.popitem(last=False)

    def given(self, state: Any) -> None:
        """Notes that a model was called in a run; where a guardrail answers in its place, nothing notes it."""
        self._given[value_in(state, "memory_run") or ""] = None
        while len(self._given) > _ASKED:
            self._given.popitem(last=False)

    def heard(self, state: Any) -> dict[str, Any] | None:
        """What a run notes when a model has answered: what it was given, in the state's order and words."""
        number = value_in(state, "memory_run")
        if number and number not in self._given:  # a resumed run has no number, and its model has answered
            return None
        kept, passed = self._kept(state), _listed(state, "memory_passed")
        given = without(heard_by_model(messages_in(state)), passed)
        turn = set(_listed(state, "memory_turn"))
        first = next((place for place, message_id in enumerate(given) if message_id in turn), len(given))
        wanted = {*kept, *list(given)[first:]} if turn else {*kept, *last_turn(given)}
        heard = spliced(only(given, wanted), kept)
        return {"memory_heard": {self._name: list(heard.values())}}

    async def end(self, state: Any, runtime: Any) -> dict[str, Any]:
        """Extracts what was heard, and what a run notes when it ends."""
        said, kept = spoken(messages_in(state)), self._kept(state)
        whole, passed = spliced(said, kept), {*_listed(state, "memory_passed")}
        if not kept.keys() & last_turn(whole).keys():
            passed |= last_turn(whole).keys()  # no model was given what this run began with
        conversation = without(whole, passed)
        owner = self._extracting.owner_of(runtime)
        done = await self._extracting.extract(list(conversation.values()), owner, runtime)
        left = [] if done else list(without(spliced(only(said, kept), kept), passed).values())
        return {
            "memory_heard": {self._name: left},
            "memory_passed": [message_id for message_id in said if message_id in passed],
        }

    def whole(self, state: Any) -> list[BaseMessage]:
        """The conversation, with what has been taken out of the state since a model was given it."""
        return list(spliced(spoken(messages_in(state)), self._kept(state)).values())

    def _kept(self, state: Any) -> MessagesById:
        heard = value_in(state, "memory_heard")
        return spoken(heard.get(self._name, []) if isinstance(heard, dict) else [])

    def _unanswered(self, state: Any, said: MessagesById, kept: MessagesById) -> list[str]:
        """Messages of a run that ended before a model was given them, or anything answered them."""
        if value_in(state, "memory_run"):  # another memory of this agent has begun this very run
            return []
        order = list(said)
        return [
            message_id
            for message_id in _listed(state, "memory_turn")
            if message_id not in kept and message_id not in self._asked and not _answered(said, order, message_id)
        ]

    async def _pending(self, said: MessagesById, runtime: Any) -> MessagesById:
        owner = self._extracting.owner_of(runtime)
        try:
            return await self._extracting.pending(said, owner, runtime) if said and owner.thread_id else {}
        except MISTAKES:
            raise
        except Exception as error:
            if self._extracting.on_error == "raise":
                raise
            memory = self._extracting.place.of(runtime)
            report(memory, "recall_failed", "What is not extracted yet stays noted.", error, owner)
            return said


def _answered(said: MessagesById, order: list[str], message_id: str) -> bool:
    after: list[BaseMessage] = [said[each] for each in order[order.index(message_id) :]] if message_id in said else []
    return any(isinstance(message, AIMessage) for message in after)


def _listed(state: Any, name: str) -> list[str]:
    return value_in(state, name) or []
