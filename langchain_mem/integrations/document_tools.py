"""Tools with which a model saves, patches and removes documents of the kinds that a memory keeps.

The same holds as for memories: whose they are is never the model's to say, and in a graph a model may save only what a
user said, value by value, and change or remove only what a user speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, create_model

from langchain_mem._flow import Body
from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.document_judgement import Compared, compare, vocabulary
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
from langchain_mem.model.documents import document_of, dumped, dumped_whole, merged, read_by
from langchain_mem.model.kinds import Kinds, Many, in_snake_case
from langchain_mem.model.records import MemoryDict

_UNSAID: Final = "Refused: no user message says this. Save what the user said."
_UNASKED: Final = "Refused: no user message speaks of this. Ask the user first."
_OTHER: Final = "There is no {name} with this id."


class RemoveDocument(BaseModel):
    """Arguments of `remove_…`."""

    memory_id: str = Field(description="The id that search_memories gave.", min_length=1)


def document_tools(calling: Calling, name: str | None) -> list[BaseTool]:
    """The tools for the kinds of a memory; none where it has none, or is the store of the run."""
    kinds = Kinds() if calling.place.memory is None else calling.place.memory.settings.kinds
    many = [tool for each in kinds.many.values() for tool in _of_many(calling, each, name)]
    return [*many, *(_of_one(calling, schema, name) for schema in kinds.one.values())]


def _of_many(calling: Calling, many: Many, name: str | None) -> list[BaseTool]:
    kind, tools = in_snake_case(many.name), _Many(many)
    save = create_model(f"Save{many.name}", document=(many.schema, Field(description="The whole document.")))
    update = create_model(
        f"Update{many.name}",
        memory_id=(str, Field(description="The id that search_memories gave.", min_length=1)),
        changes=(dict[str, Any], Field(description=_changes(many.schema))),
    )
    offered: list[tuple[bool, str, str, type[BaseModel], Callable[..., Body[ContentAndArtifact]]]] = [
        (many.insert, f"save_{kind}", f"Save a {many.name} that the user told of.", save, tools.save),
        (many.update, f"update_{kind}", f"Change a {many.name} after what the user said.", update, tools.update),
        (
            many.remove,
            f"remove_{kind}",
            f"Remove a {many.name} that the user is done with.",
            RemoveDocument,
            tools.remove,
        ),
    ]
    return [made(calling, named(verb, name), told, form, body) for may, verb, told, form, body in offered if may]


def _of_one(calling: Calling, schema: type[BaseModel], name: str | None) -> BaseTool:
    form = create_model(f"Update{schema.__name__}", changes=(dict[str, Any], Field(description=_changes(schema))))
    verb = f"update_{in_snake_case(schema.__name__)}"
    return made(
        calling, named(verb, name), f"Note in the {schema.__name__} what the user said.", form, _One(schema).update
    )


def _changes(schema: type[BaseModel]) -> str:
    return f"Only the keys that change, null for one that no longer holds: {', '.join(schema.model_fields)}."


@dataclass(frozen=True, slots=True)
class _Many:
    """What the tools of one kind do, in the sync and the async form."""

    many: Many

    async def save(self, called: Called, document: BaseModel) -> ContentAndArtifact:
        compared = _compared(called, self.many.schema, dumped_whole(document), self.many.own_words)
        try:
            whole = read_by(self.many.schema, compared.document)
        except InvalidRequest:
            return refused(f"{_UNSAID} ({_why(compared)})")
        source, owners = called.owner.source([]), called.owner.owners
        saved = await called.memory.operations.save_document(whole, doubt=compared.doubt, source=source, **owners)
        return f"Saved: {saved['results'][0]['memory']}{_left_out(compared)}", dict(saved)

    async def update(self, called: Called, memory_id: str, changes: dict[str, Any]) -> ContentAndArtifact:
        memory = await self._found(called, memory_id)
        if memory is None:
            return refused(_OTHER.format(name=self.many.name))
        compared = _compared(called, self.many.schema, changes, self.many.own_words, memory["memory"])
        if not compared.document or not _spoken_of(called, memory, compared.document):
            return refused(f"{_UNSAID} ({_why(compared)})")
        try:
            changed = await called.memory.operations.update_document(
                memory_id, compared.document, **called.owner.visible
            )
        except InvalidRequest as error:
            return refused(str(error))
        return f"Changed: {changed['memory']}{_left_out(compared)}", dict(changed)

    async def remove(self, called: Called, memory_id: str) -> ContentAndArtifact:
        memory = await self._found(called, memory_id)
        if memory is None:
            return refused(_OTHER.format(name=self.many.name))
        if not _spoken_of(called, memory, {}):
            return refused(_UNASKED)
        gone = await called.memory.operations.delete(memory_id, **called.owner.visible)
        return f"Removed: {gone['memory']}", dict(gone)

    async def _found(self, called: Called, memory_id: str) -> MemoryDict | None:
        """The document with this id, where it is of this kind and not shared."""
        memory = await called.memory.operations.get(memory_id, **called.owner.visible)
        ours = memory is not None and memory["metadata"].get("schema") == self.many.name
        return memory if memory is not None and ours and not is_shared(memory, called.owner) else None


@dataclass(frozen=True, slots=True)
class _One:
    """What the tool of a schema of which there is one document does."""

    schema: type[BaseModel]

    async def update(self, called: Called, changes: dict[str, Any]) -> ContentAndArtifact:
        known = await called.memory.operations.get_document(self.schema, **called.owner.owners)
        before = {} if known is None else dumped(known)
        compared = _compared(called, self.schema, changes, (), str(before))
        if not compared.document:
            return refused(f"{_UNSAID} ({_why(compared)})")
        try:
            whole = read_by(self.schema, merged(before, compared.document))
        except InvalidRequest as error:
            return refused(str(error))
        changed = await called.memory.operations.set_document(whole, **called.owner.owners)
        return f"Changed: {changed['memory']}{_left_out(compared)}", dict(changed)


def _compared(
    called: Called, schema: type[BaseModel], document: Mapping[str, Any], free: Collection[str], known: str = ""
) -> Compared:
    """A document without what no user said; as it is where the application itself calls."""
    grounding = called.memory.settings.grounding
    if called.asked is None or grounding == "off":
        return Compared(dict(document), {}, {})
    said = said_by_users(called, known)
    return compare(document, said, free=free, vocabulary=vocabulary(schema), strict=grounding == "strict")


def _spoken_of(called: Called, memory: MemoryDict, patch: Mapping[str, Any]) -> bool:
    """Whether a user speaks of a document, by any word of it or of what is to change in it."""
    if called.asked is None:
        return True
    words = " ".join(map(str, [*document_of(memory).values(), *patch.values()]))  # type: ignore[arg-type]
    return said_by_users(called).about(words) is not None


def _why(compared: Compared) -> str:
    return "; ".join(f"{path}: {reason}" for path, reason in compared.refused.items()) or "nothing of it was said"


def _left_out(compared: Compared) -> str:
    return f" (left out: {_why(compared)})" if compared.refused else ""
