"""What `search`, `context` and `explain` return, in which order, and what they never return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from langchain_mem.backends.changes import Changes
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.decay.policy import Decay
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.errors import FilterError, InvalidRequest, ScopeError
from langchain_mem.memory.facade import Memory
from langchain_mem.model.records import PUBLIC
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, FakeEmbeddings
from tests.memories import Bench, against, facts, memory_id, op, proposed, texts
from tests.naming import spelled

Open = Callable[..., Bench]


class Unfollowed(DictionaryBackend):
    """A backend that does not tell of uses, as one that other processes write to."""

    async def changes(self, *asked: Any) -> Changes | None:
        found = await super().changes(*asked)
        return found and replace(found, uses=None, used=())


@pytest.mark.parametrize("top_k", [1, 3, 8])
def test_the_same_is_found_where_a_backend_does_not_tell_of_uses(top_k: int) -> None:
    """What decay brings up from far below is found by the index's knowledge of uses, and by reading candidates."""
    answers = []
    for backend in (DictionaryBackend(), Unfollowed()):
        clock = FakeClock()
        store = LongTermStore(backend, embed=FakeEmbeddings(), clock=clock)
        with Memory(store, clock=clock) as memory:
            for number in range(40):
                memory.add(f"Tea number {number} is {'green ' * (number % 5)}tea", user_id="alex")
                clock.advance(timedelta(days=number))
                memory.search(f"number {number // 3}", user_id="alex", top_k=1)
                memory.flush()
            found = memory.search("green tea", user_id="alex", top_k=top_k, threshold=0.0, reinforce="none")
            answers.append([(one["memory"], pytest.approx(one["score"])) for one in found["results"]])
    assert answers[0] == answers[1]
    assert len(answers[0]) == top_k


class Interrupted(DictionaryBackend):
    """A backend that lets something happen right after it has told of changes."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = lambda: None

    async def changes(self, *asked: Any) -> Changes | None:
        found = await super().changes(*asked)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return found


def test_uses_that_are_written_during_a_search_count() -> None:
    """What is written between the look at the index and the look at what waits is lost by neither, and counts once."""
    factors = []
    for interrupts in (False, True):
        clock, backend = FakeClock(), Interrupted()
        with Memory(LongTermStore(backend, embed=FakeEmbeddings(), clock=clock), clock=clock) as memory:
            memory.add("Drinks green tea", user_id="alex")
            for _ in range(9):
                clock.advance(timedelta(days=1))
                memory.search("green tea", user_id="alex")
            backend.meanwhile = memory.flush if interrupts else backend.meanwhile
            (found,) = memory.search("green tea", user_id="alex", explain=True)["results"]
            factors.append((found["score_details"]["factor"], found["score_details"]["touches"]))
    assert factors[0] == factors[1]


class TestShapes:
    def test_every_key_and_a_score(self, bench: Open) -> None:
        """A result has a memory's keys and a score from 0 to 1; details come when asked for."""
        memory = bench()
        memory.add("I like green tea", user_id="alex")
        (found,) = memory.search("green tea", user_id="alex")["results"]
        assert tuple(found) == (*PUBLIC, "score")
        assert 0 <= found["score"] <= 1
        (found,) = memory.search("green tea", user_id="alex", explain=True)["results"]
        details = found["score_details"]
        assert details["product"] == pytest.approx(details["relevance"] * details["factor"])
        assert found["score"] == pytest.approx(min(1.0, details["product"]))

    def test_nothing_there_is_no_error(self, bench: Open) -> None:
        """A search of an empty scope finds nothing."""
        assert bench().search("tea", user_id="nobody") == {"results": []}

    def test_results_are_the_callers_own(self, bench: Open) -> None:
        """Whoever changes what a search returned changes no memory."""
        memory = bench()
        memory.add("I like tea", metadata={"tags": ["hot"]}, user_id="alex")
        memory.search("tea", user_id="alex")["results"][0]["metadata"]["tags"].append("cold")
        assert memory.search("tea", user_id="alex")["results"][0]["metadata"] == {"tags": ["hot"]}

    def test_gibberish_finds_nothing(self, bench: Open) -> None:
        """The default threshold drops what has nothing to do with the query."""
        memory = bench()
        memory.add(["I like green tea", "My dog is called Rex"], user_id="alex")
        assert memory.search("qwx zzkp vvnn", user_id="alex")["results"] == []

    def test_older_codes_words(self, bench: Open) -> None:
        """`limit` is `top_k`; `version` and `output_format` change nothing."""
        memory = bench()
        memory.add(["I like tea", "I like tea cups"], user_id="alex")
        found = memory.search("tea", user_id="alex", limit=1, version="v2", output_format="v1.1")
        assert len(found["results"]) == 1


class TestScopes:
    @pytest.fixture
    def shelf(self, bench: Open) -> Bench:
        memory = bench()
        memory.add("tea at home", user_id="alex")
        memory.add("tea on the trip", user_id="alex", run_id="trip")
        memory.add("tea at work", user_id="alex", run_id="work")
        memory.add("tea of the tutor", agent_id="tutor")
        memory.add("tea for all", org_id="acme")
        memory.add("tea of bob", user_id="bob")
        memory.add("tea of the run", run_id="trip")
        return memory

    @pytest.mark.parametrize(
        ("ids", "seen"),
        [
            ({"user_id": "alex"}, {"tea at home", "tea on the trip", "tea at work"}),
            ({"user_id": "alex", "run_id": "trip"}, {"tea at home", "tea on the trip", "tea of the run"}),
            ({"user_id": "alex", "session_id": "trip"}, {"tea at home", "tea on the trip", "tea of the run"}),
            (
                {"user_id": "alex", "agent_id": "tutor"},
                {"tea at home", "tea on the trip", "tea at work", "tea of the tutor"},
            ),
            ({"user_id": "bob", "org_id": "acme"}, {"tea of bob", "tea for all"}),
            ({"run_id": "trip"}, {"tea of the run", "tea on the trip"}),
            ({"user_id": "ale"}, set()),
        ],
        ids=spelled,
    )
    def test_ids_say_what_is_seen(self, shelf: Bench, ids: dict[str, str], seen: set[str]) -> None:
        """Each id opens its owner's memories; a run closes the others of its kind."""
        assert set(texts(shelf.search("tea", **ids, top_k=20))) == seen
        assert set(texts(shelf.get_all(**ids))) == seen

    @pytest.mark.parametrize(
        "filters",
        [
            {"user_id": "bob"},
            {"AND": [{"user_id": "bob"}]},
            {"OR": [{"user_id": "bob"}, {"user_id": "carol"}]},
            {"user_id": "alex", "AND": [{"user_id": "bob"}]},
        ],
        ids=spelled,
    )
    def test_filters_never_widen(self, shelf: Bench, filters: dict[str, Any]) -> None:
        """No filter reaches another owner from within a scope."""
        assert shelf.search("tea", user_id="alex", filters=filters)["results"] == []
        assert shelf.get_all(user_id="alex", filters=filters)["count"] == 0

    def test_a_star_stays_in_scope(self, shelf: Bench) -> None:
        """`"*"` beside ids means that the field has a value, and no more than that."""
        found = shelf.search("tea", user_id="alex", filters={"AND": [{"user_id": "*"}, {"run_id": "*"}]}, top_k=20)
        assert set(texts(found)) == {"tea on the trip", "tea at work"}

    @pytest.mark.parametrize(
        "filters",
        [
            None,
            {},
            {"user_id": "*"},
            {"NOT": {"user_id": "bob"}},
            {"OR": [{"user_id": "alex"}, {"metadata": {"a": 1}}]},
            {"user_id": {"ne": "bob"}},
        ],
        ids=spelled,
    )
    def test_without_ids_each_branch_names_an_owner(self, shelf: Bench, filters: Any) -> None:
        """Filters alone must name an owner in every branch, by equality or `in`."""
        for operation in (shelf.get_all, shelf.delete_all, shelf.export):
            with pytest.raises(ScopeError, match="user_id"):
                operation(filters=filters)
        with pytest.raises(ScopeError, match="user_id"):
            shelf.search("tea", filters=filters)

    def test_filters_alone_may_name_owners(self, shelf: Bench) -> None:
        """Each branch opens the owner it names, and no other."""
        found = shelf.search("tea", filters={"OR": [{"user_id": "bob"}, {"agent_id": {"in": ["tutor", "x"]}}]})
        assert set(texts(found)) == {"tea of bob", "tea of the tutor"}

    def test_an_administrator_names_nobody(self, bench: Open) -> None:
        """With `all_owners=True` operations see everyone's memories."""
        memory = bench(all_owners=True)
        memory.add("tea of alex", user_id="alex")
        memory.add("tea of bob", user_id="bob")
        assert len(memory.search("tea")["results"]) == memory.stats()["memories"] == 2

    @pytest.mark.parametrize("one", ["alice@acme.io", "a.b", "a/b", "ä ö", "a_b", "a%", "~2E", "*", "🙂", "a\\b"])
    def test_ids_may_hold_anything(self, bench: Open, one: str) -> None:
        """Ids with any characters are one owner, apart from those that look alike."""
        memory = bench()
        others = [one + "x", "x" + one, one.upper() + "!", "alice.smith@acme.io", "axb"]
        for owner in others:
            memory.add("tea", user_id=owner)
        memory.add("my own tea", user_id=one)
        assert texts(memory.search("tea", user_id=one)) == ["my own tea"]
        assert memory.get_all(user_id=one)["results"][0]["user_id"] == one


class TestOrder:
    def test_layers_come_in_order(self, bench: Open) -> None:
        """The best are returned user first, then agent, session, app, org, and by score within a layer."""
        memory = bench()
        memory.add("green tea", org_id="acme")
        memory.add("green tea", app_id="shop")
        memory.add("green tea", user_id="alex", run_id="trip")
        memory.add("green tea", agent_id="tutor")
        memory.add(["some green tea in a cup", "green tea"], user_id="alex")
        ids = {"user_id": "alex", "agent_id": "tutor", "run_id": "trip", "app_id": "shop", "org_id": "acme"}
        found = memory.search("green tea", **ids)["results"]
        assert [each["layer"] for each in found] == ["user", "user", "agent", "session", "app", "org"]
        assert found[0]["memory"] == "green tea"
        scores = [each["score"] for each in memory.search("green tea", **ids, order="score")["results"]]
        assert scores == sorted(scores, reverse=True)

    def test_the_best_are_chosen_over_all_layers(self, bench: Open) -> None:
        """A better session note takes a place before a worse fact of the user's."""
        memory = bench(decay=False)
        memory.add(["tea and coffee and cocoa in the morning", "tea with milk and bread"], user_id="alex")
        memory.add("tea", user_id="alex", run_id="trip")
        assert texts(memory.search("tea", user_id="alex", run_id="trip", top_k=1)) == ["tea"]

    def test_layers_can_be_chosen(self, bench: Open) -> None:
        """`layers` returns only those."""
        memory = bench()
        memory.add("tea", user_id="alex")
        memory.add("tea note", user_id="alex", run_id="trip")
        assert texts(memory.search("tea", user_id="alex", layers=["session"])) == ["tea note"]

    def test_decay_reorders_what_is_equally_relevant(self, bench: Open) -> None:
        """Of two equally relevant memories the more recently used comes first; off, neither does."""
        memory = bench()
        old = memory_id(memory.add("alpha tea", user_id="alex"))
        memory.clock.advance(days=40)
        new = memory_id(memory.add("omega tea", user_id="alex"))
        ids = [each["id"] for each in memory.search("tea", user_id="alex", reinforce="none")["results"]]
        assert ids == [new, old]
        plain = memory.search("tea", user_id="alex", decay=False, explain=True)["results"]
        assert {each["score_details"]["factor"] for each in plain} == {1.0}

    def test_decay_for_each_app(self, bench: Open) -> None:
        """A mapping sets decay by app, so that cohorts compare; an app without an entry has none."""
        memory = bench(decay={"on": Decay(), "off": None})
        for app in ("on", "off", "unknown"):
            memory.add("tea", app_id=app)
        memory.clock.advance(days=100)

        def factor(app: str) -> float:
            (found,) = memory.search("tea", app_id=app, explain=True, reinforce="none")["results"]
            value: float = found["score_details"]["factor"]
            return value

        assert (factor("on") < 0.5, factor("off"), factor("unknown")) == (True, 1.0, 1.0)

    def test_decay_is_a_switch(self, bench: Open) -> None:
        """Off and on again, decay counts what was used meanwhile; setting what it is changes nothing."""
        memory = bench()
        memory.add("tea", user_id="alex")
        memory.clock.advance(days=100)
        memory.memory.decay = False
        memory.search("tea", user_id="alex")
        memory.flush()
        memory.memory.decay = True
        memory.memory.decay = True
        (found,) = memory.search("tea", user_id="alex", explain=True)["results"]
        assert found["score_details"]["factor"] == 1.5

    def test_a_reranker_ranks(self, bench: Open) -> None:
        """`rerank=True` asks the reranker, and decay is applied after it."""
        memory = bench(reranker=lambda query, found: [float(len(text)) for text in found], decay=False)
        memory.add(["tea", "tea tea tea in a large cup"], user_id="alex")
        assert texts(memory.search("tea", user_id="alex", rerank=True))[0] == "tea tea tea in a large cup"


class TestHistoryLayer:
    def test_messages_of_a_live_thread_come_last(self, bench: Open) -> None:
        """`history=[messages]` adds them after the memories, and takes no place of one."""
        memory = bench()
        memory.add("I like tea", user_id="alex")
        thread = [HumanMessage("Hello", id="1"), AIMessage("Hi")]
        found = memory.search("tea", user_id="alex", history=thread, top_k=1)["results"]
        assert texts(found) == ["I like tea", "Hello", "Hi"]
        assert [each["layer"] for each in found] == ["user", "conversation", "conversation"]
        assert set(PUBLIC) <= found[1].keys()

    def test_kept_turns_come_when_asked_for(self, bench: Open) -> None:
        """`history=True` adds the turns facts were drawn from, after the memories."""
        memory = bench(facts("Likes green tea"))
        memory.add("I really like green tea!", user_id="alex")
        assert texts(memory.search("green tea", user_id="alex")) == ["Likes green tea"]
        found = memory.search("green tea", user_id="alex", history=True)
        assert texts(found) == ["Likes green tea", "I really like green tea!"]
        assert texts(memory.get_all(user_id="alex")) == ["Likes green tea"]

    def test_so_many_turns_as_were_asked_for(self, bench: Open) -> None:
        """A number is how many turns come at most, whatever `top_k` is."""
        memory = bench(*(facts(f"Likes tea number {number}") for number in range(4)))
        for number in range(4):
            memory.add(f"I like tea number {number}!", user_id="alex")
        for most in (0, 1, 3):
            found = memory.search("tea", user_id="alex", history=most, top_k=2, threshold=0.0)["results"]
            assert [each["layer"] for each in found] == ["user"] * 2 + ["conversation"] * most
        with pytest.raises(InvalidRequest, match="how many turns"):
            memory.search("tea", user_id="alex", history=-1)

    def test_kept_turns_lend_their_words(self, bench: Open) -> None:
        """A fact is found by a word that only the turn it was drawn from has."""
        memory = bench(facts("Has a pet"))
        memory.add("My labradoodle is a nice pet", user_id="alex")
        assert texts(memory.search("labradoodle", user_id="alex")) == ["Has a pet"]

    def test_keep_sources_off(self, bench: Open) -> None:
        """`keep_sources=False` keeps no turn."""
        memory = bench(facts("Has a pet"), keep_sources=False)
        memory.add("My labradoodle is a nice pet", user_id="alex")
        assert memory.search("labradoodle", user_id="alex", history=True)["results"] == []

    def test_a_turn_is_returned_once(self, bench: Open) -> None:
        """A turn that a lasting fact and a session note rest on is one turn."""
        memory = bench(proposed(op("add", "Likes tea"), op("add", "Wants tea now", layer="session")))
        memory.add("I like tea and want tea now", user_id="alex", source={"thread_id": "t", "message_ids": ["1"]})
        found = memory.search("tea", user_id="alex", history=True)["results"]
        assert [each["memory"] for each in found if each["layer"] == "conversation"] == ["I like tea and want tea now"]


class TestUnreachable:
    """What was deleted or superseded is not found, not even in its own words."""

    SECRET = "Has an account at Nordbank"
    SAID = "I have an account at Nordbank, do you know Nordbank?"

    def _everywhere(self, memory: Bench, said: str) -> list[str]:
        found = memory.search(said, user_id="alex", history=True, threshold=0.0, top_k=50, show_expired=True)
        listed = memory.get_all(user_id="alex", show_expired=True)
        context = memory.memory.context(found)
        return [*texts(found), *texts(listed), context, *memory.export(user_id="alex")]

    @pytest.mark.parametrize("how", ["delete", "delete_all", "batch", "ask", "feedback", "undo", "delete_users"])
    def test_deleted(self, bench: Open, how: str) -> None:
        """However it was deleted, neither the fact nor what was said to that effect is returned by anything."""
        memory = bench(facts(self.SECRET))
        added = memory.add(self.SAID, user_id="alex")
        key = memory_id(added)
        if how == "ask":
            memory.model.script(against(op("delete", memory=self.SECRET)))
        how_to: dict[str, Callable[[], Any]] = {
            "delete": lambda: memory.delete(key),
            "delete_all": lambda: memory.delete_all(user_id="alex"),
            "batch": lambda: memory.batch_delete([{"memory_id": key}]),
            "ask": lambda: memory.add("Please forget my bank", user_id="alex"),
            "feedback": lambda: memory.feedback(key, "VERY_NEGATIVE"),
            "undo": lambda: memory.undo(added["batch_id"]),
            "delete_users": lambda: memory.delete_users(user_id="alex"),
        }
        how_to[how]()
        for said in (self.SECRET, self.SAID, "Nordbank"):
            assert not [text for text in self._everywhere(memory, said) if "Nordbank" in text]
        assert memory.get(key) is None

    @pytest.mark.parametrize("how", ["supersede", "update"])
    def test_outdated(self, bench: Open, how: str) -> None:
        """A superseded text, and one that was updated away, is not found, and neither is the turn it rests on."""
        memory = bench(facts(self.SECRET))
        key = memory_id(memory.add(self.SAID, user_id="alex"))
        if how == "supersede":
            memory.model.script(against(op("supersede", "Has an account at Sudbank", memory=self.SECRET)))
            memory.add("Now I have an account at Sudbank", user_id="alex")
        else:
            memory.update(key, "Has an account at Sudbank")
        found = memory.search(self.SECRET, user_id="alex", history=True, threshold=0.0, top_k=50)
        assert not [text for text in texts(found) if "Nordbank" in text]
        assert texts(memory.get_all(user_id="alex")) == ["Has an account at Sudbank"]
        if how == "supersede":
            both = memory.search("account", user_id="alex", latest_only=False)
            assert self.SECRET in texts(both)

    def test_one_turn_with_two_facts(self, bench: Open) -> None:
        """A turn that any deleted fact rests on stays hidden, also when another fact of it is brought back."""
        memory = bench(facts("Likes tea", "Is in debt"))
        said = "I like tea and I am in debt"
        tea, debt = (each["id"] for each in memory.add(said, user_id="alex")["results"])
        memory.delete(tea)
        memory.delete(debt)
        memory.restore(tea)
        found = memory.search("debt", user_id="alex", history=True, threshold=0.0)
        assert texts(found) == ["Likes tea"]
        memory.restore(debt)
        found = memory.search("debt", user_id="alex", history=True, threshold=0.0)
        assert said in texts(found)

    def test_a_promoted_fact_takes_its_turn_along(self, bench: Open) -> None:
        """After a promotion the turn is kept with the fact, and goes with it."""
        memory = bench(facts("Is in debt"), {"operations": []})
        added = memory.add("I am in debt, alas", user_id="alex", run_id="r")
        memory.promote(run_id="r", user_id="alex", ids=[memory_id(added)])
        memory.clock.advance(days=2)
        found = memory.search("debt alas", user_id="alex", history=True)
        assert texts(found) == ["Is in debt", "I am in debt, alas"]
        memory.delete(memory_id(added))
        assert memory.search("debt alas", user_id="alex", history=True, threshold=0.0)["results"] == []


class TestTime:
    def test_as_of_answers_as_the_store_stood(self, bench: Open) -> None:
        """A search as of an instant sees what was live then, in its words of then, and is no use of it."""
        memory = bench()
        key = memory_id(memory.add("Lives in Berlin", user_id="alex"))
        memory.clock.advance(days=1)
        memory.update(key, "Lives in Paris")
        memory.clock.advance(days=1)
        memory.delete(key)
        memory.clock.advance(days=1)

        def then(instant: str) -> list[str]:
            return texts(memory.search("Lives in", user_id="alex", as_of=instant))

        assert then("2025-12-31") == []
        assert then("2026-01-01T12:00:00Z") == ["Lives in Berlin"]
        assert then("2026-01-02T12:00:00Z") == ["Lives in Paris"]
        assert then("2026-01-03T12:00:00Z") == []

    def test_expired_rows_starve_nobody(self, bench: Open) -> None:
        """A thousand expired memories do not keep a live one out."""
        memory = bench()
        memory.add([f"tea number {number}" for number in range(1000)], user_id="alex", expiration_date=timedelta(1))
        memory.clock.advance(days=2)
        memory.add("live tea", user_id="alex")
        assert texts(memory.search("tea", user_id="alex", top_k=5)) == ["live tea"]
        assert texts(memory.get_all(user_id="alex")) == ["live tea"]
        assert len(memory.search("tea", user_id="alex", top_k=5, show_expired=True)["results"]) == 5

    def test_the_newer_of_two_that_say_the_same(self, bench: Open) -> None:
        """`prefer_newer` puts the newer of near-duplicates first."""
        memory = bench(decay=False)
        said = "my employer of these days is {} limited of Berlin"
        memory.add(said.format("Acme"), user_id="alex", timestamp="2020-01-01")
        memory.add(said.format("Emca"), user_id="alex", timestamp="2024-01-01")
        found = memory.search(said.format("Acme"), user_id="alex", prefer_newer=False)
        assert texts(found)[0] == said.format("Acme")
        found = memory.search(said.format("Acme"), user_id="alex", prefer_newer=True)
        assert texts(found)[0] == said.format("Emca")

    def test_the_present_tense_alone_decides_near_ties_only(self, bench: Open) -> None:
        """ "What is …?" is also asked of what was; there a newer statement has to answer about as well."""
        memory = bench(decay=False)
        said = "my employer {} is a limited company of Berlin"
        memory.add(said.format("Acme"), user_id="alex", timestamp="2020-01-01")
        memory.add(said.format("Emca"), user_id="alex", timestamp="2024-01-01")
        asked = "Acme employer limited company of Berlin: what {} it?"
        assert texts(memory.search(asked.format("is"), user_id="alex"))[0] == said.format("Acme")
        assert texts(memory.search(asked.format("is now"), user_id="alex"))[0] == said.format("Emca")

    def test_an_announced_change_comes_with_what_it_changes(self) -> None:
        """It says little that the question asks for, so it is under the threshold, but it is what is true now."""
        others = "has a sister", "likes long walks", "is allergic to nuts", "plays chess", "keeps cats", "reads a lot"
        with Memory(LongTermStore.in_memory(embed=local_embeddings()), decay=False, reinforce="none") as memory:
            memory.add([f"Maya {each}." for each in others], user_id="maya", infer=False, timestamp="2023-01-01")
            memory.add("Maya lives in Oslo.", user_id="maya", infer=False, timestamp="2024-01-01")
            memory.add("Maya has moved to Leeds.", user_id="maya", infer=False, timestamp="2024-06-01")
            assert "Maya has moved to Leeds." not in texts(memory.search("Where does Maya live?", user_id="maya"))
            found = texts(memory.search("Where does Maya live now?", user_id="maya"))
            assert found[:2] == ["Maya has moved to Leeds.", "Maya lives in Oslo."]


class TestReinforcement:
    @pytest.mark.parametrize(("reinforce", "touches"), [("returned", 2), ("used", 1), ("none", 1)])
    def test_what_counts_as_used(self, bench: Open, reinforce: str, touches: int) -> None:
        """Returned memories are touched only if `reinforce` says so; reading them otherwise is no use."""
        memory = bench(reinforce=reinforce)
        added = memory.add("I like tea", user_id="alex")
        memory.clock.advance(days=1)
        memory.search("tea", user_id="alex")
        memory.get(memory_id(added))
        memory.get_all(user_id="alex")
        memory.export(user_id="alex")
        memory.history(memory_id(added))
        memory.flush()
        (found,) = memory.search("tea", user_id="alex", explain=True, reinforce="none")["results"]
        assert found["score_details"]["touches"] == touches
        assert (found["version"], found["updated_at"]) == (1, "2026-01-01T00:00:00.000000Z")

    def test_only_the_returned_are_touched(self, bench: Open) -> None:
        """What `top_k` cut off is not used."""
        memory = bench()
        memory.add(["tea", "tea and a long story about it"], user_id="alex")
        memory.clock.advance(days=1)
        memory.search("tea", user_id="alex", top_k=1)
        found = memory.search("tea", user_id="alex", explain=True, reinforce="none")["results"]
        assert {each["memory"]: each["score_details"]["touches"] for each in found} == {
            "tea": 2,
            "tea and a long story about it": 1,
        }


class TestExplain:
    def test_all_candidates_and_what_became_of_them(self, bench: Open) -> None:
        """`explain` shows every memory in scope with its parts, and says which a search would return."""
        memory = bench()
        memory.add(["green tea", "green tea in a cup of clay", "my dog Rex"], user_id="alex")
        memory.add("green tea", user_id="bob")
        explained = memory.explain("green tea", user_id="alex", top_k=1)
        assert explained["query"] == "green tea"
        assert {each["memory"]: each["outcome"] for each in explained["results"]} == {
            "green tea": "returned",
            "green tea in a cup of clay": "beyond top_k",
            "my dog Rex": "below the threshold",
        }
        assert all("score_details" in each for each in explained["results"])

    def test_it_agrees_with_search(self, bench: Open) -> None:
        """What it says would be returned is what a search returns, with the same scores."""
        memory = bench()
        memory.add([f"tea {number} {'cup ' * number}" for number in range(70)], user_id="alex")
        would = [
            (each["id"], each["score"])
            for each in memory.explain("tea cup", user_id="alex", top_k=3, threshold=0.2)["results"]
            if each["outcome"] == "returned"
        ]
        found = memory.search("tea cup", user_id="alex", top_k=3, threshold=0.2, order="score")["results"]
        assert would == [(each["id"], each["score"]) for each in found]

    def test_it_is_no_use(self, bench: Open) -> None:
        """Explaining touches nothing."""
        memory = bench()
        memory.add("green tea", user_id="alex")
        memory.explain("green tea", user_id="alex")
        memory.flush()
        (found,) = memory.explain("green tea", user_id="alex")["results"]
        assert found["score_details"]["touches"] == 1


class TestContext:
    def test_what_was_found_as_text(self, bench: Open) -> None:
        """`context` takes a search's result or its list, and keeps to its budget."""
        memory = bench()
        memory.add(["I like green tea", "I like green apples " + "very " * 50], user_id="alex")
        found = memory.search("green tea", user_id="alex")
        text = memory.memory.context(found)
        assert text == memory.memory.context(found["results"])
        assert "- I like green tea" in text
        assert "very" not in memory.memory.context(found, token_budget=80)
        assert memory.memory.context([]) == ""

    def test_what_was_recalled_is_not_learned(self, bench: Open) -> None:
        """Recalled text in a message is stored neither verbatim nor as evidence."""
        memory = bench()
        memory.add("I like green tea", user_id="alex")
        recalled = memory.memory.context(memory.search("tea", user_id="alex"))
        added = memory.add(f"{recalled}\nWhat do I like?", user_id="alex")
        assert texts(added) == ["What do I like?"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ({"query": ""}, InvalidRequest),
            ({"query": "  "}, InvalidRequest),
            ({"query": None}, InvalidRequest),
            ({"top_k": 0}, InvalidRequest),
            ({"top_k": True}, InvalidRequest),
            ({"top_k": 1.5}, InvalidRequest),
            ({"threshold": -0.1}, InvalidRequest),
            ({"threshold": 1.1}, InvalidRequest),
            ({"threshold": float("nan")}, InvalidRequest),
            ({"threshold": "high"}, InvalidRequest),
            ({"as_of": "once"}, InvalidRequest),
            ({"order": "random"}, InvalidRequest),
            ({"reinforce": "always"}, InvalidRequest),
            ({"layers": ["attic"]}, InvalidRequest),
            ({"layers": "user"}, InvalidRequest),
            ({"layers": []}, InvalidRequest),
            ({"decay": "fast"}, InvalidRequest),
            ({"history": "yes"}, InvalidRequest),
            ({"history": [5]}, InvalidRequest),
            ({"rerank": True}, InvalidRequest),
            ({"filters": {"color": "red"}}, FilterError),
            ({"filters": {"created_at": "soon"}}, FilterError),
            ({"filters": {"memory": {"regex": ".*"}}}, FilterError),
            ({"filters": [1]}, FilterError),
            ({"user_id": ""}, ScopeError),
            ({"user_id": None}, ScopeError),
        ],
        ids=spelled,
    )
    def test_bad_input_gets_its_error(self, bench: Open, wrong: dict[str, Any], error: type[Exception]) -> None:
        """Each bad argument is named by the error that says what is allowed."""
        memory = bench()
        memory.add("tea", user_id="alex")
        with pytest.raises(error):
            memory.search(**{"query": "tea", "user_id": "alex", **wrong})


class TestRepeats:
    def test_a_turn_and_its_fact_take_one_place(self, bench: Open) -> None:
        """What rests only on messages that a better result has shown comes after what is new."""
        memory = bench()
        for text, message in (
            ("Caroline: the adoption interview went well", "m1"),
            ("Caroline had her adoption interview", "m1"),
            ("Caroline: I passed the adoption interview!", "m2"),
        ):
            memory.add(text, user_id="c", source={"thread_id": "t", "message_ids": [message]}, infer=False)
        found = memory.search("adoption interview Caroline", user_id="c", order="score", decay=False)["results"]
        assert [result["source"]["message_ids"] for result in found[:2]] in ([["m1"], ["m2"]], [["m2"], ["m1"]])
        assert len(found) == 3

    def test_messages_of_one_call_are_no_repeats(self, bench: Open) -> None:
        """Memories of one batch share its messages, and keep their order by score."""
        memory = bench()
        source = {"thread_id": "t", "message_ids": ["m1", "m2"]}
        memory.add(["I like tea", "I like tea with milk in the morning"], user_id="alex", source=source, infer=False)
        memory.add("My tea", user_id="alex", infer=False)
        found = memory.search("tea", user_id="alex", order="score", decay=False)["results"]
        assert [result["score"] for result in found] == sorted((one["score"] for one in found), reverse=True)
