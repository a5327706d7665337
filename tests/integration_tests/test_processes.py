"""Several processes on one store, and searches beside what removes and rewrites."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import chromadb
import pytest
from chromadb.config import Settings

from langchain_mem import Decay, LongTermStore, Memory
from langchain_mem.testing import FakeEmbeddings

PROCESSES = 4
UPDATES = 25
FEW = 3

# Adds what the others add and what only it adds, updates the one memory, and searches in between.
WORK = """
import json, sys
from langchain_mem import Decay, Memory
from tests.integration_tests.test_processes import UPDATES, opened
engine, place, name, me, shared = sys.argv[1:]
memory = Memory(opened(engine, place, name), decay=Decay(max_touches=1_000))
sys.stdin.readline()
for n in range(UPDATES):
    memory.add(f"common {n}", infer=False, user_id="alex")
    memory.add(f"own {me} {n}", infer=False, user_id="alex")
    memory.update(shared, f"update {me} {n}")
    assert memory.search("common own", user_id="alex", top_k=3)["results"]
    memory.search("zebra", user_id="sam")
memory.close()
memory.store.close()
"""


def opened(engine: str, place: str, name: str) -> LongTermStore:
    """A store in a server."""
    if engine == "postgres":
        return LongTermStore.postgres(place, schema=name, embed=FakeEmbeddings())
    client = chromadb.HttpClient("127.0.0.1", int(place), settings=Settings(anonymized_telemetry=False))
    return LongTermStore.chroma(client=client, collection=name, embed=FakeEmbeddings())


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["chroma", "postgres"])
def test_four_processes(engine: str, request: pytest.FixtureRequest) -> None:
    """No call is refused, what several add is one memory, and no update and no use is lost."""
    place = str(request.getfixturevalue("postgres_dsn" if engine == "postgres" else "chroma_port"))
    name = f"four_{uuid.uuid4().hex[:12]}"
    memory = Memory(opened(engine, place, name), decay=Decay(max_touches=1_000))
    memory.add("Saw a zebra", infer=False, user_id="sam")
    shared = memory.add("at first", infer=False, user_id="alex")["results"][0]["id"]
    command = [sys.executable, "-c", WORK, engine, place, name]
    root = Path(__file__).parent.parent.parent
    workers = [
        subprocess.Popen([*command, str(n), shared], stdin=subprocess.PIPE, cwd=root, stderr=subprocess.PIPE)
        for n in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"\n")  # now all begin
        worker.stdin.flush()
    failed = [said for worker in workers if (said := worker.communicate()[1]) or worker.returncode]
    assert not failed, b"\n".join(failed).decode()
    texts = [one["memory"] for one in memory.get_all(user_id="alex", page_size=200)["results"]]
    expected = {f"common {n}" for n in range(UPDATES)}
    expected |= {f"own {me} {n}" for me in range(PROCESSES) for n in range(UPDATES)}
    assert len(texts) == len(expected) + 1
    assert set(texts) > expected
    changes = {change["new_memory"] for change in memory.history(shared)}
    everything = {"at first"} | {f"update {me} {n}" for me in range(PROCESSES) for n in range(UPDATES)}
    assert changes == everything
    (zebra,) = memory.explain("zebra", user_id="sam")["results"]
    assert zebra["score_details"]["touches"] == 1 + PROCESSES * UPDATES
    memory.close()
    memory.store.close()  # type: ignore[attr-defined]


@pytest.fixture
def memory(store: LongTermStore) -> Iterator[Memory]:
    """A memory on each engine."""
    with Memory(store, all_owners=True) as memory:
        yield memory


def test_writers_on_one_server(chroma_port: int) -> None:
    """Of four that share nothing but a Chroma server, none loses an update of another's, an addition or a use."""
    name = f"writers_{uuid.uuid4().hex[:12]}"
    memories = [
        Memory(opened("chroma", str(chroma_port), name), decay=Decay(max_touches=1_000)) for _ in range(PROCESSES)
    ]
    shared = memories[0].add("at first", infer=False, user_id="alex")["results"][0]["id"]

    def work(me: int) -> None:
        for n in range(FEW):
            memories[me].update(shared, f"update {me} {n}")
            memories[me].add(f"common {n}", infer=False, user_id="alex")
            memories[me].search("zebra", user_id="sam")
            memories[me].flush()  # which writes the use

    memories[0].add("Saw a zebra", infer=False, user_id="sam")
    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(work, range(PROCESSES)))
    said = {change["new_memory"] for change in memories[0].history(shared)}
    assert said == {"at first"} | {f"update {me} {n}" for me in range(PROCESSES) for n in range(FEW)}
    assert memories[0].get_all(user_id="alex")["count"] == 1 + FEW
    (zebra,) = memories[0].explain("zebra", user_id="sam")["results"]
    assert zebra["score_details"]["touches"] == 1 + PROCESSES * FEW
    for memory in memories:
        memory.close()
        memory.store.close()  # type: ignore[attr-defined]


def _beside(memory: Memory, removing: Callable[[], Any]) -> None:
    """Searches on four threads, of one owner and of all, while something is done; fails where one of them does."""
    errors: list[BaseException] = []
    done = threading.Event()

    def search(**ids: str) -> None:
        try:
            while not done.is_set():
                memory.search("tea number 7", **ids)
                memory.get_all(**ids)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            errors.append(error)

    places: list[dict[str, str]] = [{}, {"user_id": "u1"}, {"user_id": "u2"}, {"user_id": "stays"}]
    threads = [threading.Thread(target=search, kwargs=ids) for ids in places]
    for thread in threads:
        thread.start()
    try:
        removing()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    assert memory.get_all(user_id="stays")["count"] == 3


def _filled(memory: Memory) -> None:
    for owner in ("stays", "u1", "u2", "u3"):
        said = [{"role": "user", "content": f"{owner} likes tea number {n}"} for n in range(3)]
        memory.add(said, infer=False, user_id=owner)
        memory.add(f"{owner} note", infer=False, user_id=owner, run_id="r", expiration_date=timedelta(milliseconds=1))


def test_searches_beside_erasure_and_purges(memory: Memory) -> None:
    """Whatever goes meanwhile, a search of its owner, of another or of all is answered."""
    _filled(memory)

    def removing() -> None:
        for owner in ("u1", "u2", "u3"):
            memory.delete_all(user_id=owner)
            memory.erase(owner)
            memory.purge_expired(older_than=timedelta(0))

    _beside(memory, removing)
    assert "u1" not in json.dumps(memory.export(filters={"user_id": "u1"}))


def test_searches_beside_compaction(memory: Memory) -> None:
    """A store that is rewritten answers, too, a little later."""
    _filled(memory)
    _beside(memory, memory.compact)


def test_searches_of_a_hundred_owners_beside_erasure() -> None:
    """Searches of all owners are answered while each of more owners than are kept as indexes at once is erased."""
    with LongTermStore.in_memory(embed=FakeEmbeddings()) as store, Memory(store, all_owners=True) as memory:
        owners = [f"owner {n}" for n in range(100)]
        for owner in [*owners, *["stays"] * 3]:
            memory.add(f"{owner} likes tea number {uuid.uuid4()}", infer=False, user_id=owner)
        _beside(memory, lambda: [memory.erase(owner) for owner in owners])
