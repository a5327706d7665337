"""`export` and `import_`: memories as lines of JSON, out and in again with ids, history, uses and kept turns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypedDict, Unpack, cast

from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.conditions import conjunction
from langchain_mem.memory.operation import operation
from langchain_mem.memory.queries import is_in, view
from langchain_mem.memory.settings import Settings
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import STORED, StoredMemory, complete, content, digest, gone_at
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


async def _export(settings: Settings, *, filters: Mapping[str, Any] | None = None, **ids: Unpack[Ids]) -> list[str]:
    """Memories with their history and kept turns, as lines of JSON that `import_` takes.

    Args:
        settings: Parts and policies; given by the memory.
        filters: Narrows what the ids allow; without ids it must name an owner.
        **ids: Whose memories.

    Raises:
        ScopeError: No owner is named.
    """
    now = settings.now()
    places, asked = await view(settings, Scope.of(ids), filters, now)
    shown = is_in("state", ("live", "superseded"))
    rows, _ = await settings.repo.select(places, conjunction(asked, shown), now)
    cited: dict[Namespace, set[str]] = {}
    for row in rows:
        cited.setdefault(reroot(row.address.namespace, TURNS), set()).update(row.value["cites"])
    for home, keys in cited.items():
        rows += (await settings.repo.find(keys, [home], now)).values()
    return [_line(row) for row in sorted(rows, key=lambda row: row.address)]


export, aexport = operation(_export)


async def _import(
    settings: Settings, lines: Iterable[str], *, on_conflict: Literal["skip", "replace"] = "skip"
) -> Imported:
    """Takes memories that `export` wrote, with ids, history, uses and turns.

    Args:
        settings: Parts and policies; given by the memory.
        lines: Lines of JSON.
        on_conflict: What to do where a live memory has the id: leave it or replace it.

    Raises:
        InvalidRequest: A line is no such memory; says which. Nothing was written.
    """
    if on_conflict not in ("skip", "replace"):
        raise InvalidRequest(f'on_conflict is "skip" or "replace", not {on_conflict!r}.')
    entries = [_entry(line, place) for place, line in enumerate(lines, 1) if line.strip()]
    counts: Imported = {"imported": 0, "skipped": 0, "replaced": 0}
    now = settings.now()
    for start in range(0, len(entries), _PIECE):
        await _take(settings, entries[start : start + _PIECE], on_conflict, counts, now)
    return counts


import_, aimport_ = operation(_import)


async def _take(
    settings: Settings,
    entries: Sequence[Exported],
    on_conflict: str,
    counts: Imported,
    now: datetime,
) -> None:
    present = await settings.repo.read([address for address, _, _ in entries], now)
    writes = []
    for (address, memory, touches), row in zip(entries, present, strict=True):
        taken = row is not None and row.value["state"] == "live"
        if taken and on_conflict == "skip":
            counts["skipped"] += 1
            continue
        counts["replaced" if taken else "imported"] += 1
        removable = _removable_from(settings, memory, now)
        writes.append(_imported(address, memory, touches, removable, row, now))
    if writes:
        await settings.repo.write(writes, now)


def _removable_from(settings: Settings, memory: StoredMemory, now: datetime) -> datetime | None:
    """When an imported memory may be removed for good: what ended long ago has its grace from now on."""
    grace = settings.purge_after
    removable = gone_at(memory, grace)
    return None if removable is None or grace is None else max(removable, now + grace)


def _line(row: Row) -> str:
    entry = {
        "format": FORMAT,
        "namespace": list(row.address.namespace),
        "touches": [iso(touch) for touch in row.touches],
        "memory": row.value,
    }
    return json.dumps(entry, ensure_ascii=False)


def _entry(line: str, place: int) -> Exported:
    try:
        entry = json.loads(line)
        namespace, memory, touches = entry["namespace"], complete(entry["memory"]), entry["touches"]
        if not (entry["format"] == FORMAT and set(STORED) <= memory.keys() and memory["log"] and _at_home(entry)):
            raise ValueError("it is no exported memory")
        used = [parse_iso(touch) for touch in touches]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InvalidRequest(f"Line {place} is none that export() wrote: {error}.") from error
    address = Address(tuple(namespace), memory["id"])
    return address, cast(StoredMemory, {**memory, "digest": digest(memory["memory"])}), used


def _at_home(entry: Mapping[str, Any]) -> bool:
    """Whether a memory names the owner in whose place it lies."""
    namespace = tuple(entry["namespace"])
    return namespace[0] in (MEMORIES, TURNS) and Scope.of_memory(entry["memory"]).home(namespace[0]) == namespace


def _imported(
    address: Address,
    memory: StoredMemory,
    touches: Sequence[datetime],
    removable: datetime | None,
    before: Row | None,
    now: datetime,
) -> Write:
    row = Row(
        address=address,
        value=memory,
        created_at=before.created_at if before else now,
        updated_at=parse_iso(memory["updated_at"]),
        expires_at=removable,
        texts=(content(memory),),
        touches=tuple(touches),
    )
    return Write.put(row, before=before)
