"""A chat model and an embedder behind HTTP that fail, hang, are late or answer by halves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from langchain_mem import LongTermStore, Memory
from langchain_mem.errors import ExtractionError
from langchain_mem.testing import FakeEmbeddings
from langchain_mem.testing.peer import Fault, OpenAIPeer

FACT = {"operations": [{"action": "add", "text": "Likes tea", "evidence": [0]}]}
FAULTS = {
    "an error": lambda: Fault(500),
    "a limit of the rate": lambda: Fault.rate_limit(),
    "no JSON": lambda: Fault.malformed(),
    "half an answer": lambda: Fault.cut_off(),
    "silence": lambda: Fault.silence(),
}
CLIENT: dict[str, Any] = {"api_key": "none", "max_retries": 0, "timeout": 0.5}


@pytest.fixture
def peer() -> Iterator[OpenAIPeer]:
    with OpenAIPeer(embeddings=FakeEmbeddings(64)) as peer:
        yield peer


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_fails(peer: OpenAIPeer, fault: str) -> None:
    """The call says so, nothing is written or marked as learned, and the next call learns it."""
    model = ChatOpenAI(model="scripted", base_url=peer.base_url, **CLIENT)
    memory = Memory(LongTermStore.in_memory(embed=FakeEmbeddings()), model=model)
    said = [{"role": "user", "content": "I like tea.", "id": "m1"}]
    source = {"thread_id": "t", "message_ids": ["m1"]}
    peer.script(FAULTS[fault]())
    with pytest.raises(ExtractionError, match="nothing was written"):
        memory.add(said, user_id="alex", source=source)
    assert memory.get_all(user_id="alex")["count"] == 0
    assert memory.pending(["m1"], "t", user_id="alex") == ["m1"]
    peer.script(FACT)
    memory.add(said, user_id="alex", source=source)
    assert [one["memory"] for one in memory.get_all(user_id="alex")["results"]] == ["Likes tea"]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_embedder_that_fails(peer: OpenAIPeer, fault: str) -> None:
    """A write that cannot be embedded is not there, a search says why it failed, and the next calls work."""
    embed = OpenAIEmbeddings(
        model="scripted", base_url=peer.base_url, dimensions=64, check_embedding_ctx_length=False, **CLIENT
    )
    memory = Memory(LongTermStore.in_memory(index={"embed": embed, "dims": 64}))
    memory.add("Plays chess", infer=False, user_id="alex")
    peer.fail_embeddings(FAULTS[fault]())
    with pytest.raises((openai.OpenAIError, ValueError, TypeError)):
        memory.add("Likes tea", infer=False, user_id="alex")
    assert [one["memory"] for one in memory.get_all(user_id="alex")["results"]] == ["Plays chess"]
    peer.fail_embeddings(FAULTS[fault]())
    with pytest.raises((openai.OpenAIError, ValueError, TypeError)):
        memory.search("tea", user_id="alex")
    memory.add("Likes tea", infer=False, user_id="alex")
    assert memory.search("tea", user_id="alex")["results"][0]["memory"] == "Likes tea"
