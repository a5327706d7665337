"""Listing, counting, the event feed, and what else reads without ranking."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from langchain_mem.errors import ExtractionError, InvalidRequest, ScopeError
from langchain_mem.events.feed import Activity
from tests.memories import Bench, facts, memory_id, texts

Open = Callable[..., Bench]


class TestPages:
    def test_every_memory_on_one_page_each(self, bench: Open) -> None:
        """Pages part what there is, last changed first, and name the pages beside them."""
        memory = bench()
        for number in range(5):
            memory.add(f"Fact {number}", user_id="alex")
            memory.clock.advance(hours=1)
        pages = [memory.get_all(user_id="alex", page=page, page_size=2) for page in (1, 2, 3, 4)]
        assert [texts(page) for page in pages] == [["Fact 4", "Fact 3"], ["Fact 2", "Fact 1"], ["Fact 0"], []]
        assert [(page["count"], page["page"], page["page_size"]) for page in pages] == [(5, n, 2) for n in (1, 2, 3, 4)]
        assert [(page["previous"], page["next"]) for page in pages] == [(None, 2), (1, 3), (2, None), (3, None)]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"page": 0},
            {"page": True},
            {"page": "1"},
            {"page_size": 0},
            {"page_size": 10_001},
            {"categories": "food"},
            {"categories": [5]},
            {"keywords": 5},
        ],
        ids=str,
    )
    def test_bad_pages(self, bench: Open, wrong: dict[str, Any]) -> None:
        """A page, a size, categories or keywords that cannot be are refused."""
        with pytest.raises(InvalidRequest):
            bench().get_all(user_id="alex", **wrong)

    def test_categories_and_keywords(self, bench: Open) -> None:
        """`categories` is any of them, `keywords` a part of the text in any case; both narrow filters."""
        memory = bench()
        memory.add("Likes To Play chess", user_id="alex", categories=["likes"])
        memory.add("Eats rice", user_id="alex", categories=["food_preferences", "likes"])
        memory.add("Has a dog", user_id="alex")
        assert len(memory.get_all(user_id="alex", categories=["likes"])["results"]) == 2
        assert texts(memory.get_all(user_id="alex", categories=["food_preferences", "x"])) == ["Eats rice"]
        assert memory.get_all(user_id="alex", categories=[])["count"] == 0
        assert texts(memory.get_all(user_id="alex", keywords="to play")) == ["Likes To Play chess"]
        narrowed = {"categories": ["likes"], "keywords": "rice", "filters": {"created_at": {"gte": "2026-01-01"}}}
        assert texts(memory.get_all(user_id="alex", **narrowed)) == ["Eats rice"]


class TestGet:
    def test_what_is_there(self, bench: Open) -> None:
        """`get` reaches expired memories, and none that is unknown or of another owner."""
        memory = bench()
        key = memory_id(memory.add("Drinks tea", user_id="alex", expiration_date=timedelta(hours=1)))
        memory.clock.advance(hours=2)
        assert memory.get(key, user_id="alex")["memory"] == "Drinks tea"
        assert memory.get(key, user_id="bob") is None
        assert memory.get("nothing") is None

    @pytest.mark.parametrize("wrong", ["", None, 5])
    def test_no_id(self, bench: Open, wrong: Any) -> None:
        """An id is a text."""
        with pytest.raises(InvalidRequest):
            bench().get(wrong)


class TestUsers:
    def test_everyone_with_memories(self, bench: Open) -> None:
        """Users, agents, runs, apps and orgs that have memories are listed, each once, with totals."""
        memory = bench()
        memory.add("a", user_id="alex")
        memory.clock.advance(hours=1)
        memory.add("b", user_id="alex", run_id="trip")
        memory.add("c", agent_id="tutor")
        memory.add("d", run_id="trip")
        memory.add("e", app_id="shop")
        memory.add("f", org_id="acme")
        memory.delete(memory_id(memory.add("g", user_id="gone")))
        found = memory.users()
        assert {(each["type"], each["id"]): each["memories"] for each in found["results"]} == {
            ("user", "alex"): 2,
            ("agent", "tutor"): 1,
            ("run", "trip"): 2,
            ("app", "shop"): 1,
            ("org", "acme"): 1,
        }
        assert [found[f"total_{kind}"] for kind in ("users", "agents", "runs", "apps", "orgs")] == [1] * 5
        (alex,) = [each for each in found["results"] if each["id"] == "alex"]
        assert (alex["created_at"], alex["updated_at"]) == (
            "2026-01-01T00:00:00.000000Z",
            "2026-01-01T01:00:00.000000Z",
        )

    def test_nobody(self, bench: Open) -> None:
        """An empty store has nobody."""
        assert bench().users()["results"] == []


class TestStats:
    def test_counts(self, bench: Open) -> None:
        """What a scope holds is counted by state, layer, category and kind."""
        memory = bench()
        memory.add("a", user_id="alex", categories=["food", "misc"])
        memory.add("b", user_id="alex", run_id="r", categories=["food"])
        memory.add("c", user_id="alex", expiration_date=timedelta(minutes=1))
        memory.delete(memory_id(memory.add("d", user_id="alex")))
        memory.clock.advance(minutes=5)
        assert memory.stats(user_id="alex") == {
            "memories": 2,
            "expired": 1,
            "superseded": 0,
            "deleted": 1,
            "by_layer": {"session": 1, "user": 1},
            "by_category": {"food": 2, "misc": 1},
            "by_kind": {},
        }
        with pytest.raises(ScopeError):
            memory.stats()


class TestEvents:
    def test_what_happened_newest_first(self, bench: Open) -> None:
        """Each operation leaves an event with its ids; a search keeps how its scores came about."""
        memory = bench()
        key = memory_id(memory.add("Drinks tea", user_id="alex"))
        memory.clock.advance(hours=1)
        memory.search("tea", user_id="alex")
        memory.update(key, "Drinks coffee")
        memory.delete(key, user_id="alex")
        assert [each["type"] for each in memory.events()] == ["delete", "update", "search", "add"]
        assert {tuple(each["ids"].items()) for each in memory.events()} == {(("user_id", "alex"),)}
        (search,) = memory.events(types=["search"])
        assert search["details"]["query"] == "tea"
        assert {"id", "relevance", "factor", "parts", "product"} <= search["details"]["results"][0].keys()
        assert [each["type"] for each in memory.events(since="2026-01-01T01:00:00Z", limit=2)] == ["delete", "update"]

    def test_the_feed_is_bounded(self) -> None:
        """The newest events stay, the oldest go."""
        feed = Activity(capacity=2)
        for number in range(3):
            feed.record("add", f"{number}", {})
        assert [each["created_at"] for each in feed.events()] == ["2", "1"]
        feed.clear()
        assert feed.events() == []

    def test_forgetting_a_person(self) -> None:
        """What names a person goes, and what names no one may be theirs."""
        feed = Activity()
        for ids in ({"user_id": "alex"}, {"user_id": "bob"}, {}):
            feed.record("add", "1", ids)
        feed.forget({"user_id": "alex"})
        assert [each["ids"] for each in feed.events()] == [{"user_id": "bob"}]


class TestSummary:
    def test_without_a_model(self, bench: Open) -> None:
        """Without a model the newest memories are listed, a line each."""
        memory = bench()
        memory.add("Drinks tea", user_id="alex")
        memory.clock.advance(hours=1)
        memory.add("Plays chess", user_id="alex")
        assert memory.summary(user_id="alex") == "- Plays chess\n- Drinks tea"
        assert memory.summary(user_id="bob") == ""

    def test_with_a_model(self, bench: Open) -> None:
        """The model writes the profile out of the memories, as data; where it fails, it is said so."""
        memory = bench(facts("Drinks <b>tea</b>"), " A tea drinker. ", RuntimeError("down"))
        memory.add("I drink <b>tea</b>", user_id="alex")
        assert memory.summary(user_id="alex") == "A tea drinker."
        assert "‹b›tea‹/b›" in memory.model.calls[1][-1].content
        with pytest.raises(ExtractionError):
            memory.summary(user_id="alex")
