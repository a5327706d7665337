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

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, NoReturn, NotRequired, TypedDict

from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.channels import UntrackedValue
from langgraph.graph import MessagesState
from typing_extensions import override

from langchain_mem._flow import arun, run
from langchain_mem.errors import InvalidRequest
from langchain_mem.integrations.conversation import MESSAGES, messages_in, value_in
from langchain_mem.integrations.extracting import Extracting, check_write, extracting, patient
from langchain_mem.integrations.failing import OnError
from langchain_mem.integrations.identity import OwnerRule
from langchain_mem.integrations.place import Place
from langchain_mem.integrations.recall import CORE, TOKENS, TOP_K, Recalling, recalling
from langchain_mem.memory.base import MemoryBase
from langchain_mem.model.records import FoundMemory


class Recalled(TypedDict):
    """What recalling puts into state: the memories, and their text for a prompt."""

    memories: list[FoundMemory]
    memory_context: str


class Gathered(UntrackedValue[Any]):
    """A value that is in no checkpoint; nodes that write it in the same step each add to it."""

    @override
    def update(self, values: Sequence[Any]) -> bool:
        return super().update([_gathered(values)] if len(values) > 1 else values)


def _gathered(values: Sequence[Any]) -> Any:
    if all(isinstance(value, str) for value in values):
        return "\n\n".join(dict.fromkeys(value for value in values if value))
    return list({memory["id"]: memory for value in values for memory in value}.values())


class MemoryState(MessagesState):
    """Messages, and what was recalled for them; the latter in no checkpoint.

    In a plain `StateGraph` everything in state is in its output, too: `output_schema=MessagesState` leaves it out.
    """

    memories: NotRequired[Annotated[list[dict[str, Any]], Gathered, PrivateStateAttr]]
    memory_context: NotRequired[Annotated[str, Gathered, PrivateStateAttr]]


def retrieval_node(
    memory: MemoryBase | None = None,
    *,
    top_k: int = TOP_K,
    token_budget: int | None = TOKENS,
    query: Callable[[Any], str] | None = None,
    layers: Collection[str] | None = None,
    pinned: Mapping[str, Any] | None = CORE,
    template: str | None = None,
    owner: OwnerRule | None = None,
    messages_key: str = MESSAGES,
    on_error: OnError = "warn",
    instructions: str | None = None,
    **search: Any,
) -> RetrievalNode:
    """A node that puts `memories` and `memory_context` into state.

    Args:
        memory: The memory to search; `None` for the store of the run.
        top_k: At most so many memories are found, the nearest; the core comes on top. After them come the turns
            they rest on, and others like these, for as long as the token budget lasts; `history=False` leaves them out.
        token_budget: At most so many tokens of `memory_context`; `None` for no limit.
        query: State to what is searched for; if unset the last human message, and where that names nothing ("yes") what
            was said before it. An empty query finds nothing.
        layers: Only these: user, agent, session, app, org.
        pinned: A filter for the core, the memories that are always included. They come before the memories that were
            found and do not count in `top_k`. If they have more than 600 tokens, the newest are included. The default
            is the memories of importance "always"; `None` includes none.
        template: The text of `memory_context`, with `{memories}` in the place of the lines.
        owner: Whose memories: a function of the runtime, or a template such as `"{context.user.id}"`; by default the
            ids of the run.
        messages_key: Where the state holds its messages.
        on_error: What happens if the store or the embedder fails: `"warn"` logs a warning and returns no memories,
            `"raise"` fails the node.
        instructions: The name of instructions (see `Memory.instruct`) that come before the memories in
            `memory_context`: those of the agent, the application or the organization of the run. `None` for none.
        **search: Any other argument of `Memory.search`. By default `threshold` is 0.00001 and `lasting` is 0.75, which
            suits requests; `Memory.search` itself has defaults for questions. An id, such as `agent_id`, is added to
            those of the run.

    Returns:
        A node for sync and async graphs. It must not have a `CachePolicy`: the key would not hold whose memories it
        recalled, and another user would get them. A graph that has one fails with `InvalidRequest`.

    Raises:
        InvalidRequest: An option is out of its range.
        UnknownOption: There is no such option.
    """
    how = recalling(
        Place(memory), top_k=top_k, token_budget=token_budget, query=query, layers=layers, pinned=pinned,
        template=template, owner=owner, messages_key=messages_key, on_error=on_error,
        instructions=instructions, **search,
    )  # fmt: skip
    return RetrievalNode(how)


def extraction_node(
    memory: MemoryBase | None = None,
    *,
    write: Literal["after", "background"] = "after",
    after: timedelta | None = None,
    after_tokens: int | None = None,
    background: bool = False,
    approve: bool = False,
    on_error: OnError = "warn",
    owner: OwnerRule | None = None,
    messages_key: str = MESSAGES,
    model: BaseChatModel | str | None = None,
    **ids: Any,
) -> ExtractionNode:
    """A node that remembers what was said since it last did.

    Args:
        memory: The memory to write to; `None` for the store of the run.
        write: When facts are extracted: `"after"`, before the node returns; or `"background"`, by a worker, so that the
            reply does not wait. Messages that the worker had not extracted when the process ended are part of the next
            turn's extraction.
        after: With `"background"`, how long a thread must be quiet before its messages are extracted together. They
            wait in the store. If the process ends, the next process that opens the store extracts them.
        after_tokens: The number of waiting tokens that are extracted at once; by default as many as one prompt
            contains.
        background: The same as `write="background"`.
        approve: Whether to call `interrupt()` with the changes, and to make them after `Command(resume=True)`.
        on_error: What happens if the model or the store fails: `"warn"` logs a warning, `"raise"` fails the node. In
            both cases the messages are part of the next extraction.
        owner: Whose memories; see `retrieval_node`.
        messages_key: Where the state holds its messages.
        model: What extracts, where no memory is given. Without a model messages are stored as they are.
        **ids: Ids set in code beside those of the run, such as `agent_id`.

    Returns:
        A node for sync and async graphs.

    Raises:
        InvalidRequest: Approval is asked for in the background, or without a model, which has no plan to show; an
            option is out of its range.
        UnknownOption: There is no such option.
    """
    check_write(write, "after", "background")
    how = extracting(
        Place(memory, model=model), background=background or write == "background",
        patience=patient(after, after_tokens), approve=approve, on_error=on_error, owner=owner,
        messages_key=messages_key, **ids,
    )  # fmt: skip
    return ExtractionNode(how)


def recalled(state: Any, runtime: Any = None, *, memory: MemoryBase | None = None, **options: Any) -> Recalled:
    """Returns what was recalled for this run.

    It searches again if an interrupt or a crash has removed this from the state.

    Without a `retrieval_node` before it, it searches at the place where it is called. Then no recalled text is in the
    state, nor in a stream of the state.

    Args:
        state: The state of the graph.
        runtime: The `Runtime` of the run; `None` for that of the step that is running.
        memory: The memory to search; `None` for the store that the graph was compiled with.
        **options: Options of `retrieval_node`.

    Returns:
        `memories` and `memory_context`, as `retrieval_node` puts them into the state.

    Raises:
        InvalidRequest: There is neither a memory nor a store.
    """
    return run(_recalled(state, runtime, memory, options))


async def arecalled(state: Any, runtime: Any = None, *, memory: MemoryBase | None = None, **options: Any) -> Recalled:
    """The async form of `recalled`."""
    return await arun(_recalled(state, runtime, memory, options))


async def _recalled(state: Any, runtime: Any, memory: MemoryBase | None, options: Mapping[str, Any]) -> Recalled:
    """What the state holds, or else what a search finds."""
    context = value_in(state, "memory_context")
    if context is not None:
        return {"memories": value_in(state, "memories") or [], "memory_context": context}
    return await retrieval_node(memory, **options).recall(state, runtime)


class _Node(Runnable[Any, Any]):
    """What both nodes share: a graph runs their body in its own form."""

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return run(self._update(input, config))

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return await arun(self._update(input, config))

    async def _update(self, state: Any, config: RunnableConfig | None) -> Any:
        """What the node changes in state."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> NoReturn:
        if name == "__qualname__":  # LangGraph asks an instance for it to make the key of a cached node, and only then
            raise InvalidRequest(
                f"{self.name} must not have a CachePolicy: its key would not hold whose memories these are, and one "
                "user would get another's."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class RetrievalNode(_Node):
    """See `retrieval_node`."""

    name = "retrieve_memories"

    def __init__(self, recalling: Recalling) -> None:
        self._recalling = recalling

    @override
    async def _update(self, state: Any, config: RunnableConfig | None) -> Recalled:
        return await self.recall(state, config=config)

    async def recall(self, state: Any, runtime: Any = None, config: RunnableConfig | None = None) -> Recalled:
        """Searches for what the state asks."""
        found = await self._recalling.recall(state, runtime, config)
        return {"memories": found.memories, "memory_context": self._recalling.text(found)}


class ExtractionNode(_Node):
    """See `extraction_node`."""

    name = "extract_memories"

    def __init__(self, extracting: Extracting) -> None:
        self._extracting = extracting

    @override
    async def _update(self, state: Any, config: RunnableConfig | None) -> dict[str, Any]:
        messages = messages_in(state, self._extracting.messages_key)
        await self._extracting.count_used(value_in(state, "memories") or [], messages, config=config)
        await self._extracting.extract(messages, self._extracting.owner_of(config=config))
        return {}
