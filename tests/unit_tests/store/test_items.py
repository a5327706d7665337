"""What a store does with rows before they reach a backend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Backend, Embedder, Query, Row, Write
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.errors import EmbeddingMismatch, InvalidRequest, StoreError
from langchain_mem.store.encoder import embedder_name
from langchain_mem.store.items import Delete, Put, Rows, json_object
from langchain_mem.testing import FakeClock, FakeEmbeddings
from langchain_mem.testing.strategies import store_values

NS = ("notes", "alex")
A, B = Address(NS, "a"), Address(NS, "b")


class Telling(DictionaryBackend):
    """Tells what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def setup(self, embedder: Embedder | None) -> None:
        self.asked.append("setup")
        await super().setup(embedder)

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        self.asked.append("get")
        return await super().get(addresses, now)

    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        self.asked.append("write")
        await super().write(batch, now)


class Plain:
    """A backend without abilities: as much of the protocol as the test needs."""

    def __init__(self) -> None:
        inner = DictionaryBackend()
        self.setup, self.get, self.write, self.search = inner.setup, inner.get, inner.write, inner.search


class Fixed(Embeddings):
    """Gives the vectors it was made with."""

    def __init__(self, *vectors: list[float]) -> None:
        self.vectors = list(vectors)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.vectors

    def embed_query(self, text: str) -> list[float]:
        return self.vectors[0]


def rows_of(backend: Any = None, **config: Any) -> Rows:
    return Rows(backend or DictionaryBackend(), **({"clock": FakeClock()} | config))


def read(rows: Rows, address: Address = A) -> Row:
    row = run(rows.read([address]))[0]
    assert row is not None
    return row


class TestEmbedding:
    def test_old_and_shared_texts_are_not_embedded(self) -> None:
        """Only texts that are new to the row and to the batch go to the embedder, each once, in one call."""
        embeddings = FakeEmbeddings()
        rows = rows_of(embeddings=embeddings, dims=64)
        run(rows.write([Put(A, {}, ["tea", "milk"])]))
        run(rows.write([Put(A, {}, ["milk", "cake", "tea"]), Put(B, {}, ["tea", "cake", "plum"])]))
        assert embeddings.texts == ["tea", "milk", "cake", "plum"]
        assert embeddings.batches == 2
        assert read(rows).vectors @ embeddings.embed_query("cake") == pytest.approx(
            [np.dot(embeddings.embed_query(text), embeddings.embed_query("cake")) for text in ("milk", "cake", "tea")],
            abs=1e-5,
        )

    def test_vectors_get_unit_length(self) -> None:
        """Whatever length an embedder gives, cosines are cosines."""
        rows = rows_of(embeddings=Fixed([3.0, 4.0]))
        run(rows.write([Put(A, {}, ["tea"])]))
        assert read(rows).vectors.tolist() == [pytest.approx([0.6, 0.8])]

    def test_zero_vectors_find_nothing(self) -> None:
        """A text for which the embedder has no direction is found by no query, and as a query finds nothing."""
        rows = rows_of(embeddings=Fixed([0.0, 0.0]))
        run(rows.write([Put(A, {"n": 1}, ["tea"])]))
        assert len(read(rows).vectors) == 0
        run(rows.write([Put(B, {"n": 2}, ["milk"], vectors=np.ones((1, 2), dtype=np.float32))]))
        vector = run(rows.embed_query("tea"))
        assert run(rows.search(Query(now=rows.now(), vector=vector))) == []

    @pytest.mark.parametrize(
        ("embeddings", "error"),
        [
            (Fixed([1.0, 0.0, 0.0]), EmbeddingMismatch),
            (Fixed([1.0, 0.0], [1.0]), EmbeddingMismatch),
            (Fixed([1.0, 0.0], [0.0, 1.0]), StoreError),
            (Fixed([float("nan"), 0.0]), StoreError),
        ],
    )
    def test_wrong_vectors_are_refused(self, embeddings: Embeddings, error: type[Exception]) -> None:
        """Vectors of another length, too many, or not finite are errors, and nothing is written."""
        rows = rows_of(embeddings=embeddings, dims=2)
        with pytest.raises(error):
            run(rows.write([Put(A, {}, ["tea"])]))
        assert run(rows.read([A])) == [None]

    def test_names_of_embedders(self) -> None:
        """An embedder is remembered by its class and its model."""

        class Modeled(FakeEmbeddings):
            model = "small"

        assert embedder_name(FakeEmbeddings()) == "FakeEmbeddings"
        assert embedder_name(DeterministicFakeEmbedding(size=3)) == "DeterministicFakeEmbedding"
        assert embedder_name(Modeled()).endswith("Modeled:small")
        assert rows_of(embeddings=Modeled(), dims=64, embedder_id="mine").embedder == Embedder("mine", 64)

    def test_length_is_asked_for_once(self) -> None:
        """Without `dims` one text is embedded at the first use, and none at the next."""
        embeddings = FakeEmbeddings()
        rows = rows_of(embeddings=embeddings)
        assert rows.embedder is None
        for _ in range(2):
            run(rows.read([A]))
        assert rows.embedder == Embedder("FakeEmbeddings", 64)
        assert len(embeddings.queries) == 1


class TestWriting:
    def test_put_of_the_new_reads_nothing(self) -> None:
        """A put that expects nothing to be there costs no read, any other one read for the whole batch."""
        rows = rows_of(backend := Telling())
        run(rows.write([Put(A, {}, None, expects=None)]))
        run(rows.write([Put(A, {}, None), Put(B, {}, None)]))
        assert backend.asked == ["setup", "write", "get", "write"]

    def test_nothing_to_do_asks_nothing(self) -> None:
        """No changes and no addresses cost no call."""
        rows = rows_of(backend := Telling())
        run(rows.write([]))
        assert run(rows.read([])) == []
        assert backend.asked == ["setup"]

    def test_instants_are_utc(self) -> None:
        """Whatever zone a clock is in, a row's instants are in UTC."""
        east = timezone(timedelta(hours=9))
        rows = rows_of(clock=FakeClock(datetime(2026, 1, 1, 9, tzinfo=east)))
        run(rows.write([Put(A, {}, None, expires_at=datetime(2026, 2, 1, tzinfo=east))]))
        row = read(rows)
        assert row.created_at.utcoffset() == timedelta(0)
        assert row.created_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert row.expires_at is not None
        assert row.expires_at.utcoffset() == timedelta(0)

    def test_an_operations_own_now(self) -> None:
        """`now` of an operation decides expiry, not the clock."""
        rows = rows_of(clock=FakeClock())
        later = datetime(2030, 1, 1, tzinfo=UTC)
        run(rows.write([Put(A, {}, None, ttl=timedelta(hours=1))], now=later))
        assert run(rows.read([A], now=later + timedelta(minutes=59)))[0] is not None
        assert run(rows.read([A], now=later + timedelta(hours=1))) == [None]

    def test_explicit_instants_win(self) -> None:
        """An instant of expiry that is given is kept, also beside a `ttl`."""
        rows = rows_of()
        at = rows.now() + timedelta(hours=5)
        run(rows.write([Put(A, {}, None, expires_at=at, ttl=timedelta(hours=1))]))
        assert (read(rows).expires_at, read(rows).ttl) == (at, timedelta(hours=1))

    def test_put_and_delete_of_one_address(self) -> None:
        """Of several changes to one address the last one counts."""
        rows = rows_of()
        run(rows.write([Put(A, {"n": 1}, None), Delete(A), Put(B, {"n": 1}, None), Put(B, {"n": 2}, None)]))
        assert run(rows.read([A])) == [None]
        assert read(rows, B).value == {"n": 2}


class TestAbilities:
    def test_backend_without_abilities(self) -> None:
        """Where a backend cannot scan, search words or record uses, the answer is `None`, or nothing happens."""
        backend: Backend = Plain()  # type: ignore[assignment]
        rows = rows_of(backend)
        run(rows.write([Put(A, {"n": 1}, ["tea"])]))
        assert run(rows.scan([NS], limit=9)) is None
        assert run(rows.stamp([NS])) is None
        assert run(rows.lexical(Query(now=rows.now()), ["tea"])) is None
        assert not rows.touching
        run(rows.touch({A: [rows.now()]}, 3))
        assert read(rows).touches == ()

    def test_scan_says_its_stamp(self) -> None:
        """A scan comes with the stamp of its scope, so that what is derived from it may be kept."""
        rows = rows_of()
        run(rows.write([Put(A, {"n": 1}, None)]))
        scan = run(rows.scan([NS], limit=9))
        assert scan is not None
        assert [row.address for row in scan.rows] == [A]
        assert scan.stamp == run(rows.stamp([NS]))


class TestValues:
    @given(store_values())
    def test_json_is_copied_as_it_is(self, value: dict[str, Any]) -> None:
        """A JSON object is copied into an equal one of the same types."""
        copy = json_object(value)
        assert copy == value
        assert repr(copy) == repr(value)

    @given(st.lists(st.sampled_from(["list", "dict"]), max_size=150))
    def test_depth_has_a_limit(self, kinds: list[str]) -> None:
        """A value nests up to a hundred levels and no further."""
        value: Any = 0
        for kind in kinds:
            value = [value] if kind == "list" else {"x": value}
        if len(kinds) < 100:
            assert json_object({"v": value}) == {"v": value}
        else:
            with pytest.raises(InvalidRequest, match="levels"):
                json_object({"v": value})

    def test_tuples_become_lists(self) -> None:
        """What JSON knows as a list is one from the start, not only after a database."""
        assert json_object({"x": (1, (2,))}) == {"x": [1, [2]]}

    def test_errors_say_where(self) -> None:
        """The message leads to the part that is wrong."""
        with pytest.raises(InvalidRequest, match=r"`value\.a\[1\]\.b` is"):
            json_object({"a": [0, {"b": {1}}]})
        with pytest.raises(InvalidRequest, match=r"`value\.a` has the key 1"):
            json_object({"a": {1: 2}})
