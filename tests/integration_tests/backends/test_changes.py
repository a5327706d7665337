"""What a backend tells of a scope since it was last asked: all of it, nothing twice, deletes included."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path as Folder
from typing import Any

import numpy as np
import psycopg
import pytest

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Row, Write
from langchain_mem.backends.changes import Changes
from langchain_mem.backends.chroma.backend import ChromaBackend
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.backends.postgres import backend as postgres
from langchain_mem.backends.postgres.backend import PostgresBackend
from langchain_mem.filters.conditions import Path

NOW = datetime(2025, 6, 1, tzinfo=UTC)
OWNER = ("memories", "user", "alex")
PATHS = (Path(("text",)), Path(("metadata", "n")), Path(("tags",)))


@pytest.fixture(params=["dictionary", "chroma", "server", "postgres", "postgres by pages"])
def backend(request: pytest.FixtureRequest, tmp_path: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Each engine, ready, for vectors of two dimensions."""
    from langchain_mem.backends.base import Embedder

    if request.param.startswith("postgres"):
        monkeypatch.setattr(postgres, "PAGE", 2 if request.param.endswith("pages") else postgres.PAGE)
        opened: Any = PostgresBackend(request.getfixturevalue("postgres_dsn"), schema=f"s{uuid.uuid4().hex}")
    elif request.param == "server":
        client = request.getfixturevalue("chroma_client")
        opened = ChromaBackend(client=client, collection=f"changes-{uuid.uuid4().hex}")
    else:
        opened = DictionaryBackend() if request.param == "dictionary" else ChromaBackend(tmp_path / "memory")
    run(opened.setup(Embedder("test", 2)))
    yield opened
    run(opened.close())


def row(key: str, *, value: dict[str, Any] | None = None, vector: bool = True, **more: Any) -> Row:
    vectors = np.array([[0.6, 0.8]] if vector else np.zeros((0, 2)), dtype=np.float32)
    return Row(
        address=Address((*OWNER, "own"), key),
        value={"text": f"text of {key}"} if value is None else value,
        created_at=NOW,
        updated_at=NOW,
        revision=uuid.uuid4().hex,
        vectors=vectors,
        digests=("d",) if vector else (),
        **more,
    )


def put(backend: Any, *rows: Row) -> None:
    run(backend.write([Write(address=each.address, row=each) for each in rows], NOW))


def delete(backend: Any, key: str) -> None:
    run(backend.write([Write(address=Address((*OWNER, "own"), key), row=None)], NOW))


def changes(backend: Any, since: Changes | None = None, *, limit: int = 100) -> Changes:
    found = run(backend.changes((OWNER, ("turns", *OWNER[1:])), PATHS, since and since.stamp, limit))
    assert found is not None
    return found


def test_the_first_answer_is_everything(backend: Any) -> None:
    """Fields, vectors and expiries of all rows, each where the others of its row are."""
    odd = {"text": "a\x00b", "metadata": {"n": 2**70}, "tags": ["x", 1.5, None]}
    put(backend, row("a"), row("b", value=odd, vector=False), row("c", value={}, expires_at=NOW + timedelta(days=1)))
    found = changes(backend)
    assert found.whole
    told = {
        address.key: (fields, expiry, has, vector.tolist())
        for address, fields, expiry, has, vector in zip(
            found.addresses, map(list, found.fields), found.expiries, found.has.tolist(), found.vectors, strict=True
        )
    }
    unit = pytest.approx([0.6, 0.8], abs=1e-6)
    assert told["a"] == (["text of a", None, None], None, True, unit)
    assert told["b"][:3] == (["a\x00b", 2**70, ["x", 1.5, None]], None, False)
    assert told["c"] == ([None, None, None], NOW + timedelta(days=1), True, unit)


def test_only_what_changed_travels(backend: Any) -> None:
    """After ninety rows were taken, one that is put, one that changes and one that goes are all that comes."""
    put(backend, *(row(f"k{n}") for n in range(90)))
    first = changes(backend)
    put(backend, row("new"), row("k5", value={"text": "changed"}))
    delete(backend, "k7")
    second = changes(backend, first)
    assert not second.whole
    assert {address.key: fields[0] for address, fields in zip(second.addresses, second.fields, strict=True)} == {
        "new": "text of new",
        "k5": "changed",
    }
    handles = dict(zip(first.handles, first.addresses, strict=True))
    assert [handles[handle].key for handle in second.gone] == ["k7"]
    third = changes(backend, second)
    assert (len(third.addresses), len(third.gone)) == (0, 0)


def test_others_rows_do_not_come(backend: Any) -> None:
    """What another owner writes is no change of this one's, be its name a beginning of it."""
    put(backend, row("a"))
    first = changes(backend)
    elsewhere = Address(("memories", "user", "alexander", "own"), "b")
    put(backend, replace(row("b"), address=elsewhere))
    assert not changes(backend, first).addresses


def test_a_touch_is_no_change(backend: Any) -> None:
    """Uses are read with the rows that are found, and need not travel."""
    put(backend, row("a"))
    first = changes(backend)
    run(backend.touch({Address((*OWNER, "own"), "a"): [NOW]}, 20))
    assert not changes(backend, first).addresses


def test_a_purge_is_a_change(backend: Any) -> None:
    """What a purge removed has gone."""
    put(backend, row("a", expires_at=NOW + timedelta(days=1)))
    first = changes(backend)
    run(backend.purge(NOW + timedelta(days=2)))
    assert len(changes(backend, first).gone) == 1


def test_too_much_is_not_handed_over(backend: Any) -> None:
    """A scope of more rows than the limit is left to the engine."""
    put(backend, *(row(f"k{n}") for n in range(6)))
    assert run(backend.changes((OWNER,), PATHS, None, 5)) is None
    assert run(backend.changes((OWNER,), PATHS, None, 6)) is not None


def test_a_transaction_that_ends_late_is_not_missed(postgres_dsn: str) -> None:
    """A write that began before a stamp was taken and is committed after it comes with the next answer, once."""
    schema = f"s{uuid.uuid4().hex}"
    backend = PostgresBackend(postgres_dsn, schema=schema)
    run(backend.setup(None))
    put(backend, row("a", vector=False))
    with psycopg.connect(postgres_dsn) as slow:
        slow.execute(f"UPDATE \"{schema}\".items SET revision = 'late', changed = DEFAULT WHERE key = 'a'")
        first = changes(backend)
        put(backend, row("b", vector=False))
        second = changes(backend, first)
        assert [address.key for address in second.addresses] == ["b"]
        slow.commit()
    third = changes(backend, second)
    assert [address.key for address in third.addresses] == ["a"]
    assert not changes(backend, third).addresses
    run(backend.close())


def test_a_removal_names_nobody(postgres_dsn: str) -> None:
    """The note that a row was removed holds numbers alone."""
    schema = f"s{uuid.uuid4().hex}"
    backend = PostgresBackend(postgres_dsn, schema=schema)
    run(backend.setup(None))
    put(backend, row("secret-key", vector=False))
    delete(backend, "secret-key")
    with psycopg.connect(postgres_dsn) as connection:
        (noted,) = connection.execute(f'SELECT g::text FROM "{schema}".gone g').fetchall()
    assert "secret" not in noted[0]
    assert "alex" not in noted[0]
    run(backend.close())
