"""What the tests of the surfaces share: a memory over a dictionary, and scripted extractions."""

from __future__ import annotations

from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.messages import BaseMessage

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel


def memory_with(*replies: Any, embed: Embeddings | None = None, **options: Any) -> Memory:
    """A memory in a dictionary, whose model gives these replies; without any it has none."""
    clock = FakeClock()
    model = ScriptedModel(*replies) if replies else None
    store = LongTermStore.in_memory(embed=embed or FakeEmbeddings(), clock=clock)
    return Memory(store, model=model, clock=clock, **options)


def facts(*texts: str, **fields: Any) -> dict[str, Any]:
    """What a model answers that finds these facts in the first message."""
    return {"operations": [{"action": "add", "text": text, "evidence": [0], **fields} for text in texts]}


def texts(memory: Memory, **ids: str) -> list[str]:
    """What is remembered, sorted."""
    return sorted(one["memory"] for one in memory.get_all(**(ids or {"user_id": "alex"}))["results"])


def prompt_of(call: list[BaseMessage]) -> str:
    """The text of a model call, all of it."""
    return "\n".join(message.text for message in call)


def thread(thread_id: str = "1", user_id: str = "alex") -> dict[str, Any]:
    """A run's configuration."""
    return {"configurable": {"thread_id": thread_id, "user_id": user_id}}
