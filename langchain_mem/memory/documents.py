"""Typed memories: one validated document per owner and schema, beside the free facts.

A document is a memory like any other: found by search, listed by `get_all`, its history restored. Its text says it in
words; its metadata holds it:

    {"schema": "Profile", "document": {"name": "Alex", "diet": "vegan"}}

The one model call of an `add` returns what the conversation changes of it, as a merge patch (RFC 7396): keys that are
given replace, `null` removes, the rest stays. A patch that does not validate, or says what nobody said, is rejected.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar, Unpack

from pydantic import BaseModel, ValidationError

from langchain_mem.backends.base import Address, Row
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.grounding import invented
from langchain_mem.extraction.messages import Turn
from langchain_mem.memory.operation import operation
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.changes import Changes
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.drafts import Addition, Draft
from langchain_mem.model.instants import iso
from langchain_mem.model.records import MemoryDict, Rejected, StoredMemory, id_for, is_live, public
from langchain_mem.model.scopes import Ids, Scope

S = TypeVar("S", bound=BaseModel)

JsonDocument: TypeAlias = dict[str, Any]
"""A document as JSON, without the keys that nobody set."""

_SCHEMA: Final = "schema"
_DOCUMENT: Final = "document"


async def _get_document(settings: Settings, schema: type[S], **ids: Unpack[Ids]) -> S | None:
    """An owner's document of a schema.

    Args:
        settings: Parts and policies; given by the memory.
        schema: A pydantic class.
        **ids: Whose.

    Returns:
        The document, validated; `None` where nothing is known yet.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: What is stored does not validate, since the schema has changed.
    """
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        raise InvalidRequest(f"schema must be a Pydantic model, not {shown(schema)}.")
    now = settings.now()
    (row,) = await settings.repo.read([place_of(schema.__name__, Scope.of(ids))], now)
    if row is None or not is_live(row.value, iso(now)):
        return None
    validated(schema, document_in(row, now))
    return schema.model_validate(document_in(row, now))


get_document, aget_document = operation(_get_document)


async def _set_document(settings: Settings, document: BaseModel, **ids: Unpack[Ids]) -> MemoryDict:
    """Stores an owner's document of a schema, in place of the one there is; history keeps that.

    Args:
        settings: Parts and policies; given by the memory.
        document: A pydantic object; the fields that were set on it are stored.
        **ids: Whose.

    Returns:
        The memory that holds it.

    Raises:
        ScopeError: No owner is named.
    """
    if not isinstance(document, BaseModel):
        raise InvalidRequest(f"document must be an object of a Pydantic model, not {shown(document)}.")
    name, scope = type(document).__name__, Scope.of(ids)
    place = place_of(name, scope)
    value = settings.clean_metadata(document.model_dump(mode="json", exclude_unset=True))

    async def attempt() -> MemoryDict:
        now = settings.now()
        (row,) = await settings.repo.read([place], now)
        changes = Changes(settings, at=now)
        memory = enter(changes, name, place, value, row)
        if memory is None and row is not None:
            return public(row.value)
        await changes.land(scope, event="document")
        return public(memory or {})

    return await settled(settings.turnstile, attempt)


set_document, aset_document = operation(_set_document)


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> JsonDocument:
    """A document after a merge patch (RFC 7396).

    >>> merged({"diet": "vegan", "home": {"city": "Oslo", "zip": 150}}, {"diet": None, "home": {"city": "Rome"}})
    {'home': {'city': 'Rome', 'zip': 150}}
    """
    result = dict(document)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def in_words(name: str, document: Mapping[str, Any]) -> str:
    """A document as the text of a memory.

    >>> in_words("Profile", {"first_name": "Alex", "pets": ["Rex", "Tom"]})
    'Profile. first name: Alex; pets: Rex, Tom'
    """
    return f"{name}. {_words(document)}" if document else f"{name}."


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key.replace('_', ' ')}: {_words(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return value if isinstance(value, str) else json.dumps(value)


def validated(schema: type[BaseModel], document: Mapping[str, Any]) -> JsonDocument:
    """A document as its schema reads it.

    Raises:
        InvalidRequest: It does not validate; says where.
    """
    try:
        read = schema.model_validate(dict(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "document"
        raise InvalidRequest(f"This is no {schema.__name__}: {where}: {first['msg']}.") from error
    return read.model_dump(mode="json", exclude_unset=True)


def place_of(name: str, scope: Scope) -> Address:
    """Where an owner's document of a schema lies; a session has none of its own."""
    home = (scope if scope.owner()[0] == "run" else scope.without_run()).home()
    return Address(home, id_for((*home, _SCHEMA), name))


def enter(changes: Changes, name: str, place: Address, document: JsonDocument, row: Row | None) -> StoredMemory | None:
    """Puts a document into changes; `None` where it says nothing new."""
    text, metadata = in_words(name, document), {_SCHEMA: name, _DOCUMENT: document}
    if row is not None and is_live(row.value, iso(changes.now)):
        if row.value["metadata"] == metadata:
            return None
        return changes.update(row, memory=text, metadata=metadata)
    draft = Draft(home=place.namespace, text=text, metadata=metadata, schema=name)
    return changes.add(draft, row, memory_id=place.key)


def document_in(row: Row | None, now: datetime) -> JsonDocument:
    """The document in a memory; empty where there is none, or it was deleted."""
    found = row is not None and is_live(row.value, iso(now))
    return dict(row.value["metadata"][_DOCUMENT]) if row is not None and found else {}


class Patching:
    """What one addition changes of its owner's documents.

    Args:
        settings: Parts and policies.
        addition: What was said.

    Attributes:
        schemas: The schemas by name.
        current: The documents there are, as the model is shown them.
    """

    def __init__(self, settings: Settings, addition: Addition) -> None:
        self._settings = settings
        self._addition = addition
        self._patches: dict[str, Mapping[str, Any]] = {}
        self.schemas = {schema.__name__: schema for schema in settings.schemas}
        self.current: dict[str, JsonDocument] = {}

    def __bool__(self) -> bool:
        """Whether anything is to change."""
        return bool(self._patches)

    async def read(self) -> None:
        """Reads the documents there are. A body."""
        if self.schemas:
            rows = await self._rows()
            self.current = {name: document_in(rows[name], self._addition.now) for name in self.schemas}

    def take(self, patches: Mapping[str, Any], turns: Sequence[Turn]) -> list[Rejected]:
        """Takes what the model proposes, and says what of it is refused."""
        refused: list[Rejected] = []
        for name, patch in patches.items():
            reason = self._objection(name, patch, turns)
            if reason is None:
                self._patches[name] = patch
            else:
                refused.append({"operation": {"document": name, "patch": patch}, "reason": reason})
        return refused

    def texts(self) -> list[str]:
        """What the changed documents will say, to be embedded with the rest."""
        return [in_words(name, self._after(name, self.current[name])) for name in self._patches]

    async def enter(self, changes: Changes) -> None:
        """Puts the changed documents into changes, against what is there now. A body."""
        if not self._patches:
            return
        rows = await self._rows()
        for name in self._patches:
            document = self._after(name, document_in(rows[name], self._addition.now))
            enter(changes, name, place_of(name, self._addition.scope), document, rows[name])

    async def _rows(self) -> dict[str, Row | None]:
        places = [place_of(name, self._addition.scope) for name in self.schemas]
        return dict(zip(self.schemas, await self._settings.repo.read(places, self._addition.now), strict=True))

    def _after(self, name: str, document: JsonDocument) -> JsonDocument:
        cleaned = self._settings.clean_metadata(merged(document, self._patches[name]))
        return validated(self.schemas[name], cleaned)

    def _objection(self, name: str, patch: Any, turns: Sequence[Turn]) -> str | None:
        if name not in self.schemas:
            return f"there is no schema {shown(name)}; there are {', '.join(self.schemas) or 'none'}"
        if not isinstance(patch, Mapping):
            return "a patch is an object with the keys that change"
        try:
            validated(self.schemas[name], merged(self.current[name], patch))
        except InvalidRequest as error:
            return str(error)
        return self._unfounded(patch, turns)

    def _unfounded(self, patch: Mapping[str, Any], turns: Sequence[Turn]) -> str | None:
        subject = "user" if self._addition.scope.user_id is not None else None
        said = [turn.spoken for turn in turns if subject in (None, turn.role)]
        known = list(self._addition.scope.ids().values())
        ghosts = [
            ghost
            for value in _leaves(patch)
            for ghost in invented(f"it is {value}", said, observed=self._addition.at, known=known)
        ]
        return f"not in the messages: {', '.join(ghosts)}" if ghosts else None


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers in a patch; what is true, false or removed states no name."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
