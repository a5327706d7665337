"""Uses are written off the caller's path, and none is lost to a failure."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from langchain_mem.backends.base import Address
from langchain_mem.errors import StoreError
from langchain_mem.repository.touch_writer import TouchWriter

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEA = Address(("memories", "user", "alex", "own"), "tea")
OF_BOB = Address(("memories", "user", "bob", "own"), "tea")
Written = list[Mapping[Address, Sequence[datetime]]]


def test_flush_writes_what_is_pending_once() -> None:
    """What was recorded is pending until it is written, in one batch, and only once."""
    written: Written = []
    uses = TouchWriter(written.append, delay=60)
    uses.record([TEA], NOW)
    uses.record([TEA, OF_BOB], NOW + timedelta(1))
    assert list(uses.pending(TEA)) == [NOW, NOW + timedelta(1)]
    uses.flush()
    uses.flush()
    assert written == [{TEA: (NOW, NOW + timedelta(1)), OF_BOB: (NOW + timedelta(1),)}]
    assert list(uses.pending(TEA)) == []
    uses.close()


def test_a_thread_writes_by_itself() -> None:
    """Nobody needs to flush: a thread of its own writes after a short while."""
    done = threading.Event()
    uses = TouchWriter(lambda _: done.set(), delay=0.001)
    uses.record([TEA], NOW)
    assert done.wait(60)
    uses.close()


def test_a_failure_keeps_them() -> None:
    """Where the store fails the uses stay, and go with the next write."""
    written: Written = []
    failing = [True]

    def write(batch: Mapping[Address, Sequence[datetime]]) -> None:
        if failing[0]:
            raise StoreError("down")
        written.append(batch)

    uses = TouchWriter(write, delay=60)
    uses.record([TEA], NOW)
    with pytest.raises(StoreError):
        uses.flush()
    failing[0] = False
    uses.close()
    assert written == [{TEA: (NOW,)}]


def test_what_comes_while_writing_is_not_lost() -> None:
    """A use recorded during a write is pending after it."""
    uses = TouchWriter(lambda _: uses.record([TEA], NOW + timedelta(1)), delay=60)
    uses.record([TEA], NOW)
    uses.flush()
    assert list(uses.pending(TEA)) == [NOW + timedelta(1)]
    uses.drop()
    uses.close()


def test_dropping() -> None:
    """Uses of one user, or of all, can be forgotten unwritten."""
    written: Written = []
    uses = TouchWriter(written.append, delay=60)
    uses.record([TEA, OF_BOB], NOW)
    uses.drop(user_id="alex")
    assert (list(uses.pending(TEA)), list(uses.pending(OF_BOB))) == ([], [NOW])
    uses.drop()
    uses.close()
    assert written == []


def test_closing_twice() -> None:
    """Closing writes what is pending and may be done again."""
    written: Written = []
    uses = TouchWriter(written.append, delay=60)
    uses.record([TEA], NOW)
    uses.close()
    uses.close()
    assert len(written) == 1
