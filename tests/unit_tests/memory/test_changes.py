"""Changes that land together, and the journal that can undo them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from langchain_mem.memory.changes import Draft, Ledger, content, is_live
from langchain_mem.memory.repository import Kept
from langchain_mem.model.instants import iso
from langchain_mem.model.records import StoredMemory
from langchain_mem.model.scopes import Scope

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOME = Scope(user_id="alex").home()


def ledger(**options: Any) -> Ledger:
    return Ledger(**{"at": NOW, "batch_id": "b", "purge_after": timedelta(days=30), **options})


def kept(text: str = "Likes tea", **fields: Any) -> Kept:
    book = ledger()
    book.add(Draft(home=HOME, text=text, **fields))
    (save,) = book.saves()
    assert save.value is not None
    return Kept(save.value, save.address, "revision")  # type: ignore[arg-type]


def test_a_new_memory_expects_nothing_there() -> None:
    """What is new is written only where nothing is, and is used by being made."""
    book = ledger()
    book.add(Draft(home=HOME, text="Likes tea"))
    save, note = book.saves(Scope(user_id="alex"))
    assert (save.expects, save.text, list(save.touches), save.expires_at) == (None, "Likes tea", [NOW], None)
    assert note.value is not None
    assert note.value["memories"] == [[list(HOME), save.address.key]]
    json.dumps(note.value)


def test_a_known_memory_expects_what_was_read() -> None:
    """A change is written only on what was read, and keeps its uses."""
    one = kept()
    book = ledger()
    book.update(one, metadata={"a": 1})
    (save,) = book.saves()
    assert (save.expects, list(save.touches)) == ("revision", [])
    book = ledger()
    book.update(one, memory="Likes coffee")
    assert list(book.saves()[0].touches) == [NOW]


@pytest.mark.parametrize(
    ("change", "gone_at"),
    [
        ({}, None),
        ({"expiration_date": iso(NOW + timedelta(days=2))}, NOW + timedelta(days=32)),
        ({"state": "deleted"}, NOW + timedelta(days=30)),
        ({"state": "deleted", "expiration_date": iso(NOW + timedelta(days=2))}, NOW + timedelta(days=30)),
        ({"state": "superseded"}, NOW + timedelta(days=30)),
    ],
    ids=str,
)
def test_when_it_may_go(change: dict[str, Any], gone_at: datetime | None) -> None:
    """A memory may be removed a grace period after it expired, was superseded or deleted; a live one never."""
    book = ledger()
    book.update(kept(), **change)
    assert book.saves()[0].expires_at == gone_at
    forever = ledger(purge_after=None)
    forever.update(kept(), **change)
    assert forever.saves()[0].expires_at is None


def test_a_deleted_memory_is_not_indexed() -> None:
    """What is deleted has no text to be found by; what is superseded can still be asked for."""
    book = ledger()
    book.delete(kept())
    assert (book.saves()[0].text, book.results[0]["event"]) == (None, "DELETE")
    book = ledger()
    newer = book.add(Draft(home=HOME, text="Likes coffee"))
    book.supersede(kept(), newer)
    assert {save.text for save in book.saves()} == {"Likes coffee", "Likes tea"}
    assert [(each["event"], each["previous_memory"]) for each in book.results] == [("SUPERSEDE", "Likes tea")]


def test_a_known_vector_is_not_computed_again() -> None:
    """Embeddings known by their content go along with the write."""
    vector = np.ones(3, dtype=np.float32)
    book = ledger()
    book.vectors = {"[1 January 2020] Likes tea": vector}
    book.add(Draft(home=HOME, text="Likes tea", event_date="2020-01-01T00:00:00.000000Z"))
    assert book.saves()[0].vector is vector


def test_a_repeat_is_a_use() -> None:
    """A repeat that brings nothing changes nothing and is a use; what it brings is applied."""
    one, book = kept(metadata={"a": 1}), ledger()
    book.add(Draft(home=HOME, text="likes TEA"), one)
    assert (book.changes, list(book.uses()), book.results[0]["event"]) == (0, [one.address], "NONE")
    book.add(Draft(home=HOME, text="Likes tea", metadata={"b": 2}), one)
    assert book.current(one)["metadata"] == {"a": 1, "b": 2}


def test_whether_it_is_live() -> None:
    """A memory is live until its expiration, and only in its live state."""
    until = iso(NOW)
    assert is_live(kept(expiration_date=until).memory, iso(NOW - timedelta(microseconds=1)))
    assert not is_live(kept(expiration_date=until).memory, until)
    gone: StoredMemory = {**kept().memory, "state": "deleted"}
    assert not is_live(gone, until)


def test_the_content() -> None:
    """A text is embedded with its date before it."""
    assert content({"memory": "Moved", "event_date": "2020-05-08T00:00:00.000000Z"}) == "[8 May 2020] Moved"
    assert content({"memory": "Moved", "event_date": None}) == "Moved"
