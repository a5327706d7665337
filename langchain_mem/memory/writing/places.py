"""Where texts are to be: the memory that says each already, or an id that is free for it.

However many texts there are, the store is asked a fixed number of times: the owner's index knows which texts and ids
there are, and only rows that are there are read.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from langchain_mem.backends.base import Address, Row
from langchain_mem.memory.reading.queries import is_in
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.model.instants import iso
from langchain_mem.model.records import digest, id_for, is_live
from langchain_mem.model.scopes import MEMORIES, Namespace, without_session
from langchain_mem.repository.living import Living, locked


class Place(NamedTuple):
    """Where a text is to be: the memory that says it already, or an id that is free for it."""

    existing: Row | None
    free_id: str


async def find_places(settings: Settings, drafts: Sequence[Draft], now: datetime) -> list[Place]:
    """For each draft the memory that says the same in the same home, live before dead, or a free id."""
    if not drafts:
        return []
    homes = list(dict.fromkeys(draft.home for draft in drafts))
    livings = None if settings.owners is None else await settings.owners.current(homes)
    rows = await (_asked(settings, drafts, now) if livings is None else _known(settings, livings, drafts, now))
    known: dict[tuple[Namespace, str], Row] = {}
    for row in sorted(rows.values(), key=lambda one: is_live(one.value, iso(now))):
        known[row.address.namespace, row.value["digest"]] = row
    ids = await _free_ids(settings, drafts, rows, now)
    return [Place(known.get((draft.home, digest(draft.text))), free) for draft, free in zip(drafts, ids, strict=True)]


async def _known(
    settings: Settings, livings: Sequence[Living], drafts: Sequence[Draft], now: datetime
) -> dict[Address, Row]:
    """What has a draft's text or its first id, by the index."""
    with locked(livings):
        addresses = [address for living in livings for draft in drafts for address in _same(living, draft)]
    rows = await settings.repo.read(list(dict.fromkeys(addresses)), now) if addresses else []
    return {row.address: row for row in rows if row is not None}


def _same(living: Living, draft: Draft) -> list[Address]:
    first = Address(draft.home, id_for(draft.home, draft.text))
    return [*living.same_text(draft.home, digest(draft.text)), *([first] if living.knows(first) else ())]


async def _asked(settings: Settings, drafts: Sequence[Draft], now: datetime) -> dict[Address, Row]:
    """The same by asking the store, once a home and once for all ids."""
    firsts = {Address(draft.home, id_for(draft.home, draft.text)): None for draft in drafts}
    found = [row for row in await settings.repo.read(list(firsts), now) if row is not None]
    for home in dict.fromkeys(draft.home for draft in drafts):
        said = sorted({digest(draft.text) for draft in drafts if draft.home == home})
        found += (await settings.repo.select([home], is_in("digest", said), now))[0]
    return {row.address: row for row in found}


async def _free_ids(settings: Settings, drafts: Sequence[Draft], rows: dict[Address, Row], now: datetime) -> list[str]:
    """For each draft the first id of its text that is not held by a memory which says something else by now."""
    free: dict[int, str] = {}
    for attempt in itertools.count():
        left = [number for number in range(len(drafts)) if number not in free]
        ids = {number: id_for(drafts[number].home, drafts[number].text, attempt) for number in left}
        if attempt:  # the first ids have been read already
            addresses = [Address(drafts[number].home, ids[number]) for number in left]
            rows = {row.address: row for row in await settings.repo.read(addresses, now) if row is not None}
        gone = await _moved_away(settings, [(drafts[number].home, ids[number]) for number in left], now)
        for number in left:
            row = rows.get(Address(drafts[number].home, ids[number]))
            if ids[number] not in gone and (row is None or row.value["digest"] == digest(drafts[number].text)):
                free[number] = ids[number]
        if len(free) == len(drafts):
            break
    return [free[number] for number in range(len(drafts))]


async def _moved_away(settings: Settings, ids: Sequence[tuple[Namespace, str]], now: datetime) -> set[str]:
    """Those ids of session notes whose memory was promoted meanwhile, and has taken its id along."""
    owned = [Address(without_session(home), key) for home, key in ids if len(home) > len(without_session(home))]
    alone = [key for home, key in ids if home[1] == "run"]  # the note of a run alone may have moved to anyone
    rows = await settings.repo.read(list(dict.fromkeys(owned)), now) if owned else []
    found = await settings.repo.find(alone, [(MEMORIES,)], now) if alone else {}
    moved = {key for key, row in found.items() if row.address.namespace[1] != "run"}
    return {row.address.key for row in rows if row is not None} | moved
