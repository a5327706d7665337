"""What the demo's own conversation and a replay share: the memory, the model, and the console."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from rich.console import Console

from langchain_mem.memory.facade import Memory


def console() -> Console:
    """Where the demo prints: as wide as `COLUMNS` says, for tables look the same in a pipe."""
    return Console(width=int(os.environ.get("COLUMNS", "110")))


def open_memory(folder: Path, *, days: int) -> Memory:
    """The demo's memory, its clock so many days ahead."""
    return Memory(folder / "memory", model=model(), clock=lambda: datetime.now(UTC) + timedelta(days=days))


def model() -> BaseChatModel | None:
    """A real model where there is a key, through whatever `OPENAI_BASE_URL` names."""
    if not os.environ.get("OPENAI_API_KEY"):
        return None
    from langchain.chat_models import init_chat_model

    return init_chat_model(os.environ.get("OPENAI_MODEL", "gpt-5-mini"), model_provider="openai")
