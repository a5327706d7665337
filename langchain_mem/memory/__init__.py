"""`Memory`: the operations a user calls, a file each, on any LangGraph store.

It imports the store, extraction, ranking, decay and what lies below, and no surface. Start reading with `facade`, which
lists the operations; each is in the file of its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.memory.facade import AsyncMemory, Memory, MemoryBase

_HOMES = {
    "AsyncMemory": "facade",
    "Memory": "facade",
    "MemoryBase": "facade",
}

__all__ = ["AsyncMemory", "Memory", "MemoryBase"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
