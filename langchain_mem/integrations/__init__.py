"""The surfaces of LangChain and LangGraph: nodes, middleware, tools, retriever, chat history.

They decide nothing: each turns what its framework says into a call of `memory`. Start reading with `nodes`; `identity`
says whose memory a run is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.integrations.chat_history import MemoryChatHistory
    from langchain_mem.integrations.identity import MemoryContext
    from langchain_mem.integrations.middleware import MemoryMiddleware
    from langchain_mem.integrations.nodes import MemoryState, arecalled, extraction_node, recalled, retrieval_node
    from langchain_mem.integrations.retriever import MemoryRetriever
    from langchain_mem.integrations.tools import memory_tools

_HOMES = {
    "MemoryChatHistory": "chat_history",
    "MemoryContext": "identity",
    "MemoryMiddleware": "middleware",
    "MemoryRetriever": "retriever",
    "MemoryState": "nodes",
    "arecalled": "nodes",
    "extraction_node": "nodes",
    "memory_tools": "tools",
    "recalled": "nodes",
    "retrieval_node": "nodes",
}

__all__ = [
    "MemoryChatHistory",
    "MemoryContext",
    "MemoryMiddleware",
    "MemoryRetriever",
    "MemoryState",
    "arecalled",
    "extraction_node",
    "memory_tools",
    "recalled",
    "retrieval_node",
]

__getattr__, __dir__ = lazily(__name__, _HOMES)
