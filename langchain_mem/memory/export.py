"""`export` and `import_`: memories as lines of JSON, out and in again with ids, history, uses and kept turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, Unpack

from annotated_types import Len
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from langchain_mem._flow import offload
from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.filters.conditions import conjunction
from langchain_mem.filters.language import matches
from langchain_mem.memory.operation import operation
from langchain_mem.memory.reading.queries import is_in, live, view
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.imported import without_secrets
from langchain_mem.model.instants import iso, parse_iso
from langchain_mem.model.records import StoredMemory, complete_with_log, content, gone_at, is_live, phrases_of
from langchain_mem.model.scopes import INSTRUCTIONS, MEMORIES, TURNS, Ids, Namespace, Scope, reroot

FORMAT: Final = "langchain-mem/1"
"""What a line of an export says it is."""

_PIECE: Final = 500

Exported: TypeAlias = tuple[Address, StoredMemory, Sequence[datetime]]
"""A memory as a line of an export holds it: where, what, and its uses."""


Progress: TypeAlias = Callable[[int, int], None]
"""What is told how many memories are done, and how many there are."""


class Line(TypedDict):
    """One line of an export: where a memory lies, when it was used (ISO texts), and the memory with its history."""

    format: Literal["langchain-mem/1"]
    namespace: Annotated[list[str], Len(3)]
    touches: list[str]
    memory: StoredMemory


class Imported(TypedDict):
    """What `import_` returns: how many memories are new, were left out because they were there, and were replaced."""

    imported: int
    skipped: int
    replaced: int


class Written(TypedDict):
    """What `export_to` returns: how many lines were written."""

    exported: int


class Writable(Protocol):
    """An open text file, or anything else that takes text."""

    def write(self, text: str, /) -> object:
        """Takes text."""


async def _export(settings: Settings, *, filters: Mapping[str, Any] | None = None, **ids: Unpack[Ids]) -> list[str]:
    """Returns memories and instructions with their history and stored turns as lines of JSON, which `import_` reads.

    All lines are held in memory at once. `export_to` writes them to a file piece by piece.

    Args:
        filters: A filter on the memories that the ids allow. In a call without ids it must name an owner in each
            branch.
        **ids: Whose memories.

    Returns:
        The lines, without line ends.

    Raises:
        ScopeError: No owner is named.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
    """
    lines: list[str] = []
    await _each_piece(settings, Scope.of(ids), filters, lines.extend)
    return lines


export, aexport = operation(_export)


async def _export_to(
    settings: Settings,
    file: Writable,
    *,
    filters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **ids: Unpack[Ids],
) -> Written:
    """Writes what `export` returns to a file while it is read, so that few memories are held at a time.

        with open("memories.jsonl", "w", encoding="utf-8") as file:
            memory.export_to(file, user_id="alex")

    Args:
        file: A text file that is open for writing. The coroutine writes on another thread.
        filters: Narrows what the ids allow; without ids it must name an owner.
        progress: Called after each piece with how many memories and turns are done and how many are known of.
        **ids: Whose memories. What is written meanwhile may be among them or not.

    Returns:
        How many lines were written.

    Raises:
        ScopeError: No owner is named.
        InvalidRequest: `file` takes no text.
    """
    if not callable(getattr(file, "write", None)):
        raise InvalidRequest(f"export_to takes a text file that is open for writing, not {shown(file)}.")

    def take(lines: Sequence[str]) -> None:
        file.write("".join(f"{line}\n" for line in lines))

    return {"exported": await _each_piece(settings, Scope.of(ids), filters, take, progress)}


export_to, aexport_to = operation(_export_to)


async def _each_piece(
    settings: Settings,
    scope: Scope,
    filters: Mapping[str, Any] | None,
    take: Callable[[Sequence[str]], object],
    progress: Progress | None = None,
) -> int:
    """Hands over what is exported as lines, a piece at a time, and says how many they were."""
    now = settings.now()
    places, asked = await view(settings, scope, filters, now)
    instructed, _ = await view(settings, scope, filters, now, root=INSTRUCTIONS)
    asked = conjunction(asked, is_in("state", ("live", "superseded")))
    todo = await settings.repo.addresses([*places, *instructed], now)
    cited: set[Address] = set()
    written = done = 0
    while done < len(todo):
        rows = await settings.repo.read(todo[done : done + _PIECE], now)
        found = [row for row in rows if row and (row.address.namespace[0] == TURNS or matches(asked, row.value))]
        cited.update(Address(reroot(row.address.namespace, TURNS), key) for row in found for key in row.value["cites"])
        await offload(take, [_line(row) for row in found])
        written, done = written + len(found), done + len(rows)
        if done == len(todo):  # the memories are through, and now the turns that they rest on
            todo, cited = [*todo, *sorted(cited)], set()
        if progress is not None:
            progress(done, len(todo))
    return written


async def _import(
    settings: Settings,
    lines: Iterable[str],
    *,
    on_conflict: Literal["skip", "replace"] = "skip",
    progress: Progress | None = None,
) -> Imported:
    """Stores memories that `export` wrote, with their ids, history, uses and turns.

    Secrets are masked, as `add` does. All lines are checked before the first is written.

    Args:
        lines: Lines of JSON, such as an open file.
        on_conflict: What happens if a memory with the same id is there and was not deleted: "skip" leaves it, "replace"
            replaces it. If another memory of the owner says the same, that one stays in both cases.
        progress: A function that is called after each piece with the number of memories that are done, and of all.

    Returns:
        How many memories were imported, skipped and replaced.

    Raises:
        InvalidRequest: A line is not such a memory; the message says which line and which field. Nothing was written.
    """
    if on_conflict not in ("skip", "replace"):
        raise InvalidRequest(f'on_conflict is "skip" or "replace", not {shown(on_conflict)}.')
    several = isinstance(lines, Iterable) and not isinstance(lines, str | bytes | Mapping)
    lines = list(lines) if several else [""]
    if not several or not all(isinstance(line, str) for line in lines):
        raise InvalidRequest("import_ takes lines of JSON, as export wrote them: a list of texts, or an open file.")
    told = [_entry(line, place) for place, line in enumerate(lines, 1) if line.strip()]
    entries = [(address, without_secrets(settings, memory), touches) for address, memory, touches in told]
    counts: Imported = {"imported": 0, "skipped": 0, "replaced": 0}
    now = settings.now()
    for start in range(0, len(entries), _PIECE):
        await _take(settings, entries[start : start + _PIECE], on_conflict, counts, now)
        if progress is not None:
            progress(min(start + _PIECE, len(entries)), len(entries))
    return counts


import_, aimport_ = operation(_import)


async def _take(
    settings: Settings,
    entries: Sequence[Exported],
    on_conflict: str,
    counts: Imported,
    now: datetime,
) -> None:
    present = await _present(settings, entries, now)
    said = await _said(settings, entries, now)
    writes = []
    for address, memory, touches in entries:
        row = present.get((address.namespace[0], address.key))
        taken = row is not None and row.value["state"] != "deleted"
        moved = taken and row is not None and row.address != address
        if moved or (taken and on_conflict == "skip") or _is_twin(address, memory, said, now):
            counts["skipped"] += 1
            continue
        counts["replaced" if taken else "imported"] += 1
        removable = _removable_from(settings, memory, now)
        here = row if row is not None and row.address == address else None
        writes.append(_imported(address, memory, touches, removable, here, now))
    if writes:
        await settings.repo.write(writes, now)


async def _present(settings: Settings, entries: Sequence[Exported], now: datetime) -> dict[tuple[str, str], Row]:
    """What has these ids already with the same owners, by root and id; it may have moved to another home."""
    owners: dict[Namespace, set[str]] = {}
    for address, _, _ in entries:
        owners.setdefault(address.namespace[:3], set()).add(address.key)
    found: dict[tuple[str, str], Row] = {}
    for owner, keys in owners.items():
        rows = await settings.repo.find(keys, [owner], now)
        found |= {(owner[0], key): row for key, row in rows.items()}
    return found


async def _said(settings: Settings, entries: Sequence[Exported], now: datetime) -> dict[tuple[Namespace, str], str]:
    """Which live memory says what in each home, by the digest of its text."""
    homes: dict[Namespace, set[str]] = {}
    for address, memory, _ in entries:
        if address.namespace[0] == MEMORIES:
            homes.setdefault(address.namespace, set()).add(memory["digest"])
    said: dict[tuple[Namespace, str], str] = {}
    for home, digests in homes.items():
        rows, _ = await settings.repo.select([home], conjunction(is_in("digest", sorted(digests)), live(now)), now)
        said |= {(home, row.value["digest"]): row.address.key for row in rows}
    return said


def _is_twin(address: Address, memory: StoredMemory, said: dict[tuple[Namespace, str], str], now: datetime) -> bool:
    """Whether another live memory of the home says the same; one that does not is noted as the one that does."""
    if address.namespace[0] != MEMORIES or not is_live(memory, iso(now)):
        return False
    return said.setdefault((address.namespace, memory["digest"]), address.key) != address.key


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
        entry: Line = json.loads(line)
        memory = complete_with_log(entry["memory"])
        _exported().validate_python({**entry, "memory": memory})
        if not memory["log"]:
            raise ValueError("memory.log: it is empty")
        if not _at_home(entry):
            raise ValueError("memory: it lies with another owner than its ids name")
        used = [parse_iso(touch) for touch in entry["touches"]]
        for name in ("created_at", "updated_at", "expiration_date", "event_date"):
            _check_instant(name, memory[name])
    except ValidationError as error:
        raise InvalidRequest(f"Line {place} is none that export() wrote: {_first(error)}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(f"Line {place} is none that export() wrote: {error}.") from error
    address = Address(tuple(entry["namespace"]), memory["id"])
    return address, memory, used


@cache
def _exported() -> TypeAdapter[Line]:
    """What checks a line; made once, for it takes its time."""
    return TypeAdapter(Line)


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, by its place in the line."""
    wrong = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}" if wrong["loc"] else str(wrong["msg"])


def _check_instant(name: str, text: str | None) -> None:
    try:
        if text is not None:
            parse_iso(text)
    except InvalidRequest as error:
        raise ValueError(f"memory.{name}: {error}") from error


def _at_home(entry: Mapping[str, Any]) -> bool:
    """Whether a memory names the owner in whose place it lies."""
    namespace = tuple(entry["namespace"])
    return (
        namespace[0] in (MEMORIES, TURNS, INSTRUCTIONS)
        and Scope.of_memory(entry["memory"]).home(namespace[0]) == namespace
    )


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
        texts=() if address.namespace[0] == INSTRUCTIONS else (content(memory),),
        touches=tuple(touches),
        phrases=phrases_of(memory),
    )
    return Write.put(row, before=before)
