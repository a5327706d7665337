"""Where texts are to be: the memory that says each already, or an id that is free for it.

However many texts there are, the store is asked a fixed number of times: the owner's index knows which texts and ids
there are, and only rows that are there are read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from langchain_mem.backends.base import Address, Row
from langchain_mem.memory.reading.queries import is_in
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.model.instants import iso
from langchain_mem.model.records import id_for, is_live
from langchain_mem.model.scopes import MEMORIES, Namespace, without_session
from langchain_mem.repository.living import DIGEST, said_in

_FEW: Final = 16  # texts that a store which looks up fields is asked for alone, where the owner's index is not held


class Placement(NamedTuple):
    """Where a text is to be: the memory that says it already, or an id that is free for it."""

    existing: Row | None
    free_id: str


async def find_places(settings: Settings, drafts: Sequence[Draft], now: datetime) -> list[Placement]:
    """For each draft the memory that says the same in the same home, live before dead, or a free id."""
    if not drafts:
        return []
    said = [_said(draft) for draft in drafts]
    rows = await _there(settings, said, now)
    known: dict[tuple[Namespace, str], Row] = {}
    for row in _live_last(rows.values(), now) if rows else ():
        known[row.address.namespace, row.value["digest"]] = row
    ids = await _free_ids(settings, drafts, [first.key for first, _ in said], rows, now)
    return [Placement(known.get((draft.home, draft.digest)), free) for draft, free in zip(drafts, ids, strict=True)]


def _said(draft: Draft) -> tuple[Address, str]:
    """The address of a draft's first id, and its digest."""
    digest = draft.digest
    return Address(draft.home, id_for(draft.home, draft.text)), digest


async def _there(settings: Settings, said: Sequence[tuple[Address, str]], now: datetime) -> dict[Address, Row]:
    """What has a draft's first id or, in its home, its text.

    Args:
        settings: Parts and policies.
        said: Of each draft the address of its first id, and its digest.
        now: The present.
    """
    homes = list(dict.fromkeys(first.namespace for first, _ in said))
    few = len(said) <= _FEW and settings.repo.looks_up
    livings = None if settings.owners is None else await settings.owners.current(homes, load=not few)
    if livings is None and few:
        same = await settings.repo.having(homes, DIGEST, [digest for _, digest in said], now)
        if same is not None:
            firsts = await settings.repo.read(list(dict.fromkeys(first for first, _ in said)), now)
            return {row.address: row for row in (*same, *firsts) if row is not None}
        livings = None if settings.owners is None else await settings.owners.current(homes)
    if livings is not None:
        addresses = said_in(livings, said)
        found = await settings.repo.read(addresses, now) if addresses else []
        return {row.address: row for row in found if row is not None} if found else {}
    found = await settings.repo.read(list(dict.fromkeys(first for first, _ in said)), now)
    for home in homes:
        digests = sorted({digest for first, digest in said if first.namespace == home})
        found += (await settings.repo.select([home], is_in("digest", digests), now))[0]
    return {row.address: row for row in found if row is not None}


def _live_last(rows: Iterable[Row], now: datetime) -> list[Row]:
    told = iso(now)
    return sorted(rows, key=lambda row: is_live(row.value, told))


async def _free_ids(
    settings: Settings, drafts: Sequence[Draft], firsts: Sequence[str], rows: dict[Address, Row], now: datetime
) -> list[str]:
    """For each draft the first id of its text that is not held by a memory which says something else by now.

    Args:
        settings: Parts and policies.
        drafts: The drafts.
        firsts: The first id of each.
        rows: What is there with these ids, or with the same texts.
        now: The present.
    """
    free: dict[int, str] = {}
    ids = dict(enumerate(firsts))
    for attempt in itertools.count(1):
        gone = await _moved_away(settings, [(drafts[number].home, ids[number]) for number in ids], now)
        for number, id_ in ids.items():
            row = rows.get(Address(drafts[number].home, id_))
            if id_ not in gone and (row is None or row.value["digest"] == drafts[number].digest):
                free[number] = id_
        left = [number for number in ids if number not in free]
        if not left:
            break
        ids = {number: id_for(drafts[number].home, drafts[number].text, attempt) for number in left}
        found = await settings.repo.read([Address(drafts[number].home, id_) for number, id_ in ids.items()], now)
        rows = {row.address: row for row in found if row is not None}
    return [free[number] for number in range(len(drafts))]


async def _moved_away(settings: Settings, ids: Sequence[tuple[Namespace, str]], now: datetime) -> set[str]:
    """Those ids of session notes whose memory was promoted meanwhile, and has taken its id along."""
    notes = [(home, key) for home, key in ids if home[1] == "run" or home[3] == "run"]
    if not notes:
        return set()
    owned = [Address(without_session(home), key) for home, key in notes if home[3] == "run"]
    alone = [key for home, key in notes if home[1] == "run"]  # the note of a run alone may have moved to anyone
    rows = await settings.repo.read(list(dict.fromkeys(owned)), now) if owned else []
    found = await settings.repo.find(alone, [(MEMORIES,)], now) if alone else {}
    moved = {key for key, row in found.items() if row.address.namespace[1] != "run"}
    return {row.address.key for row in rows if row is not None} | moved
