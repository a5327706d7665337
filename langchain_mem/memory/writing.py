"""What every operation that changes memories does in the same way: find them, change them, write them whole. Bodies."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from langchain_mem.errors import NotFound
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.changes import Ledger
from langchain_mem.memory.learn import settle_turns
from langchain_mem.memory.repository import Kept
from langchain_mem.memory.settings import Engine, live, settled
from langchain_mem.model.instants import iso
from langchain_mem.model.scopes import Scope


class Deleted(TypedDict):
    """What `delete_all` and `batch_delete` return."""

    deleted: int
    batch_id: str


class Writing:
    """The common part of the operations that change memories. Every `async def` is a body."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def _present(self, memory_ids: Sequence[str], scope: Scope) -> dict[str, Kept]:
        """The memories with these ids.

        Raises:
            NotFound: Some are missing or deleted; names all of them.
        """
        found = await self._engine.by_ids(memory_ids, scope, self._engine.now())
        present = {memory_id: kept for memory_id, kept in found.items() if kept.memory["state"] != "deleted"}
        missing = [memory_id for memory_id in memory_ids if memory_id not in present]
        if missing:
            raise NotFound(f"There is no memory {', '.join(map(repr, missing))} here.")
        return present

    async def _delete_kept(self, kept: Sequence[Kept], scope: Scope, event: str) -> Deleted:
        now = self._engine.now()
        ledger = self._ledger(now)
        for one in kept:
            ledger.delete(one)
        await self._save(ledger, scope, now, event)
        return {"deleted": len(kept), "batch_id": ledger.batch_id}

    async def _delete_all(self, scope: Scope, filters: Mapping[str, Any] | None, event: str) -> Deleted:
        """Deletes what a scope and filters describe, expired and superseded memories too."""

        async def attempt() -> Deleted:
            now = self._engine.now()
            places, asked = await self._engine.view(scope, filters, now)
            shown = live(now, show_expired=True, latest_only=False)
            kept, _ = await self._engine.repo.select(places, conjunction(asked, shown), now, limit=None, offset=0)
            return await self._delete_kept(kept, scope, event)

        return await settled(attempt)

    def _ledger(self, now: datetime) -> Ledger:
        return self._engine.ledger(at=now, batch_id=uuid.uuid4().hex)

    async def _save(self, ledger: Ledger, scope: Scope, now: datetime, event: str) -> None:
        """Writes a ledger with what follows from it: its kept turns and its journal."""
        await settle_turns(self._engine, ledger, now)
        owner = scope if scope else ledger.owner()
        saves = ledger.saves(owner)
        if saves:
            await self._engine.repo.save(saves, now)
            await self._engine.tidy(now)
        ids = owner.ids() if owner else {}
        self._engine.activity.record(event, iso(now), ids, batch_id=ledger.batch_id, results=ledger.results)
