"""The filter language: what users write, and what it means.

Everything here is pure. It may import `model` and `errors`. Start reading with `conditions`: `matches` decides what
every filter means on every engine; `language` turns what users write into conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.filters.conditions import (
        ALWAYS,
        NEVER,
        And,
        Condition,
        Kind,
        Not,
        Operator,
        Or,
        Path,
        Test,
        conjunction,
        disjunction,
        matches,
        names_owner,
        negation,
        owners,
        widen,
    )
    from langchain_mem.filters.language import ALIASES, FIELDS, parse, parse_store

_HOMES = {
    "ALIASES": "language",
    "ALWAYS": "conditions",
    "And": "conditions",
    "Condition": "conditions",
    "FIELDS": "language",
    "Kind": "conditions",
    "NEVER": "conditions",
    "Not": "conditions",
    "Operator": "conditions",
    "Or": "conditions",
    "Path": "conditions",
    "Test": "conditions",
    "conjunction": "conditions",
    "disjunction": "conditions",
    "matches": "conditions",
    "names_owner": "conditions",
    "negation": "conditions",
    "owners": "conditions",
    "parse": "language",
    "parse_store": "language",
    "widen": "conditions",
}

__all__ = [
    "ALIASES",
    "ALWAYS",
    "FIELDS",
    "NEVER",
    "And",
    "Condition",
    "Kind",
    "Not",
    "Operator",
    "Or",
    "Path",
    "Test",
    "conjunction",
    "disjunction",
    "matches",
    "names_owner",
    "negation",
    "owners",
    "parse",
    "parse_store",
    "widen",
]

__getattr__, __dir__ = lazily(__name__, _HOMES)
