"""The journal: what a batch did, noted beside it, so that it can be undone and a repeated call finds its result."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_mem.backends.base import Address
from langchain_mem.model.records import AddedMemory, Source, StoredMemory
from langchain_mem.model.scopes import BATCHES, TURNS, Namespace, Scope, escape


def journals_of(scope: Scope) -> Namespace:
    """Where the notes about an owner's batches lie, those of every thread."""
    return (BATCHES, *scope.home()[1:3])


def journal_address(scope: Scope, source: Source, batch_id: str) -> Address:
    """Where the note about a batch lies."""
    return Address((*journals_of(scope), _thread(source)), batch_id)


def by_owner(home: Namespace, source: Source, changed: Iterable[Address]) -> dict[Namespace, list[Address]]:
    """The memories that a batch changes, by where the notes of their owners lie, so nobody's words lie with others.

    Args:
        home: The owner's under whom the batch was made; always among them.
        source: Where the batch came from.
        changed: What it changes; kept turns are left out, for they follow their facts.
    """
    thread = _thread(source)
    parts: dict[Namespace, list[Address]] = {(BATCHES, *home[1:3], thread): []}
    for address in changed:
        if address.namespace[0] != TURNS:
            parts.setdefault((BATCHES, *address.namespace[1:3], thread), []).append(address)
    return parts


def _thread(source: Source) -> str:
    return escape(source["thread_id"]) if source["thread_id"] else "-"


class Done(NamedTuple):
    """What a batch does, as far as the journal tells of it."""

    batch_id: str
    at: str
    source: Source
    after: Mapping[Address, StoredMemory]
    moved: Sequence[tuple[Namespace, Namespace, str]]
    results: Sequence[AddedMemory]

    def entries(
        self, parts: Mapping[Namespace, Sequence[Address]], before: Mapping[Namespace, Mapping[str, Any]], *, more: bool
    ) -> dict[Address, dict[str, Any]]:
        """What undoing and repeating the batch takes: a note for each owner.

        Args:
            parts: The memories that change; see `by_owner`.
            before: What the portions before this one noted.
            more: Whether portions follow.
        """
        notes: dict[Address, dict[str, Any]] = {}
        for place, addresses in parts.items():
            entry = self._entry(addresses, [other for other in parts if other != place], before.get(place))
            notes[Address(place, self.batch_id)] = {**entry, "unfinished": True} if more else entry
        return notes

    def _entry(
        self, addresses: Sequence[Address], beside: Sequence[Namespace], before: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        keys = {address.key for address in addresses}
        results = [result for result in self.results if not beside or result["id"] in keys]
        moved = [move for move in self.moved if not beside or move[2] in keys]
        entry: dict[str, Any] = {
            "batch_id": self.batch_id,
            "created_at": self.at,
            "source": self.source,
            "memories": [[list(address.namespace), address.key] for address in addresses],
            "moved": [[list(here), list(there), key] for here, there, key in moved],
            "results": copy.deepcopy(results),  # the caller gets these very ones
        }
        for address in addresses:
            if (heard_by := self.after[address].get("said_to")) is not None:
                entry["said_to"] = heard_by
        if beside:
            entry["beside"] = [list(place) for place in beside]
        if before is not None:
            entry |= {name: [*before[name], *entry[name]] for name in ("memories", "moved", "results")}
        return entry
