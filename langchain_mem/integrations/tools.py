"""Tools with which a model saves, searches, updates and forgets memories.

Whose memories these are is never the model's to say: the application says it when it makes the tools, or the run does
(see `langchain_mem.integrations.identity`). In a graph the model may change or forget only what a user message
asks for (see `langchain_mem.extraction.user_intent`), whatever a web page or a recalled memory tells it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, Unpack

from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import ToolRuntime
from pydantic import BaseModel, Field

from langchain_mem._flow import Body, arun, run
from langchain_mem.extraction.messages import Turn, turns_of
from langchain_mem.extraction.user_intent import asks_to_change, asks_to_forget
from langchain_mem.integrations.identity import Identity, messages_in, whose
from langchain_mem.memory.facade import MemoryBase
from langchain_mem.model.records import MemoryDict
from langchain_mem.model.scopes import Ids, Layer

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


def memory_tools(memory: MemoryBase, *, top_k: int = 5, **ids: Unpack[Ids]) -> list[BaseTool]:
    """Tools over a memory: `save_memory`, `search_memories`, `update_memory` and `forget_memory`.

    Args:
        memory: Where they read and write.
        top_k: At most so many memories a search returns.
        **ids: Whose memories; without any, those of the run that calls a tool.

    Returns:
        The tools, each in sync and async form, with content for the model and an artifact for the application.
    """
    tools = _Tools(memory, top_k, ids)
    return [
        _tool("save_memory", SaveMemory, tools.save),
        _tool("search_memories", SearchMemories, tools.search),
        _tool("update_memory", UpdateMemory, tools.update),
        _tool("forget_memory", ForgetMemory, tools.forget),
    ]


_DESCRIPTIONS: Final = {
    "save_memory": "Save one fact that is worth knowing in later conversations.",
    "search_memories": "Search what is known from earlier conversations. Each result begins with its id.",
    "update_memory": "Correct a memory after the user said something newer.",
    "forget_memory": "Forget a memory that the user asked to be forgotten.",
}

_UNKNOWN: Final = "There is no memory with this id."
_SHARED: Final = "This memory is shared with others, and only the application may change it."
_UNASKED_CHANGE: Final = "Refused: no user message says this. A memory is changed only to what the user said."
_UNASKED_FORGET: Final = "Refused: no user message asks to forget this. Ask the user first."


class _Tools:
    """What the tools do. Every `async def` is a body."""

    def __init__(self, memory: MemoryBase, top_k: int, ids: Ids) -> None:
        self._memory = memory
        self._top_k = top_k
        self._ids = ids

    async def save(self, runtime: Runtime | None, text: str) -> Told:
        owner = await self._owner(runtime)
        source = owner.source([])
        result = await self._memory.operations.add(text, infer=False, source=source, **owner.owners)
        return f"Saved: {text}", dict(result)

    async def search(self, runtime: Runtime | None, query: str) -> Told:
        owner = await self._owner(runtime)
        found = await self._memory.operations.search(query, top_k=self._top_k, **owner.visible)
        lines = [f"{one['id']}: {one['memory']}" for one in found["results"]]
        return "\n".join(lines) or "Nothing is known about this.", dict(found)

    async def update(self, runtime: Runtime | None, memory_id: str, text: str) -> Told:
        owner = await self._owner(runtime)
        memory = await self._memory.operations.get(memory_id, **owner.visible)
        if memory is None or _is_shared(memory, owner):
            return _refused(_UNKNOWN if memory is None else _SHARED)
        if runtime is not None and not asks_to_change(memory, text, _heard(runtime, owner), now=self._memory.clock()):
            return _refused(_UNASKED_CHANGE)
        changed = await self._memory.operations.update(memory_id, text, **owner.visible)
        return f"Updated: {changed['memory']}", dict(changed)

    async def forget(self, runtime: Runtime | None, memory_id: str) -> Told:
        owner = await self._owner(runtime)
        memory = await self._memory.operations.get(memory_id, **owner.visible)
        if memory is None or _is_shared(memory, owner):
            return _refused(_UNKNOWN if memory is None else _SHARED)
        if runtime is not None and not asks_to_forget(memory, _heard(runtime, owner)):
            return _refused(_UNASKED_FORGET)
        gone = await self._memory.operations.delete(memory_id, **owner.visible)
        return f"Forgotten: {gone['memory']}", dict(gone)

    async def _owner(self, runtime: Runtime | None) -> Identity:
        """Whose memories these are; the thread is noted, so that erasing the owner finds it."""
        owner = whose(runtime, None, **self._ids)
        await self._memory.operations.note_thread(owner.thread_id, **owner.owners)
        return owner


def _refused(reason: str) -> Told:
    return reason, {"refused": reason}


def _is_shared(memory: MemoryDict, owner: Identity) -> bool:
    personal = owner.owners.get("user_id") or owner.owners.get("agent_id")
    return bool(personal) and memory["layer"] in (Layer.APP, Layer.ORG)


def _heard(runtime: Runtime, owner: Identity) -> list[Turn]:
    """The conversation in a graph's state; none where its "user" is another agent's model."""
    return [] if owner.delegated else turns_of(messages_in(runtime.state))


def _tool(name: str, schema: type[BaseModel], body: Callable[..., Body[Told]]) -> BaseTool:
    """A tool with a body, in both forms. LangGraph hands over `runtime`, and the model never sees it."""

    def form(runtime: ToolRuntime[Any, Any] = None, **arguments: Any) -> Told:  # type: ignore[assignment]
        return run(body(runtime, **arguments))

    async def aform(runtime: ToolRuntime[Any, Any] = None, **arguments: Any) -> Told:  # type: ignore[assignment]
        return await arun(body(runtime, **arguments))

    return StructuredTool.from_function(
        form,
        aform,
        name=name,
        description=_DESCRIPTIONS[name],
        args_schema=schema,
        response_format="content_and_artifact",
    )
