"""What becomes of a conversation after the reply: what is new in it goes to the memory, once.

now            the reply waits for it
background     a worker does it, in order for each owner; with patience once the thread is quiet
approve        a person sees the plan first
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.types import interrupt

from langchain_mem._flow import Body, run
from langchain_mem.background.waiting import Patience
from langchain_mem.errors import SHOWN, Conflict, InvalidRequest, UnknownOption, meant
from langchain_mem.extraction.messages import text_of
from langchain_mem.integrations.conversation import MESSAGES, MessagesById, last_said, last_turn, only, spoken
from langchain_mem.integrations.failing import MISTAKES, OnError, check_on_error, report
from langchain_mem.integrations.identity import Identity, OwnerRule, check_owner, whose
from langchain_mem.integrations.place import Place
from langchain_mem.memory.base import BothForms, MemoryBase
from langchain_mem.model.records import AddResult, FoundMemory
from langchain_mem.model.scopes import Ids, Scope
from langchain_mem.ranking.attribution import used


@dataclass(frozen=True, kw_only=True)
class Extracting:
    """How a surface extracts.

    Attributes:
        place: Where the memories are.
        background: Whether a worker does it.
        patience: How long a worker lets messages wait, so that several turns are one call; `None` for not at all.
        approve: Whether a person is shown the plan first.
        on_error: What a failure does.
        owner: How the application finds whose memories these are.
        beside: Ids set in code.
        messages_key: Where the state holds its messages.

    Raises:
        InvalidRequest: An option is none, or two contradict each other.
    """

    place: Place
    background: bool = False
    patience: Patience | None = None
    approve: bool = False
    on_error: OnError = "warn"
    owner: OwnerRule | None = None
    beside: Mapping[str, Any]
    messages_key: str = MESSAGES

    def __post_init__(self) -> None:
        if self.approve and self.background:
            raise InvalidRequest("A plan that awaits approval cannot be made in the background: choose one of them.")
        if self.approve and not self.place.extracts:
            raise InvalidRequest("approve=True shows what a model extracted; it needs Memory(model=…).")
        if self.patience is not None and not self.background:
            raise InvalidRequest(
                'after= says how long messages wait in the background: it goes with write="background".'
            )
        check_on_error(self.on_error)
        check_owner(self.owner, self.beside)

    def owner_of(self, runtime: Any = None, config: Any = None) -> Identity:
        """Whose memories a run writes."""
        return whose(runtime, config, owner=self.owner, beside=self.beside)

    async def count_used(
        self, recalled: Sequence[Any], messages: Sequence[Any], runtime: Any = None, config: Any = None
    ) -> None:
        """Counts the recalled memories that the reply drew on as used, where `reinforce="used"` asks for it."""
        memory = self.place.of(runtime)
        if memory.reinforce != "used":
            return
        try:
            await memory.operations.count_used(_drawn_on(recalled, messages))
        except MISTAKES:
            raise
        except Exception as error:
            if self.on_error == "raise":
                raise
            report(memory, "reinforcement_failed", "A use was not counted.", error, self.owner_of(runtime, config))

    async def extract(self, messages: Sequence[Any], owner: Identity, runtime: Any = None) -> bool:
        """Remembers what is new in messages.

        Returns:
            Whether it is done; if not, it is under way, or has failed and been reported.
        """
        if owner.delegated:
            return True  # the "user" here is another agent's model
        memory, said = self.place.of(runtime), spoken(messages)
        waits = self.patience is not None and owner.thread_id is not None
        if self.background and not waits and self._submit(memory, owner, said):
            return False
        try:
            await (self._wait(memory, owner, said) if waits else self._remember(memory, owner, said))
        except MISTAKES:
            raise
        except Exception as error:
            if self.on_error == "raise":
                raise
            report(memory, "extraction_failed", "Its messages are in the next extraction.", error, owner)
            return False
        return not waits

    async def pending(self, said: MessagesById, owner: Identity, runtime: Any = None) -> MessagesById:
        """The messages that have not been extracted yet; without a thread, those of the last turn."""
        if owner.thread_id is None:
            return last_turn(said)
        operations = self.place.of(runtime).operations
        return only(said, await _new(operations, said, owner))

    def _submit(self, memory: MemoryBase, owner: Identity, said: MessagesById) -> bool:
        # within the run: its callbacks are told of the model's calls, and count its tokens
        work = partial(copy_context().run, _run, partial(self._remember, memory, owner, said))
        return memory.background.submit(Scope.of(owner.owners).owner(), work)

    async def _wait(self, memory: MemoryBase, owner: Identity, said: MessagesById) -> None:
        """Lets what is new wait in the store until the thread is quiet."""
        operations = memory.operations
        named = [message.model_copy(update={"id": message_id}) for message_id, message in said.items()]
        await operations.note_thread(owner.thread_id, **owner.owners)
        await operations.wait(
            _evidence(memory, named, owner),
            message_ids=list(said),
            thread_id=owner.thread_id or "",
            patience=cast(Patience, self.patience),
            checkpoint_id=owner.checkpoint_id,
            **owner.owners,
        )

    async def _remember(self, memory: MemoryBase, owner: Identity, said: MessagesById) -> None:
        operations = memory.operations
        await operations.note_thread(owner.thread_id, **owner.owners)
        threaded = owner.thread_id is not None
        ids = await _new(operations, said, owner) if threaded else []
        messages = [said[message_id] for message_id in ids] if threaded else list(last_turn(said).values())
        if not messages:
            return
        if self.approve:
            await self._ask(memory, owner, messages, ids)
        else:
            await operations.add(_evidence(memory, messages, owner), source=owner.source(ids), **owner.owners)

    async def _ask(self, memory: MemoryBase, owner: Identity, messages: list[BaseMessage], ids: list[str]) -> None:
        """Shows the plan, and carries it out or drops it.

        The plan lies in the store: a resumed node finds it.

        LangGraph hands the answers back in the order of the questions, so a plan made anew because memories had
        changed comes after the answers to the plans before it.
        """
        if owner.thread_id is None:
            raise InvalidRequest("A plan waits in a thread: compile the graph with a checkpointer, and name a thread.")
        operations, source, asked, answer = memory.operations, owner.source(ids), 0, None
        while True:
            plan = await operations.plan(messages, source=source, **owner.owners)
            while plan["results"] and asked <= plan.get("revised", 0):
                answer, asked = interrupt(_question(plan)), asked + 1
            try:
                await operations.commit(plan["batch_id"], approve=_approves(answer), **owner.owners)
            except Conflict:
                continue
            return


def extracting(place: Place, **options: Any) -> Extracting:
    """How a surface extracts, from the options its user gave; ids among them are set in code.

    Raises:
        InvalidRequest: An option is out of its range.
        UnknownOption: There is no such option.
    """
    beside = {name: options.pop(name) for name in Ids.__annotations__ if name in options}
    for name in options.keys() - Extracting.__dataclass_fields__:
        raise UnknownOption(f"There is no option {name[:SHOWN]}.{meant(name, Extracting.__dataclass_fields__)}")
    return Extracting(place=place, beside=beside, **options)


def check_write(write: object, *allowed: str | None) -> None:
    """Refuses a time to write that is none.

    Raises:
        InvalidRequest: It is; says which there are.
    """
    if write not in allowed:
        raise InvalidRequest(f"write is {' or '.join(map(repr, allowed))}, not {write!r:.200}.")


def patient(after: timedelta | None, tokens: int | None) -> Patience | None:
    """How long messages wait; `None` for not at all.

    Raises:
        InvalidRequest: There is a count of tokens and no time, or one of them is out of its range.
    """
    if after is None and tokens is not None:
        raise InvalidRequest(
            "after_tokens= goes with after=: what has fewer tokens is extracted when the thread is quiet."
        )
    return None if after is None else Patience(after=after, tokens=tokens)


async def _new(operations: BothForms, said: MessagesById, owner: Identity) -> list[str]:
    """The ids of messages that were not extracted in these words."""
    messages = list(said.values())
    return await operations.pending(list(said), owner.thread_id or "", messages=messages, **owner.owners)


def _run(body: Callable[[], Body[None]]) -> None:
    run(body())


def _evidence(memory: MemoryBase, messages: list[BaseMessage], owner: Identity) -> list[BaseMessage]:
    """The messages themselves; where they will be stored as they are, no replies, which repeat what was recalled.

    An agent that has memories of its own, and no user beside it, keeps its replies even then.
    """
    if memory.model is not None or ("agent_id" in owner.owners and "user_id" not in owner.owners):
        return messages
    return [message for message in messages if isinstance(message, HumanMessage)]


def _question(plan: AddResult) -> dict[str, Any]:
    changed = {"changed": "Memories changed since the last plan; this is a new one."} if plan.get("revised") else {}
    return {"type": "memory_plan", "batch_id": plan["batch_id"], "results": plan["results"], **changed}


def _approves(answer: Any) -> bool:
    """Whether an answer is a yes: `True`, "approve", "yes", or a mapping with one of them under `approve`."""
    if isinstance(answer, Mapping):
        answer = answer.get("approve", answer.get("type"))
    return answer is True or (isinstance(answer, str) and answer.strip().lower() in ("approve", "yes", "y", "true"))


def _drawn_on(recalled: Sequence[Any], messages: Sequence[Any]) -> list[FoundMemory]:
    """The recalled memories that the reply drew on."""
    replies = [message for message in last_turn(spoken(messages)).values() if isinstance(message, AIMessage)]
    said = "\n".join(text_of(message.content) for message in replies)
    return used(cast(list[FoundMemory], list(recalled)), last_said(messages), said)
