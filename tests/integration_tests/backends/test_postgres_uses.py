"""Uses travel between processes with what was written, and each counts once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem._flow import run
from langchain_mem.backends.base import Address
from langchain_mem.backends.changes import Changes
from langchain_mem.backends.postgres import following
from langchain_mem.backends.postgres.backend import PostgresBackend
from langchain_mem.backends.postgres.following import Asked
from langchain_mem.filters.conditions import Path
from langchain_mem.testing import FakeClock, FakeEmbeddings
from tests.integration_tests.backends.test_postgres import NOW, make, put

OWNER = ("memories", "user", "alex")
HOURS = [NOW + timedelta(hours=n) for n in range(6)]


@pytest.fixture
def backend(postgres_dsn: str) -> Iterator[PostgresBackend]:
    backend = PostgresBackend(postgres_dsn, schema=f"uses_{uuid.uuid4().hex}")
    run(backend.setup(None))
    put(backend, *(make(Address((*OWNER, "own"), str(n)), {"n": n}, touches=(HOURS[0],)) for n in range(9)))
    yield backend
    run(backend.close())


def changes(backend: PostgresBackend, since: Changes | None = None) -> Changes:
    found = run(backend.changes((OWNER,), (Path(("n",)),), since and since.stamp, 100))
    assert found is not None
    return found


def touch(backend: PostgresBackend, *keys: str, hour: int, keep: int = 3) -> None:
    run(backend.touch({Address((*OWNER, "own"), key): [HOURS[hour]] for key in keys}, keep))


def test_uses_travel(backend: PostgresBackend) -> None:
    """What was used since is told once, by the handle of the row, and the row itself does not come again."""
    first = changes(backend)
    assert list(first.uses or ()) == [[HOURS[0]]] * 9
    touch(backend, "3", "5", hour=2)
    touch(backend, "5", hour=1)
    second = changes(backend, first)
    called = dict(zip(first.handles, first.addresses, strict=True))
    told = sorted((called[use.handle].key, use.instants, use.keep) for use in second.used)
    assert told == [("3", [HOURS[2]], 3), ("5", [HOURS[1]], 3), ("5", [HOURS[2]], 3)]
    assert not second.addresses
    assert not changes(backend, second).used


def test_whole_values_come_with_the_fields(backend: PostgresBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values, fields and uses are those of their rows, whether all come in one answer or by pages."""
    for page in (4_000, 4):
        monkeypatch.setattr("langchain_mem.backends.postgres.backend.PAGE", page)
        monkeypatch.setattr(following, "PAGE", page)
        found = changes(backend)
        assert [(address.key, *fields) for address, fields in zip(found.addresses, found.fields, strict=True)] == [
            (str(n), n) for n in range(9)
        ]
        assert list(found.values or ()) == [{"n": n} for n in range(9)]
        assert (found.values or ())[2] == {"n": 2}
        assert list(found.uses or ()) == [[HOURS[0]]] * 9


def test_a_use_that_ends_late_counts(backend: PostgresBackend, postgres_dsn: str) -> None:
    """A use that was begun before a stamp and is committed after it comes with the next answer, and not before."""
    statement = backend._writing.touch({Address((*OWNER, "own"), "1"): [HOURS[4]]}, 3)
    with psycopg.connect(postgres_dsn) as slow:
        slow.execute(statement.query.encode(), statement.parameters)
        first = changes(backend)
        slow.commit()
    second = changes(backend, first)
    assert [use.instants for use in second.used] == [[HOURS[4]]]


def test_old_notes_go_unless_an_index_needs_them(backend: PostgresBackend, postgres_dsn: str) -> None:
    """A purge drops notes of uses after a day, but not those that a kept index was made before."""
    schema = backend.tables.name
    stamp = changes(backend).stamp
    assert isinstance(stamp, Asked)
    assert run(backend.keep((OWNER,), "live", b"index", stamp))
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        touch(backend, "1", hour=1)
        admin.execute(f"UPDATE {schema}.used SET at = at - interval '2 days'")
        admin.execute(f"UPDATE {schema}.kept SET at = at - interval '3 days'")
        run(backend.purge(NOW))
        assert admin.execute(f"SELECT count(*) FROM {schema}.used").fetchone() == (1,)
        kept = run(backend.kept((OWNER,), "live"))
        assert kept is not None
        found = run(backend.changes((OWNER,), (), kept.stamp, 100))
        assert found is not None
        assert [use.instants for use in found.used] == [[HOURS[1]]]
        run(backend.forget_kept())
        run(backend.purge(NOW))
        assert admin.execute(f"SELECT count(*) FROM {schema}.used").fetchone() == (0,)


def test_a_search_counts_the_uses_of_other_processes(postgres_dsn: str) -> None:
    """What one memory used, the index of another counts at its next search, and a restart counts both."""
    clock, schema = FakeClock(NOW), f"uses_{uuid.uuid4().hex}"

    def opened() -> LongTermStore:
        return LongTermStore.postgres(postgres_dsn, schema=schema, embed=FakeEmbeddings(), clock=clock)

    def touches(memory: Memory) -> int:
        found = memory.search("tea", user_id="alex", explain=True, reinforce="none", decay=True)["results"]
        return int(found[0]["score_details"]["touches"])

    with opened() as one, opened() as other:
        here, there = Memory(one, clock=clock), Memory(other, clock=clock, reinforce="returned")
        here.add("I like tea", user_id="alex", infer=False)
        assert touches(here) == 1
        for n in range(2, 5):
            clock.advance(timedelta(hours=1))
            there.search("tea", user_id="alex")
            there.flush()
            assert (touches(here), touches(there)) == (n, n)
    with opened() as store:
        assert touches(Memory(store, clock=clock)) == 4
