"""What a memory is useful for: phrases by which it is found where a request does not name it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.errors import InvalidRequest
from langchain_mem.memory.facade import Memory
from langchain_mem.model.phrases import LONGEST_PHRASE, MOST_PHRASES
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, FakeEmbeddings
from tests.memories import Bench, memory_id, op, proposed, texts

Open = Callable[..., Bench]

PROMISE = "Promised herself to keep the weekend free"
PHRASES = ["slides due on saturday", "deadline this sunday"]
REQUEST = "the boss asks for slides on saturday"


def promised(bench: Open, *replies: Any, **options: Any) -> Bench:
    """A memory of forty ordinary facts, and of a promise that shares no word with the request that needs it."""
    memory = bench(*replies, **options)
    for number in range(40):
        memory.add(f"Grows plant number {number} in pot {number}", user_id="alex", infer=False)
    return memory


def best(memory: Bench, **options: Any) -> str:
    found: list[str] = texts(memory.search(REQUEST, user_id="alex", threshold=0.0, top_k=1, **options))
    return found[0]


def test_a_memory_is_found_by_its_phrases_where_the_request_shares_no_word_with_it(bench: Open) -> None:
    memory = promised(bench)
    memory.add(PROMISE, user_id="alex", infer=False, useful_for=PHRASES)
    assert best(memory) == PROMISE


def test_it_is_not_found_without(bench: Open) -> None:
    memory = promised(bench)
    memory.add(PROMISE, user_id="alex", infer=False)
    assert best(memory) != PROMISE


def test_the_model_writes_the_phrases_with_the_fact(bench: Open) -> None:
    memory = promised(bench, proposed(op("add", PROMISE, useful_for=PHRASES)))
    memory.add("I promised myself to keep the weekend free", user_id="alex")
    assert best(memory) == PROMISE


def test_everything_that_is_written_together_is_embedded_in_one_call(bench: Open) -> None:
    memory = bench(
        proposed(op("add", "Likes tea", useful_for=["buying drinks"]), op("add", PROMISE, useful_for=PHRASES))
    )
    memory.add("I like tea and promised myself to keep the weekend free", user_id="alex")
    assert memory.embeddings.batches == 1
    memory.forget_costs()
    memory.add("Plays chess", user_id="alex", infer=False, useful_for=["a game tonight"])
    assert memory.embeddings.batches == 1


@pytest.mark.parametrize("wrong", ["one text", [1, {"a": "b"}], {"a": 1}, None, 7, ["x" * 500], [""]])
def test_phrases_of_a_wrong_shape_never_cost_the_fact(bench: Open, wrong: Any) -> None:
    memory = bench(proposed(op("add", PROMISE, useful_for=wrong)))
    (added,) = memory.add("I promised myself to keep the weekend free", user_id="alex")["results"]
    assert memory.get(added["id"])["useful_for"] == []


def test_a_model_that_writes_too_many_gives_the_first_ones(bench: Open) -> None:
    memory = bench(proposed(op("add", PROMISE, useful_for=[f"phrase\n{n}\x00" for n in range(9)])))
    (added,) = memory.add("I promised myself to keep the weekend free", user_id="alex")["results"]
    assert memory.get(added["id"])["useful_for"] == [f"phrase {n}" for n in range(MOST_PHRASES)]


@pytest.mark.parametrize("wrong", ["one text", [1], ["x" * (LONGEST_PHRASE + 1)], ["abcdef"[n] for n in range(6)], 7])
def test_phrases_that_a_caller_may_not_give_are_refused(bench: Open, wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match="useful_for"):
        bench().add(PROMISE, user_id="alex", infer=False, useful_for=wrong)


def test_a_new_text_drops_the_phrases_and_new_phrases_replace_them(bench: Open) -> None:
    memory = promised(bench)
    added = memory.add(PROMISE, user_id="alex", infer=False, useful_for=PHRASES)
    memory.update(memory_id(added), "Works at weekends again", user_id="alex")
    assert memory.get(memory_id(added))["useful_for"] == []
    assert best(memory) != "Works at weekends again"
    memory.update(memory_id(added), useful_for=PHRASES, user_id="alex")
    assert best(memory) == "Works at weekends again"


def test_restore_and_undo_bring_the_phrases_back(bench: Open) -> None:
    memory = promised(bench)
    added = memory.add(PROMISE, user_id="alex", infer=False, useful_for=PHRASES)
    changed = memory.batch_update([{"memory_id": memory_id(added), "useful_for": None}], user_id="alex")
    assert best(memory) != PROMISE
    memory.undo(changed["batch_id"], user_id="alex")
    assert best(memory) == PROMISE
    memory.update(memory_id(added), "Something else", user_id="alex")
    memory.restore(memory_id(added), version=1, user_id="alex")
    assert (best(memory), memory.get(memory_id(added))["useful_for"]) == (PROMISE, PHRASES)


def test_what_was_so_at_an_earlier_time_is_found_by_the_phrases_of_then(bench: Open) -> None:
    memory = promised(bench)
    added = memory.add(PROMISE, user_id="alex", infer=False, useful_for=PHRASES)
    before = memory.clock.now
    memory.clock.advance(days=1)
    memory.update(memory_id(added), "Something else", user_id="alex")
    assert best(memory, as_of=before) == PROMISE


def test_a_refined_fact_keeps_its_phrases_unless_the_model_writes_new_ones(bench: Open) -> None:
    for given, kept in (([], PHRASES), (["weekend trips"], ["weekend trips"])):
        update = op("update", f"{PROMISE} and the evening", memory=0, useful_for=given)
        memory = bench(proposed(op("add", PROMISE, useful_for=PHRASES)), proposed(update))
        added = memory.add("I promised myself to keep the weekend free", user_id="alex")
        memory.add("And the evening too, I promised myself to keep it free", user_id="alex")
        assert memory.get(memory_id(added))["useful_for"] == kept


def test_secrets_in_phrases_are_masked(bench: Open) -> None:
    phrase = "asked for password hunter2X9q"
    memory = bench(
        proposed(op("add", PROMISE, useful_for=[phrase])), redact=lambda text: text.replace("hunter2X9q", "…")
    )
    added = memory.add("I promised myself to keep the weekend free", user_id="alex")
    given = memory.add("Likes tea", user_id="alex", infer=False, useful_for=[phrase])
    for each in (added, given):
        assert memory.get(memory_id(each))["useful_for"] == ["asked for password …"]
    assert not any("hunter2X9q" in text for text in memory.embeddings.texts)


def test_a_memory_without_expansion_asks_for_none_and_stores_none(bench: Open) -> None:
    memory = bench(proposed(op("add", PROMISE, useful_for=PHRASES)), expansion=False)
    added = memory.add("I promised myself to keep the weekend free", user_id="alex")
    assert memory.get(memory_id(added))["useful_for"] == []
    assert "useful_for" not in str(memory.model.calls)


def test_phrases_are_never_shown_to_a_model(bench: Open) -> None:
    memory = bench(proposed(op("add", PROMISE, useful_for=PHRASES)), proposed())
    memory.add("I promised myself to keep the weekend free", user_id="alex")
    found = memory.search(REQUEST, user_id="alex", threshold=0.0)
    assert PROMISE in memory.memory.context(found)
    memory.add("I like tea", user_id="alex")
    shown = memory.memory.context(found) + str(memory.model.calls[-1])
    assert not any(phrase in shown for phrase in PHRASES)


def test_an_exported_memory_is_found_by_its_phrases_where_it_is_imported(bench: Open) -> None:
    memory, other = bench(), promised(bench)
    memory.add(PROMISE, user_id="alex", infer=False, useful_for=PHRASES)
    other.import_(list(memory.export(user_id="alex")))
    assert best(other) == PROMISE


def test_a_memory_that_an_earlier_release_wrote_has_none_and_takes_some(bench: Open) -> None:
    memory, other = bench(), promised(bench)
    added = memory.add(PROMISE, user_id="alex", infer=False)
    (line,) = memory.export(user_id="alex")
    told = json.loads(line)
    del told["memory"]["useful_for"], told["memory"]["log"][0]["after"]["useful_for"]
    other.import_([json.dumps(told)])
    assert other.get(memory_id(added))["useful_for"] == []
    other.update(memory_id(added), useful_for=PHRASES, user_id="alex")
    assert best(other) == PROMISE


def test_the_same_fact_with_other_phrases_is_one_fact(bench: Open) -> None:
    """Phrases move a vector, and two statements of one fact are recognized all the same."""
    again = op("add", "promised herself to keep the weekend free!", useful_for=["quite other words"])
    memory = bench(proposed(op("add", PROMISE, useful_for=PHRASES)), proposed(again))
    memory.add("I promised myself to keep the weekend free", user_id="alex")
    memory.add("As I said, I promised myself to keep the weekend free", user_id="alex")
    assert memory.get_all(user_id="alex")["count"] == 1


def test_a_repair_embeds_the_phrases_of_what_was_written_without_an_embedder() -> None:
    """As `doctor --repair` does it, and as memories come into a store with another embedder."""
    clock = FakeClock()
    with Memory(LongTermStore(DictionaryBackend(), clock=clock), clock=clock) as bare:
        bare.add([f"Grows plant number {number}" for number in range(12)], user_id="alex", infer=False)
        bare.add(PROMISE, user_id="alex", infer=False, useful_for=PHRASES)
        lines = list(bare.export(user_id="alex"))
    with Memory(LongTermStore(DictionaryBackend(), embed=FakeEmbeddings(), clock=clock), clock=clock) as memory:
        memory.import_(lines)
        (best,) = memory.search(REQUEST, user_id="alex", threshold=0.0, top_k=1)["results"]
        assert best["memory"] == PROMISE


def test_consolidation_knows_duplicates_by_what_they_say_and_keeps_the_phrases_of_both(bench: Open) -> None:
    memory = bench()
    memory.add("Likes green tea", user_id="alex", infer=False, useful_for=["buying drinks"])
    memory.add("Green tea likes", user_id="alex", infer=False, useful_for=["a gift", "breakfast order"])
    memory.consolidate(user_id="alex")
    (one,) = memory.get_all(user_id="alex")["results"]
    assert sorted(one["useful_for"]) == ["a gift", "breakfast order", "buying drinks"]
