"""Tools with which a model saves, searches, updates and forgets memories.

Whose memories these are is never the model's to say: the application says it when it makes the tools, or the run does
(see `langchain_mem.integrations.identity`). In a graph the model may save only what a user said, and change or forget
only what a user message asks for (see `langchain_mem.extraction.user_intent`), whatever a web page or a recalled memory
tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias, Unpack

from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import ToolRuntime
from pydantic import BaseModel, Field

from langchain_mem._flow import Body, arun, run
from langchain_mem.extraction.grounding import invented
from langchain_mem.extraction.messages import Turn, turns_of
from langchain_mem.extraction.user_intent import asks_to_change, asks_to_forget
from langchain_mem.integrations.conversation import messages_in
from langchain_mem.integrations.failing import MISTAKES, report
from langchain_mem.integrations.identity import Identity, OwnerRule, check_owner, whose
from langchain_mem.integrations.place import Place
from langchain_mem.integrations.recall import LASTING, THRESHOLD, TOP_K
from langchain_mem.memory.base import MemoryBase
from langchain_mem.model.documents import INSTRUCTIONS_KIND, SCHEMA
from langchain_mem.model.records import MemoryDict
from langchain_mem.model.scopes import Ids, Layer
from langchain_mem.ranking.bm25 import tokenize

Told: TypeAlias = tuple[str, dict[str, Any]]
"""What a tool returns: words for the model, and the artifact for the application."""

Runtime: TypeAlias = ToolRuntime[Any, Any]


class SaveMemory(BaseModel):
    """Arguments of `save_memory`."""

    text: str = Field(description="One fact, in a sentence that stands by itself.", min_length=1)


class SearchMemories(BaseModel):
    """Arguments of `search_memories`."""

    query: str = Field(description="What to look for, in plain words.", min_length=1)


class UpdateMemory(BaseModel):
    """Arguments of `update_memory`."""

    memory_id: str = Field(description="The id that search_memories gave.", min_length=1)
    text: str = Field(description="What the memory says from now on, whole.", min_length=1)


class ForgetMemory(BaseModel):
    """Arguments of `forget_memory`."""

    memory_id: str = Field(description="The id that search_memories gave.", min_length=1)


def memory_tools(
    memory: MemoryBase | None = None,
    *,
    top_k: int = TOP_K,
    name: str | None = None,
    owner: OwnerRule | None = None,
    **ids: Unpack[Ids],
) -> list[BaseTool]:
    """Tools over a memory: `save_memory`, `search_memories`, `update_memory` and `forget_memory`.

    Args:
        memory: Where they read and write; `None` for the store of the run that calls a tool.
        top_k: At most so many memories a search returns.
        name: Tells several memories of one agent apart: with "company", `save_company_memory` and so on.
        owner: How the application finds whose memories: a function of the runtime, or a template such as
            `"{context.user.id}"`.
        **ids: Whose memories; without any, those of the run that calls a tool.

    Returns:
        The tools, each in sync and async form, with content for the model and an artifact for the application.

    Raises:
        InvalidRequest: An option is out of its range.
    """
    check_owner(owner, ids)
    return _tools(_Tools(Place(memory), top_k, partial(whose, owner=owner, **ids)), name)


def owned_tools(
    place: Place, *, top_k: int, name: str | None, owner: OwnerRule | None, beside: Mapping[str, Any]
) -> list[BaseTool]:
    """The tools of a middleware, whose ids in code stand beside those of the run."""
    return _tools(_Tools(place, top_k, partial(whose, owner=owner, beside=beside)), name)


def _tools(tools: _Tools, name: str | None) -> list[BaseTool]:
    return [
        _tool("save_memory", name, SaveMemory, tools.save),
        _tool("search_memories", name, SearchMemories, tools.search),
        _tool("update_memory", name, UpdateMemory, tools.update),
        _tool("forget_memory", name, ForgetMemory, tools.forget),
    ]


_DESCRIPTIONS: Final = {
    "save_memory": "Save one fact that the user told and that is worth knowing in later conversations.",
    "search_memories": "Search what is known from earlier conversations. Each result begins with its id.",
    "update_memory": "Correct a memory after the user said something newer.",
    "forget_memory": "Forget a memory that the user asked to be forgotten.",
}

_UNKNOWN: Final = "There is no memory with this id."
_SHARED: Final = "This memory is shared with others, and only the application may change it."
_UNSAID: Final = "Refused: no user message says this. Save what the user said, in the user's words."
_UNASKED_CHANGE: Final = "Refused: no user message says this. A memory is changed only to what the user said."
_UNASKED_FORGET: Final = "Refused: no user message asks to forget this. Ask the user first."
_DOWN: Final = (
    "Memory is not available right now. Go on without it, and do not say that anything was saved or forgotten."
)


class _Tools:
    """What the tools do. Every `async def` is a body."""

    def __init__(self, place: Place, top_k: int, whose: Callable[..., Identity]) -> None:
        self._place = place
        self._top_k = top_k
        self._whose = whose

    async def save(self, called: _Called, text: str) -> Told:
        if called.asked is not None and not _says(called, text):
            return _refused(_UNSAID)
        source = called.owner.source([])
        result = await called.memory.operations.add(text, infer=False, source=source, **called.owner.owners)
        return f"Saved: {text}", dict(result)

    async def search(self, called: _Called, query: str) -> Told:
        found = await called.memory.operations.search(
            query, top_k=self._top_k, threshold=THRESHOLD, lasting=LASTING, **called.owner.visible
        )
        lines = [f"{one['id']}: {one['memory']}" for one in found["results"]]
        return "\n".join(lines) or "Nothing is known about this.", dict(found)

    async def update(self, called: _Called, memory_id: str, text: str) -> Told:
        memory = await called.memory.operations.get(memory_id, **called.owner.visible)
        if memory is None or _is_shared(memory, called.owner):
            return _refused(_UNKNOWN if memory is None else _SHARED)
        if called.asked is not None and not asks_to_change(memory, text, called.asked, now=called.memory.clock()):
            return _refused(_UNASKED_CHANGE)
        changed = await called.memory.operations.update(memory_id, text, **called.owner.visible)
        return f"Updated: {changed['memory']}", dict(changed)

    async def forget(self, called: _Called, memory_id: str) -> Told:
        memory = await called.memory.operations.get(memory_id, **called.owner.visible)
        if memory is None or _is_shared(memory, called.owner):
            return _refused(_UNKNOWN if memory is None else _SHARED)
        if called.asked is not None and not asks_to_forget(memory, called.asked):
            return _refused(_UNASKED_FORGET)
        gone = await called.memory.operations.delete(memory_id, **called.owner.visible)
        return f"Forgotten: {gone['memory']}", dict(gone)

    async def call(self, body: Callable[..., Body[Told]], runtime: Runtime | None, arguments: dict[str, Any]) -> Told:
        """Runs one of the above; a memory that is down is told to the model, and the agent goes on."""
        owner, memory = self._whose(runtime), self._place.of(runtime)
        called = _Called(memory=memory, owner=owner, asked=None if runtime is None else _heard(runtime, owner))
        try:
            await memory.operations.note_thread(owner.thread_id, **owner.owners)
            return await body(called, **arguments)
        except MISTAKES:
            raise
        except Exception as error:
            if runtime is None:
                raise
            report(memory, "tool_failed", "The model was told that memory is not available.", error, owner)
            return _DOWN, {"error": f"{type(error).__name__}: {error}"[:500]}


@dataclass(frozen=True, kw_only=True)
class _Called:
    """One call of a tool.

    Attributes:
        memory: The memory of the run.
        owner: Whose memories it may use.
        asked: The conversation in a graph; `None` outside of one, where the application itself calls.
    """

    memory: MemoryBase
    owner: Identity
    asked: list[Turn] | None


def _says(called: _Called, text: str) -> bool:
    """Whether users said what is to be saved, by the checks of extraction: nothing in it is invented."""
    turns = called.asked or []
    said = {token for turn in turns if turn.role == "user" for token in tokenize(turn.text)}
    spoken = [turn.spoken for turn in turns if turn.role == "user"]
    known = [str(owner) for owner in called.owner.owners.values()]
    ghosts = invented(text, spoken, observed=called.memory.clock(), known=known)
    return not ghosts and bool(said & {*tokenize(text)})


def _refused(reason: str) -> Told:
    return reason, {"refused": reason}


def _is_shared(memory: MemoryDict, owner: Identity) -> bool:
    if memory["metadata"].get(SCHEMA) == INSTRUCTIONS_KIND:  # what an agent is told is not the agent's to change
        return True
    personal = owner.owners.get("user_id") or owner.owners.get("agent_id")
    return bool(personal) and memory["layer"] in (Layer.APP, Layer.ORG)


def _heard(runtime: Runtime, owner: Identity) -> list[Turn]:
    """The conversation in a graph's state; none where its "user" is another agent's model."""
    return [] if owner.delegated else turns_of(messages_in(runtime.state))


def _tool(verb: str, name: str | None, schema: type[BaseModel], body: Callable[..., Body[Told]]) -> BaseTool:
    """A tool with a body, in both forms. LangGraph hands over `runtime`, and the model never sees it."""
    call: Callable[..., Body[Told]] = body.__self__.call  # type: ignore[attr-defined]

    def form(runtime: ToolRuntime[Any, Any] = None, **arguments: Any) -> Told:  # type: ignore[assignment]
        return run(call(body, runtime, arguments))

    async def aform(runtime: ToolRuntime[Any, Any] = None, **arguments: Any) -> Told:  # type: ignore[assignment]
        return await arun(call(body, runtime, arguments))

    return StructuredTool.from_function(
        form,
        aform,
        name=verb if name is None else verb.replace("_", f"_{name}_"),
        description=_DESCRIPTIONS[verb] if name is None else f"{_DESCRIPTIONS[verb]} In the memory named {name}.",
        args_schema=schema,
        response_format="content_and_artifact",
    )
