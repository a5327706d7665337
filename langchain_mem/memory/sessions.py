"""`end_session` and `promote`: notes that serve a task, what of them lasts, and how they end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypedDict

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_mem._flow import call
from langchain_mem.backends.base import Row
from langchain_mem.errors import ExtractionError, NotFound, shown
from langchain_mem.extraction import prompts
from langchain_mem.extraction.messages import text_of
from langchain_mem.extraction.model_call import ask, numbers
from langchain_mem.filters.conditions import conjunction
from langchain_mem.filters.language import parse
from langchain_mem.memory.delete import delete_by_ids
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_checkpointer, check_names
from langchain_mem.memory.reading.queries import live, places
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.memory.writing.places import find_places
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.instants import iso
from langchain_mem.model.records import MemoryDict, StoredMemory, is_live, public, public_all
from langchain_mem.model.scopes import TURNS, Namespace, Scope, reroot


class DeletesThreads(Protocol):
    """What ending a session and erasing a person need of a checkpointer: that it deletes threads."""

    def delete_thread(self, thread_id: str) -> None:
        """Deletes a thread."""

    async def adelete_thread(self, thread_id: str) -> None:
        """Deletes a thread."""


class Ended(TypedDict):
    """What `end_session` returns: the summary, the notes that were moved to the owner, and how many were deleted."""

    summary: MemoryDict | None
    promoted: list[MemoryDict]
    cleared: int


async def _end_session(
    settings: Settings,
    run_id: str,
    *,
    promote: bool = True,
    checkpointer: DeletesThreads | None = None,
    user_id: str | None = None,
    agent_id: str | None = None,
) -> Ended:
    """Ends a session: summarizes it, moves what lasts to the owner, and deletes the other notes.

    Args:
        run_id: The session.
        promote: Whether what lasts is moved to the owner; see `promote`.
        checkpointer: Deletes the session's thread too, which has the same id.
        user_id: The owner of the session.
        agent_id: The owner, if it is an agent. Without an owner, the notes of the run itself are deleted and nothing is
            summarized or moved.

    Returns:
        The summary, the memories that were moved, and how many notes were deleted. A session without notes has no
        summary.

    Raises:
        ScopeError: An id is empty.
        InvalidRequest: `checkpointer` is none.
        ExtractionError: The model failed. What was written before, such as the summary, stays.
    """
    check_checkpointer(checkpointer)
    scope, now = Scope(run_id=run_id, user_id=user_id, agent_id=agent_id), settings.now()
    owned = user_id is not None or agent_id is not None
    patterns = [scope.home(), *Scope(run_id=run_id).patterns()[: 1 if owned else 2]]
    within = await places(settings.repo, patterns, now)
    rows, _ = await settings.repo.select(within, live(now), now)
    summary = await _sum_up(settings, scope, rows, now) if rows and owned else None
    promoted: list[MemoryDict] = []
    if promote and owned and rows:
        promoted = await _promote(settings, run_id=run_id, user_id=user_id, agent_id=agent_id)
    gone = {memory["id"] for memory in promoted}
    left = [row.value["id"] for row in rows if row.value["id"] not in gone]
    if left:
        await delete_by_ids(settings, left, scope, "end_session")
    if checkpointer is not None:
        await call(checkpointer.delete_thread, checkpointer.adelete_thread, run_id)
    return {"summary": summary, "promoted": promoted, "cleared": len(left)}


end_session, aend_session = operation(_end_session)


async def _promote(
    settings: Settings,
    *,
    ids: Sequence[str] | None = None,
    run_id: str,
    user_id: str | None = None,
    agent_id: str | None = None,
    filters: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> list[MemoryDict]:
    """Moves what lasts from a session to its owner. The memories keep their ids and history and no longer expire.

    Args:
        ids: The ids of the notes; `None` takes those that `filters` describe. Without both, the model decides, and
            without a model all notes are moved.
        run_id: The session.
        user_id: The owner.
        agent_id: The owner, if it is an agent.
        filters: Which notes are moved, in the filter language, if `ids` is not given.
        metadata: JSON values that are added to those of each memory.

    Returns:
        The memories that were moved, as they are now.

    Raises:
        ScopeError: No owner is named.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
        NotFound: An id is not that of a note of this session; the message names all of these.
        ExtractionError: The model failed, or its answer could not be read; nothing was written.
    """
    scope = Scope(user_id=user_id, agent_id=agent_id, run_id=run_id)
    home = scope.without_run().home()
    chosen = await _worth_promoting(settings, scope, ids, filters)
    added = settings.clean_metadata(metadata)

    async def attempt() -> list[MemoryDict]:
        now = settings.now()
        rows = await settings.repo.find(chosen, [scope.home(), Scope(run_id=run_id).home()], now)
        missing = [memory_id for memory_id in chosen if memory_id not in rows]
        if missing:
            raise NotFound(f"No notes of session {shown(run_id)}: {', '.join(missing)}.")
        changes = UnitOfWork(settings, at=now)
        await _copy_turns(settings, changes, rows.values(), home)
        notes = [rows[memory_id] for memory_id in chosen]
        places = await find_places(
            settings, [Draft(home=home, text=note.value["memory"]) for note in notes], changes.now
        )
        moved = [_move(changes, note, home, place.existing, added) for note, place in zip(notes, places, strict=True)]
        await changes.land(scope, event="promote")
        return public_all(moved)

    return await settled(settings.turnstile, attempt)


promote, apromote = operation(_promote)


async def _copy_turns(settings: Settings, changes: UnitOfWork, notes: Iterable[Row], home: Namespace) -> None:
    """Keeps what the notes rest on with their new owner: the session's own turns end with it."""
    for note in notes:
        turns = await settings.repo.find(note.value["cites"], [reroot(note.address.namespace, TURNS)], changes.now)
        for turn in turns.values():
            changes.batch.copy_turn(turn, reroot(home, TURNS))


async def _worth_promoting(
    settings: Settings, scope: Scope, ids: Sequence[str] | None, filters: Mapping[str, Any] | None
) -> list[str]:
    if ids is not None:
        check_names(ids=ids)
        return list(dict.fromkeys(ids))
    now = settings.now()
    within = [scope.home(), Scope(run_id=scope.run_id).home()]
    rows, _ = await settings.repo.select(within, conjunction(parse(filters), live(now)), now)
    notes = [row.value for row in rows]
    if filters is not None or settings.model is None or not notes:
        return [note["id"] for note in notes]
    listed = prompts.known([note["memory"] for note in notes])
    reply = await ask(settings.model, [SystemMessage(prompts.PROMOTE), HumanMessage(listed)])
    try:
        return [notes[number]["id"] for number in numbers(reply, len(notes))]
    except ValueError as error:
        raise ExtractionError(f"The model named no notes to promote; nothing was written: {error}") from error


async def _sum_up(settings: Settings, scope: Scope, rows: Sequence[Row], now: datetime) -> MemoryDict:
    """An episodic memory of the owner's: what the session was about."""
    oldest_first = sorted(rows, key=lambda row: (row.value["created_at"], row.value["position"]))
    lines = [prompts.inert(row.value["memory"]) for row in oldest_first]
    text = "; ".join(lines)
    if settings.model is not None:
        told = [SystemMessage(prompts.SESSION_SUMMARY), HumanMessage(prompts.known(lines))]
        text = text_of((await ask(settings.model, told)).content).strip() or text
    draft = Draft(
        home=scope.without_run().home(),
        text=settings.clean(text),
        metadata={"kind": "episode", "run_id": scope.run_id},
        event_date=iso(now),
        group=scope.run_id,
    )

    async def attempt() -> MemoryDict:
        changes = UnitOfWork(settings, at=now)
        (place,) = await find_places(settings, [draft], now)
        if place.existing is not None and is_live(place.existing.value, iso(now)):
            changes.keep(place.existing)
            memory: StoredMemory = place.existing.value
        else:
            memory = changes.add(draft, place.existing, memory_id=place.free_id)
        await changes.land(scope.without_run(), event="end_session")
        return public(memory)

    return await settled(settings.turnstile, attempt)


def _move(
    changes: UnitOfWork, note: Row, home: Namespace, known: Row | None, metadata: Mapping[str, Any]
) -> StoredMemory:
    """Moves a note to its owner; where the owner knows as much, that replaces the note."""
    if known is None or not is_live(known.value, iso(changes.now)):
        return changes.move(note, home, expiration_date=None, metadata={**note.value["metadata"], **metadata})
    changes.keep(known)
    memory: StoredMemory = known.value
    changes.supersede(note, memory)
    return memory
