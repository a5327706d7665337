"""What a store does with items before they reach a backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Backend, Embedder, Query, Row, Write
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.errors import EmbeddingMismatch, StoreError
from langchain_mem.store.items import Items
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.store.vectorizer import embedder_name
from langchain_mem.testing import FakeClock, FakeEmbeddings
from langchain_mem.testing.rows import put

NS = ("notes", "alex")
A, B = Address(NS, "a"), Address(NS, "b")


class Telling(DictionaryBackend):
    """Tells what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def setup(self, embedder: Embedder | None) -> Embedder | None:
        self.asked.append("setup")
        return await super().setup(embedder)

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


def items_of(backend: Any = None, **config: Any) -> Items:
    return Items(backend or DictionaryBackend(), **({"clock": FakeClock()} | config))


def read(items: Items, address: Address = A) -> Row:
    row = run(items.read([address]))[0]
    assert row is not None
    return row


class TestEmbedding:
    def test_old_and_shared_texts_are_not_embedded(self) -> None:
        """Only texts that are new to the row and to the batch go to the embedder, each once, in one call."""
        embeddings = FakeEmbeddings()
        items = items_of(embeddings=embeddings, dims=64)
        run(items.write([put(A, {}, ["tea", "milk"])]))
        run(items.write([put(A, {}, ["milk", "cake", "tea"]), put(B, {}, ["tea", "cake", "plum"])]))
        assert embeddings.texts == ["tea", "milk", "cake", "plum"]
        assert embeddings.batches == 2
        assert read(items).vectors @ embeddings.embed_query("cake") == pytest.approx(
            [np.dot(embeddings.embed_query(text), embeddings.embed_query("cake")) for text in ("milk", "cake", "tea")],
            abs=1e-5,
        )

    def test_vectors_get_unit_length(self) -> None:
        """Whatever length an embedder gives, cosines are cosines."""
        items = items_of(embeddings=Fixed([3.0, 4.0]))
        run(items.write([put(A, {}, ["tea"])]))
        assert read(items).vectors.tolist() == [pytest.approx([0.6, 0.8])]

    def test_zero_vectors_find_nothing(self) -> None:
        """A text for which the embedder has no direction is found by no query, and as a query finds nothing."""
        items = items_of(embeddings=Fixed([0.0, 0.0]))
        run(items.write([put(A, {"n": 1}, ["tea"])]))
        assert len(read(items).vectors) == 0
        run(items.write([put(B, {"n": 2}, ["milk"], vectors=np.ones((1, 2), dtype=np.float32))]))
        vector = run(items.embed_query("tea"))
        assert run(items.search(Query(now=items.now(), vector=vector))) == []

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
        items = items_of(embeddings=embeddings, dims=2)
        with pytest.raises(error):
            run(items.write([put(A, {}, ["tea"])]))
        assert run(items.read([A])) == [None]

    def test_names_of_embedders(self) -> None:
        """An embedder is remembered by its class and its model."""

        class Modeled(FakeEmbeddings):
            model = "small"

        assert embedder_name(FakeEmbeddings()) == "FakeEmbeddings"
        assert embedder_name(DeterministicFakeEmbedding(size=3)) == "DeterministicFakeEmbedding"
        assert embedder_name(Modeled()).endswith("Modeled:small")
        assert items_of(embeddings=Modeled(), dims=64, embedder_id="mine").embedder == Embedder("mine", 64)

    def test_length_is_asked_for_once(self) -> None:
        """Without `dims` one text is embedded at the first use, and none at the next."""
        embeddings = FakeEmbeddings()
        items = items_of(embeddings=embeddings)
        assert items.embedder is None
        for _ in range(2):
            run(items.read([A]))
        assert items.embedder == Embedder("FakeEmbeddings", 64)
        assert len(embeddings.queries) == 1


class TestWriting:
    def test_put_of_the_new_reads_nothing(self) -> None:
        """A put that expects nothing to be there costs no read, any other one read for the whole batch."""
        items = items_of(backend := Telling())
        run(items.write([put(A, {}, expects=None)]))
        run(items.write([put(A, {}, None), put(B, {}, None)]))
        assert backend.asked == ["setup", "write", "get", "write"]

    def test_nothing_to_do_asks_nothing(self) -> None:
        """No changes and no addresses cost no call."""
        items = items_of(backend := Telling())
        run(items.write([]))
        assert run(items.read([])) == []
        assert backend.asked == ["setup"]

    def test_instants_are_utc(self) -> None:
        """Whatever zone a clock or an expiry is in, a row's instants are in UTC."""
        east = timezone(timedelta(hours=9))
        store = LongTermStore.in_memory(clock=FakeClock(datetime(2026, 1, 1, 9, tzinfo=east)))
        store.put(NS, "a", {}, expires_at=datetime(2026, 2, 1, tzinfo=east))
        row = read(store.items)
        assert row.expires_at is not None
        assert {at.utcoffset() for at in (row.created_at, row.updated_at, row.expires_at)} == {timedelta(0)}
        assert row.created_at == datetime(2026, 1, 1, tzinfo=UTC)

    def test_an_operations_own_now(self) -> None:
        """`now` of an operation decides expiry, not the clock."""
        items = items_of(clock=FakeClock())
        later = datetime(2030, 1, 1, tzinfo=UTC)
        run(items.write([put(A, {}, expires_at=later + timedelta(hours=1))], now=later))
        assert run(items.read([A], now=later + timedelta(minutes=59)))[0] is not None
        assert run(items.read([A], now=later + timedelta(hours=1))) == [None]

    def test_creation_survives_a_replacement(self) -> None:
        """A write whose author has not read keeps the creation of what it replaces; one who has says it itself."""
        items, old = items_of(), datetime(2020, 1, 1, tzinfo=UTC)
        run(items.write([put(A, {"n": 1}, at=old)]))
        run(items.write([put(A, {"n": 2})]))
        assert (read(items).created_at, read(items).value) == (old, {"n": 2})
        run(items.write([replace(put(A, {"n": 3}), before=read(items))]))
        assert read(items).created_at > old

    def test_what_was_read_is_not_read_again(self) -> None:
        """A write that brings the row it continues costs no read, and its passages are not embedded again."""
        embeddings = FakeEmbeddings()
        items = items_of(backend := Telling(), embeddings=embeddings)
        run(items.write([put(A, {"n": 1}, ["tea"])]))
        before = read(items)
        backend.asked.clear()
        run(items.write([replace(put(B, {"n": 2}, ["tea", "milk"]), before=before)]))
        assert backend.asked == ["write"]
        assert embeddings.texts == ["tea", "milk"]

    def test_put_and_delete_of_one_address(self) -> None:
        """Of several changes to one address the last one counts."""
        items = items_of()
        run(items.write([put(A, {"n": 1}, None), Write.delete(A), put(B, {"n": 1}, None), put(B, {"n": 2}, None)]))
        assert run(items.read([A])) == [None]
        assert read(items, B).value == {"n": 2}


class TestAbilities:
    def test_backend_without_abilities(self) -> None:
        """Where a backend cannot scan, search words or record uses, the answer is `None`, or nothing happens."""
        backend: Backend = Plain()  # type: ignore[assignment]
        items = items_of(backend)
        run(items.write([put(A, {"n": 1}, ["tea"])]))
        assert run(items.scan([NS], limit=9)) is None
        assert run(items.stamp([NS])) is None
        assert run(items.lexical(Query(now=items.now()), ["tea"])) is None
        assert not items.touching
        run(items.touch({A: [items.now()]}, 3))
        assert read(items).touches == ()

    def test_scan_says_its_stamp(self) -> None:
        """A scan comes with the stamp of its scope, so that what is derived from it may be kept."""
        items = items_of()
        run(items.write([put(A, {"n": 1}, None)]))
        scan = run(items.scan([NS], limit=9))
        assert scan is not None
        assert [row.address for row in scan.rows] == [A]
        assert scan.stamp == run(items.stamp([NS]))
