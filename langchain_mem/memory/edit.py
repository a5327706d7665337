"""`update`, `batch_update` and `feedback`: changing memories, whose history keeps what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, TypedDict, Unpack

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_texts
from langchain_mem.memory.reading.queries import present
from langchain_mem.memory.settings import Expiration, Settings, names
from langchain_mem.memory.writing.contention import settled
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.documents import INSTRUCTIONS_KIND
from langchain_mem.model.instants import event_span, iso, to_instant
from langchain_mem.model.records import MemoryDict, StoredMemory, public, public_all, sound
from langchain_mem.model.scopes import Ids, Scope

BATCH_LIMIT: Final = 1_000
"""At most so many entries in one batch operation."""

Rating = Literal["POSITIVE", "NEGATIVE", "VERY_NEGATIVE"]
"""What a user thought of a memory."""


class Updated(TypedDict):
    """What `batch_update` returns: the memories as they are now, and the `batch_id` that `undo` takes."""

    results: list[MemoryDict]
    batch_id: str


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""An argument that was not given, where `None` means something."""


async def _update(
    settings: Settings,
    memory_id: str,
    text: str | Unset = UNSET,
    *,
    metadata: Mapping[str, Any] | Unset | None = UNSET,
    categories: Sequence[str] | Unset | None = UNSET,
    useful_for: Sequence[str] | Unset | None = UNSET,
    expiration_date: Expiration | Unset | None = UNSET,
    event_date: date | datetime | str | Unset | None = UNSET,
    **ids: Unpack[Ids],
) -> MemoryDict:
    """Changes a memory. Its history keeps what it was.

    Only what is given changes. `None` is a value of its own, which clears a field.

    Args:
        memory_id: The id.
        text: The new text. It is embedded anew, and counts as a use of the memory.
        metadata: JSON values that are merged into the existing ones. A key with the value `None` is removed; `None`
            alone removes all.
        categories: The new categories; `None` removes all.
        useful_for: The new phrases, as for `add`; `None` removes all. They are embedded with the text. A new text
            removes the old ones, which may be wrong for it, unless new ones are given.
        expiration_date: When the memory expires, as for `add`; `None` for never.
        event_date: When the event happened that the memory tells of, as for `add`: a day, or a month, a year or a range
            as text. It is embedded with the text. `None` removes the date.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        The memory as it is now.

    Raises:
        NotFound: There is no such memory.
        InvalidRequest: Nothing is to change, or an argument is out of its range.
        Conflict: Other writers kept changing the memory meanwhile; nothing was written.
    """
    entry: dict[str, Any] = {
        "memory_id": memory_id,
        "text": text,
        "metadata": metadata,
        "categories": categories,
        "useful_for": useful_for,
        "expiration_date": expiration_date,
        "event_date": event_date,
    }
    given = {name: value for name, value in entry.items() if value is not UNSET}
    updated = await _update_all(settings, [given], Scope.of(ids))
    return updated["results"][0]


update, aupdate = operation(_update)


async def _batch_update(settings: Settings, memories: Sequence[Mapping[str, Any]], **ids: Unpack[Ids]) -> Updated:
    """Changes up to 1,000 memories: all of them or none.

    Args:
        memories: For each memory its `memory_id` and what changes, with the names of the arguments of `update`.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        The memories as they are now, and the `batch_id` that `undo` takes.

    Raises:
        InvalidRequest: There are no entries or more than 1,000, or an entry is not valid; the message names all of
            these.
        NotFound: Some memories do not exist; the message names all of these.
        Conflict: Other writers kept changing them meanwhile; nothing was written.
    """
    check_batch(memories)
    return await _update_all(settings, memories, Scope.of(ids))


batch_update, abatch_update = operation(_batch_update)


async def _feedback(
    settings: Settings, memory_id: str, feedback: Rating | None = None, reason: str | None = None, **ids: Unpack[Ids]
) -> MemoryDict:
    """Records what a user thought of a memory. The rating "VERY_NEGATIVE" also deletes it; `restore` brings it back.

    Args:
        memory_id: The id.
        feedback: "POSITIVE", "NEGATIVE" or "VERY_NEGATIVE"; `None` removes an earlier rating.
        reason: Why, in the user's words.
        **ids: The owner's ids. With them, a memory of another owner is not found.

    Returns:
        The memory with its rating.

    Raises:
        NotFound: There is no such memory.
        InvalidRequest: `feedback` is something else.
    """
    if feedback not in (None, "POSITIVE", "NEGATIVE", "VERY_NEGATIVE"):
        raise InvalidRequest(f"feedback is POSITIVE, NEGATIVE, VERY_NEGATIVE or None, not {shown(feedback)}.")
    check_texts(reason=None if reason == "" else reason)
    scope, reason = Scope.of(ids), settings.cleaned(reason)

    async def attempt() -> MemoryDict:
        now = settings.now()
        row = (await present(settings, [memory_id], scope, now))[memory_id]
        changes = UnitOfWork(settings, at=now)
        told = None if feedback is None else {"rating": feedback, "reason": reason, "at": iso(now)}
        memory = changes.update(row, event="FEEDBACK", reason=reason, feedback=told)
        if feedback == "VERY_NEGATIVE":
            changes.delete(row, reason=reason)
        await changes.land(scope, event="feedback")
        return public(memory)

    return await settled(settings.turnstile, attempt)


feedback, afeedback = operation(_feedback)


async def _update_all(settings: Settings, entries: Sequence[Mapping[str, Any]], scope: Scope) -> Updated:
    now = settings.now()
    fields = _fields_by_id(settings, entries, now)

    async def attempt() -> Updated:
        rows = await present(settings, list(fields), scope, now)
        changes = UnitOfWork(settings, at=now)
        for memory_id, given in fields.items():
            _check_document(rows[memory_id].value, given)
            changes.update(rows[memory_id], **_merged(given, rows[memory_id].value))
        await changes.land(scope, event="update")
        results = public_all([changes.batch.current(rows[memory_id]) for memory_id in fields])
        return {"results": results, "batch_id": changes.batch_id}

    return await settled(settings.turnstile, attempt)


def _fields_by_id(settings: Settings, entries: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, dict[str, Any]]:
    """What each entry changes, by memory id, checked; every bad entry is named."""
    fields: dict[str, dict[str, Any]] = {}
    wrong: list[str] = []
    for place, entry in enumerate(entries):
        try:
            check_texts(memory_id=entry["memory_id"])
            fields[entry["memory_id"]] = _fields(settings, entry, now)
        except InvalidRequest as error:
            wrong.append(f"entry {place}: {error}" if len(entries) > 1 else str(error))
    if wrong:
        raise InvalidRequest(" ".join(wrong))
    return fields


def _fields(settings: Settings, entry: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    given = {name: value for name, value in entry.items() if name != "memory_id"}
    if given.keys() - _CHANGEABLE or not given:
        raise InvalidRequest(f"An update gives {', '.join(_CHANGEABLE[:-1])} or {_CHANGEABLE[-1]}, at least one.")
    fields: dict[str, Any] = {}
    if "text" in given:
        fields["memory"] = _text(settings, given["text"])
    if "metadata" in given:
        cleared = given["metadata"] is None
        fields["metadata"] = None if cleared else settings.clean_metadata(given["metadata"])
    if "categories" in given:
        fields["categories"] = [settings.clean(name) for name in names(given["categories"])]
    if "useful_for" in given:
        fields["useful_for"] = settings.clean_phrases(given["useful_for"])
    if "expiration_date" in given:
        when = given["expiration_date"]
        fields["expiration_date"] = None if when is None else iso(to_instant(when, now=now))
    if "event_date" in given:
        told = given["event_date"]
        fields["event_date"], fields["event_end"] = (None, None) if told is None else event_span(told)
    return fields


_CHANGEABLE: Final = ("text", "metadata", "categories", "useful_for", "expiration_date", "event_date")


def _text(settings: Settings, text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest(f"A memory's text is a text that is not empty, not {shown(text)}.")
    return settings.clean(sound(text))


def check_batch(memories: Sequence[Mapping[str, Any]]) -> None:
    """Refuses a batch that cannot be.

    Raises:
        InvalidRequest: It is no list of 1 to 1,000 entries, an entry has no id, or an id stands in it twice.
    """
    if not isinstance(memories, Sequence) or isinstance(memories, str) or not 1 <= len(memories) <= BATCH_LIMIT:
        raise InvalidRequest(f"A batch is a list of 1 to {BATCH_LIMIT} entries.")
    wrong = [place for place, entry in enumerate(memories) if not _has_id(entry)]
    if wrong:
        raise InvalidRequest(f"Each entry of a batch needs a memory_id; missing in {shown(wrong)}.")
    seen = [entry["memory_id"] for entry in memories]
    twice = sorted({memory_id for memory_id in seen if seen.count(memory_id) > 1})
    if twice:
        raise InvalidRequest(f"A memory can be in a batch once; twice: {shown(twice)}.")


def _has_id(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("memory_id"), str) and bool(entry["memory_id"])


def _check_document(memory: StoredMemory, fields: Mapping[str, Any]) -> None:
    if memory["schema"] is not None and fields.keys() & {"memory", "metadata"}:
        how = "instruct" if memory["schema"] == INSTRUCTIONS_KIND else "update_document"
        raise InvalidRequest(f"Memory {memory['id']} is a document; {how} changes what it says.")


def _merged(fields: Mapping[str, Any], memory: StoredMemory) -> dict[str, Any]:
    """The fields to change, metadata merged into what is there.

    A new text no longer rests on what was said, and what the old one was useful for need not fit it.
    """
    merged = dict(fields)
    if "metadata" in fields:
        given = fields["metadata"]
        both = {} if given is None else {**memory["metadata"], **given}
        merged["metadata"] = {key: value for key, value in both.items() if value is not None}
    if fields.get("memory", memory["memory"]) != memory["memory"]:
        merged["cites"] = []
        merged.setdefault("useful_for", [])
    return merged
