"""Which messages of a thread have been added, and in which words.

A message that a client edits keeps its id. It is added again, and what rested on its former words alone is superseded
by what its new words say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.background.waiting import NO_WORDS, holds, waiting_in, without
from langchain_mem.errors import MemError
from langchain_mem.extraction.messages import Turn
from langchain_mem.filters.conditions import Condition, conjunction
from langchain_mem.memory.reading.queries import has_any, is_in, live, places
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.drafts import Addition
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.instants import iso
from langchain_mem.model.records import StoredMemory, digest
from langchain_mem.model.scopes import EXTRACTED, MEMORIES, TURNS, WAITING, Scope, escape
from langchain_mem.ranking.tokens import tokenize

Words: TypeAlias = Mapping[str, str]
"""A digest of each message's words, by the message's id."""

_EDITED: Final = "The message it rests on was edited."


def mark_of(scope: Scope, thread_id: str) -> Address:
    """Where it is noted which messages of a thread have been added."""
    kind, owner_id = scope.owner()
    return Address((EXTRACTED, kind, escape(owner_id)), thread_id)


def words_of_turns(turns: Iterable[Turn]) -> Words:
    """The words of turns, as they are noted."""
    return {turn.id: digest(turn.whole or turn.spoken) for turn in turns if turn.id}


def waiting_of(scope: Scope, thread_id: str) -> Address:
    """Where the messages of a thread wait for their extraction."""
    kind, owner_id = scope.owner()
    return Address((WAITING, kind, escape(owner_id), "threads"), thread_id)


class Withdrawn(MemError):
    """Messages that were being read do not wait any more: somebody else has read them, or they were taken back."""


async def marked(settings: Settings, addition: Addition) -> list[Write]:
    """The note that these messages have been added, and that they wait no more.

    It lands in the same batch as what they say, so that nothing is read twice and nothing is skipped.

    Raises:
        Withdrawn: They waited, and do not any more.
    """
    thread_id = addition.source["thread_id"] or ""
    places = [mark_of(addition.scope, thread_id), waiting_of(addition.scope, thread_id)]
    row, waiting = await settings.repo.read(places, addition.now)
    before: Mapping[str, Any] = row.value if row else {}
    ids = dict.fromkeys([*before.get("message_ids", ()), *addition.source["message_ids"]])
    value = {"message_ids": list(ids), "words": {**before.get("words", {}), **words_of_turns(addition.turns)}}
    noted = Row(address=places[0], value=value, created_at=addition.now, updated_at=addition.now)
    marking = Write.put(noted, expects=row.revision if row else None, before=row)
    return [marking, *([] if waiting is None and not addition.awaited else _taken_off(waiting, addition))]


def _taken_off(row: Row | None, addition: Addition) -> list[Write]:
    """What waits, without what is added."""
    read, now = addition.source["message_ids"], addition.now
    if row is None or (addition.awaited and not holds(waiting_in(row.value), read)):
        raise Withdrawn("The messages do not wait any more; nothing was written.")
    said = words_of_turns(addition.turns)
    left = without(waiting_in(row.value), {id_: said.get(id_, NO_WORDS) for id_ in read})
    if not left:
        return [Write.delete(row.address, expects=row.revision)]
    value = {**row.value, "messages": left, "behind": read[-1] if read else row.value["behind"]}
    return [Write.put(replace(row, value={**value, "updated_at": iso(now)}), expects=row.revision, before=row)]


async def unmarking(settings: Settings, entries: Sequence[Row], now: datetime) -> list[Write]:
    """The notes without the messages of batches that are taken back, so that they are learned again when met again."""
    gone: dict[Address, set[str]] = {}
    for entry in entries:
        source = entry.value["source"]
        if source["thread_id"] is not None:
            place = Address((EXTRACTED, *entry.address.namespace[1:3]), source["thread_id"])
            gone.setdefault(place, set()).update(source["message_ids"])
    rows = await settings.repo.read(list(gone), now)
    return [_without(row, gone[row.address], now) for row in rows if row is not None]


def _without(row: Row, message_ids: Collection[str], now: datetime) -> Write:
    left = [each for each in row.value["message_ids"] if each not in message_ids]
    said = {id_: word for id_, word in row.value.get("words", {}).items() if id_ not in message_ids}
    noted = Row(address=row.address, value={"message_ids": left, "words": said}, created_at=now, updated_at=now)
    return Write.put(noted, expects=row.revision, before=row)


async def new_among(
    settings: Settings, message_ids: Sequence[str], said: Words, scope: Scope, thread_id: str, now: datetime
) -> list[str]:
    """Of messages those that have not been added in these words, in order; one whose words are not noted is done."""
    (row,) = await settings.repo.read([mark_of(scope, thread_id)], now)
    done: Collection[str] = set(row.value["message_ids"]) if row else ()
    noted: Words = row.value.get("words", {}) if row else {}
    other = {id_ for id_ in noted.keys() & said.keys() if noted[id_] != said[id_]}
    return [message_id for message_id in message_ids if message_id not in done or message_id in other]


async def edited(settings: Settings, addition: Addition) -> Words:
    """The former words of messages that are added again in other words."""
    if not addition.repeatable:
        return {}
    (row,) = await settings.repo.read([mark_of(addition.scope, addition.source["thread_id"] or "")], addition.now)
    noted: Words = row.value.get("words", {}) if row else {}
    return {id_: noted[id_] for id_, now in words_of_turns(addition.turns).items() if noted.get(id_, now) != now}


async def outdate(settings: Settings, addition: Addition, changes: UnitOfWork, former: Words) -> None:
    """Supersedes what rested on former words alone, where the new words no longer say it."""
    if not former:
        return
    said = is_in("digest", sorted(set(former.values())))
    turns = await _select(settings, addition, TURNS, said)
    verbatim = await _select(settings, addition, MEMORIES, said)
    keys = sorted(row.address.key for row in turns)
    citing = await _select(settings, addition, MEMORIES, has_any("cites", keys)) if keys else []
    lost = _lost([row.value["memory"] for row in [*turns, *verbatim]], addition)
    facts = [row for row in citing if {*row.value["cites"]} <= {*keys} and lost & {*tokenize(row.value["memory"])}]
    for row in [*verbatim, *facts]:
        _retire(row, changes)


async def _select(settings: Settings, addition: Addition, root: str, condition: Condition) -> list[Row]:
    within = await places(settings.repo, addition.scope.patterns(root), addition.now)
    found, _ = await settings.repo.select(within, conjunction(live(addition.now), condition), addition.now)
    return list(found)


def _lost(before: Sequence[str], addition: Addition) -> set[str]:
    """The words that were said before and are not any more."""
    now = {token for turn in addition.turns for token in tokenize(turn.text)}
    return {token for text in before for token in tokenize(text)} - now


def _retire(row: Row, changes: UnitOfWork) -> None:
    """Supersedes a memory by what the same batch has learned; hides it where that is nothing."""
    told = {result["id"] for result in changes.results}
    if row.value["id"] in told or changes.batch.current(row)["state"] != "live":
        return
    new = [result for result in changes.results if result["event"] in ("ADD", "SUPERSEDE", "UPDATE")]
    if new:
        changes.supersede(row, cast(StoredMemory, {"id": new[0]["id"]}), reason=_EDITED)
    else:
        changes.delete(row, reason=_EDITED)
