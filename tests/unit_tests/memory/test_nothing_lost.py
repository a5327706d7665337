"""What was lost, revived or written across owners when the package was used in earnest: each case stays closed."""

from __future__ import annotations

import gc
import json
import threading
from datetime import timedelta

import pytest

from langchain_mem.errors import InvalidRequest, MemError
from tests.memories import Bench, against, events, facts, memory_id, op, texts

SAID = {"thread_id": "t1", "message_ids": ["m1"]}


class TestTwoIds:
    """Several ids on `delete_all` name one owner's part, never several owners."""

    def test_a_session_of_a_user(self, bench):
        """`user_id` with `run_id` deletes that session's notes of that user, and no memory beside them."""
        here = bench()
        here.add("Likes tea", user_id="alex")
        here.add("Gate B7", user_id="alex", run_id="trip")
        here.add("Gate C1", user_id="sam", run_id="trip")
        assert here.delete_all(user_id="alex", run_id="trip")["deleted"] == 1
        assert texts(here.get_all(user_id="alex")) == ["Likes tea"]
        assert texts(here.get_all(user_id="sam", run_id="trip")) == ["Gate C1"]

    def test_a_user_and_an_agent(self, bench):
        """A memory has one owner, so what belongs to a user *and* an agent is nothing."""
        here = bench()
        here.add("Likes tea", user_id="alex")
        here.add([{"role": "assistant", "content": "I speak French"}], agent_id="bot", user_id="alex")
        assert here.delete_all(user_id="alex", agent_id="bot")["deleted"] == 0

    def test_a_shared_layer_goes_only_by_its_own_id(self, bench):
        """An org's memories are not deleted on the way of one of its users."""
        here = bench()
        here.add("We close at six", org_id="acme")
        here.add("Likes tea", user_id="alex")
        here.delete_all(user_id="alex", org_id="acme")
        assert texts(here.get_all(org_id="acme")) == ["We close at six"]


class TestShared:
    """What several people share is changed by nobody's chat."""

    @pytest.mark.parametrize("action", ["supersede", "update", "delete"])
    @pytest.mark.parametrize("layer", [{"org_id": "acme"}, {"app_id": "desk"}, {"agent_id": "bot"}])
    def test_a_chat_leaves_what_is_shared(self, bench, layer, action):
        """A model that is shown an organization's, an application's or an agent's memory changes none of them."""
        here = bench(against(op(action, "Office hours are 8 to 4", memory="Office hours are 9 to 5")))
        said = {"role": "assistant", "content": "Office hours are 9 to 5"}
        here.add([said] if "agent_id" in layer else "Office hours are 9 to 5", infer=False, **layer)
        before = here.export(**layer)
        here.add("Forget it, office hours are 8 to 4", user_id="alex", **layer)
        assert here.export(**layer) == before


class TestPurge:
    """A purge takes what is past its grace period, and nothing that lives."""

    def test_a_time_before_now_is_refused(self, bench):
        """A negative age would reach into the future: it is a wrong argument, and nothing goes."""
        here = bench()
        here.add("Likes tea", user_id="alex")
        with pytest.raises(InvalidRequest):
            here.purge_expired(older_than=timedelta(days=-2))
        assert texts(here.get_all(user_id="alex")) == ["Likes tea"]


class TestInput:
    """What cannot be meant is refused at once."""

    @pytest.mark.parametrize(
        "wrong",
        [
            {"source": "t"},
            {"source": {"thread_id": "t", "message_ids": "abc"}},
            {"source": {"thread_id": "\ud800", "message_ids": ["m"]}},
            {"source": {"thread_id": "t", "message_ids": ["\ud800"]}},
            {"expiration_date": 5},
        ],
    )
    def test_of_an_addition(self, bench, wrong):
        """A text is no list of ids, and half a character is no name."""
        here = bench()
        with pytest.raises(MemError):
            here.add("Likes tea", user_id="alex", **wrong)
        assert texts(here.get_all(user_id="alex")) == []

    def test_of_a_thread(self, bench):
        """A thread whose name holds half a character is refused wherever it is named."""
        here = bench()
        with pytest.raises(InvalidRequest, match="surrogate"):
            here.pending(["m"], "\ud800", user_id="alex")
        with pytest.raises(InvalidRequest, match="surrogate"):
            here.undo(thread_id="\ud800", after_checkpoint="1", user_id="alex")

    @pytest.mark.parametrize("wrong", [{"page": 2**70}, {"page": 0}, {"page_size": -1}, {"cursor": "x"}])
    def test_of_a_page(self, bench, wrong):
        """A page that no store could count to is refused."""
        here = bench()
        with pytest.raises(MemError):
            here.get_all(user_id="alex", **wrong)

    def test_an_output_format_that_is_none(self, bench):
        """The bare list of older code is refused, not silently another shape."""
        here = bench()
        with pytest.raises(InvalidRequest, match="output_format"):
            here.get_all(user_id="alex", output_format="v1.0")


class TestTwice:
    """A text may be said twice in one batch."""

    def test_a_fact_that_equals_its_message(self, bench):
        """Fact and turn are written together; LangGraph's `InMemoryStore` refuses a batch of equal texts."""
        here = bench(facts("I like tea"))
        assert texts(here.add("I like tea", user_id="alex")["results"]) == ["I like tea"]
        assert texts(here.search("tea", user_id="alex")) == ["I like tea"]


class TestEndSession:
    """The end of a session adds to what its owner has."""

    def test_a_memory_that_says_the_same_stays_itself(self, bench):
        """A summary in the words of a known memory is that memory, with its metadata, dates and history."""
        here = bench()
        known = memory_id(here.add("Gate B7", user_id="alex", metadata={"from": "mail"}, categories=["travel"]))
        before = here.get(known)
        here.clock.advance(timedelta(hours=1))
        here.add("Gate B7", user_id="alex", run_id="trip")
        here.end_session("trip", user_id="alex", promote=False)
        after = here.get(known)
        assert after["created_at"] == before["created_at"]
        assert after["metadata"]["from"] == "mail"
        assert after["categories"] == ["travel"]
        assert len(here.history(known)) >= len([before])
        assert here.history(known)[0]["event"] == "ADD"
        assert here.history(known)[0]["created_at"] == before["created_at"]


class TestLearnedAgain:
    """Memory follows a thread that is rewound and played again."""

    @pytest.mark.parametrize("takes_back", ["undo", "delete", "delete_all"])
    def test_messages_are_learned_again(self, bench, takes_back):
        """What was taken back is written again by the same call."""
        here = bench()
        added = here.add("Likes tea", user_id="alex", source=SAID)
        if takes_back == "undo":
            here.undo(added["batch_id"])
        elif takes_back == "delete":
            here.delete(memory_id(added))
        else:
            here.delete_all(user_id="alex")
        assert texts(here.get_all(user_id="alex")) == []
        again = here.add("Likes tea", user_id="alex", source=SAID)
        assert events(again) == ["ADD"]
        assert texts(here.get_all(user_id="alex")) == ["Likes tea"]

    def test_undone_messages_are_pending(self, bench):
        """A node that asks what is left to learn hears of the messages that were taken back."""
        here = bench()
        added = here.add("Likes tea", user_id="alex", source=SAID)
        assert here.pending(["m1"], "t1", user_id="alex") == []
        here.undo(added["batch_id"])
        assert here.pending(["m1"], "t1", user_id="alex") == ["m1"]

    def test_a_rewound_thread(self, bench):
        """Undoing after a checkpoint makes the later messages pending, and leaves the earlier ones done."""
        here = bench()
        one = {"thread_id": "t1", "checkpoint_id": "1", "message_ids": ["m1"]}
        two = {"thread_id": "t1", "checkpoint_id": "2", "message_ids": ["m2"]}
        here.add("Likes tea", user_id="alex", source=one)
        here.add("Likes jam", user_id="alex", source=two)
        here.undo(thread_id="t1", after_checkpoint="1", user_id="alex")
        assert here.pending(["m1", "m2"], "t1", user_id="alex") == ["m2"]
        here.add("Likes jam", user_id="alex", source=two)
        assert sorted(texts(here.get_all(user_id="alex"))) == ["Likes jam", "Likes tea"]

    def test_undo_knows_what_the_first_call_changed(self, bench):
        """A call that is made again does not make `undo` forget what it did the first time."""
        here = bench()
        first = memory_id(here.add("Likes tea", user_id="alex", source=SAID))
        here.update(first, "Likes coffee", user_id="alex")
        here.delete(first, user_id="alex")
        here.add("Likes tea", infer=False, user_id="alex")
        again = here.add("Likes tea", user_id="alex", source=SAID)
        assert events(again) == ["NONE"]
        assert here.undo(again["batch_id"], user_id="alex")["skipped"] == [first]

    def test_a_repeat_without_undo_changes_nothing(self, bench):
        """A node that runs again finds its result."""
        here = bench(facts("Likes tea"))
        first = here.add("I like tea", user_id="alex", source=SAID)
        assert here.add("I like tea", user_id="alex", source=SAID)["results"] == first["results"]


class TestOneId:
    """No two live memories share an id."""

    def test_a_promoted_note_said_again(self, bench):
        """A session's note that moved to its owner leaves its id; the same text in the session is another memory."""
        here = bench()
        note = memory_id(here.add("Gate B7", user_id="alex", run_id="trip"))
        here.promote(user_id="alex", run_id="trip")
        again = memory_id(here.add("Gate B7", user_id="alex", run_id="trip"))
        found = here.get_all(user_id="alex", run_id="trip")["results"]
        assert len({memory["id"] for memory in found}) == len(found)
        assert here.get(note)["run_id"] is None
        assert again != note or len(found) == 1


class TestUndo:
    """Undo goes back to what was, and to nothing that was not."""

    def test_a_text_that_returned(self, bench):
        """x → y → x: undoing the last change brings y back."""
        here = bench()
        one = memory_id(here.add("x", user_id="alex"))
        here.update(one, "y")
        last = here.batch_update([{"memory_id": one, "text": "x"}])
        here.undo(last["batch_id"])
        assert here.get(one)["memory"] == "y"

    def test_undo_of_an_undo_of_a_text_that_returned(self, bench):
        """x → y → x → undo → undo of y: the first x."""
        here = bench()
        one = memory_id(here.add("x", user_id="alex"))
        second = here.batch_update([{"memory_id": one, "text": "y"}])
        third = here.batch_update([{"memory_id": one, "text": "x"}])
        here.undo(third["batch_id"])
        here.undo(second["batch_id"])
        assert here.get(one)["memory"] == "x"

    def test_undoing_an_earlier_batch_when_the_text_returned(self, bench):
        """x → y → x: the middle change has a later one upon it, so undoing it is skipped and changes nothing."""
        here = bench()
        one = memory_id(here.add("x", user_id="alex"))
        second = here.batch_update([{"memory_id": one, "text": "y"}])
        here.batch_update([{"memory_id": one, "text": "x"}])
        undone = here.undo(second["batch_id"])
        assert undone["skipped"] == [one]
        assert here.get(one)["version"] == 3

    def test_a_supersede_whose_successor_was_edited(self, bench):
        """Undoing a supersede never leaves the old and the new live beside each other."""
        here = bench(facts("Lives in Berlin"), against(op("supersede", "Lives in Paris", memory="Lives in Berlin")))
        here.add("I live in Berlin", user_id="alex")
        moved = here.add("I live in Paris now", user_id="alex")
        new = moved["results"][0]["id"]
        here.update(new, "Lives in Paris, near the river")
        here.undo(moved["batch_id"])
        assert len(here.get_all(user_id="alex")["results"]) == 1


class TestImport:
    """What is imported is checked, and overwrites nothing that lives."""

    def _lines(self, here, **ids):
        return [json.loads(line) for line in here.export(**ids)]

    def test_a_superseded_fact_stays_superseded(self, bench):
        """By default an import does not bring back what was replaced since the export."""
        here = bench(facts("Lives in Berlin"), against(op("supersede", "Lives in Paris", memory="Lives in Berlin")))
        here.add("I live in Berlin", user_id="alex")
        lines = list(here.export(user_id="alex"))
        here.clock.advance(timedelta(days=1))
        here.add("I live in Paris now", user_id="alex")
        here.import_(lines)
        assert texts(here.get_all(user_id="alex")) == ["Lives in Paris"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("id", 5), ("memory", None), ("memory", ["x"]), ("created_at", 3), ("metadata", []), ("log", "x"),
         ("categories", "food"), ("user_id", 7), ("state", "asleep"), ("updated_at", "yesterday"), ("cites", [1])],
    )  # fmt: skip
    def test_wrong_types_are_refused(self, bench, field, value):
        """A line with a value of another type is refused with its number and field, and nothing is written."""
        here = bench()
        here.add("Likes tea", user_id="alex")
        (line,) = self._lines(here, user_id="alex")
        other = bench()
        with pytest.raises(InvalidRequest, match=field):
            other.import_([json.dumps({**line, "memory": {**line["memory"], field: value}})])
        assert other.get_all(user_id="alex")["results"] == []

    def test_no_live_twins(self, bench):
        """An imported memory in the words of a live one of another id is not a second live memory."""
        here, other = bench(), bench()
        one = memory_id(here.add("Likes jam", user_id="alex"))
        here.update(one, "Likes tea")
        other.add("Likes tea", user_id="alex")
        other.import_(list(here.export(user_id="alex")))
        assert texts(other.get_all(user_id="alex")) == ["Likes tea"]


class TestTwins:
    """One text of one owner is one live memory, however it came to be."""

    def test_update_to_a_known_text(self, bench):
        """A memory changed to say what another says replaces it: one of them stays live."""
        here = bench()
        here.add("Likes tea", user_id="alex")
        other = memory_id(here.add("Likes jam", user_id="alex"))
        here.update(other, "likes  TEA")
        assert len(here.get_all(user_id="alex")["results"]) == 1

    def test_restore_of_a_text_said_again(self, bench):
        """A deleted memory restored beside one that says the same by now leaves one live."""
        here = bench()
        one = memory_id(here.add("Likes tea", user_id="alex"))
        here.update(one, "Likes jam")
        here.add("Likes tea", user_id="alex")
        here.restore(one, version=1)
        assert sorted(texts(here.get_all(user_id="alex"))) == ["Likes tea"]


class TestOwners:
    """What one call changes for two owners is noted with each."""

    def test_a_batch_over_two_owners_is_erased_with_each(self, bench):
        """After `erase` no row anywhere holds a word of the person's, journals of other owners included."""
        here = bench()
        mine = memory_id(here.add("Likes tea", user_id="alex"))
        theirs = memory_id(here.add("Likes jam", user_id="sam"))
        here.batch_update([{"memory_id": theirs, "text": "Likes plums"}, {"memory_id": mine, "text": "Likes quinces"}])
        here.erase("alex")
        assert "quinces" not in _everything(here)
        assert "plums" in _everything(here)

    def test_replies_that_quote_a_person_are_erased_with_the_person(self, bench) -> None:
        """An agent's verbatim replies lie with the agent, and go where the user they were given to is erased."""
        here = bench()
        said = [{"role": "user", "content": "I like quinces"}, {"role": "assistant", "content": "Quinces it is!"}]
        here.add(said, user_id="alex", agent_id="bot")
        here.add([{"role": "assistant", "content": "I speak French"}], agent_id="bot")
        here.erase("alex")
        assert texts(here.get_all(agent_id="bot")) == ["I speak French"]
        assert "uinces" not in _everything(here)

    @pytest.mark.parametrize("told_by", ["its batch", "its thread"])
    def test_replies_kept_by_an_earlier_release_are_erased_too(self, bench, told_by: str) -> None:
        """Where an agent's reply does not say to whom it was given, the person's batches and threads tell."""
        here = bench()
        said = [{"role": "user", "content": "I like quinces"}, {"role": "assistant", "content": "Quinces it is!"}]
        here.add(said, user_id="alex", agent_id="bot", source={"thread_id": "t1", "message_ids": ["m1", "m2"]})
        here.add([{"role": "assistant", "content": "I speak French"}], agent_id="bot")
        store = here.memory.store
        for item in store.search((), limit=10_000):
            kept = {name: value for name, value in item.value.items() if name != "said_to"}
            if item.namespace[0] == "heard" or (item.namespace[0] == "batches" and told_by == "its thread"):
                store.delete(item.namespace, item.key)
            elif item.namespace[1:2] == ("agent",):
                store.put(item.namespace, item.key, kept)
        here.erase("alex")
        assert texts(here.get_all(agent_id="bot")) == ["I speak French"]
        assert "uinces" not in _everything(here)

    def test_a_batch_over_two_owners_is_undone_whole(self, bench):
        """One batch id takes back both owners' changes."""
        here = bench()
        mine = memory_id(here.add("Likes tea", user_id="alex"))
        theirs = memory_id(here.add("Likes jam", user_id="sam"))
        batch = here.batch_update([{"memory_id": theirs, "text": "a"}, {"memory_id": mine, "text": "b"}])
        here.undo(batch["batch_id"])
        assert [here.get(one)["memory"] for one in (mine, theirs)] == ["Likes tea", "Likes jam"]


def _everything(here: Bench) -> str:
    """All that lies in the store, as text."""
    items = here.memory.store.search((), limit=10_000)
    return "\n".join(json.dumps(item.value) for item in items)


class TestThreads:
    """A memory that nobody holds any more leaves nothing running."""

    def test_dropped_memories_leave_no_thread(self):
        """Fifty memories made, used and dropped: as many threads as before."""
        before = set(threading.enumerate())
        for _ in range(50):
            here = Bench()
            here.add("Likes tea", user_id="alex")
            here.search("tea", user_id="alex")
            del here
        gc.collect()
        begun = set(threading.enumerate()) - before
        for thread in begun:
            thread.join(timeout=60)
        assert [thread for thread in begun if thread.is_alive()] == []


class TestReading:
    """What is read is in an order, is whole, and says what it means."""

    def test_messages_of_one_add_keep_their_order(self, bench):
        """Memories of one instant come newest first in the order they were said."""
        here = bench()
        said = [f"Fact number {number}" for number in range(12)]
        here.add([{"role": "user", "content": text} for text in said], user_id="alex")
        assert texts(here.get_all(user_id="alex")) == said[::-1]

    def test_a_supersede_names_its_successor(self, bench):
        """The history's SUPERSEDE entry shows what replaced the memory."""
        here = bench(facts("Lives in Berlin"), against(op("supersede", "Lives in Paris", memory="Lives in Berlin")))
        old = memory_id(here.add("I live in Berlin", user_id="alex"))
        new = memory_id(here.add("I live in Paris now", user_id="alex"))
        entry = next(entry for entry in here.history(old) if entry["event"] == "SUPERSEDE")
        assert (entry["old_memory"], entry["new_memory"]) == ("Lives in Berlin", "Lives in Paris")
        assert entry["superseded_by"] == new

    def test_a_cursor_does_not_shift(self, bench):
        """Pages taken by cursor show each memory once, whatever is written meanwhile."""
        here = bench()
        for number in range(7):
            here.clock.advance(timedelta(seconds=1))
            here.add(f"Fact {number}", user_id="alex")
        page = here.get_all(user_id="alex", page_size=3)
        seen = texts(page)
        here.clock.advance(timedelta(seconds=1))
        here.add("Fact in between", user_id="alex")
        while page["cursor"]:
            page = here.get_all(user_id="alex", page_size=3, cursor=page["cursor"])
            seen += texts(page)
        assert seen == [f"Fact {number}" for number in reversed(range(7))]

    def test_without_pages_all_come(self, bench):
        """Asked without a page, `get_all` returns everything."""
        here = bench()
        here.add([{"role": "user", "content": f"Fact {n}"} for n in range(150)], user_id="alex")
        assert len(here.get_all(user_id="alex")["results"]) == 150
        assert len(here.get_all(user_id="alex", page=1)["results"]) == 100


class TestAgents:
    """An agent's memories are what the agent said or was told to be."""

    def test_verbatim_with_an_agent_alone_keeps_the_assistants_words(self, bench):
        """Without a model, a user's words do not become the agent's memories."""
        here = bench()
        here.add(
            [{"role": "user", "content": "I like tea"}, {"role": "assistant", "content": "I recommend oolong"}],
            agent_id="bot",
        )
        assert texts(here.get_all(agent_id="bot")) == ["I recommend oolong"]

    def test_context_files_by_who_said_it(self, bench):
        """An assistant's words kept verbatim are not shown as facts about the user."""
        here = bench()
        here.add(
            [{"role": "user", "content": "I like tea"}, {"role": "assistant", "content": "I recommend oolong"}],
            user_id="alex",
        )
        text = here.memory.context(here.search("tea oolong", user_id="alex", threshold=0)["results"])
        about_user = text.partition("About the user")[2].partition("\n\n")[0]
        assert "I like tea" in text
        assert "- I recommend oolong" not in about_user.splitlines()


class TestPromote:
    """Promotion takes what the documents say it takes."""

    def test_by_filters_and_with_metadata(self, bench):
        """`filters` choose the notes, `metadata` is added to what is moved."""
        here = bench()
        here.add("Gate B7", user_id="alex", run_id="trip", metadata={"keep": False})
        here.add("Prefers aisle seats", user_id="alex", run_id="trip", metadata={"keep": True})
        (moved,) = here.promote(
            user_id="alex", run_id="trip", filters={"metadata.keep": True}, metadata={"promoted": True}
        )
        assert moved["memory"] == "Prefers aisle seats"
        assert moved["metadata"] == {"keep": True, "promoted": True}


class TestClock:
    """A clock that is set back."""

    def test_a_clock_that_jumps_back(self, bench):
        """What is written before what it stands on is neither refused nor lost, and history keeps its order."""
        here = bench()
        tea = memory_id(here.add("Likes tea", user_id="alex"))
        here.clock.advance(-timedelta(days=2))
        here.update(tea, "Likes coffee", user_id="alex")
        here.add("Gate B7", user_id="alex", run_id="trip")
        assert here.search("coffee", user_id="alex")["results"][0]["id"] == tea
        assert [change["new_memory"] for change in here.history(tea, user_id="alex")] == ["Likes tea", "Likes coffee"]
        deleted = here.delete_all(user_id="alex")
        here.clock.advance(-timedelta(days=2))
        here.undo(deleted["batch_id"], user_id="alex")
        here.purge_expired()
        assert sorted(texts(here.get_all(user_id="alex"))) == ["Gate B7", "Likes coffee"]
