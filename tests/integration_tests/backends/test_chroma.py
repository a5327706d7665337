"""What is Chroma's own: one process a folder, its traps, its approximate index, and that deleting does not erase."""

from __future__ import annotations

import sqlite3
import struct
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.api import ClientAPI
from chromadb.config import Settings

from langchain_mem._flow import arun, run
from langchain_mem.backends.base import (
    Address,
    Backend,
    Compacting,
    Embedder,
    Lexical,
    Query,
    Row,
    Scanning,
    Touching,
    Vectors,
    Write,
)
from langchain_mem.backends.chroma.backend import ChromaBackend
from langchain_mem.backends.chroma.client import CLOUD_BATCH, CollectionClient, engine_errors, persistent_client
from langchain_mem.backends.chroma.collection import SharedCollection
from langchain_mem.backends.chroma.compaction import scrub
from langchain_mem.backends.chroma.folder import Folder
from langchain_mem.backends.chroma.kept import KeptFiles
from langchain_mem.backends.chroma.statistics import STATISTICS
from langchain_mem.errors import EmbeddingMismatch, InvalidRequest, StoreError, StoreLocked
from langchain_mem.filters.language import parse_store
from tests.blocking import never_blocking

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIMS = 8
EMBEDDER = Embedder("random", DIMS)
ALEX = ("memories", "user", "alex")
EVERYTHING = Query(now=NOW)
NO_VECTORS = np.zeros((0, 0), dtype=np.float32)


def unit(seed: int, count: int = 1) -> Vectors:
    """Unit vectors that a seed always gives."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIMS), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def row(key: str, value: dict[str, Any] | None = None, **attributes: Any) -> Row:
    """A row of Alex's."""
    defaults = {
        "address": Address(ALEX, key),
        "value": {"text": key} if value is None else value,
        "created_at": NOW,
        "updated_at": NOW,
        "revision": uuid.uuid4().hex,
        "vectors": NO_VECTORS,
    }
    return Row(**{**defaults, **attributes})


def put(backend: Backend, *rows: Row) -> None:
    run(backend.write([Write(address=each.address, row=each) for each in rows], NOW))


def delete(backend: Backend, *keys: str) -> None:
    run(backend.write([Write(address=Address(ALEX, key), row=None) for key in keys], NOW))


def values(backend: Backend, query: Query = EVERYTHING) -> dict[str, Any]:
    return {match.row.address.key: match.row.value for match in run(backend.search(query))}


@pytest.fixture
def open_backend(tmp_path: Path) -> Iterator[Callable[..., ChromaBackend]]:
    """Opens the same folder each time; all are closed in the end."""
    opened: list[ChromaBackend] = []

    def open_backend(embedder: Embedder | None = None, **options: Any) -> ChromaBackend:
        opened.append(ChromaBackend(tmp_path / "memory", **options))
        run(opened[-1].setup(embedder))
        return opened[-1]

    yield open_backend
    for backend in opened:
        run(backend.close())


@pytest.fixture
def backend(open_backend: Callable[..., ChromaBackend]) -> ChromaBackend:
    return open_backend(EMBEDDER)


@pytest.fixture
def over_http(chroma_client: ClientAPI) -> ChromaBackend:
    backend = ChromaBackend(client=chroma_client, collection=f"test-{uuid.uuid4().hex}")
    run(backend.setup(EMBEDDER))
    return backend


# Opening


def test_abilities(backend: ChromaBackend) -> None:
    """It scans, searches words, records touches and compacts."""
    assert all(isinstance(backend, each) for each in (Scanning, Lexical, Touching, Compacting))


@pytest.mark.parametrize("name", ["", "ab", "a b c", "-abc", "a/bc", "é" * 3])
def test_names_that_chroma_refuses(tmp_path: Path, name: str) -> None:
    """A collection's name that Chroma would refuse is refused at once, with what is allowed."""
    with pytest.raises(InvalidRequest, match="3 to 500"):
        ChromaBackend(tmp_path, collection=name)


def test_path_or_client(tmp_path: Path, chroma_client: ClientAPI) -> None:
    """It takes a folder or a client, not both and not neither."""
    with pytest.raises(InvalidRequest, match="client="):
        ChromaBackend()
    with pytest.raises(InvalidRequest, match="client="):
        ChromaBackend(tmp_path, client=chroma_client)


def test_closed_backend_says_so(backend: ChromaBackend) -> None:
    """What is called after `close` says that the backend is closed."""
    run(backend.close())
    with pytest.raises(StoreError, match="closed"):
        run(backend.count(EVERYTHING))
    with pytest.raises(StoreError, match="closed"):
        run(backend.compact())


def test_who_began_before_the_closing_is_told(tmp_path: Path) -> None:
    """Uses that were about to be written when the folder closed fail as the store's error, which their writer takes."""
    folder = Folder.acquire(tmp_path)
    collection = folder.collection("memory", small=10)
    folder.release()
    with pytest.raises(StoreError, match="closed"):
        collection.touch({Address(ALEX, "tea"): [NOW]}, 20)


def test_one_process_shares_a_folder(open_backend: Callable[..., ChromaBackend]) -> None:
    """Backends of one folder see each other's writes at once, and closing one leaves the other open."""
    one, other = open_backend(EMBEDDER), open_backend(EMBEDDER)
    put(one, row("a"))
    assert values(other) == {"a": {"text": "a"}}
    run(one.close())
    delete(other, "a")
    assert values(other) == {}


_HOLD = """
import sys
from langchain_mem._flow import run
from langchain_mem.backends.chroma.backend import ChromaBackend
run(ChromaBackend(sys.argv[1]).setup(None))
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the folder open."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(folder)], **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def test_other_process_is_told_of_http(tmp_path: Path) -> None:
    """A folder that another process has open is refused with the HTTP mode named, and free once that one is killed."""
    backend = ChromaBackend(tmp_path)
    with holding(tmp_path), pytest.raises(StoreLocked, match="HttpClient"):
        run(backend.setup(None))
    run(backend.setup(None))
    run(backend.close())


def test_engine_errors_keep_their_cause() -> None:
    """What Chroma raises, as when the collection is dropped meanwhile, is a `StoreError` with its cause."""
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    name = f"test-{uuid.uuid4().hex}"
    backend = ChromaBackend(client=client, collection=name)
    run(backend.setup(EMBEDDER))
    client.delete_collection(name)
    with pytest.raises(StoreError, match="Chroma failed") as raised:
        put(backend, row("a"))
    assert raised.value.__cause__ is not None


def test_engine_errors_quote_nobody() -> None:
    """Chroma names the ids that it refuses; neither our message nor the cause does."""
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    table = client.create_collection(f"test-{uuid.uuid4().hex}")
    with pytest.raises(StoreError, match="Chroma failed: Expected IDs to be unique") as raised, engine_errors():
        table.add(ids=["alex", "bo", "alex"], documents=["a", "b", "c"], embeddings=[[1.0], [1.0], [1.0]])
    assert "alex" not in f"{raised.value} {raised.value.__cause__!r}"


async def test_loop_is_not_blocked(backend: ChromaBackend) -> None:
    """On an event loop Chroma is called on another thread."""
    with never_blocking():
        await arun(backend.write([Write(address=Address(ALEX, "a"), row=row("a"))], NOW))
        assert await arun(backend.count(EVERYTHING)) == 1


def test_held_scopes_wait_for_no_write(tmp_path: Path) -> None:
    """A scope that is held in memory is read, searched and counted while somebody else writes to Chroma."""
    mutex = threading.RLock()
    with chromadb.PersistentClient(tmp_path, settings=Settings(anonymized_telemetry=False)) as client:
        shared = SharedCollection(CollectionClient.open(client, "memory"), mutex, kept=KeptFiles(tmp_path), small=9)
        shared.write([Write(address=Address(ALEX, "a"), row=row("a"))], NOW)
        assert len(shared.scan((ALEX,), NOW, 9) or []) == 1
        with ThreadPoolExecutor(1) as pool, mutex:
            assert len(pool.submit(shared.scan, (ALEX,), NOW, 9).result(60) or []) == 1
            assert pool.submit(shared.stamp, (ALEX,)).result(60) is not None
            assert pool.submit(shared.count, Query(now=NOW, prefixes=(ALEX,))).result(60) == 1
            assert pool.submit(shared.get, [Address(ALEX, "b")], NOW).result(60) == [None]


# Embedders


def test_other_embedder_is_refused(open_backend: Callable[..., ChromaBackend]) -> None:
    """Another embedder is refused, also after the first has closed, and nothing stays open for it."""
    run(open_backend(EMBEDDER).close())
    with pytest.raises(EmbeddingMismatch, match="random"):
        open_backend(Embedder("other", DIMS))
    with pytest.raises(EmbeddingMismatch, match="16"):
        open_backend(Embedder("random", 16))


def test_embedder_may_come_later(open_backend: Callable[..., ChromaBackend]) -> None:
    """A folder begun without an embedder takes one later, and keeps what it has."""
    backend = open_backend(None)
    put(backend, row("old", touches=(NOW,)))
    run(backend.setup(EMBEDDER))
    put(backend, row("new", vectors=unit(1)))
    found = run(backend.search(Query(now=NOW, vector=unit(1)[0])))
    assert [match.row.address.key for match in found] == ["new"]
    assert set(values(backend)) == {"old", "new"}
    run(backend.close())
    [old] = run(open_backend(EMBEDDER).get([Address(ALEX, "old")], NOW))
    assert old is not None
    assert old.touches == (NOW,)


def test_embedder_comes_too_late_for_a_server(chroma_client: ClientAPI) -> None:
    """Over HTTP an embedder may come later while there is nothing, and is refused once there are rows."""
    backend = ChromaBackend(client=chroma_client, collection=f"test-{uuid.uuid4().hex}")
    other = ChromaBackend(client=chroma_client, collection=f"test-{uuid.uuid4().hex}")
    run(backend.setup(None))
    run(backend.setup(EMBEDDER))
    put(backend, row("a", vectors=unit(1)))
    run(other.setup(None))
    put(other, row("a"))
    with pytest.raises(EmbeddingMismatch, match="without an embedder"):
        run(other.setup(EMBEDDER))


def test_interrupted_rewriting_is_tidied(open_backend: Callable[..., ChromaBackend], tmp_path: Path) -> None:
    """A copy left by a killed process is dropped beside its original, and takes its place where that is gone."""
    backend = open_backend(None)
    put(backend, row("a"))
    run(backend.close())
    with chromadb.PersistentClient(tmp_path / "memory", settings=Settings(anonymized_telemetry=False)) as client:
        client.create_collection("langchain_mem-copy", embedding_function=None)
    beside = open_backend(None)
    assert set(values(beside)) == {"a"}
    run(beside.close())
    with chromadb.PersistentClient(tmp_path / "memory", settings=Settings(anonymized_telemetry=False)) as client:
        client.get_collection("langchain_mem", embedding_function=None).modify(name="langchain_mem-copy")
    assert set(values(open_backend(None))) == {"a"}


def statistics(folder: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(folder / "chroma.sqlite3")) as database:
        return set(database.execute("SELECT idx, stat FROM sqlite_stat1"))


def test_folders_have_statistics(open_backend: Callable[..., ChromaBackend], tmp_path: Path) -> None:
    """SQLite is told how much its indexes tell, in a new folder and in one that Chroma made, and not told otherwise."""
    with chromadb.PersistentClient(tmp_path / "memory", settings=Settings(anonymized_telemetry=False)) as client:
        client.create_collection("other", embedding_function=None)
    wanted = {(index, numbers) for _, index, numbers in STATISTICS}
    for folder, opened in ((tmp_path / "new", ChromaBackend(tmp_path / "new")), (tmp_path / "memory", open_backend())):
        run(opened.setup(None))
        put(opened, row("a"))
        run(opened.close())
        assert statistics(folder) >= wanted
    with closing(sqlite3.connect(tmp_path / "memory" / "chroma.sqlite3")) as database, database:
        database.execute("UPDATE sqlite_stat1 SET stat = '5 5' WHERE idx = 'embedding_metadata_int_value'")
    run(open_backend().close())
    assert ("embedding_metadata_int_value", "5 5") in statistics(tmp_path / "memory")


# Traps


TRAPS: dict[str, Any] = {
    "infinity": float("-inf"),
    "beyond 64 bits": 2**70,
    "2**53 + 1": 2**53 + 1,
    "an empty list": [],
    "an empty dict": {},
    "a mixed list": [1, "a", None, [2.5, True], {"x": []}],
    "nothing": None,
    "1.0 is a float": 1.0,
    "NUL": "a\x00b",
    "half a character": "\ud800",
    "chroma's own words": {"chroma:document": "x", "$and": "y"},
}


@pytest.mark.parametrize("mode", ["backend", "over_http"])
def test_values_come_back_exactly(request: pytest.FixtureRequest, mode: str) -> None:
    """Any JSON value comes back as it was, types included, past anything held in memory."""
    backend: ChromaBackend = request.getfixturevalue(mode)
    put(backend, *(row(name, {"x": value}, texts=(name,)) for name, value in TRAPS.items()))
    got = run(backend.get([Address(ALEX, name) for name in TRAPS], NOW))
    assert [repr(each.value["x"]) for each in got if each] == [repr(value) for value in TRAPS.values()]


def test_nan_comes_back(backend: ChromaBackend) -> None:
    """NaN comes back as NaN."""
    put(backend, row("a", {"x": float("nan")}))
    assert np.isnan(values(backend)["a"]["x"])


def test_text_that_utf_8_cannot_say(backend: ChromaBackend) -> None:
    """Half a surrogate pair in a text, a key or a label is no error."""
    odd = Address((*ALEX, "\udfff"), "\ud800")
    put(backend, row("", address=odd, texts=("tea \ud800",)))
    assert [match.row.address for match in run(backend.lexical(EVERYTHING, ["tea"]))] == [odd]


def test_vectors_come_back_exactly(backend: ChromaBackend) -> None:
    """Vectors come back bit by bit, in their order."""
    vectors = unit(3, count=4)
    put(backend, row("a", vectors=vectors))
    [got] = run(backend.get([Address(ALEX, "a")], NOW))
    assert got is not None
    assert np.array_equal(got.vectors, vectors)


def test_fewer_vectors_leave_none_behind(open_backend: Callable[..., ChromaBackend]) -> None:
    """A row that is put with fewer vectors is found by those only, by the approximate index too."""
    backend = open_backend(EMBEDDER, exact=0)
    put(backend, row("a", vectors=unit(1, count=3)))
    put(backend, row("a", vectors=unit(9)))
    [match] = run(backend.search(Query(now=NOW, vector=unit(1, count=3)[2], limit=1)))
    assert match.score == pytest.approx(float(unit(1, count=3)[2] @ unit(9)[0]), abs=1e-5)
    put(backend, row("a"))
    assert run(backend.search(Query(now=NOW, vector=unit(9)[0], limit=1))) == []


def test_wrong_length_is_refused(backend: ChromaBackend) -> None:
    """A vector of another length is refused, and nothing of its batch is written."""
    with pytest.raises(StoreError, match="dimension"):
        put(backend, row("a"), row("b", vectors=np.ones((1, 3), dtype=np.float32)))
    assert values(backend) == {}


def _more_than_one_call_takes(open_backend: Callable[..., ChromaBackend], count: int, asked: int) -> None:
    backend = open_backend(None)
    keys = [str(n) for n in range(count)]
    put(backend, *map(row, keys))
    got = run(backend.get([Address(ALEX, str(n)) for n in range(asked)], NOW))
    assert sum(each is not None for each in got) == count
    assert run(backend.scan((ALEX,), NOW, count - 1)) is None
    assert run(backend.count(Query(now=NOW, keys=frozenset(keys[: count - 100])))) == count - 100
    delete(backend, *keys[1:])
    run(backend.close())
    assert set(values(open_backend(None))) == {"0"}


def test_more_than_one_call_takes(open_backend: Callable[..., ChromaBackend], tmp_path: Path) -> None:
    """Batches, reads and deletes of more records than a call takes, where a call takes 40."""
    folder = Folder.acquire(tmp_path / "memory")
    folder.collection("langchain_mem", small=10_000).table.batch = 40
    _more_than_one_call_takes(open_backend, 150, 1_000)
    folder.release()


@pytest.mark.soak
def test_more_than_one_call_really_takes(open_backend: Callable[..., ChromaBackend]) -> None:
    """Batches, reads and deletes of more records than Chroma takes in a call or names in a query."""
    _more_than_one_call_takes(open_backend, 5_600, 40_000)


def test_long_names(backend: ChromaBackend) -> None:
    """Namespaces and keys of any length, which Chroma Cloud would not take as ids."""
    address = Address(("x" * 400, "é" * 200), "k" * 1000)
    put(backend, row("", address=address))
    assert [match.row.address for match in run(backend.search(EVERYTHING))] == [address]


def test_metadata_keys_are_few(open_backend: Callable[..., ChromaBackend], tmp_path: Path) -> None:
    """However often rows are touched, and whatever their fields, Chroma sees a few metadata keys."""
    backend = open_backend(None)
    put(backend, *(row(str(n), {f"field {n}": n}) for n in range(30)))
    for n in range(30):
        run(backend.touch({Address(ALEX, str(n)): [NOW + timedelta(seconds=n)]}, 20))
    run(backend.close())
    with chromadb.PersistentClient(tmp_path / "memory", settings=Settings(anonymized_telemetry=False)) as client:
        metadatas = client.get_collection("langchain_mem", embedding_function=None).get()["metadatas"] or []
    assert len({key for metadata in metadatas for key in metadata}) < 12


# Broad scopes


@pytest.fixture
def broad(open_backend: Callable[..., ChromaBackend]) -> ChromaBackend:
    """400 rows of Alex's in a scope too large to be searched exactly; every fourth is `tea`, the first half expired."""
    backend = open_backend(EMBEDDER, exact=100)
    expired = NOW - timedelta(days=1)
    put(
        backend,
        *(
            row(
                f"{n:03}",
                {"n": n, "kind": "tea" if n % 4 == 0 else "coffee"},
                vectors=unit(n),
                updated_at=NOW - timedelta(hours=n),
                expires_at=expired if n < 200 else None,
            )
            for n in range(400)
        ),
    )
    return backend


def keys_of(backend: ChromaBackend, **query: Any) -> list[str]:
    return [match.row.address.key for match in run(backend.search(Query(now=NOW, **query)))]


def test_limit_is_filled(broad: ChromaBackend) -> None:
    """Filters and expiry come before the limit: the expired half does not crowd out the rest."""
    tea = parse_store({"kind": "tea", "n": {"$gte": 100}})
    assert len(keys_of(broad, vector=unit(0)[0], condition=tea, limit=50)) == 50
    assert len(keys_of(broad, vector=unit(0)[0], condition=tea)) == 50
    assert run(broad.count(Query(now=NOW, condition=tea))) == 50


def test_approximate_index_agrees_with_the_exact_order(broad: ChromaBackend) -> None:
    """In a scope of 400 the approximate index finds what the exact product finds, whatever the page."""
    cosines = {f"{n:03}": float(unit(n)[0] @ unit(0)[0]) for n in range(200, 400)}
    best = sorted(cosines, key=cosines.__getitem__, reverse=True)
    assert [keys_of(broad, vector=unit(0)[0], limit=20, offset=each) for each in (0, 20, 40)] == [
        best[:20],
        best[20:40],
        best[40:60],
    ]


def test_newest_first_in_a_broad_scope(broad: ChromaBackend) -> None:
    """Without a vector the newest come first, however far back they are, and pages join."""
    assert keys_of(broad, limit=3) == ["200", "201", "202"]
    assert keys_of(broad, limit=2, offset=198) == ["398", "399"]
    assert keys_of(broad, limit=3, offset=199) == ["399"]


def test_scope_may_shrink_and_grow(broad: ChromaBackend) -> None:
    """A scope is searched rightly while deletes make it small and puts make it broad again."""
    delete(broad, *(f"{n:03}" for n in range(390)))
    assert keys_of(broad, prefixes=(ALEX,)) == [str(n) for n in range(390, 400)]
    assert run(broad.stamp((ALEX,))) is not None
    put(broad, *(row(f"x{n:03}", vectors=unit(n)) for n in range(150)))
    assert run(broad.count(Query(now=NOW, prefixes=(ALEX,)))) == 160


def test_purge_in_a_broad_scope(broad: ChromaBackend) -> None:
    """Purging removes the expired, in parts if asked, and says how many."""
    assert [run(broad.purge(NOW, 150)), run(broad.purge(NOW)), run(broad.purge(NOW))] == [150, 50, 0]
    assert run(broad.count(Query(now=NOW - timedelta(days=2)))) == 200


def test_words_in_a_broad_scope(open_backend: Callable[..., ChromaBackend]) -> None:
    """A rare word is found beside one that thousands of rows hold, and comes first."""
    backend = open_backend(None, exact=100)
    put(backend, *(row(str(n), texts=("Green tea" if n != 2_345 else "Green Oolong tea",)) for n in range(2_400)))
    found = run(backend.lexical(Query(now=NOW, limit=2), ["green", "oolong"]))
    assert found[0].row.address.key == "2345"


# Erasure


def occurrences(folder: Path, needle: bytes) -> int:
    return sum(file.read_bytes().count(needle) for file in folder.rglob("*") if file.is_file())


def test_compaction_erases(open_backend: Callable[..., ChromaBackend], tmp_path: Path) -> None:
    """After deleting and compacting, neither text nor vector is in any file; the rest is there, and open."""
    backend = open_backend(EMBEDDER)
    secret = unit(7, count=2)
    for n in range(4):
        put(backend, *(row(f"s{i}", {"text": f"Zanzibar {n} {i}"}, texts=(f"zanzibar {i}",)) for i in range(300)))
        put(backend, row("vector", vectors=secret), row(f"kept{n}", vectors=unit(n)))
        delete(backend, "vector", *(f"s{i}" for i in range(300)))
    assert occurrences(tmp_path, b"anzibar") > 0
    run(backend.compact())
    assert occurrences(tmp_path, b"anzibar") == 0
    assert occurrences(tmp_path, secret[0].tobytes()) == occurrences(tmp_path, secret[1].tobytes()) == 0
    found = run(backend.search(Query(now=NOW, vector=unit(2)[0], limit=1)))
    assert [(match.row.address.key, match.score) for match in found] == [("kept2", pytest.approx(1))]
    put(backend, row("new"))
    assert set(values(backend)) == {"kept0", "kept1", "kept2", "kept3", "new"}
    run(backend.close())
    assert occurrences(tmp_path, b"anzibar") == 0
    assert set(values(open_backend(EMBEDDER))) == {"kept0", "kept1", "kept2", "kept3", "new"}


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    """The header of a vector index with rows in it; Chroma writes one when so many changes have come."""
    client = chromadb.PersistentClient(tmp_path, settings=Settings(anonymized_telemetry=False))
    often = {"hnsw": {"sync_threshold": 5, "batch_size": 4}}
    client.create_collection("vectors", configuration=often).add(
        ids=[str(n) for n in range(12)], embeddings=np.eye(12, dtype=np.float32)
    )
    client.close()
    return next(tmp_path.glob("*/header.bin"))


def _index_files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*/*.bin")}


def test_only_compaction_scrubs(indexed: Path, open_backend: Callable[..., ChromaBackend], tmp_path: Path) -> None:
    """Opening and closing change no byte of an index, whatever layout a coming hnswlib gives it."""
    indexed.write_bytes(struct.pack("<i", 2) + indexed.read_bytes()[4:])
    before = _index_files(tmp_path)
    backend = open_backend(EMBEDDER)
    put(backend, row("a"))
    run(backend.close())
    assert _index_files(tmp_path) == before


def test_scrubbing_blanks_what_no_element_has(indexed: Path, tmp_path: Path) -> None:
    """Of a known layout the room after the elements is blanked, and the elements stay."""
    rows = indexed.with_name("data_level0.bin")
    used = 12 * struct.unpack_from("<iQQQQ", indexed.read_bytes())[4]
    before = rows.read_bytes()
    rows.write_bytes(before[:used] + b"Zanzibar" + before[used + 8 :])
    scrub(tmp_path)
    assert rows.read_bytes() == before[:used] + bytes(len(before) - used)


def test_an_index_that_grew_is_scrubbed(indexed: Path, tmp_path: Path) -> None:
    """Once an index has outgrown its first capacity, its files end with the last element: nothing is beyond it."""
    client = chromadb.PersistentClient(tmp_path, settings=Settings(anonymized_telemetry=False))
    many = np.random.default_rng(0).normal(size=(300, 12)).astype(np.float32)
    client.get_collection("vectors").add(ids=[f"more {n}" for n in range(300)], embeddings=many)
    client.close()
    capacity, elements, size = struct.unpack_from("<QQQ", indexed.read_bytes(), 12)
    assert indexed.with_name("data_level0.bin").stat().st_size == elements * size < capacity * size
    before = _index_files(tmp_path)
    scrub(tmp_path)
    assert _index_files(tmp_path) == before


@pytest.mark.parametrize("change", ["version", "elements", "cut off"])
def test_an_unknown_layout_is_not_scrubbed(indexed: Path, tmp_path: Path, change: str) -> None:
    """An index whose header says anything unexpected is left as it is, and the error says so."""
    read = indexed.read_bytes()
    changed = {
        "version": struct.pack("<i", 2) + read[4:],
        "elements": read[:20] + struct.pack("<Q", 10**9) + read[28:],
        "cut off": read[:20],
    }
    indexed.write_bytes(changed[change])
    before = _index_files(tmp_path)
    with pytest.raises(StoreError, match="not scrubbed"):
        scrub(tmp_path)
    assert _index_files(tmp_path) == before


def test_compaction_of_a_server_is_refused(over_http: ChromaBackend) -> None:
    """What a server holds cannot be compacted from here, and the error says what can be done."""
    with pytest.raises(StoreError, match="stop the server"):
        run(over_http.compact())


# Servers


_WRITES = """
from datetime import UTC, datetime, timedelta
from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.backends.chroma.backend import ChromaBackend

def writes(client, collection, writer):
    now, shared = datetime(2026, 1, 1, tzinfo=UTC), Address(("all",), "shared")
    backend = ChromaBackend(client=client, collection=collection)
    run(backend.setup(None))
    for n in range(8):
        row = Row(address=Address(("all", writer), str(n)), value={}, created_at=now, updated_at=now, revision=str(n))
        run(backend.write([Write(address=row.address, row=row)], now))
        run(backend.touch({shared: [now + timedelta(seconds=n)]}, 100))
"""

_WRITER = f"""{_WRITES}
import sys
import chromadb
from chromadb.config import Settings
client = chromadb.HttpClient(host="127.0.0.1", port=int(sys.argv[1]), settings=Settings(anonymized_telemetry=False))
print("ready", flush=True)
writes(client, sys.argv[2], "other")
"""


def test_two_processes_write_at_once(chroma_client: ClientAPI, chroma_port: int) -> None:
    """Two processes, this one and another, that write through one server lose no row and no touch."""
    name = f"test-{uuid.uuid4().hex}"
    here: dict[str, Any] = {}
    backend = ChromaBackend(client=chroma_client, collection=name)
    run(backend.setup(None))
    put(backend, row("shared", address=Address(("all",), "shared")))
    exec(_WRITES, here)
    command = [sys.executable, "-c", _WRITER, str(chroma_port), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        here["writes"](chroma_client, name, "this one")
    assert other.returncode == 0
    assert run(backend.count(EVERYTHING)) == 17
    [shared] = run(backend.get([Address(("all",), "shared")], NOW))
    assert shared is not None
    assert len(shared.touches) == 16


class CloudLike:
    """A client that says it is Chroma Cloud's."""

    def __init__(self, client: ClientAPI) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_settings(self) -> Settings:
        return self._client.get_settings().model_copy(update={"chroma_server_host": "api.trychroma.com"})


def test_cloud_takes_smaller_calls(chroma_client: ClientAPI) -> None:
    """For Chroma Cloud calls are of a size that its quota allows, without a journal, and a batch is still complete."""
    client: Any = CloudLike(chroma_client)
    name = f"test-{uuid.uuid4().hex}"
    assert CollectionClient.open(client, name).batch == CLOUD_BATCH
    backend = ChromaBackend(client=client, collection=name)
    run(backend.setup(None))
    put(backend, *(row(str(n)) for n in range(700)))
    delete(backend, *(str(n) for n in range(650)))
    assert run(backend.count(EVERYTHING)) == 50


def test_the_index_of_an_older_folder_is_written_as_often_as_that_of_a_new_one(
    open_backend: Callable[..., ChromaBackend], tmp_path: Path
) -> None:
    """Chroma reads its log at each write, from the last time on that it wrote the index."""
    with persistent_client(tmp_path / "memory") as client:
        older: Any = {"hnsw": {"space": "ip", "sync_threshold": 1_000}}
        client.create_collection("langchain_mem", configuration=older, embedding_function=None)
    for collection in ("langchain_mem", "new_one"):
        run(open_backend(collection=collection).close())
    with persistent_client(tmp_path / "memory") as client:
        every = [client.get_collection(name, embedding_function=None) for name in ("langchain_mem", "new_one")]
        old, new = [each.configuration_json["hnsw"]["sync_threshold"] for each in every]
    assert old == new < 1_000
