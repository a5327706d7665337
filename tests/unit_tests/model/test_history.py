"""Logs: versions, what was when, and going back."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.history import as_of, at_version, before_batches, changed, changes
from langchain_mem.model.records import STORED, StoredMemory


def memory(*steps: tuple[str, dict[str, Any]], batches: str = "") -> StoredMemory:
    """A memory after some changes, an hour apart from 00:00."""
    fields = dict.fromkeys(STORED) | {"id": "m", "log": [], "metadata": {}, "categories": [], "state": "live"}
    result = cast(StoredMemory, fields)
    for hour, (event, change) in enumerate(steps):
        batch = batches[hour] if batches else str(hour)
        result = changed(result, event, now=f"2026-01-01T{hour:02}:00:00.000000Z", batch_id=batch, **change)
    return result


LIFE = (
    ("ADD", {"memory": "Berlin"}),
    ("UPDATE", {"memory": "Paris", "metadata": {"a": 1}}),
    ("DELETE", {"state": "deleted"}),
)


def test_each_change_is_a_version() -> None:
    """Versions count from 1, and what was before an entry is the entry above."""
    told = changes(memory(*LIFE))
    assert [(each["version"], each["old_memory"], each["new_memory"]) for each in told] == [
        (1, None, "Berlin"),
        (2, "Berlin", "Paris"),
        (3, "Paris", None),
    ]


def test_a_change_leaves_the_old_alone() -> None:
    """What was is not altered, and a log's entries are not shared with what is."""
    before = memory(*LIFE[:2])
    after = changed(before, "UPDATE", now="2026-01-01T09:00:00.000000Z", metadata={"b": [1]})
    after["metadata"]["b"].append(2)
    assert (before["memory"], len(before["log"]), before["metadata"]) == ("Paris", 2, {"a": 1})
    assert after["log"][-1]["after"]["metadata"] == {"b": [1]}


@pytest.mark.parametrize(
    ("hour", "text"),
    [("2025-12-31T23", None), ("2026-01-01T00", "Berlin"), ("2026-01-01T01", "Paris"), ("2026-01-01T02", None)],
)
def test_as_it_stood(hour: str, text: str | None) -> None:
    """At each instant a memory says what it said then; before it was there and after it went it is none."""
    stood = as_of(memory(*LIFE), f"{hour}:30:00.000000Z")
    assert (stood and stood["memory"]) == text
    if stood:
        assert stood["version"] == len(stood["log"])


def test_a_version() -> None:
    """A version can be read back, and one that is not there names those that are."""
    assert at_version(memory(*LIFE), 2)["memory"] == "Paris"
    with pytest.raises(InvalidRequest, match="1 to 3"):
        at_version(memory(*LIFE), 4)


@pytest.mark.parametrize(
    ("batches", "ids", "text", "state"),
    [
        ("abc", "c", "Paris", "live"),
        ("abc", "bc", "Berlin", "live"),
        ("aaa", "a", "Paris", "deleted"),
        ("abc", "abc", "Paris", "deleted"),
    ],
)
def test_before_some_batches(batches: str, ids: str, text: str, state: str) -> None:
    """Going back over the newest changes gives what was before, or nothing where they made the memory."""
    found = before_batches(memory(*LIFE, batches=batches), ids)
    assert found is not None
    before, _ = found
    assert (before["memory"], before["state"]) == (text, state)


@pytest.mark.parametrize("ids", ["a", "b", "x", ""])
def test_later_changes_stand(ids: str) -> None:
    """Where the newest change belongs to none of the batches there is no going back."""
    assert before_batches(memory(*LIFE, batches="abc"), ids) is None


def test_what_was_undone_does_not_count() -> None:
    """A change that was undone stands in nobody's way, and cannot be undone twice."""
    undone = memory(*LIFE, ("UNDO", {"state": "live", "memory": "Paris", "metadata": {"a": 1}}), batches="abcd")
    found = before_batches(undone, "b")
    assert found is not None
    before, _ = found
    assert before["memory"] == "Berlin"
    assert before_batches(undone, "c") is None


def test_an_undo_says_where_it_went_back_to() -> None:
    """Where a text returned, an undo that names its version is told from one to the earlier text."""
    steps = [("ADD", {"memory": "Paris"}), ("UPDATE", {"memory": "Berlin"}), ("UPDATE", {"memory": "Paris"})]
    whole = memory(*steps, ("UPDATE", {"memory": "Rome"}), ("UNDO", {"memory": "Paris", "back_to": 1}), batches="abcde")
    found = before_batches(whole, "a")
    assert found is not None
    assert (found[0]["state"], found[1]) == ("deleted", 0)


@given(st.lists(st.sampled_from(["Berlin", "Paris", "Rome"]), min_size=1, max_size=6), st.data())
def test_going_back_is_going_back(said: list[str], data: st.DataObject) -> None:
    """Undoing the newest batches gives the state after the batch before them."""
    steps = [("ADD" if not n else "UPDATE", {"memory": text}) for n, text in enumerate(said)]
    whole = memory(*steps)
    back = data.draw(st.integers(1, len(said)))
    found = before_batches(whole, [str(n) for n in range(len(said) - back, len(said))])
    assert found is not None
    before, version = found
    assert version == len(said) - back
    if back < len(said):
        assert before == whole["log"][len(said) - back - 1]["after"]
    else:
        assert before["state"] == "deleted"
