"""`wait` and `extract_waiting`: messages wait in the store until their thread is quiet, and are then read once.

    wait              a surface notes what is new in a thread, and when it is due
    wake              an alarm of this process hands an owner to the background
    extract_waiting   what is due is read, thread by thread; what it says and that it was read land in one batch

See `langchain_mem.background.waiting` for when something is due.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypedDict, TypeVar, Unpack

from langchain_mem._flow import Body, arun, call, run
from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.background.waiting import (
    Patience,
    Waiting,
    after_failure,
    behind,
    due,
    heard,
    turns,
    waiting_after,
    waiting_in,
    words_of_message,
)
from langchain_mem.errors import ExtractionError, InvalidRequest, StoreError
from langchain_mem.extraction.messages import Messages, turns_of
from langchain_mem.filters.conditions import ALWAYS
from langchain_mem.memory.add import remember
from langchain_mem.memory.operation import Operation, operation
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing import marks
from langchain_mem.memory.writing.claims import Claim
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.drafts import Addition
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import batch_id_of, is_repeatable, source_of
from langchain_mem.model.scopes import WAITING, Ids, Namespace, Scope, unescape

R = TypeVar("R")

GRACE: Final = timedelta(minutes=1)
"""So much later what another process noted is read here: it wakes by itself, if it is alive."""

_RETRY: Final = timedelta(seconds=5)
_LOG: Final = logging.getLogger("langchain_mem")


class WaitingRead(TypedDict):
    """What `extract_waiting` returns: how many messages were extracted, and how many threads failed or still wait."""

    extracted: int
    failed: int
    waiting: int


async def _wait(
    settings: Settings,
    messages: Messages,
    *,
    message_ids: Sequence[str],
    thread_id: str,
    patience: Patience,
    checkpoint_id: str | None = None,
    **ids: Unpack[Ids],
) -> None:
    """Notes in the store what is new in a thread, to be extracted when the thread is quiet.

    Args:
        messages: The thread's messages, without those that no memory is drawn from.
        message_ids: All messages of the thread, in order.
        thread_id: The thread.
        patience: How long they wait.
        checkpoint_id: The checkpoint from which the step began.
        **ids: Whose memories they are about.
    """
    scope, now = Scope.of(ids), settings.now()
    said = {turn.id: turn for turn in turns_of(messages, settings.redact) if turn.id}

    async def attempt() -> Waiting | None:
        place = marks.waiting_of(scope, thread_id)
        (row,) = await settings.repo.read([place], now)
        spoken = marks.words_of_turns(said.values())
        fresh = await marks.new_among(settings, message_ids, spoken, scope, thread_id, now)
        new = [heard(each, said.get(each), now, checkpoint_id) for each in fresh]
        note = _noted(settings, scope, thread_id, message_ids, new, patience, waiting_in(row.value) if row else None)
        if row is not None and note["messages"] == row.value["messages"]:
            return None
        await settings.repo.write(_written(place, row, note, now), now)
        return note

    note = await settled(settings.turnstile, attempt)
    if note is not None and note["messages"]:
        place = marks.waiting_of(scope, thread_id)
        settings.pending.remember_run(place)
        _wake_at(settings, place.namespace[1:3], parse_iso(note["due_at"] or iso(now)))
        told = {"thread_id": thread_id, "messages": len(note["messages"]), "due_at": note["due_at"]}
        settings.activity.record("extraction_queued", iso(now), scope.ids(), **told)
    look_for_waiting(settings)


wait = Operation(_wait)


def _noted(
    settings: Settings,
    scope: Scope,
    thread_id: str,
    thread: Sequence[str],
    new: Sequence[Any],
    patience: Patience,
    before: Waiting | None,
) -> Waiting:
    """What waits of a thread after a turn."""
    now, messages = settings.now(), waiting_after(before, thread, new)
    at = due(messages, patience, settings.extraction_tokens, now)
    failures = before["failures"] if before and before["due_at"] else 0
    if failures and before and before["due_at"]:
        at = max(at, parse_iso(before["due_at"]))  # it has just failed, and is tried again after its pause
    return {
        "ids": scope.ids(),
        "thread_id": thread_id,
        "behind": behind(thread, messages, before),
        "messages": messages,
        "due_at": iso(at),
        "failures": failures,
        "updated_at": iso(now),
    }


def _written(place: Address, row: Row | None, note: Waiting, now: datetime) -> list[Write]:
    if not note["messages"]:
        return [] if row is None else [Write.delete(place, expects=row.revision)]
    noted = Row(address=place, value=note, created_at=now, updated_at=now)
    return [Write.put(noted, expects=row.revision if row else None, before=row)]


async def _extract_waiting(settings: Settings, *, everything: bool = False, **ids: Unpack[Ids]) -> WaitingRead:
    """Extracts messages that wait in the store, as surfaces with `write="background"` and `after=…` leave them.

    A process that has such a surface does this by itself. A program that runs only now and then may call it instead.

    Args:
        everything: Whether also messages are extracted that are not due yet, and those that were given up.
        **ids: Whose messages; without any, everyone's.

    Returns:
        How many messages were extracted, and how many threads failed or still wait. A thread that another process is
        reading counts as waiting.
    """
    scope, now = Scope.of(ids), settings.now()
    roots = [(WAITING, *home[1:3]) for home in scope.patterns(WAITING)] if scope else [(WAITING,)]
    rows, _ = await settings.repo.select(roots, ALWAYS, now)
    total: WaitingRead = {"extracted": 0, "failed": 0, "waiting": 0}
    for owner in dict.fromkeys(row.address.namespace[1:3] for row in _threads(rows)):
        read, _ = await _read_owner(settings, owner, everything=everything)
        total = {name: total[name] + read[name] for name in total}  # type: ignore[literal-required,assignment]
    return total


extract_waiting, aextract_waiting = operation(_extract_waiting)


def look_for_waiting(settings: Settings) -> None:
    """Looks in the background, once in a while, for what an earlier process has left."""
    if settings.pending.is_time_to_look(settings.now()):
        settings.background.submit(look_for_waiting, partial(_look, settings))


def _look(settings: Settings) -> None:
    try:
        rows, _ = run(settings.repo.select([(WAITING,)], ALWAYS, settings.now()))
    except (StoreError, InvalidRequest) as error:  # with row security a store shows one owner at a time
        _LOG.info("What waits for extraction from earlier processes cannot be listed: %s", error)
        return
    for row in _threads(rows):
        owner, due_at = row.address.namespace[1:3], row.value["due_at"]
        if due_at is not None and settings.pending.alarm.at(owner) is None:
            _wake_at(settings, owner, parse_iso(due_at) + GRACE)


def read_now(settings: Settings) -> None:
    """Hands all that this process let wait to the background."""
    for owner in settings.pending.owners():
        settings.pending.alarm.cancel(owner)
        _submit(settings, owner, everything=True)  # type: ignore[arg-type]


async def let_go(settings: Settings, scope: Scope, now: datetime) -> list[Write]:
    """What of an owner waits, as read: it was said before everything of the owner was deleted."""
    roots = scope.common(WAITING)
    rows, _ = await settings.repo.select(roots, ALWAYS, now) if roots else ([], 0)
    writes: list[Write] = []
    for row in _threads(rows):
        writes += await marks.marked(settings, _addition(settings, row, now))
    return writes


async def take_back(settings: Settings, thread_id: str, after: str | None, scope: Scope, now: datetime) -> list[Write]:
    """What waits of a thread, without what was said after a checkpoint."""
    roots = [(WAITING, *home[1:3]) for home in scope.patterns(WAITING)] if scope else [(WAITING,)]
    rows, _ = await settings.repo.select(roots, ALWAYS, now)
    writes: list[Write] = []
    for row in _threads(rows):
        note = waiting_in(row.value)
        kept = [one for one in note["messages"] if after is not None and (one["checkpoint_id"] or "") <= after]
        if note["thread_id"] == thread_id and kept != note["messages"]:
            writes += _written(row.address, row, {**note, "messages": kept}, now)
    return writes


# --- waking


def _wake_at(settings: Settings, owner: Namespace, at: datetime) -> None:
    """Reads what waits of an owner at an instant, or before it where that was due already."""
    if at <= settings.now():
        settings.pending.alarm.cancel(owner)
        _submit(settings, owner)
        return
    settings.pending.alarm.set(owner, at, partial(_submit, settings, owner))


def _submit(settings: Settings, owner: Namespace, *, everything: bool = False) -> None:
    key = (owner[0], unescape(owner[1]))  # as `Scope.owner` has it, so that erasing a person discards it
    if not settings.background.submit(key, partial(_read_in_background, settings, owner, everything=everything)):
        settings.pending.alarm.set(owner, settings.now() + _RETRY, partial(_submit, settings, owner))


def _read_in_background(settings: Settings, owner: Namespace, *, everything: bool) -> None:
    read, again = run(_read_owner(settings, owner, everything=everything))
    if again is not None:
        settings.pending.alarm.set(owner, max(again, settings.now() + _RETRY), partial(_submit, settings, owner))
    if everything and read["failed"]:
        raise ExtractionError("Messages that wait could not be extracted; they still wait, and the log says why.")


# --- reading


async def _read_owner(settings: Settings, owner: Namespace, *, everything: bool) -> tuple[WaitingRead, datetime | None]:
    """Reads what is due of an owner, the oldest first.

    Returns:
        What became of it, and when to come back.
    """
    claim, read = Claim(settings, owner), WaitingRead(extracted=0, failed=0, waiting=0)
    held_until = await claim.take()
    if held_until is not None:
        read["waiting"] = len(await _waiting_threads(settings, owner))
        return read, held_until
    try:
        for row in sorted(await _waiting_threads(settings, owner), key=_since):
            if _is_due(row, settings.now(), everything=everything) and await claim.take() is None:
                done = await _read_thread(settings, row)
                read["extracted"] += done or 0
                read["failed"] += done is None
    finally:
        await claim.release()
    left = await _waiting_threads(settings, owner)
    read["waiting"] = len(left)
    return read, min((parse_iso(row.value["due_at"]) for row in left if row.value["due_at"]), default=None)


def _since(row: Row) -> str:
    """Since when something waits."""
    waiting: str = row.value["messages"][0]["said_at"]
    return waiting


def _is_due(row: Row, now: datetime, *, everything: bool) -> bool:
    due_at = row.value["due_at"]
    return everything or (due_at is not None and parse_iso(due_at) <= now)


async def _waiting_threads(settings: Settings, owner: Namespace) -> list[Row]:
    rows, _ = await settings.repo.select([(WAITING, *owner)], ALWAYS, settings.now())
    return _threads(rows)


def _threads(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.address.namespace[3:] == ("threads",)]


async def _read_thread(settings: Settings, row: Row) -> int | None:
    """Reads what waits of a thread, within the run in which it was said.

    Returns:
        How many messages were read; `None` where that failed, which is noted.
    """
    now, place = settings.now(), row.address
    addition = _addition(settings, row, now)
    try:
        new = await _unread(settings, row, addition)
        if new is None:
            return 0
        result = await _within(settings.pending.run_of(place), partial(remember, settings, new))
    except marks.Withdrawn:
        return 0
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not be tried for ever, nor stop the others
        await _failed(settings, row, error)
        return None
    settings.pending.forget_run(place)
    told = {"thread_id": row.value["thread_id"], "messages": len(new.source["message_ids"])}
    since = (now - parse_iso(_since(row))).total_seconds()
    settings.activity.record(
        "extraction_finished", iso(now), addition.scope.ids(), **told, batch_id=result["batch_id"], waited_seconds=since
    )
    return len(new.source["message_ids"])


async def _unread(settings: Settings, row: Row, addition: Addition) -> Addition | None:
    """What of an addition nobody has read meanwhile; `None`, and a note that waits no more, where that is nothing."""
    note, thread_id = waiting_in(row.value), row.value["thread_id"]
    spoken = {one["id"]: words_of_message(one) for one in note["messages"] if one["text"]}
    ids = addition.source["message_ids"]
    new = await marks.new_among(settings, ids, spoken, addition.scope, thread_id, addition.now)
    if len(new) == len(ids):
        return addition
    left: Waiting = {**note, "messages": [one for one in note["messages"] if one["id"] in new]}
    writes = _written(row.address, row, left, addition.now)
    await settings.repo.write(writes, addition.now)
    return _addition(settings, replace(row, value=left), addition.now) if new else None


def _addition(settings: Settings, row: Row, now: datetime) -> Addition:
    """What waits of a thread, as what one `add` is given."""
    note = waiting_in(row.value)
    said = turns(note["messages"], dated=settings.model is not None)
    last = note["messages"][-1]
    at = min(now, parse_iso(last["said_at"]))
    scope = Scope(**note["ids"])
    infers = settings.infers(None)
    source = source_of(note["thread_id"], last["checkpoint_id"], [one["id"] for one in note["messages"]])
    return Addition(
        scope=scope,
        ids=scope.ids(),
        home=scope.home(),
        batch_id=batch_id_of(scope.ids(), source, [turn.spoken for turn in said]),
        repeatable=is_repeatable(source),
        turns=said,
        at=at,
        now=now,
        at_iso=iso(at),
        now_iso=iso(now),
        infers=infers,
        selective=not infers,
        source=source,
        positions=[settings.position(parse_iso(note["messages"][turn.place]["said_at"])) for turn in said],
        expiration_date=settings.expiration(None, scope, at),
        awaited=True,
    )


async def _failed(settings: Settings, row: Row, error: Exception) -> None:
    """Notes a failure, and when to try again."""
    now = settings.now()
    told = settings.clean(f"{type(error).__name__}: {error}")[:500]

    async def attempt() -> Waiting | None:
        (current,) = await settings.repo.read([row.address], now)
        if current is None:
            return None
        note = waiting_in(current.value)
        failures = note["failures"] + 1
        again = after_failure(failures, now)
        after: Waiting = {**note, "failures": failures, "due_at": None if again is None else iso(again)}
        await settings.repo.write(_written(row.address, current, after, now), now)
        return after

    try:
        note = await settled(settings.turnstile, attempt)
    except StoreError as failed:
        _LOG.warning("A failed extraction could not be noted: %s", failed)
        note = None
    given_up = note is not None and note["due_at"] is None
    meanwhile = "It is given up until something new is said there" if given_up else "It is tried again"
    _LOG.warning("The extraction of a thread that waited failed: %s. %s.", told, meanwhile)
    ids = dict(row.value["ids"])
    failures = note["failures"] if note else None
    details = {"thread_id": row.value["thread_id"], "error": told, "failures": failures, "given_up": given_up}
    settings.activity.record("extraction_failed", iso(now), ids, **details)


async def _within(context: contextvars.Context, attempt: Callable[[], Body[R]]) -> R:
    """Does something within the run in which messages were said, so that its callbacks are told of it."""
    return await call(_run_within, _arun_within, context, attempt)


def _run_within(context: contextvars.Context, attempt: Callable[[], Body[R]]) -> R:
    return context.run(lambda: run(attempt()))


async def _arun_within(context: contextvars.Context, attempt: Callable[[], Body[R]]) -> R:
    return await asyncio.create_task(arun(attempt()), context=context)
