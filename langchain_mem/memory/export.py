"""Memories as lines of JSON, out and in again without loss: ids, history, uses and the turns they rest on. Bodies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypedDict, Unpack, cast

from langchain_mem.backends.base import Address
from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.changes import content, gone_at
from langchain_mem.memory.repository import Kept, Save
from langchain_mem.memory.settings import is_in
from langchain_mem.memory.writing import Writing
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import STORED, StoredMemory, digest
from langchain_mem.model.scopes import MEMORIES, TURNS, Ids, Namespace, Scope, reroot

FORMAT: Final = "langchain-mem/1"
"""What a line of an export says it is."""

_PIECE: Final = 500

Exported: TypeAlias = tuple[Address, StoredMemory, Sequence[datetime]]
"""A memory as a line of an export holds it: where, what, and its uses."""


class Imported(TypedDict):
    """What `import_` returns."""

    imported: int
    skipped: int
    replaced: int


class Transfer(Writing):
    """Export and import. Every `async def` is a body; `Memory` has both forms of it."""

    async def export(self, *, filters: Mapping[str, Any] | None = None, **ids: Unpack[Ids]) -> list[str]:
        """Memories with their history and kept turns, as lines of JSON that `import_` takes.

        Args:
            filters: Narrows what the ids allow; without ids it must name an owner.
            **ids: Whose memories.

        Raises:
            ScopeError: No owner is named.
        """
        now = self._engine.now()
        places, asked = await self._engine.view(Scope.of(ids), filters, now)
        shown = is_in("state", ("live", "superseded"))
        kept, _ = await self._engine.repo.select(places, conjunction(asked, shown), now, limit=None, offset=0)
        cited: dict[Namespace, set[str]] = {}
        for one in kept:
            cited.setdefault(reroot(one.address.namespace, TURNS), set()).update(one.memory["cites"])
        for home, keys in cited.items():
            kept += (await self._engine.repo.find(keys, [home], now)).values()
        return [_line(one) for one in sorted(kept, key=lambda one: one.address)]

    async def import_(self, lines: Iterable[str], *, on_conflict: Literal["skip", "replace"] = "skip") -> Imported:
        """Takes memories that `export` wrote, with ids, history, uses and turns.

        Args:
            lines: Lines of JSON.
            on_conflict: What to do where a live memory has the id: leave it or replace it.

        Raises:
            InvalidRequest: A line is no such memory; says which. Nothing was written.
        """
        if on_conflict not in ("skip", "replace"):
            raise InvalidRequest(f'on_conflict is "skip" or "replace", not {on_conflict!r}.')
        entries = [_entry(line, place) for place, line in enumerate(lines, 1) if line.strip()]
        counts: Imported = {"imported": 0, "skipped": 0, "replaced": 0}
        now = self._engine.now()
        for start in range(0, len(entries), _PIECE):
            await self._take(entries[start : start + _PIECE], on_conflict, counts, now)
        return counts

    async def _take(
        self,
        entries: Sequence[Exported],
        on_conflict: str,
        counts: Imported,
        now: datetime,
    ) -> None:
        present = await self._engine.repo.fetch([address for address, _, _ in entries], now)
        saves = []
        for (address, memory, touches), kept in zip(entries, present, strict=True):
            taken = kept is not None and kept.memory["state"] == "live"
            if taken and on_conflict == "skip":
                counts["skipped"] += 1
                continue
            counts["replaced" if taken else "imported"] += 1
            saves.append(_imported(address, memory, touches, self._removable_from(memory, now)))
        if saves:
            await self._engine.repo.save(saves, now)

    def _removable_from(self, memory: StoredMemory, now: datetime) -> datetime | None:
        """When an imported memory may be removed for good: what ended long ago has its grace from now on."""
        grace = self._engine.purge_after
        removable = gone_at(memory, grace)
        return None if removable is None or grace is None else max(removable, now + grace)


def _line(kept: Kept) -> str:
    entry = {
        "format": FORMAT,
        "namespace": list(kept.address.namespace),
        "touches": [iso(touch) for touch in kept.touches],
        "memory": kept.memory,
    }
    return json.dumps(entry, ensure_ascii=False)


def _entry(line: str, place: int) -> Exported:
    try:
        entry = json.loads(line)
        namespace, memory, touches = entry["namespace"], entry["memory"], entry["touches"]
        if not (entry["format"] == FORMAT and set(STORED) <= memory.keys() and memory["log"] and _at_home(entry)):
            raise ValueError("it is no exported memory")
        used = [parse_iso(touch) for touch in touches]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InvalidRequest(f"Line {place} is none that export() wrote: {error}.") from error
    address = Address(tuple(namespace), memory["id"])
    return address, cast(StoredMemory, {**memory, "digest": digest(memory["memory"])}), used


def _at_home(entry: Mapping[str, Any]) -> bool:
    """Whether a memory names the owner in whose place it lies."""
    namespace, memory = tuple(entry["namespace"]), entry["memory"]
    scope = Scope(**{name: memory[name] for name in ("user_id", "agent_id", "app_id", "org_id", "run_id")})
    return namespace[0] in (MEMORIES, TURNS) and scope.home(namespace[0]) == namespace


def _imported(address: Address, memory: StoredMemory, touches: Sequence[datetime], removable: datetime | None) -> Save:
    return Save(address=address, value=memory, text=content(memory), touches=touches, expires_at=removable)
