"""Both kinds of memory for LangGraph and LangChain.

    from langchain_mem import Memory

    memory = Memory()                                   # a folder, a local embedder: no key, no server
    memory.add("I prefer window seats.", user_id="alex")
    memory.search("Which seat?", user_id="alex")

A name is imported when it is first used: LangGraph's base alone takes most of a second to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_mem.checkpointers import (
        InMemoryCheckpointer,
        PostgresCheckpointer,
        Retention,
        SqliteCheckpointer,
    )
    from langchain_mem.decay import Decay
    from langchain_mem.embeddings import local_embeddings
    from langchain_mem.errors import (
        Conflict,
        EmbeddingMismatch,
        ExtractionError,
        FilterError,
        InvalidRequest,
        MemError,
        MissingDependency,
        NotFound,
        ScopeError,
        StoreError,
        StoreLocked,
    )
    from langchain_mem.memory import AsyncMemory, Memory
    from langchain_mem.redaction import redact_secrets
    from langchain_mem.store import LongTermStore

_HOMES = {
    "AsyncMemory": "memory",
    "Conflict": "errors",
    "Decay": "decay",
    "EmbeddingMismatch": "errors",
    "ExtractionError": "errors",
    "FilterError": "errors",
    "InMemoryCheckpointer": "checkpointers",
    "InvalidRequest": "errors",
    "LongTermStore": "store",
    "MemError": "errors",
    "Memory": "memory",
    "MissingDependency": "errors",
    "NotFound": "errors",
    "PostgresCheckpointer": "checkpointers",
    "Retention": "checkpointers",
    "ScopeError": "errors",
    "SqliteCheckpointer": "checkpointers",
    "StoreError": "errors",
    "StoreLocked": "errors",
    "local_embeddings": "embeddings",
    "redact_secrets": "redaction",
}

__all__ = [  # noqa: RUF022 - in the order of _HOMES
    "AsyncMemory",
    "Conflict",
    "Decay",
    "EmbeddingMismatch",
    "ExtractionError",
    "FilterError",
    "InMemoryCheckpointer",
    "InvalidRequest",
    "LongTermStore",
    "MemError",
    "Memory",
    "MissingDependency",
    "NotFound",
    "PostgresCheckpointer",
    "Retention",
    "ScopeError",
    "SqliteCheckpointer",
    "StoreError",
    "StoreLocked",
    "local_embeddings",
    "redact_secrets",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
