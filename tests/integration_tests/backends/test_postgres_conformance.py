"""Postgres does all that a store has to do, from threads and event loops, exactly and by its approximate index.

All tests share one schema, which each leaves as it was before anything was written: making the tables takes longer than
a test.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from langchain_mem._flow import run
from langchain_mem.backends.base import Backend
from langchain_mem.backends.encrypted import EncryptedBackend
from langchain_mem.backends.postgres.backend import EXACT_LIMIT, PostgresBackend
from langchain_mem.backends.sealing import Encryption
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing.backends import LongTermStoreConformance
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.forms import Suite
from langchain_mem.testing.queries import QuerySuite
from langchain_mem.testing.rows import RowSuite
from langchain_mem.testing.searching import Searching
from tests.turns import InTurns

Opener = Callable[..., LongTermStore]


@pytest.fixture(scope="module")
def emptied(postgres_dsn: str) -> Iterator[Callable[[], str]]:
    """Gives a function that empties the tables of this module, and says in which schema they are."""
    schema = f"store_{uuid.uuid4().hex}"
    backend = PostgresBackend(postgres_dsn, schema=schema)
    run(backend.setup(None))
    run(backend.close())
    with psycopg.connect(postgres_dsn, autocommit=True, options=f"-c search_path={schema}") as admin:
        admin.execute("SET session_replication_role = replica")  # no trigger notes what is removed

        def emptied() -> str:
            for table in ("items", "vectors", "gone", "kept"):
                admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            admin.execute("UPDATE meta SET embedder = NULL, dims = NULL")
            admin.execute("DROP INDEX IF EXISTS vectors_embedding")  # made anew for the next embedder
            return schema

        yield emptied


class _Postgres(Suite):
    exact: ClassVar[int] = EXACT_LIMIT

    def wrapped(self, backend: PostgresBackend) -> Backend:
        """The backend that the store gets."""
        return backend

    @pytest.fixture
    def open_store(self, clock: FakeClock, postgres_dsn: str, emptied: Callable[[], str]) -> Iterator[Opener]:
        schema = emptied()
        dsn = make_conninfo(postgres_dsn, options="-c synchronous_commit=off")  # no test pulls the plug
        with ExitStack() as stack:

            def open_store(**config: Any) -> LongTermStore:
                backend = PostgresBackend(dsn, schema=schema, exact=self.exact)
                stack.callback(lambda: run(backend.close()))
                return LongTermStore(self.wrapped(backend), clock=clock, **config)

            yield open_store


class TestPostgres(InTurns, _Postgres, LongTermStoreConformance):
    examples: ClassVar[int] = 8


class TestBroadScopes(_Postgres, Searching):
    """Searches, as if every scope were too large for an exact one."""

    exact: ClassVar[int] = 0
    forms = ("sync",)


class _Encrypted(_Postgres):
    """The tables hold nothing but sealed values and hashed words."""

    examples: ClassVar[int] = 3
    forms = ("sync",)

    def wrapped(self, backend: PostgresBackend) -> Backend:
        """The backend, and before it what seals its rows."""
        return EncryptedBackend(backend, Encryption(key=b"sixteen bytes or more"))


class TestEncrypted(_Encrypted, QuerySuite, RowSuite):
    """Rows, queries and the law of filters; the whole contract, encrypted, is met on the dictionary."""


@pytest.mark.soak
class TestAllOfEncrypted(_Encrypted, LongTermStoreConformance):
    """The rest too."""
