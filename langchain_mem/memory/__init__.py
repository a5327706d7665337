"""`Memory`: the operations a user calls, a file each, on any LangGraph store.

It knows no surface, such as a node or a tool. It may import every room below it. Start reading with `base`, which lists
the operations and the files they are written in: `search` is in `search`, `update` in `edit`. `settings` is what each
of them is handed; `reading` holds what those that read share, and `writing` the unit of work of those that write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.memory.base import MemoryBase
    from langchain_mem.memory.facade import AsyncMemory, Memory

_HOMES = {
    "AsyncMemory": "facade",
    "Memory": "facade",
    "MemoryBase": "base",
}

__all__ = ["AsyncMemory", "Memory", "MemoryBase"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
