"""The unit of work of one operation: what it changes, gathered first and written whole.

An operation reads rows, tells a `UnitOfWork` what becomes of them, and lets it `land`: memories, the turns they rest
on, and the journal with which all of it can be undone are one write of the store. The results of the operation are
noted on the way. `batch` holds what will be written, and `settling` adds what follows from it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.batch import Batch
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.memory.writing.journal import Done, by_owner
from langchain_mem.memory.writing.places import Placement, find_places
from langchain_mem.memory.writing.settling import settle
from langchain_mem.model.instants import iso, later
from langchain_mem.model.records import (
    AddedMemory,
    Event,
    Snapshot,
    Source,
    StoredMemory,
    complete,
    digest,
    id_for,
    is_live,
    source_of,
)
from langchain_mem.model.scopes import IDS, Namespace, Scope, ids_of, layer_of, owner_of

_REPEATABLE: Final = ("metadata", "categories", "useful_for", "expiration_date", "event_date", "event_end")


class UnitOfWork:
    """What one operation does to memories.

    Args:
        settings: Parts and policies.
        at: When it happens; for an import, when it happened.
        now: The present, where `at` lies before it: decides what is live.
        told: Both as text, where that is at hand.
        batch_id: What `undo` takes; unset, a new one.
        source: Which thread, checkpoint and messages it came from.
        before: What the journal says of the portions before this one.
        more: Whether portions follow.

    Attributes:
        results: What was done with each fact, in order.
        batch: What will be written.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        at: datetime,
        now: datetime | None = None,
        told: tuple[str, str] | None = None,
        batch_id: str | None = None,
        source: Source | None = None,
        before: Mapping[str, Any] | None = None,
        more: bool = False,
    ) -> None:
        self.at = at
        self.now = now or at
        self.batch_id = batch_id or uuid.uuid4().hex
        self.source = source or source_of()
        self.results: list[AddedMemory] = []
        self.batch = Batch(
            at=at,
            now=self.now,
            at_iso=told[0] if told else iso(at),
            now_iso=told[1] if told else iso(self.now),
            batch_id=self.batch_id,
            source=self.source,
            purge_after=settings.purge_after,
        )
        self._settings = settings
        self._journal = before
        self._more = more

    # What an operation does

    async def enter(self, drafts: Sequence[Draft]) -> list[StoredMemory]:
        """Adds facts, each as the memory that says the same already where there is one."""
        entered: dict[tuple[Namespace, str], StoredMemory] = {}
        places = await find_places(self._settings, drafts, self.now)
        for draft, place in zip(drafts, places, strict=True):
            said = (draft.home, place.digest)
            if said not in entered:
                entered[said] = self.add(draft, place.existing, memory_id=place.free_id, said=place.digest)
        return [entered[draft.home, place.digest] for draft, place in zip(drafts, places, strict=True)]

    def add(
        self, draft: Draft, existing: Row | None = None, *, memory_id: str | None = None, said: str | None = None
    ) -> StoredMemory:
        """Adds a fact, or notes that it is known, or makes it live again.

        Args:
            draft: The fact.
            existing: The memory that has its id or its text already.
            memory_id: A free id for it; unset, the text's own.
            said: The digest of its text, where that is known.
        """
        if existing is None:
            memory = self._created(draft, memory_id or id_for(draft.home, draft.text), said or digest(draft.text))
            self.batch.used[Address(draft.home, memory["id"])] = None
            self._note(memory, "ADD")
            return memory
        if is_live(self.batch.current(existing), self.batch.now_iso):
            return self._restate(draft, existing)
        memory = self.batch.change(
            existing, "ADD", use=True, state="live", superseded_by=None, memory=draft.text, **draft.told()
        )
        self._note(memory, "ADD")
        return memory

    def update(self, row: Row, /, *, event: str = "UPDATE", reason: str | None = None, **fields: Any) -> StoredMemory:
        """Changes a memory; a new text is a use of it, and embedded."""
        before = self.batch.current(row)["memory"]
        if fields.get("memory", before) != before:
            self.batch.shown_anew[row.address] = None
        memory = self.batch.change(row, event, use=fields.get("memory", before) != before, reason=reason, **fields)
        self._note(memory, "UPDATE", before)
        return memory

    def merge(self, rows: Sequence[Row], draft: Draft, place: Placement, *, reason: str | None = None) -> StoredMemory:
        """Puts several memories into one that says all of them. It is as old, and as much used, as they are.

        Args:
            rows: The memories.
            draft: What says all of them.
            place: Where it is to be; the place of one of them, where that says it already.
            reason: Why.
        """
        olds = [self.batch.current(row) for row in rows]
        memory = self.add(draft, place.existing, memory_id=place.free_id)
        address = Address(draft.home, memory["id"])
        if address in self.batch.after:
            first, last = min(old["created_at"] for old in olds), max(old["updated_at"] for old in olds)
            self.batch.after[address] = memory = cast(StoredMemory, {**memory, "created_at": first, "updated_at": last})
        self.batch.used.pop(address, None)
        self.batch.touches[address] = tuple(sorted(touch for row in rows for touch in row.touches))
        for row in rows:
            if row.value["id"] != memory["id"]:
                self.batch.change(row, "MERGE", reason=reason, state="superseded", superseded_by=memory["id"])
        return memory

    def supersede(self, row: Row, by: StoredMemory, *, reason: str | None = None) -> None:
        """Retires a memory in favor of a newer one; notes it on the newer one's result."""
        before = self.batch.current(row)["memory"]
        self.batch.change(row, "SUPERSEDE", reason=reason, state="superseded", superseded_by=by["id"])
        for result in self.results:
            if result["id"] == by["id"]:
                result["event"], result["previous_memory"] = "SUPERSEDE", before

    def close(self, row: Row, *, reason: str | None = None) -> None:
        """Ends a memory now: its plan is done or dropped, and nothing takes its place."""
        before = self.batch.current(row)["memory"]
        memory = self.batch.change(row, "UPDATE", reason=reason or "closed", expiration_date=self.batch.at_iso)
        self._note(memory, "UPDATE", before)

    def delete(self, row: Row, *, reason: str | None = None) -> None:
        """Hides a memory; it can be restored until it is purged."""
        before = self.batch.current(row)["memory"]
        memory = self.batch.change(row, "DELETE", reason=reason, state="deleted")
        self._note(memory, "DELETE", before)

    def keep(self, row: Row) -> None:
        """Notes that a fact is known, which is a use of it."""
        self.batch.used[row.address] = None
        self._note(row.value, "NONE")

    def revert(self, row: Row, to: Snapshot, *, event: str, version: int | None = None) -> StoredMemory:
        """Puts a memory back to what it was; an undo says to which version."""
        self.batch.shown_anew[row.address] = None
        return self.batch.change(row, event, use=to["state"] == "live", back_to=version, **to)

    def move(
        self, row: Row, home: Namespace, *, event: str = "PROMOTE", version: int | None = None, **fields: Any
    ) -> StoredMemory:
        """Puts a memory in another home, with its id and history; an undo says to which version it goes back."""
        ids: dict[str, Any] = dict.fromkeys(IDS) | ids_of(home)
        moved = self.batch.change(row, event, back_to=version, **{**fields, **ids, "layer": str(layer_of(home))})
        self.batch.relocate(row, home, moved)
        self._note(moved, "UPDATE", moved["memory"])
        return moved

    def turn(self, draft: Draft) -> str:
        """Keeps a turn as evidence and says its id. The same turn is kept once."""
        memory_id = id_for(draft.home, f"{draft.group}\x1f{draft.position}\x1f{draft.text}")
        if Address(draft.home, memory_id) not in self.batch.after:
            self._created(draft, memory_id, digest(draft.text))
        return memory_id

    # What comes of it

    async def land(self, owner: Scope | None = None, *, event: str) -> None:
        """Writes all of it, with what follows from it, and reports it under the name of the operation.

        Args:
            owner: Under whom the journal notes it; unset, the owner of the first memory that changes.
            event: The operation.

        Raises:
            Conflict: A memory was changed by others meanwhile; nothing was written.
        """
        owner = owner or self._owner()
        await self.save(None if owner is None else owner.home())
        ids = owner.ids() if owner else {}
        self._settings.activity.record(event, self.batch.now_iso, ids, batch_id=self.batch_id, results=self.results)

    async def save(self, home: Namespace | None, beside: Iterable[Write] = ()) -> None:
        """Writes all of it, notes which memories it used, and removes a little of what may go.

        The operation reports it itself.

        Args:
            home: As for `writes`.
            beside: What else is written in the same batch.
        """
        self.batch.others += beside
        writes = await self.writes(home)
        if not writes:
            return
        await self._settings.repo.write(writes, self.now)
        await self._settings.tidy(self.now)
        if used := self.batch.used.keys() - self.batch.after.keys():
            self._settings.touches.record(used, self.now)

    async def writes(self, home: Namespace | None = None) -> list[Write]:
        """Everything that is to be written.

        Args:
            home: Of whom the change is noted under, so that it can be undone, and under each other owner whose memories
                change; `None` for no note.
        """
        batch = self.batch
        await settle(self._settings.repo, batch)
        if home is not None and (batch.after or self.results or self._journal):
            grace = self._settings.purge_after
            until = None if grace is None else later(self.at, grace)
            parts = by_owner(home, self.source, batch.after)
            before = {} if self._journal is None else await self._noted(self._journal, list(parts))
            done = Done(self.batch_id, batch.at_iso, self.source, batch.after, batch.moved, self.results)
            for place, entry in done.entries(parts, before, more=self._more).items():
                batch.put(place, entry, expires_at=until)
        return batch.writes()

    async def _noted(self, first: Mapping[str, Any], places: Sequence[Namespace]) -> dict[Namespace, Mapping[str, Any]]:
        """What the portions before this one noted, by place: what they noted at the first is known."""
        rows = await self._settings.repo.read([Address(place, self.batch_id) for place in places[1:]], self.now)
        return {places[0]: first, **{row.address.namespace: row.value for row in rows if row is not None}}

    def _owner(self) -> Scope | None:
        """The owner of the first memory that changes; `None` where none does."""
        return next(map(_owner, self.batch.after), None)

    def _created(self, draft: Draft, memory_id: str, said: str) -> StoredMemory:
        """A memory that is made of a fact."""
        memory = draft.stored(memory_id, said, now=self.batch.at_iso, batch_id=self.batch_id, source=self.source)
        address = Address(draft.home, memory_id)
        self.batch.before[address] = self.batch.after[address] = memory
        return memory

    def _restate(self, draft: Draft, existing: Row) -> StoredMemory:
        """A known fact again: only what the repetition brings beside the text is applied."""
        now = self.batch.current(existing)
        news = {key: value for key, value in draft.told().items() if key in _REPEATABLE and value}
        if "metadata" in news:
            news["metadata"] = {**now["metadata"], **news["metadata"]}
        news |= _settled_doubt(draft)
        if draft.cites:
            news["cites"] = list(dict.fromkeys([*now["cites"], *draft.cites]))
        known: Mapping[str, Any] = complete(now)
        if all(known[key] == value for key, value in news.items()):
            self.keep(existing)
            return now
        memory = self.batch.change(existing, "UPDATE", use=True, **news)
        self._note(memory, "UPDATE", now["memory"])
        return memory

    def _note(self, memory: StoredMemory, event: Event, previous: str | None = None) -> None:
        result: AddedMemory = {"id": memory["id"], "memory": memory["memory"], "event": event}
        if doubt := memory.get("doubt"):
            result["doubt"] = doubt
        if previous is not None and event in ("UPDATE", "DELETE"):
            result["previous_memory"] = previous
        self.results.append(result)


def _settled_doubt(draft: Draft) -> dict[str, Any]:
    """What a repetition says of how sure a fact is: it may settle a doubt and add importance, no more."""
    news: dict[str, Any] = {"importance": "always"} if draft.importance == "always" else {}
    if draft.confidence is not None and draft.doubt is None:
        news |= {"confidence": draft.confidence, "doubt": None}
    return news


def _owner(address: Address) -> Scope:
    """Whose the memory at an address is."""
    kind, owner_id, _ = owner_of(address.namespace)
    return Scope(**{f"{kind}_id": owner_id})
