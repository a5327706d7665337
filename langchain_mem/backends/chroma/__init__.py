"""The backend on Chroma: in a folder, over HTTP, or in Chroma Cloud.

It may import the protocol in `backends`, the dictionary backend, `filters` and `model`. Start reading with `backend`,
which a store calls; `collection` holds what it does, with the help of these:

    records, batch            rows as Chroma records, and a batch of writes as what to upsert and delete
    engine, where             what Chroma's engine answers, and filters as it takes them
    scope_cache, recent       what is held in memory
    followed, kept            what was written since somebody looked, and the indexes that are kept beside a folder
    buffered, side_database   small writes and uses, which wait beside Chroma or stay there
    journal, write_ahead      batches that are whole after a kill, and SQLite's write-ahead log
    folder, lock              one process in a folder
    write_lock, feed          several on a server
    client, transient         Chroma's client, within the bounds of one call
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.backends.chroma.backend import ChromaBackend

_HOMES = {
    "ChromaBackend": "backend",
}

__all__ = ["ChromaBackend"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
