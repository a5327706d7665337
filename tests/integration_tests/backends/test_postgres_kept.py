"""An owner's index is kept in Postgres: a process that starts goes on from it, and what is removed leaves it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from langchain_mem import LongTermStore
from langchain_mem.backends.postgres.row_security import grants
from langchain_mem.backends.sealing import Encryption
from langchain_mem.repository import living
from langchain_mem.repository.owners import owners_of
from langchain_mem.testing import FakeEmbeddings
from tests.integration_tests.following import OWNER, Opened

COUNT = 40


class Process(Opened):
    """A process on the tables of a schema."""

    def __init__(self, dsn: str, schema: str, **config: Any) -> None:
        embed = FakeEmbeddings(dims=8)
        super().__init__(lambda clock: LongTermStore.postgres(dsn, schema=schema, embed=embed, clock=clock, **config))

    def search(self, **options: Any) -> list[tuple[str, Any]]:
        """What is found, with the scores, once the index behind it is kept."""
        found = super().search(top_k=100, threshold=0.0, **options)
        owners_of(self.store.items)._behind.wait()
        return sorted((text, pytest.approx(score, abs=1e-4)) for text, score in found)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Owners with a few memories are worth keeping here."""
    monkeypatch.setattr(living, "_WORTH_KEEPING", 1)


@pytest.fixture
def schema() -> str:
    return f"kept_{uuid.uuid4().hex}"


@pytest.fixture
def reopen(postgres_dsn: str, schema: str) -> Iterator[Callable[..., Process]]:
    """Opens the tables as another process would; all are closed in the end."""
    every: list[Process] = []

    def reopen(**config: Any) -> Process:
        every.append(Process(postgres_dsn, schema, **config))
        return every[-1]

    yield reopen
    for each in every:
        each.close()


@pytest.fixture
def raw(postgres_dsn: str, schema: str) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Runs SQL with `{kept}` and `{items}` for the tables."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:

        def run(query: str) -> list[tuple[Any, ...]]:
            cursor = connection.execute(query.format(kept=f"{schema}.kept", items=f"{schema}.items", schema=schema))
            return cursor.fetchall() if cursor.description else []

        yield run


def test_a_process_goes_on_from_what_another_kept(reopen: Callable[..., Process]) -> None:
    """It reads no memory anew, and of what was written since only that, although nobody closed anything."""
    first = reopen()
    first.fill(COUNT)
    found = first.search()
    second = reopen()
    assert second.search() == found
    assert second.loaded == 0
    second.memory.add("Zanzibar has the number 77.", infer=False, **OWNER)
    third = reopen()
    assert "Zanzibar has the number 77." in dict(third.search())
    assert third.loaded == 1


def test_who_closes_leaves_what_was_written_last(reopen: Callable[..., Process]) -> None:
    """A process that ends keeps the index anew, too little though it was for one that goes on."""
    first = reopen()
    first.fill(COUNT)
    first.search()
    for place in ("Zanzibar", "Timbuktu"):  # a twentieth
        first.memory.add(f"{place} has the number 77.", infer=False, **OWNER)
    first.close()
    second = reopen()
    assert len(second.search()) == COUNT + 2
    assert second.loaded == 0


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 20))])
def test_what_is_kept_says_what_the_memories_say(reopen: Callable[..., Process], raw: Any, seed: int) -> None:
    """After adds, updates, deletes and erasures by several processes, one that begins with what is kept finds the same
    as one that makes its index anew."""
    rng = random.Random(seed)
    processes = [reopen(), reopen()]
    processes[0].fill(12)
    for step in range(10):
        one = rng.choice(processes)
        listed = one.memory.get_all(page_size=100, **OWNER)["results"]
        doing = rng.choice(["add", "add", "update", "delete", "purge", "search", "search"])
        if doing == "add" or not listed:
            one.memory.add(f"Village {step} has the number {rng.randrange(99)}.", infer=False, **OWNER)
        elif doing == "update":
            one.memory.update(rng.choice(listed)["id"], f"Hamlet {step} has the number 77.", **OWNER)
        elif doing == "delete":
            one.memory.delete(rng.choice(listed)["id"], **OWNER)
        elif doing == "purge":
            one.memory.purge_expired(**OWNER)
        else:
            one.search()
        resumed = reopen()
        found = resumed.search()
        if rng.random() < 0.5:
            raw("TRUNCATE {kept}")
            assert reopen().search() == found
        assert {text for text, _ in found} == {
            each["memory"] for each in one.memory.get_all(page_size=100, **OWNER)["results"]
        }


HELD = "SELECT count(*) FROM {kept} WHERE position('quokka'::bytea IN content) > 0"


@pytest.fixture
def quokka(reopen: Callable[..., Process], raw: Any) -> str:
    """The id of a memory that stands in an index that is kept."""
    opened = reopen()
    towns = [f"Town {n} has the number {n * 7}." for n in range(COUNT)]
    added = opened.memory.add(["Alex keeps a quokka.", *towns], infer=False, **OWNER)["results"]
    opened.search()
    assert raw(HELD) == [(1,)]
    memory_id: str = added[0]["id"]
    return memory_id


def test_a_removal_costs_what_it_removes(reopen: Callable[..., Process], raw: Any, quokka: str) -> None:
    """The index goes on counting: a process that starts reads nothing anew, and does not find what was removed."""
    raw(f"DELETE FROM {{items}} WHERE key = '{quokka}'")
    opened = reopen()
    assert [text for text, _ in opened.search() if "quokka" in text] == []
    assert opened.loaded == 0


def test_what_is_removed_leaves_the_index(
    reopen: Callable[..., Process], raw: Any, quokka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that follows the owner keeps the index anew after a while, without a word of what was removed."""
    opened = reopen()
    opened.search()
    monkeypatch.setattr(living, "_LOST", 0.0)
    raw(f"DELETE FROM {{items}} WHERE key = '{quokka}'")
    found = opened.search()
    assert raw("SELECT count(*) FROM {kept}") == [(1,)]
    assert raw(HELD) == [(0,)]
    again = reopen()
    assert again.search() == found
    assert again.loaded == 0


@pytest.mark.parametrize("remove", ["purge_expired", "compact"])
def test_what_is_removed_for_good_is_in_no_row(
    reopen: Callable[..., Process], raw: Any, quokka: str, remove: str
) -> None:
    """Who asks for it waits for no other process."""
    opened = reopen()
    raw(f"DELETE FROM {{items}} WHERE key = '{quokka}'")
    getattr(opened.memory, remove)()
    assert raw(HELD) == [(0,)]


def test_an_index_that_holds_something_removed_counts_for_half_a_day(
    reopen: Callable[..., Process], raw: Any, quokka: str
) -> None:
    """After a day the notes on what was removed are dropped, so before that the index counts no more."""
    raw(f"DELETE FROM {{items}} WHERE key = '{quokka}'")
    raw("UPDATE {kept} SET lost = lost - interval '13 hours'")
    raw("DELETE FROM {schema}.gone")
    opened = reopen()
    assert [text for text, _ in opened.search() if "quokka" in text] == []
    assert opened.loaded == COUNT


def test_after_erase_no_table_holds_anything_of_the_person(reopen: Callable[..., Process], raw: Any) -> None:
    """Neither the words nor the id of the person are in any row, and another process that ends brings nothing back."""
    opened, other = reopen(), reopen()
    opened.memory.add(["Quokkas are what I like.", "My name is Xaver."], infer=False, user_id="xaver")
    opened.memory.add("I like tea.", infer=False, user_id="bo")
    for each in (opened, other):
        each.memory.search("quokka", user_id="xaver")
        owners_of(each.store.items)._behind.wait()
    assert raw("SELECT count(*) FROM {kept}") == [(1,)]
    opened.memory.erase("xaver")
    other.close()
    opened.close()
    tables = [name for (name,) in raw("SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'")]
    assert {"items", "vectors", "gone", "kept", "meta"} <= set(tables)
    rows = [str(row).lower() for table in tables for row in raw(f"SELECT * FROM {{schema}}.{table}")]
    assert not [row for row in rows if "xaver" in row or "quokka" in row]


def test_who_keeps_and_who_removes_do_not_miss_each_other(
    reopen: Callable[..., Process], raw: Any, postgres_dsn: str, schema: str
) -> None:
    """An index made before a removal is not kept while the removal is under way, and afterwards without its words."""
    opened = reopen()
    opened.memory.add(["Alex keeps a quokka.", "Alex likes tea."], infer=False, **OWNER)
    raw("TRUNCATE {kept}")
    with psycopg.connect(postgres_dsn) as removing:
        removing.execute(f"DELETE FROM {schema}.items WHERE value::text LIKE '%quokka%'")
        opened.search()
        assert raw("SELECT count(*) FROM {kept}") == [(0,)]
    opened.close()
    assert raw(HELD) == [(0,)]
    assert [text for text, _ in reopen().search()] == ["Alex likes tea."]


@pytest.mark.parametrize(
    "change",
    [
        "content = '\\x00'::bytea || substring(content FROM 2)",  # kept by another release
        "content = substring(content FOR length(content) / 2)",
        "place = '1/1'",  # restored from a dump: the snapshot is of another server
    ],
)
def test_what_cannot_be_trusted_costs_only_time(reopen: Callable[..., Process], raw: Any, change: str) -> None:
    """The index is made anew, and kept anew in its place."""
    opened = reopen()
    opened.fill(COUNT)
    found = opened.search()
    raw(f"UPDATE {{kept}} SET {change}")
    again = reopen()
    assert again.search() == found
    assert again.loaded == COUNT
    third = reopen()
    assert third.search() == found
    assert third.loaded == 0


def test_with_encryption_nothing_is_kept(reopen: Callable[..., Process], raw: Any) -> None:
    """And what was kept before encryption was turned on goes when the rows are sealed."""
    plain = reopen()
    plain.fill(COUNT)
    plain.search()
    assert raw("SELECT count(*) > 0 FROM {kept}") == [(True,)]
    sealed = reopen(encryption=Encryption(key=b"sixteen bytes or more"))
    sealed.store.rotate_keys()
    assert sealed.search()
    sealed.close()
    assert raw("SELECT count(*) FROM {kept}") == [(0,)]


def test_with_row_security_an_index_is_its_owners(postgres_dsn: str, schema: str, raw: Any) -> None:
    """The application's role keeps an index and goes on from it; SQL of its own sees that of the owner it names."""
    role = f"app_{uuid.uuid4().hex}"
    app = make_conninfo(postgres_dsn, user=role, password="app")
    with LongTermStore.postgres(postgres_dsn, schema=schema, embed=FakeEmbeddings(dims=8), row_security=True) as store:
        store.setup()
    raw(f"CREATE ROLE {role} LOGIN PASSWORD 'app'")
    raw(grants(role, schema))
    first = Process(app, schema, row_security=True)
    first.fill(COUNT)
    found = first.search()
    first.memory.search("tea", user_id="bo")
    second = Process(app, schema, row_security=True)
    assert second.search() == found
    assert second.loaded == 0
    with psycopg.connect(app, autocommit=True) as connection:
        assert connection.execute(f"SELECT count(*) FROM {schema}.kept").fetchone() == (0,)
        for owner, seen in (("alex", True), ("bo", False)):
            shown = f'[["memories", "user", "{owner}"], ["turns", "user", "{owner}"]]'
            connection.execute("SELECT set_config('langchain_mem.shown', %s, FALSE)", (shown,))
            assert connection.execute(f"SELECT count(*) > 0 FROM {schema}.kept").fetchone() == (seen,)
    first.close()
    second.close()
    raw(f"DROP OWNED BY {role}")
    raw(f"DROP ROLE {role}")


KILLED = """
import sys, time
from langchain_mem import LongTermStore, Memory
from langchain_mem.repository import living
from langchain_mem.testing import FakeEmbeddings
living._WORTH_KEEPING = 1
memory = Memory(LongTermStore.postgres(sys.argv[1], schema=sys.argv[2], embed=FakeEmbeddings(dims=8)))
memory.add(["Town 11 has the number 77."], infer=False, user_id="alex")
memory.search("77", user_id="alex", reinforce="none")
time.sleep(600)
"""


@pytest.mark.soak
def test_after_a_kill_the_next_process_goes_on(reopen: Callable[..., Process], postgres_dsn: str, schema: str) -> None:
    """What a process kept in its background counts although it was killed."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, postgres_dsn, schema])
    try:
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            for _ in range(600):
                (there,) = connection.execute("SELECT to_regclass(%s)", (f"{schema}.kept",)).fetchone() or (None,)
                if there and connection.execute(f"SELECT FROM {schema}.kept").fetchone() is not None:
                    break
                time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    opened = reopen()
    assert [text for text, _ in opened.search()] == ["Town 11 has the number 77."]
    assert opened.loaded == 0
