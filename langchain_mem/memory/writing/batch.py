"""What will be written at once: memories as they were and as they will be, and what is written with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from langchain_mem.backends.base import Address, Row, Write, no_vectors
from langchain_mem.model.history import changed
from langchain_mem.model.instants import TICK, parse_iso
from langchain_mem.model.records import Source, StoredMemory, complete, content, digest, gone_at, phrases_of
from langchain_mem.model.scopes import IDS, INSTRUCTIONS, Namespace, ids_of
from langchain_mem.store.vectorizer import Passage, Vector


@dataclass(kw_only=True, slots=True)
class Batch:
    """The memories that one operation changes, gathered until they are written.

    Attributes:
        at: When it happens; for an import, when it happened.
        now: The present, where `at` lies before it.
        at_iso: `at` as text.
        now_iso: `now` as text.
        batch_id: What `undo` takes.
        source: Which thread, checkpoint and messages it came from.
        purge_after: How long a memory that is hidden can be restored; `None` for ever.
        before: The memories that change, as they were.
        after: The same memories, as they will be.
        rows: The rows they were read from.
        used: The memories that the operation uses.
        touches: The earlier uses of a memory, where they differ from those of its row.
        moved: The memories that move: from where, to where, and their ids.
        shown_anew: The memories that have a new text or are shown again.
        vectors: Embeddings that are known already, by their text: the `content` of a memory, or a phrase of it.
        others: What is written beside the memories.
        notes: What is written beside them and is no memory, with the instant from which on it is hidden.
    """

    at: datetime
    now: datetime
    at_iso: str
    now_iso: str
    batch_id: str
    source: Source
    purge_after: timedelta | None
    before: dict[Address, StoredMemory] = field(default_factory=dict)
    after: dict[Address, StoredMemory] = field(default_factory=dict)
    rows: dict[Address, Row] = field(default_factory=dict)
    used: dict[Address, None] = field(default_factory=dict)
    touches: dict[Address, tuple[datetime, ...]] = field(default_factory=dict)
    moved: list[tuple[Namespace, Namespace, str]] = field(default_factory=list)
    shown_anew: dict[Address, None] = field(default_factory=dict)
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    others: list[Write] = field(default_factory=list)
    notes: dict[Address, tuple[Mapping[str, Any], datetime | None]] = field(default_factory=dict)

    def current(self, row: Row) -> StoredMemory:
        """A memory as it will be."""
        changed_already = self.after.get(row.address)
        return cast(StoredMemory, row.value) if changed_already is None else changed_already

    def change(
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
        """Changes a memory and notes the change in its history.

        Args:
            row: The memory, as it was read.
            event: What happens to it.
            use: Whether this is a use of it.
            reason: Why it is changed.
            back_to: The version it goes back to.
            **fields: What of it changes.
        """
        before = self.current(row)
        if "memory" in fields:
            fields["digest"] = digest(fields["memory"])
        memory = changed(
            complete(before),
            event,
            now=max(self.at_iso, before["updated_at"]),  # an import tells of the past, and a history goes forward
            batch_id=self.batch_id,
            source=self.source,
            reason=reason,
            back_to=back_to,
            **fields,
        )
        if row.address not in self.before:
            self.rows[row.address], self.before[row.address] = row, row.value
        self.after[row.address] = memory
        if use:
            self.used[row.address] = None
        return memory

    def relocate(self, row: Row, home: Namespace, moved: StoredMemory) -> None:
        """Puts a memory that was changed into another home.

        Args:
            row: The memory, as it was read.
            home: Where it is to be.
            moved: The memory, as it will be.
        """
        del self.after[row.address]
        self.moved.append((row.address.namespace, home, row.address.key))
        self.others.append(Write.delete(row.address, expects=row.revision))
        address = Address(home, row.address.key)
        self.shown_anew[address] = None
        self.rows[address], self.before[address], self.after[address] = row, moved, moved

    def copy_turn(self, turn: Row, home: Namespace) -> None:
        """Keeps a turn in another home as well, for as long as facts there cite it."""
        value = {**turn.value, **dict.fromkeys(IDS), **ids_of(home), "expiration_date": None}
        memory = cast(StoredMemory, value)
        passage = Passage(content(memory), phrases_of(memory))
        row = self._row(Address(home, turn.address.key), memory, passage, gone_at(memory, self.purge_after))
        self.others.append(Write.put(row, before=turn))

    def put(self, address: Address, value: Mapping[str, Any], *, expires_at: datetime | None = None) -> None:
        """Writes something that is no memory in the same batch."""
        self.notes[address] = value, expires_at

    def also(self, writes: Iterable[Write]) -> None:
        """Writes something beside the memories in the same batch."""
        self.others += writes

    def writes(self) -> list[Write]:
        """Everything that is to be written, the memories first and in the order in which they were said."""
        memories = self.after.values()
        told = [(Passage(content(each), phrases_of(each)), gone_at(each, self.purge_after)) for each in memories]
        vectors = [passage.vector(self.vectors) if self.vectors else None for passage, _ in told]
        writes = []
        for place, (address, memory) in enumerate(self.after.items()):
            before = self.rows.get(address)
            expects = before.revision if before is not None and before.address == address else None
            # memories of one batch share an instant; this keeps the order in which they were said
            row = self._row(address, memory, *told[place], vectors[place], before, later=place * TICK)
            writes.append(Write(address=address, row=row, expects=expects, before=before))
        for address, (value, gone) in self.notes.items():
            row = Row(address=address, value=value, created_at=self.now, updated_at=self.now, expires_at=gone)
            writes.append(Write(address=address, row=row, before=None))
        return [*writes, *self.others]

    def _row(
        self,
        address: Address,
        memory: StoredMemory,
        passage: Passage,
        gone: datetime | None,
        vector: Vector | None = None,
        before: Row | None = None,
        *,
        later: timedelta = timedelta(0),
    ) -> Row:
        """A memory as it is stored. The store embeds its words where nobody has yet."""
        shown = memory["state"] != "deleted" and address.namespace[0] != INSTRUCTIONS
        touches = self.touches.get(address, before.touches if before else ())
        updated = self.at if memory["updated_at"] == self.at_iso else parse_iso(memory["updated_at"])
        return Row(
            address=address,
            value=memory,
            created_at=before.created_at if before else self.now,
            updated_at=updated + later,
            expires_at=gone,
            texts=(passage.text,) if shown else (),
            vectors=vector[None] if shown and vector is not None else no_vectors(),
            touches=(*touches, self.at) if address in self.used else tuple(touches),
            phrases=passage.phrases if shown else (),
        )
