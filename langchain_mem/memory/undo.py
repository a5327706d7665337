"""`restore` and `undo`: bringing back one memory, what a batch changed, or what a thread taught after a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from langchain_mem.backends.base import Row
from langchain_mem.errors import InvalidRequest, NotFound
from langchain_mem.memory.changes import Changes, journal_namespace, settled
from langchain_mem.memory.operation import operation
from langchain_mem.memory.queries import by_id, places
from langchain_mem.memory.settings import Settings
from langchain_mem.model.history import at_version, before_batches
from langchain_mem.model.records import MemoryDict, public
from langchain_mem.model.scopes import BATCHES, MEMORIES, Ids, Namespace, Scope, escape


class Undone(TypedDict):
    """What `undo` returns, as ids: put back, gone again, and left because a later change stands on them."""

    restored: list[str]
    removed: list[str]
    skipped: list[str]


async def _restore(settings: Settings, memory_id: str, version: int | None = None, **ids: Unpack[Ids]) -> MemoryDict:
    """Puts a memory back to what it was; a deleted or superseded one is shown again.

    Args:
        settings: Parts and policies; given by the memory.
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
        now = settings.now()
        row = await by_id(settings, memory_id, scope, now, deleted=True)
        if row is None:
            raise NotFound(f"There is no memory {memory_id!r} to restore; it may have been purged.")
        changes = Changes(settings, at=now)
        state = at_version(row.value, _last_shown(row) if version is None else version)
        changes.revert(row, {**state, "state": "live", "superseded_by": None}, event="RESTORE")
        await changes.land(scope, event="restore")
        return public(changes.current(row))

    return await settled(attempt)


restore, arestore = operation(_restore)


async def _undo(
    settings: Settings,
    batch_id: str | None = None,
    *,
    thread_id: str | None = None,
    after_checkpoint: str | None = None,
    **ids: Unpack[Ids],
) -> Undone:
    """Takes back one batch, or everything a thread's memories learned after a checkpoint.

    Args:
        settings: Parts and policies; given by the memory.
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
        now = settings.now()
        entries = await _batches(settings, batch_id, thread_id, after_checkpoint, scope, now)
        return await _take_back(settings, entries, scope, now)

    return await settled(attempt)


undo, aundo = operation(_undo)


async def _batches(
    settings: Settings, batch_id: str | None, thread_id: str | None, after: str | None, scope: Scope, now: datetime
) -> list[dict[str, Any]]:
    """The journal's entries of a batch, or of a thread after a checkpoint. A body."""
    if batch_id is not None:
        root = journal_namespace(scope, None)[:3] if scope else (BATCHES,)
        found = await settings.repo.find([batch_id], [root], now)
        if not found:
            raise NotFound(f"There is no batch {batch_id!r} here; what was purged cannot be undone.")
        return [found[batch_id].value]
    entries = await _thread_entries(settings, escape(thread_id or ""), scope, now)
    return [entry for entry in entries if after is None or (entry["source"]["checkpoint_id"] or "") > after]


async def _thread_entries(settings: Settings, thread: str, scope: Scope, now: datetime) -> list[dict[str, Any]]:
    owner: Namespace = journal_namespace(scope, None)[:3] if scope else (BATCHES, "*", "*")
    within = await places(settings.repo, [(*owner, thread)], now)
    view = await settings.repo.load(within, now) if within else None
    return [row.value for row in view.rows] if view else []


async def _take_back(settings: Settings, entries: Sequence[Mapping[str, Any]], scope: Scope, now: datetime) -> Undone:
    batch_ids = [entry["batch_id"] for entry in entries]
    keys = {key for entry in entries for _, key in entry["memories"]}
    came_from = {key: tuple(here) for entry in reversed(entries) for here, _, key in entry["moved"]}
    owners = {tuple(namespace[:3]) for entry in entries for namespace, _ in entry["memories"]}
    rows = await settings.repo.find(keys, sorted(owners) or [(MEMORIES,)], now)
    undone: Undone = {"restored": [], "removed": [], "skipped": sorted(keys - rows.keys())}
    changes = Changes(settings, at=now)
    for memory_id, row in sorted(rows.items()):
        state = before_batches(row.value, batch_ids)
        if state is None:
            undone["skipped"].append(memory_id)
        else:
            if memory_id in came_from:
                changes.move(row, came_from[memory_id], event="UNDO", **state)
            else:
                changes.revert(row, state, event="UNDO")
            undone["removed" if state["state"] == "deleted" else "restored"].append(memory_id)
    await changes.land(scope, event="undo")
    return undone


def _last_shown(row: Row) -> int:
    """The last version in which a memory was shown."""
    shown: list[int] = [entry["version"] for entry in row.value["log"] if entry["after"]["state"] == "live"]
    if not shown:
        raise InvalidRequest(f"Memory {row.value['id']} was never shown; give a version.")
    return shown[-1]
