"""What one operation changes lands together, on what was read, with the journal that can undo it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Row
from langchain_mem.errors import Conflict
from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.instants import iso
from langchain_mem.model.scopes import Scope
from tests.memories import Bench

Open = Callable[..., Bench]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALEX = Scope(user_id="alex")
HOME = ALEX.home()


def changes(memory: Bench) -> UnitOfWork:
    return UnitOfWork(memory.memory.settings, at=NOW)


def stored(memory: Bench, text: str = "Likes tea", **fields: Any) -> Row:
    """A memory as it is read from the store, which has it."""
    made = changes(memory)
    made.add(Draft(home=HOME, text=text, **fields))
    run(made.land(ALEX, event="add"))
    return again(memory, Address(HOME, made.results[0]["id"]))


def again(memory: Bench, address: Address) -> Row:
    (row,) = run(memory.memory.settings.repo.read([address], NOW))
    assert row is not None
    return row


def test_a_new_memory_is_written_where_nothing_is(bench: Open) -> None:
    """What is new conflicts with what another writer has put there, is a use, and never goes by itself."""
    memory = bench()
    row = stored(memory)
    assert (row.texts, row.touches, row.expires_at) == (("Likes tea",), (NOW,), None)
    late = changes(memory)
    late.add(Draft(home=HOME, text="Likes tea"))
    with pytest.raises(Conflict):
        run(late.land(ALEX, event="add"))


def test_the_journal_names_what_changed(bench: Open) -> None:
    """The note about a batch is JSON, names its memories, and is no alias of the results that a caller gets."""
    memory = bench()
    made = changes(memory)
    made.add(Draft(home=HOME, text="Likes tea"))
    put, note = run(made.writes(ALEX.home()))
    assert note.row is not None
    assert note.row.value["memories"] == [[list(HOME), put.address.key]]
    assert note.row.value["results"] == made.results
    json.dumps(note.row.value)
    made.results[0]["memory"] = "Changed by the caller"
    assert note.row.value["results"][0]["memory"] == "Likes tea"


def test_a_change_lands_only_on_what_was_read(bench: Open) -> None:
    """A change conflicts with one made since the memory was read; a new text is a use, other fields are none."""
    memory = bench()
    row = stored(memory)
    first, second = changes(memory), changes(memory)
    first.update(row, metadata={"a": 1})
    second.update(row, memory="Likes coffee")
    run(first.land(ALEX, event="update"))
    assert again(memory, row.address).touches == (NOW,)
    with pytest.raises(Conflict):
        run(second.land(ALEX, event="update"))
    third = changes(memory)
    third.update(again(memory, row.address), memory="Likes coffee")
    run(third.land(ALEX, event="update"))
    assert again(memory, row.address).touches == (NOW, NOW)


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
def test_when_it_may_go(bench: Open, change: dict[str, Any], gone_at: datetime | None) -> None:
    """A memory may be removed a grace period after it expired, was superseded or deleted; a live one never."""
    for grace, expected in ((timedelta(days=30), gone_at), (None, None)):
        memory = bench(purge_after=grace)
        row = stored(memory)
        made = changes(memory)
        made.update(row, **change)
        run(made.land(ALEX, event="update"))
        assert again(memory, row.address).expires_at == expected


def test_a_deleted_memory_is_not_indexed(bench: Open) -> None:
    """What is deleted has no text to be found by; what is superseded can still be asked for."""
    memory = bench()
    tea, cake = stored(memory), stored(memory, "Likes cake")
    made = changes(memory)
    made.delete(tea)
    newer = made.add(Draft(home=HOME, text="Likes pie"))
    made.supersede(cake, newer)
    run(made.land(ALEX, event="update"))
    assert (len(again(memory, tea.address).vectors), len(again(memory, cake.address).vectors)) == (0, 1)
    told = [(each["event"], each.get("previous_memory")) for each in made.results]
    assert told == [("DELETE", "Likes tea"), ("SUPERSEDE", "Likes cake")]


def test_a_known_vector_is_not_computed_again(bench: Open) -> None:
    """Words that were embedded before, by the operation or in the row it changes, go to the embedder no more."""
    memory = bench()
    row = stored(memory)
    memory.forget_costs()
    vector = np.ones(64, dtype=np.float32)
    made = changes(memory)
    made.batch.vectors = {"[1 January 2020] Likes pie": vector}
    made.add(Draft(home=HOME, text="Likes pie", event_date="2020-01-01T00:00:00.000000Z"))
    made.update(row, metadata={"a": 1})
    run(made.land(ALEX, event="update"))
    assert memory.embedded == 0
    assert len(again(memory, row.address).vectors) == 1


def test_what_was_read_is_not_read_again(bench: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a memory that was read costs one write of the backend, and no look at what is there."""
    memory = bench()
    row = stored(memory)
    asked: list[str] = []
    backend = memory.memory.settings.repo.backend
    for name in ("get", "search", "write"):
        monkeypatch.setattr(backend, name, _noting(asked, name, getattr(backend, name)))
    made = changes(memory)
    made.update(row, metadata={"a": 1})
    run(made.land(ALEX, event="update"))
    assert asked == ["write"]


def _noting(asked: list[str], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any) -> Any:
        asked.append(name)
        return method(*args)

    return noted


def test_a_repeat_is_a_use(bench: Open) -> None:
    """A repeat that brings nothing changes nothing and is a use; what it brings is applied."""
    memory = bench()
    row = stored(memory, metadata={"a": 1})
    made = changes(memory)
    made.add(Draft(home=HOME, text="likes TEA"), row)
    run(made.land(ALEX, event="add"))
    assert made.results[0]["event"] == "NONE"
    assert again(memory, row.address).revision == row.revision
    assert list(memory.memory.settings.touches.pending(row.address)) == [NOW]
    made = changes(memory)
    made.add(Draft(home=HOME, text="Likes tea", metadata={"b": 2}), row)
    assert made.batch.current(row)["metadata"] == {"a": 1, "b": 2}
