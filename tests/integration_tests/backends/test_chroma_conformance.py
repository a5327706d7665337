"""Chroma does all that a store has to do, in process and over HTTP, exactly and by its approximate index."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from chromadb.api import ClientAPI

from langchain_mem.backends.chroma import ChromaBackend
from langchain_mem.store import LongTermStore
from langchain_mem.testing.backends import LongTermStoreConformance
from langchain_mem.testing.clock import FakeClock

Opener = Callable[..., LongTermStore]


class TestEmbedded(LongTermStoreConformance):
    examples: ClassVar[int] = 5

    @pytest.fixture
    def open_store(self, clock: FakeClock, tmp_path: Path) -> Opener:
        return lambda **config: LongTermStore(ChromaBackend(tmp_path), clock=clock, **config)


class TestBroadScopes(LongTermStoreConformance):
    """As if every scope were too large to be held in memory."""

    examples: ClassVar[int] = 5
    forms = ("sync",)

    @pytest.fixture
    def open_store(self, clock: FakeClock, tmp_path: Path) -> Opener:
        return lambda **config: LongTermStore(ChromaBackend(tmp_path, exact=0), clock=clock, **config)


class TestOverHttp(LongTermStoreConformance):
    examples: ClassVar[int] = 3
    forms = ("sync",)

    @pytest.fixture
    def open_store(self, clock: FakeClock, chroma_client: ClientAPI) -> Opener:
        name = f"test-{uuid.uuid4().hex}"

        def open_store(**config: Any) -> LongTermStore:
            return LongTermStore(ChromaBackend(client=chroma_client, collection=name), clock=clock, **config)

        return open_store
