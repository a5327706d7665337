"""The journal: what a batch did, noted beside it, so that it can be undone and a repeated call finds its result."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from langchain_mem.backends.base import Address
from langchain_mem.model.instants import iso
from langchain_mem.model.records import AddedMemory, Source, StoredMemory
from langchain_mem.model.scopes import BATCHES, Namespace, Scope, escape


def journal_namespace(scope: Scope, thread_id: str | None) -> Namespace:
    """Where the journal of an owner's batches from a thread lies."""
    kind, owner_id = scope.owner()
    return (BATCHES, kind, escape(owner_id), escape(thread_id) if thread_id else "-")


def journal_address(scope: Scope, source: Source, batch_id: str) -> Address:
    """Where the note about a batch lies."""
    return Address(journal_namespace(scope, source["thread_id"]), batch_id)


class Done(NamedTuple):
    """What a batch does, as far as the journal tells of it."""

    batch_id: str
    at: datetime
    source: Source
    after: Mapping[Address, StoredMemory]
    moved: Sequence[tuple[Namespace, Namespace, str]]
    results: Sequence[AddedMemory]

    def entry(
        self,
        addresses: Sequence[Address],
        beside: Sequence[Namespace],
        before: Mapping[str, Any] | None,
        *,
        more: bool,
    ) -> dict[str, Any]:
        """What undoing and repeating the batch takes, of one owner.

        Args:
            addresses: The memories of this owner that change.
            beside: Where the other owners' parts lie.
            before: What the portions before this one noted.
            more: Whether portions follow.
        """
        keys = {address.key for address in addresses}
        results = [result for result in self.results if not beside or result["id"] in keys]
        moved = [move for move in self.moved if not beside or move[2] in keys]
        entry: dict[str, Any] = {
            "batch_id": self.batch_id,
            "created_at": iso(self.at),
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
        return {**entry, "unfinished": True} if more else entry
