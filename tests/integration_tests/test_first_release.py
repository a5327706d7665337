"""A store that the first release wrote opens, reads, searches and takes back as it did then."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pydantic import BaseModel

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel

DATA = Path(__file__).parents[1] / "data" / "first_release"


class Profile(BaseModel):
    name: str | None = None
    diet: str | None = None


class Opened:
    """A memory over the old store, and what the first release told of it."""

    def __init__(self, store: LongTermStore, clock: FakeClock, told: dict[str, Any]) -> None:
        self.store, self.clock, self.told = store, clock, told
        self.memory = Memory(store, clock=clock, model=ScriptedModel(), schemas=[Profile], reinforce="none")


@pytest.fixture(params=["chroma", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """The old store, newly made from what is kept of it."""
    told = json.loads((DATA / f"{request.param}.told.json").read_text())
    clock, embeddings = FakeClock(datetime.fromisoformat(told["now"])), FakeEmbeddings(dims=16)
    if request.param == "chroma":
        zipfile.ZipFile(DATA / "chroma.zip").extractall(tmp_path)
        store = LongTermStore.chroma(tmp_path, embed=embeddings, clock=clock)
    else:
        dsn = request.getfixturevalue("fresh_postgres_dsn")
        _restore(dsn)
        store = LongTermStore.postgres(dsn, embed=embeddings, clock=clock)
    with store:
        yield Opened(store, clock, told)


def _restore(dsn: str) -> None:
    dump = json.loads(gzip.decompress((DATA / "postgres.json.gz").read_bytes()))
    with psycopg.connect(dsn) as database:
        for statement in dump["statements"]:
            database.execute(sql.SQL(statement))
        for table, rows in dump["copies"].items():
            with database.cursor().copy(sql.SQL(f"COPY {table} FROM STDIN")) as copy:
                copy.write(rows)
        database.execute("SELECT setval('langchain_mem.writes', (SELECT max(write) FROM langchain_mem.items))")
        database.execute("SELECT setval('langchain_mem.items_id_seq', (SELECT max(id) FROM langchain_mem.items))")


def _as_told(found: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was found, without the keys that the first release did not have."""
    return [{key: one[key] for key in before} for one, before in zip(found, told, strict=True)]


def test_everything_reads_as_it_did(opened: Opened):
    """Memories, histories, uses, kept turns, counts and documents are what the first release returned."""
    memory, told = opened.memory, opened.told
    for owner, exported in zip(told["owners"], told["export"], strict=True):
        ids = owner["ids"]
        page = memory.get_all(**ids, latest_only=False, show_expired=True, page_size=1_000)
        assert _as_told(page["results"], owner["memories"]) == owner["memories"]
        stats = memory.stats(**ids)
        assert {key: stats[key] for key in owner["stats"]} == owner["stats"]  # later releases count more
        assert memory.export(**ids) == exported
    for key, history in told["history"].items():
        changes = memory.history(key)
        for change in changes:
            if change["event"] == "SUPERSEDE":  # the first release told the old text twice, and no successor
                change["new_memory"] = change["old_memory"]
        assert _as_told(changes, history) == history
    assert memory.users() == told["users"]
    assert memory.get_document(Profile, user_id="alex") == Profile(**told["document"])
    assert memory.pending(["m1", "m2", "m5"], "t1", user_id="alex") == told["pending"]


def test_a_search_finds_what_it_found(opened: Opened):
    """The best answer to each query is the one the first release gave."""
    owners = {"green tea": "kim", "window seats": "alex", "the cello": "alex"}
    found = {query: opened.memory.search(query, user_id=user)["results"][0] for query, user in owners.items()}
    assert {query: [one["memory"]] for query, one in found.items()} == opened.told["found"]


def test_a_batch_can_be_undone(opened: Opened):
    """Undoing an old batch brings back the fact that it superseded, with the turn it rests on."""
    (new,) = opened.told["second"]["results"]
    (old,) = opened.told["first"]["results"]
    undone = opened.memory.undo(opened.told["second"]["batch_id"], user_id="alex")
    assert undone == {"restored": [old["id"]], "removed": [new["id"]], "skipped": []}
    shown = [one["memory"] for one in opened.memory.get_all(user_id="alex", page_size=1_000)["results"]]
    assert "Works at Initech" in shown
    assert "Works at Acme" not in shown


def test_a_change_of_an_old_memory_lands(opened: Opened):
    """Old memories are updated, restored and deleted like new ones."""
    memory, told = opened.memory, opened.told
    opened.clock.advance(minutes=1)
    assert memory.update(told["updated"], "Has a dog named Bo", user_id="alex")["version"] == 3
    assert memory.restore(told["deleted"], user_id="kim")["memory"] == "Runs on Sundays"
    assert memory.update(told["updated"], event_date="2026-06", user_id="alex")["event_end"] is not None
    assert memory.restore(told["updated"], version=2, user_id="alex")["event_end"] is None
    memory.delete(told["updated"], user_id="alex")
    told_of = [one["event"] for one in memory.history(told["updated"])]
    assert told_of == ["ADD", "UPDATE", "UPDATE", "UPDATE", "RESTORE", "DELETE"]


def test_a_plan_can_be_carried_out(opened: Opened):
    """A plan that awaited approval is carried out, and its messages count as added."""
    plan = opened.told["plan"]
    assert opened.memory.commit(plan["batch_id"], user_id="kim")["results"] == plan["results"]
    assert opened.memory.pending(["m4", "m6"], "t3", user_id="kim") == ["m6"]


def test_a_repeated_add_finds_its_first_result(opened: Opened):
    """The messages that the first release extracted are not extracted again."""
    said = [{"role": "user", "content": "I work at Acme now."}]
    source = {"thread_id": "t1", "checkpoint_id": "c2", "message_ids": ["m2"]}
    assert opened.memory.add(said, user_id="alex", source=source) == opened.told["second"]


def test_erasing_finds_the_threads(opened: Opened):
    """Erasing a person names the threads that the first release noted."""
    assert opened.memory.erase("alex")["threads"] == ["t1", "t2", "t9"]


@pytest.mark.parametrize("opened", ["postgres"], indirect=True)
def test_text_that_postgres_refuses(opened: Opened):
    """A key and a value with NUL and half a surrogate pair, and a large number, come back as they were put."""
    item = opened.store.get(("notes",), "odd\x00key")
    assert item is not None
    assert item.value == {"text": "NUL \x00 and half \ud83c", "big": 1e23}
