"""What becomes of a conversation that a model reads: doubts, dates, importance, portions, failures, and whose it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, BaseMessage

from langchain_mem.errors import ExtractionError, InvalidRequest
from tests.memories import Bench, against, events, facts, memory_id, op, proposed, texts

Open = Callable[..., Bench]


class TestDoubt:
    def test_it_is_seen_wherever_one_looks(self, bench: Open) -> None:
        """A fact in doubt says so in the result, `get`, `search`, `explain`, its history and the feed of events."""
        memory = bench(facts("Likes tea and marzipan", confidence=0.8))
        added = memory.add("I like tea", user_id="alex")
        doubt = "not said: marzipan"
        key = memory_id(added)
        assert added["results"][0]["doubt"] == doubt
        assert memory.get(key)["doubt"] == doubt
        assert memory.get(key)["confidence"] == 0.4
        assert memory.search("tea", user_id="alex")["results"][0]["doubt"] == doubt
        assert memory.explain("tea", user_id="alex")["results"][0]["doubt"] == doubt
        assert memory.history(key)[0]["reason"] == doubt
        assert memory.events(types=["add"])[0]["details"]["results"][0]["doubt"] == doubt

    def test_the_log_says_how_much(self, bench: Open, caplog: pytest.LogCaptureFixture) -> None:
        """One line for each conversation of which something was refused or marked."""
        memory = bench(facts("Likes tea and marzipan", "Works at Initech"))
        with caplog.at_level(logging.INFO, logger="langchain_mem"):
            memory.add("I like tea", user_id="alex")
        assert "1 are carried out, 1 of them in doubt, and 1 refused: nobody said anything of it" in caplog.text

    def test_a_repetition_settles_it(self, bench: Open) -> None:
        """The same fact said plainly is no longer in doubt, and a doubtful repetition makes nothing doubtful."""
        memory = bench(facts("Likes marzipan"), facts("Likes marzipan"), facts("Likes marzipan"))
        key = memory_id(memory.add("I like almonds and sugar", user_id="alex"))
        assert memory.get(key)["doubt"]
        memory.add("I like marzipan", user_id="alex")
        assert (memory.get(key)["doubt"], memory.get(key)["confidence"]) == (None, 1.0)
        memory.add("almonds again", user_id="alex")
        assert memory.get(key)["doubt"] is None

    @pytest.mark.parametrize(("grounding", "kept"), [("strict", []), ("mark", ["Likes tea and marzipan"])])
    def test_strictness_is_a_setting(self, bench: Open, grounding: str, kept: list[str]) -> None:
        """`strict` keeps no fact in doubt."""
        memory = bench(facts("Likes tea and marzipan"), grounding=grounding)
        assert texts(memory.add("I like tea", user_id="alex")) == kept

    def test_off_compares_nothing(self, bench: Open) -> None:
        """`off` keeps what was never said, without a doubt."""
        memory = bench(facts("Works at Initech"), grounding="off")
        assert "doubt" not in memory.add("I like tea", user_id="alex")["results"][0]

    @pytest.mark.parametrize("wrong", [{"grounding": "lax"}, {"extraction_tokens": 10}, {"extraction_tokens": "many"}])
    def test_settings_are_checked(self, wrong: dict[str, Any]) -> None:
        """An unknown strictness or a portion too small is refused, with what is allowed."""
        with pytest.raises(InvalidRequest, match=next(iter(wrong))):
            Bench(**wrong)


class TestClosing:
    def test_a_plan_that_is_done_ends(self, bench: Open) -> None:
        """What is closed without a word is live no longer, keeps its history, and can be brought back."""
        memory = bench(facts("Plans to paint the kitchen"), against(op("close", memory="Plans to paint the kitchen")))
        key = memory_id(memory.add("I plan to paint the kitchen", user_id="alex"))
        closed = memory.add("The kitchen is painted", user_id="alex")
        assert texts(memory.get_all(user_id="alex")) == []
        assert [entry["event"] for entry in memory.history(key)] == ["ADD", "UPDATE"]
        memory.undo(closed["batch_id"], user_id="alex")
        assert texts(memory.get_all(user_id="alex")) == ["Plans to paint the kitchen"]

    def test_what_came_of_it_takes_its_place(self, bench: Open) -> None:
        """A plan that is closed with its outcome is superseded by that."""
        closing = op("close", "Painted the kitchen", memory="Plans to paint the kitchen")
        memory = bench(facts("Plans to paint the kitchen"), against(closing))
        memory.add("I plan to paint the kitchen", user_id="alex")
        assert events(memory.add("I painted the kitchen", user_id="alex")) == ["SUPERSEDE"]
        assert texts(memory.get_all(user_id="alex")) == ["Painted the kitchen"]

    def test_only_a_user_closes(self, bench: Open) -> None:
        """What an assistant says ends no plan of the user's."""
        closing = op("close", memory="Plans to paint the kitchen", evidence=[1])
        memory = bench(facts("Plans to paint the kitchen"), against(closing))
        memory.add("I plan to paint the kitchen", user_id="alex")
        said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "The kitchen is painted"}]
        assert memory.add(said, user_id="alex")["rejected"]
        assert texts(memory.get_all(user_id="alex")) == ["Plans to paint the kitchen"]

    def test_a_plan_ends_by_words_about_it(self, bench: Open) -> None:
        """A date that has passed, or talk of something else, ends no plan."""
        closing = op("close", memory="Plans to paint the kitchen")
        memory = bench(facts("Plans to paint the kitchen"), against(closing))
        memory.add("I plan to paint the kitchen", user_id="alex")
        assert memory.add("What's the weather?", user_id="alex")["rejected"]
        assert texts(memory.get_all(user_id="alex")) == ["Plans to paint the kitchen"]

    def test_an_update_may_bring_an_end(self, bench: Open) -> None:
        """A change to come: what holds until then expires by itself."""
        ending = op("update", "Works at Initech until 31 May 2026", memory="Works at Initech", expires="2026-05-31")
        memory = bench(facts("Works at Initech"), against(ending))
        key = memory_id(memory.add("I work at Initech", user_id="alex"))
        memory.add("I work at Initech until 31 May 2026", user_id="alex")
        assert memory.get(key)["expiration_date"][:10] == "2026-06-01"


class TestChanges:
    def test_a_change_whose_wording_is_wrong_still_retires(self, bench: Open) -> None:
        """The outdated memory is not left live: the message's own words take its place, in doubt."""
        memory = bench(
            facts("Pays 800 euros rent"), against(op("supersede", "Pays 580 euros rent", memory="Pays 800 euros rent"))
        )
        memory.add("I pay 800 euros rent", user_id="alex")
        added = memory.add("My rent is 850 euros now", user_id="alex")
        assert events(added) == ["SUPERSEDE"]
        assert texts(memory.get_all(user_id="alex")) == ["My rent is 850 euros now"]

    @pytest.mark.parametrize("action", ["supersede", "update", "delete"])
    def test_what_others_share_is_not_changed_by_a_conversation(self, bench: Open, action: str) -> None:
        """One user's chat leaves the organization's memories alone; what it says is the user's own."""
        memory = bench(against(op(action, "Office hours are 8 to 4", memory="Office hours are 9 to 5")))
        memory.add("Office hours are 9 to 5", org_id="acme", infer=False)
        said = "Forget it, office hours are 8 to 4"
        added = memory.add(said, user_id="alex", org_id="acme")
        assert texts(memory.get_all(org_id="acme", user_id=None)) == ["Office hours are 9 to 5"]
        assert events(added) == ([] if action == "delete" else ["ADD"])

    def test_a_deletion_rests_on_a_request(self, bench: Open) -> None:
        """A model that cites small talk deletes nothing."""
        memory = bench(facts("Has a bank account"), against(op("delete", memory="Has a bank account")))
        memory.add("I have a bank account", user_id="alex")
        refused = memory.add("What's the weather?", user_id="alex")["rejected"][0]["reason"]
        assert "asks to forget" in refused
        assert texts(memory.get_all(user_id="alex")) == ["Has a bank account"]


class TestDates:
    def test_partial_dates_of_a_model(self, bench: Open) -> None:
        """A month is a date: the memory is ordered by its start and knows its end; no fact is lost for it."""
        memory = bench(facts("Adopted a dog", event_date="2025-08"))
        memory.add("We adopted a dog in August", user_id="alex")
        (found,) = memory.get_all(user_id="alex")["results"]
        assert (found["event_date"], found["event_end"]) == (
            "2025-08-01T00:00:00.000000Z",
            "2025-08-31T23:59:59.999999Z",
        )
        assert "(2025-08)" in memory.memory.context([found])

    @pytest.mark.parametrize(("given", "hits"), [("2025-08", 1), ("2025", 1), ("2025-W31", 1), ("2025-09", 0)])
    def test_partial_dates_in_filters(self, bench: Open, given: str, hits: int) -> None:
        """A filter's partial date stands for all of its days."""
        memory = bench()
        memory.add("Adopted a dog", user_id="alex", event_date="2025-08-02")
        assert memory.get_all(user_id="alex", filters={"event_date": given})["count"] == hits
        later = memory.get_all(user_id="alex", filters={"event_date": {"gt": given}})["count"]
        assert later == (1 if given < "2025-08" and given not in ("2025", "2025-W31") else 0)

    @pytest.mark.parametrize("end", [date.max, "9999-12-31", "9999", "9999-12"])
    def test_the_last_day_there_is(self, bench: Open, end: Any) -> None:
        """What is to last for ever may say so."""
        memory = bench(facts("Likes tea", expires="9999-12-31"))
        memory.add("I like tea", user_id="alex", expiration_date=end)
        memory.add("Likes coffee", user_id="alex", infer=False, expiration_date=end)
        assert memory.get_all(user_id="alex")["count"] == 2

    def test_expires_at_the_end(self, bench: Open) -> None:
        """What expires in a month is there through the whole of it."""
        memory = bench()
        memory.add("Likes tea", user_id="alex", infer=False, expiration_date="2026-01")
        memory.clock.advance(days=30, hours=23)
        assert memory.get_all(user_id="alex")["count"] == 1
        memory.clock.advance(hours=1)
        assert memory.get_all(user_id="alex")["count"] == 0


class TestImportance:
    def test_it_is_kept(self, bench: Open) -> None:
        """The model says what every prompt needs; a filter finds it, and a repetition takes nothing away."""
        memory = bench(facts("Is allergic to nuts", importance="always"), facts("Is allergic to nuts"))
        memory.add("I'm allergic to nuts", user_id="alex")
        memory.add("I'm allergic to nuts", user_id="alex")
        memory.add("Likes tea", user_id="alex", infer=False)
        found = memory.get_all(user_id="alex", filters={"importance": "always"})
        assert texts(found) == ["Is allergic to nuts"]


class TestPeople:
    SAID = (
        {"role": "user", "name": "Maeve", "content": "I'm allergic to latex"},
        {"role": "user", "name": "Idris", "content": "I cycle to work"},
    )

    def test_several_people_are_told_apart(self, bench: Open) -> None:
        """A fact names the one it is about, also where the model's text does not."""
        memory = bench(
            proposed(
                op("add", "Is allergic to latex", subject="Maeve"),
                op("add", "Idris cycles to work", subject="Idris", evidence=[1]),
            )
        )
        assert texts(memory.add(list(self.SAID), user_id="home")) == [
            "Maeve: Is allergic to latex",
            "Idris cycles to work",
        ]
        assert "Several people speak as users: Maeve, Idris." in memory.model.calls[0][0].content

    def test_one_person_is_the_user(self, bench: Open) -> None:
        """With one speaker the subject stays the user."""
        memory = bench(facts("Is allergic to latex", subject="Maeve"))
        assert texts(memory.add([self.SAID[0]], user_id="home")) == ["Is allergic to latex"]


def refusing(word: str, how: Any) -> Callable[[list[BaseMessage]], Any]:
    """A model that fails at conversations with a word in them, and finds a liking in every other message."""

    def reply(messages: list[BaseMessage]) -> Any:
        said = messages[1].text.partition("<conversation>")[2]
        if word in said:
            if isinstance(how, Exception):
                raise how
            return how
        lines = [line for line in said.splitlines() if "I like" in line]
        return proposed(
            *(
                op("add", f"Likes {line.rpartition(' ')[2]}", evidence=[int(line[1 : line.index("]")])])
                for line in lines
            )
        )

    return reply


def of_status(code: int) -> Exception:
    request = httpx.Request("POST", "https://model.test/v1")
    return httpx.HTTPStatusError(str(code), request=request, response=httpx.Response(code, request=request))


POISON = {
    "a refusal": AIMessage("", additional_kwargs={"refusal": "I cannot help with that"}),
    "a filter": AIMessage("", response_metadata={"finish_reason": "content_filter"}),
    "nonsense": "I would rather talk about the weather",
    "bad request": of_status(400),
    "too large": of_status(413),
}
TALK = ["I like tea", "I like poison", "I like jazz", "I like rain"]


class TestFailures:
    @pytest.mark.parametrize("how", POISON.values(), ids=POISON)
    def test_a_poisoned_message_is_skipped_and_the_rest_learned(
        self, bench: Open, how: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The portion is halved until the message stands alone; that is reported, and the others are remembered."""
        memory = bench(refusing("poison", how), *[refusing("poison", how)] * 12)
        added = memory.add([{"role": "user", "content": text, "id": text} for text in TALK], user_id="alex")
        assert sorted(texts(added)) == ["Likes jazz", "Likes rain", "Likes tea"]
        (skipped,) = added["rejected"]
        assert skipped["operation"] == {"action": "skip", "messages": ["I like poison"]}
        assert "skipped and will not be tried again" in caplog.text
        assert memory.events()[0]["details"]["rejected"] == [skipped]

    @pytest.mark.parametrize("how", POISON.values(), ids=POISON)
    def test_it_is_done_with(self, bench: Open, how: Any) -> None:
        """A skipped message is not pending: it is asked about no more."""
        memory = bench(*[refusing("poison", how)] * 12)
        source = {"thread_id": "t", "message_ids": ["1", "2"]}
        memory.add(["I like poison", "I like tea"], user_id="alex", source=source)
        assert memory.pending(["1", "2"], "t", user_id="alex") == []

    @pytest.mark.parametrize(
        "error", [of_status(429), of_status(500), of_status(401), TimeoutError(), ConnectionError()], ids=repr
    )
    def test_what_may_pass_is_left_pending(self, bench: Open, error: Exception) -> None:
        """A rate limit, a timeout or a wrong key says nothing of the messages: they stay for another try."""
        memory = bench(refusing("tea", error), refusing("nothing", ""))
        source = {"thread_id": "t", "message_ids": ["1"]}
        with pytest.raises(ExtractionError):
            memory.add("I like tea", user_id="alex", source=source)
        assert memory.pending(["1"], "t", user_id="alex") == ["1"]
        assert texts(memory.add("I like tea", user_id="alex", source=source)) == ["Likes tea"]

    def test_an_answer_cut_off(self, bench: Open) -> None:
        """Of several messages it is asked for in halves, of one message what was readable counts."""
        cut = AIMessage(
            '{"operations": [{"action": "add", "text": "Likes tea", "evidence": [0]}, {"action": "ad',
            response_metadata={"finish_reason": "length"},
        )
        memory = bench(cut, cut, facts("Likes jazz"), tool_calling=False)
        added = memory.add(["I like tea", "I like jazz"], user_id="alex")
        assert texts(added) == ["Likes tea", "Likes jazz"]
        assert "rejected" not in added

    def test_a_model_that_never_answers_costs_little(self, bench: Open) -> None:
        """A portion that fails whole makes the next ones fail at once: the calls are bounded."""
        memory = bench(*["nothing to see here"] * 200, extraction_tokens=200, tool_calling=False)
        memory.add([f"I like thing number {number} " + "so much " * 40 for number in range(20)], user_id="alex")
        assert memory.model.count <= 2 * 20 + 2 * 30


class TestPortions:
    def test_a_long_thread_makes_bounded_prompts(self, bench: Open) -> None:
        """600 turns are asked about in portions; the first and the last are remembered, and all are done."""
        memory = bench(*[refusing("nothing", "")] * 100)
        said = [
            {"role": ("user", "assistant")[n % 2], "content": f"I like thing{n} " + "and so on " * 20}
            for n in range(600)
        ]
        said[0]["content"], said[598]["content"] = "I like tea", "I like jazz"
        ids = [str(n) for n in range(600)]
        added = memory.add(said, user_id="alex", source={"thread_id": "t", "message_ids": ids})
        longest = max(sum(len(message.text) for message in call) for call in memory.model.calls)
        assert longest < 40_000
        assert {"Likes tea", "Likes jazz"} <= set(texts(added))
        assert memory.pending(ids, "t", user_id="alex") == []

    def test_one_batch_undoes_all(self, bench: Open) -> None:
        """However many portions an addition took, its one batch id takes it back."""
        memory = bench(*[refusing("nothing", "")] * 5, extraction_tokens=200)
        said = [f"{'word ' * 100} I like thing{n}" for n in range(4)]
        added = memory.add(said, user_id="alex", source={"thread_id": "t", "message_ids": list("abcd")})
        assert memory.model.count > 1
        assert memory.get_all(user_id="alex")["count"] == 4
        assert memory.add(said, user_id="alex", source={"thread_id": "t", "message_ids": list("abcd")}) == added
        memory.undo(added["batch_id"])
        assert memory.get_all(user_id="alex")["count"] == 0

    def test_what_a_broken_off_addition_did_stays(self, bench: Open) -> None:
        """Where the model fails halfway, what was learned is kept, and another try goes on from there."""
        well = refusing("nothing", "")
        memory = bench(well, well, refusing("I", of_status(503)), *[well] * 3, extraction_tokens=200)
        said = [f"{'word ' * 100} I like thing{n}" for n in range(4)]
        source = {"thread_id": "t", "message_ids": list("abcd")}
        with pytest.raises(ExtractionError):
            memory.add(said, user_id="alex", source=source)
        assert memory.pending(list("abcd"), "t", user_id="alex") == ["c", "d"]
        memory.add(said, user_id="alex", source=source)
        assert memory.model.count == 5
        assert memory.get_all(user_id="alex")["count"] == 4

    def test_the_messages_before_explain(self, bench: Open) -> None:
        """A later portion is shown the end of the one before, as data that is dealt with."""
        memory = bench(*[proposed()] * 4, extraction_tokens=200)
        memory.add([f"{'word ' * 120} {name}" for name in ("Ann", "Bob")], user_id="alex")
        second = memory.model.calls[-1][1].content
        assert second.index("<earlier>") < second.index("Ann") < second.index("</earlier>") < second.index("Bob")
