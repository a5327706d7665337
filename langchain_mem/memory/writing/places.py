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
from langchain_mem.model.records import digest, id_for, is_live
from langchain_mem.model.scopes import MEMORIES, Namespace, without_session
from langchain_mem.repository.living import DIGEST, said_in

_FEW: Final = 16  # texts that a store which looks up fields is asked for alone, where the owner's index is not held


class Placement(NamedTuple):
    """Where a text is to be: the memory that says it already, or an id that is free for it."""

    existing: Row | None
    free_id: str
    digest: str
    """Of the text."""


async def find_places(settings: Settings, drafts: Sequence[Draft], now: datetime) -> list[Placement]:
    """For each draft the memory that says the same in the same home, live before dead, or a free id."""
    if not drafts:
        return []
    said, rows = await _said(settings, drafts, now)
    known: dict[tuple[Namespace, str], Row] = {}
    for row in _live_last(rows.values(), now) if rows else ():
        known[row.address.namespace, row.value["digest"]] = row
    ids = await _free_ids(settings, drafts, said, rows, now)
    return [
        Placement(known.get((first.namespace, digest)), free, digest)
        for (first, digest), free in zip(said, ids, strict=True)
    ]


async def _said(
    settings: Settings, drafts: Sequence[Draft], now: datetime
) -> tuple[list[tuple[Address, str]], dict[Address, Row]]:
    """Of each draft the address of its first id and its digest; and what has such an address or, there, such a text."""
    texts, each_home = [draft.text for draft in drafts], [draft.home for draft in drafts]
    homes, owners = list(dict.fromkeys(each_home)), settings.owners
    few = len(drafts) <= _FEW and settings.repo.looks_up
    livings = None if owners is None else await owners.current(homes, load=not few)
    firsts = map(Address, each_home, map(id_for, each_home, texts))
    said = list(zip(firsts, map(digest, texts), strict=True))
    if livings is None and few:
        rows = await _looked_up(settings, homes, said, now)
        if rows is not None:
            return said, rows
        livings = None if owners is None else await owners.current(homes)
    if livings is None:
        return said, await _selected(settings, homes, said, now)
    addresses = said_in(livings, said)
    return said, _by_address(await settings.repo.read(addresses, now)) if addresses else {}


def _by_address(rows: Iterable[Row | None]) -> dict[Address, Row]:
    """Those rows that are there, by where they are."""
    return {row.address: row for row in rows if row is not None}


async def _looked_up(
    settings: Settings, homes: Sequence[Namespace], said: Sequence[tuple[Address, str]], now: datetime
) -> dict[Address, Row] | None:
    """What is said there, from a store that looks it up; `None` where it would have to look at all it has."""
    same = await settings.repo.having(homes, DIGEST, [digest for _, digest in said], now)
    if same is None:
        return None
    firsts = await settings.repo.read(list(dict.fromkeys(first for first, _ in said)), now)
    return _by_address([*same, *firsts])


async def _selected(
    settings: Settings, homes: Sequence[Namespace], said: Sequence[tuple[Address, str]], now: datetime
) -> dict[Address, Row]:
    """What is said there, from a store that is asked home by home."""
    found = await settings.repo.read(list(dict.fromkeys(first for first, _ in said)), now)
    for home in homes:
        digests = sorted({digest for first, digest in said if first.namespace == home})
        found += (await settings.repo.select([home], is_in("digest", digests), now))[0]
    return _by_address(found)


def _live_last(rows: Iterable[Row], now: datetime) -> list[Row]:
    told = iso(now)
    return sorted(rows, key=lambda row: is_live(row.value, told))


async def _free_ids(
    settings: Settings,
    drafts: Sequence[Draft],
    said: Sequence[tuple[Address, str]],
    rows: dict[Address, Row],
    now: datetime,
) -> list[str]:
    """For each draft the first id of its text that is not held by a memory which says something else by now.

    Args:
        settings: Parts and policies.
        drafts: The drafts.
        said: Of each the address of its first id, and its digest.
        rows: What is there with these ids, or with the same texts.
        now: The present.
    """
    free: dict[int, str] = {}
    ids = {number: first.key for number, (first, _) in enumerate(said)}
    for attempt in itertools.count(1):
        gone = await _moved_away(settings, [(drafts[number].home, ids[number]) for number in ids], now)
        for number, id_ in ids.items():
            row = rows.get(Address(drafts[number].home, id_))
            if id_ not in gone and (row is None or row.value["digest"] == said[number][1]):
                free[number] = id_
        left = [number for number in ids if number not in free]
        if not left:
            break
        ids = {number: id_for(drafts[number].home, drafts[number].text, attempt) for number in left}
        found = await settings.repo.read([Address(drafts[number].home, id_) for number, id_ in ids.items()], now)
        rows = _by_address(found)
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
