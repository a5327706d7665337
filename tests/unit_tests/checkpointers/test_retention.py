from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.base.id import uuid6

from langchain_mem.checkpointers import Retention, Swept
from langchain_mem.checkpointers.retention import Entry, Release, release, written_at
from langchain_mem.errors import InvalidRequest
from tests.unit_tests.checkpointers.graphs import id_at

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def days_old(*ages: float) -> list[str]:
    return [id_at(NOW - timedelta(days=age)) for age in ages]


def newest(count: int) -> Any:
    return lambda ids: set(sorted(ids)[-count:])


def test_an_id_tells_when_it_was_written() -> None:
    """An id LangGraph makes now tells the present, to the millisecond."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    written = written_at(str(uuid6()))
    assert written is not None
    assert before <= written <= datetime.now(UTC) + timedelta(milliseconds=1)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_an_id_keeps_its_instant(written: datetime) -> None:
    """Reading the instant back gives it, to the microsecond."""
    assert written_at(id_at(written)) == written


@pytest.mark.parametrize(
    "other", ["", "1", "0c62ca34-ac19-445d-bbb0-5b4984975b2a", "zzzzzzzz-zzzz-6zzz-8000-000000000000"]
)
def test_an_id_of_another_kind_tells_no_time(other: str) -> None:
    """Only a version 6 UUID has a time."""
    assert written_at(other) is None


@pytest.mark.parametrize(
    "limits",
    [
        {"keep_last": 0},
        {"thread_ttl": timedelta(0)},
        {"max_age": timedelta(days=-1)},
        {"sweep_every": timedelta(0)},
    ],
)
def test_a_limit_must_be_positive(limits: dict[str, Any]) -> None:
    """A policy that could keep nothing is refused when it is made."""
    with pytest.raises(InvalidRequest, match=next(iter(limits))):
        Retention(**limits)


def test_keeps_the_last() -> None:
    """`keep_last=2` of three keeps the two newest."""
    ids = days_old(3, 2, 1)
    assert Retention(keep_last=2).wants(ids, now=NOW) == set(ids[1:])


def test_keeps_what_is_young_and_the_newest() -> None:
    """`max_age` takes what is older, but never the newest."""
    ids = days_old(30, 20, 5)
    assert Retention(max_age=timedelta(days=7)).wants(ids, now=NOW) == {ids[2]}
    assert Retention(max_age=timedelta(days=1)).wants(ids, now=NOW) == {ids[2]}


def test_exactly_as_old_as_allowed_stays() -> None:
    """A limit is passed when it is exceeded, not when it is met."""
    ids = days_old(7, 1)
    assert Retention(max_age=timedelta(days=7)).wants(ids, now=NOW) == set(ids)
    assert not Retention(thread_ttl=timedelta(days=7)).is_idle({"": days_old(7)}, now=NOW)


def test_a_thread_is_as_young_as_its_newest_checkpoint() -> None:
    """Work in a subgraph keeps the whole thread from being idle."""
    policy = Retention(thread_ttl=timedelta(days=7))
    assert policy.is_idle({"": days_old(9), "call:1": days_old(8)}, now=NOW)
    assert not policy.is_idle({"": days_old(9), "call:1": days_old(6)}, now=NOW)


def test_what_tells_no_time_has_no_age() -> None:
    """Ids of another kind are never idle and never too old; they still count."""
    policy = Retention(thread_ttl=timedelta(days=1), max_age=timedelta(days=1), keep_last=2)
    assert not policy.is_idle({"": ["1"]}, now=NOW)
    assert policy.wants(["1", "2", "3"], now=NOW) == {"2", "3"}


@given(
    ages=st.lists(st.integers(0, 100), min_size=1, max_size=30, unique=True),
    keep_last=st.none() | st.integers(1, 40),
    max_age=st.none() | st.integers(1, 100),
)
def test_a_policy_never_lets_the_present_go(ages: list[int], keep_last: int | None, max_age: int | None) -> None:
    """The newest stays; no more stay than `keep_last`; of the rest, none is older than `max_age`."""
    ids = days_old(*ages)
    policy = Retention(keep_last=keep_last, max_age=timedelta(days=max_age) if max_age else None)
    kept = policy.wants(ids, now=NOW)
    assert max(ids) in kept
    assert len(kept) <= (keep_last or len(ids))
    assert policy.is_crowded({"": ids}, now=NOW) == (len(kept) < len(ids))
    if max_age:
        assert kept - {max(ids)} <= set(days_old(*(age for age in ages if age <= max_age)))


def test_sweeps_add_up() -> None:
    """What two pages removed is what the sweep removed."""
    total = Swept(threads=("a",), checkpoints=2) + Swept(checkpoints=3)
    assert total == Swept(threads=("a",), checkpoints=5)


# --- what the kept ones need


def chain(*entries: dict[str, Any], namespace: str = "") -> list[Entry]:
    """Entries "0", "1", … each following the one before."""
    return [
        Entry(**{"namespace": namespace, "id": str(n), "parent": str(n - 1) if n else None, **entry})
        for n, entry in enumerate(entries)
    ]


def test_a_rebuilt_channel_keeps_its_writes_and_its_snapshot() -> None:
    """Of the ancestors, those with writes stay, back to the stored value; what lies between is skipped over."""
    entries = chain(
        {"writes": ["log"]},  # 0: older than the snapshot
        {"holds": ["log"], "writes": ["log"]},  # 1: the snapshot
        {"needs": ["log"]},  # 2: wrote nothing to the channel
        {"needs": ["log"], "writes": ["log"]},  # 3
        {"needs": ["log"]},  # 4: the newest
    )
    decided = release(entries, newest(1))
    assert decided.gone == [("", "0"), ("", "2")]
    assert decided.parents == {("", "1"): None, ("", "3"): "1"}


def test_a_stored_channel_needs_nobody() -> None:
    """Without a channel to rebuild, only what the policy wants stays, and its chain ends."""
    decided = release(chain({}, {}, {}), newest(1))
    assert decided == Release(gone=[("", "0"), ("", "1")], parents={("", "2"): None})


def test_a_chain_that_bites_its_tail_ends() -> None:
    """A loop of parents is walked once."""
    entries = [replace(entry, parent="1", needs=["log"]) for entry in chain({}, {})]
    assert release(entries, newest(1)).gone == [("", "0")]


def call(namespace: str, **parents: str) -> Entry:
    return Entry(namespace=namespace, id="9", parents={ns.replace("root", ""): id_ for ns, id_ in parents.items()})


@pytest.mark.parametrize(
    ("entry", "stays"),
    [
        (call("sub:1", root="0"), False),  # its step goes
        (call("sub:1", root="1"), True),  # its step is the newest
        (call("sub:1", root="2"), True),  # its step is not saved yet
        (call("sub:1"), True),  # nobody knows
        (call("sub", root="0"), True),  # it keeps its state from call to call
        (call("sub:1|deep:2", root="1", **{"sub:1": "5"}), True),  # its caller's namespace is not there
    ],
)
def test_a_call_goes_with_the_step_that_made_it(entry: Entry, stays: bool) -> None:
    """A subgraph call's namespace stays as long as the step it started from, or while that is yet to be saved."""
    decided = release([*chain({}, {}), entry], newest(1))
    assert ((entry.namespace, "9") not in decided.gone) == stays


def test_calls_inside_calls_go_with_their_caller() -> None:
    """A long loop in a subgraph does not leave the namespaces of its own calls behind."""
    outer = chain({"parents": {"": "0"}}, {"parents": {"": "0"}}, namespace="loop:1")
    inner = call("loop:1|tool:2", root="0", **{"loop:1": "0"})
    decided = release([*chain({}), *outer, inner], newest(1))
    assert set(decided.gone) == {("loop:1", "0"), ("loop:1|tool:2", "9")}


Value = tuple[str, ...]


def rebuilt(entry: Entry, by_id: Mapping[str, Entry]) -> Value:
    """What the channel "log" is at a checkpoint: the stored value and all writes since, as LangGraph replays them."""
    if "log" in entry.holds:
        return (f"value {entry.id}",)
    writes: list[str] = []
    at = by_id.get(entry.parent or "")
    while at is not None:
        writes = [f"write {at.id}"] * ("log" in at.writes) + writes
        if "log" in at.holds:
            return (f"value {at.id}", *writes)
        at = by_id.get(at.parent or "")
    return tuple(writes)


@st.composite
def forests(draw: st.DrawFn) -> list[Entry]:
    """Checkpoints with a `DeltaChannel`, each following any older one: forks and several roots included."""
    entries: list[Entry] = []
    for number in range(draw(st.integers(1, 15))):
        holds = draw(st.booleans())
        parent = draw(st.none() | st.sampled_from(entries)) if entries else None
        entries.append(
            Entry(
                namespace="",
                id=f"{number:02}",
                parent=parent.id if parent else None,
                holds=["log"] if holds else [],
                needs=[] if holds else ["log"],
                writes=["log"] if draw(st.booleans()) else [],
            )
        )
    return entries


def after(entries: Sequence[Entry], decided: Release) -> dict[str, Entry]:
    kept = {entry.id: entry for entry in entries if ("", entry.id) not in decided.gone}
    return {id_: replace(e, parent=decided.parents.get(("", id_), e.parent)) for id_, e in kept.items()}


@given(entries=forests(), count=st.integers(1, 5))
def test_every_wanted_checkpoint_is_rebuilt_as_before(entries: list[Entry], count: int) -> None:
    """What is wanted has the same value after a release, no parent is missing, and a second release changes nothing."""
    before = {entry.id: entry for entry in entries}
    kept = after(entries, release(entries, newest(count)))
    for id_ in sorted(before)[-count:]:
        assert rebuilt(kept[id_], kept) == rebuilt(before[id_], before)
    assert all(entry.parent in kept for entry in kept.values() if entry.parent)
    assert release(kept.values(), newest(count)) == Release(gone=[], parents={})
