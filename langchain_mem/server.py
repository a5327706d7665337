"""A store and a checkpointer for LangGraph Server, configured by environment.

    {"store": {"path": "langchain_mem.server.store"}, "checkpointer": {"path": "langchain_mem.server.checkpointer"}}

Those are paths in `langgraph.json`; a file of the project that imports the two works as well: `"./memory.py:store"`.

| variable | meaning | unless set |
|---|---|---|
| `LANGCHAIN_MEM_STORE` | a `postgresql://` address, or a folder: Chroma, and SQLite in `threads.sqlite` | `./memory` |
| `LANGCHAIN_MEM_EMBEDDER` | an embedder by its name, such as `openai:…` or `multilingual` | `minilm` |
| `LANGCHAIN_MEM_THREAD_TTL_DAYS` | a thread idle for longer goes | threads stay |
| `LANGCHAIN_MEM_KEEP_LAST` | at most so many checkpoints of a thread | all stay |
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver

from langchain_mem.checkpointers import Retention
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.store.place import POSTGRES, default_place, open_place

Number = TypeVar("Number", int, float)


@asynccontextmanager
async def store() -> AsyncIterator[LongTermStore]:
    """The long-term store that the environment names, open while the server runs."""
    opened = await asyncio.to_thread(_open_store)
    try:
        yield opened
    finally:
        await opened.aclose()


@asynccontextmanager
async def checkpointer() -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """The checkpointer that the environment names, open while the server runs."""
    opened: Any = await asyncio.to_thread(_open_checkpointer)
    async with opened:
        yield opened


def _open_store() -> LongTermStore:
    return open_place(_place(), embed=os.environ.get("LANGCHAIN_MEM_EMBEDDER") or None)


def _open_checkpointer() -> Any:
    from langchain_mem.checkpointers import PostgresCheckpointer, SqliteCheckpointer

    place = _place()
    if POSTGRES.match(place):
        return PostgresCheckpointer.open(place, retention=_retention())
    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    return SqliteCheckpointer.open(folder / "threads.sqlite", retention=_retention())


def _place() -> str:
    """Where both are; `LANGCHAIN_MEM_DSN` and `LANGCHAIN_MEM_PATH` are the first release's names."""
    return os.environ.get("LANGCHAIN_MEM_STORE") or os.environ.get("LANGCHAIN_MEM_DSN") or default_place()


def _retention() -> Retention | None:
    days, keep_last = _number("LANGCHAIN_MEM_THREAD_TTL_DAYS", float), _number("LANGCHAIN_MEM_KEEP_LAST", int)
    if days is None and keep_last is None:
        return None
    return Retention(thread_ttl=None if days is None else timedelta(days=days), keep_last=keep_last)


def _number(name: str, kind: Callable[[str], Number]) -> Number | None:
    value = os.environ.get(name)
    try:
        return kind(value) if value else None
    except ValueError as error:
        raise InvalidRequest(f"{name} must be a number, not {shown(value)}.") from error
