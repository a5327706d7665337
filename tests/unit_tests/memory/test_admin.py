"""Sessions that end, owners that are erased, what is purged, and what moves from store to store."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from langchain_mem.errors import ExtractionError, InvalidRequest, NotFound, ScopeError
from langchain_mem.memory.facade import Memory
from langchain_mem.model.scopes import ROOTS
from tests.memories import Bench, against, facts, memory_id, op, proposed, texts

Open = Callable[..., Bench]


def _raw(memory: Bench, prefix: tuple[str, ...] = ()) -> list[Any]:
    """All that lies in the store."""
    return [item for item in memory.memory.store.search(prefix, limit=10_000) if item.namespace[0] in ROOTS]


class TestPromote:
    def test_without_a_model_all_of_it(self, bench: Open) -> None:
        """What lasts moves to the user, with id and history, and no longer expires."""
        memory = bench()
        key = memory_id(memory.add("Drinks tea", user_id="alex", run_id="trip"))
        memory.add("Elsewhere", user_id="alex", run_id="other")
        (moved,) = memory.promote(run_id="trip", user_id="alex")
        assert (moved["id"], moved["layer"], moved["run_id"], moved["expiration_date"]) == (key, "user", None, None)
        memory.clock.advance(days=10)
        assert texts(memory.get_all(user_id="alex")) == ["Drinks tea"]
        assert [each["event"] for each in memory.history(key)] == ["ADD", "PROMOTE"]

    def test_the_model_decides(self, bench: Open) -> None:
        """With a model the notes it names are moved; a number that is none is an error and moves nothing."""
        memory = bench(facts(), "<think>0?</think>0", "7")
        for text in ("Drinks tea", "Compares trains"):
            memory.add(text, user_id="alex", run_id="trip", infer=False)
        memory.model.script()
        memory.model.invoke("use up the first reply")
        (moved,) = memory.promote(run_id="trip", user_id="alex")
        assert moved["memory"] in ("Drinks tea", "Compares trains")
        with pytest.raises(ExtractionError):
            memory.promote(run_id="trip", user_id="alex")
        assert memory.get_all(user_id="alex")["count"] == 2

    def test_by_ids_and_from_a_bare_run(self, bench: Open) -> None:
        """`ids` names the notes; those of a run without an owner find one."""
        memory = bench()
        key = memory_id(memory.add("Drinks tea", run_id="trip"))
        memory.promote(run_id="trip", user_id="alex", ids=[key])
        assert texts(memory.get_all(user_id="alex")) == ["Drinks tea"]
        with pytest.raises(NotFound, match="trip"):
            memory.promote(run_id="trip", user_id="alex", ids=["nothing"])

    def test_what_is_known_already(self, bench: Open) -> None:
        """A note that says what the user layer says already makes no second memory of it."""
        memory = bench()
        memory.add("Drinks tea", user_id="alex")
        memory.add("drinks TEA", user_id="alex", run_id="trip")
        memory.promote(run_id="trip", user_id="alex")
        assert memory.get_all(user_id="alex")["count"] == 1

    def test_embeds_nothing(self, bench: Open) -> None:
        """A note that moves keeps its embedding."""
        memory = bench()
        memory.add("Drinks tea", user_id="alex", run_id="trip")
        memory.forget_costs()
        memory.promote(run_id="trip", user_id="alex")
        assert memory.embedded == 0


class TestEndSession:
    def test_it_sums_up_promotes_and_clears(self, bench: Open) -> None:
        """An ended session leaves a summary and what lasts; its other notes and its thread are gone."""
        memory = bench(facts(), "They planned a trip.", "0")
        memory.model.invoke("use up the first reply")
        for text in ("Drinks tea", "Compares trains"):
            memory.add(text, user_id="alex", run_id="trip", infer=False)
        saver = InMemorySaver()
        saver.put({"configurable": {"thread_id": "trip", "checkpoint_ns": ""}}, _checkpoint(), {}, {})
        ended = memory.end_session("trip", user_id="alex", checkpointer=saver)
        assert ended["summary"]["memory"] == "They planned a trip."
        assert (len(ended["promoted"]), ended["cleared"]) == (1, 1)
        assert {each["layer"] for each in memory.get_all(user_id="alex")["results"]} == {"user"}
        assert memory.get_all(user_id="alex")["count"] == 2
        assert list(saver.list({"configurable": {"thread_id": "trip"}})) == []

    def test_without_a_model(self, bench: Open) -> None:
        """Without a model the notes themselves are the summary, and all of them last; `promote=False` keeps none."""
        memory = bench()
        memory.add("Compares trains", user_id="alex", run_id="trip")
        ended = memory.end_session("trip", user_id="alex", promote=False)
        assert (ended["summary"]["memory"], ended["promoted"], ended["cleared"]) == ("Compares trains", [], 1)
        assert texts(memory.get_all(user_id="alex")) == ["Compares trains"]

    def test_an_empty_session(self, bench: Open) -> None:
        """A session without notes has no summary and is no error."""
        assert bench().end_session("trip", user_id="alex") == {"summary": None, "promoted": [], "cleared": 0}


class TestErase:
    def test_a_person_is_gone(self, bench: Open) -> None:
        """Memories, history, kept turns, uses, events, journal and threads go at once, those of others stay."""
        memory = bench(facts("Is in debt"), facts("Is in debt"))
        for user in ("alex", "alex.b"):
            source = {"thread_id": f"of {user}", "message_ids": ["1"]}
            memory.add("I am in debt", user_id=user, agent_id="tutor", source=source)
        memory.delete(memory_id(memory.add("Hates debt collectors", user_id="alex", infer=False)))
        memory.search("debt", user_id="alex")
        memory.update(memory_id(memory.add("Debts!", user_id="alex", infer=False)), "More debts!")
        saver = InMemorySaver()
        saver.put({"configurable": {"thread_id": "of alex", "checkpoint_ns": ""}}, _checkpoint(), {}, {})
        erased = memory.erase("alex", checkpointer=saver)
        assert erased["threads"] == ["of alex"]
        assert erased["erased"] > 4
        assert list(saver.list({"configurable": {"thread_id": "of alex"}})) == []
        assert not [
            item for item in _raw(memory) if "debt" in json.dumps(item.value) and "alex~2Eb" not in item.namespace
        ]
        assert not [event for event in memory.events() if "alex.b" not in event["ids"].values()]
        memory.flush()
        assert not _raw(memory, ("touches", "user", "alex"))
        assert texts(memory.get_all(user_id="alex.b")) == ["Is in debt"]

    def test_an_agent_keeps_no_words_of_the_user(self, bench: Open) -> None:
        """What an agent learned in the same talk does not keep the user's own words."""
        answer = proposed(op("add", "Offers help", subject="assistant", evidence=[0, 1]))
        memory = bench(answer)
        said = [{"role": "user", "content": "I am in debt"}, {"role": "assistant", "content": "I offer help"}]
        memory.add(said, user_id="alex", agent_id="tutor")
        memory.erase("alex")
        assert texts(memory.get_all(agent_id="tutor")) == ["Offers help"]
        assert not [item for item in _raw(memory) if "debt" in json.dumps(item.value)]


class TestReset:
    def test_everything_goes(self, bench: Open) -> None:
        """`reset` removes everyone's memories for good, and leaves what is not ours."""
        memory = bench()
        memory.memory.store.put(("mine",), "a", {"x": 1})
        memory.add("Drinks tea", user_id="alex")
        memory.search("tea", user_id="alex")
        with pytest.raises(InvalidRequest, match="confirm"):
            memory.reset(confirm=False)
        assert memory.reset() > 0
        memory.flush()
        assert _raw(memory) == []
        assert memory.users()["results"] == memory.events() == []
        assert memory.memory.store.get(("mine",), "a") is not None
        assert memory.search("tea", user_id="alex")["results"] == []


class TestPurge:
    def test_on_demand(self, bench: Open) -> None:
        """`purge_expired` removes what is expired, superseded or deleted for so long, and says how many."""
        memory = bench(facts("Lives in Berlin"), against(op("supersede", "Lives in Paris", memory="Lives in Berlin")))
        memory.add("I live in Berlin", user_id="alex")
        memory.add("I live in Paris", user_id="alex")
        memory.add("Soon gone", user_id="alex", infer=False, expiration_date=timedelta(minutes=1))
        key = memory_id(memory.add("Deleted", user_id="alex", infer=False))
        memory.delete(key)
        memory.add("Of bob", user_id="bob", infer=False, expiration_date=timedelta(minutes=1))
        memory.clock.advance(hours=1)
        assert memory.purge_expired(older_than=timedelta(hours=2)) == 0
        assert memory.purge_expired(older_than=timedelta.max) == 0  # reaches back before the calendar
        assert memory.purge_expired(user_id="alex") == 3
        with pytest.raises(NotFound):
            memory.restore(key)
        assert memory.purge_expired() == 1
        left = json.dumps([item.value for item in _raw(memory)])
        for gone in ("Berlin", "Soon gone", "Deleted", "Of bob"):
            assert gone not in left
        assert texts(memory.get_all(user_id="alex")) == ["Lives in Paris"]

    def test_by_itself_on_writes(self, bench: Open) -> None:
        """After the grace period what is gone is removed by later writes, without anyone asking."""
        memory = bench(purge_after=timedelta(days=1))
        memory.delete(memory_id(memory.add("Deleted", user_id="alex")))
        memory.clock.advance(days=2)
        memory.add("Something else", user_id="bob")
        memory.clock.now = memory.clock.now - timedelta(days=2)  # the past shows what is still stored
        assert "Deleted" not in json.dumps([item.value for item in _raw(memory)])

    def test_never(self, bench: Open) -> None:
        """With `purge_after=None` what was deleted is restorable for ever."""
        memory = bench(purge_after=None)
        key = memory_id(memory.add("Deleted", user_id="alex"))
        memory.delete(key)
        memory.clock.advance(days=5000)
        memory.add("Something else", user_id="alex")
        assert memory.restore(key)["memory"] == "Deleted"

    def test_restorable_until_then(self, bench: Open) -> None:
        """Within the grace period a deletion can be taken back, after it no more."""
        memory = bench(purge_after=timedelta(days=30))
        key = memory_id(memory.add("Deleted", user_id="alex"))
        memory.delete(key)
        memory.clock.advance(days=29)
        memory.restore(key)
        memory.delete(key)
        memory.clock.advance(days=31)
        with pytest.raises(NotFound):
            memory.restore(key)


class TestTransfer:
    def _filled(self, bench: Open) -> Bench:
        memory = bench(
            facts("Lives in Berlin", categories=["home"]),
            against(op("supersede", "Lives in Paris", memory="Lives in Berlin")),
        )
        memory.add("I live in Berlin", user_id="alex", metadata={"a": {"b": [1, None]}})
        memory.clock.advance(days=1)
        memory.add("I live in Paris", user_id="alex")
        memory.add("Note", user_id="alex", run_id="r", infer=False)
        memory.search("Paris", user_id="alex")
        memory.flush()
        return memory

    def test_a_round_trip_without_loss(self, bench: Open) -> None:
        """What is exported and imported elsewhere is the same: memories, history, uses and turns."""
        memory = self._filled(bench)
        lines = list(memory.export(user_id="alex"))
        other = bench()
        other.clock.now = memory.clock.now
        assert other.import_(lines) == {"imported": len(lines), "skipped": 0, "replaced": 0}
        everything = {"user_id": "alex", "latest_only": False, "show_expired": True}
        before = memory.get_all(**everything)
        assert other.get_all(**everything) == before
        for each in before["results"]:
            assert other.history(each["id"]) == memory.history(each["id"])
        for question in ("Paris", "Berlin"):
            options = {"user_id": "alex", "history": True, "reinforce": "none", "explain": True}
            assert other.search(question, **options) == memory.search(question, **options)
        assert list(other.export(user_id="alex")) == lines

    def test_to_a_file(self, bench: Open) -> None:
        """A file gets the lines that `export` returns, and is told how far it is, turns included."""
        memory, file, told = self._filled(bench), io.StringIO(), list[tuple[int, int]]()
        written = memory.export_to(file, user_id="alex", progress=lambda done, total: told.append((done, total)))
        assert file.getvalue().splitlines() == memory.export(user_id="alex")
        assert written == {"exported": len(memory.export(user_id="alex"))}
        assert told[-1] == (written["exported"],) * 2
        with pytest.raises(InvalidRequest, match="open for writing"):
            memory.export_to("memories.jsonl", user_id="alex")

    def test_lines_are_json(self, bench: Open) -> None:
        """Each line is one JSON object that says which format it is."""
        for line in self._filled(bench).export(user_id="alex"):
            assert json.loads(line)["format"] == "langchain-mem/1"
            assert "\n" not in line

    def test_conflicts(self, bench: Open) -> None:
        """Only a live memory of the same id is in conflict: it is left, or replaced."""
        memory = bench()
        key = memory_id(memory.add("Drinks tea", user_id="alex"))
        lines = list(memory.export(user_id="alex"))
        memory.update(key, "Drinks coffee")
        assert memory.import_(lines) == {"imported": 0, "skipped": 1, "replaced": 0}
        assert memory.get(key)["memory"] == "Drinks coffee"
        assert memory.import_(lines, on_conflict="replace")["replaced"] == 1
        assert memory.get(key)["memory"] == "Drinks tea"
        memory.delete(key)
        assert memory.import_(lines)["imported"] == 1
        assert memory.get(key)["memory"] == "Drinks tea"
        with pytest.raises(InvalidRequest, match="on_conflict"):
            memory.import_(lines, on_conflict="merge")

    def test_filters_narrow_an_export(self, bench: Open) -> None:
        """An export takes the filters of a search, and never another owner's memories."""
        memory = bench()
        memory.add("Drinks tea", user_id="alex", categories=["food"])
        memory.add("Plays chess", user_id="alex")
        memory.add("Drinks wine", user_id="bob", categories=["food"])
        lines = memory.export(user_id="alex", filters={"categories": {"contains": "food"}})
        assert [json.loads(line)["memory"]["memory"] for line in lines] == ["Drinks tea"]
        with pytest.raises(ScopeError):
            memory.export()

    @pytest.mark.parametrize(
        "line",
        [
            "no json",
            "5",
            "[]",
            "{}",
            '{"format": "langchain-mem/1"}',
            '{"format": "x", "namespace": ["memories"], "touches": [], "memory": {}}',
            '{"format": "langchain-mem/1", "namespace": ["elsewhere", "user", "a"], "touches": [], "memory": {}}',
        ],
    )
    def test_what_is_no_export(self, bench: Open, line: str) -> None:
        """A line that export did not write is named, and nothing is imported."""
        memory = bench()
        memory.add("Drinks tea", user_id="alex")
        good = list(memory.export(user_id="alex"))
        other = bench()
        with pytest.raises(InvalidRequest, match="Line 2"):
            other.import_([*good, line])
        assert other.get_all(user_id="alex")["count"] == 0

    def test_a_forged_line_reaches_no_other_owner(self, bench: Open) -> None:
        """A line whose memory names another owner than its place is refused."""
        memory = bench()
        memory.add("Drinks tea", user_id="alex")
        (line,) = memory.export(user_id="alex")
        for forged in (
            line.replace('"user_id": "alex"', '"user_id": "bob"'),
            line.replace('"touches": [', '"touches": ["never", '),
            line.replace('"own"', '"own", "deeper"'),
        ):
            assert forged != line
            with pytest.raises(InvalidRequest, match="Line 1"):
                bench().import_([forged])


class TestClosing:
    def test_what_it_opened(self, tmp_path: Any) -> None:
        """`Memory` closes the store it opened, and leaves one it was given to its owner."""
        with Memory(tmp_path / "store") as memory:
            memory.add("Drinks tea", user_id="alex")
        memory.close()
        with Memory(tmp_path / "store") as again:
            assert texts(again.get_all(user_id="alex")) == ["Drinks tea"]
        given = Bench()
        given.memory.close()
        assert given.memory.store.search(("memories",)) == []

    def test_closing_writes_what_is_pending(self) -> None:
        """Uses that are not written yet are written when the memory is closed."""
        memory = Bench()
        memory.add("Drinks tea", user_id="alex")
        memory.clock.advance(days=1)
        memory.search("tea", user_id="alex")
        memory.memory.close()
        other = Bench(store=memory.memory.store, clock=memory.clock)
        (found,) = other.explain("tea", user_id="alex")["results"]
        assert found["score_details"]["touches"] == 2


def _checkpoint() -> Any:
    from langgraph.checkpoint.base import empty_checkpoint

    return empty_checkpoint()
