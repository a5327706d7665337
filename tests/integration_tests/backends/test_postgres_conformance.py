"""Postgres does all that a store has to do, from threads and event loops, exactly and by its approximate index."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest

from langchain_mem._flow import run
from langchain_mem.backends import postgres
from langchain_mem.backends.postgres import PostgresBackend
from langchain_mem.store import LongTermStore
from langchain_mem.testing.backends import LongTermStoreConformance
from langchain_mem.testing.clock import FakeClock

Opener = Callable[..., LongTermStore]


class _Conformance(LongTermStoreConformance):
    __test__ = False
    examples: ClassVar[int] = 10
    exact: ClassVar[int] = postgres.EXACT_LIMIT

    @pytest.fixture
    def open_store(self, clock: FakeClock, postgres_dsn: str) -> Iterator[Opener]:
        schema = f"store_{uuid.uuid4().hex}"
        with ExitStack() as stack:

            def open_store(**config: Any) -> LongTermStore:
                backend = PostgresBackend(postgres_dsn, schema=schema, exact=self.exact)
                stack.callback(lambda: run(backend.close()))
                return LongTermStore(backend, clock=clock, **config)

            yield open_store


class TestPostgres(_Conformance):
    __test__ = True


class TestBroadScopes(_Conformance):
    """As if every scope were too large to be searched exactly."""

    __test__ = True
    exact: ClassVar[int] = 0
    forms = ("sync",)
    examples: ClassVar[int] = 3
