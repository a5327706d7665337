"""Fakes and suites for testing an agent's memory, and for testing a store or a backend of your own.

Nothing else in the package imports it. It may import every room below it. Start reading with `model`, the chat model
that says what a test wrote down; `conformance` is the suite for any LangGraph store, `backends` that for a backend.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_mem.testing.backends import LongTermStoreConformance as LongTermStoreConformance
    from langchain_mem.testing.clock import FakeClock as FakeClock
    from langchain_mem.testing.conformance import StoreConformance as StoreConformance
    from langchain_mem.testing.embeddings import FakeEmbeddings as FakeEmbeddings
    from langchain_mem.testing.model import ScriptedModel as ScriptedModel
    from langchain_mem.testing.model import ScriptExhausted as ScriptExhausted
    from langchain_mem.testing.peer import Fault as Fault
    from langchain_mem.testing.peer import OpenAIPeer as OpenAIPeer

_HOMES = {
    "FakeClock": "clock",
    "FakeEmbeddings": "embeddings",
    "Fault": "peer",
    "LongTermStoreConformance": "backends",
    "OpenAIPeer": "peer",
    "ScriptExhausted": "model",
    "ScriptedModel": "model",
    "StoreConformance": "conformance",
}

__all__ = sorted(_HOMES)

if "pytest" in sys.modules:  # a failing assert of a suite says what it saw, as in a test file
    _suites = (
        f"{__name__}.{module}" for module in ("conformance", "searching", "backends", "rows", "queries", "abilities")
    )
    sys.modules["pytest"].register_assert_rewrite(*_suites)


def __getattr__(name: str) -> Any:
    """Imports a name on first use: the suites need pytest and hypothesis, the clock needs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
