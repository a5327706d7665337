"""A call of a tool: whose memories, what users said, what is refused; and how a tool is made of a body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import ToolRuntime
from pydantic import BaseModel

from langchain_mem._flow import Body, arun, run
from langchain_mem.extraction.messages import Turn, turns_of
from langchain_mem.extraction.support import Premise
from langchain_mem.integrations.conversation import messages_in
from langchain_mem.integrations.failing import MISTAKES, report
from langchain_mem.integrations.identity import Identity
from langchain_mem.integrations.place import Place
from langchain_mem.memory.base import MemoryBase
from langchain_mem.model.documents import INSTRUCTIONS_KIND, SCHEMA
from langchain_mem.model.records import MemoryDict
from langchain_mem.model.scopes import Layer

ContentAndArtifact: TypeAlias = tuple[str, dict[str, Any]]
"""What a tool returns: words for the model, and the artifact for the application."""

Runtime: TypeAlias = ToolRuntime[Any, Any]


_DOWN: Final = (
    "Memory is not available right now. Go on without it, and do not say that anything was saved or forgotten."
)


@dataclass(frozen=True, kw_only=True)
class Called:
    """One call of a tool.

    Attributes:
        memory: The memory of the run.
        owner: Whose memories it may use.
        asked: The conversation in a graph; `None` outside of one, where the application itself calls.
    """

    memory: MemoryBase
    owner: Identity
    asked: list[Turn] | None


def said_by_users(called: Called, *known_texts: str) -> Premise:
    """What the users of a conversation said, for the checks of extraction. What a tool returned is not among it.

    Args:
        called: The call.
        *known_texts: Texts whose words need no evidence.
    """
    turns = [turn for turn in called.asked or [] if turn.role == "user"]
    known = [*(str(owner) for owner in called.owner.owners.values()), *known_texts]
    return Premise(turns=turns, cited=(), speakers=("user",), known=known, observed=called.memory.clock())


def refused(reason: str) -> ContentAndArtifact:
    """An answer that says why nothing was done."""
    return reason, {"refused": reason}


def is_shared(memory: MemoryDict, owner: Identity) -> bool:
    """Whether a memory is not a model's to change: instructions, and what a whole application or organization has."""
    if memory["metadata"].get(SCHEMA) == INSTRUCTIONS_KIND:
        return True
    personal = owner.owners.get("user_id") or owner.owners.get("agent_id")
    return bool(personal) and memory["layer"] in (Layer.APP, Layer.ORG)


def _heard(runtime: Runtime, owner: Identity) -> list[Turn]:
    """The conversation in a graph's state; none where its "user" is another agent's model."""
    return [] if owner.delegated else turns_of(messages_in(runtime.state))


class Calling:
    """How tools of one memory are called: which memory, and whose.

    Args:
        place: Where the memory is.
        whose: Whose memories a run may use.
    """

    def __init__(self, place: Place, whose: Callable[..., Identity]) -> None:
        self.place = place
        self._whose = whose

    async def call(
        self, body: Callable[..., Body[ContentAndArtifact]], runtime: Runtime | None, arguments: dict[str, Any]
    ) -> ContentAndArtifact:
        """Runs one of the above; a memory that is down is told to the model, and the agent goes on."""
        owner, memory = self._whose(runtime), self.place.of(runtime)
        called = Called(memory=memory, owner=owner, asked=None if runtime is None else _heard(runtime, owner))
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


def made(
    calling: Calling,
    name: str,
    description: str,
    schema: type[BaseModel],
    body: Callable[..., Body[ContentAndArtifact]],
) -> BaseTool:
    """A tool with a body, in both forms. LangGraph hands over `runtime`, and the model never sees it."""

    def form(runtime: ToolRuntime[Any, Any] = None, **arguments: Any) -> ContentAndArtifact:  # type: ignore[assignment]
        return run(calling.call(body, runtime, arguments))

    async def aform(runtime: ToolRuntime[Any, Any] = None, **arguments: Any) -> ContentAndArtifact:  # type: ignore[assignment]
        return await arun(calling.call(body, runtime, arguments))

    return StructuredTool.from_function(
        form, aform, name=name, description=description, args_schema=schema, response_format="content_and_artifact"
    )


def named(verb: str, name: str | None) -> str:
    """The name of a tool, with that of its memory where several have tools.

    >>> named("save_memory", None), named("save_memory", "company")
    ('save_memory', 'save_company_memory')
    """
    return verb if name is None else verb.replace("_", f"_{name}_", 1)
