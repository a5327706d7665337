"""Typed memories: documents of a schema, beside the free facts. An owner has one of a kind, or many.

A document is a memory like any other: found by search, listed by `get_all`, its history restored, its changes undone.
Its text says it in words; its metadata holds it:

    {"schema": "Profile", "document": {"name": "Alex", "diet": "vegan"}}

`Memory(schemas=[Profile, Many(Task)])` says which kinds a model keeps up to date while it extracts facts. The
operations here are for applications and need no model; they take kinds that are not declared, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar, Unpack, cast

from pydantic import BaseModel

from langchain_mem.backends.base import Address, Row
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_limit
from langchain_mem.memory.reading.pages import page as page_of
from langchain_mem.memory.reading.queries import live, of_kind, present, view
from langchain_mem.memory.settings import Expiration, Settings, names
from langchain_mem.memory.writing.collections import enter_document, last_of_each, patched
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.documents import (
    JsonDocument,
    document_of,
    dumped,
    dumped_whole,
    filed_as,
    in_words,
    read_by,
)
from langchain_mem.model.instants import event_span, iso, later
from langchain_mem.model.kinds import Many, is_schema
from langchain_mem.model.records import (
    AddResult,
    Importance,
    MemoryDict,
    StoredMemory,
    check_importance,
    id_for,
    is_live,
    public,
)
from langchain_mem.model.scopes import Ids, Scope

S = TypeVar("S", bound=BaseModel)


async def _get_document(settings: Settings, schema: type[S], **ids: Unpack[Ids]) -> S | None:
    """Returns an owner's document of a schema of which there is one.

    Args:
        schema: A pydantic class.
        **ids: Whose document.

    Returns:
        The document as an object of the class; `None` if nothing is known yet.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: The stored document is not valid any more because the schema has changed, or the schema is
            declared as `Many`, whose documents `get_documents` returns.
    """
    _check_schema(schema)
    _check_one(settings, schema)
    now = settings.now()
    (row,) = await settings.repo.read([place_of(schema.__name__, Scope.of(ids))], now)
    if row is None or not is_live(row.value, iso(now)):
        return None
    return cast(S, read_by(schema, document_in(row, now)))


get_document, aget_document = operation(_get_document)


async def _set_document(settings: Settings, document: BaseModel, **ids: Unpack[Ids]) -> MemoryDict:
    """Stores an owner's document of a schema of which there is one. Its history keeps the earlier document.

    Args:
        document: A pydantic object. The fields that were set on it are stored.
        **ids: Whose document.

    Returns:
        The memory that contains the document.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: It is not a pydantic object, or its schema is declared as `Many`, whose documents `add_document`
            adds.
    """
    _check_document(document)
    _check_one(settings, type(document))
    name, scope = type(document).__name__, Scope.of(ids)
    place = place_of(name, scope)
    value = settings.clean_metadata(dumped(document))

    async def attempt() -> MemoryDict:
        now = settings.now()
        (row,) = await settings.repo.read([place], now)
        changes = UnitOfWork(settings, at=now)
        memory = enter(changes, name, place, value, row)
        if memory is None and row is not None:
            return public(row.value)
        await changes.land(scope, event="document")
        return public(memory or {})

    return await settled(settings.turnstile, attempt)


set_document, aset_document = operation(_set_document)


async def _add_document(
    settings: Settings,
    document: BaseModel | Sequence[BaseModel],
    *,
    metadata: Mapping[str, Any] | None = None,
    categories: Sequence[str] | None = None,
    importance: Importance = "normal",
    expiration_date: Expiration | None = None,
    event_date: date | datetime | str | None = None,
    **ids: Unpack[Ids],
) -> AddResult:
    """Adds one or several documents of which an owner may have many: all of them or none.

    A document that is stored already is not added again. If a known document has the same `identity` (see `Many`), the
    new one replaces it, and the history keeps the old one.

    Args:
        document: A pydantic object, or several.
        metadata: JSON values to store with each document.
        categories: Names of categories to store with each.
        importance: `"always"` for what belongs in every prompt.
        expiration_date: When the documents expire, as for `add`; `None` for the `ttl` of their kind.
        event_date: When the events happened that the documents tell of, as for `add`.
        **ids: Whose documents. With a `run_id` they are notes of that session.

    Returns:
        What was done with each, as `add` returns it, and the `batch_id` that `undo` takes.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: Something is not a pydantic object, its schema has only one document for each owner, or an
            argument is out of its range.
    """
    several = [document] if isinstance(document, BaseModel) else list(_listed(document))
    for each in several:
        _check_many(settings, type(each))
    check_importance(importance)
    scope, now = Scope.of(ids), settings.now()
    start, end = (None, None) if event_date is None else event_span(event_date)
    drafts = drafts_of(
        settings,
        several,
        scope,
        now,
        beside=settings.clean_metadata(metadata),
        expiration_date=expiration_date,
        categories=[settings.clean(name) for name in names(categories)],
        importance=importance,
        event_date=start,
        event_end=end,
    )

    async def attempt() -> AddResult:
        changes = UnitOfWork(settings, at=settings.now())
        for draft in last_of_each(settings.kinds, drafts):
            await enter_document(settings, changes, draft)
        await changes.land(scope, event="document")
        return {"results": changes.results, "batch_id": changes.batch_id}

    return await settled(settings.turnstile, attempt)


add_document, aadd_document = operation(_add_document)


async def _update_document(
    settings: Settings, memory_id: str, document: BaseModel | Mapping[str, Any], **ids: Unpack[Ids]
) -> MemoryDict:
    """Changes a document. Its history keeps what it was.

    Args:
        memory_id: The id of the memory that contains it.
        document: The keys that change, with `None` for a key that is removed (a JSON merge patch, RFC 7396); or the
            whole document as a pydantic object, which is needed if its kind is not declared in `Memory(schemas=…)`.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        The memory that contains the document.

    Raises:
        NotFound: There is no such memory.
        InvalidRequest: The memory contains no document, or the changed document is not valid; the message says where.
        Conflict: Other writers kept changing the document meanwhile; nothing was written.
    """
    scope = Scope.of(ids)

    async def attempt() -> MemoryDict:
        now = settings.now()
        row = (await present(settings, [memory_id], scope, now))[memory_id]
        name = row.value["schema"]
        if name is None:
            raise InvalidRequest(f"Memory {memory_id[:80]} is no document; update() changes its text.")
        value = _changed(settings, row.value, document)
        changes = UnitOfWork(settings, at=now)
        changes.update(row, memory=in_words(name, value), metadata={**row.value["metadata"], **filed_as(name, value)})
        await changes.land(scope, event="document")
        return public(changes.batch.current(row))

    return await settled(settings.turnstile, attempt)


update_document, aupdate_document = operation(_update_document)


async def _get_documents(
    settings: Settings,
    schema: type[S],
    *,
    filters: Mapping[str, Any] | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    **ids: Unpack[Ids],
) -> dict[str, S]:
    """Returns an owner's documents of one kind, the last changed first.

    `get_all(kind=…)` returns them page by page as memories, and `search(kind=…)` those that answer a query.

    Args:
        schema: A pydantic class.
        filters: A filter on the documents that the ids allow, such as `{"document.status": "open"}`. In a call without
            ids it must name an owner in each branch.
        limit: How many are returned at most; `None` for all.
        skip_invalid: Whether documents are left out that are not valid any more because the schema has changed.
        **ids: Whose documents.

    Returns:
        The documents as objects of the class, by the ids of their memories.

    Raises:
        ScopeError: No owner is named.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
        InvalidRequest: A stored document is not valid any more; the message says which. `skip_invalid` leaves it out.
    """
    _check_schema(schema)
    check_limit(limit)
    now = settings.now()
    places, asked = await view(settings, Scope.of(ids), filters, now)
    condition = conjunction(asked, live(now), of_kind(schema))
    rows, _ = await page_of(settings, places, condition, now, limit=limit, offset=0)
    found: dict[str, S] = {}
    for row in rows:
        try:
            found[row.value["id"]] = cast(S, read_by(schema, document_of(row.value)))
        except InvalidRequest as error:
            if not skip_invalid:
                raise InvalidRequest(f"Memory {row.value['id']}: {error}") from error
    return found


get_documents, aget_documents = operation(_get_documents)


def place_of(name: str, scope: Scope) -> Address:
    """Where an owner's document of a schema lies; a session has none of its own."""
    home = (scope if scope.owner()[0] == "run" else scope.without_run()).home()
    return Address(home, id_for((*home, "schema"), name))


def enter(
    changes: UnitOfWork, name: str, place: Address, document: JsonDocument, row: Row | None, *, doubt: str | None = None
) -> StoredMemory | None:
    """Puts a document of which there is one into changes; `None` where it says nothing new."""
    text, metadata = in_words(name, document), filed_as(name, document)
    if row is not None and is_live(row.value, iso(changes.now)):
        if (row.value["metadata"], row.value.get("doubt")) == (metadata, doubt):
            return None
        return changes.update(row, memory=text, metadata=metadata, doubt=doubt)
    draft = Draft(home=place.namespace, text=text, metadata=metadata, schema=name, doubt=doubt)
    return changes.add(draft, row, memory_id=place.key)


def document_in(row: Row | None, now: datetime) -> JsonDocument:
    """The document in a memory; empty where there is none, or it was deleted."""
    found = row is not None and is_live(row.value, iso(now))
    return document_of(row.value) if row is not None and found else {}


def drafts_of(
    settings: Settings,
    documents: Sequence[BaseModel],
    scope: Scope,
    now: datetime,
    *,
    beside: Mapping[str, Any] | None = None,
    expiration_date: Expiration | None = None,
    **told: Any,
) -> list[Draft]:
    """Documents as drafts.

    Args:
        settings: Parts and policies.
        documents: Pydantic objects.
        scope: Whose.
        now: The present.
        beside: Metadata to store beside each.
        expiration_date: When they expire; unset, after the `ttl` of their kind.
        **told: Other fields of the drafts.
    """
    ends = [_ends(settings, each, expiration_date, scope, now) for each in documents]
    filed = [_filed(settings, each, beside or {}, scope) for each in documents]
    return [Draft(**told, **each, expiration_date=end) for each, end in zip(filed, ends, strict=True)]


def _filed(settings: Settings, document: BaseModel, beside: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """What of a draft the document itself says."""
    name = type(document).__name__
    value = settings.clean_metadata(dumped_whole(document))
    return {
        "home": scope.home(),
        "text": in_words(name, value),
        "metadata": {**beside, **filed_as(name, value)},
        "schema": name,
    }


def _ends(settings: Settings, document: BaseModel, given: Expiration | None, scope: Scope, now: datetime) -> str | None:
    """When a document expires: as given, else after the time its kind lives, else as session notes do."""
    many = settings.kinds.many.get(type(document).__name__)
    if given is None and many is not None and many.ttl is not None:
        return iso(later(now, many.ttl))
    return settings.expiration(given, scope, now)


def _changed(settings: Settings, memory: StoredMemory, document: BaseModel | Mapping[str, Any]) -> JsonDocument:
    """A document after a change."""
    name = str(memory["schema"])
    if isinstance(document, BaseModel):
        if type(document).__name__ != name:
            raise InvalidRequest(f"Memory {memory['id']} is a {name}, not a {type(document).__name__}.")
        return settings.clean_metadata(_dumped(settings, name, document))
    if not isinstance(document, Mapping) or not document:
        raise InvalidRequest(f"document has the keys that change, at least one, not {shown(document)}.")
    schema = settings.kinds.schema(name)
    if schema is None:
        raise InvalidRequest(f"To be patched, {name} has to be in Memory(schemas=[…]); or give a whole {name}.")
    whole = patched(schema, memory, settings.clean_metadata(document), whole=name in settings.kinds.many)
    return settings.clean_metadata(whole)


def _dumped(settings: Settings, name: str, document: BaseModel) -> JsonDocument:
    return dumped(document) if name in settings.kinds.one else dumped_whole(document)


def _listed(documents: Any) -> Sequence[BaseModel]:
    if not isinstance(documents, Sequence) or isinstance(documents, str) or not documents:
        raise InvalidRequest(f"document must be an object of a Pydantic model, or several, not {shown(documents)}.")
    for each in documents:
        _check_document(each)
    return documents


def _check_document(document: Any) -> None:
    if not isinstance(document, BaseModel):
        raise InvalidRequest(f"document must be an object of a Pydantic model, not {shown(document)}.")


def _check_schema(schema: Any) -> None:
    if not is_schema(schema):
        raise InvalidRequest(f"schema must be a Pydantic model, not {shown(schema)}.")


def _check_one(settings: Settings, schema: type[BaseModel]) -> None:
    many: Many | None = settings.kinds.many.get(schema.__name__)
    if many is not None:
        raise InvalidRequest(f"There are many {schema.__name__} documents: use add_document and get_documents.")


def _check_many(settings: Settings, schema: type[BaseModel]) -> None:
    if schema.__name__ in settings.kinds.one:
        raise InvalidRequest(f"There is one {schema.__name__} for an owner: use set_document, or declare Many of it.")
