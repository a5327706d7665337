"""Every operation against a plain model, on a Chroma folder and on Postgres."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel
from tests.life import PURGE_AFTER, SESSION_TTL, Life

BRIEFLY = settings(
    max_examples=4,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,  # the same lives each time; `make soak` draws others
    suppress_health_check=list(HealthCheck),
)
AT_LENGTH = settings(max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck))


class StoreLife(Life):
    """A life on a store that `make` opens."""

    def make(self, clock: FakeClock) -> LongTermStore:
        raise NotImplementedError

    def open(self, clock: FakeClock, model: ScriptedModel) -> Memory:
        self.store = self.make(clock)
        return Memory(self.store, model=model, clock=clock, session_ttl=SESSION_TTL, purge_after=PURGE_AFTER)

    def teardown(self) -> None:
        super().teardown()
        self.store.close()


@pytest.fixture
def chroma() -> Iterator[type[StoreLife]]:
    """A life in one Chroma folder, a collection for each run."""
    with tempfile.TemporaryDirectory() as folder:
        kept_open = LongTermStore.chroma(folder, collection="kept-open", embed=FakeEmbeddings())
        kept_open.setup()  # the folder's client stays open between the runs

        class ChromaLife(StoreLife):
            def make(self, clock: FakeClock) -> LongTermStore:
                name = f"life-{uuid.uuid4().hex}"
                return LongTermStore.chroma(folder, collection=name, embed=FakeEmbeddings(), clock=clock)

        yield ChromaLife
        kept_open.close()


@pytest.fixture
def postgres(postgres_dsn: str) -> type[StoreLife]:
    """A life on Postgres, a schema for each run."""

    class PostgresLife(StoreLife):
        def make(self, clock: FakeClock) -> LongTermStore:
            schema = f"life_{uuid.uuid4().hex[:12]}"
            return LongTermStore.postgres(postgres_dsn, schema=schema, embed=FakeEmbeddings(), clock=clock)

    return PostgresLife


@pytest.mark.parametrize("engine", ["chroma", "postgres"])
def test_briefly(engine: str, request: pytest.FixtureRequest) -> None:
    """What the model says, the memory shows, whatever order operations come in."""
    run_state_machine_as_test(request.getfixturevalue(engine), settings=BRIEFLY)


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["chroma", "postgres"])
def test_at_length(engine: str, request: pytest.FixtureRequest) -> None:
    """The same for 10,000 steps."""
    run_state_machine_as_test(request.getfixturevalue(engine), settings=AT_LENGTH)
