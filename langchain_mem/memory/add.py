"""`add`: remembering what messages say, verbatim or as facts that a model extracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Unpack, cast

from langchain_mem.backends.base import Write
from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.messages import Messages, turns_of
from langchain_mem.memory.changes import Changes, journal_address, settled
from langchain_mem.memory.drafts import Addition
from langchain_mem.memory.learn import Learning
from langchain_mem.memory.marks import edited, marked, outdate
from langchain_mem.memory.operation import operation
from langchain_mem.memory.settings import Expiration, Settings, names
from langchain_mem.model.instants import instant, iso
from langchain_mem.model.records import AddResult, Rejected, Source, source_of
from langchain_mem.model.scopes import Ids, Scope


async def _add(
    settings: Settings,
    messages: Messages,
    *,
    metadata: Mapping[str, Any] | None = None,
    categories: Sequence[str] | None = None,
    infer: bool | None = None,
    expiration_date: Expiration | None = None,
    event_date: date | datetime | str | None = None,
    timestamp: date | datetime | str | None = None,
    source: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    version: str | None = None,
    output_format: str | None = None,
    **ids: Unpack[Ids],
) -> AddResult:
    """Remembers what messages say.

    With a model, facts are extracted in one call and reconciled with what is known. Without one, or with
    `infer=False`, each message that is not a system message is stored verbatim. The same text for the same owner
    is one memory, however often it is added.

    Args:
        settings: Parts and policies; given by the memory.
        messages: A string, a message (dict or LangChain), or a list of them.
        metadata: JSON values to store with each memory.
        categories: Names to store with each memory, beside those the model finds.
        infer: Whether to ask the model; `None` asks it where there is one.
        expiration_date: When the memories expire: a date (through that UTC day), a datetime, a timedelta, or ISO
            text of one. Session notes expire by themselves.
        event_date: When what they tell happened; embedded with them.
        timestamp: When the messages were said, for an import: creation, first use and event date follow it.
        source: `thread_id`, `checkpoint_id` and `message_ids`, for provenance. With a thread and message ids a
            repeated call returns the first one's result.
        dry_run: Whether to say what would happen and change nothing.
        version: Accepted from older code, and means nothing.
        output_format: Accepted from older code, and means nothing.
        **ids: Whose memory: `user_id`, `agent_id`, `app_id`, `org_id`, and `run_id` (or `session_id`).

    Returns:
        What was done with each fact, and the `batch_id` that `undo` takes; `rejected` lists what a model proposed
        and was refused.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: A message, a date or metadata cannot be stored; `infer=True` without a model.
        ExtractionError: The model failed; nothing was written.
        StoreError: The store failed; nothing was written.
    """
    addition = addition_of(
        settings,
        messages,
        Scope.of(ids),
        metadata=metadata,
        categories=categories,
        expiration_date=expiration_date,
        event_date=event_date,
        timestamp=timestamp,
        source=source,
    )
    infers = settings.infers(infer)
    former = await edited(settings, addition)
    done = None if former else await _done(settings, addition)
    if done is not None:
        return done
    learning = await asked(settings, addition) if infers else None

    async def attempt() -> AddResult:
        changes = changes_of(settings, addition)
        await (changes.enter(addition.verbatim()) if learning is None else learning.decide(changes))
        await outdate(settings, addition, changes, former)
        if not dry_run:
            await changes.write(await writes_of(settings, addition, changes))
        return result_of(changes, [] if learning is None else learning.rejected)

    result = await settled(attempt)
    if not dry_run:
        settings.activity.record(
            "add",
            iso(addition.now),
            addition.scope.ids(),
            batch_id=result["batch_id"],
            results=[dict(each) for each in result["results"]],
            rejected=[dict(each) for each in result.get("rejected", ())],
        )
    return result


add, aadd = operation(_add)


def addition_of(
    settings: Settings,
    messages: Messages,
    scope: Scope,
    *,
    source: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None = None,
    categories: Sequence[str] | None = None,
    expiration_date: Expiration | None = None,
    event_date: date | datetime | str | None = None,
    timestamp: date | datetime | str | None = None,
) -> Addition:
    """The arguments of an `add`, checked, and without secrets."""
    scope.owner()
    now = settings.now()
    at = now if timestamp is None else instant(timestamp)
    said = timestamp if event_date is None else event_date
    turns = turns_of(messages, settings.redact)
    return Addition(
        scope=scope,
        turns=turns,
        at=at,
        now=now,
        metadata=settings.clean_metadata(metadata),
        categories=names(categories),
        expiration_date=settings.expiration(expiration_date, scope, at),
        event_date=None if said is None else iso(instant(said)),
        source=_source(source),
        positions=[settings.position(at) for _ in turns],
    )


def _source(given: Mapping[str, Any] | None) -> Source:
    """A source as a caller gave it, complete.

    Raises:
        InvalidRequest: It has a key that a source has not.
    """
    if given is None:
        return source_of()
    unknown = given.keys() - {"thread_id", "checkpoint_id", "message_ids"}
    if unknown:
        raise InvalidRequest(f"source has thread_id, checkpoint_id and message_ids, not {sorted(unknown)}.")
    return source_of(given.get("thread_id"), given.get("checkpoint_id"), given.get("message_ids") or ())


async def _done(settings: Settings, addition: Addition) -> AddResult | None:
    """The result of this very call, where it was made before. A body."""
    if not addition.repeatable:
        return None
    place = journal_address(addition.scope, addition.source, addition.batch_id)
    (row,) = await settings.repo.read([place], addition.now)
    return None if row is None else {"results": row.value["results"], "batch_id": row.value["batch_id"]}


async def asked(settings: Settings, addition: Addition) -> Learning:
    """What a model proposes to learn. It is asked once, also where another writer comes between. A body."""
    learning = Learning(settings, addition)
    await learning.ask()
    return learning


def changes_of(settings: Settings, addition: Addition) -> Changes:
    """The changes of an addition, none yet."""
    return Changes(settings, at=addition.at, now=addition.now, batch_id=addition.batch_id, source=addition.source)


async def writes_of(settings: Settings, addition: Addition, changes: Changes) -> list[Write]:
    """What an addition writes, with the note that its messages have been added. A body."""
    writes = await changes.batch(addition.scope)
    return [*writes, await marked(settings, addition)] if addition.repeatable else writes


def result_of(changes: Changes, rejected: list[Rejected]) -> AddResult:
    """What `add` returns of changes."""
    result: AddResult = {"results": changes.results, "batch_id": changes.batch_id}
    return cast(AddResult, {**result, "rejected": rejected}) if rejected else result
