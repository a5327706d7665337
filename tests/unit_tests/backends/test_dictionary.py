"""The reference backend, by the suite that every backend runs, and what only this one promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.store import LongTermStore
from langchain_mem.testing import FakeClock, LongTermStoreConformance


class TestDictionaryBackend(LongTermStoreConformance):
    @pytest.fixture
    def open_store(self, clock: FakeClock) -> Callable[..., LongTermStore]:
        backend = DictionaryBackend()
        return lambda **config: LongTermStore(backend, clock=clock, **config)
