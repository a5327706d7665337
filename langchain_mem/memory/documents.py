"""Typed memories: one validated document per owner and schema, beside the free facts. Bodies.

A document is found by search and listed by `get_all`, and its history can be restored like any memory's.
"""

from __future__ import annotations

from typing import TypeVar, Unpack

from pydantic import BaseModel

from langchain_mem.memory.changes import is_live
from langchain_mem.memory.patching import document_in, enter, place_of, validated
from langchain_mem.memory.settings import settled
from langchain_mem.memory.writing import Writing
from langchain_mem.model.instants import iso
from langchain_mem.model.records import MemoryDict, public
from langchain_mem.model.scopes import Ids, Scope

S = TypeVar("S", bound=BaseModel)


class Documents(Writing):
    """The operations on typed memories. Every `async def` is a body; `Memory` has both forms of it."""

    async def get_document(self, schema: type[S], **ids: Unpack[Ids]) -> S | None:
        """An owner's document of a schema.

        Args:
            schema: A pydantic class.
            **ids: Whose.

        Returns:
            The document, validated; `None` where nothing is known yet.

        Raises:
            ScopeError: No owner is named.
            InvalidRequest: What is stored does not validate, since the schema has changed.
        """
        now = self._engine.now()
        (kept,) = await self._engine.repo.fetch([place_of(schema.__name__, Scope.of(ids))], now)
        if kept is None or not is_live(kept.memory, iso(now)):
            return None
        validated(schema, document_in(kept, now))
        return schema.model_validate(document_in(kept, now))

    async def set_document(self, document: BaseModel, **ids: Unpack[Ids]) -> MemoryDict:
        """Stores an owner's document of a schema, in place of the one there is; history keeps that.

        Args:
            document: A pydantic object; the fields that were set on it are stored.
            **ids: Whose.

        Returns:
            The memory that holds it.

        Raises:
            ScopeError: No owner is named.
        """
        name, scope = type(document).__name__, Scope.of(ids)
        place = place_of(name, scope)
        value = self._engine.clean_metadata(document.model_dump(mode="json", exclude_unset=True))

        async def attempt() -> MemoryDict:
            now = self._engine.now()
            (kept,) = await self._engine.repo.fetch([place], now)
            ledger = self._ledger(now)
            memory = enter(ledger, name, place, value, kept)
            if memory is None and kept is not None:
                return public(kept.memory)
            await self._save(ledger, scope, now, "document")
            return public(memory or {})

        return await settled(attempt)
