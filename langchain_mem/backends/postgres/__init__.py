"""The backend on Postgres with pgvector.

It may import the protocol in `backends`, `filters` and `model`. Start reading with `backend`, which a store calls;
`making`, `reading` and `writing` hold every statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.backends.postgres.backend import PostgresBackend

_HOMES = {
    "PostgresBackend": "backend",
}

__all__ = ["PostgresBackend"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
