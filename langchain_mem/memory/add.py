"""`add`: remembering what messages say, verbatim or as facts that a model extracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Final, Unpack, cast

from langchain_mem.backends.base import Address
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.extraction.messages import Messages, turns_of
from langchain_mem.extraction.user_intent import asks_to_forget, wishes_to_forget
from langchain_mem.extraction.worth_keeping import says_again
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.learn import Learning
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_ids, check_names
from langchain_mem.memory.reading.candidates import Search, candidates
from langchain_mem.memory.reading.queries import live, view
from langchain_mem.memory.reading.ranked import read_rows
from langchain_mem.memory.settings import Expiration, Settings
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.drafts import Addition, Draft
from langchain_mem.memory.writing.journal import journal_address
from langchain_mem.memory.writing.marks import Words, edited, mark_of, marked, outdate
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.instants import event_span, instant, iso
from langchain_mem.model.records import (
    AddedMemory,
    AddResult,
    Importance,
    Rejected,
    Source,
    batch_id_of,
    check_importance,
    is_repeatable,
    source_of,
)
from langchain_mem.model.scopes import Ids, Scope

_NEAR: Final = 8
"""So many of the nearest memories are compared with a reply."""


async def _add(
    settings: Settings,
    messages: Messages,
    *,
    metadata: Mapping[str, Any] | None = None,
    categories: Sequence[str] | None = None,
    importance: Importance = "normal",
    useful_for: Sequence[str] | None = None,
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
    """Stores facts from messages, or the messages themselves.

    With a model, facts are extracted in one call and compared with the stored memories. With `infer=False`, each
    message that is not a system message is stored word for word. Without a model, messages are also stored word for
    word, but questions, greetings, thanks, acknowledgments and most replies of the assistant are left out. If a user
    asks to forget a memory and names it, it is deleted. A single string is always stored. If the same text is added
    again for the same owner, it stays one memory.

    Args:
        messages: A string, a message (dict or LangChain), or a list of them.
        metadata: JSON values to store with each memory.
        categories: Names to store with each memory, beside those the model finds.
        importance: `"always"` for what belongs into every prompt, whatever is asked: health, safety, names, standing
            instructions. A model marks such facts by itself.
        useful_for: With `infer=False`, up to five short phrases for requests and situations in which the memory matters
            although they do not name it, such as "planning a dinner". A search finds the memory by them too. They are
            never shown to a model. With a model, the model writes them.
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
        ids,
        infer=infer,
        metadata=metadata,
        categories=categories,
        importance=importance,
        useful_for=useful_for,
        expiration_date=expiration_date,
        event_date=event_date,
        timestamp=timestamp,
        source=source,
    )
    return await remember(settings, addition, dry_run=dry_run)


add, aadd = operation(_add)


async def remember(settings: Settings, addition: Addition, *, dry_run: bool = False) -> AddResult:
    """Does what `add` does with what was said, or says what it would do."""
    former, entry = await _before(settings, addition) if addition.repeatable else ({}, None)
    if entry is not None and not await _deleted(settings, entry, addition.now):
        return {"results": entry["results"], "batch_id": entry["batch_id"]}
    if dry_run:
        return await _tried(settings, addition, former)
    result = await _added(settings, addition, former, entry)
    results, rejected = map(dict, result["results"]), map(dict, result.get("rejected", ()))
    told = {"batch_id": result["batch_id"], "results": list(results), "rejected": list(rejected)}
    settings.activity.record("add", addition.now_iso, addition.ids, **told)
    return result


async def _before(settings: Settings, addition: Addition) -> tuple[Words, Mapping[str, Any] | None]:
    """The former words of messages that were edited; or, where none was, what the journal says of this very call."""
    former = await edited(settings, addition)
    return former, None if former else await _standing(settings, addition)


async def _tried(settings: Settings, addition: Addition, former: Words) -> AddResult:
    """What an addition would do."""
    changes, rejected = new_unit_of_work(settings, addition), []
    if addition.infers:
        rejected = await learn(settings, addition, changes)
    else:
        await _keep(settings, addition, addition.verbatim(), changes)
    await outdate(settings, addition, changes, former)
    return result_of(changes, rejected)


async def learn(settings: Settings, addition: Addition, changes: UnitOfWork) -> list[Rejected]:
    """Puts what a model learns from an addition into changes, portion by portion, and says what was refused."""
    rejected: list[Rejected] = []
    for portion in addition.portions(settings.extraction_tokens):
        learning = await asked(settings, portion)
        await learning.decide(changes)
        rejected += learning.rejected
    return rejected


async def _added(settings: Settings, addition: Addition, former: Words, entry: Mapping[str, Any] | None) -> AddResult:
    """Adds an addition portion by portion, each written before the next is asked for.

    What a portion said is known when the next one is extracted, and stays where a later one fails. Where this very call
    was made before, its `entry` in the journal is continued, so that `undo` takes back both.
    """
    earlier = None if entry is None else {**entry, "results": []}
    portions = addition.portions(settings.extraction_tokens) if addition.infers else [addition]
    result: AddResult = {"results": [], "batch_id": addition.batch_id}
    patient = True
    for portion in await _unsettled(settings, portions):
        learning = await asked(settings, portion, patient=patient) if addition.infers else None
        said = portion.verbatim() if learning is None else learning
        attempt = partial(_write_portion, settings, portion, former, said, earlier)
        result["results"] += await settled(settings.turnstile, attempt)
        if learning is not None:
            result.setdefault("rejected", []).extend(learning.rejected)
            patient = learning.understood
    if not result.get("rejected"):
        result.pop("rejected", None)
    return result


async def _unsettled(settings: Settings, portions: Sequence[Addition]) -> list[Addition]:
    """The portions that are left to add, where an earlier try was broken off."""
    first = portions[0]
    if len(portions) == 1 or first.source["thread_id"] is None:
        return list(portions)
    (row,) = await settings.repo.read([mark_of(first.scope, first.source["thread_id"])], first.now)
    done = set(row.value["message_ids"]) if row else set()
    return [each for each in portions if not each.source["message_ids"] or not set(each.source["message_ids"]) <= done]


async def _write_portion(
    settings: Settings,
    portion: Addition,
    former: Words,
    said: Learning | Sequence[Draft],
    earlier: Mapping[str, Any] | None,
) -> list[AddedMemory]:
    """Writes what is learned of a portion, or its turns as they are."""
    before = await _journal(settings, portion) if portion.is_portion else earlier
    changes = new_unit_of_work(settings, portion, before)
    if isinstance(said, Learning):
        await said.decide(changes)
    elif portion.selective:
        await _keep(settings, portion, said, changes)
    else:
        await changes.enter(said)
    if former:
        here = {turn.id for turn in portion.turns}
        await outdate(settings, portion, changes, {key: words for key, words in former.items() if key in here})
    await changes.save(portion.home, await marked(settings, portion) if portion.repeatable else ())
    return changes.results


async def _keep(settings: Settings, addition: Addition, drafts: Sequence[Draft], changes: UnitOfWork) -> None:
    """Keeps turns verbatim; where nobody said how, forgets what their user asked to be forgotten."""
    if not addition.selective:
        await changes.enter(drafts)
        return
    await changes.enter([draft for draft in drafts if not await _repeats_memory(settings, addition, draft)])
    if any(wishes_to_forget(turn.text) for turn in addition.turns if turn.role == "user"):
        rows, _ = await settings.repo.select([addition.home], live(addition.now), addition.now)
        for row in rows:
            if asks_to_forget(row.value, addition.turns):
                changes.delete(row, reason="asked to be forgotten")


async def _repeats_memory(settings: Settings, addition: Addition, draft: Draft) -> bool:
    """Whether a reply says again what is remembered, whenever it was recalled."""
    if draft.role != "assistant":
        return False
    places, asked = await view(settings, addition.scope, None, addition.now)
    search = Search(
        query=draft.text,
        scope=addition.scope,
        now=addition.now,
        condition=conjunction(asked, live(addition.now)),
        places=places,
        top_k=_NEAR,
        threshold=0.0,
        decay=None,
        turns=0,
        newer=False,
        rerank=False,
    )
    hits, _ = await candidates(settings, search, None)
    rows = [hit.row for hit in await read_rows(settings, search, hits[:_NEAR])]
    return says_again(draft.text, [row.value["memory"] for row in rows if row is not None])


async def _journal(settings: Settings, addition: Addition) -> Mapping[str, Any] | None:
    """What the journal says of an addition's batch."""
    place = journal_address(addition.scope, addition.source, addition.batch_id)
    (row,) = await settings.repo.read([place], addition.now)
    return None if row is None else row.value


def addition_of(
    settings: Settings,
    messages: Messages,
    ids: Ids,
    *,
    source: Mapping[str, Any] | None,
    infer: bool | None = False,
    metadata: Mapping[str, Any] | None = None,
    categories: Sequence[str] | None = None,
    importance: Importance = "normal",
    useful_for: Sequence[str] | None = None,
    expiration_date: Expiration | None = None,
    event_date: date | datetime | str | None = None,
    timestamp: date | datetime | str | None = None,
) -> Addition:
    """The arguments of an `add`, checked, and without secrets."""
    scope = Scope.owned(ids)
    whose, home = scope.ids(), scope.home()
    turns = turns_of(messages, settings.redact)
    now, infers, plain = settings.now(), settings.infers(infer), isinstance(messages, str)
    metadata, categories = settings.clean_metadata(metadata), settings.clean_names(categories)
    phrases = [] if useful_for is None else settings.clean_phrases(useful_for)
    at = now if timestamp is None else instant(timestamp)
    expires = settings.expiration(expiration_date, scope, at)
    told = timestamp if event_date is None else event_date
    start, end = (None, None) if told is None else event_span(told)
    positions, at_iso, now_iso = settings.positions(at, len(turns)), iso(at), iso(now)
    check_importance(importance)
    origin = source_of() if source is None else _source(source)
    repeatable = is_repeatable(origin)
    return Addition(
        scope=scope,
        ids=whose,
        home=home,
        batch_id=batch_id_of(whose, origin, [turn.spoken for turn in turns] if repeatable else ()),
        repeatable=repeatable,
        turns=turns,
        at=at,
        now=now,
        at_iso=at_iso,
        now_iso=now_iso,
        infers=infers,
        metadata=metadata,
        categories=categories,
        importance=importance,
        useful_for=phrases,
        expiration_date=expires,
        event_date=start,
        event_end=end,
        positions=positions,
        source=origin,
        plain=plain,
        selective=infer is None and not infers and not plain,
    )


def _source(given: Mapping[str, Any]) -> Source:
    """A source as a caller gave it, complete.

    Raises:
        InvalidRequest: It has a key that a source has not.
    """
    if not isinstance(given, Mapping):
        raise InvalidRequest(f"source is a dict of thread_id, checkpoint_id and message_ids, not {shown(given)}.")
    unknown = given.keys() - {"thread_id", "checkpoint_id", "message_ids"}
    if unknown:
        raise InvalidRequest(f"source has thread_id, checkpoint_id and message_ids, not {shown(list(unknown))}.")
    check_ids(thread_id=given.get("thread_id"), checkpoint_id=given.get("checkpoint_id"))
    check_names(message_ids=given.get("message_ids"))
    for message_id in given.get("message_ids") or ():
        check_ids(message_ids=message_id or None)
    return source_of(given.get("thread_id"), given.get("checkpoint_id"), given.get("message_ids") or ())


async def _standing(settings: Settings, addition: Addition) -> Mapping[str, Any] | None:
    """What the journal says of this very call, where it was made before and not undone."""
    entry = await _journal(settings, addition)
    return None if entry is None or entry.get("unfinished") or entry.get("undone") else entry


async def _deleted(settings: Settings, entry: Mapping[str, Any], now: datetime) -> bool:
    """Whether something that a batch added was deleted since, so that the same call has to add it again."""
    added = {result["id"] for result in entry["results"] if result["event"] == "ADD"}
    places = [Address(tuple(namespace), key) for namespace, key in entry["memories"] if key in added]
    rows = await settings.repo.read(places, now) if places else []
    return any(row is not None and row.value["state"] == "deleted" for row in rows)


async def asked(settings: Settings, addition: Addition, *, patient: bool = True) -> Learning:
    """What a model proposes to learn. It is asked once, also where another writer comes between."""
    learning = Learning(settings, addition, patient=patient)
    await learning.ask()
    return learning


def new_unit_of_work(settings: Settings, addition: Addition, before: Mapping[str, Any] | None = None) -> UnitOfWork:
    """The changes of an addition, none yet, after those of the portions before it."""
    return UnitOfWork(
        settings,
        at=addition.at,
        now=addition.now,
        told=(addition.at_iso, addition.now_iso),
        batch_id=addition.batch_id,
        source=addition.source,
        before=before,
        more=addition.more,
    )


def result_of(changes: UnitOfWork, rejected: list[Rejected]) -> AddResult:
    """What `add` returns of changes."""
    result: AddResult = {"results": changes.results, "batch_id": changes.batch_id}
    return cast(AddResult, {**result, "rejected": rejected}) if rejected else result
