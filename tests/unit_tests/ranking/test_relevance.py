"""Evidence -> one calibrated relevance."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.ranking.corpus import Corpus, Document
from langchain_mem.ranking.passing import is_question
from langchain_mem.ranking.relevance import (
    UNRELATED_COSINE,
    Evidence,
    asks_about_now,
    dated,
    prefer_newer,
)

WORDS = ["oslo", "peanut", "cello", "seat", "violin"]
FACTS = ["Alex prefers window seats", "Maria has a dog called Rex", "Alex is allergic to peanuts"]
CHAT = [
    Document("1", "Jon: I play an instrument these days.", "monday", 1),
    Document("2", "Gina: Oh, which?", "monday", 2),
    Document("3", "Jon: The cello, badly.", "monday", 3),
    Document("4", "Gina: The weather is awful.", "tuesday", 1),
]

texts = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
cosine = st.none() | st.floats(-1, 1)
documents = st.lists(
    st.builds(
        lambda text, group, position, lends_only: Document("", text, group, position, (), lends_only),
        texts,
        st.sampled_from([None, "a", "b"]),
        st.none() | st.integers(0, 5),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
).map(lambda found: [document._replace(key=f"key-{i}") for i, document in enumerate(found)])


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[Document], list[float | None]]:
    """Documents, some citing others, and a cosine for each."""
    found = draw(documents)
    keys = st.lists(st.sampled_from([document.key for document in found]), max_size=2).map(tuple)
    cited = [document._replace(cites=draw(keys)) for document in found]
    return cited, draw(st.lists(cosine, min_size=len(found), max_size=len(found)))


def facts(*found: str) -> Corpus:
    return Corpus([Document(str(i), text) for i, text in enumerate(found)])


@given(stores(), texts)
def test_every_part_is_a_share(store: tuple[list[Document], list[float | None]], query: str) -> None:
    """Relevance and each of its parts is from 0 to 1, whatever the store lacks."""
    for evidence in Corpus(store[0]).relevance(query, store[1]):
        assert all(part is None or 0 <= part <= 1 for part in evidence._asdict().values())


@given(stores(), texts, st.randoms())
def test_order_of_storage_does_not_matter(store: tuple[list[Document], list[float | None]], query: str, random) -> None:
    """The same documents in another order are ranked alike."""
    pairs = list(zip(*store, strict=True))
    shuffled = random.sample(pairs, len(pairs))

    def ranking(rows: list[tuple[Document, float | None]]) -> list[str]:
        found, cosines = zip(*rows, strict=True)
        return [found[i].key for i in Corpus(found).relevance(query, cosines).best()]

    assert ranking(shuffled) == ranking(pairs)


@given(stores(), texts, st.integers(0, 7), st.floats(0, 1))
def test_a_nearer_meaning_never_lowers(
    store: tuple[list[Document], list[float | None]], query: str, at: int, more: float
) -> None:
    """A document whose cosine rises, all else alike, is no less relevant."""
    found, cosines = store
    at %= len(found)
    before = [0.2 if value is None else value for value in cosines]
    after = [*before[:at], min(1.0, before[at] + more), *before[at + 1 :]]
    corpus = Corpus([document._replace(cites=()) for document in found])
    assert corpus.relevance(query, after)[at].relevance >= corpus.relevance(query, before)[at].relevance - 1e-9


@given(stores(), texts, st.integers(0, 7))
def test_a_source_never_lowers(store: tuple[list[Document], list[float | None]], query: str, at: int) -> None:
    """What a document rests on adds to its relevance or leaves it."""
    found, cosines = store
    at %= len(found)
    alone = [*found[:at], found[at]._replace(cites=()), *found[at + 1 :]]
    lent = Corpus(found).relevance(query, cosines)[at].relevance
    assert lent >= Corpus(alone).relevance(query, cosines)[at].relevance - 1e-12


@given(st.floats(-1, 1))
def test_a_keyword_match_never_lowers(cosine: float) -> None:
    """Of two memories as near in meaning, the one with a word of the query is the more relevant."""
    with_word, without = Corpus([Document("a", "oslo dog"), Document("b", "bergen dog")]).relevance(
        "oslo", [cosine] * 2
    )
    assert with_word.relevance > without.relevance


@pytest.mark.parametrize(
    "store", [FACTS[:1], FACTS[:2], FACTS, [f"{fact} number {i}" for i in range(700) for fact in FACTS]]
)
@pytest.mark.parametrize("query", ["asdfgh qwerty zxcvbn", "xqzw", "$%^&*", ""])
def test_gibberish_is_near_zero(store: list[str], query: str) -> None:
    """Unknown words, as near to some memory as random letters get, stay under the default threshold in any store."""
    cosines = [UNRELATED_COSINE + 0.05 - 0.01 * (i % 20) for i in range(len(store))]
    assert facts(*store).relevance(query, cosines).relevance.max() < 0.1
    assert facts(*store).relevance(query).relevance.max() < 0.01


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_small_store_finds_what_it_has(size: int) -> None:
    """One memory, two or three: the one that answers is far over the threshold, and others far behind."""
    first, *others = facts(*FACTS[:size]).relevance("Which window seat does Alex want?", [0.6, 0.05, 0.3][:size])
    assert first.relevance > 0.9
    assert all(first.relevance > 10 * other.relevance for other in others)


def test_a_paraphrase_needs_no_common_word() -> None:
    """Meaning alone lifts a memory over the threshold."""
    scores = facts(*FACTS).relevance("Which snacks would be dangerous?", [0.1, 0.12, 0.45])
    assert scores.best(threshold=0.1) == [2]


def test_words_alone_are_enough() -> None:
    """Without embeddings the words decide, and no semantic part is shown."""
    scores = facts(*FACTS).relevance("Is Alex allergic to peanuts?")
    assert scores.best(threshold=0.1) == [2]
    assert scores[2].semantic is None


def test_a_word_finds_what_the_embedder_misses() -> None:
    """An exact word passes the threshold however far the embedding thinks it."""
    scores = facts("Invoice INV-2291 was paid", *FACTS).relevance("INV-2291", [0.0, 0.2, 0.1, 0.1])
    assert scores.best(threshold=0.1) == [0]


def test_a_memory_without_a_vector_is_judged_by_its_words() -> None:
    """A missing embedding is no evidence against a memory."""
    missing, unlike = facts("oslo", "oslo").relevance("oslo", [None, 0.0])
    assert missing.relevance >= unlike.relevance


def test_neighbors_speak_for_a_turn() -> None:
    """A turn without a word of the query is found by the turns around it, ahead of another session's."""
    scores = Corpus(CHAT).relevance("Does Jon play the cello?")
    assert scores[1].lexical == 0
    assert scores[1].neighbors > 0
    assert scores[1].relevance > 3 * scores[3].relevance


def test_a_memory_that_stands_alone_has_no_neighbors() -> None:
    """Parts which a memory cannot have are shown as none and do not count."""
    evidence = facts(*FACTS).relevance("peanuts", [0.1, 0.1, 0.6])[2]
    assert evidence.neighbors is evidence.session is evidence.cited is None
    assert evidence.share == 1.0


def test_positions_order_a_group() -> None:
    """Neighbors go by position, not by the order of arrival."""
    scattered = [CHAT[2], CHAT[3], CHAT[0], CHAT[1]]
    there = {d.key: e for d, e in zip(CHAT, Corpus(CHAT).relevance("cello"), strict=True)}
    here = {d.key: e for d, e in zip(scattered, Corpus(scattered).relevance("cello"), strict=True)}
    assert here == there


def test_sources_lend_and_are_no_results() -> None:
    """A fact is found by a word that only its source has; the source itself is not returned."""
    source = Document("turn", "Gina: my shellfish thing came back", lends_only=True)
    fact = Document("fact", "Gina is allergic to prawns", cites=("turn", "gone"))
    other = Document("other", "Jon is allergic to pollen")
    scores = Corpus([other, source, fact]).relevance("shellfish", [0.3, 0.3, 0.3])
    assert scores.best() == [2, 0]
    apart = Corpus([other, source._replace(lends_only=False), fact._replace(cites=())])
    own = apart.relevance("shellfish", [0.3, 0.3, 0.3])[2].share
    # the fact has the other's own share s, and the source 1: s + (1 - s) / 2 = (s + 1) / 2 is the best there is
    assert scores[2].share == 1
    assert scores[0].share == pytest.approx(own / ((own + 1) / 2))


def test_a_hidden_source_lends_and_nothing_else_hidden_counts() -> None:
    """Among what a filter leaves, relevance is as if the rest were not stored; what is cited speaks all the same."""
    source = Document("turn", "Gina: my shellfish thing came back")
    fact = Document("fact", "Gina is allergic to prawns", cites=("turn",))
    hidden = Document("hidden", "Jon sells shellfish and oysters")
    shown = np.array([False, True, False])
    scores = Corpus([source, fact, hidden]).relevance("shellfish oysters", [0.3, 0.3, 0.9], among=shown)
    unheard = Corpus([fact, hidden]).relevance("shellfish oysters", [0.3, 0.9], among=np.array([True, False]))
    assert scores[1].share == 1
    assert scores[1].relevance == scores[1].confidence > 5 * unheard[0].relevance


def test_the_first_places_are_spread_too() -> None:
    """A memory that comes short of the best by a tenth is a third less relevant, not as good as level with it."""
    corpus = facts("oslo", "oslo")
    best = corpus.relevance("oslo", [0.8, 0.8])[0]
    # alone: 0.8 + (0.5 + 2.5 + 1)·lexical + 0.5·0.8 - brevity
    strength = 0.8 + 4 * best.lexical + 0.4 - best.brevity
    next_best = corpus.relevance("oslo", [0.8, 0.8 - 0.1 * strength / 1.5])[1]
    assert next_best.share == pytest.approx(0.9)
    # e^(-4 · 0.1) = 0.670
    assert next_best.relevance == pytest.approx(0.670 * best.relevance, rel=1e-3)


def test_words_are_trusted_where_rare_ones_match() -> None:
    """A query whose rare words are found is answered by words, one whose rare words are not by meaning."""
    store = facts("Alex has learned to say no", "Alex volunteered the plumber's number")
    cosines = [0.35, 0.25]
    found = store.relevance("the plumber's number", cosines)
    assert (found.best(1), found[0].trust) == ([1], 1.0)
    overwhelmed = "overwhelmed committee bakesale grandchildren volunteered saturday exhausted deadlines"
    unsaid = store.relevance(overwhelmed, cosines)
    assert unsaid.best(1) == [0]
    assert unsaid[0].trust < 0.2


def test_what_says_little_answers_little() -> None:
    """Beside the turn that says it, a cheer in the same window is less relevant, and so is a question."""
    said = [
        Document("1", "Jon: I have signed up for the cello course that starts in spring", "monday", 1),
        Document("2", "Gina: Wow, how nice!", "monday", 2),
        Document("3", "Gina: Was it the course on the hill that you had thought about for years?", "monday", 3),
    ]
    first, cheer, question = Corpus(said).relevance("Which cello course?", [0.5, 0.5, 0.5])
    assert first.relevance > max(cheer.relevance, question.relevance)
    assert cheer.brevity > first.brevity
    assert (first.question, question.question) == (0.0, 1.0)


@pytest.mark.parametrize("text", ["Ann: Which one?", "Which one? [shares a photo]", "どこ？", "أين؟", "Why?!"])
def test_a_question_ends_in_its_mark(text: str) -> None:
    """A question mark at the end, in several scripts, makes a question; one before does not."""
    assert is_question(text)
    assert not is_question(text + " Because it rained.")


def test_relevance_spreads_wider_than_decay() -> None:
    """What answers and what merely shares a name differ by far more than decay's five-fold band."""
    best, same_name = facts("Alex prefers window seats", "Alex works at a bank").relevance(
        "Does Alex like window seats?", [0.7, 0.35]
    )
    assert best.relevance > 20 * same_name.relevance


def test_ties_go_by_key() -> None:
    """Equal memories are ordered by key."""
    corpus = Corpus([Document(key, "oslo") for key in ("b", "c", "a")])
    assert corpus.relevance("oslo", [0.5, 0.5, 0.5]).best() == [2, 0, 1]


def test_best_obeys_limit_and_threshold() -> None:
    """The list is cut at the limit and at the threshold."""
    scores = facts(*FACTS).relevance("window seat", [0.7, 0.1, 0.2])
    assert len(scores.best(2)) == 2
    assert scores.best(threshold=0.5) == [0]


def test_scores_are_a_sequence_of_evidence() -> None:
    """Scores can be counted, indexed, sliced and iterated."""
    scores = facts(*FACTS).relevance("seat", [0.5, 0.1, 0.1])
    assert len(scores) == len(list(scores)) == 3
    assert scores[-2:] == [scores[1], scores[2]]
    assert isinstance(scores[0], Evidence)
    assert scores[0]._asdict()["semantic"] == 0.5


def test_an_empty_store_has_no_evidence() -> None:
    """Nothing stored, nothing found."""
    assert list(Corpus([]).relevance("anything", [])) == []
    assert Corpus([]).relevance("anything").best() == []


def test_a_date_stands_before_the_text() -> None:
    """A day is spelled in English; without one the text is left alone."""
    assert dated("Hello.", datetime(2023, 1, 9, 23, 5, tzinfo=UTC)) == "[9 January 2023] Hello."
    assert dated("Hello.", None) == "Hello."


@pytest.mark.parametrize(
    ("query", "present"),
    [
        ("What is Alex's current job?", True),
        ("Does she still play?", True),
        ("latest phone number", True),
        ("where's he living these days", True),
        ("Who was Alex's boss?", False),
        ("When did Maria's island trip start?", False),
        ("Which know-how did they need?", False),
    ],
)
def test_questions_about_the_present(query: str, present: bool) -> None:
    """Words of the present tell; parts of words and possessives do not."""
    assert asks_about_now(query) is present


def alike(one: str, other: str) -> float:
    """Items are a topic and a year; one topic is one statement."""
    return float(one[0] == other[0])


def later(one: str, other: str) -> bool:
    return one[1:] > other[1:]


@pytest.mark.parametrize(
    ("ranked", "expected"),
    [
        (["a1", "a2", "b1"], ["a2", "a1", "b1"]),  # the newer of two near-duplicates comes first
        (["a2", "a1"], ["a2", "a1"]),  # as it was
        (["a1", "b1", "a2"], ["a2", "a1", "b1"]),  # past what stands between
        (["a1", "b2"], ["a1", "b2"]),  # another topic
        (["a1", "a2", "a3"], ["a3", "a2", "a1"]),  # past both
        ([], []),
    ],
)
def test_the_newer_of_near_duplicates(ranked: list[str], expected: list[str]) -> None:
    """A newer statement rises above the older one, and nothing else moves."""
    assert prefer_newer(ranked, similarity=alike, newer=later) == expected


class TestOpenQuestions:
    def test_anything_known_answers_a_question_that_names_nothing(self) -> None:
        """A question without anything to look for finds every memory, above the default threshold."""
        corpus = Corpus([Document("a", "Alex is vegetarian."), Document("b", "Mia lives in Lisbon.")])
        assert sorted(corpus.relevance("What do you know about me?", [0.1, 0.05]).best(threshold=0.1)) == [0, 1]

    def test_a_question_that_names_something_is_not_open(self) -> None:
        """One word to look for is enough to find only what has to do with it."""
        corpus = Corpus([Document("a", "Alex is vegetarian."), Document("b", "Mia lives in Lisbon.")])
        assert corpus.relevance("What do you know about trains?", [0.1, 0.05]).best(threshold=0.1) == []
