"""Both kinds of memory for LangGraph and LangChain.

    from langchain_mem import Memory

    memory = Memory()                                   # a folder, a local embedder: no key, no server
    memory.add("I prefer window seats.", user_id="alex")
    memory.search("Which seat?", user_id="alex")

A name is imported when it is first used: LangGraph's base alone takes most of a second to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import langchain_mem._moved
from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem._version import __version__
    from langchain_mem.backends.sealing import Encryption
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
    from langchain_mem.extraction.personal_data import Hash, Mask
    from langchain_mem.extraction.redaction import redact_secrets
    from langchain_mem.integrations.chat_history import MemoryChatHistory
    from langchain_mem.integrations.identity import MemoryContext
    from langchain_mem.integrations.middleware import MemoryMiddleware
    from langchain_mem.integrations.nodes import MemoryState, extraction_node, recalled, retrieval_node
    from langchain_mem.integrations.retriever import MemoryRetriever
    from langchain_mem.integrations.tools import memory_tools
    from langchain_mem.memory import AsyncMemory, Memory
    from langchain_mem.model.kinds import Many
    from langchain_mem.store import LongTermStore

_HOMES = {
    "AsyncMemory": "memory",
    "Conflict": "errors",
    "Decay": "decay",
    "EmbeddingMismatch": "errors",
    "Encryption": "backends.sealing",
    "ExtractionError": "errors",
    "FilterError": "errors",
    "Hash": "extraction.personal_data",
    "InMemoryCheckpointer": "checkpointers",
    "InvalidRequest": "errors",
    "LongTermStore": "store",
    "Many": "model.kinds",
    "Mask": "extraction.personal_data",
    "MemError": "errors",
    "Memory": "memory",
    "MemoryChatHistory": "integrations",
    "MemoryContext": "integrations",
    "MemoryMiddleware": "integrations",
    "MemoryRetriever": "integrations",
    "MemoryState": "integrations",
    "MissingDependency": "errors",
    "NotFound": "errors",
    "PostgresCheckpointer": "checkpointers",
    "Retention": "checkpointers",
    "ScopeError": "errors",
    "SqliteCheckpointer": "checkpointers",
    "StoreError": "errors",
    "StoreLocked": "errors",
    "__version__": "_version",
    "extraction_node": "integrations",
    "local_embeddings": "embeddings",
    "memory_tools": "integrations",
    "recalled": "integrations",
    "redact_secrets": "extraction",
    "retrieval_node": "integrations",
}

__all__ = [
    "AsyncMemory",
    "Conflict",
    "Decay",
    "EmbeddingMismatch",
    "Encryption",
    "ExtractionError",
    "FilterError",
    "Hash",
    "InMemoryCheckpointer",
    "InvalidRequest",
    "LongTermStore",
    "Many",
    "Mask",
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
    "__version__",
    "extraction_node",
    "local_embeddings",
    "memory_tools",
    "recalled",
    "redact_secrets",
    "retrieval_node",
]


langchain_mem._moved.install()

__getattr__, __dir__ = lazily(__name__, _HOMES)
