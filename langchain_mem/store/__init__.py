"""The LangGraph store: `LongTermStore` over any backend.

It may import `backends`, `embeddings`, `watching`, `ranking`, `filters`, `model` and `errors`. Start reading with
`long_term`; `operations` says what LangGraph's operations mean, `items` what happens to an item before and after a
backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.store.long_term import LongTermStore

_HOMES = {
    "LongTermStore": "long_term",
}

__all__ = ["LongTermStore"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
