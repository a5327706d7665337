"""Rows are sealed before a backend sees them, and everything works on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, NamespaceQuery, Query, Row, Write
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.backends.encrypted import EncryptedBackend
from langchain_mem.backends.sealing import Encryption
from langchain_mem.errors import InvalidRequest, StoreError
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, LongTermStoreConformance
from tests.turns import InTurns

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = Encryption(key=b"an old key of 32 bytes, or so..."), b"a new key of 32 bytes, or so ..."
BOTH = Encryption(key=NEW, key_id="2", retired={"1": OLD.key})
HERE = Address(("memories", "user", "alex"), "a")


def _row(address: Address = HERE, text: str = "Likes green tea") -> Row:
    return Row(address=address, value={"memory": text}, created_at=NOW, updated_at=NOW, revision="1", texts=(text,))


def _put(backend: EncryptedBackend | DictionaryBackend, *rows: Row) -> None:
    run(backend.write([Write(address=row.address, row=row) for row in rows], NOW))


def _kept(backend: DictionaryBackend) -> str:
    """Everything that a backend was given, as text."""
    rows = run(backend.scan(((),), NOW, 10_000)) or []
    return "\n".join(repr(row) for row in rows)


class TestEncrypted(InTurns, LongTermStoreConformance):
    examples = 10

    @pytest.fixture
    def open_store(self, clock: FakeClock) -> Callable[..., LongTermStore]:
        inner = DictionaryBackend()
        return lambda **config: LongTermStore(EncryptedBackend(inner, BOTH), clock=clock, **config)


@pytest.fixture
def inner() -> DictionaryBackend:
    return DictionaryBackend()


def test_the_backend_sees_no_word(inner: DictionaryBackend) -> None:
    """Neither the value nor the text nor a digest of it reaches the inner backend."""
    row = replace(_row(), value={"memory": "Likes green tea", "metadata": {"kind": "drink"}}, digests=())
    _put(EncryptedBackend(inner, OLD), row)
    kept = _kept(inner)
    assert "alex" in kept  # namespaces stay readable, as documented
    assert not [word for word in ("green", "tea", "Likes", "drink", "metadata", "memory'") if word in kept]


def test_words_are_found_by_their_hashes(inner: DictionaryBackend) -> None:
    """Lexical search finds whole words, of rows under every key."""
    _put(EncryptedBackend(inner, OLD), _row())
    backend = EncryptedBackend(inner, BOTH)
    _put(
        backend,
        _row(Address(HERE.namespace, "b"), "Drinks tea at five"),
        _row(Address(HERE.namespace, "c"), "Has a dog"),
    )
    found = run(backend.lexical(Query(now=NOW), ["tea"]))
    assert {match.row.address.key for match in found} == {"a", "b"}
    assert {match.row.value["memory"] for match in found} == {"Likes green tea", "Drinks tea at five"}


def test_equal_texts_are_sealed_differently(inner: DictionaryBackend) -> None:
    """Two rows that say the same cannot be told from their sealed values to be equal."""
    backend = EncryptedBackend(inner, OLD)
    _put(backend, _row(), _row(Address(HERE.namespace, "b")))
    sealed = [json.dumps(row.value) for row in run(inner.scan(((),), NOW, 9)) or []]
    assert len(set(sealed)) == 2


def test_a_row_cannot_be_moved(inner: DictionaryBackend) -> None:
    """A sealed value opens only where it was put: one owner's row is not given out as another's."""
    backend = EncryptedBackend(inner, OLD)
    _put(backend, _row())
    (row,) = run(inner.scan(((),), NOW, 9)) or []
    elsewhere = Address(("memories", "user", "mallory"), "a")
    _put(inner, replace(row, address=elsewhere))
    with pytest.raises(StoreError, match="does not open"):
        run(EncryptedBackend(inner, OLD).get([elsewhere], NOW))


def test_a_changed_row_does_not_open(inner: DictionaryBackend) -> None:
    """What was tampered with is refused, not read."""
    _put(EncryptedBackend(inner, OLD), _row())
    (row,) = run(inner.scan(((),), NOW, 9)) or []
    ((name, sealed),) = row.value.items()
    _put(inner, replace(row, value={name: sealed[:-8] + "AAAAAAA="}))
    with pytest.raises(StoreError, match="does not open"):
        run(EncryptedBackend(inner, OLD).get([HERE], NOW))


def test_another_key_of_the_same_name(inner: DictionaryBackend) -> None:
    """The wrong key is an error, and so is a key that is not there."""
    _put(EncryptedBackend(inner, OLD), _row())
    for keys in (Encryption(key=NEW), Encryption(key=NEW, key_id="2")):
        with pytest.raises(StoreError, match="key '1'"):
            run(EncryptedBackend(inner, keys).get([HERE], NOW))


def test_keys_rotate(inner: DictionaryBackend) -> None:
    """After a rotation the old key is not needed any more, and words are found by the new one."""
    old = EncryptedBackend(inner, OLD)
    _put(old, *(_row(Address(("memories", "user", f"u{n % 7}"), str(n)), f"Fact {n} about tea") for n in range(60)))
    assert run(EncryptedBackend(inner, BOTH).rotate(NOW)) == 60
    assert run(EncryptedBackend(inner, BOTH).rotate(NOW)) == 0
    backend = EncryptedBackend(inner, Encryption(key=NEW, key_id="2"))
    assert len(run(backend.search(Query(now=NOW)))) == 60
    assert len(run(backend.lexical(Query(now=NOW), ["tea"]))) == 60


def test_rotation_keeps_all_else(inner: DictionaryBackend) -> None:
    """Instants, revision, touches and expiry are what they were."""
    before = replace(_row(), expires_at=NOW + timedelta(days=1), touches=(NOW,))
    _put(EncryptedBackend(inner, OLD), before)
    backend = EncryptedBackend(inner, BOTH)
    run(backend.rotate(NOW))
    (after,) = run(backend.get([HERE], NOW))
    kept = ("address", "value", "created_at", "updated_at", "revision", "expires_at", "ttl", "touches")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]


def test_plain_rows_are_read_and_sealed(inner: DictionaryBackend) -> None:
    """Encryption can be turned on for a store that has rows: they are read, and a rotation seals them."""
    _put(inner, replace(_row(), texts=()))
    backend = EncryptedBackend(inner, OLD)
    (row,) = run(backend.get([HERE], NOW))
    assert row is not None
    assert row.value == {"memory": "Likes green tea"}
    assert run(backend.rotate(NOW)) == 1
    assert "green" not in _kept(inner)
    assert len(run(backend.lexical(Query(now=NOW), ["green"]))) == 1


def test_listing_and_purging_need_no_key(inner: DictionaryBackend) -> None:
    """What is readable anyway works with any key: so erasing does not depend on one."""
    _put(EncryptedBackend(inner, OLD), replace(_row(), expires_at=NOW))
    lost = EncryptedBackend(inner, Encryption(key=NEW, key_id="2"))
    assert run(lost.purge(NOW)) == 1
    _put(EncryptedBackend(inner, OLD), _row())
    assert run(lost.namespaces(NamespaceQuery(now=NOW))) == [HERE.namespace]
    run(lost.write([Write(address=HERE, row=None)], NOW))
    assert run(lost.count(Query(now=NOW))) == 0


@given(text=st.text(max_size=50), key=st.text(min_size=1, max_size=10))
def test_any_text_comes_back(text: str, key: str) -> None:
    """Any characters, half ones included, are sealed and opened."""
    address = Address(("notes",), key)
    sealed = BOTH.seal(address, {"value": text})
    assert json.loads(BOTH.open(address, sealed).decode("utf-8", "surrogatepass")) == {"value": text}


@pytest.mark.parametrize(
    "wrong",
    [{"key": b"short"}, {"key": "text" * 8}, {"key": NEW, "key_id": "a.b"}, {"key": NEW, "retired": {"1": NEW}}],
)
def test_refuses_weak_and_ambiguous_keys(wrong: dict[str, object]) -> None:
    """A key is at least 16 bytes, and an id names one key."""
    with pytest.raises(InvalidRequest, match="key"):
        Encryption(**wrong)  # type: ignore[arg-type]


def test_keys_are_not_shown() -> None:
    """A policy may be logged."""
    assert "bytes" not in repr(BOTH)
