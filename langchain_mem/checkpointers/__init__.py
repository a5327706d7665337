"""Short-term memory: LangGraph's checkpoint savers with a retention policy.

It may import `backends`, `watching` and `errors`, beside LangGraph. Start reading with `retention`, the rule that says
which checkpoints are deleted; `memory`, `sqlite` and `postgres` are the savers that apply it. A saver is loaded when it
is first used, so that a missing database driver matters only to those who need it.
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
