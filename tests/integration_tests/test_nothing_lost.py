"""What was lost, revived or written across owners stays closed on every engine, and on LangGraph's own stores."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from psycopg import sql
from psycopg.conninfo import make_conninfo

from langchain_mem import LongTermStore
from langchain_mem.testing import FakeClock, FakeEmbeddings
from tests.memories import Bench

# Collected here once more, on the stores of the fixture below.
from tests.unit_tests.memory.test_nothing_lost import (
    TestAgents,
    TestClock,
    TestEndSession,
    TestImport,
    TestLearnedAgain,
    TestOneId,
    TestOwners,
    TestPromote,
    TestPurge,
    TestReading,
    TestShared,
    TestTwice,
    TestTwins,
    TestTwoIds,
    TestUndo,
)

__all__ = [
    "TestAgents",
    "TestClock",
    "TestEndSession",
    "TestImport",
    "TestLearnedAgain",
    "TestOneId",
    "TestOwners",
    "TestPromote",
    "TestPurge",
    "TestReading",
    "TestShared",
    "TestTwice",
    "TestTwins",
    "TestTwoIds",
    "TestUndo",
]

ON_ONE = {"test_wrong_types_are_refused", "test_a_chat_leaves_what_is_shared"}
"""What is decided before any engine is asked, in many cases: `make test` shows it on one of these, the soak on all."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "open_store" in metafunc.fixturenames:
        now = ENGINES[:1] if metafunc.function.__name__ in ON_ONE else ENGINES[:3]
        params = [pytest.param(name, marks=() if name in now else pytest.mark.soak) for name in ENGINES]
        metafunc.parametrize("open_store", params, indirect=True)


ENGINES = ("chroma", "postgres", "langgraph-memory", "langgraph-postgres")
INDEX: Any = {"dims": 64, "embed": FakeEmbeddings()}
Open = Callable[[FakeClock], BaseStore]


def _langgraph_postgres(dsn: str) -> BaseStore:
    """LangGraph's store on Postgres, in a schema of its own."""
    from langgraph.store.postgres import PostgresStore

    name = f"lost_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
        admin.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    place = make_conninfo(dsn, options=f"-csearch_path={name},public")
    store = PostgresStore(psycopg.connect(place, autocommit=True, row_factory=psycopg.rows.dict_row), index=INDEX)
    store.setup()
    return store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One Chroma folder, whose client stays open between the tests."""
    place = tmp_path_factory.mktemp("lost")
    with LongTermStore.chroma(place, collection="kept-open", embed=FakeEmbeddings()) as kept_open:
        kept_open.setup()
        yield place


@pytest.fixture
def open_store(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens an empty store of each engine."""
    ended = ExitStack()

    def open_store(clock: FakeClock) -> BaseStore:
        name = f"lost_{uuid.uuid4().hex[:12]}"
        if request.param == "chroma":
            place = request.getfixturevalue("folder")
            return ended.enter_context(
                LongTermStore.chroma(place, collection=name, embed=FakeEmbeddings(), clock=clock)
            )
        if request.param == "postgres":
            dsn = request.getfixturevalue("postgres_dsn")
            return ended.enter_context(LongTermStore.postgres(dsn, schema=name, embed=FakeEmbeddings(), clock=clock))
        if request.param == "langgraph-memory":
            return InMemoryStore(index=INDEX)
        store = _langgraph_postgres(request.getfixturevalue("postgres_dsn"))
        ended.callback(store.conn.close)  # type: ignore[attr-defined]
        return store

    with ended:
        yield open_store


@pytest.fixture
def bench(open_store: Open) -> Iterator[Callable[..., Bench]]:
    """Opens a memory on an empty store, with a model's replies."""
    opened: list[Bench] = []

    def open_bench(*replies: object, **options: object) -> Bench:
        clock = FakeClock()
        opened.append(Bench(*replies, store=open_store(clock), clock=clock, **options))
        return opened[-1]

    yield open_bench
    for each in opened:
        each.memory.close()
