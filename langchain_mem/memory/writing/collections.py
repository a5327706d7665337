"""Documents of which an owner has many, put into changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from langchain_mem.backends.base import Row
from langchain_mem.filters.conditions import Condition, Kind, Operator, Path, Test, conjunction
from langchain_mem.memory.reading.queries import live, of_kind
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.memory.writing.places import find_places
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.documents import (
    DOCUMENT,
    SCHEMA,
    JsonDocument,
    document_of,
    dumped,
    dumped_whole,
    merged,
    read_by,
)
from langchain_mem.model.instants import iso
from langchain_mem.model.kinds import Kinds
from langchain_mem.model.records import StoredMemory, is_live


async def enter_document(
    settings: Settings, changes: UnitOfWork, draft: Draft, cited: Callable[[], list[str]] = list
) -> StoredMemory:
    """Adds a document: as the one that says the same or has the same identity, where there is one.

    Args:
        settings: Parts and policies.
        changes: Where to put it.
        draft: The document.
        cited: Keeps the turns it rests on, and says their ids; called where it says anything new.
    """
    same = await _with_same_identity(settings, changes, draft)
    if same is not None and changes.batch.current(same)["metadata"][DOCUMENT] != draft.metadata[DOCUMENT]:
        return _replaced(changes, same, replace(draft, cites=cited()))
    (place,) = await find_places(settings, [draft], changes.now)
    known = place.existing is not None and is_live(changes.batch.current(place.existing), iso(changes.now))
    # what is there keeps its own letters: only what stands beside the document is told anew
    told = _beside(draft) if known else replace(draft, cites=cited())
    return changes.add(told, place.existing, memory_id=place.free_id)


def _replaced(changes: UnitOfWork, row: Row, draft: Draft) -> StoredMemory:
    """A document in the place of one with the same identity; what was told of that beside it stays."""
    told = {key: value for key, value in draft.told().items() if value or key in ("doubt", "confidence")}
    metadata = {**changes.batch.current(row)["metadata"], **draft.metadata}
    return changes.update(row, memory=draft.text, **{**told, "metadata": metadata})


def _beside(draft: Draft) -> Draft:
    """A draft without its document."""
    return replace(draft, metadata={key: each for key, each in draft.metadata.items() if key not in (SCHEMA, DOCUMENT)})


async def _with_same_identity(settings: Settings, changes: UnitOfWork, draft: Draft) -> Row | None:
    """The live document that a new one is another form of; `None` where documents are told apart by their words."""
    many = settings.kinds.many.get(str(draft.schema))
    if many is None or not many.identity:
        return None
    document = draft.metadata[DOCUMENT]
    same = [_has(key, document.get(key)) for key in many.identity]
    asked = conjunction(live(changes.now), of_kind(many.name), *same)
    rows, _ = await settings.repo.select([draft.home], asked, changes.now)
    return rows[0] if rows else None


def last_of_each(kinds: Kinds, drafts: Sequence[Draft]) -> list[Draft]:
    """Of the drafts that are one document by their identity, the last."""
    kept: dict[Any, Draft] = {}
    for place, draft in enumerate(drafts):
        identity = identity_of(kinds, str(draft.schema), draft.metadata[DOCUMENT])
        kept[(draft.home, draft.schema, identity) if identity else place] = draft
    return list(kept.values())


def identity_of(kinds: Kinds, name: str, document: Mapping[str, Any]) -> str | None:
    """What tells a document from others of its kind; `None` where its words do."""
    many = kinds.many.get(name)
    if many is None or not many.identity:
        return None
    return json.dumps([document.get(key) for key in many.identity], sort_keys=True)


def _has(key: str, value: Any) -> Condition:
    """That a document has a value under a key."""
    return Test(Path(("metadata", DOCUMENT, key)), Operator.eq, value, Kind.value)


def patched(
    schema: type[BaseModel], memory: StoredMemory, patch: Mapping[str, Any], *, whole: bool = True
) -> JsonDocument:
    """A document after a merge patch, as its schema reads it.

    Args:
        schema: A pydantic class.
        memory: Where the document is.
        patch: The keys that change.
        whole: Whether defaults are written down.

    Raises:
        InvalidRequest: It would not be valid; says where.
    """
    read = read_by(schema, merged(document_of(memory), patch))
    return dumped_whole(read) if whole else dumped(read)
