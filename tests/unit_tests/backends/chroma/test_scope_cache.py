"""Scopes held in memory: those used last, as many as there is room for, in step with what is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Namespace, Query, Row, Write
from langchain_mem.backends.chroma.scope_cache import ScopeCache

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALEX, BO, ALEXANDER = ("user", "alex"), ("user", "bo"), ("user", "alexander")


def row(namespace: Namespace, key: str = "k", **attributes: Any) -> Row:
    address = Address(namespace, key)
    return Row(address=address, value={}, created_at=NOW, updated_at=NOW, revision=key, **attributes)


def held_keys(held: ScopeCache, prefix: Namespace) -> list[str]:
    return [match.row.address.key for match in run(held.rows.search(Query(now=NOW, prefixes=(prefix,))))]


@pytest.fixture
def held() -> ScopeCache:
    """Room for two scopes of 40 bytes, and not for a third."""
    return ScopeCache(most=100)


def test_covers_what_is_below(held: ScopeCache) -> None:
    """A scope that is held covers all below it, by whole labels, and nothing else."""
    held.hold(ALEX, [row(ALEX)], size=40)
    assert [held.covers(each) for each in (ALEX, (*ALEX, "own"), ALEXANDER, ("user",), ())] == [True, True] + [
        False
    ] * 3


def test_least_used_goes_first(held: ScopeCache) -> None:
    """Where there is no room for another scope, the one that was not used for longest goes, with its rows."""
    held.hold(ALEX, [row(ALEX)], size=40)
    held.hold(BO, [row(BO)], size=40)
    assert held.covers(ALEX)
    held.hold(ALEXANDER, [row(ALEXANDER)], size=40)
    assert [held.covers(each) for each in (ALEX, BO, ALEXANDER)] == [True, False, True]
    assert held_keys(held, BO) == []


def test_wider_scope_takes_in_narrower(held: ScopeCache) -> None:
    """A scope above one that is held replaces it, and is counted instead of it."""
    held.hold(ALEX, [row(ALEX)], size=90)
    held.hold(("user",), [row(ALEX), row(BO)], size=100)
    assert held.covers(ALEX)
    assert held_keys(held, ("user",)) == ["k", "k"]


def test_writes_are_repeated_where_they_belong() -> None:
    """A write in a scope that is held is repeated there, and any other is not."""
    held = ScopeCache()
    held.hold(ALEX, [row(ALEX)], size=40)
    other = row((*ALEX, "own"), "new")
    stranger = row(ALEXANDER)
    gone = Write(address=Address(ALEX, "k"), row=None, expects="long since changed")
    held.write([gone, *(Write(address=each.address, row=each) for each in (other, stranger))], NOW)
    assert held_keys(held, ()) == ["new"]


def test_growing_scope_makes_room(held: ScopeCache) -> None:
    """A scope that writes have made too large for the room there is goes."""
    held.hold(ALEX, [], size=0)
    held.write([Write(address=Address(ALEX, "k"), row=row(ALEX))], NOW)
    assert not held.covers(ALEX)
    assert held_keys(held, ()) == []


def test_expired_rows_are_held_too() -> None:
    """What has expired is known to be there, so that a put over it is told from a put where nothing is."""
    held = ScopeCache()
    held.hold(ALEX, [row(ALEX, expires_at=NOW - timedelta(1))], size=40)
    assert held_keys(held, ALEX) == []
    assert held.may_be_there([Address(ALEX, "k"), Address(ALEX, "none")]) == [Address(ALEX, "k")]


def test_clear(held: ScopeCache) -> None:
    """Clearing forgets every scope."""
    held.hold(ALEX, [row(ALEX)], size=40)
    held.clear()
    assert not held.covers(ALEX)
    assert held_keys(held, ()) == []
