"""What a fact rests on, and which facts are one: with the cases that fool a naive comparison."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.extraction.grounding import claims, may_say_the_same
from langchain_mem.extraction.messages import Turn
from langchain_mem.extraction.support import Premise, unvouched
from tests.memories import Bench, against, events, facts, op, texts

Open = Callable[..., Bench]

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def doubted(fact: str, said: str, known: tuple[str, ...] = ()) -> str | None:
    """Why a fact must not be taken on the word of somebody who heard one message."""
    return unvouched(
        fact, Premise(turns=[Turn(role="user", text=said)], cited=(), speakers=(), known=known, observed=NOW)
    )


class TestVouching:
    @pytest.mark.parametrize(
        ("fact", "said"),
        [
            ("Likes tea", "I like tea"),
            ("Has a dog called Rex", "my dog rex is lovely"),
            ("Is 34 years old", "I turned 34 today"),
            ("Owns two cats", "I have 2 cats"),
            ("Owns 2 cats", "I have two cats"),
            ("Moved to Oslo in March 2024", "I moved to Oslo in March 2024"),
            ("Moved to Oslo on 2024-03-05", "I moved to Oslo on March 5th, 2024"),
            ("Has an appointment on 2026-02-01", "I have an appointment next month"),
            ("Met Ann in May", "Ann and I met in May"),
            ("Likes Italian food", "I love the food of Italy"),
            ("Earns 1,200 euros", "I earn 1200 euros"),
            ("Meets Jean-Luc", "I meet Jean Luc"),
            ("Reachable at alice@acme.io", "write to alice@acme.io."),
            ("Nutzt Python 3.12", "Ich nutze Python 3.12"),
            ("住在東京", "我住在東京"),
            ("Wants 4.5 million naira saved", "i told myself 4.5 million saved, and a euro is 1,600 naira"),
            (
                "Stellt es auf 20 Punkt, liest unter 18 Punkt nichts",
                "Auf zwanzig Punkt; unter achtzehn kann ich nichts lesen",
            ),
        ],
    )
    def test_what_was_said_is_grounded(self, fact: str, said: str) -> None:
        """Names, numbers and dates that were said, also in other forms, are grounded."""
        assert doubted(fact, said) is None

    @pytest.mark.parametrize(
        ("fact", "said"),
        [
            ("Lives in Paris", "I live in Berlin"),
            ("Is 35 years old", "I am 34"),
            ("Met Ann", "I planned a meeting"),
            ("Met Maria", "I got married"),
            ("Reachable at alice@acme.io", "write to alice.smith@acme.io"),
            ("Has order A-1234", "my order is B-1234"),
            ("Moved in March 2024", "I moved in April 2024"),
            ("Moved in March 2023", "I moved in March 2024"),
            ("Works at Acme since 2019", "I work at Acme"),
            ("Bob likes tea", "I like tea"),
            ("Has a flight on 2024-03-05", "I fly on March 6, 2024"),
        ],
    )
    def test_what_nobody_said_is_not(self, fact: str, said: str) -> None:
        """A name, number, identifier or date that was not said is found out."""
        assert doubted(fact, said)

    def test_known_words_need_no_evidence(self) -> None:
        """The owner's own name is no invention."""
        assert doubted("Alex lives in Oslo", "I live in Oslo", ("Alex",)) is None

    def test_claims(self) -> None:
        """Identifiers are whole, ordinals are numbers, and a sentence's first word is a name only before a verb."""
        found = claims("Bob likes route A7 and the 3rd of 12 floors. Travel by train.")
        assert (found.names, found.numbers, found.identifiers) == ({"bob"}, {"3", "12"}, {"a7"})


class TestSameness:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Likes green tea", "Likes green tea a lot"),
            ("Works as a teacher", "Works as a school teacher"),
            ("Lives in Oslo", "lives in  Oslo"),
            ("Has a dog called Rex", "Owns a dog called Rex"),
        ],
    )
    def test_paraphrases_may(self, one: str, other: str) -> None:
        """Other words for the same names, numbers and times may be one fact."""
        assert may_say_the_same(one, other)
        assert may_say_the_same(other, one)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Is vegetarian", "Is no longer vegetarian"),
            ("Likes tea", "Dislikes tea"),
            ("Eats meat", "Never eats meat"),
            ("Eats meat", "Doesn't eat meat"),
            ("Works at Acme", "Formerly worked at Acme"),
            ("Rents a flat", "Rents a flat until March"),
            ("Plays chess", "Plays chess only on Sundays"),
            ("Has 2 cats", "Has 3 cats"),
            ("Lives in Oslo", "Lives in Rome"),
            ("Mail is alice@acme.io", "Mail is alice.smith@acme.io"),
            ("Bob likes tea", "Ann likes tea"),
            ("Met Bob in March", "Met Bob in May"),
            ("用户住在東京", "用户住在大阪"),
            ("имя Анна", "имя Борис"),
        ],
    )
    def test_these_are_two(self, one: str, other: str) -> None:
        """Negations, times, numbers, names and identifiers, in any script, tell two facts apart."""
        assert not may_say_the_same(one, other)
        assert not may_say_the_same(other, one)

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_it_does_not_matter_which_comes_first(self, one: str, other: str) -> None:
        """Sameness is reflexive and symmetric."""
        assert may_say_the_same(one, one)
        assert may_say_the_same(one, other) == may_say_the_same(other, one)


class TestThroughAdd:
    """The same, end to end: what a model proposes against what is known."""

    @pytest.mark.parametrize(
        ("known", "said"),
        [
            ("Is vegetarian", "Is no longer vegetarian"),
            ("Rents a flat in the old town", "Rents a flat in the old town until March"),
            ("The mail of the office is alice@acme.io", "The mail of the office is alice.smith@acme.io"),
            ("Bob likes strong coffee in the morning", "Ann likes strong coffee in the morning"),
            ("用户 住在 東京", "用户 住在 大阪"),
        ],
    )
    def test_near_duplicates_that_are_none(self, bench: Open, known: str, said: str) -> None:
        """A fact that sounds like a known one, but says another thing, is added beside it."""
        memory = bench(facts(known), facts(said))
        memory.add(known, user_id="alex")
        assert events(memory.add(said, user_id="alex")) == ["ADD"]
        assert sorted(texts(memory.get_all(user_id="alex"))) == sorted([known, said])

    def test_a_near_duplicate_is_kept_once(self, bench: Open) -> None:
        """A fact that sounds the same and says the same is known: a use, no second memory."""
        known = "Enjoys long quiet walks along the river with the dog every single evening after work"
        again = "Enjoys long quiet walks along the river with the dog every single evening after his work"
        memory = bench(facts(known), facts(again))
        memory.add(known, user_id="alex")
        assert events(memory.add(again, user_id="alex")) == ["NONE"]
        assert texts(memory.get_all(user_id="alex")) == [known]

    def test_inventions_are_rejected(self, bench: Open) -> None:
        """A fact with a name nobody said is rejected with the reason; the rest stands."""
        memory = bench(facts("Likes tea", "Works at Initech"))
        added = memory.add("I like tea", user_id="alex")
        assert texts(added) == ["Likes tea"]
        assert added["rejected"][0]["reason"] == "nobody said anything of it"

    def test_a_name_said_anywhere_is_a_name(self, bench: Open) -> None:
        """A name said in another message than a fact points to is no invention."""
        memory = bench(facts("Lives with Bob", evidence=[1]))
        added = memory.add(["I know Bob", "We live together"], user_id="alex")
        assert [("doubt" in each) for each in added["results"]] == [False]

    def test_an_answer_is_grounded_in_its_question(self, bench: Open) -> None:
        """What the assistant asked and the user confirmed is said."""
        memory = bench(facts("Dislikes Indian food", evidence=[1]))
        said = [
            {"role": "assistant", "content": "What about Indian cuisine?"},
            {"role": "user", "content": "I don't like it much"},
        ]
        assert texts(memory.add(said, user_id="alex")) == ["Dislikes Indian food"]

    def test_an_echo_is_no_evidence(self, bench: Open) -> None:
        """What was recalled into a message grounds nothing: memories do not feed themselves."""
        memory = bench(facts("Works at Initech"))
        memory.add("Works at Initech", user_id="bob", infer=False)
        recalled = memory.memory.context(memory.search("Initech", user_id="bob"))
        assert memory.add(f"{recalled}\nHello there", user_id="alex")["results"] == []

    def test_a_paraphrased_update(self, bench: Open) -> None:
        """A refinement keeps what is known of the fact; what it adds without evidence is in doubt."""
        memory = bench(
            facts("Has a dog called Rex"),
            against(op("update", "Has a beagle called Rex", memory="Has a dog called Rex")),
            against(op("update", "Has a beagle called Rex, from Oslo", memory="Has a beagle called Rex")),
        )
        memory.add("I have a dog called Rex", user_id="alex")
        assert events(memory.add("he is a beagle", user_id="alex")) == ["UPDATE"]
        assert memory.add("he is nice", user_id="alex")["results"][0]["doubt"] == "nobody said Oslo"

    def test_what_an_assistant_says_changes_nothing_of_the_user(self, bench: Open) -> None:
        """An update, a supersession or a deletion of a user's fact needs the user's words."""
        for action in ("update", "supersede", "delete"):
            memory = bench(facts("Drinks tea"), against(op(action, "Drinks coffee", memory="Drinks tea", evidence=[1])))
            memory.add("I drink tea", user_id="alex")
            said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "You drink coffee now"}]
            assert memory.add(said, user_id="alex")["results"] == []
            assert texts(memory.get_all(user_id="alex")) == ["Drinks tea"]
