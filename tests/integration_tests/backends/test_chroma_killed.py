"""A process that is killed in the middle of its writes: what was acknowledged is there, and batches are whole."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import chromadb
import pytest
from chromadb.config import Settings

from langchain_mem._flow import run
from langchain_mem.backends.base import Query
from langchain_mem.backends.chroma.backend import ChromaBackend
from langchain_mem.backends.chroma.client import CollectionClient
from langchain_mem.backends.chroma.journal import Journal
from langchain_mem.errors import StoreLocked

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# Batch n puts rows a and b, with as many vectors as their turn has, and puts row c or deletes it.
BATCHES = """
import itertools, sys
from datetime import UTC, datetime
import numpy as np
from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Embedder, Row, Write
from langchain_mem.backends.chroma.backend import ChromaBackend
now = datetime(2026, 1, 1, tzinfo=UTC)
backend = ChromaBackend(sys.argv[1])
run(backend.setup(Embedder("random", 4)))
def write(key, n):
    address = Address(("scope",), key)
    vectors = np.eye(4, dtype=np.float32)[: 1 + n % 4]
    row = Row(address=address, value={"n": n}, created_at=now, updated_at=now, revision=str(n), vectors=vectors)
    return Write(address=address, row=None if key == "c" and n % 2 else row)
for n in itertools.count(1):
    run(backend.write([write(key, n) for key in "abc"], now))
    print(n, flush=True)
"""

# As above, for batches that are too large for one call, which takes 20 records here: 150 records with number n.
JOURNALED = """
import itertools, sys
from datetime import UTC, datetime
import chromadb
from chromadb.config import Settings
from langchain_mem.backends.chroma.journal import Journal
from langchain_mem.backends.chroma.records import Record, placeholder
from langchain_mem.backends.chroma.client import CollectionClient
now = datetime(2026, 1, 1, tzinfo=UTC)
client = chromadb.PersistentClient(sys.argv[1], settings=Settings(anonymized_telemetry=False))
table = CollectionClient(client, client.get_or_create_collection("journaled", embedding_function=None), 20)
journal = Journal(table)
ids = [str(i) for i in range(150)]
for n in itertools.count(1):
    puts = [Record(id_, placeholder(id_, 2), {"n": n}, "") for id_ in ids]
    journal.apply(puts, [f"old {n - 1} {i}" for i in range(30)], dims=2, now=now)
    print(n, flush=True)
"""


# Puts 300 rows and compacts until it is killed.
COMPACTING = """
import sys
from datetime import UTC, datetime
import numpy as np
from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Embedder, Row, Write
from langchain_mem.backends.chroma.backend import ChromaBackend
now = datetime(2026, 1, 1, tzinfo=UTC)
backend = ChromaBackend(sys.argv[1])
run(backend.setup(Embedder("random", 4)))
vectors = np.eye(4, dtype=np.float32)[:1]
what = {"value": {}, "created_at": now, "updated_at": now, "vectors": vectors}
rows = [Row(address=Address(("scope",), str(n)), **what) for n in range(300)]
run(backend.write([Write.put(row) for row in rows], now))
print(flush=True)
while True:
    run(backend.compact())
"""


def killed(script: str, folder: Path, seed: int, acknowledgements: int) -> int:
    """Runs a script until it has acknowledged so much and a random moment longer, kills it, says how far it got."""
    moment = random.Random(seed).uniform(0, 0.2)
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(acknowledgements)]
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(moment)
        process.kill()
        return int([*said, *process.stdout][-1])


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 6))])
def test_batches_are_whole(tmp_path: Path, seed: int) -> None:
    """After a kill, rows put and deleted together are of one batch: the last acknowledged, or the one after it."""
    acknowledged = killed(BATCHES, tmp_path, seed, 3)
    backend = ChromaBackend(tmp_path)
    run(backend.setup(None))
    rows = {match.row.address.key: match.row for match in run(backend.search(Query(now=NOW)))}
    run(backend.close())
    n = rows["a"].value["n"]
    assert n in (acknowledged, acknowledged + 1)
    assert {row.value["n"] for row in rows.values()} == {n}
    assert set(rows) == ({"a", "b"} if n % 2 else {"a", "b", "c"})
    assert {len(row.vectors) for row in rows.values()} == {1 + n % 4}


@pytest.mark.parametrize("seed", range(1))
def test_large_batches_are_whole(tmp_path: Path, seed: int) -> None:
    """After a kill and a repair, a batch of many calls is all there or not at all."""
    acknowledged = killed(JOURNALED, tmp_path, seed, 1)
    with chromadb.PersistentClient(tmp_path, settings=Settings(anonymized_telemetry=False)) as client:
        table = CollectionClient(client, client.get_collection("journaled", embedding_function=None), 20)
        Journal(table).repair()
        records = table.find(None)
    assert len(records) == 150
    assert {record.metadata["n"] for record in records} in ({acknowledged}, {acknowledged + 1})


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for child processes as Linux shows them")
def test_a_killed_compaction_ends_wholly(tmp_path: Path) -> None:
    """Who opens the folder after a kill meets no process that still rewrites it, and finds everything."""
    with subprocess.Popen([sys.executable, "-c", COMPACTING, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while not (steps := _children(process.pid, b"rewrite")):
            assert process.poll() is None
        process.kill()
    backend = _opened(tmp_path)
    assert not [step for step in steps if _command(step)]
    assert run(backend.count(Query(now=NOW))) == 300
    run(backend.compact())
    run(backend.close())


def _children(pid: int, saying: bytes) -> list[str]:
    """The processes that this one has started, on any of its threads, and whose command line says something."""
    listed = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [child for child in " ".join(listed).split() if saying in _command(child)]


def _command(pid: str) -> bytes:
    """The command line of a process; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def _opened(folder: Path) -> ChromaBackend:
    """The folder, as soon as the lock is free."""
    while True:
        backend = ChromaBackend(folder)
        try:
            run(backend.setup(None))
        except StoreLocked:
            continue
        return backend
