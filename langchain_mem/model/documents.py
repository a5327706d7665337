"""What a document is: JSON that a schema has read, merged with patches and put into words. Pure.

A document is kept in the metadata of a memory, whose text says it in words:

    {"schema": "Profile", "document": {"name": "Alex", "diet": "vegan"}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.records import StoredMemory

JsonDocument: TypeAlias = dict[str, Any]
"""A document as JSON, without the keys that have no value."""

SCHEMA: Final = "schema"
"""The key of a document's metadata that names its kind."""

DOCUMENT: Final = "document"
"""The key of a document's metadata that holds it."""

INSTRUCTIONS_KIND: Final = "Instructions"
"""The kind of what an agent is told to do; see `langchain_mem.memory.instruct`."""

_REPORTED: Final = 3  # faults of an invalid document that are told


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> JsonDocument:
    """A document after a merge patch (RFC 7396): keys that are given replace, `None` removes, the rest stays.

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


def read_by(schema: type[BaseModel], document: Mapping[str, Any]) -> BaseModel:
    """A document as an object of its schema.

    Raises:
        InvalidRequest: It does not validate; says where.
    """
    try:
        return schema.model_validate(dict(document), by_alias=True, by_name=True)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        told = [f"{'.'.join(map(str, each['loc'])) or DOCUMENT}: {each['msg'][:120]}" for each in wrong[:_REPORTED]]
        raise InvalidRequest(f"This is no {schema.__name__}: {'; '.join(told)}.") from error


def dumped(document: BaseModel) -> JsonDocument:
    """An object as a document of which an owner has one: only the fields that were set on it."""
    return document.model_dump(mode="json", by_alias=True, exclude_unset=True)


def dumped_whole(document: BaseModel) -> JsonDocument:
    """An object as a document of which an owner has many: with its defaults, so that filters find them."""
    return document.model_dump(mode="json", by_alias=True, exclude_none=True)


def document_of(memory: StoredMemory) -> JsonDocument:
    """The document that a memory holds.

    Raises:
        KeyError: The memory is none.
    """
    return dict(memory["metadata"][DOCUMENT])


def filed_as(name: str, document: JsonDocument) -> dict[str, Any]:
    """The metadata that holds a document."""
    return {SCHEMA: name, DOCUMENT: document}
