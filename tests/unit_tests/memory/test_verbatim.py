"""What a memory without a model keeps of a conversation, and that it finds it again."""

from __future__ import annotations

import pytest

from langchain_mem import Memory
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.errors import InvalidRequest
from langchain_mem.store.long_term import LongTermStore


@pytest.fixture
def memory() -> Memory:
    return Memory(LongTermStore.in_memory(embed=local_embeddings()), reinforce="none")


def say(memory: Memory, text: str) -> None:
    memory.add([{"role": "user", "content": text}], user_id="alex")


def found(memory: Memory, query: str) -> list[str]:
    return [one["memory"] for one in memory.search(query, user_id="alex", order="score")["results"]]


def test_a_question_asked_twice_finds_its_answer(memory: Memory) -> None:
    """Questions are no memories, so they bury no answers."""
    say(memory, "My daughter Mia is four and loves drums.")
    for _ in range(2):
        say(memory, "What do you know about my daughter?")
        assert found(memory, "What do you know about my daughter?") == ["My daughter Mia is four and loves drums."]


def test_a_correction_comes_first_with_what_it_corrects(memory: Memory) -> None:
    """Both statements come, the newer one first."""
    say(memory, "I live in Hamburg.")
    say(memory, "Actually I moved to Berlin and live there now.")
    assert found(memory, "Where do I live now?") == [
        "Actually I moved to Berlin and live there now.",
        "I live in Hamburg.",
    ]


def test_a_request_to_forget_forgets(memory: Memory) -> None:
    """What the user names is deleted, the request itself is no memory, and the rest stays."""
    say(memory, "I live in Hamburg.")
    say(memory, "I play the cello.")
    say(memory, "Forget that I live in Hamburg.")
    assert [one["memory"] for one in memory.get_all(user_id="alex")["results"]] == ["I play the cello."]


def test_a_reply_that_says_memories_again_is_none(memory: Memory) -> None:
    """Whenever it was recalled, in this thread or another; what a reply has of its own is kept."""
    say(memory, "I live in Hamburg.")
    say(memory, "My cat is called Pixel.")
    for reply in ("I remember: you live in Hamburg.", "You live in Hamburg, and your cat is called Pixel."):
        said = [{"role": "user", "content": "I like tea."}, {"role": "assistant", "content": reply}]
        memory.add(said, user_id="alex")
    offered = "I booked the vet Dr. Klein for Pixel on Friday at nine."
    memory.add([{"role": "user", "content": "I am tired."}, {"role": "assistant", "content": offered}], user_id="alex")
    kept = {one["memory"] for one in memory.get_all(user_id="alex")["results"]}
    assert kept == {"I live in Hamburg.", "My cat is called Pixel.", "I like tea.", "I am tired.", offered}


def test_what_is_added_verbatim_on_purpose_is_kept(memory: Memory) -> None:
    """With `infer=False`, or as a single string, a text is stored whatever it says."""
    memory.add([{"role": "user", "content": "Where do I live?"}], user_id="alex", infer=False)
    memory.add("Good morning!", user_id="alex")
    assert memory.get_all(user_id="alex")["count"] == 2


def test_importance_is_stored_and_checked(memory: Memory) -> None:
    """An application may say that a memory belongs into every prompt."""
    memory.add("Is allergic to nuts", user_id="alex", importance="always")
    assert memory.get_all(filters={"importance": "always"}, user_id="alex")["count"] == 1
    with pytest.raises(InvalidRequest, match="importance"):
        memory.add("x", user_id="alex", importance="very")  # type: ignore[arg-type]
