"""Changes to memories that land together: their results, their history, and the journal that can undo them.

A `Ledger` collects what one operation does. It is pure: it reads nothing and writes nothing, and `saves()` is the
batch to hand to a repository.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from langchain_mem.backends.base import Address, Unconditional
from langchain_mem.memory.repository import Kept, Save
from langchain_mem.model.history import changed
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import (
    AddedMemory,
    Event,
    Snapshot,
    Source,
    State,
    StoredMemory,
    digest,
    id_for,
    source_of,
)
from langchain_mem.model.scopes import BATCHES, TURNS, Layer, Namespace, Scope, escape, ids_of, owner_of, reroot
from langchain_mem.ranking.relevance import dated


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A memory to be.

    Attributes:
        home: Its namespace.
        text: The fact.
        metadata: The user's own data.
        categories: Names.
        confidence: 0 to 1, where a model gave one.
        event_date: ISO text.
        expiration_date: ISO text.
        cites: Ids of the turns it rests on.
        group: The session or thread it stood in.
        position: Where in it; sorts as text.
        role: Who said it, for a verbatim turn.
        schema: The schema it is a document of.
        relates_to: Ids of memories it is connected with.
    """

    home: Namespace
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: Sequence[str] = ()
    confidence: float | None = None
    event_date: str | None = None
    expiration_date: str | None = None
    cites: Sequence[str] = ()
    group: str | None = None
    position: str = ""
    role: str | None = None
    schema: str | None = None
    relates_to: Sequence[str] = ()


class Ledger:
    """What one operation does to memories.

    Args:
        at: When it happens; for an import, when it happened.
        batch_id: What `undo` takes.
        source: Which thread, checkpoint and messages it came from.
        purge_after: How long what is expired, superseded or deleted stays; `None` for ever.
        now: The present, where `at` lies before it: decides what is live.

    Attributes:
        results: What was done with each fact, in order.
        vectors: Embeddings that are known already, by the `content` they are of.
    """

    def __init__(
        self,
        *,
        at: datetime,
        batch_id: str,
        source: Source | None = None,
        purge_after: timedelta | None = None,
        now: datetime | None = None,
    ) -> None:
        self.at = at
        self.now = now or at
        self.batch_id = batch_id
        self.source = source or source_of()
        self.results: list[AddedMemory] = []
        self.vectors: Mapping[str, NDArray[np.float32]] = {}
        self._purge_after = purge_after
        self._before: dict[Address, Kept] = {}
        self._after: dict[Address, StoredMemory] = {}
        self._used: dict[Address, None] = {}
        self._moved: list[tuple[Namespace, Namespace, str]] = []
        self._others: list[Save] = []

    @property
    def changes(self) -> int:
        """How many memories change."""
        return len(self._after)

    def add(self, draft: Draft, existing: Kept | None = None, *, memory_id: str | None = None) -> StoredMemory:
        """Adds a fact, or notes that it is known, or makes it live again.

        Args:
            draft: The fact.
            existing: The memory that has its id or its text already.
            memory_id: A free id for it; unset, the text's own.
        """
        if existing is None:
            memory = self._create(draft, memory_id or id_for(draft.home, draft.text))
        elif self._is_live(existing):
            memory = self._restate(draft, existing)
        else:
            memory = self._change(
                existing, "ADD", use=True, state="live", superseded_by=None, memory=draft.text, **_told(draft)
            )
            self._note(memory, "ADD")
        return memory

    def update(self, kept: Kept, /, *, event: str = "UPDATE", reason: str | None = None, **fields: Any) -> StoredMemory:
        """Changes a memory; a new text is a use of it, and embedded."""
        before = self.current(kept)["memory"]
        memory = self._change(kept, event, use=fields.get("memory", before) != before, reason=reason, **fields)
        self._note(memory, "UPDATE", before)
        return memory

    def supersede(self, kept: Kept, by: StoredMemory, *, reason: str | None = None) -> None:
        """Retires a memory in favor of a newer one; notes it on the newer one's result."""
        before = self.current(kept)["memory"]
        self._change(kept, "SUPERSEDE", reason=reason, state="superseded", superseded_by=by["id"])
        for result in self.results:
            if result["id"] == by["id"]:
                result["event"], result["previous_memory"] = "SUPERSEDE", before

    def delete(self, kept: Kept, *, reason: str | None = None) -> None:
        """Hides a memory; it can be restored until it is purged."""
        before = self.current(kept)["memory"]
        memory = self._change(kept, "DELETE", reason=reason, state="deleted")
        self._note(memory, "DELETE", before)

    def keep(self, kept: Kept) -> None:
        """Notes that a fact is known, which is a use of it."""
        self._used[kept.address] = None
        self._note(kept.memory, "NONE")

    def revert(self, kept: Kept, to: Snapshot, *, event: str) -> StoredMemory:
        """Puts a memory back to what it was."""
        return self._change(kept, event, use=to["state"] == "live", **to)

    def move(self, kept: Kept, home: Namespace, *, event: str = "PROMOTE", **fields: Any) -> StoredMemory:
        """Puts a memory in another home, with its id and history."""
        ids: dict[str, Any] = dict.fromkeys(_IDS) | ids_of(home)
        moved = self._change(kept, event, **{**fields, **ids, "layer": str(_layer(home))})
        del self._after[kept.address]
        self._moved.append((kept.address.namespace, home, kept.address.key))
        self._others.append(Save(address=kept.address, value=None, expects=_expected(kept)))
        address = Address(home, kept.address.key)
        self._after[address] = moved
        self._before[address] = Kept(moved, address, None, kept.vector, kept.touches)
        self._note(moved, "UPDATE", moved["memory"])
        return moved

    def copy_turn(self, turn: Kept, home: Namespace) -> None:
        """Keeps a turn in another home as well, for as long as facts there cite it."""
        ids: dict[str, Any] = dict.fromkeys(_IDS) | ids_of(home)
        value = {**turn.memory, **ids, "expiration_date": None}
        self._others.append(
            Save(address=Address(home, turn.address.key), value=value, text=content(value), vector=turn.vector)
        )

    def turn(self, draft: Draft) -> str:
        """Keeps a turn as evidence and says its id. The same turn is kept once."""
        memory_id = id_for(draft.home, f"{draft.group}\x1f{draft.position}\x1f{draft.text}")
        address = Address(draft.home, memory_id)
        if address not in self._after:
            self._after[address] = self._fresh(draft, memory_id)
            self._before[address] = Kept(self._after[address], address, None)
        return memory_id

    def retire(self, turn: Kept, state: State) -> None:
        """Hides a kept turn with the fact that cites it, or shows it again with it."""
        if self.current(turn)["state"] != state:
            self._change(turn, "DELETE" if state == "deleted" else "RESTORE", state=state)

    def current(self, kept: Kept) -> StoredMemory:
        """A memory as it will be."""
        return self._after.get(kept.address, kept.memory)

    def owner(self) -> Scope | None:
        """The owner of the first memory that changes; `None` where none does."""
        for address in self._after:
            kind, owner_id, _ = owner_of(address.namespace)
            return Scope(**{f"{kind}_id": owner_id})
        return None

    def turns_to_settle(self) -> dict[Namespace, dict[str, State]]:
        """The kept turns whose facts were hidden or shown again, by where they lie: ids and the state to bring them to.

        A turn that some retired fact cites is hidden, whatever else cites it.
        """
        wanted: dict[Namespace, dict[str, State]] = {}
        for address, memory in self._after.items():
            if address.namespace[0] == TURNS:
                continue
            turns = wanted.setdefault(reroot(address.namespace, TURNS), {})
            before, after = _shown_by(self._before[address].memory), _shown_by(memory)
            turns |= dict.fromkeys((key for key in after if key not in before and key not in turns), "live")
            turns |= dict.fromkeys((key for key in before if key not in after), "deleted")
        for here, there, key in self._moved:
            cited = _shown_by(self._after[Address(there, key)])
            wanted.setdefault(reroot(here, TURNS), {}).update(dict.fromkeys(cited, "deleted"))
            wanted.setdefault(reroot(there, TURNS), {}).update(dict.fromkeys(cited, "live"))
        return {home: turns for home, turns in wanted.items() if turns}

    def put(self, address: Address, value: Mapping[str, Any] | None, *, expires_at: datetime | None = None) -> None:
        """Writes something that is no memory in the same batch."""
        self._others.append(Save(address=address, value=value, expires_at=expires_at))

    def saves(self, journal: Scope | None = None) -> list[Save]:
        """The batch to write.

        Args:
            journal: Under whom to note what was changed, so that it can be undone; `None` for no note.
        """
        saves = [self._save(address, memory) for address, memory in self._after.items()]
        if journal is not None and (saves or self.results):
            value = self.journal_entry()
            self.put(journal_address(journal, self.source, self.batch_id), value, expires_at=self._later(self.at))
        return [*saves, *self._others]

    def uses(self) -> dict[Address, Sequence[datetime]]:
        """Memories that were used without being changed."""
        return {address: (self.at,) for address in self._used if address not in self._after}

    def journal_entry(self) -> dict[str, Any]:
        """What undoing and repeating this batch takes."""
        memories = [[list(address.namespace), address.key] for address in self._after if address.namespace[0] != TURNS]
        return {
            "batch_id": self.batch_id,
            "created_at": iso(self.at),
            "source": self.source,
            "memories": memories,
            "moved": [[list(here), list(there), key] for here, there, key in self._moved],
            "results": self.results,
        }

    def _create(self, draft: Draft, memory_id: str) -> StoredMemory:
        address = Address(draft.home, memory_id)
        memory = self._after[address] = self._fresh(draft, memory_id)
        self._before[address] = Kept(memory, address, None)
        self._used[address] = None
        self._note(memory, "ADD")
        return memory

    def _fresh(self, draft: Draft, memory_id: str) -> StoredMemory:
        now = iso(self.at)
        ids = dict.fromkeys(_IDS) | ids_of(draft.home)
        empty: dict[str, Any] = {
            "id": memory_id,
            "memory": draft.text,
            **ids,
            "layer": str(_layer(draft.home)),
            "created_at": now,
            "superseded_by": None,
            "source": self.source,
            "state": "live",
            "log": [],
            "group": draft.group,
            "position": draft.position,
            "role": draft.role,
            "feedback": None,
            "schema": draft.schema,
            **_told(draft),
        }
        memory = changed(cast(StoredMemory, empty), "ADD", now=now, batch_id=self.batch_id, source=self.source)
        return _with_digest(memory)

    def _restate(self, draft: Draft, existing: Kept) -> StoredMemory:
        """A known fact again: only what the repetition brings beside the text is applied."""
        now = self.current(existing)
        news = {key: value for key, value in _told(draft).items() if key in _REPEATABLE and value}
        if "metadata" in news:
            news["metadata"] = {**now["metadata"], **news["metadata"]}
        if draft.cites:
            news["cites"] = list(dict.fromkeys([*now["cites"], *draft.cites]))
        if all(now[key] == value for key, value in news.items()):  # type: ignore[literal-required]
            self.keep(existing)
            return now
        memory = self._change(existing, "UPDATE", use=True, **news)
        self._note(memory, "UPDATE", now["memory"])
        return memory

    def _is_live(self, kept: Kept) -> bool:
        return is_live(self.current(kept), iso(self.now))

    def _change(
        self, kept: Kept, event: str, /, *, use: bool = False, reason: str | None = None, **fields: Any
    ) -> StoredMemory:
        before = self.current(kept)
        memory = changed(
            before,
            event,
            now=max(iso(self.at), before["updated_at"]),  # an import tells of the past, and a history goes forward
            batch_id=self.batch_id,
            source=self.source,
            reason=reason,
            **fields,
        )
        self._before.setdefault(kept.address, kept)
        self._after[kept.address] = _with_digest(memory)
        if use:
            self._used[kept.address] = None
        return self._after[kept.address]

    def _note(self, memory: StoredMemory, event: Event, previous: str | None = None) -> None:
        result: AddedMemory = {"id": memory["id"], "memory": memory["memory"], "event": event}
        if previous is not None and event in ("UPDATE", "DELETE"):
            result["previous_memory"] = previous
        self.results.append(result)

    def _save(self, address: Address, memory: StoredMemory) -> Save:
        before, hidden = self._before[address], memory["state"] == "deleted"
        return Save(
            address=address,
            value=memory,
            text=None if hidden else content(memory),
            vector=None if hidden else self.vectors.get(content(memory), _unchanged(before, memory)),
            touches=[*before.touches, self.at] if address in self._used else before.touches,
            expires_at=gone_at(memory, self._purge_after),
            expects=_expected(before),
        )

    def _later(self, instant: datetime) -> datetime | None:
        return None if self._purge_after is None else instant + self._purge_after


_IDS: Final = ("user_id", "agent_id", "app_id", "run_id", "org_id")
_REPEATABLE: Final = ("metadata", "categories", "expiration_date", "event_date", "confidence")


def gone_at(memory: StoredMemory, purge_after: timedelta | None) -> datetime | None:
    """When a memory may be removed for good: so long after it expired, was superseded or was deleted."""
    ends = [memory["expiration_date"]] if memory["expiration_date"] else []
    ends += [memory["updated_at"]] if memory["state"] != "live" else []
    return None if purge_after is None or not ends else parse_iso(min(ends)) + purge_after


def content(memory: Mapping[str, Any]) -> str:
    """What of a memory is embedded and searched for words: its text, after its date where it has one."""
    return dated(memory["memory"], parse_iso(memory["event_date"]) if memory["event_date"] else None)


def is_live(memory: StoredMemory, now: str) -> bool:
    """Whether a memory is shown at an instant, given as ISO text."""
    return memory["state"] == "live" and not (memory["expiration_date"] and memory["expiration_date"] <= now)


def journal_namespace(scope: Scope, thread_id: str | None) -> Namespace:
    """Where the journal of an owner's batches from a thread lies."""
    kind, owner_id = scope.owner()
    return (BATCHES, kind, escape(owner_id), escape(thread_id) if thread_id else "-")


def journal_address(scope: Scope, source: Source, batch_id: str) -> Address:
    """Where the note about a batch lies."""
    return Address(journal_namespace(scope, source["thread_id"]), batch_id)


def _shown_by(memory: StoredMemory) -> list[str]:
    """The turns that are shown for the sake of a memory."""
    return memory["cites"] if memory["state"] == "live" else []


def _told(draft: Draft) -> dict[str, Any]:
    metadata = dict(draft.metadata)
    if draft.relates_to:
        metadata["relates_to"] = list(draft.relates_to)
    return {
        "metadata": metadata,
        "categories": list(draft.categories),
        "confidence": draft.confidence,
        "event_date": draft.event_date,
        "expiration_date": draft.expiration_date,
        "cites": list(draft.cites),
    }


def _layer(home: Namespace) -> Layer:
    kind, _, run_id = owner_of(home)
    if home[0] == TURNS:
        return Layer.CONVERSATION
    return Layer.SESSION if run_id is not None else Layer(kind)


def _with_digest(memory: StoredMemory) -> StoredMemory:
    return cast(StoredMemory, {**memory, "digest": digest(memory["memory"])})


def _unchanged(kept: Kept, memory: StoredMemory) -> NDArray[np.float32] | None:
    return kept.vector if content(kept.memory) == content(memory) else None


def _expected(kept: Kept) -> str | Unconditional | None:
    return kept.revision
