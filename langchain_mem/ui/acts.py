"""What an editable inspector can do to a memory: edit, forget, restore, and undo a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from langchain_mem._flow import run
from langchain_mem.errors import InvalidRequest
from langchain_mem.memory.base import MemoryBase

Act = Callable[[MemoryBase, Mapping[str, str]], str]
"""What carries out a form; returns what was done, in words."""


def edit(memory: MemoryBase, form: Mapping[str, str]) -> str:
    """Gives a memory another text, categories, expiration and date of what it tells of."""
    categories = [name.strip() for name in form.get("categories", "").split(",") if name.strip()]
    ends = form.get("expires", "").strip() or None
    more: dict[str, Any] = {"categories": categories, "expiration_date": ends}
    happened = form.get("happened", "").strip()
    if happened != form.get("happened_before", ""):  # the form shows days, where the memory may know the hour
        more["event_date"] = happened or None
    run(memory.operations.update(_id(form), form.get("text", ""), **more))
    return "Saved."


def forget(memory: MemoryBase, form: Mapping[str, str]) -> str:
    """Deletes a memory, restorably."""
    run(memory.operations.delete(_id(form)))
    return "Forgotten. It can be restored until it is purged."


def restore(memory: MemoryBase, form: Mapping[str, str]) -> str:
    """Puts a memory back to a version, or to the last in which it was shown."""
    version = form.get("version")
    run(memory.operations.restore(_id(form), int(version) if version else None))
    return f"Restored to version {version}." if version else "Restored."


def undo(memory: MemoryBase, form: Mapping[str, str]) -> str:
    """Takes back everything that one operation changed."""
    done = run(memory.operations.undo(form.get("batch_id") or ""))
    counts = ", ".join(f"{len(ids)} {name}" for name, ids in done.items() if isinstance(ids, list) and ids)
    return f"Undone: {counts or 'nothing'}."


ACTS: Final[dict[str, Act]] = {"/edit": edit, "/forget": forget, "/restore": restore, "/undo": undo}
"""What forms do, by where they are sent."""


def _id(form: Mapping[str, str]) -> str:
    if not form.get("id"):
        raise InvalidRequest("The form names no memory.")
    return form["id"]
