"""The living index: what it holds after any writes is what was written, and it ranks as a corpus made anew does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.filters.conditions import Path
from langchain_mem.filters.language import matches, parse
from langchain_mem.ranking.candidates import rank
from langchain_mem.ranking.corpus import Corpus, Document
from langchain_mem.ranking.index import Index, IndexEntry
from langchain_mem.ranking.union import Together
from langchain_mem.repository.kept import packed

WORDS = ["oslo", "peanut", "cello", "seat", "violin", "the", "don't", "東京大学", "naïve"]
DIMS = 4
KEYS = [f"key-{n}" for n in range(8)]

texts = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
vectors = st.none() | st.lists(st.floats(-1, 1, width=16), min_size=DIMS, max_size=DIMS)


class Doc(NamedTuple):
    """A document and its words."""

    entry: IndexEntry[str]
    text: str

    @property
    def handle(self) -> str:
        return self.entry.handle


def doc(key: str, text: str, group: str | None, position: int | None, cites: tuple[str, ...]) -> Doc:
    return Doc(IndexEntry(key, key, group, position, cites), text)


entries = st.builds(
    doc,
    st.sampled_from(KEYS),
    texts,
    st.sampled_from([None, "a", "b"]),
    st.none() | st.integers(0, 5),
    st.lists(st.sampled_from(KEYS), max_size=2, unique=True).map(tuple),
)
puts = st.lists(st.tuples(entries, vectors), max_size=4, unique_by=lambda pair: pair[0].handle)
removals = st.lists(st.sampled_from(KEYS), max_size=3)
writes = st.lists(st.tuples(puts, removals), max_size=6)


def unit(vector: list[float] | None) -> np.ndarray:
    array = np.zeros(DIMS, dtype=np.float32) if vector is None else np.array(vector, dtype=np.float32)
    length = np.linalg.norm(array)
    return array / length if length else array


def put(index: Index[str], pairs: list[tuple[Doc, list[float] | None]]) -> None:
    if pairs:
        has = np.array([vector is not None for _, vector in pairs])
        vectors = np.stack([unit(vector) for _, vector in pairs])
        index.put([doc.entry for doc, _ in pairs], [doc.text for doc, _ in pairs], vectors, has)


def document(doc: Doc) -> Document:
    return Document(doc.entry.key, doc.text, doc.entry.group, doc.entry.position, tuple(doc.entry.cites))


def ranked_anew(
    held: dict[str, tuple[Doc, list[float] | None]], query: str, vector: np.ndarray, allowed: set[str]
) -> list[tuple[str, dict[str, float | None]]]:
    """By a corpus made from the documents themselves."""
    found = list(held.values())
    cosines = [None if each is None else float(unit(each) @ vector) for _, each in found]
    among = np.array([entry.handle in allowed for entry, _ in found], dtype=bool)
    scores = Corpus([document(entry) for entry, _ in found]).relevance(query, cosines, among=among)
    return [(found[at][0].handle, scores[at]._asdict()) for at in scores.best() if among[at]]


def ranked(indexes: list[Index[str]], query: str, vector: np.ndarray, allowed: set[str], count: int = 100):
    """By the index."""
    documents = indexes[0] if len(indexes) == 1 else Together(indexes)
    masks = []
    for index in indexes:
        mask = np.zeros(index.size, dtype=bool)
        mask[
            [number for handle in index.handles if handle in allowed and (number := index.number(handle)) is not None]
        ] = True
        masks.append(mask)
    wanted = np.concatenate(masks)
    (found,) = rank(documents, query, documents.cosines(vector), [wanted], limit=count)
    return [(handle, evidence._asdict()) for handle, evidence in found]


def same(one: list[tuple[str, dict[str, float | None]]], other: list[tuple[str, dict[str, float | None]]]) -> None:
    """That both rank alike, but for what is lost where 32 bits are summed up in another order."""
    assert [handle for handle, _ in one] == [handle for handle, _ in other]
    for (_, mine), (_, theirs) in zip(one, other, strict=True):
        assert mine == {
            name: None if value is None else pytest.approx(value, abs=1e-5) for name, value in theirs.items()
        }


@given(writes, texts, st.sets(st.sampled_from(KEYS)), st.sampled_from([None, Index.compact, Index.forget_dead]))
def test_any_writes_rank_as_a_corpus_made_anew(story, query: str, hidden: set[str], tidy) -> None:
    """However documents came, changed and went, the answer is that of an index built from what there is."""
    index: Index[str] = Index()
    held: dict[str, tuple[Doc, list[float] | None]] = {}
    for pairs, gone in story:
        put(index, pairs)
        held |= {entry.handle: (entry, vector) for entry, vector in pairs}
        index.remove(gone)
        held = {handle: pair for handle, pair in held.items() if handle not in gone}
        if tidy:
            tidy(index)
    allowed = set(held) - hidden
    if not allowed:
        return
    vector = unit([1.0, 0.5, 0.0, -0.25])
    same(ranked([index], query, vector, allowed), ranked_anew(held, query, vector, allowed))


@given(writes, texts)
def test_two_owners_rank_as_one(story, query: str) -> None:
    """Documents in two indexes, some of them in groups that both have, rank as the documents of one do."""
    indexes: list[Index[str]] = [Index(), Index()]
    held: dict[str, tuple[Doc, list[float] | None]] = {}
    for pairs, _ in story:
        for number, index in enumerate(indexes):
            put(index, [(plain(entry), vector) for entry, vector in pairs if int(entry.handle[-1]) % 2 == number])
        held |= {entry.handle: (plain(entry), vector) for entry, vector in pairs}
    if not held:
        return
    vector = unit([1.0, 0.5, 0.0, -0.25])
    same(ranked(indexes, query, vector, set(held)), ranked_anew(held, query, vector, set(held)))


def plain(doc: Doc) -> Doc:
    """A document that rests on none: links stay within one owner."""
    return doc._replace(entry=doc.entry._replace(cites=()))


@pytest.mark.parametrize("seed", range(4))
def test_few_candidates_are_the_best_of_many(seed: int) -> None:
    """Of hundreds of documents the first ten are the first ten of all, though few were looked at closely."""
    rng = np.random.default_rng(seed)
    held = {}
    for n in range(400):
        group = None if rng.random() < 0.3 else f"group-{rng.integers(20)}"
        words = " ".join(rng.choice(WORDS[:5], rng.integers(0, 6)))
        cites = tuple(f"key-{k}" for k in rng.integers(0, 400, rng.integers(0, 2)))
        vector = None if rng.random() < 0.1 else rng.standard_normal(DIMS).tolist()
        held[f"key-{n}"] = (doc(f"key-{n}", words, group, int(rng.integers(50)), cites), vector)
    index: Index[str] = Index()
    put(index, list(held.values()))
    allowed = {handle for handle in held if rng.random() < 0.7}
    vector = unit([1.0, 0.5, 0.0, -0.25])
    best, truth = ranked([index], "cello seat", vector, allowed, 10), ranked_anew(held, "cello seat", vector, allowed)
    same(best[:10], truth[:10])


VALUES = [
    {},
    {"state": "live", "created_at": "2024-01-01T00:00:00.000000Z", "metadata": {"n": 1}, "categories": ["a"]},
    {
        "state": "deleted",
        "created_at": "2025-01-01T00:00:00.000000Z",
        "metadata": {"n": True},
        "categories": ["b", "a"],
    },
    {"state": "live", "created_at": None, "metadata": {"n": "1", "t": "2024-05-01"}, "categories": []},
]
FILTERS = [
    {"created_at": {"gte": "2024-06-01"}},
    {"created_at": {"lt": "2024-06-01"}},
    {"NOT": [{"created_at": {"lt": "2024-06-01"}}]},
    {"metadata": {"n": 1}},
    {"metadata": {"n": {"gte": 1}}},
    {"OR": [{"categories": {"contains": "a"}}, {"metadata": {"t": {"exists": True}}}]},
    {"created_at": {"in": ["2024-01-01"]}},
]


@pytest.mark.parametrize("asked", FILTERS)
@pytest.mark.parametrize("copies", [1, 60])
def test_columns_say_what_matches_says(asked: dict, copies: int) -> None:
    """A condition decided on columns holds for the documents that `matches` says, few values or many."""
    condition = parse(asked)
    values = [dict(value) for value in VALUES for _ in range(copies)]
    for n, value in enumerate(values):
        if value.get("created_at"):
            value["created_at"] = value["created_at"][:-7] + f"{n:06d}Z"
    index: Index[int] = Index()
    paths = index.columns.missing(condition)
    assert paths
    for kept in ([path for path in paths if path.keys[0] != "metadata"] + [Path(("metadata",))], paths):
        index = Index(kept)
        fields = [[path.read(value) for value in values] for path in kept]
        index.put([IndexEntry(n, str(n)) for n in range(len(values))], [""] * len(values), fields=fields)
        assert index.eligible(condition).tolist() == [matches(condition, value) for value in values]


def test_what_only_the_dead_had_is_forgotten() -> None:
    """Words and values of fields are those of the living, in every byte."""
    index: Index[str] = Index([Path(("mood",))])
    index.put(
        [IndexEntry("one", "one"), IndexEntry("two", "two")], ["quokkas and cats", "cats"], fields=[["zesty", "calm"]]
    )
    index.remove(["one"])
    index.forget_dead()
    content = packed(index)
    words = (b"quokka", b"zesty", b"one", b"cat", b"calm", b"two")
    assert [word for word in words if word in content] == [b"cat", b"calm", b"two"]
