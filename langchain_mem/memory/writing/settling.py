"""What follows from a change: of one text one memory is live, and nothing shown rests on what is hidden.

twins      a memory that says the same as one that becomes live is superseded by it
profiles   sentences of a profile go with the memories they rest on
turns      a kept turn is hidden with the facts that cite it, and shown again with them
heard      the user whose words an agent keeps is told, so that erasing finds them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from langchain_mem.backends.base import Address, Row
from langchain_mem.memory.reading.queries import has_any, is_in
from langchain_mem.memory.writing.batch import Batch
from langchain_mem.memory.writing.cited import turns_to_settle
from langchain_mem.memory.writing.profiles import place_of_profile, without_what_changed
from langchain_mem.model.history import merged_away, never_was
from langchain_mem.model.records import StoredMemory, is_live
from langchain_mem.model.scopes import HEARD, INSTRUCTIONS, MEMORIES, Namespace, escape, reroot
from langchain_mem.repository.contract import Repository


async def settle(repo: Repository, batch: Batch) -> None:
    """Adds to a batch what follows from it.

    Args:
        repo: Where the memories are that it concerns.
        batch: What is to be written.
    """
    await _settle_twins(repo, batch)
    await _settle_profiles(repo, batch)
    await _settle_turns(repo, batch)
    _note_heard(batch)


async def _settle_twins(repo: Repository, batch: Batch) -> None:
    """Keeps one text of one home to one live memory: what becomes live here supersedes what says the same."""
    last: dict[tuple[Namespace, str], Address] = {}
    for address in batch.shown_anew:
        memory = batch.after.get(address)
        if address.namespace[0] != INSTRUCTIONS and memory is not None and is_live(memory, batch.now_iso):
            last[address.namespace, memory["digest"]] = address
    for home in dict.fromkeys(home for home, _ in last):
        said = sorted(digest for there, digest in last if there == home)
        rows, _ = await repo.select([home], is_in("digest", said), batch.now)
        here = [row for address, row in batch.rows.items() if address in batch.after and row.address == address]
        for row in {row.address: row for row in [*here, *rows]}.values():
            _settle_twin(batch, row, last)


def _settle_twin(batch: Batch, row: Row, last: Mapping[tuple[Namespace, str], Address]) -> None:
    memory = batch.current(row)
    by = last.get((row.address.namespace, memory["digest"]))
    if by is not None and by != row.address and is_live(memory, batch.now_iso):
        batch.change(row, "SUPERSEDE", state="superseded", superseded_by=by.key)


async def _settle_profiles(repo: Repository, batch: Batch) -> None:
    """Takes out of profiles what rests on memories that say something else now, or are shown no more."""
    changing = {place: now for place, now in batch.after.items() if _changes_profile(batch.before[place], place, now)}
    if not changing:
        return
    places = [place_of_profile(home) for home in sorted({place.namespace for place in changing})]
    for row in await repo.read(places, batch.now):
        if row is not None and row.address not in batch.after:
            after = {place.key: now for place, now in changing.items()}
            left = without_what_changed(cast(StoredMemory, row.value), after)
            if left is not None:
                batch.change(row, "UPDATE", reason="what it rested on has changed", **left)


def _changes_profile(before: StoredMemory, address: Address, now: StoredMemory) -> bool:
    shown = before["state"] == "live" and address.namespace[0] == MEMORIES
    return shown and (now["state"] != "live" or now["memory"] != before["memory"])


async def _settle_turns(repo: Repository, batch: Batch) -> None:
    """Hides the kept turns that facts retired here cite, and shows those of facts brought back."""
    if not any(memory["cites"] or batch.before[place]["cites"] for place, memory in batch.after.items()):
        return
    for home, states in turns_to_settle(batch.before, batch.after, batch.moved).items():
        found = await repo.find(states, [home], batch.now)
        retired = await _retired(repo, batch, home, [key for key, state in states.items() if state == "live"])
        for key, turn in found.items():
            state = "deleted" if key in retired else states[key]
            if batch.current(turn)["state"] != state:
                batch.change(turn, "DELETE" if state == "deleted" else "RESTORE", state=state)


async def _retired(repo: Repository, batch: Batch, home: Namespace, turns: Sequence[str]) -> set[str]:
    """Those of the turns that a fact which stays retired cites."""
    if not turns:
        return set()
    citing, _ = await repo.select([reroot(home, MEMORIES)], has_any("cites", turns), batch.now)
    gone = [memory for memory in map(batch.current, citing) if memory["state"] != "live"]
    gone = [memory for memory in gone if not merged_away(memory) and not never_was(memory)]
    return {key for memory in gone for key in memory["cites"]}


def _note_heard(batch: Batch) -> None:
    """Notes with each user which agents keep words that were said to the user, so that erasing finds them."""
    said = {(memory.get("said_to"), address.namespace[2]) for address, memory in batch.after.items()}
    for user_id, agent in said:
        if user_id is not None:
            batch.put(Address((HEARD, "user", escape(user_id)), agent), {"noted_at": batch.now_iso})
