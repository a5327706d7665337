"""Short-term memory: LangGraph's savers, with retention.

The savers are loaded when asked for, so that a missing database driver matters only to those who use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from langchain_mem.checkpointers.retention import Retention, Swept

if TYPE_CHECKING:
    from langchain_mem.checkpointers.memory import InMemoryCheckpointer
    from langchain_mem.checkpointers.postgres import PostgresCheckpointer
    from langchain_mem.checkpointers.sqlite import SqliteCheckpointer

__all__ = ["InMemoryCheckpointer", "PostgresCheckpointer", "Retention", "SqliteCheckpointer", "Swept"]

_MODULES = {"InMemoryCheckpointer": "memory", "PostgresCheckpointer": "postgres", "SqliteCheckpointer": "sqlite"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
