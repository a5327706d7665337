"""Embedders that run on this machine, as LangChain embeddings, and embedders by their name.

It may import `ranking` and `errors`. Start reading with `local`, which has the embedders; `weights` says where a model
comes from, `minilm` runs it, and `naming` finds an embedder by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.embeddings.local import LocalEmbeddings, MultilingualEmbeddings, local_embeddings
    from langchain_mem.embeddings.naming import embedder_named

_HOMES = {
    "LocalEmbeddings": "local",
    "MultilingualEmbeddings": "local",
    "embedder_named": "naming",
    "local_embeddings": "local",
}

__all__ = ["LocalEmbeddings", "MultilingualEmbeddings", "embedder_named", "local_embeddings"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
