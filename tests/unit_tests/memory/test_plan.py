"""Plans: what a model would have done, kept until somebody approves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from langchain_mem.errors import Conflict, NotFound
from tests.memories import Bench, against, events, facts, memory_id, op, texts

Open = Callable[..., Bench]
SOURCE = {"thread_id": "t", "message_ids": ["1"]}


def test_a_plan_changes_nothing_until_it_is_approved(bench: Open) -> None:
    """The plan says what would happen, is the same when asked again, and is carried out as it was shown."""
    memory = bench(facts("Likes tea"))
    plan = memory.plan("I like tea", user_id="alex", source=SOURCE)
    assert memory.plan("I like tea", user_id="alex", source=SOURCE) == plan
    assert memory.get_all(user_id="alex")["count"] == 0
    assert memory.pending(["1"], "t", user_id="alex") == ["1"]
    assert memory.commit(plan["batch_id"], user_id="alex") == plan
    assert texts(memory.search("tea", user_id="alex", history=True)) == ["Likes tea", "I like tea"]
    assert memory.pending(["1"], "t", user_id="alex") == []
    assert memory.model.count == 1
    memory.undo(plan["batch_id"], user_id="alex")
    assert memory.get_all(user_id="alex")["count"] == 0


def test_a_plan_of_no_thread(bench: Open) -> None:
    """A plan needs no source: it is found by its batch id, and each call makes one of its own."""
    memory = bench(facts("Likes tea"), facts("Likes tea"))
    first, second = (memory.plan("I like tea", user_id="alex") for _ in range(2))
    assert memory.commit(second["batch_id"], user_id="alex")["results"] == first["results"]
    assert memory.get_all(user_id="alex")["count"] == 1


def test_a_plan_that_is_refused(bench: Open) -> None:
    """A refused plan writes nothing but that its messages are done, and is gone."""
    memory = bench(facts("Likes tea"))
    plan = memory.plan("I like tea", user_id="alex", source=SOURCE)
    assert memory.commit(plan["batch_id"], approve=False, user_id="alex")["results"] == []
    assert memory.get_all(user_id="alex")["count"] == 0
    assert memory.pending(["1"], "t", user_id="alex") == []
    with pytest.raises(NotFound, match="no plan"):
        memory.commit(plan["batch_id"], user_id="alex")


def test_a_plan_of_another_owner(bench: Open) -> None:
    """A plan is found by its owner alone."""
    memory = bench(facts("Likes tea"))
    plan = memory.plan("I like tea", user_id="alex", source=SOURCE)
    with pytest.raises(NotFound):
        memory.commit(plan["batch_id"], user_id="bob")


def test_what_changed_meanwhile(bench: Open) -> None:
    """Where a memory the plan would change has changed, nothing is written, and a new plan is made."""
    update = against(op("update", "Has a dog called Rex", memory="Has a dog"))
    memory = bench(facts("Has a dog"), update, against(op("update", "Owns a dog called Rex", memory="Owns a dog")))
    key = memory_id(memory.add("I have a dog", user_id="alex"))
    plan = memory.plan("He is called Rex", user_id="alex", source=SOURCE)
    memory.update(key, "Owns a dog")
    with pytest.raises(Conflict, match="plan again"):
        memory.commit(plan["batch_id"], user_id="alex")
    assert texts(memory.get_all(user_id="alex")) == ["Owns a dog"]
    again = memory.plan("He is called Rex", user_id="alex", source=SOURCE)
    assert events(memory.commit(again["batch_id"], user_id="alex")) == ["UPDATE"]
    assert texts(memory.get_all(user_id="alex")) == ["Owns a dog called Rex"]
