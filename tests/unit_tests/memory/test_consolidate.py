"""Tests of `consolidate`: what is merged, retired and refused, the profile, and how all of it is taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_mem import retrieval_node
from langchain_mem.errors import ExtractionError, InvalidRequest, ScopeError
from tests.memories import Bench, facts, op, proposed, texts

BERLIN, PARIS = "Lives in Berlin", "Lives in Paris since May"
REX, OLD, SNOW = "Has a dog named Rex", "Rex the dog is 2 years old", "Rex the dog likes snow"
ALL_OF_REX = "Has a dog named Rex, who is 2 years old and likes snow"


def _numbers(call: list[BaseMessage]) -> dict[str, int]:
    """The number under which each memory is shown."""
    lines = call[1].text.splitlines()[1:-1]
    return {line.partition("] ")[2].rpartition(" (noted ")[0]: number for number, line in enumerate(lines)}


def _does(*operations: dict[str, Any]) -> Callable[[list[BaseMessage]], dict[str, Any]]:
    """An answer that names memories by their texts."""

    def reply(call: list[BaseMessage]) -> dict[str, Any]:
        shown = _numbers(call)
        named = [{k: v if k == "text" else _looked_up(v, shown) for k, v in each.items()} for each in operations]
        return {"operations": named}

    return reply


def _looked_up(value: Any, shown: dict[str, int]) -> Any:
    if isinstance(value, list):
        return [shown.get(each, each) for each in value]
    return shown.get(value, value) if isinstance(value, str) else value


def _merge(text: str, *memories: str) -> dict[str, Any]:
    return {"action": "merge", "memories": list(memories), "text": text, "reason": "one dog"}


def _retire(memory: str, by: str) -> dict[str, Any]:
    return {"action": "retire", "memory": memory, "by": by, "reason": "moved"}


def _say(text: str, *memories: str) -> dict[str, Any]:
    return {"action": "say", "text": text, "memories": list(memories)}


def _bench(*replies: Any, **options: Any) -> Bench:
    """A memory of six facts, each learned from a turn of its own, a day after the one before."""
    bench = Bench(*(facts(text) for text in (BERLIN, REX, OLD, SNOW, PARIS)), *replies, **options)
    for text in (BERLIN, REX, OLD, SNOW, PARIS):
        bench.add([{"role": "user", "content": f"I say: {text}."}], user_id="alex")
        bench.clock.advance(days=1)
    return bench


TIDY = _does(_merge(ALL_OF_REX, REX, OLD, SNOW), _retire(BERLIN, PARIS))
PROFILE = _does(_say("Lives in Paris.", PARIS), _say("Has a dog named Rex.", ALL_OF_REX))
PROFILE_TEXT = "Lives in Paris. Has a dog named Rex."


def _facts(bench: Bench) -> list[str]:
    found = bench.get_all(user_id="alex")["results"]
    return sorted(one["memory"] for one in found if one["metadata"].get("kind") != "profile")


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_fragments_become_one_and_what_is_outdated_goes(form: str):
    """Two calls: one says what to merge and to retire, one writes the profile; the result counts all of it."""
    bench = _bench(TIDY, PROFILE)
    memory = bench.memory
    done = await memory.aconsolidate(user_id="alex") if form == "async" else memory.consolidate(user_id="alex")
    assert _facts(bench) == [ALL_OF_REX, PARIS]
    assert [(each["memory"], [one["memory"] for one in each["of"]]) for each in done["merged"]] == [
        (ALL_OF_REX, [REX, OLD, SNOW])
    ]
    assert [(each["memory"], each["by"]["memory"]) for each in done["retired"]] == [(BERLIN, PARIS)]
    assert (done["before"], done["after"], done["calls"], done["unread"], done["rejected"]) == (5, 2, 2, 0, [])
    assert done["profile"]["memory"] == PROFILE_TEXT


def test_one_undo_takes_all_of_it_back():
    """The memories, their evidence and the profile are as they were before."""
    bench = _bench(TIDY, PROFILE)
    before = {one["id"]: one["memory"] for one in bench.get_all(user_id="alex")["results"]}
    turns = texts(bench.search("dog snow", user_id="alex", history=True)["results"])
    bench.undo(bench.consolidate(user_id="alex")["batch_id"])
    assert {one["id"]: one["memory"] for one in bench.get_all(user_id="alex")["results"]} == before
    assert texts(bench.search("dog snow", user_id="alex", history=True)["results"]) == turns


def test_what_is_merged_keeps_its_evidence_and_its_history():
    """The turns of all fragments are found as history, and each fragment's history says what became of it."""
    bench = _bench(TIDY, PROFILE)
    done = bench.consolidate(user_id="alex")
    for text in (REX, OLD, SNOW):
        assert f"I say: {text}." in texts(bench.search(text, user_id="alex", history=True)["results"])
    assert f"I say: {BERLIN}." not in texts(bench.search(BERLIN, user_id="alex", history=True)["results"])
    fragment = done["merged"][0]["of"][1]["id"]
    last = [change for change in bench.history(fragment) if change["memory_id"] == fragment][-1]
    assert (last["event"], last["new_memory"], last["reason"]) == ("MERGE", ALL_OF_REX, "one dog")


def test_a_merged_memory_is_as_old_as_what_it_says():
    """It does not pass for news: what is newer stays newer, and decay goes on."""
    bench = _bench(TIDY, PROFILE)
    by_text = {one["memory"]: one for one in bench.get_all(user_id="alex")["results"]}
    bench.consolidate(user_id="alex")
    (merged,) = [one for one in bench.get_all(user_id="alex")["results"] if one["memory"] == ALL_OF_REX]
    assert merged["created_at"] == by_text[REX]["created_at"]
    assert merged["updated_at"] == by_text[SNOW]["updated_at"]


def test_a_dry_run_changes_nothing():
    """It says what would be done, and asks for no profile."""
    bench = _bench(TIDY)
    done = bench.consolidate(user_id="alex", dry_run=True)
    assert ([each["memory"] for each in done["merged"]], done["before"], done["after"]) == ([ALL_OF_REX], 5, 2)
    assert len(_facts(bench)) == 5


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (_merge(f"{ALL_OF_REX} and barks at 3 cats", REX, OLD, SNOW), "no memory says 3"),
        (_merge("Has a dog named Max, who is 2 years old and likes snow", REX, OLD, SNOW), "Max"),
        (_merge(f"{ALL_OF_REX} and cats", REX, OLD, SNOW), "cats"),
        (_merge("Has a dog named Rex, who is 4 years old and likes snow", REX, OLD, SNOW), "no memory says 4"),
        (_merge("Has a dog named Rex, who likes snow", REX, OLD, SNOW), "leaves out 2"),
        (_merge("Has a dog named Rex, who does not like snow", REX, SNOW), "denies"),
        (_merge(REX, REX), "two memories"),
        (_retire(PARIS, BERLIN), "older"),
        (_retire(REX, PARIS), "in common"),
        ({"action": "merge", "memories": [0, 99], "text": REX}, "0 to 4"),
        ({"action": "delete", "memory": 0}, "action"),
        (_say("Lives in Paris.", PARIS), "actions here"),
    ],
)
def test_what_the_memories_do_not_say_is_refused(operation: dict[str, Any], reason: str):
    """The reason is told, and the memories stay as they are."""
    bench = _bench(_does(operation))
    done = bench.consolidate(user_id="alex", profile=False)
    assert done["merged"] == done["retired"] == []
    (refused,) = done["rejected"]
    assert reason in refused["reason"]
    assert len(_facts(bench)) == 5


def test_a_memory_takes_part_in_one_operation():
    """The second one that names it is refused."""
    bench = _bench(_does(_merge(ALL_OF_REX, REX, OLD, SNOW), _merge("Has a dog named Rex who likes snow", REX, SNOW)))
    done = bench.consolidate(user_id="alex", profile=False)
    assert [each["memory"] for each in done["merged"]] == [ALL_OF_REX]
    assert "another operation" in done["rejected"][0]["reason"]


def test_without_a_model_what_says_the_same_becomes_one():
    """Same words in another order; other numbers, names or dates are other facts. No profile is written."""
    bench = Bench()
    said = ("Likes green tea", "green tea likes", "Likes 2 green teas", "Likes black tea", "Likes no green tea")
    for text in said:
        bench.add(text, user_id="alex", infer=False)
    done = bench.consolidate(user_id="alex")
    assert (done["before"], done["after"], done["calls"], done["profile"]) == (5, 4, 0, None)
    assert [{one["memory"] for one in each["of"]} for each in done["merged"]] == [
        {"Likes green tea", "green tea likes"}
    ]
    assert bench.consolidate(user_id="alex")["merged"] == []


def test_the_profile_is_always_recalled_and_never_learned_from():
    """Surfaces show it with every question; a later extraction is not shown it as something to change."""
    bench = _bench(TIDY, PROFILE, facts("Has a cat named Tom"))
    bench.consolidate(user_id="alex")
    state = {"messages": [HumanMessage("What is the weather?")]}
    node = retrieval_node(bench.memory)
    assert PROFILE_TEXT in node.invoke(state, {"configurable": {"user_id": "alex"}})["memory_context"]
    bench.add([{"role": "user", "content": "My cat is named Tom."}], user_id="alex")
    assert PROFILE_TEXT not in bench.model.calls[-1][-1].text


@pytest.mark.parametrize("change", ["delete", "update", "supersede"])
def test_a_profile_never_says_what_is_gone(change: str):
    """A memory that is deleted, changed or superseded takes its sentences along at once; undone, they are back."""
    bench = _bench(TIDY, PROFILE, proposed(op("supersede", "Lives in Rome", memory=0)))
    done = bench.consolidate(user_id="alex")
    (paris,) = [one["id"] for one in bench.get_all(user_id="alex")["results"] if one["memory"] == PARIS]
    if change == "delete":
        bench.delete(paris)
    elif change == "update":
        bench.update(paris, "Lives in Rome")
    else:
        bench.model._script.clear()
        shown = {one["memory"]: one for one in bench.get_all(user_id="alex")["results"]}
        bench.model.script(lambda call: proposed(op("supersede", "Lives in Rome", memory=_known(call)[PARIS])))
        bench.add([{"role": "user", "content": "I live in Rome now."}], user_id="alex")
        assert PARIS in shown
    profile = bench.get(done["profile"]["id"])
    assert profile["memory"] == "Has a dog named Rex."
    assert PARIS not in str(profile["metadata"])


def _known(call: list[BaseMessage]) -> dict[str, int]:
    lines = call[-1].text.partition("</known>")[0].splitlines()[1:]
    return {line.partition("] ")[2].rpartition(" (noted ")[0]: number for number, line in enumerate(lines)}


def test_a_sentence_that_names_what_its_memories_do_not_is_left_out():
    """The rest of the profile stands."""
    bench = _bench(TIDY, _does(_say("Lives in Paris.", PARIS), _say("Has a dog named Max.", ALL_OF_REX)))
    done = bench.consolidate(user_id="alex")
    assert done["profile"]["memory"] == "Lives in Paris."
    assert done["rejected"][0]["operation"]["text"] == "Has a dog named Max."


def test_nothing_new_costs_nothing():
    """Where no memory has changed since, no model is asked; where one has, the profile is written anew."""
    bench = _bench(TIDY, PROFILE)
    first = bench.consolidate(user_id="alex")
    again = bench.consolidate(user_id="alex")
    assert (again["calls"], again["profile"]["memory"]) == (0, PROFILE_TEXT)
    bench.add("Plays chess", user_id="alex", infer=False)
    bench.model.script(_does(), _does(_say("Plays chess.", "Plays chess")))
    third = bench.consolidate(user_id="alex")
    assert (third["profile"]["id"], third["profile"]["memory"]) == (first["profile"]["id"], "Plays chess.")
    bench.undo(third["batch_id"])
    assert bench.get(first["profile"]["id"])["memory"] == PROFILE_TEXT


def test_calls_and_tokens_are_bounded():
    """What the limits leave out is counted; without a call left for it there is no profile."""
    bench = _bench(*[_does()] * 3, extraction_tokens=600)
    for number in range(30):
        bench.add(f"Fact {number}: {'word ' * 20}", user_id="alex", infer=False)
    done = bench.consolidate(user_id="alex", max_calls=3)
    assert (done["calls"], done["before"]) == (3, 35)
    assert 0 < done["unread"] < 35
    assert done["tokens"] <= 3 * 600
    assert bench.consolidate(user_id="alex", max_calls=0)["unread"] == 35
    assert bench.consolidate(user_id="alex", max_tokens=10)["calls"] == 0


def test_a_failing_model_changes_nothing():
    """The error is raised, and not even what needs no model is written."""
    bench = _bench(TimeoutError("slow"))
    bench.add("named Rex Has a dog", user_id="alex", infer=False)
    with pytest.raises(ExtractionError):
        bench.consolidate(user_id="alex")
    assert len(_facts(bench)) == 6


def test_a_portion_that_the_model_will_not_read_is_reported():
    """The rest is done."""
    bench = _bench("I would rather not.", "No.", _does(_say("Lives in Paris.", PARIS)))
    done = bench.consolidate(user_id="alex")
    assert (done["unread"], done["profile"]["memory"]) == (5, "Lives in Paris.")
    assert "no valid output" in done["rejected"][0]["reason"]


def test_what_changes_while_the_model_thinks_is_left_as_it_is():
    """A memory that is not any more what the model was shown is neither merged nor retired."""

    def thinks(call: list[BaseMessage]) -> dict[str, Any]:
        (rex,) = [one["id"] for one in bench.get_all(user_id="alex")["results"] if one["memory"] == REX]
        bench.update(rex, "Has a dog named Max")
        return TIDY(call)

    bench = _bench(thinks)
    done = bench.consolidate(user_id="alex", profile=False)
    assert (done["merged"], [each["memory"] for each in done["retired"]]) == ([], [BERLIN])
    assert "Has a dog named Max" in _facts(bench)


def test_filters_narrow_it_and_others_are_left_alone():
    """Only what the filters describe is shown to the model; another owner's memories and notes never are."""
    bench = _bench(_does())
    bench.add("Bob lives in Oslo", user_id="bob", infer=False)
    bench.add("A note", user_id="alex", run_id="trip", infer=False)
    bench.consolidate(user_id="alex", filters={"memory": {"icontains": "Rex"}})
    assert sorted(_numbers(bench.model.calls[-1])) == sorted([REX, OLD, SNOW])


def test_in_the_background_its_calls_are_counted_and_its_batch_is_known():
    """The result says which batch it will be; usage callbacks see the calls; a failure is an event and in `flush`."""
    counted = AIMessage('{"operations": []}', response_metadata={"model_name": "scripted"})
    counted.usage_metadata = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    bench = _bench(TIDY, counted, TimeoutError("slow"))
    with get_usage_metadata_callback() as usage:
        done = bench.consolidate(user_id="alex", background=True)
    bench.flush()
    assert _facts(bench) == [ALL_OF_REX, PARIS]
    assert usage.usage_metadata["scripted"]["total_tokens"] == 15
    assert len(bench.undo(done["batch_id"])["restored"]) == 4
    bench.consolidate(user_id="alex", background=True)
    with pytest.raises(ExtractionError):
        bench.flush()
    assert bench.events(types=["consolidation_failed"])[0]["details"]["batch_id"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, ScopeError),
        ({"user_id": "alex", "agent_id": "a"}, InvalidRequest),
        ({"user_id": "alex", "run_id": "r"}, InvalidRequest),
        ({"user_id": "alex", "max_calls": -1}, InvalidRequest),
        ({"user_id": "alex", "max_tokens": 1.5}, InvalidRequest),
        ({"user_id": "alex", "background": True, "dry_run": True}, InvalidRequest),
    ],
)
def test_arguments_that_cannot_be(options: dict[str, Any], error: type[Exception]):
    """They are refused before anything is read."""
    with pytest.raises(error):
        Bench().consolidate(**options)
