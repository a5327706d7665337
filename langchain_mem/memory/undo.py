"""`restore` and `undo`: bringing back one memory, what a batch changed, or what a thread taught after a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from langchain_mem.backends.base import Address, Row
from langchain_mem.errors import InvalidRequest, NotFound, shown
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_ids
from langchain_mem.memory.reading.queries import by_id, places
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.waiting import take_back
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.journal import journals_of
from langchain_mem.memory.writing.marks import unmarking
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.history import at_version, before_batches
from langchain_mem.model.records import MemoryDict, Snapshot, public
from langchain_mem.model.scopes import BATCHES, MEMORIES, Ids, Namespace, Scope, escape


class Undone(TypedDict):
    """What `undo` returns, as ids of memories.

    `restored` are those that are as they were before. `removed` are those that the batch had added. `skipped` are those
    that were changed again later, and stay.
    """

    restored: list[str]
    removed: list[str]
    skipped: list[str]


async def _restore(settings: Settings, memory_id: str, version: int | None = None, **ids: Unpack[Ids]) -> MemoryDict:
    """Brings a memory back as it was. A deleted or superseded memory is shown again.

    Args:
        memory_id: The id.
        version: A version from the memory's history; `None` for the last one that was shown.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        The memory as it is now. The restoration is a new version in its history.

    Raises:
        NotFound: There is no such memory, or it was purged.
        InvalidRequest: The memory has no such version, or no version that was shown.
    """
    scope = Scope.of(ids)

    async def attempt() -> MemoryDict:
        now = settings.now()
        row = await by_id(settings, memory_id, scope, now, deleted=True)
        if row is None:
            raise NotFound(f"There is no memory {shown(memory_id)} to restore; it may have been purged.")
        changes = UnitOfWork(settings, at=now)
        state = at_version(row.value, _last_shown(row) if version is None else version)
        changes.revert(row, {**state, "state": "live", "superseded_by": None}, event="RESTORE")
        await changes.land(scope, event="restore")
        return public(changes.batch.current(row))

    return await settled(settings.turnstile, attempt)


restore, arestore = operation(_restore)


async def _undo(
    settings: Settings,
    batch_id: str | None = None,
    *,
    thread_id: str | None = None,
    after_checkpoint: str | None = None,
    **ids: Unpack[Ids],
) -> Undone:
    """Takes back one batch, or everything that was learned from a thread after a checkpoint.

    A memory that was changed again after the batch stays as it is, and is reported as skipped.

    Args:
        batch_id: The batch, as the operation returned it. Give either this or a thread.
        thread_id: The thread; its batches are taken back, the newest first.
        after_checkpoint: Batches up to this checkpoint stay; `None` takes back all of the thread.
        **ids: The owner's ids. With them, only this owner's batches are taken back.

    Returns:
        The ids of the memories that were restored, removed and skipped; see `Undone`.

    Raises:
        InvalidRequest: Neither a batch nor a thread is named, or both are.
        NotFound: There is no such batch, or it was purged.
    """
    scope = Scope.of(ids)
    if (batch_id is None) == (thread_id is None):
        raise InvalidRequest("undo takes a batch_id, or a thread_id and after_checkpoint.")
    check_ids(batch_id=batch_id, thread_id=thread_id, after_checkpoint=after_checkpoint)

    async def attempt() -> Undone:
        now = settings.now()
        entries = await _batches(settings, batch_id, thread_id, after_checkpoint, scope, now)
        changes = UnitOfWork(settings, at=now)
        undone = await _take_back(settings, changes, [entry.value for entry in entries])
        for entry in entries:
            changes.batch.put(entry.address, {**entry.value, "undone": True}, expires_at=entry.expires_at)
        changes.batch.also(await unmarking(settings, entries, now))
        if thread_id is not None:
            changes.batch.also(await take_back(settings, thread_id, after_checkpoint, scope, now))
        await changes.land(scope, event="undo")
        return undone

    return await settled(settings.turnstile, attempt)


undo, aundo = operation(_undo)


async def _batches(
    settings: Settings, batch_id: str | None, thread_id: str | None, after: str | None, scope: Scope, now: datetime
) -> list[Row]:
    """The journal's entries of a batch, or of a thread after a checkpoint."""
    if batch_id is not None:
        root = journals_of(scope) if scope else (BATCHES,)
        found = (await settings.repo.find([batch_id], [root], now)).get(batch_id)
        if found is None:
            raise NotFound(f"There is no batch {shown(batch_id)} here; what was purged cannot be undone.")
        beside = [] if scope else [Address(tuple(place), batch_id) for place in found.value.get("beside", ())]
        others = await settings.repo.read(beside, now)
        return [found, *(row for row in others if row is not None)]
    entries = await _thread_entries(settings, escape(thread_id or ""), scope, now)
    later = [entry for entry in entries if after is None or (entry.value["source"]["checkpoint_id"] or "") > after]
    return [entry for entry in later if not entry.value.get("undone")]


async def _thread_entries(settings: Settings, thread: str, scope: Scope, now: datetime) -> list[Row]:
    owner: Namespace = journals_of(scope) if scope else (BATCHES, "*", "*")
    within = await places(settings.repo, [(*owner, thread)], now)
    rows, _ = await settings.repo.select(within, conjunction(), now) if within else ([], 0)
    return rows


async def _take_back(settings: Settings, changes: UnitOfWork, entries: Sequence[Mapping[str, Any]]) -> Undone:
    """Puts memories back to what they were before batches, as far as no later change stands on them."""
    batch_ids = [entry["batch_id"] for entry in entries]
    keys = {key for entry in entries for _, key in entry["memories"]}
    came_from = {key: tuple(here) for entry in reversed(entries) for here, _, key in entry["moved"]}
    owners = {tuple(namespace[:3]) for entry in entries for namespace, _ in entry["memories"]}
    rows = await settings.repo.find(keys, sorted(owners) or [(MEMORIES,)], changes.now)
    states = {key: before_batches(row.value, batch_ids) for key, row in rows.items()}
    standing = _standing(rows, states)
    undone: Undone = {"restored": [], "removed": [], "skipped": sorted((keys - rows.keys()) | standing)}
    for key, row in sorted(rows.items()):
        before = states[key]
        if before is None or key in standing:
            continue
        state, version = before
        if key in came_from:
            changes.move(row, came_from[key], event="UNDO", version=version, **state)
        else:
            changes.revert(row, state, event="UNDO", version=version)
        undone["removed" if state["state"] == "deleted" else "restored"].append(key)
    return undone


def _standing(rows: Mapping[str, Row], states: Mapping[str, tuple[Snapshot, int] | None]) -> set[str]:
    """Which memories stay as they are, because a later change stands on them.

    A fact also stays retired where what replaced it stays: both would be shown beside each other otherwise.
    """
    standing = {key for key, before in states.items() if before is None}
    while True:
        by_kept = {
            key
            for key, before in states.items()
            if before is not None
            and before[0]["state"] == "live"
            and rows[key].value["superseded_by"] in standing
            and rows[rows[key].value["superseded_by"]].value["state"] == "live"
        }
        if by_kept <= standing:
            return standing
        standing |= by_kept


def _last_shown(row: Row) -> int:
    """The last version in which a memory was shown."""
    shown: list[int] = [entry["version"] for entry in row.value["log"] if entry["after"]["state"] == "live"]
    if not shown:
        raise InvalidRequest(f"Memory {row.value['id']} was never shown; give a version.")
    return shown[-1]
