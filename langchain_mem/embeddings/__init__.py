"""Embedders that run on this machine, as LangChain embeddings.

It imports `errors` only. Start reading with `local`, which finds the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.embeddings.local import LocalEmbeddings, local_embeddings

_HOMES = {
    "LocalEmbeddings": "local",
    "local_embeddings": "local",
}

__all__ = ["LocalEmbeddings", "local_embeddings"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
