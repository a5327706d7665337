"""The surfaces of LangChain and LangGraph: nodes, middleware, tools, retriever, chat history.

Each turns what its framework says into a call of `memory`. It may import every room below it, and no room below imports
it, but for `memory.tools()` and `memory.as_retriever()`. Start reading with `nodes` and `middleware`. Beside them is
what both rest on, an idea a file:

    identity      whose memory a run is about         delegation    whether a model speaks where a person seems to
    place         which memory, or the run's store    conversation  what was said, and what is gone from the state
    recall        what is recalled for a question     prompting     where its text goes in a model call
    extracting    what becomes of a conversation      heard         what the agent's model was given of it
    failing       what a memory that is down does     model_calls   whether a guardrail answered in the model's place
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.integrations.chat_history import MemoryChatHistory
    from langchain_mem.integrations.delegation import delegated
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
    "delegated": "delegation",
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
    "delegated",
    "extraction_node",
    "memory_tools",
    "recalled",
    "retrieval_node",
]

__getattr__, __dir__ = lazily(__name__, _HOMES)
