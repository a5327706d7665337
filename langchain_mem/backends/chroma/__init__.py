"""The backend on Chroma: in a folder, over HTTP, or in Chroma Cloud.

It may import the protocol in `backends`, the dictionary backend, `filters` and `model`. Start reading with `backend`,
which a store calls; `collection` holds what it does.
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
