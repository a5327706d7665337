"""Memories that others kept become ours, and lose nothing on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem import LongTermStore, Memory
from langchain_mem.errors import InvalidRequest
from langchain_mem.migrate.memories import Readout, read_langmem, read_mem0, take
from langchain_mem.migrate.stores import StoredItem, copy_items
from langchain_mem.model.records import digest
from langchain_mem.model.scopes import Scope
from langchain_mem.testing import FakeClock, FakeEmbeddings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MEM0 = {
    "id": "285ed74b-6e05-4043-b16b-3abd5b533496",
    "memory": "Likes green tea",
    "hash": "3c1a",
    "user_id": "alex",
    "metadata": {"food": "tea"},
    "categories": ["food"],
    "created_at": "2024-07-01T10:00:00-07:00",
    "updated_at": "2024-08-01T10:00:00-07:00",
    "expiration_date": None,
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def memory(clock: FakeClock) -> Iterator[Memory]:
    with Memory(LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock), clock=clock) as memory:
        yield memory


def _mem0(*changes: dict[str, Any]) -> Readout:
    """What is read of such memories, each as `MEM0` with its own id unless it says otherwise."""
    memories = [{**MEM0, "id": f"id-{number}", **change} for number, change in enumerate(changes)]
    return read_mem0(json.dumps({"results": memories}), now=NOW)


def test_a_memory_of_mem0_stays_what_it_was(memory: Memory):
    """Id, text, owner, metadata, categories and both instants are kept."""
    take(memory, read_mem0(json.dumps([MEM0]), now=NOW).memories)
    found = memory.get(MEM0["id"], user_id="alex")
    assert found is not None
    assert (found["memory"], found["metadata"], found["categories"]) == ("Likes green tea", {"food": "tea"}, ["food"])
    assert found["created_at"] == "2024-07-01T17:00:00.000000Z"
    assert found["updated_at"] == "2024-08-01T17:00:00.000000Z"
    assert [change["event"] for change in memory.history(MEM0["id"])] == ["ADD"]


@pytest.mark.parametrize("shape", ["list", "results", "memories", "one", "lines", "lines of results"])
def test_shapes_of_an_export(shape: str):
    """A list, what `get_all` returned, one memory, and lines of either all read the same."""
    text = {
        "list": json.dumps([MEM0], indent=2),
        "results": json.dumps({"results": [MEM0], "relations": []}),
        "memories": json.dumps({"memories": [MEM0]}),
        "one": json.dumps(MEM0),
        "lines": json.dumps(MEM0) + "\n\n",
        "lines of results": json.dumps({"results": []}) + "\n" + json.dumps({"results": [MEM0]}),
    }[shape]
    read = read_mem0(text, now=NOW)
    assert ([one.id for one in read.memories], read.bad) == ([MEM0["id"]], [])


def test_taking_again_takes_nothing_twice(memory: Memory):
    """The second time everything is here already."""
    read = _mem0({"memory": "Likes tea"}, {"memory": "Lives in Oslo"})
    assert take(memory, read.memories).imported == 2
    again = take(memory, read.memories)
    assert (again.imported, again.present) == (0, 2)
    assert memory.get_all(user_id="alex")["count"] == 2


_ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "memory": st.sampled_from(["Likes tea", "likes  TEA", "Sails", "Émile", "E\u0301mile"]),
            "user_id": st.sampled_from(["alex", "bob"]),
            "run_id": st.sampled_from([None, "trip"]),
            "created_at": st.dates(date(2024, 1, 1), date(2024, 1, 3)).map(str),
        }
    ),
    max_size=12,
)


@given(_ENTRIES)
def test_each_fact_comes_once(entries: list[dict[str, Any]]):
    """Whatever is said how often, in whichever order: each owner has each fact once, and a second time adds none."""
    memories = _mem0(*entries).memories
    facts = {(one.scope, digest(one.text)) for one in memories}
    with Memory(LongTermStore.in_memory(embed=FakeEmbeddings()), all_owners=True) as memory:
        first, again = take(memory, memories), take(memory, memories[::-1])
        assert (first.imported, again.imported) == (len(facts), 0)
        assert first.imported + first.repeated == again.present + again.repeated == len(memories)
        assert memory.get_all()["count"] == len(facts)


def test_what_was_deleted_here_stays_deleted(memory: Memory):
    """An import does not bring back what somebody asked to forget."""
    read = _mem0({})
    take(memory, read.memories)
    memory.delete("id-0")
    assert take(memory, read.memories).imported == 0
    assert memory.get("id-0") is None


def test_a_dry_run_counts_and_writes_nothing(memory: Memory):
    """It says what taking would do."""
    assert take(memory, _mem0({}, {"memory": "Lives in Oslo"}).memories, dry_run=True).imported == 2
    assert memory.get_all(user_id="alex")["count"] == 0


def test_copies_of_a_fact_become_one(memory: Memory):
    """What says the same for the same owner is one memory, with the metadata and categories of all."""
    read = _mem0(
        {"memory": "likes  GREEN tea", "created_at": "2025-01-01", "categories": ["likes"], "metadata": {"seen": 2}},
        {"created_at": "2024-01-01"},
        {"user_id": "bob"},
    )
    done = take(memory, read.memories)
    assert (done.imported, done.repeated) == (2, 1)
    (one,) = memory.get_all(user_id="alex")["results"]
    assert (one["id"], one["metadata"]) == ("id-1", {"food": "tea", "seen": 2})
    assert one["categories"] == ["food", "likes"]


def test_a_memory_that_is_listed_twice(memory: Memory):
    """Exports of a user and of an agent may overlap: the same memory counts once, and is nothing bad."""
    read = _mem0({}, {"id": "id-0"})
    done = take(memory, read.memories)
    assert (done.imported, done.repeated, read.bad) == (1, 1, [])


def test_what_is_said_here_already_is_not_said_again(memory: Memory):
    """A fact that was added here does not come a second time under another id."""
    memory.add("Likes green tea", user_id="alex")
    done = take(memory, _mem0({}).memories)
    assert (done.imported, done.repeated) == (0, 1)


@pytest.mark.parametrize(
    ("ids", "owner"),
    [
        ({"agent_id": "tutor"}, {"user_id": "alex"}),
        ({"agent_id": "tutor", "role": "assistant"}, {"agent_id": "tutor"}),
        ({"agent_id": "tutor", "metadata": {"role": "assistant"}}, {"agent_id": "tutor"}),
        ({"run_id": "trip"}, {"user_id": "alex", "run_id": "trip"}),
        ({"user_id": None, "run_id": "trip"}, {"run_id": "trip"}),
        ({"user_id": None, "app_id": "shop"}, {"app_id": "shop"}),
    ],
)
def test_one_owner_each(ids: dict[str, Any], owner: dict[str, str]):
    """A memory goes to its most particular owner; what an assistant said, to the agent."""
    (one,) = _mem0(ids).memories
    assert one.scope.ids() == owner


def test_what_has_no_place_here_is_kept_in_the_metadata():
    """Further owners and fields of Mem0 are not lost."""
    (one,) = _mem0({"agent_id": "tutor", "actor_id": "mia", "score": 0.4}).memories
    assert one.metadata == {"food": "tea", "mem0": {"agent_id": "tutor", "actor_id": "mia"}}


def test_expiration_goes_on(memory: Memory, clock: FakeClock):
    """A memory expires when it would have there, through that day."""
    take(memory, _mem0({"expiration_date": "2026-03-01"}).memories)
    assert memory.get_all(user_id="alex")["count"] == 1
    clock.advance(days=1)
    assert memory.get_all(user_id="alex")["count"] == 0


def test_a_run_is_a_session_without_an_end(memory: Memory, clock: FakeClock):
    """Notes of a run are session notes; Mem0 lets them live on, so they do."""
    take(memory, _mem0({"run_id": "trip"}).memories)
    clock.advance(days=30)
    (note,) = memory.get_all(user_id="alex", run_id="trip")["results"]
    assert (note["layer"], note["expiration_date"]) == ("session", None)


def test_an_old_memory_is_stale_and_not_gone(memory: Memory):
    """Nothing is known of its uses, so decay goes by its last update."""
    take(memory, _mem0({}, {"memory": "Likes black tea", "updated_at": "2026-02-28T23:00:00Z"}).memories)
    found = memory.search("tea", user_id="alex", explain=True)["results"]
    factors = {one["memory"]: one["score_details"]["factor"] for one in found}
    assert factors == {"Likes green tea": pytest.approx(0.3, abs=0.01), "Likes black tea": 1.0}


def test_secrets_are_masked(memory: Memory):
    """What others kept in clear is not kept in clear here."""
    take(memory, _mem0({"memory": "my password: hunter2!x", "metadata": {"password": "hunter2!x"}}).memories)
    assert "hunter2" not in "".join(memory.export(user_id="alex"))


@pytest.mark.parametrize(
    "change",
    [
        {"memory": ""},
        {"memory": 5},
        {"user_id": None},
        {"user_id": ""},
        {"created_at": "yesterday"},
        {"expiration_date": 5},
        {"categories": "food"},
        {"metadata": ["tea"]},
        {"metadata": {"limit": float("inf")}},
        {"id": 7},
        {"id": "id-0", "memory": "Says something else"},
        {"id": "id-0", "user_id": "bob"},
    ],
)
def test_a_bad_memory_is_named_and_the_others_are_taken(change: dict[str, Any]):
    """What cannot be read is said with its place, and stops nothing."""
    read = _mem0({}, change, {"memory": "Lives in Oslo"})
    assert [one.id for one in read.memories] == ["id-0", "id-2"]
    assert [place for place, why in read.bad if why] == ["memory 2"]


def test_a_bad_line_is_named():
    """A line that is no JSON, or cut off, is said with its number."""
    read = read_mem0(json.dumps(MEM0) + '\n{"id": "x", "mem\n5\n', now=NOW)
    assert [one.id for one in read.memories] == [MEM0["id"]]
    assert [place for place, _ in read.bad] == ["line 2", "line 3"]


def test_an_owner_for_those_who_have_none():
    """A caller may say whose memories without ids are; those with ids keep theirs."""
    text = json.dumps([{**MEM0, "user_id": None, "id": "mine"}, MEM0])
    read = read_mem0(text, now=NOW, owner=Scope(user_id="mia"))
    assert [one.scope.user_id for one in read.memories] == ["mia", "alex"]


def _item(*namespace: str, key: str = "4f1c2f0e-3c70-4e6f-9d2c-2a52a5d0a001", value: Any = None) -> StoredItem:
    said = {"kind": "Memory", "content": {"content": "Likes green tea"}} if value is None else value
    return StoredItem(
        namespace=namespace, key=key, value=said, created_at=NOW - timedelta(days=9), updated_at=NOW - timedelta(days=2)
    )


def test_an_item_of_langmem(memory: Memory):
    """Its text is the memory, its label the user, its key the id, its instants ours."""
    read = read_langmem([_item("memories", "alex")], "memories/{langgraph_user_id}")
    take(memory, read.memories)
    (one,) = memory.get_all(user_id="alex")["results"]
    assert (one["id"], one["memory"], one["metadata"]) == (_item().key, "Likes green tea", {})
    assert one["created_at"] == "2026-02-20T00:00:00.000000Z"
    assert one["updated_at"] == "2026-02-27T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"content": "Likes green tea"}, "Likes green tea"),
        ({"kind": "Memory", "content": {"content": "Likes green tea"}}, "Likes green tea"),
        ({"kind": "Profile", "content": {"name": "Alex", "pets": ["Mo"]}}, 'name: Alex; pets: ["Mo"]'),
    ],
)
def test_kinds_of_langmem(value: dict[str, Any], text: str):
    """A tool's text, its default memory, and any schema are read; a schema's fields are kept as they are, too."""
    (one,) = read_langmem([_item("memories", "alex", value=value)], "memories/{user_id}").memories
    assert one.text == text
    assert one.metadata == ({"langmem": value} if value.get("kind") == "Profile" else {})


@pytest.mark.parametrize(
    ("pattern", "namespace", "ids"),
    [
        ("memories/{user_id}", ("memories", "alex"), {"user_id": "alex"}),
        ("{org_id}/*/memories", ("acme", "v2", "memories"), {"org_id": "acme"}),
        ("users/{user_id}/{session_id}", ("users", "alex", "trip"), {"user_id": "alex", "run_id": "trip"}),
    ],
)
def test_namespaces_are_mapped(pattern: str, namespace: tuple[str, ...], ids: dict[str, str]):
    """Labels in braces are ids, a star is any label, others must be there."""
    (one,) = read_langmem([_item(*namespace)], pattern).memories
    assert one.scope.ids() == ids


def test_other_namespaces_are_named():
    """Items that the pattern does not describe are counted by namespace, not dropped in silence."""
    items = [_item("memories", "alex"), _item("facts", "alex"), _item("memories", "alex", "deep")]
    read = read_langmem(items, "memories/{user_id}")
    assert len(read.memories) == 1
    assert read.elsewhere == {("facts", "alex"): 1, ("memories", "alex", "deep"): 1}


@pytest.mark.parametrize("pattern", ["memories/{thread}", "", "memories//{user_id}"])
def test_a_pattern_that_is_none(pattern: str):
    """An unknown id or an empty label is refused, with what is allowed."""
    with pytest.raises(InvalidRequest, match="langgraph_user_id"):
        read_langmem([], pattern)


def test_the_same_key_in_two_namespaces_is_two_memories():
    """A key that is unique only in its namespace, as "profile", becomes an id that is unique everywhere."""
    items = [_item("memories", user, key="profile") for user in ("alex", "bob")]
    first, second = read_langmem(items, "memories/{user_id}").memories
    assert first.id != second.id
    assert first.id == read_langmem(items, "memories/{user_id}").memories[0].id


def test_an_item_that_is_no_memory_is_named():
    """What has no content is said with its namespace and key."""
    read = read_langmem([_item("memories", "alex", key="k", value={"theme": "dark"})], "memories/{user_id}")
    assert [place for place, _ in read.bad] == ["memories/alex k"]


@pytest.fixture
def store(clock: FakeClock) -> LongTermStore:
    return LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock)


def test_copying_keeps_instants(store: LongTermStore):
    """An item is as old in the copy as where it comes from, and a query finds it."""
    copy_items(store, [_item("a", "b", value={"text": "green tea"})], fields=["text"])
    (item,) = store.search(("a", "b"), query="green tea")
    assert (item.created_at, item.updated_at) == (_item().created_at, _item().updated_at)
    assert item.score == pytest.approx(1)


def test_copying_again_copies_what_changed(store: LongTermStore):
    """An unchanged item is left, one that is newer at the source replaces, and one that is newer here stays."""
    copy_items(store, [_item("a", key="same"), _item("a", key="theirs"), _item("a", key="ours")])
    store.put(("a",), "ours", {"by": "us"})
    newer = StoredItem(namespace=("a",), key="theirs", value={"by": "them"}, created_at=NOW, updated_at=NOW)
    done = copy_items(store, [_item("a", key="same"), newer, _item("a", key="ours")])
    assert (done.copied, done.present) == (1, 2)
    values = {item.key: item.value for item in store.search(("a",))}
    assert (values["theirs"], values["ours"]) == ({"by": "them"}, {"by": "us"})


def test_copying_keeps_expiry(store: LongTermStore, clock: FakeClock):
    """What slides goes on sliding, and what is over is left behind."""
    slides = StoredItem(
        namespace=("a",), key="slides", value={}, created_at=NOW, updated_at=NOW,
        expires_at=NOW + timedelta(minutes=3), ttl=timedelta(minutes=5),
    )  # fmt: skip
    over = StoredItem(namespace=("a",), key="over", value={}, created_at=NOW, updated_at=NOW, expires_at=NOW)
    done = copy_items(store, [slides, over])
    assert (done.copied, done.expired) == (1, 1)
    clock.advance(minutes=2)
    assert store.get(("a",), "slides") is not None
    clock.advance(minutes=4)
    assert store.get(("a",), "slides") is not None
    clock.advance(minutes=6)
    assert store.get(("a",), "slides") is None


def test_copying_names_what_no_store_can_hold(store: LongTermStore):
    """A value that is no object is named, and the others are copied."""
    done = copy_items(store, [_item("a", key="list", value=[1]), _item("a", key="fine", value={"n": 1})])
    assert (done.copied, [place for place, _ in done.bad]) == (1, ["a list"])


def test_a_dry_copy_writes_nothing(store: LongTermStore):
    """It only counts."""
    assert copy_items(store, [_item("a")], dry_run=True).copied == 1
    assert store.count() == 0
