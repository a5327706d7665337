"""The operations on whole owners and stores: erasing, resetting, purging, compacting, flushing.

`note_thread` and `count_used` note for them, along the way, which threads an owner was in and which memories were used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, Unpack

from langchain_mem._flow import call, offload
from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.conditions import ALWAYS, Condition, Kind, Not, Operator, Or, Path, Test, conjunction
from langchain_mem.memory.operation import Operation, operation
from langchain_mem.memory.options import check_checkpointer
from langchain_mem.memory.reading.queries import is_in, places
from langchain_mem.memory.sessions import DeletesThreads
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.waiting import read_now
from langchain_mem.memory.writing.journal import journals_of
from langchain_mem.model.instants import earlier, iso
from langchain_mem.model.scopes import (
    BATCHES,
    EXTRACTED,
    HEARD,
    MEMORIES,
    ROOTS,
    THREADS,
    TURNS,
    Ids,
    Layer,
    Namespace,
    Scope,
    escape,
    reroot,
)
from langchain_mem.watching.log import log_event

_PIECE: Final = 500


class Erased(TypedDict):
    """What `erase` returns: how many records were removed, and the ids of the threads."""

    erased: int
    threads: list[str]


async def _reset(settings: Settings, confirm: bool = True) -> int:
    """Removes everything of every owner for good: memories, history, instructions, events.

    Args:
        confirm: `False` refuses the call.

    Returns:
        How many records were removed.

    Raises:
        InvalidRequest: `confirm` is false.
    """
    if not confirm:
        raise InvalidRequest("reset removes everything for good; it needs confirm=True.")
    now = settings.now()
    settings.touches.drop()
    settings.noted.clear()
    await offload(settings.activity.clear)
    removed = await _remove(settings, [(root,) for root in ROOTS], now)
    settings.activity.clear()
    log_event("reset", {}, {"removed": removed})
    return removed


reset, areset = operation(_reset)


async def _erase(settings: Settings, user_id: str, *, checkpointer: DeletesThreads | None = None) -> Erased:
    """Removes a person at once and for good: memories, history, stored turns, uses, events and threads.

    Nothing can be restored. Words that an agent stored because they were said to this person are removed too.

    Args:
        user_id: The person.
        checkpointer: Deletes the person's threads too: those that memories were recalled for or extracted from, and
            those whose checkpoints name the person.

    Returns:
        How many records were removed, and the ids of the threads.

    Raises:
        ScopeError: `user_id` is empty.
        InvalidRequest: `checkpointer` is none.
    """
    check_checkpointer(checkpointer)
    scope, now = Scope(user_id=user_id), settings.now()
    settings.pending.alarm.cancel(scope.home()[1:3])
    await offload(settings.background.discard, scope.owner())
    settings.noted = {place for place in settings.noted if place.namespace[1:] != ("user", escape(user_id))}
    threads = await _threads(settings, scope, now)
    if checkpointer is not None:
        threads = await _delete_threads(checkpointer, user_id, threads)
    settings.touches.drop(user_id=escape(user_id))
    await offload(settings.activity.forget, {"user_id": user_id})
    heard, _ = await settings.repo.select([(HEARD, "user", escape(user_id))], ALWAYS, now)
    unnoted = await _said_before_it_was_noted(settings, scope, threads, now)
    await _delete(settings, unnoted, now)
    erased = len(unnoted) + await _remove(settings, [(root, "user", escape(user_id)) for root in ROOTS], now)
    for agent in [row.address.key for row in heard]:
        erased += await _remove(settings, [(root, "agent", agent) for root in ROOTS], now, is_in("said_to", [user_id]))
    settings.activity.forget({"user_id": user_id})
    if settings.owners is not None:
        settings.owners.forget()
        await settings.owners.forget_lost()
    log_event("erase", {}, {"removed": erased, "threads": sorted(threads)})  # the log outlives the person's data: no id
    return {"erased": erased, "threads": sorted(threads)}


erase, aerase = operation(_erase)


async def _purge_expired(settings: Settings, *, older_than: timedelta = timedelta(0), **ids: Unpack[Ids]) -> int:
    """Removes for good what expired, was superseded or was deleted, and the stored turns that only these cite.

    A batch that changed a purged memory cannot be undone any more.

    Args:
        older_than: How long ago a memory must have ended; zero removes all that have ended. Memories that are shown are
            never removed.
        **ids: Whose memories; without any, everyone's.

    Returns:
        How many memories were removed.

    Raises:
        InvalidRequest: `older_than` is negative or not a timedelta.
    """
    if not isinstance(older_than, timedelta) or older_than < timedelta(0):
        raise InvalidRequest("older_than is a timedelta of zero or more: how long ago a memory must have ended.")
    now = settings.now()
    scope, limit = Scope.of(ids), iso(earlier(now, older_than))
    within = await places(settings.repo, scope.patterns(), now) if scope else ((MEMORIES,),)
    expired = Test(Path(("expiration_date",)), Operator.lte, limit, Kind.instant)
    dead = conjunction(Not(is_in("state", ("live",))), Test(Path(("updated_at",)), Operator.lte, limit, Kind.instant))
    rows, _ = await settings.repo.select(within, Or((expired, dead)), now)
    retired, _ = await settings.repo.select([reroot(place, TURNS) for place in within], dead, now, limit=None, offset=0)
    turns = {Address(reroot(row.address.namespace, TURNS), key) for row in rows for key in row.value["cites"]}
    turns = {address for address in turns if not await _cited(settings, address, rows, now)}
    batches = await _batches_of(settings, rows, scope, now)
    gone = turns.union(row.address for row in [*rows, *retired, *batches])
    await _delete(settings, sorted(gone), now)
    await settings.repo.purge(now)
    if settings.owners is not None:
        await settings.owners.forget_lost()
    settings.activity.record("purge", iso(now), scope.ids(), removed=len(gone), memories=len(rows))
    return len(rows)


purge_expired, apurge_expired = operation(_purge_expired)


async def _compact(settings: Settings) -> None:
    """Rewrites the store's files, so that they hold nothing more of what was removed.

    This may take minutes on a large store.
    """
    await settings.repo.compact()


compact, acompact = operation(_compact)


async def _flush(settings: Settings) -> None:
    """Extracts the messages of this process that wait, and writes uses of memories that are not written yet.

    Raises:
        MemError: An extraction failed since the last flush, or the store failed.
    """
    read_now(settings)
    await offload(settings.background.flush)
    await offload(settings.touches.flush)


flush, aflush = operation(_flush)


async def _note_thread(settings: Settings, thread_id: str | None, **ids: Unpack[Ids]) -> None:
    """Notes that an owner was in a thread, so that `erase` finds it; once for each process.

    Args:
        thread_id: The thread; `None` notes nothing.
        **ids: Whose.
    """
    if thread_id is None:
        return
    kind, owner_id = Scope.of(ids).owner()
    place, now = Address((THREADS, kind, escape(owner_id)), thread_id), settings.now()
    if place not in settings.noted:
        note = Row(address=place, value={"noted_at": iso(now)}, created_at=now, updated_at=now)
        await settings.repo.write([Write.put(note)], now)
        settings.noted.add(place)


note_thread = Operation(_note_thread)


async def _count_used(settings: Settings, memories: Sequence[Mapping[str, Any]]) -> None:
    """Counts memories as used, as `reinforce="returned"` counts all that a search returns.

    Args:
        memories: The memories, as a search returned them.
    """
    kept = [memory for memory in memories if memory["layer"] != Layer.CONVERSATION]
    settings.touches.record([Address(_home(memory), memory["id"]) for memory in kept], settings.now())


count_used = Operation(_count_used)


async def _threads(settings: Settings, scope: Scope, now: datetime) -> set[str]:
    kind, owner_id = scope.owner()
    noted = await _everything(settings, (THREADS, kind, escape(owner_id)), now)
    extracted = await _everything(settings, (EXTRACTED, kind, escape(owner_id)), now)
    return {row.address.key for row in [*noted, *extracted]}


async def _said_before_it_was_noted(
    settings: Settings, scope: Scope, threads: set[str], now: datetime
) -> list[Address]:
    """What agents keep verbatim of what they said to a user, from releases that did not note to whom.

    It is found by the user's batches, which changed it too, and by the user's threads, in which it was said. With row
    security nobody may look through all agents, so there only the batches tell.
    """
    batches = await _everything(settings, journals_of(scope), now)
    changed = [Address(tuple(home), key) for row in batches for home, key in row.value["memories"]]
    by_batch = await settings.repo.read([address for address in changed if address.namespace[1] == "agent"], now)
    said = [row for row in [*by_batch, *await _verbatim_of_threads(settings, threads, now)] if row is not None]
    old = {row.address for row in said if row.value.get("role") and "said_to" not in row.value}
    turns = {Address(reroot(address.namespace, TURNS), address.key) for address in old}
    agents = {address.namespace[2] for address in old}
    notes = [row for agent in agents for row in await _everything(settings, (BATCHES, "agent", agent), now)]
    quoting = {row.address for row in notes if {key for _, key in row.value["memories"]} & {each.key for each in old}}
    return sorted(old | turns | quoting)


async def _verbatim_of_threads(settings: Settings, threads: set[str], now: datetime) -> list[Row]:
    if not threads:
        return []
    in_them = Test(Path(("source", "thread_id")), Operator.in_, tuple(sorted(threads)), Kind.text)
    try:
        rows, _ = await settings.repo.select([(MEMORIES, "agent"), (TURNS, "agent")], in_them, now)
    except InvalidRequest:  # row security
        return []
    return rows


async def _delete_threads(checkpointer: DeletesThreads, user_id: str, threads: set[str]) -> set[str]:
    for thread_id in sorted(threads):
        await call(checkpointer.delete_thread, checkpointer.adelete_thread, thread_id)
    by_user = getattr(checkpointer, "delete_user_threads", None)
    if by_user is not None:
        threads |= set(await call(by_user, getattr(checkpointer, "adelete_user_threads"), user_id) or ())  # noqa: B009
    return threads


async def _batches_of(settings: Settings, purged: Sequence[Row], scope: Scope, now: datetime) -> list[Row]:
    """The notes of batches that changed what is purged: they quote it, and cannot be undone any more."""
    within = await places(settings.repo, scope.patterns(BATCHES), now) if scope else [(BATCHES,)]
    keys = {row.value["id"] for row in purged}
    noted = [row for place in within for row in await _everything(settings, place[:3], now)]
    return [row for row in noted if keys & {key for _, key in row.value["memories"]}]


async def _cited(settings: Settings, turn: Address, purged: Sequence[Row], now: datetime) -> bool:
    """Whether a fact that stays cites a turn."""
    home = reroot(turn.namespace, MEMORIES)
    citing = Test(Path(("cites",)), Operator.contains, turn.key, Kind.texts)
    found, _ = await settings.repo.select([home], citing, now)
    return bool({row.address for row in found} - {row.address for row in purged})


async def _everything(settings: Settings, prefix: Namespace, now: datetime) -> list[Row]:
    rows, _ = await settings.repo.select([prefix], conjunction(), now)
    return rows


async def _remove(
    settings: Settings, prefixes: Sequence[Namespace], now: datetime, condition: Condition = ALWAYS
) -> int:
    rows, _ = await settings.repo.select(prefixes, condition, now)
    await _delete(settings, [row.address for row in rows], now)
    return len(rows)


async def _delete(settings: Settings, addresses: Sequence[Address], now: datetime) -> None:
    for start in range(0, len(addresses), _PIECE):
        piece = addresses[start : start + _PIECE]
        await settings.repo.write([Write.delete(address) for address in piece], now)


def _home(memory: Mapping[str, Any]) -> Namespace:
    """Where a memory lies, by the ids it carries."""
    return Scope.of_memory(memory).home()
