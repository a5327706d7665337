"""What changes, removes and brings back memories."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from langchain_mem.errors import InvalidRequest, NotFound
from tests.memories import Bench, against, events, facts, memory_id, op, proposed, texts

Open = Callable[..., Bench]


def _added(memory: Bench, *said: str, user_id: str = "alex", **options: Any) -> list[str]:
    added = memory.add(list(said), user_id=user_id, infer=False, **options)
    return [each["id"] for each in added["results"]]


class TestUpdate:
    def test_each_part_by_itself(self, bench: Open) -> None:
        """Text, metadata, categories and expiration change alone or together; each change is a version."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea", metadata={"a": 1, "b": 2})
        memory.clock.advance(hours=1)
        changed = memory.update(key, "Drinks coffee")
        assert (changed["memory"], changed["version"], changed["updated_at"]) == (
            "Drinks coffee",
            2,
            "2026-01-01T01:00:00.000000Z",
        )
        assert memory.update(key, metadata={"b": None, "c": 3})["metadata"] == {"a": 1, "c": 3}
        assert memory.update(key, metadata=None)["metadata"] == {}
        assert memory.update(key, categories=["food", "food"])["categories"] == ["food"]
        assert memory.update(key, categories=None)["categories"] == []
        assert memory.update(key, expiration_date="2030-01-01")["expiration_date"] == "2030-01-02T00:00:00.000000Z"
        assert memory.update(key, expiration_date=None)["expiration_date"] is None
        both = memory.update(key, text="Drinks cocoa", metadata={"diet": "vegan"})
        assert (both["memory"], both["metadata"]) == ("Drinks cocoa", {"diet": "vegan"})
        assert memory.get(key) == both

    def test_what_is_not_given_stays(self, bench: Open) -> None:
        """An update leaves alone what it does not name."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea", metadata={"a": 1}, categories=["food"], event_date="2020-01-01")
        before = memory.get(key)
        after = memory.update(key, "Drinks coffee")
        same = {name: value for name, value in before.items() if name not in ("memory", "version", "updated_at")}
        assert {name: after[name] for name in same} == same

    def test_another_date(self, bench: Open) -> None:
        """What a memory tells of may have another date; history keeps the old one, and undo brings it back."""
        memory = bench()
        (key,) = _added(memory, "Moves to Oslo", event_date="2026-05-03")
        day, month = "2026-05-03T00:00:00.000000Z", ("2026-06-01T00:00:00.000000Z", "2026-06-30T23:59:59.999999Z")
        changed = memory.update(key, event_date="2026-06")
        assert (changed["event_date"], changed["event_end"], changed["memory"]) == (*month, "Moves to Oslo")
        batch = memory.batch_update([{"memory_id": key, "event_date": None, "text": "Wants to live in Oslo"}])[
            "batch_id"
        ]
        told = memory.history(key)
        assert [(one["old_event_date"], one["new_event_date"], one["new_event_end"]) for one in told] == [
            (None, day, None),
            (day, *month),
            (month[0], None, None),
        ]
        memory.undo(batch)
        back = memory.get(key)
        assert (back["event_date"], back["event_end"], back["memory"]) == (*month, "Moves to Oslo")
        assert memory.restore(key, version=1)["event_date"] == day

    def test_the_new_date_is_found(self, bench: Open) -> None:
        """A search finds a memory by the words of its new date, and no longer by those of the old one."""
        memory = bench()
        (key,) = _added(memory, "Moves to Oslo", event_date="2026-05-03")
        memory.update(key, event_date="2027-11")
        assert [one["id"] for one in memory.search("November 2027", user_id="alex")["results"]] == [key]
        assert memory.search("3 May 2026", user_id="alex")["results"] == []

    def test_the_new_text_is_found(self, bench: Open) -> None:
        """A search finds a memory by its new text, and no longer by the old one."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea")
        memory.update(key, "Owns a sailing boat")
        assert memory.search("sailing boat", user_id="alex")["results"][0]["id"] == key
        assert memory.search("Drinks tea", user_id="alex")["results"] == []

    def test_an_update_is_a_use_only_with_a_new_text(self, bench: Open) -> None:
        """A change of text is a touch; a change of metadata is none."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea")
        memory.clock.advance(days=1)
        memory.update(key, metadata={"a": 1})
        memory.update(key, "Drinks green tea")
        (found,) = memory.explain("tea", user_id="alex")["results"]
        assert found["score_details"]["touches"] == 2

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ({}, InvalidRequest),
            ({"text": ""}, InvalidRequest),
            ({"text": "   "}, InvalidRequest),
            ({"text": None}, InvalidRequest),
            ({"text": 5}, InvalidRequest),
            ({"metadata": [1]}, InvalidRequest),
            ({"categories": "food"}, InvalidRequest),
            ({"expiration_date": "soon"}, InvalidRequest),
            ({"expiration_date": 5}, InvalidRequest),
            ({"text": "x", "user_id": "bob"}, NotFound),
            ({"text": "x", "memory_id": "nothing"}, NotFound),
            ({"text": "x", "memory_id": ""}, InvalidRequest),
        ],
        ids=str,
    )
    def test_bad_input_changes_nothing(self, bench: Open, wrong: dict[str, Any], error: type[Exception]) -> None:
        """Each bad argument gets its error, and the memory stays as it is."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea")
        before = memory.get(key)
        with pytest.raises(error):
            memory.update(**{"memory_id": key, **wrong})
        assert memory.get(key) == before


class TestExpiration:
    def test_to_the_microsecond(self, bench: Open) -> None:
        """A memory is hidden from its instant on, not a microsecond earlier, without any job."""
        memory = bench()
        until = memory.clock.now + timedelta(hours=1)
        (key,) = _added(memory, "Drinks tea", expiration_date=until)
        memory.clock.now = until - timedelta(microseconds=1)
        assert memory.get_all(user_id="alex")["count"] == 1
        assert texts(memory.search("tea", user_id="alex")) == ["Drinks tea"]
        memory.clock.now = until
        assert memory.get_all(user_id="alex")["count"] == 0
        assert memory.search("tea", user_id="alex")["results"] == []
        assert memory.get(key)["memory"] == "Drinks tea"
        assert memory.get_all(user_id="alex", show_expired=True)["count"] == 1
        memory.update(key, expiration_date=None)
        assert texts(memory.search("tea", user_id="alex")) == ["Drinks tea"]

    @pytest.mark.parametrize(
        ("given", "last"),
        [
            (date(2026, 3, 1), datetime(2026, 3, 1, 23, 59, 59, 999999, UTC)),
            ("2026-03-01", datetime(2026, 3, 1, 23, 59, 59, 999999, UTC)),
            ("2026-03-01T10:00:00+02:00", datetime(2026, 3, 1, 7, 59, 59, 999999, UTC)),
            (datetime(2026, 3, 1, 10), datetime(2026, 3, 1, 10).astimezone(UTC) - timedelta(microseconds=1)),
            (timedelta(days=7), datetime(2026, 1, 7, 23, 59, 59, 999999, UTC)),
            ("P7D", datetime(2026, 1, 7, 23, 59, 59, 999999, UTC)),
        ],
        ids=str,
    )
    def test_whatever_says_when(self, bench: Open, given: Any, last: datetime) -> None:
        """A date lasts through its UTC day, a naive datetime is local, a timedelta counts from now."""
        memory = bench()
        _added(memory, "Drinks tea", expiration_date=given)
        memory.clock.now = last
        assert memory.get_all(user_id="alex")["count"] == 1
        memory.clock.now = last + timedelta(microseconds=1)
        assert memory.get_all(user_id="alex")["count"] == 0


class TestDelete:
    def test_gone_and_restorable(self, bench: Open) -> None:
        """A deleted memory is `None` to `get`, not found by updates, and comes back as it was."""
        memory = bench()
        key, _ = _added(memory, "Drinks tea", "Plays chess")
        before = memory.get(key)
        assert memory.delete(key) == before
        assert memory.get(key) is None
        for operation in (memory.delete, lambda one: memory.update(one, "x"), lambda one: memory.feedback(one)):
            with pytest.raises(NotFound):
                operation(key)
        restored = memory.restore(key)
        assert (restored["memory"], restored["version"]) == ("Drinks tea", 3)
        assert sorted(texts(memory.get_all(user_id="alex"))) == ["Drinks tea", "Plays chess"]
        assert texts(memory.search("tea", user_id="alex")) == ["Drinks tea"]

    def test_of_another_owner_is_not_found(self, bench: Open) -> None:
        """With ids given, a memory of another owner is not found, by any operation."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea")
        assert memory.get(key, user_id="bob") is None
        for operation in (memory.delete, memory.history, memory.restore, memory.feedback):
            with pytest.raises(NotFound):
                operation(key, user_id="bob")
        assert memory.get(key, user_id="alex")["memory"] == "Drinks tea"

    def test_prefix_owners_are_apart(self, bench: Open) -> None:
        """Deleting everything of `alice@acme.io` leaves `alice.smith@acme.io` and `alice` alone."""
        memory = bench()
        owners = ["alice@acme.io", "alice.smith@acme.io", "alice", "alice@acme.io.uk"]
        for owner in owners:
            _added(memory, "Drinks tea", user_id=owner)
        assert memory.delete_all(user_id="alice@acme.io")["deleted"] == 1
        assert [memory.get_all(user_id=owner)["count"] for owner in owners] == [0, 1, 1, 1]

    def test_delete_all_takes_filters(self, bench: Open) -> None:
        """Filters narrow what goes; expired memories go too; nothing is embedded."""
        memory = bench()
        _added(memory, "Drinks tea", categories=["food"])
        _added(memory, "Eats rice", categories=["food"], expiration_date=timedelta(hours=1))
        _added(memory, "Plays chess", categories=["hobbies"])
        memory.clock.advance(hours=2)
        memory.forget_costs()
        gone = memory.delete_all(user_id="alex", filters={"categories": {"contains": "food"}})
        assert (gone["deleted"], memory.embedded) == (2, 0)
        assert texts(memory.get_all(user_id="alex", show_expired=True)) == ["Plays chess"]
        memory.undo(gone["batch_id"])
        assert memory.get_all(user_id="alex", show_expired=True)["count"] == 3

    def test_delete_users(self, bench: Open) -> None:
        """`delete_users` takes exactly one id."""
        memory = bench()
        _added(memory, "Drinks tea")
        for ids in ({}, {"user_id": "alex", "agent_id": "a"}):
            with pytest.raises(InvalidRequest, match="exactly one"):
                memory.delete_users(**ids)
        assert memory.delete_users(user_id="alex")["deleted"] == 1


class TestBatches:
    def test_all_of_it(self, bench: Open) -> None:
        """A batch changes every memory it names, as one batch that can be undone."""
        memory = bench()
        one, two = _added(memory, "Drinks tea", "Plays chess")
        done = memory.batch_update(
            [{"memory_id": one, "text": "Watches football"}, {"memory_id": two, "metadata": {"a": 1}}]
        )
        assert texts(done) == ["Watches football", "Plays chess"]
        memory.undo(done["batch_id"])
        assert memory.get(one)["memory"] == "Drinks tea"
        assert memory.get(two)["metadata"] == {}
        assert memory.batch_delete([{"memory_id": one}, {"memory_id": two}])["deleted"] == 2
        assert memory.get_all(user_id="alex")["count"] == 0

    def test_nothing_of_it(self, bench: Open) -> None:
        """One bad entry keeps all of a batch from being done, and the error names every bad one."""
        memory = bench()
        one, two = _added(memory, "Drinks tea", "Plays chess")
        with pytest.raises(NotFound, match=r"'x', 'y'"):
            memory.batch_update([{"memory_id": key, "text": "new"} for key in (one, "x", "y")])
        with pytest.raises(NotFound, match=r"'x'"):
            memory.batch_delete([{"memory_id": one}, {"memory_id": "x"}])
        with pytest.raises(InvalidRequest, match=r"entry 0.*entry 1"):
            memory.batch_update([{"memory_id": one, "text": ""}, {"memory_id": two, "color": "red"}])
        assert sorted(texts(memory.get_all(user_id="alex"))) == ["Drinks tea", "Plays chess"]

    @pytest.mark.parametrize(
        "batch",
        [
            [],
            "ids",
            [{"text": "x"}],
            [{"memory_id": ""}],
            ["x"],
            [{"memory_id": str(n), "text": "x"} for n in range(1001)],
            [{"memory_id": "a", "text": "x"}] * 2,
        ],
        ids=["empty", "text", "no id", "empty id", "no dict", "1001", "twice"],
    )
    def test_what_is_no_batch(self, bench: Open, batch: Any) -> None:
        """A batch has 1 to 1,000 entries, each with an id of its own."""
        memory = bench()
        for operation in (memory.batch_update, memory.batch_delete):
            with pytest.raises(InvalidRequest):
                operation(batch)

    def test_a_thousand(self) -> None:
        """A thousand memories are updated and deleted in one batch each."""
        memory = Bench()
        keys = _added(memory, *(f"Fact {number}" for number in range(1000)))
        memory.batch_update([{"memory_id": key, "metadata": {"n": 1}} for key in keys])
        assert memory.batch_delete([{"memory_id": key} for key in keys])["deleted"] == 1000


class TestHistory:
    def test_every_change_oldest_first(self, bench: Open) -> None:
        """History tells each change with what was and what came, versions from 1."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea", metadata={"a": 1}, source={"thread_id": "t"})
        memory.update(key, "Drinks coffee", metadata={"a": 2})
        memory.delete(key)
        memory.restore(key)
        told = memory.history(key)
        assert [(each["version"], each["event"]) for each in told] == [
            (1, "ADD"),
            (2, "UPDATE"),
            (3, "DELETE"),
            (4, "RESTORE"),
        ]
        assert (told[1]["old_memory"], told[1]["new_memory"]) == ("Drinks tea", "Drinks coffee")
        assert (told[1]["old_metadata"], told[1]["new_metadata"]) == ({"a": 1}, {"a": 2})
        assert (told[0]["old_memory"], told[2]["new_memory"], told[3]["old_memory"]) == (None, None, None)
        assert told[0]["source"]["thread_id"] == "t"
        assert all(each["batch_id"] for each in told)
        assert set(told[0]) == {
            "memory_id", "event", "old_memory", "new_memory", "old_metadata", "new_metadata", "created_at", "source",
            "old_event_date", "new_event_date", "old_event_end", "new_event_end", "superseded_by",
            "batch_id", "reason", "version",
        }  # fmt: skip

    def test_the_chain_both_ways(self, bench: Open) -> None:
        """From any link of a chain of supersessions the whole chain is told, in order."""
        memory = bench(facts("Lives in Berlin"))
        first = memory_id(memory.add("I live in Berlin", user_id="alex"))
        keys = [first]
        for before, after in (("Berlin", "Paris"), ("Paris", "Rome")):
            memory.clock.advance(days=1)
            memory.model.script(against(op("supersede", f"Lives in {after}", memory=f"Lives in {before}")))
            keys.append(memory_id(memory.add(f"I live in {after}", user_id="alex")))
        whole = memory.history(first)
        assert [each["new_memory"] for each in whole if each["event"] == "ADD"] == [
            "Lives in Berlin",
            "Lives in Paris",
            "Lives in Rome",
        ]
        for key in keys:
            assert memory.history(key) == whole
        assert memory.get(keys[0])["superseded_by"] == keys[1]

    def test_berlin_paris_berlin_is_no_endless_chain(self, bench: Open) -> None:
        """A circle of supersessions is told once."""
        memory = bench(facts("Lives in Berlin"))
        first = memory_id(memory.add("I live in Berlin", user_id="alex"))
        for before, after in (("Berlin", "Paris"), ("Paris", "Berlin")):
            memory.clock.advance(days=1)
            memory.model.script(against(op("supersede", f"Lives in {after}", memory=f"Lives in {before}")))
            memory.add(f"I live in {after}", user_id="alex")
        told = memory.history(first)
        assert {each["memory_id"] for each in told} > {first}
        assert len(told) == len({(each["memory_id"], each["version"]) for each in told})

    def test_of_nothing(self, bench: Open) -> None:
        """An unknown id has no history."""
        with pytest.raises(NotFound):
            bench().history("nothing")


class TestRestore:
    def test_any_version(self, bench: Open) -> None:
        """A version brings text, metadata and expiration back, as a further version."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea", metadata={"a": 1}, expiration_date="2030-01-01")
        memory.update(key, "Drinks coffee", metadata=None, expiration_date=None)
        back = memory.restore(key, version=1)
        assert (back["memory"], back["metadata"], back["version"]) == ("Drinks tea", {"a": 1}, 3)
        assert back["expiration_date"] == "2030-01-02T00:00:00.000000Z"

    def test_a_version_there_is_not(self, bench: Open) -> None:
        """The error says which versions there are."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea")
        with pytest.raises(InvalidRequest, match="1 to 1"):
            memory.restore(key, version=7)

    def test_a_superseded_memory(self, bench: Open) -> None:
        """A superseded memory can be shown again."""
        memory = bench(facts("Lives in Berlin"), against(op("supersede", "Lives in Paris", memory="Lives in Berlin")))
        first = memory_id(memory.add("I live in Berlin", user_id="alex"))
        memory.add("I live in Paris", user_id="alex")
        assert memory.restore(first)["superseded_by"] is None
        assert "Lives in Berlin" in texts(memory.get_all(user_id="alex"))


class TestUndo:
    def test_one_extraction_whole(self, bench: Open) -> None:
        """Undoing a batch removes what it added, and puts back what it changed, superseded and deleted."""
        memory = bench(
            facts("Has a dog", "Drinks tea", "Likes jazz"),
            against(
                op("add", "Plays chess"),
                op("update", "Has a dog called Rex", memory="Has a dog"),
                op("supersede", "Drinks coffee", memory="Drinks tea"),
                op("delete", memory="Likes jazz"),
            ),
        )
        memory.add("I have a dog, drink tea and like jazz", user_id="alex")
        before = {each["id"]: each["memory"] for each in memory.get_all(user_id="alex")["results"]}
        done = memory.add("My dog is Rex, I drink coffee, play chess, forget jazz", user_id="alex")
        undone = memory.undo(done["batch_id"])
        assert (len(undone["restored"]), len(undone["removed"]), undone["skipped"]) == (3, 2, [])
        assert {each["id"]: each["memory"] for each in memory.get_all(user_id="alex")["results"]} == before

    def test_later_changes_are_not_lost(self, bench: Open) -> None:
        """A memory that changed since is skipped, and said to be."""
        memory = bench()
        added = memory.add("Drinks tea", user_id="alex")
        memory.update(memory_id(added), "Drinks coffee")
        assert memory.undo(added["batch_id"])["skipped"] == [memory_id(added)]
        assert texts(memory.get_all(user_id="alex")) == ["Drinks coffee"]

    def test_everything_after_a_checkpoint(self, bench: Open) -> None:
        """Memory follows a thread that was rewound: what it learned later is taken back, also through changes."""
        memory = bench()
        source = {"thread_id": "t"}
        (first,) = _added(memory, "Lives in Berlin", source={**source, "checkpoint_id": "1"})
        memory.model.script(
            against(op("supersede", "Lives in Paris", memory="Lives in Berlin")),
            against(op("update", "Lives in Paris, France", memory="Lives in Paris")),
        )
        memory = Bench(form="sync", store=memory.memory.store, clock=memory.clock, model=memory.model)
        memory.add("I live in Paris", user_id="alex", source={**source, "checkpoint_id": "2", "message_ids": ["a"]})
        memory.add("It is in France", user_id="alex", source={**source, "checkpoint_id": "3", "message_ids": ["b"]})
        _added(memory, "Elsewhere", source={"thread_id": "other", "checkpoint_id": "9"})
        assert sorted(texts(memory.get_all(user_id="alex"))) == ["Elsewhere", "Lives in Paris, France"]
        undone = memory.undo(thread_id="t", after_checkpoint="1", user_id="alex")
        assert undone["restored"] == [first]
        assert sorted(texts(memory.get_all(user_id="alex"))) == ["Elsewhere", "Lives in Berlin"]

    def test_all_of_a_thread(self, bench: Open) -> None:
        """Without a checkpoint everything the thread taught is taken back, and without ids everyone's."""
        memory = bench()
        _added(memory, "Drinks tea", source={"thread_id": "t.1", "checkpoint_id": "1"})
        _added(memory, "Eats rice", source={"thread_id": "t.1", "checkpoint_id": "1"}, user_id="bob")
        _added(memory, "Stays", source={"thread_id": "t", "checkpoint_id": "1"})
        assert len(memory.undo(thread_id="t.1")["removed"]) == 2
        assert texts(memory.get_all(user_id="alex")) == ["Stays"]

    def test_a_promotion(self, bench: Open) -> None:
        """An undone promotion puts the note back into its session, with its expiration."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea", run_id="r")
        before = memory.get(key)
        memory.promote(run_id="r", user_id="alex")
        batch = memory.history(key)[-1]["batch_id"]
        assert memory.get(key)["layer"] == "user"
        memory.undo(batch)
        after = memory.get(key)
        assert {**after, "version": 1, "updated_at": ""} == {**before, "version": 1, "updated_at": ""}
        assert memory.get_all(user_id="alex", run_id="other")["count"] == 0

    @pytest.mark.parametrize(
        ("what", "error"),
        [
            ({}, InvalidRequest),
            ({"batch_id": "x", "thread_id": "t"}, InvalidRequest),
            ({"batch_id": "nothing"}, NotFound),
            ({"batch_id": "nothing", "user_id": "alex"}, NotFound),
        ],
        ids=str,
    )
    def test_of_nothing(self, bench: Open, what: dict[str, str], error: type[Exception]) -> None:
        """A batch that is not known, or none at all, is an error."""
        with pytest.raises(error):
            bench().undo(**what)

    def test_of_another_owner(self, bench: Open) -> None:
        """With ids given, another owner's batch is not found."""
        memory = bench()
        added = memory.add("Drinks tea", user_id="alex")
        with pytest.raises(NotFound):
            memory.undo(added["batch_id"], user_id="bob")
        assert memory.get_all(user_id="alex")["count"] == 1


class TestFeedback:
    def test_it_is_told_in_history(self, bench: Open) -> None:
        """A rating is noted with its reason, and can be taken back."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea")
        memory.feedback(key, "POSITIVE", reason="true")
        memory.feedback(key, None)
        told = memory.history(key)
        assert [(each["event"], each["reason"]) for each in told[1:]] == [("FEEDBACK", "true"), ("FEEDBACK", None)]

    def test_very_negative_deletes(self, bench: Open) -> None:
        """A very negative rating deletes, restorably."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea")
        memory.feedback(key, "VERY_NEGATIVE", reason="wrong")
        assert memory.get(key) is None
        assert memory.restore(key)["memory"] == "Drinks tea"

    @pytest.mark.parametrize("rating", ["GREAT", "positive", 5])
    def test_other_ratings_are_refused(self, bench: Open, rating: Any) -> None:
        """There are three ratings."""
        memory = bench()
        (key,) = _added(memory, "Drinks tea")
        with pytest.raises(InvalidRequest, match="POSITIVE"):
            memory.feedback(key, rating)


class TestChains:
    def test_a_compound_fact_keeps_its_other_half(self, bench: Open) -> None:
        """Where one half of a compound fact is outdated, the other half stays, with what it had."""
        memory = bench(
            facts("Lives in Berlin and has a dog", categories=["personal_details"]),
            against(op("supersede", "Lives in Oslo", memory="Lives in Berlin and has a dog")),
        )
        memory.add("I live in Berlin and have a dog", user_id="alex", metadata={"from": "chat"})
        added = memory.add("I moved to Oslo", user_id="alex", metadata={"from": "call"})
        assert events(added) == ["SUPERSEDE", "ADD"]
        found = {each["memory"]: each for each in memory.get_all(user_id="alex")["results"]}
        assert set(found) == {"Lives in Oslo", "Has a dog"}
        assert (found["Has a dog"]["categories"], found["Has a dog"]["metadata"]) == (
            ["personal_details"],
            {"from": "chat"},
        )

    def test_ten_updates_leave_one_fact(self, bench: Open) -> None:
        """A chain of supersessions leaves the newest alone."""
        memory = bench(facts("Weighs 70 kg"))
        memory.add("I weigh 70 kg", user_id="alex")
        for weight in range(71, 80):
            memory.clock.advance(days=1)
            memory.model.script(against(op("supersede", f"Weighs {weight} kg", memory=f"Weighs {weight - 1} kg")))
            assert events(memory.add(f"I weigh {weight} kg", user_id="alex")) == ["SUPERSEDE"]
        assert texts(memory.get_all(user_id="alex")) == ["Weighs 79 kg"]
        assert memory.get_all(user_id="alex", latest_only=False)["count"] == 10

    def test_two_operations_on_one_memory(self, bench: Open) -> None:
        """Of several operations on one memory the first counts."""
        memory = bench(
            facts("Drinks tea"),
            proposed(op("supersede", "Drinks coffee", memory=0), op("delete", memory=0)),
        )
        memory.add("I drink tea", user_id="alex")
        assert events(memory.add("I drink coffee", user_id="alex")) == ["SUPERSEDE"]
        assert texts(memory.get_all(user_id="alex")) == ["Drinks coffee"]
