"""The operations that bring back what was: one memory, one batch, or a thread's up to a checkpoint. Bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack, cast

from langchain_mem.errors import InvalidRequest, NotFound
from langchain_mem.memory.changes import journal_namespace
from langchain_mem.memory.repository import Kept
from langchain_mem.memory.settings import settled
from langchain_mem.memory.writing import Writing
from langchain_mem.model.history import at_version, before_batches
from langchain_mem.model.records import MemoryDict, public
from langchain_mem.model.scopes import BATCHES, MEMORIES, Ids, Namespace, Scope, escape


class Undone(TypedDict):
    """What `undo` returns, as ids: put back, gone again, and left because a later change stands on them."""

    restored: list[str]
    removed: list[str]
    skipped: list[str]


class Undoing(Writing):
    """What brings back. Every `async def` is a body; `Memory` has both forms of it."""

    async def restore(self, memory_id: str, version: int | None = None, **ids: Unpack[Ids]) -> MemoryDict:
        """Puts a memory back to what it was; a deleted or superseded one is shown again.

        Args:
            memory_id: Its id.
            version: A version of its history; `None` for the last in which it was shown.
            **ids: Where given, a memory of another owner is not found.

        Returns:
            The memory, one version on.

        Raises:
            NotFound: There is no such memory, or it was purged.
            InvalidRequest: It has no such version, or none in which it was shown.
        """
        scope = Scope.of(ids)

        async def attempt() -> MemoryDict:
            now = self._engine.now()
            kept = await self._engine.by_id(memory_id, scope, now, dead=True)
            if kept is None:
                raise NotFound(f"There is no memory {memory_id!r} to restore; it may have been purged.")
            ledger = self._ledger(now)
            state = at_version(kept.memory, _last_shown(kept) if version is None else version)
            ledger.revert(kept, {**state, "state": "live", "superseded_by": None}, event="RESTORE")
            await self._save(ledger, scope, now, "restore")
            return public(ledger.current(kept))

        return await settled(attempt)

    async def undo(
        self,
        batch_id: str | None = None,
        *,
        thread_id: str | None = None,
        after_checkpoint: str | None = None,
        **ids: Unpack[Ids],
    ) -> Undone:
        """Takes back one batch, or everything a thread's memories learned after a checkpoint.

        Args:
            batch_id: What an operation returned.
            thread_id: A thread whose later batches are taken back, newest first.
            after_checkpoint: The checkpoint up to which they stay; `None` takes all of the thread's back.
            **ids: Where given, only this owner's batches.

        Returns:
            Which memories were put back, which are gone again, and which were left because they changed later.

        Raises:
            InvalidRequest: Neither a batch nor a thread is named.
            NotFound: There is no such batch.
        """
        scope = Scope.of(ids)
        if (batch_id is None) == (thread_id is None):
            raise InvalidRequest("undo takes a batch_id, or a thread_id and after_checkpoint.")

        async def attempt() -> Undone:
            now = self._engine.now()
            entries = await self._batches(batch_id, thread_id, after_checkpoint, scope, now)
            return await self._undo(entries, scope, now)

        return await settled(attempt)

    async def _batches(
        self, batch_id: str | None, thread_id: str | None, after: str | None, scope: Scope, now: datetime
    ) -> list[dict[str, Any]]:
        """The journal's entries of a batch, or of a thread after a checkpoint."""
        if batch_id is not None:
            root = journal_namespace(scope, None)[:3] if scope else (BATCHES,)
            found = await self._engine.repo.find([batch_id], [root], now)
            if not found:
                raise NotFound(f"There is no batch {batch_id!r} here; what was purged cannot be undone.")
            return [cast(dict[str, Any], found[batch_id].memory)]
        entries = await self._thread_entries(escape(thread_id or ""), scope, now)
        return [entry for entry in entries if after is None or (entry["source"]["checkpoint_id"] or "") > after]

    async def _thread_entries(self, thread: str, scope: Scope, now: datetime) -> list[dict[str, Any]]:
        owner: Namespace = journal_namespace(scope, None)[:3] if scope else (BATCHES, "*", "*")
        places = await self._engine.repo.places([(*owner, thread)], now)
        view = await self._engine.repo.load(places, now) if places else None
        return [cast(dict[str, Any], kept.memory) for kept in view.kept] if view else []

    async def _undo(self, entries: Sequence[Mapping[str, Any]], scope: Scope, now: datetime) -> Undone:
        batch_ids = [entry["batch_id"] for entry in entries]
        keys = {key for entry in entries for _, key in entry["memories"]}
        came_from = {key: tuple(here) for entry in reversed(entries) for here, _, key in entry["moved"]}
        owners = {tuple(namespace[:3]) for entry in entries for namespace, _ in entry["memories"]}
        kept = await self._engine.repo.find(keys, sorted(owners) or [(MEMORIES,)], now)
        undone: Undone = {"restored": [], "removed": [], "skipped": sorted(keys - kept.keys())}
        ledger = self._ledger(now)
        for memory_id, one in sorted(kept.items()):
            state = before_batches(one.memory, batch_ids)
            if state is None:
                undone["skipped"].append(memory_id)
            else:
                if memory_id in came_from:
                    ledger.move(one, came_from[memory_id], event="UNDO", **state)
                else:
                    ledger.revert(one, state, event="UNDO")
                undone["removed" if state["state"] == "deleted" else "restored"].append(memory_id)
        await self._save(ledger, scope, now, "undo")
        return undone


def _last_shown(kept: Kept) -> int:
    """The last version in which a memory was shown."""
    shown = [entry["version"] for entry in kept.memory["log"] if entry["after"]["state"] == "live"]
    if not shown:
        raise InvalidRequest(f"Memory {kept.memory['id']} was never shown; give a version.")
    return shown[-1]
