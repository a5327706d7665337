"""The unit of work of one operation: what it changes, gathered first and written whole.

An operation reads rows, tells a `Changes` what becomes of them, and lets it `land`: memories, the turns they rest on,
and the journal with which the batch can be undone are one write of the store. The results of the operation are noted on
the way.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

from langchain_mem.backends.base import Address, Row, Write, no_vectors
from langchain_mem.memory.reading.queries import has_any, is_in
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.cited import turns_to_settle
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.memory.writing.journal import Done, by_owner
from langchain_mem.memory.writing.places import Placement, find_places
from langchain_mem.memory.writing.profiles import place_of_profile, without_what_changed
from langchain_mem.model.history import changed, merged_away, never_was
from langchain_mem.model.instants import TICK, iso, later, parse_iso
from langchain_mem.model.records import (
    AddedMemory,
    Event,
    Snapshot,
    Source,
    StoredMemory,
    complete,
    content,
    digest,
    gone_at,
    id_for,
    is_live,
    source_of,
)
from langchain_mem.model.scopes import (
    HEARD,
    IDS,
    INSTRUCTIONS,
    MEMORIES,
    Namespace,
    Scope,
    escape,
    ids_of,
    layer_of,
    owner_of,
    reroot,
)
from langchain_mem.store.vectorizer import Vector

_REPEATABLE: Final = ("metadata", "categories", "expiration_date", "event_date", "event_end")


class Changes:
    """What one operation does to memories.

    Args:
        settings: Parts and policies.
        at: When it happens; for an import, when it happened.
        now: The present, where `at` lies before it: decides what is live.
        batch_id: What `undo` takes; unset, a new one.
        source: Which thread, checkpoint and messages it came from.
        before: What the journal says of the portions before this one.
        more: Whether portions follow.

    Attributes:
        results: What was done with each fact, in order.
        vectors: Embeddings that are known already, by the `content` they are of.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        at: datetime,
        now: datetime | None = None,
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
        self.vectors: Mapping[str, Vector] = {}
        self._settings = settings
        self._at, self._now = iso(self.at), iso(self.now)
        grace = settings.purge_after
        self._noted_until = None if grace is None else later(self.at, grace)
        self._journal = before
        self._more = more
        self._rows: dict[Address, Row] = {}
        self._before: dict[Address, StoredMemory] = {}
        self._after: dict[Address, StoredMemory] = {}
        self._used: dict[Address, None] = {}
        self._touches: dict[Address, tuple[datetime, ...]] = {}
        self._moved: list[tuple[Namespace, Namespace, str]] = []
        self._shown_anew: dict[Address, None] = {}
        self._others: list[Write] = []

    # What an operation does

    async def enter(self, drafts: Sequence[Draft]) -> list[StoredMemory]:
        """Adds facts, each as the memory that says the same already where there is one."""
        entered: dict[tuple[Namespace, str], StoredMemory] = {}
        for draft, place in zip(drafts, await find_places(self._settings, drafts, self.now), strict=True):
            said = (draft.home, draft.digest)
            if said not in entered:
                entered[said] = self.add(draft, place.existing, memory_id=place.free_id)
        return [entered[draft.home, draft.digest] for draft in drafts]

    def add(self, draft: Draft, existing: Row | None = None, *, memory_id: str | None = None) -> StoredMemory:
        """Adds a fact, or notes that it is known, or makes it live again.

        Args:
            draft: The fact.
            existing: The memory that has its id or its text already.
            memory_id: A free id for it; unset, the text's own.
        """
        if existing is None:
            return self._create(draft, memory_id or id_for(draft.home, draft.text))
        if is_live(self.current(existing), self._now):
            return self._restate(draft, existing)
        memory = self._change(
            existing, "ADD", use=True, state="live", superseded_by=None, memory=draft.text, **draft.told()
        )
        self._note(memory, "ADD")
        return memory

    def update(self, row: Row, /, *, event: str = "UPDATE", reason: str | None = None, **fields: Any) -> StoredMemory:
        """Changes a memory; a new text is a use of it, and embedded."""
        before = self.current(row)["memory"]
        if fields.get("memory", before) != before:
            self._shown_anew[row.address] = None
        memory = self._change(row, event, use=fields.get("memory", before) != before, reason=reason, **fields)
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
        olds = [self.current(row) for row in rows]
        memory = self.add(draft, place.existing, memory_id=place.free_id)
        address = Address(draft.home, memory["id"])
        if address in self._after:
            first, last = min(old["created_at"] for old in olds), max(old["updated_at"] for old in olds)
            self._after[address] = memory = cast(StoredMemory, {**memory, "created_at": first, "updated_at": last})
        self._used.pop(address, None)
        self._touches[address] = tuple(sorted(touch for row in rows for touch in row.touches))
        for row in rows:
            if row.value["id"] != memory["id"]:
                self._change(row, "MERGE", reason=reason, state="superseded", superseded_by=memory["id"])
        return memory

    def supersede(self, row: Row, by: StoredMemory, *, reason: str | None = None) -> None:
        """Retires a memory in favor of a newer one; notes it on the newer one's result."""
        before = self.current(row)["memory"]
        self._change(row, "SUPERSEDE", reason=reason, state="superseded", superseded_by=by["id"])
        for result in self.results:
            if result["id"] == by["id"]:
                result["event"], result["previous_memory"] = "SUPERSEDE", before

    def close(self, row: Row, *, reason: str | None = None) -> None:
        """Ends a memory now: its plan is done or dropped, and nothing takes its place."""
        before = self.current(row)["memory"]
        memory = self._change(row, "UPDATE", reason=reason or "closed", expiration_date=self._at)
        self._note(memory, "UPDATE", before)

    def delete(self, row: Row, *, reason: str | None = None) -> None:
        """Hides a memory; it can be restored until it is purged."""
        before = self.current(row)["memory"]
        memory = self._change(row, "DELETE", reason=reason, state="deleted")
        self._note(memory, "DELETE", before)

    def keep(self, row: Row) -> None:
        """Notes that a fact is known, which is a use of it."""
        self._used[row.address] = None
        self._note(row.value, "NONE")

    def revert(self, row: Row, to: Snapshot, *, event: str, version: int | None = None) -> StoredMemory:
        """Puts a memory back to what it was; an undo says to which version."""
        self._shown_anew[row.address] = None
        return self._change(row, event, use=to["state"] == "live", back_to=version, **to)

    def move(
        self, row: Row, home: Namespace, *, event: str = "PROMOTE", version: int | None = None, **fields: Any
    ) -> StoredMemory:
        """Puts a memory in another home, with its id and history; an undo says to which version it goes back."""
        ids: dict[str, Any] = dict.fromkeys(IDS) | ids_of(home)
        moved = self._change(row, event, back_to=version, **{**fields, **ids, "layer": str(layer_of(home))})
        del self._after[row.address]
        self._moved.append((row.address.namespace, home, row.address.key))
        self._others.append(Write.delete(row.address, expects=row.revision))
        address = Address(home, row.address.key)
        self._shown_anew[address] = None
        self._rows[address], self._before[address], self._after[address] = row, moved, moved
        self._note(moved, "UPDATE", moved["memory"])
        return moved

    def turn(self, draft: Draft) -> str:
        """Keeps a turn as evidence and says its id. The same turn is kept once."""
        memory_id = id_for(draft.home, f"{draft.group}\x1f{draft.position}\x1f{draft.text}")
        if Address(draft.home, memory_id) not in self._after:
            self._first(draft, memory_id)
        return memory_id

    def copy_turn(self, turn: Row, home: Namespace) -> None:
        """Keeps a turn in another home as well, for as long as facts there cite it."""
        value = {**turn.value, **dict.fromkeys(IDS), **ids_of(home), "expiration_date": None}
        row = self._row(Address(home, turn.address.key), cast(StoredMemory, value))
        self._others.append(Write.put(row, before=turn))

    def put(self, address: Address, value: Mapping[str, Any], *, expires_at: datetime | None = None) -> None:
        """Writes something that is no memory in the same batch."""
        row = Row(address=address, value=value, created_at=self.now, updated_at=self.now, expires_at=expires_at)
        self._others.append(Write.put(row, before=None))

    def also(self, writes: Iterable[Write]) -> None:
        """Writes something beside the memories in the same batch."""
        self._others += writes

    def current(self, row: Row) -> StoredMemory:
        """A memory as it will be."""
        changed_already = self._after.get(row.address)
        return cast(StoredMemory, row.value) if changed_already is None else changed_already

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
        await self.save(owner)
        ids = owner.ids() if owner else {}
        self._settings.activity.record(event, self._now, ids, batch_id=self.batch_id, results=self.results)

    async def save(self, owner: Scope | None) -> None:
        """Writes all of it, notes which memories it used, and removes a little of what may go.

        The operation reports it itself.
        """
        writes = await self.batch(owner)
        if not writes:
            return
        await self._settings.repo.write(writes, self.now)
        await self._settings.tidy(self.now)
        if used := self._used.keys() - self._after.keys():
            self._settings.touches.record(used, self.now)

    async def batch(self, journal: Scope | None = None) -> list[Write]:
        """The batch to write.

        Args:
            journal: Under whom to note what was changed, so that it can be undone; `None` for no note.
        """
        await self._settle_twins()
        await self._settle_profiles()
        await self._settle_turns()
        self._note_heard()
        writes = [self._write(place, *changed) for place, changed in enumerate(self._after.items())]
        if journal is not None and (writes or self.results or self._journal):
            await self._put_journal(journal)
        return [*writes, *self._others]

    async def _settle_twins(self) -> None:
        """Keeps one text of one home to one live memory: what becomes live here supersedes what says the same."""
        last: dict[tuple[Namespace, str], Address] = {}
        for address in self._shown_anew:
            memory = self._after.get(address)
            if address.namespace[0] != INSTRUCTIONS and memory is not None and is_live(memory, self._now):
                last[address.namespace, memory["digest"]] = address
        for home in dict.fromkeys(home for home, _ in last):
            said = sorted(digest for there, digest in last if there == home)
            rows, _ = await self._settings.repo.select([home], is_in("digest", said), self.now)
            here = [row for address, row in self._rows.items() if address in self._after and row.address == address]
            for row in {row.address: row for row in [*here, *rows]}.values():
                self._settle_twin(row, last)

    def _settle_twin(self, row: Row, last: Mapping[tuple[Namespace, str], Address]) -> None:
        memory = self.current(row)
        by = last.get((row.address.namespace, memory["digest"]))
        if by is not None and by != row.address and is_live(memory, self._now):
            self._change(row, "SUPERSEDE", state="superseded", superseded_by=by.key)

    def _note_heard(self) -> None:
        """Notes with each user which agents keep words that were said to the user, so that erasing finds them."""
        said = {(memory.get("said_to"), address.namespace[2]) for address, memory in self._after.items()}
        for user_id, agent in said:
            if user_id is not None:
                self.put(Address((HEARD, "user", escape(user_id)), agent), {"noted_at": self._now})

    async def _put_journal(self, owner: Scope) -> None:
        """Notes the batch under each owner whose memories it changes."""
        parts = by_owner(owner.home(), self.source, self._after)
        before = {} if self._journal is None else await self._noted(self._journal, list(parts))
        done = Done(self.batch_id, self._at, self.source, self._after, self._moved, self.results)
        for place, entry in done.entries(parts, before, more=self._more).items():
            self.put(place, entry, expires_at=self._noted_until)

    async def _noted(self, first: Mapping[str, Any], places: Sequence[Namespace]) -> dict[Namespace, Mapping[str, Any]]:
        """What the portions before this one noted, by place: what they noted at the first is known."""
        rows = await self._settings.repo.read([Address(place, self.batch_id) for place in places[1:]], self.now)
        return {places[0]: first, **{row.address.namespace: row.value for row in rows if row is not None}}

    async def _settle_profiles(self) -> None:
        """Takes out of profiles what rests on memories that say something else now, or are shown no more."""
        changing = {place: now for place, now in self._after.items() if self._changes_profile(place, now)}
        if not changing:
            return
        places = [place_of_profile(home) for home in sorted({place.namespace for place in changing})]
        for row in await self._settings.repo.read(places, self.now):
            if row is not None and row.address not in self._after:
                after = {place.key: now for place, now in changing.items()}
                left = without_what_changed(cast(StoredMemory, row.value), after)
                if left is not None:
                    self._change(row, "UPDATE", reason="what it rested on has changed", **left)

    def _changes_profile(self, address: Address, now: StoredMemory) -> bool:
        before = self._before[address]
        shown = before["state"] == "live" and address.namespace[0] == MEMORIES
        return shown and (now["state"] != "live" or now["memory"] != before["memory"])

    async def _settle_turns(self) -> None:
        """Hides the kept turns that facts retired here cite, and shows those of facts brought back."""
        if not any(memory["cites"] or self._before[place]["cites"] for place, memory in self._after.items()):
            return
        for home, states in turns_to_settle(self._before, self._after, self._moved).items():
            found = await self._settings.repo.find(states, [home], self.now)
            retired = await self._retired(home, [key for key, state in states.items() if state == "live"])
            for key, turn in found.items():
                state = "deleted" if key in retired else states[key]
                if self.current(turn)["state"] != state:
                    self._change(turn, "DELETE" if state == "deleted" else "RESTORE", state=state)

    async def _retired(self, home: Namespace, turns: Sequence[str]) -> set[str]:
        """Those of the turns that a fact which stays retired cites."""
        if not turns:
            return set()
        citing, _ = await self._settings.repo.select([reroot(home, MEMORIES)], has_any("cites", turns), self.now)
        gone = [memory for memory in map(self.current, citing) if memory["state"] != "live"]
        gone = [memory for memory in gone if not merged_away(memory) and not never_was(memory)]
        return {key for memory in gone for key in memory["cites"]}

    def _owner(self) -> Scope | None:
        """The owner of the first memory that changes; `None` where none does."""
        return next(map(_owner, self._after), None)

    def _create(self, draft: Draft, memory_id: str) -> StoredMemory:
        memory = self._first(draft, memory_id)
        self._used[Address(draft.home, memory_id)] = None
        self._note(memory, "ADD")
        return memory

    def _first(self, draft: Draft, memory_id: str) -> StoredMemory:
        memory = draft.stored(memory_id, now=self._at, batch_id=self.batch_id, source=self.source)
        address = Address(draft.home, memory_id)
        self._before[address] = self._after[address] = memory
        return memory

    def _restate(self, draft: Draft, existing: Row) -> StoredMemory:
        """A known fact again: only what the repetition brings beside the text is applied."""
        now = self.current(existing)
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
        memory = self._change(existing, "UPDATE", use=True, **news)
        self._note(memory, "UPDATE", now["memory"])
        return memory

    def _change(
        self,
        row: Row,
        event: str,
        /,
        *,
        use: bool = False,
        reason: str | None = None,
        back_to: int | None = None,
        **fields: Any,
    ) -> StoredMemory:
        before = self.current(row)
        if "memory" in fields:
            fields["digest"] = digest(fields["memory"])
        memory = changed(
            complete(before),
            event,
            now=max(self._at, before["updated_at"]),  # an import tells of the past, and a history goes forward
            batch_id=self.batch_id,
            source=self.source,
            reason=reason,
            back_to=back_to,
            **fields,
        )
        if row.address not in self._before:
            self._rows[row.address], self._before[row.address] = row, row.value
        self._after[row.address] = memory
        if use:
            self._used[row.address] = None
        return memory

    def _note(self, memory: StoredMemory, event: Event, previous: str | None = None) -> None:
        result: AddedMemory = {"id": memory["id"], "memory": memory["memory"], "event": event}
        if doubt := memory.get("doubt"):
            result["doubt"] = doubt
        if previous is not None and event in ("UPDATE", "DELETE"):
            result["previous_memory"] = previous
        self.results.append(result)

    def _write(self, place: int, address: Address, memory: StoredMemory) -> Write:
        before = self._rows.get(address)
        touches = self._touches.get(address, before.touches if before else ())
        row = self._row(address, memory, (*touches, self.at) if address in self._used else touches, before)
        # memories of one batch share an instant; this keeps the order in which they were said
        row = replace(row, updated_at=row.updated_at + place * TICK)
        here = before is not None and before.address == address
        return Write.put(row, expects=before.revision if before and here else None, before=before)

    def _row(
        self, address: Address, memory: StoredMemory, touches: Sequence[datetime] = (), before: Row | None = None
    ) -> Row:
        """A memory as it is stored. The store embeds its words where nobody has yet."""
        text, gone = content(memory), gone_at(memory, self._settings.purge_after)
        shown = memory["state"] != "deleted" and address.namespace[0] != INSTRUCTIONS
        vector = self.vectors.get(text) if shown else None
        return Row(
            address=address,
            value=memory,
            created_at=before.created_at if before else self.now,
            updated_at=self.at if memory["updated_at"] == self._at else parse_iso(memory["updated_at"]),
            expires_at=gone,
            texts=(text,) if shown else (),
            vectors=no_vectors() if vector is None else vector[None],
            touches=tuple(touches),
        )


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
