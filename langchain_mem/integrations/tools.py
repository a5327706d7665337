"""Tools with which a model saves, searches, updates and forgets memories.

Whose memories these are is never the model's to say: the application says it when it makes the tools, or the run does
(see `langchain_mem.integrations.identity`). In a graph the model may save only what a user said, and change or forget
only what a user message asks for (see `langchain_mem.extraction.user_intent`), whatever a web page or a recalled memory
tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Unpack

from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, field_validator

from langchain_mem._flow import Body
from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.support import Objection, weigh
from langchain_mem.extraction.user_intent import asks_to_change, asks_to_forget
from langchain_mem.integrations.document_tools import document_tools
from langchain_mem.integrations.identity import OwnerRule, check_owner, whose
from langchain_mem.integrations.place import Place
from langchain_mem.integrations.recall import LASTING, THRESHOLD, TOP_K, is_turn, nearest
from langchain_mem.integrations.tool_calls import (
    Called,
    Calling,
    ContentAndArtifact,
    is_shared,
    made,
    named,
    refused,
    said_by_users,
)
from langchain_mem.memory.base import MemoryBase
from langchain_mem.memory.edit import UNSET
from langchain_mem.model.instants import event_span
from langchain_mem.model.phrases import read_phrases
from langchain_mem.model.records import FoundMemory, filed
from langchain_mem.model.scopes import Ids
from langchain_mem.ranking.tokens import tokenize

USEFUL_FOR: Final = "Up to three short phrases for requests that need it without naming it, as 'planning a dinner'."
"""What `save_memory` says of the argument."""


class SaveMemory(BaseModel):
    """Arguments of `save_memory`."""

    text: str = Field(description="One fact, in a sentence that stands by itself.", min_length=1)
    useful_for: list[str] = Field(default=[], description=USEFUL_FOR)

    @field_validator("useful_for", mode="before")
    @classmethod
    def _phrases(cls, written: Any) -> list[str]:
        """A fact is not lost with phrases that are none."""
        return read_phrases(written)


class SearchMemories(BaseModel):
    """Arguments of `search_memories`."""

    query: str = Field(description="What to look for, in plain words.", min_length=1)


class UpdateMemory(BaseModel):
    """Arguments of `update_memory`."""

    memory_id: str = Field(description="The id that search_memories gave.", min_length=1)
    text: str = Field(description="What the memory says from now on, whole.", min_length=1)
    event_date: str | None = Field(
        default=None, description="Only where the user names another date of what it tells of: 2027-01-31, or 2027-01."
    )


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
    """Makes tools for a memory: `save_memory`, `search_memories`, `update_memory` and `forget_memory`.

    If the memory has schemas, there are tools for their documents too: `save_task`, `update_task` and `remove_task` for
    `Many(Task)`, and `update_profile` for `Profile`.

    What a tool cannot do is returned to the model as text, such as an id that does not exist; the run goes on.

    Args:
        memory: The memory they read and write; `None` for the store of the run that calls a tool.
        top_k: How many memories a search returns at most.
        name: Tells several memories of one agent apart. With "company", the tools are called `save_company_memory` and
            so on.
        owner: How the owner is found in the run: a function of the runtime, or a template such as
            `"{context.user.id}"`.
        **ids: Whose memories; without any, those of the user that the run names.

    Returns:
        The tools. Each has a sync and an async form, and returns content for the model and an artifact for the
        application.

    Raises:
        InvalidRequest: An option is out of its range.
    """
    check_owner(owner, ids)
    return _tools(Calling(Place(memory), partial(whose, owner=owner, **ids)), top_k, name)


def owned_tools(
    place: Place, *, top_k: int, name: str | None, owner: OwnerRule | None, beside: Mapping[str, Any]
) -> list[BaseTool]:
    """The tools of a middleware, whose ids in code stand beside those of the run."""
    return _tools(Calling(place, partial(whose, owner=owner, beside=beside)), top_k, name)


def _tools(calling: Calling, top_k: int, name: str | None) -> list[BaseTool]:
    facts = _Tools(top_k)
    bodies: dict[str, tuple[type[BaseModel], Callable[..., Body[ContentAndArtifact]]]] = {
        "save_memory": (SaveMemory, facts.save),
        "search_memories": (SearchMemories, facts.search),
        "update_memory": (UpdateMemory, facts.update),
        "forget_memory": (ForgetMemory, facts.forget),
    }
    where = "" if name is None else f" In the memory named {name}."
    tools = [
        made(calling, named(verb, name), _DESCRIPTIONS[verb] + where, schema, body)
        for verb, (schema, body) in bodies.items()
    ]
    return [*tools, *document_tools(calling, name)]


_DESCRIPTIONS: Final = {
    "save_memory": "Save one fact that the user told and that is worth knowing in later conversations.",
    "search_memories": "Search what is known from earlier conversations. Each memory begins with its id; "
    "what was said comes after the memories, without one.",
    "update_memory": "Correct a memory after the user said something newer.",
    "forget_memory": "Forget a memory that the user asked to be forgotten.",
}

_UNKNOWN: Final = "There is no memory with this id."
_SHARED: Final = "This memory is shared with others, and only the application may change it."
_UNSAID: Final = "Refused: no user message says this. Save what the user said, in the user's words."
_UNASKED_CHANGE: Final = "Refused: no user message says this. A memory is changed only to what the user said."
_UNASKED_FORGET: Final = "Refused: no user message asks to forget this. Ask the user first."


class _Tools:
    """What the tools do, in the sync and the async form."""

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k

    async def save(self, called: Called, text: str, useful_for: Sequence[str] = ()) -> ContentAndArtifact:
        finding = Objection() if called.asked is None else spoken_of(called, text)
        if finding.contradiction is not None:
            return refused(f"{_UNSAID} ({finding.contradiction})")
        source, owners = called.owner.source([]), called.owner.owners
        result = await called.memory.operations.save(
            text, useful_for=useful_for, doubt=finding.doubt, source=source, **owners
        )
        return f"Saved: {text}", dict(result)

    async def search(self, called: Called, query: str) -> ContentAndArtifact:
        found = await called.memory.operations.search(
            query, top_k=self._top_k, threshold=THRESHOLD, lasting=LASTING, history=True, **called.owner.visible
        )
        results = nearest(found["results"], self._top_k)
        return "\n".join(map(_told, results)) or "Nothing is known about this.", {"results": results}

    async def update(
        self, called: Called, memory_id: str, text: str, event_date: str | None = None
    ) -> ContentAndArtifact:
        memory = await called.memory.operations.get(memory_id, **called.owner.visible)
        if memory is None or is_shared(memory, called.owner):
            return refused(_UNKNOWN if memory is None else _SHARED)
        date: Any = UNSET if event_date is None else event_date
        try:
            new = text if event_date is None else filed(text, *event_span(event_date))
        except InvalidRequest as error:
            return refused(str(error))
        if called.asked is not None and not asks_to_change(memory, new, called.asked, now=called.memory.clock()):
            return refused(_UNASKED_CHANGE)
        changed = await called.memory.operations.update(memory_id, text, event_date=date, **called.owner.visible)
        return f"Updated: {changed['memory']}", dict(changed)

    async def forget(self, called: Called, memory_id: str) -> ContentAndArtifact:
        memory = await called.memory.operations.get(memory_id, **called.owner.visible)
        if memory is None or is_shared(memory, called.owner):
            return refused(_UNKNOWN if memory is None else _SHARED)
        if called.asked is not None and not asks_to_forget(memory, called.asked):
            return refused(_UNASKED_FORGET)
        gone = await called.memory.operations.delete(memory_id, **called.owner.visible)
        return f"Forgotten: {gone['memory']}", dict(gone)


def _told(one: FoundMemory) -> str:
    """A result as a line; only a memory has an id that the other tools take."""
    return f"{'Said earlier' if is_turn(one) else one['id']}: {one['memory']}"


def spoken_of(called: Called, text: str) -> Objection:
    """What users said of a text that is to be saved, by the checks of extraction.

    A model that saves chooses its words, so what nobody confirms at all is refused: another name or figure than was
    said, or no word of it.
    """
    said, strict = said_by_users(called), called.memory.settings.grounding == "strict"
    finding = Objection() if called.memory.settings.grounding == "off" else weigh(text, said)
    shared = {*tokenize(text)} & {token for turn in said.turns for token in tokenize(turn.text)}
    unsaid = finding.doubt if strict or (finding.doubt and _NOBODY.search(finding.doubt)) else None
    against = finding.contradiction or unsaid or (None if shared else "nobody said anything of it")
    return Objection(against, finding.doubt)


_NOBODY: Final = re.compile(r"nobody said|was not said")
