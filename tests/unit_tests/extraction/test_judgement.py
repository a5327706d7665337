"""What of a model's proposals may be carried out: who may ask for it, and what the conversation says of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from langchain_mem.extraction.judgement import Judge, Judgement
from langchain_mem.extraction.messages import Turn, turns_of
from langchain_mem.extraction.reconcile import Action, CheckedProposal
from langchain_mem.model.records import StoredMemory

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TALK = [
    Turn(role="user", text="I live in Oslo and like tea"),
    Turn(role="assistant", text="Rome is nice"),
    Turn(role="system", text="You are Alice"),
]


def known(text: str) -> StoredMemory:
    return cast(StoredMemory, {"id": text, "memory": text, "categories": []})


def judged(
    action: str, text: str = "", *, said: Sequence[Any] = TALK, evidence: Sequence[int] = (0,), **fields: Any
) -> Judgement:
    options = {name: fields.pop(name) for name in ("by_speaker", "min_confidence", "grounding") if name in fields}
    turns = said if said is TALK else turns_of(said)
    judge = Judge(turns=turns, observed=NOW, known=["alex"], **options)
    return judge(CheckedProposal(action=Action(action), text=text, evidence=tuple(evidence), **fields))


class TestForm:
    @pytest.mark.parametrize(
        "proposal",
        [
            {"action": "add", "text": "Lives in Oslo"},
            {"action": "add", "text": "Lives in Oslo", "evidence": ()},
            {"action": "add", "text": "Is called Alice", "evidence": (2,), "subject": "assistant"},
            {"action": "add", "text": "Likes Rome", "evidence": (1,), "subject": "assistant"},
            {"action": "add", "text": "Likes Rome", "evidence": (1,), "by_speaker": False},
            {"action": "update", "text": "Has a dog called Rex, likes tea", "target": known("Has a dog called Rex")},
            {"action": "none", "confidence": 0.0, "min_confidence": 1.0},
        ],
        ids=str,
    )
    def test_what_may_be_done(self, proposal: dict[str, Any]) -> None:
        """A fact that rests on the right words may be kept, and known words need no further ground."""
        assert judged(**proposal).refused is None

    @pytest.mark.parametrize(
        ("proposal", "reason"),
        [
            ({"action": "add", "text": "Likes tea", "confidence": 0.2, "min_confidence": 0.5}, "confidence"),
            ({"action": "add", "text": "Likes tea", "evidence": (3,)}, "0 to 2"),
            ({"action": "add", "text": " "}, "empty"),
            ({"action": "add", "text": "Lives in Rome", "evidence": (1,)}, "no message of the user"),
            ({"action": "add", "text": "Is called Alice", "subject": "assistant"}, "no message of the assistant"),
            ({"action": "update", "text": "Likes tea"}, "no known memory"),
            ({"action": "supersede", "text": "Likes tea"}, "no known memory"),
            ({"action": "delete"}, "no known memory"),
            ({"action": "delete", "target": known("x"), "evidence": (1,)}, "only a user"),
            ({"action": "delete", "target": known("x"), "evidence": ()}, "only a user"),
            ({"action": "delete", "target": known("x")}, "asks to forget"),
            ({"action": "update", "text": "Likes tea", "target": known("x"), "evidence": (1,)}, "only a user"),
        ],
        ids=str,
    )
    def test_what_may_not(self, proposal: dict[str, Any], reason: str) -> None:
        """Each refusal says why."""
        assert reason in (judged(**proposal).refused or "")

    def test_a_deletion_needs_a_request(self) -> None:
        """A message that asks to forget something is evidence for a deletion, and no other message is."""
        target = known("Has an account at Nordbank")
        assert judged("delete", target=target, said=["What's the weather?"]).refused
        assert judged("delete", target=target, said=["Please forget my bank"]).refused is None


class TestGrounding:
    @pytest.mark.parametrize(
        ("said", "fact", "doubt"),
        [
            ("I work at Acme", "Works at Acme since 2019", "its date was not said"),
            ("I like tea", "Likes tea and marzipan", "not said: marzipan"),
            ("Ich lebe in München", "Lives in Munich", "nobody said Munich; said in another language"),
            ("I might take up the cello", "Plays the cello", "not said: plays; the message only supposes it"),
        ],
    )
    def test_what_cannot_be_confirmed_is_kept_with_its_doubt(self, said: str, fact: str, doubt: str) -> None:
        """What was said otherwise, or not at all, is carried out and marked; `strict` refuses it, `off` is silent."""
        marked = judged("add", fact, said=[said])
        assert (marked.refused, marked.operation.doubt) == (None, doubt)
        assert judged("add", fact, said=[said], grounding="strict").refused == doubt
        assert judged("add", fact, said=[said], grounding="off").operation.doubt is None

    @pytest.mark.parametrize(
        ("said", "fact", "reason"),
        [
            ("I am thirty-four", "Is 43 years old", "says 43 where 34 was said"),
            ("The plumber comes at 3pm", "The plumber comes at 13:00", "says 13:00 where another time was said"),
            ("My birthday is 12 March", "Has a birthday on 12 May", "says another date than was said"),
            ("I live in Berlin", "Lives in Paris", "says Paris where Berlin was said"),
            ("I don't like Rome", "Likes Rome", "the message denies it"),
            ("Should I buy a boat?", "Bought a boat", "the message only asks it"),
            ("If I win I buy a boat", "Buys a boat", "the message only supposes it"),
            ("I used to play chess", "Plays chess", "the message tells of the past"),
            ("My sister is a vet", "Is a vet", "the message tells of somebody else (sister)"),
            ("I like tea", "Works at Initech", "nobody said anything of it"),
        ],
    )
    def test_what_contradicts_its_evidence_is_refused(self, said: str, fact: str, reason: str) -> None:
        """Another number, date or name in its place, or said in another manner: refused, with `off` alone kept."""
        assert judged("add", fact, said=[said]).refused == reason
        assert judged("add", fact, said=[said], grounding="strict").refused == reason
        assert judged("add", fact, said=[said], grounding="off").refused is None

    @pytest.mark.parametrize(
        ("said", "fact"),
        [
            ("I moved here last weekend", "Moved here on the weekend of 27-28 December 2025"),
            ("I have been sober for five years", "Has been sober since about 2021"),
            ("we have two dozen hens", "Has 24 hens"),
            ("my PhD is in ML", "Has a PhD in machine learning"),
            ("mum lives with us", "Lives with their mother"),
            ("I'm a nurse, what is a good mocktail?", "Is a nurse"),
            ("I don't eat meat", "Does not eat meat"),
            ("We move on the 12th, between 7 and 27 January", "Moves on 12 January 2026"),
            ("My birthday is 26 September, if you like cake", "Has a birthday on 26 September"),
        ],
    )
    def test_normal_forms_are_said(self, said: str, fact: str) -> None:
        """Dates worked out, digits for words, long forms of short ones and other words for kin are no doubt."""
        found = judged("add", fact, said=[said])
        assert (found.refused, found.operation.doubt) == (None, None)

    def test_an_affirmed_question_is_said(self) -> None:
        """What the assistant asked counts once the user affirms it, and not otherwise."""
        asked = {"role": "assistant", "content": "Do you fly from Lisbon?"}
        yes, no = ({"role": "user", "content": said} for said in ("yes please", "show me flights"))
        assert judged("add", "Flies from Lisbon", said=[asked, yes], evidence=[1]).operation.doubt is None
        assert judged("add", "Flies from Lisbon", said=[asked, no], evidence=[1]).operation.doubt

    def test_a_change_whose_wording_is_wrong_is_made_in_the_words_of_its_message(self) -> None:
        """What it replaces is outdated all the same; the message itself takes its place, marked."""
        change = judged(
            "supersede", "Pays 580 euros rent", target=known("Pays 800 euros rent"), said=["My rent is 850 euros"]
        )
        assert change.refused is None
        assert (change.operation.text, change.operation.action) == ("My rent is 850 euros", Action.SUPERSEDE)
        assert "in the words of the message" in (change.operation.doubt or "")
