"""Nodes for a hand-written graph: recall before the reply, extract after it.

    builder = StateGraph(MemoryState, context_schema=MemoryContext, output_schema=MessagesState)
    builder.add_node("recall", retrieval_node(memory))
    builder.add_node("reply", reply)                      # reads state["memory_context"]
    builder.add_node("remember", extraction_node(memory))

What was recalled is in the state of a run and in no checkpoint: a memory that is deleted does not live on in old ones.
So it is gone after an interrupt or a crash, and `recalled(state, runtime)` recalls it again.

Which messages were extracted is noted in the store together with what they said, so a node that LangGraph runs again
does nothing twice, and what a failure left out is in the next extraction.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict, cast

from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.channels import UntrackedValue
from langgraph.graph import MessagesState
from langgraph.types import interrupt
from typing_extensions import override

from langchain_mem._flow import Body, arun, run
from langchain_mem.errors import Conflict, ExtractionError, InvalidRequest, StoreError
from langchain_mem.extraction.messages import SUMMARY, text_of
from langchain_mem.integrations.identity import Identity, messages_in, whose
from langchain_mem.memory.facade import Memory, MemoryBase
from langchain_mem.model.records import AddResult, FoundMemory
from langchain_mem.model.scopes import Scope
from langchain_mem.ranking.attribution import used
from langchain_mem.ranking.context import render, strip_recalled

_LOG: Final = logging.getLogger("langchain_mem")


class Recalled(TypedDict):
    """What recalling puts into state: the memories, and their text for a prompt."""

    memories: list[FoundMemory]
    memory_context: str


class MemoryState(MessagesState):
    """Messages, and what was recalled for them; the latter in no checkpoint.

    In a plain `StateGraph` everything in state is in its output, too: `output_schema=MessagesState` leaves it out.
    """

    memories: NotRequired[Annotated[list[dict[str, Any]], UntrackedValue, PrivateStateAttr]]
    memory_context: NotRequired[Annotated[str, UntrackedValue, PrivateStateAttr]]


def retrieval_node(
    memory: MemoryBase,
    *,
    top_k: int = 5,
    token_budget: int | None = None,
    query: Callable[[Any], str] | None = None,
    layers: Collection[str] | None = None,
    pinned: Mapping[str, Any] | None = None,
    **search: Any,
) -> RetrievalNode:
    """A node that puts `memories` and `memory_context` into state.

    Args:
        memory: Where to search.
        top_k: At most so many memories.
        token_budget: At most so many tokens of `memory_context`.
        query: State to what is searched for; the last human message if unset. An empty query recalls nothing.
        layers: Only these: user, agent, session, app, org.
        pinned: Filters of memories that are always there, before what was found and on top of `top_k`.
        **search: Whatever else `Memory.search` takes, ids apart: those come from the run.

    Returns:
        A node for sync and async graphs.
    """
    options = {"top_k": top_k, "layers": layers, **search}
    return RetrievalNode(memory, search=options, token_budget=token_budget, query=query or last_said, pinned=pinned)


def extraction_node(
    memory: MemoryBase,
    *,
    background: bool = False,
    approve: bool = False,
    on_error: Literal["raise", "warn"] = "raise",
) -> ExtractionNode:
    """A node that remembers what was said since it last did.

    Args:
        memory: Where to write.
        background: Whether a worker does it, so that the reply does not wait. What it had not done when the process
            died is in the next turn's extraction.
        approve: Whether to show through `interrupt()` what would be remembered, and to do so on `Command(resume=True)`.
        on_error: What a failing model or store does: fail the node, or a warning in the log. Either way the messages
            are in the next extraction.

    Returns:
        A node for sync and async graphs.

    Raises:
        InvalidRequest: Approval is asked for in the background, or without a model, which has no plan to show.
    """
    if approve and background:
        raise InvalidRequest("A plan that awaits approval cannot be made in the background: choose one of them.")
    if approve and memory.model is None:
        raise InvalidRequest("approve=True shows what a model extracted; it needs Memory(model=…).")
    if on_error not in ("raise", "warn"):
        raise InvalidRequest(f'on_error is "raise" or "warn", not {on_error!r}.')
    return ExtractionNode(memory, background=background, approve=approve, on_error=on_error)


def recalled(state: Any, runtime: Any = None, *, memory: MemoryBase | None = None, **options: Any) -> Recalled:
    """What was recalled for this run; recalled again where an interrupt or a crash has taken it from the state.

    Args:
        state: The graph's.
        runtime: The run's `Runtime`; that of the running step if unset.
        memory: Where to search again; over the store the graph was compiled with if unset.
        **options: As for `retrieval_node`.

    Raises:
        InvalidRequest: There is neither a memory nor a store.
    """
    return run(_recalled(state, runtime, memory, options))


async def arecalled(state: Any, runtime: Any = None, *, memory: MemoryBase | None = None, **options: Any) -> Recalled:
    """As `recalled`, on an event loop."""
    return await arun(_recalled(state, runtime, memory, options))


async def _recalled(state: Any, runtime: Any, memory: MemoryBase | None, options: Mapping[str, Any]) -> Recalled:
    """What the state holds, or else what a search finds. A body."""
    context = value_in(state, "memory_context")
    if context is not None:
        return {"memories": value_in(state, "memories") or [], "memory_context": context}
    store = getattr(runtime, "store", None)
    if memory is None and store is None:
        raise InvalidRequest("Nothing to recall from: give memory=…, or compile the graph with store=memory.store.")
    return await retrieval_node(memory or Memory(store), **options).recall(state, runtime)


class _Node(Runnable[Any, Any]):
    """What both nodes share: a graph runs their body in its own form."""

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return run(self._update(input, config))

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return await arun(self._update(input, config))

    async def _update(self, state: Any, config: RunnableConfig | None) -> Any:
        """What the node changes in state. A body."""
        raise NotImplementedError


class RetrievalNode(_Node):
    """See `retrieval_node`."""

    name = "retrieve_memories"

    def __init__(
        self,
        memory: MemoryBase,
        *,
        search: Mapping[str, Any],
        token_budget: int | None,
        query: Callable[[Any], str],
        pinned: Mapping[str, Any] | None,
    ) -> None:
        self._memory = memory
        self._search = search
        self._token_budget = token_budget
        self._query = query
        self._pinned = pinned

    @override
    async def _update(self, state: Any, config: RunnableConfig | None) -> Recalled:
        return await self.recall(state, config=config)

    async def recall(self, state: Any, runtime: Any = None, config: RunnableConfig | None = None) -> Recalled:
        """Searches for what the state asks. A body."""
        owner = whose(runtime, config)
        await self._memory.operations.note_thread(owner.thread_id, **owner.owners)
        pinned = await self._always(owner)
        ids = {memory["id"] for memory in pinned}
        found = [memory for memory in await self._found(self._query(state), owner) if memory["id"] not in ids]
        memories = [*pinned, *found]
        return {"memories": memories, "memory_context": render(memories, token_budget=self._token_budget)}

    async def _always(self, owner: Identity) -> list[FoundMemory]:
        if self._pinned is None:
            return []
        page = await self._memory.operations.get_all(filters=self._pinned, **owner.visible)
        return [cast(FoundMemory, {**memory, "score": 1.0}) for memory in page["results"]]

    async def _found(self, query: str, owner: Identity) -> list[FoundMemory]:
        if not query.strip():
            return []
        search: dict[str, Any] = {**self._search, **owner.visible}
        return (await self._memory.operations.search(query, **search))["results"]


class ExtractionNode(_Node):
    """See `extraction_node`."""

    name = "extract_memories"

    def __init__(self, memory: MemoryBase, *, background: bool, approve: bool, on_error: str) -> None:
        self._memory = memory
        self._background = background
        self._approve = approve
        self._on_error = on_error

    @override
    async def _update(self, state: Any, config: RunnableConfig | None) -> dict[str, Any]:
        await self.reinforce(state)
        await self.extract(messages_in(state), whose(config=config))
        return {}

    async def reinforce(self, state: Any) -> None:
        """Counts the recalled memories that the reply drew on as used, where `reinforce="used"` asks for it. A body."""
        if self._memory.reinforce == "used":
            await self._memory.operations.count_used(_drawn_on(state))

    async def extract(self, messages: Sequence[Any], owner: Identity) -> bool:
        """Remembers what is new in messages. A body.

        Returns:
            Whether it is done; if not, it is under way, or has failed and been logged.
        """
        if owner.delegated:
            return True  # the "user" here is another agent's model
        said = spoken(messages)
        if self._background and self._submit(owner, said):
            return False
        try:
            await self._remember(owner, said)
        except (ExtractionError, StoreError) as error:
            if self._on_error == "raise":
                raise
            _LOG.warning("Extraction failed; its messages are in the next one: %s", error)
            return False
        return True

    async def pending(self, messages: Sequence[Any], owner: Identity) -> list[BaseMessage]:
        """The messages that have not been extracted yet; without a thread, those of the last turn. A body."""
        said = spoken(messages)
        if owner.thread_id is None:
            return _last_turn(said)
        ids = await self._memory.operations.pending(list(said), owner.thread_id, **owner.owners)
        return [said[message_id] for message_id in ids]

    def _submit(self, owner: Identity, said: Mapping[str, BaseMessage]) -> bool:
        work = partial(_run, partial(self._remember, owner, said))
        return self._memory.background.submit(Scope.of(owner.owners).owner(), work)

    async def _remember(self, owner: Identity, said: Mapping[str, BaseMessage]) -> None:
        operations = self._memory.operations
        await operations.note_thread(owner.thread_id, **owner.owners)
        threaded = owner.thread_id is not None
        ids = await operations.pending(list(said), owner.thread_id or "", **owner.owners) if threaded else []
        messages = [said[message_id] for message_id in ids] if threaded else _last_turn(said)
        if not messages:
            return
        if self._approve:
            await self._ask(owner, messages, ids)
        else:
            await operations.add(self._evidence(messages, owner), source=owner.source(ids), **owner.owners)

    def _evidence(self, messages: list[BaseMessage], owner: Identity) -> list[BaseMessage]:
        """The messages themselves; where they will be stored as they are, no replies, which repeat what was recalled.

        An agent with memories of its own keeps its replies even then.
        """
        if self._memory.model is not None or "agent_id" in owner.owners:
            return messages
        return [message for message in messages if isinstance(message, HumanMessage)]

    async def _ask(self, owner: Identity, messages: list[BaseMessage], ids: list[str]) -> None:
        """Shows the plan, and carries it out or drops it.

        The plan lies in the store: a resumed node finds it.

        LangGraph hands the answers back in the order of the questions, so a plan made anew because memories had
        changed comes after the answers to the plans before it.
        """
        if owner.thread_id is None:
            raise InvalidRequest("A plan waits in a thread: compile the graph with a checkpointer, and name a thread.")
        operations, source, asked, answer = self._memory.operations, owner.source(ids), 0, None
        while True:
            plan = await operations.plan(messages, source=source, **owner.owners)
            while plan["results"] and asked <= plan.get("revised", 0):
                answer, asked = interrupt(_question(plan)), asked + 1
            try:
                await operations.commit(plan["batch_id"], approve=_approves(answer), **owner.owners)
            except Conflict:
                continue
            return


def _run(body: Callable[[], Body[None]]) -> None:
    run(body())


def _question(plan: AddResult) -> dict[str, Any]:
    changed = {"changed": "Memories changed since the last plan; this is a new one."} if plan.get("revised") else {}
    return {"type": "memory_plan", "batch_id": plan["batch_id"], "results": plan["results"], **changed}


def _approves(answer: Any) -> bool:
    """Whether an answer is a yes: `True`, "approve", "yes", or a mapping with one of them under `approve`."""
    if isinstance(answer, Mapping):
        answer = answer.get("approve", answer.get("type"))
    return answer is True or (isinstance(answer, str) and answer.strip().lower() in ("approve", "yes", "y", "true"))


def spoken(messages: Sequence[Any]) -> dict[str, BaseMessage]:
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


def _last_turn(said: Mapping[str, BaseMessage]) -> list[BaseMessage]:
    """From the last run of human messages on: without a thread nothing tells which ones came before."""
    messages = list(said.values())
    humans = [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
    start = humans[-1] if humans else 0
    while start - 1 in humans:
        start -= 1
    return messages[start:]


def last_said(state: Any) -> str:
    """The text of the last human message in a state; empty where there is none."""
    said = [m for m in spoken(messages_in(state)).values() if isinstance(m, HumanMessage)]
    return strip_recalled(text_of(said[-1].content)) if said else ""


def _drawn_on(state: Any) -> list[FoundMemory]:
    """The recalled memories that the reply drew on."""
    turn = _last_turn(spoken(messages_in(state)))
    replies = [text_of(message.content) for message in turn if isinstance(message, AIMessage)]
    found = cast(list[FoundMemory], value_in(state, "memories") or [])
    return used(found, last_said(state), "\n".join(replies))


def value_in(state: Any, name: str) -> Any:
    """A value of a graph's state, in whichever form the graph keeps it; `None` where it is absent."""
    return state.get(name) if isinstance(state, Mapping) else getattr(state, name, None)
