"""Kinds of documents: the typed memories that an owner has, one of a schema or many of it.

A kind goes by the name of its schema, a pydantic class. `Memory(schemas=[Profile, Many(Episode)])` declares both forms.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

from langchain_mem.errors import InvalidRequest, shown

KindName: TypeAlias = str | type[BaseModel]
"""A kind, by its schema or by the schema's name."""


@dataclass(frozen=True)
class Many:
    """Declares that an owner may have many documents of a schema, such as episodes, tasks or triples.

    During the extraction of facts, in the same model call, a model adds, patches, replaces and removes them.

        Memory(schemas=[Many(Task, identity=["title"], ttl=timedelta(days=90))])

    Args:
        schema: A pydantic class.
        identity: Names of fields that identify a document of an owner. A document with the same values in these fields
            is changed, and no second one is added.
        own_words: Names of fields that a model words by itself, such as a lesson or a priority. They are not compared
            with the conversation.
        insert: Whether a model may add documents.
        update: Whether a model may patch and replace documents.
        remove: Whether a model may remove documents. A removed document can be restored.
        ttl: How long a document is kept after it was added, unless it has an expiration date; `None` for ever.
        shown: How many known documents the prompt contains at most: those that the conversation may be about.

    Raises:
        InvalidRequest: `schema` is not a pydantic class, it does not have one of the fields, or an argument is out of
            its range.
    """

    schema: type[BaseModel]
    _: KW_ONLY
    identity: Sequence[str] = ()
    own_words: Collection[str] = ()
    insert: bool = True
    update: bool = True
    remove: bool = True
    ttl: timedelta | None = None
    shown: int = 20

    def __post_init__(self) -> None:
        if not is_schema(self.schema):
            raise InvalidRequest(f"Many takes a Pydantic model, not {shown(self.schema)}.")
        self._check_fields(identity=self.identity, own_words=self.own_words)
        if self.ttl is not None and not (isinstance(self.ttl, timedelta) and self.ttl > timedelta(0)):
            raise InvalidRequest(f"ttl must be a timedelta above 0, or None for ever, not {shown(self.ttl)}.")
        if not isinstance(self.shown, int) or isinstance(self.shown, bool) or self.shown < 1:
            raise InvalidRequest(f"shown must be a whole number, 1 or more, not {shown(self.shown)}.")

    @property
    def name(self) -> str:
        """What the kind is called."""
        return self.schema.__name__

    def actions(self) -> list[str]:
        """What a model may do with documents of this kind, in the words of the prompt."""
        may = {"add": self.insert, "update": self.update, "supersede": self.update, "delete": self.remove}
        return [action for action, allowed in may.items() if allowed]

    def _check_fields(self, **named: Any) -> None:
        keys = keys_of(self.schema)
        for name, fields in named.items():
            listed = isinstance(fields, Collection) and not isinstance(fields, str)
            if not listed or not all(each in keys for each in fields):
                raise InvalidRequest(f"{name} are fields of {self.name}: {', '.join(keys)}; not {shown(fields)}.")


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds that a memory keeps, by name.

    Attributes:
        one: Schemas of which an owner has one document.
        many: Kinds of which an owner has many.
    """

    one: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    many: Mapping[str, Many] = field(default_factory=dict)

    @classmethod
    def of(cls, schemas: Sequence[type[BaseModel] | Many]) -> Kinds:
        """The kinds that `Memory(schemas=…)` declares.

        Raises:
            InvalidRequest: Something is no schema, or two have one name.
        """
        listed = isinstance(schemas, Sequence) and not isinstance(schemas, str)
        if not listed or not all(is_schema(each) or isinstance(each, Many) for each in schemas):
            raise InvalidRequest(
                f"schemas must be a list of Pydantic models and Many(…) of them, not {shown(schemas)}."
            )
        many = {each.name: each for each in schemas if isinstance(each, Many)}
        one = {each.__name__: each for each in schemas if not isinstance(each, Many)}
        if len({*many, *one}) < len(schemas):
            raise InvalidRequest("Two schemas have the same name; documents are told apart by it.")
        return cls(one, many)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.one or self.many)

    def __iter__(self) -> Iterator[str]:
        """The names of all kinds."""
        yield from (*self.one, *self.many)

    def schema(self, name: str) -> type[BaseModel] | None:
        """The schema of a kind; `None` where it is not declared."""
        many = self.many.get(name)
        return self.one.get(name) if many is None else many.schema


def is_schema(given: Any) -> bool:
    """Whether something is a pydantic class."""
    return isinstance(given, type) and issubclass(given, BaseModel)


def kind_name(kind: Any) -> str:
    """The name of a kind.

    Raises:
        InvalidRequest: It is neither a pydantic class nor a name.
    """
    if is_schema(kind):
        name: str = kind.__name__
        return name
    if isinstance(kind, str) and kind:
        return kind
    raise InvalidRequest(f"kind is a Pydantic model or its name, not {shown(kind)}.")


def keys_of(schema: type[BaseModel]) -> list[str]:
    """The keys of a document: the aliases of the fields, or their names."""
    return [each.serialization_alias or name for name, each in schema.model_fields.items()]


_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def in_snake_case(name: str) -> str:
    """The name of a kind as part of a tool's name.

    >>> in_snake_case("OpenTask")
    'open_task'
    """
    return _HUMP.sub("_", name).lower()
