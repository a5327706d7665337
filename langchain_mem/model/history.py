"""What changed, when, why and from which message; restoring and undoing it.

A memory carries its log. Each entry holds what the memory was *after* the change, so any version can be read back
without replaying, and what it was before is the entry above.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.model.json_values import copied
from langchain_mem.model.records import SNAPSHOT, Change, LogEntry, Snapshot, Source, StoredMemory, complete, source_of


def changed(
    memory: StoredMemory,
    event: str,
    /,
    *,
    now: str,
    batch_id: str | None = None,
    source: Source | None = None,
    reason: str | None = None,
    back_to: int | None = None,
    **fields: Any,
) -> StoredMemory:
    """A memory after a change, with the change in its log.

    Args:
        memory: As it is, with every key; not altered.
        event: What happened, such as `"UPDATE"`.
        now: When, as ISO text.
        batch_id: The batch the change belongs to.
        source: Where it came from.
        reason: Why, in words.
        back_to: For an undo, the version it goes back to; 0 for before the first.
        **fields: The keys that change, and their new values.

    Returns:
        A new memory, one version on.
    """
    version = memory["log"][-1]["version"] + 1 if memory["log"] else 1
    after = cast(StoredMemory, {**memory, **fields, "updated_at": now, "version": version})
    entry: LogEntry = {
        "event": event,
        "version": version,
        "created_at": now,
        "batch_id": batch_id,
        "reason": reason,
        "source": source or source_of(),
        "after": _copied(after),
    }
    if back_to is not None:
        entry["back_to"] = back_to
    after["log"] = [*memory["log"], entry]
    return after


def merged_away(memory: StoredMemory) -> bool:
    """Whether a memory was retired because another one says the same: what it rests on is as true as before."""
    return memory["state"] == "superseded" and memory["log"][-1]["event"] == "MERGE"


def never_was(memory: StoredMemory) -> bool:
    """Whether the addition of a memory was undone."""
    last = memory["log"][-1]
    return memory["state"] == "deleted" and last["event"] == "UNDO" and last.get("back_to") == 0


def snapshot(memory: Mapping[str, Any]) -> Snapshot:
    """What a later change may alter, copied."""
    return _copied(complete(memory))


def _copied(whole: Mapping[str, Any]) -> Snapshot:
    return cast(Snapshot, {key: copied(whole[key]) for key in SNAPSHOT})


def changes(memory: StoredMemory) -> list[Change]:
    """A memory's history as `Memory.history` returns it, oldest first."""
    befores: list[LogEntry | None] = [None, *memory["log"]]
    return [_change(memory["id"], before, entry) for before, entry in zip(befores, memory["log"], strict=False)]


def _change(memory_id: str, before: LogEntry | None, entry: LogEntry) -> Change:
    old, new = before and _shown(_after(before)), _shown(_after(entry))
    return {
        "memory_id": memory_id,
        "event": entry["event"],
        "old_memory": old["memory"] if old else None,
        "new_memory": new["memory"] if new else None,
        "old_metadata": old["metadata"] if old else None,
        "new_metadata": new["metadata"] if new else None,
        "old_event_date": old["event_date"] if old else None,
        "new_event_date": new["event_date"] if new else None,
        "old_event_end": old["event_end"] if old else None,
        "new_event_end": new["event_end"] if new else None,
        "created_at": entry["created_at"],
        "source": entry["source"],
        "batch_id": entry["batch_id"],
        "reason": entry["reason"],
        "superseded_by": entry["after"]["superseded_by"],
        "version": entry["version"],
    }


def _after(entry: LogEntry) -> Snapshot:
    """What a memory was after a change, with the keys that an earlier release did not note."""
    return cast(Snapshot, complete(entry["after"]))


def _shown(after: Snapshot) -> Snapshot | None:
    return None if after["state"] == "deleted" else after


def as_of(memory: StoredMemory, instant: str) -> StoredMemory | None:
    """A memory as it stood at an instant, `None` where it was not there yet or already gone.

    Args:
        memory: As it is now.
        instant: ISO text.
    """
    entries = [entry for entry in memory["log"] if entry["created_at"] <= instant]
    if not entries or entries[-1]["after"]["state"] == "deleted":
        return None
    last = entries[-1]
    return cast(
        StoredMemory,
        {**memory, **_after(last), "log": entries, "version": last["version"], "updated_at": last["created_at"]},
    )


def at_version(memory: StoredMemory, version: int) -> Snapshot:
    """What a memory was after its change number `version`.

    Raises:
        InvalidRequest: There is no such version; says which there are.
    """
    for entry in memory["log"]:
        if entry["version"] == version:
            return copied(_after(entry))
    known = [entry["version"] for entry in memory["log"]]
    raise InvalidRequest(f"Memory {memory['id']} has no version {shown(version)}; it has {known[0]} to {known[-1]}.")


def before_batches(memory: StoredMemory, batch_ids: Iterable[str]) -> tuple[Snapshot, int] | None:
    """What a memory was before its newest changes, as far back as they belong to these batches.

    Returns:
        The state to go back to and its version; with `state` "deleted" and version 0 where the batches created the
        memory; `None` where its newest change belongs to none of them, so that going back would lose a later change.
    """
    ids, log = set(batch_ids), memory["log"]
    kept, found = len(log), False
    while kept:
        if log[kept - 1]["batch_id"] in ids:
            kept, found = kept - 1, True
        elif (back_to := _undone_to(log, kept - 1)) is not None:
            kept = back_to  # what was undone is as if it had not been
        else:
            break
    if not found:
        return None
    if kept == 0:
        return {**snapshot(memory), "state": "deleted", "superseded_by": None}, 0
    return copied(_after(log[kept - 1])), log[kept - 1]["version"]


def _undone_to(log: Sequence[LogEntry], place: int) -> int | None:
    """How many entries of a log still stood after an undo; `None` for an entry that is no undo.

    An undo of the first release does not say where it went back to: the last entry of the same state is taken.
    """
    entry = log[place]
    if entry["event"] != "UNDO":
        return None
    if "back_to" in entry:
        return sum(before["version"] <= entry["back_to"] for before in log[:place])
    return next((before + 1 for before in range(place - 1, -1, -1) if log[before]["after"] == entry["after"]), None)
