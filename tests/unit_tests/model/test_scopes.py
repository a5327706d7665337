"""Whose memory: ids to namespaces and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore

from langchain_mem.errors import ScopeError
from langchain_mem.model.scopes import Layer, Scope, escape, ids_of, owner_of, reroot, unescape
from tests.naming import spelled

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
OWNERS = ("user_id", "agent_id", "app_id", "org_id")


@given(ids)
def test_escaping_is_reversible(one: str) -> None:
    """Any id becomes a label without syntax, and comes back."""
    label = escape(one)
    assert unescape(label) == one
    assert not set(label) & set(".%_*/\\\x00")


@given(ids, ids)
def test_labels_are_as_distinct_as_ids(one: str, other: str) -> None:
    """Two ids have the same label exactly if they are the same id."""
    assert (escape(one) == escape(other)) == (one == other)


@given(st.sampled_from(OWNERS), ids, st.none() | ids)
def test_a_home_says_whose_it_is(owner: str, one: str, run: str | None) -> None:
    """A home reads back to its ids, and LangGraph takes it as a namespace."""
    home = Scope(**{owner: one}, run_id=run).home()
    assert ids_of(home) == {owner: one} | ({} if run is None else {"run_id": run})
    InMemoryStore().put(home, "key", {})


@pytest.mark.parametrize(
    ("given_ids", "home", "layer"),
    [
        ({"user_id": "a"}, ("memories", "user", "a", "own"), Layer.USER),
        ({"user_id": "a", "run_id": "r"}, ("memories", "user", "a", "run", "r"), Layer.SESSION),
        ({"run_id": "r"}, ("memories", "run", "r", "own"), Layer.SESSION),
        ({"agent_id": "a"}, ("memories", "agent", "a", "own"), Layer.AGENT),
        ({"user_id": "u", "agent_id": "a", "org_id": "o"}, ("memories", "user", "u", "own"), Layer.USER),
        ({"app_id": "a", "org_id": "o"}, ("memories", "app", "a", "own"), Layer.APP),
        ({"org_id": "o"}, ("memories", "org", "o", "own"), Layer.ORG),
    ],
    ids=spelled,
)
def test_the_most_particular_id_owns(given_ids: dict[str, str], home: tuple[str, ...], layer: Layer) -> None:
    """A memory has one owner: a user before an agent, an app, an org, and a run only alone."""
    scope = Scope(**given_ids)
    assert (scope.home(), scope.layer()) == (home, layer)
    assert owner_of(home)[0] == home[1]


@pytest.mark.parametrize(
    ("given_ids", "patterns"),
    [
        ({"user_id": "a"}, {("memories", "user", "a")}),
        (
            {"user_id": "a", "run_id": "r"},
            {("memories", "user", "a", "own"), ("memories", "user", "a", "run", "r"), ("memories", "run", "r")},
        ),
        ({"run_id": "r"}, {("memories", "run", "r"), ("memories", "*", "*", "run", "r")}),
        ({"user_id": "a", "org_id": "o"}, {("memories", "user", "a"), ("memories", "org", "o")}),
    ],
    ids=spelled,
)
def test_what_a_read_sees(given_ids: dict[str, str], patterns: set[tuple[str, ...]]) -> None:
    """Every owner named is seen whole, or with a run beside it without its other sessions."""
    assert set(Scope(**given_ids).patterns()) == patterns


@pytest.mark.parametrize("wrong", ["", 5, 1.5, ["a"], b"a", True, "\ud800"], ids=spelled)
@pytest.mark.parametrize("name", [*OWNERS, "run_id"])
def test_ids_are_texts(name: str, wrong: Any) -> None:
    """An id that is empty, no text or half a character is a `ScopeError` that names it."""
    with pytest.raises(ScopeError, match=name):
        Scope(**{name: wrong})


def test_session_is_run() -> None:
    """`session_id` is another word for `run_id`; both must agree."""
    assert Scope.of({"user_id": "a", "session_id": "s"}) == Scope(user_id="a", run_id="s")
    assert Scope.of({"run_id": "s", "session_id": "s"}).run_id == "s"
    with pytest.raises(ScopeError, match="one thing"):
        Scope.of({"run_id": "r", "session_id": "s"})
    with pytest.raises(TypeError, match="userid"):
        Scope.of({"userid": "a"})  # type: ignore[typeddict-unknown-key]


def test_nobody() -> None:
    """A scope that names no one is false, and has no home and nothing to see."""
    nobody = Scope()
    assert not nobody
    for ask in (nobody.home, nobody.owner, nobody.patterns, nobody.layer):
        with pytest.raises(ScopeError, match="Whose memory"):
            ask()


def test_the_same_place_under_another_root() -> None:
    """A memory's turns lie where it lies, under another root."""
    assert reroot(("memories", "user", "a", "own"), "turns") == Scope(user_id="a").home("turns")
