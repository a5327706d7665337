"""Documents: what a typed memory is, and how a conversation changes it.

A document is a memory like any other. Its text says it in words; its metadata holds it:

    {"schema": "Profile", "document": {"name": "Alex", "diet": "vegan"}}

The one model call of an `add` returns what the conversation changes of it, as a merge patch (RFC 7396): keys that are
given replace, `null` removes, the rest stays. A patch that does not validate, or says what nobody said, is rejected.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError

from langchain_mem.backends.base import Address
from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.grounding import invented
from langchain_mem.extraction.messages import Turn
from langchain_mem.memory.addition import Addition
from langchain_mem.memory.changes import Draft, Ledger, is_live
from langchain_mem.memory.repository import Kept
from langchain_mem.memory.settings import Engine
from langchain_mem.model.instants import iso
from langchain_mem.model.records import Rejected, StoredMemory, id_for
from langchain_mem.model.scopes import Scope

Document: TypeAlias = dict[str, Any]
"""A document as JSON, without the keys that nobody set."""

_SCHEMA: Final = "schema"
_DOCUMENT: Final = "document"


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
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


def validated(schema: type[BaseModel], document: Mapping[str, Any]) -> Document:
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


def enter(ledger: Ledger, name: str, place: Address, document: Document, kept: Kept | None) -> StoredMemory | None:
    """Puts a document into a ledger; `None` where it says nothing new."""
    text, metadata = in_words(name, document), {_SCHEMA: name, _DOCUMENT: document}
    if kept is not None and is_live(kept.memory, iso(ledger.now)):
        if kept.memory["metadata"] == metadata:
            return None
        return ledger.update(kept, memory=text, metadata=metadata)
    draft = Draft(home=place.namespace, text=text, metadata=metadata, schema=name)
    return ledger.add(draft, kept, memory_id=place.key)


def document_in(kept: Kept | None, now: datetime) -> Document:
    """The document in a memory; empty where there is none, or it was deleted."""
    found = kept is not None and is_live(kept.memory, iso(now))
    return dict(kept.memory["metadata"][_DOCUMENT]) if kept is not None and found else {}


class Patching:
    """What one addition changes of its owner's documents.

    Args:
        engine: Parts and policies.
        addition: What was said.

    Attributes:
        schemas: The schemas by name.
        current: The documents there are, as the model is shown them.
    """

    def __init__(self, engine: Engine, addition: Addition) -> None:
        self._engine = engine
        self._addition = addition
        self._patches: dict[str, Mapping[str, Any]] = {}
        self.schemas = {schema.__name__: schema for schema in engine.schemas}
        self.current: dict[str, Document] = {}

    def __bool__(self) -> bool:
        """Whether anything is to change."""
        return bool(self._patches)

    async def read(self) -> None:
        """Reads the documents there are. A body."""
        if self.schemas:
            kept = await self._kept()
            self.current = {name: document_in(kept[name], self._addition.now) for name in self.schemas}

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

    async def write(self, ledger: Ledger) -> None:
        """Puts the changed documents into a ledger, against what is there now. A body."""
        if not self._patches:
            return
        kept = await self._kept()
        for name in self._patches:
            document = self._after(name, document_in(kept[name], self._addition.now))
            enter(ledger, name, place_of(name, self._addition.scope), document, kept[name])

    async def _kept(self) -> dict[str, Kept | None]:
        places = [place_of(name, self._addition.scope) for name in self.schemas]
        return dict(zip(self.schemas, await self._engine.repo.fetch(places, self._addition.now), strict=True))

    def _after(self, name: str, document: Document) -> Document:
        cleaned = self._engine.clean_metadata(merged(document, self._patches[name]))
        return validated(self.schemas[name], cleaned)

    def _objection(self, name: str, patch: Any, turns: Sequence[Turn]) -> str | None:
        if name not in self.schemas:
            return f"there is no schema {name!r}; there are {', '.join(self.schemas) or 'none'}"
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
