"""Short-term memory: LangGraph's savers, with retention.

The savers are loaded when asked for, so that a missing database driver matters only to those who use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.checkpointers.memory import InMemoryCheckpointer
    from langchain_mem.checkpointers.postgres import PostgresCheckpointer
    from langchain_mem.checkpointers.retention import Retention, Swept
    from langchain_mem.checkpointers.sqlite import SqliteCheckpointer

__all__ = ["InMemoryCheckpointer", "PostgresCheckpointer", "Retention", "SqliteCheckpointer", "Swept"]

_HOMES = {
    "InMemoryCheckpointer": "memory",
    "PostgresCheckpointer": "postgres",
    "SqliteCheckpointer": "sqlite",
    "Retention": "retention",
    "Swept": "retention",
}


__getattr__, __dir__ = lazily(__name__, _HOMES)
