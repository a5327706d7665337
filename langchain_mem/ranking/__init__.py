"""Words and meaning become one relevance, and ranked memories become text for a prompt.

Everything here is arithmetic on arrays and text, without a store and without a clock. It may import `filters`, `model`
and `errors`. Start reading with `relevance`, whose docstring has the formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.ranking.corpus import Corpus, Document
    from langchain_mem.ranking.relevance import Evidence, Scores, dated, prefer_newer

_HOMES = {
    "Corpus": "corpus",
    "Document": "corpus",
    "Evidence": "relevance",
    "Scores": "relevance",
    "dated": "relevance",
    "prefer_newer": "relevance",
}

__all__ = ["Corpus", "Document", "Evidence", "Scores", "dated", "prefer_newer"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
