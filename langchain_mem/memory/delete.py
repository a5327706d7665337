"""`delete`, `batch_delete`, `delete_all` and `delete_users`: hiding memories until they are restored or purged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from langchain_mem.backends.base import Row, Write
from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.edit import check_batch
from langchain_mem.memory.operation import operation
from langchain_mem.memory.reading.queries import instructed_by, live, places, present, view
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.waiting import let_go
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.records import MemoryDict, public
from langchain_mem.model.scopes import Ids, Scope


class Deleted(TypedDict):
    """What `delete_all` and `batch_delete` return: how many were deleted, and the `batch_id` that `undo` takes."""

    deleted: int
    batch_id: str


async def _delete(settings: Settings, memory_id: str, **ids: Unpack[Ids]) -> MemoryDict:
    """Deletes one memory.

    The memory is gone from every read at once. `restore` brings it back until it is purged; see `purge_after` of
    `Memory`.

    Args:
        memory_id: The id.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        The memory as it was.

    Raises:
        NotFound: There is no such memory.
        Conflict: Other writers kept changing it meanwhile; nothing was written.
    """
    scope = Scope.of(ids)

    async def attempt() -> MemoryDict:
        rows = await present(settings, [memory_id], scope, settings.now())
        await delete_rows(settings, list(rows.values()), scope, "delete")
        return public(rows[memory_id].value)

    return await settled(settings.turnstile, attempt)


delete, adelete = operation(_delete)


async def _batch_delete(settings: Settings, memories: Sequence[Mapping[str, Any]], **ids: Unpack[Ids]) -> Deleted:
    """Deletes up to 1,000 memories: all of them or none.

    Args:
        memories: The memories, each as `{"memory_id": …}`.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        How many were deleted, and the `batch_id` that `undo` takes.

    Raises:
        InvalidRequest: There are no entries or more than 1,000, or one has no id.
        NotFound: Some memories do not exist; the message names all of these.
    """
    check_batch(memories)
    return await delete_by_ids(settings, [entry["memory_id"] for entry in memories], Scope.of(ids), "delete")


batch_delete, abatch_delete = operation(_batch_delete)


async def _delete_all(settings: Settings, *, filters: Mapping[str, Any] | None = None, **ids: Unpack[Ids]) -> Deleted:
    """Deletes every memory of a scope, or those of it that filters describe. Expired memories are deleted too.

    Several ids narrow each other: a user and a run are that session of that user. A memory has one owner. So a user and
    an agent have no memory in common, and nothing is deleted.

    Args:
        filters: A filter on the memories that the ids allow. In a call without ids it must name an owner in each
            branch.
        **ids: Whose memories.

    Returns:
        How many were deleted, and the `batch_id` that `undo` takes.

    Raises:
        ScopeError: No owner is named.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
    """
    return await _delete_found(settings, Scope.of(ids), filters, "delete_all")


delete_all, adelete_all = operation(_delete_all)


async def _delete_users(settings: Settings, **ids: Unpack[Ids]) -> Deleted:
    """Deletes everything of one user, agent, run, app or org, its instructions included.

    The memories can be restored until they are purged. `erase` removes a user for good.

    Args:
        **ids: Exactly one id.

    Returns:
        How many memories were deleted, and the `batch_id` that `undo` takes.

    Raises:
        InvalidRequest: No id or more than one is given.
    """
    if len(Scope.of(ids).ids()) != 1:
        raise InvalidRequest("delete_users takes exactly one of user_id, agent_id, run_id, app_id and org_id.")
    return await _delete_found(settings, Scope.of(ids), None, "delete_users")


delete_users, adelete_users = operation(_delete_users)


async def delete_by_ids(settings: Settings, memory_ids: Sequence[str], scope: Scope, event: str) -> Deleted:
    """Deletes memories by their ids, all or none.

    Raises:
        NotFound: Memories are missing; names all of them.
    """

    async def attempt() -> Deleted:
        rows = await present(settings, memory_ids, scope, settings.now())
        return await delete_rows(settings, list(rows.values()), scope, event)

    return await settled(settings.turnstile, attempt)


async def delete_rows(
    settings: Settings, rows: Sequence[Row], scope: Scope, event: str, *, also: Sequence[Write] = ()
) -> Deleted:
    """Deletes memories that have been read, and writes what belongs to it."""
    changes = UnitOfWork(settings, at=settings.now())
    changes.batch.also(also)
    for row in rows:
        changes.delete(row)
    await changes.land(scope, event=event)
    return {"deleted": len(rows), "batch_id": changes.batch_id}


async def _delete_found(settings: Settings, scope: Scope, filters: Mapping[str, Any] | None, event: str) -> Deleted:
    """Deletes what a scope and filters describe, expired and superseded memories too."""

    async def attempt() -> Deleted:
        now = settings.now()
        within, asked = await view(settings, scope, filters, now)
        if scope:
            told = instructed_by(scope) if event == "delete_users" else []
            within = (*await places(settings.repo, scope.common(), now), *told)
        shown = live(now, show_expired=True, latest_only=False)
        rows, _ = await settings.repo.select(within, conjunction(asked, shown), now)
        whole = bool(scope) and filters is None and scope.run_id is None
        waiting = await let_go(settings, scope, now) if whole else []
        return await delete_rows(settings, rows, scope, event, also=waiting)

    return await settled(settings.turnstile, attempt)
