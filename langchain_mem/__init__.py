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
    from langchain_mem.chat_history import MemoryChatHistory
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
    from langchain_mem.identity import MemoryContext
    from langchain_mem.memory import AsyncMemory, Memory
    from langchain_mem.middleware import MemoryMiddleware
    from langchain_mem.nodes import MemoryState, extraction_node, recalled, retrieval_node
    from langchain_mem.redaction import redact_secrets
    from langchain_mem.retriever import MemoryRetriever
    from langchain_mem.store import LongTermStore
    from langchain_mem.tools import memory_tools

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
    "MemoryChatHistory": "chat_history",
    "MemoryContext": "identity",
    "MemoryMiddleware": "middleware",
    "MemoryRetriever": "retriever",
    "MemoryState": "nodes",
    "MissingDependency": "errors",
    "NotFound": "errors",
    "PostgresCheckpointer": "checkpointers",
    "Retention": "checkpointers",
    "ScopeError": "errors",
    "SqliteCheckpointer": "checkpointers",
    "StoreError": "errors",
    "StoreLocked": "errors",
    "extraction_node": "nodes",
    "local_embeddings": "embeddings",
    "memory_tools": "tools",
    "recalled": "nodes",
    "redact_secrets": "redaction",
    "retrieval_node": "nodes",
}

__all__ = [
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
    "MemoryChatHistory",
    "MemoryContext",
    "MemoryMiddleware",
    "MemoryRetriever",
    "MemoryState",
    "MissingDependency",
    "NotFound",
    "PostgresCheckpointer",
    "Retention",
    "ScopeError",
    "SqliteCheckpointer",
    "StoreError",
    "StoreLocked",
    "extraction_node",
    "local_embeddings",
    "memory_tools",
    "recalled",
    "redact_secrets",
    "retrieval_node",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
