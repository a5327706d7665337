"""A memory that was written elsewhere, as this memory would have written it: without secrets in what people said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_mem.memory.settings import Settings
from langchain_mem.model.records import StoredMemory, digest, phrases_of


def without_secrets(settings: Settings, memory: StoredMemory) -> StoredMemory:
    """A stored memory and its history, masked as `add` masks. Ids, instants and sources stay as they are.

    Args:
        settings: Says what masks; with `Memory(redact=None)` nothing is changed.
        memory: The memory, as an export holds it.

    Returns:
        The same memory with the digest of its text as it is now.
    """
    if settings.redact is None:
        return cast(StoredMemory, {**memory, "digest": digest(memory["memory"])})
    log = [
        {**entry, "reason": settings.cleaned(entry["reason"]), "after": _clean(settings, entry["after"])}
        for entry in memory["log"]
    ]
    told = _clean(settings, memory)
    feedback = None if memory["feedback"] is None else settings.clean_metadata(memory["feedback"])
    return cast(StoredMemory, {**told, "digest": digest(told["memory"]), "log": log, "feedback": feedback})


def _clean(settings: Settings, said: Mapping[str, Any]) -> dict[str, Any]:
    """What a memory and its snapshots have in common that people wrote."""
    return {
        **said,
        "memory": settings.clean(said["memory"]),
        "metadata": settings.clean_metadata(said["metadata"]),
        "categories": [settings.clean(name) for name in said["categories"]],
        "doubt": settings.cleaned(said["doubt"]),
        "useful_for": [settings.clean(phrase) for phrase in phrases_of(said)],
    }
