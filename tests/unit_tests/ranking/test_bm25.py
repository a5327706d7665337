"""Words shared by a query and a memory."""

import math
from collections import Counter
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.ranking.bm25 import BACKGROUND, K1, B
from langchain_mem.ranking.corpus import InvertedIndex

WORDS = ["oslo", "peanut", "cello", "seat", "violin", "bergen"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join), min_size=1, max_size=8)
queries = st.lists(st.sampled_from([*WORDS, "unheard"]), max_size=4).map(" ".join)


Bag = Counter[str]
"""How often each word counts in a text."""


def bm25(words: list[str], bags: list[Bag], memories: list[Bag]) -> list[float]:
    """The formula in plain Python: what was found over the most that could be, for each bag of words."""
    typical = sum(bag.total() for bag in bags) / len(bags) or 1.0
    idf = {}
    for word in words:
        found_in = sum(bag[word] > 0 for bag in memories)
        idf[word] = math.log(1 + (len(memories) + BACKGROUND - found_in + 0.5) / (found_in + 0.5))

    def score(bag: Bag) -> float:
        norm = K1 * (1 - B + B * bag.total() / typical)
        return sum(idf[word] * bag[word] / (bag[word] + norm) for word in words) / sum(idf.values())

    return [score(bag) if words else 0.0 for bag in bags]


def windows(own: list[Bag], groups: list[int]) -> list[Bag]:
    """Each memory's words with those around it in its group: the one before, half of the one after and before that."""
    found = []
    for at, bag in enumerate(own):
        window = Counter({word: float(count) for word, count in bag.items()})
        for other, weight in ((at - 1, 1.0), (at - 2, 0.5), (at + 1, 0.5)):
            if 0 <= other < len(own) and groups[other] == groups[at]:
                for word, count in own[other].items():
                    window[word] += weight * count
        found.append(window)
    return found


def test_a_score_worked_out_by_hand() -> None:
    """The arithmetic of the formula, for a store of two."""
    index = InvertedIndex(["cello oslo", "peanut seat"], [0, 1])
    # One of two words found, both as rare: half of what could be. |x| is the average, so tf' = 1 / (1 + 1.5) = 0.4.
    # idf(cello) = ln(1 + (2 + 30 - 1 + 0.5) / 1.5) = 3.091; idf(violin) = ln(1 + (2 + 30 + 0.5) / 0.5) = 4.190
    expected = 3.0910 * 0.4 / (3.0910 + 4.1897)
    assert index.scores("cello violin").own == pytest.approx([expected, 0.0], abs=1e-4)


@given(texts, queries, st.data())
def test_the_index_gives_what_the_formula_says(store: list[str], query: str, data: st.DataObject) -> None:
    """Each width's score is plain BM25 over the words of the memory, its window or its group."""
    starts = data.draw(st.lists(st.booleans(), min_size=len(store), max_size=len(store)))
    groups = [sum(starts[1 : at + 1]) for at in range(len(store))]
    scores = InvertedIndex(store, groups).scores(query)
    words = sorted(set(query.split()))
    own = [Counter(text.split()) for text in store]
    sessions = {g: sum((own[i] for i in at), Counter()) for g, at in groupby(range(len(own)), key=groups.__getitem__)}
    by_session = dict(zip(sessions, bm25(words, list(sessions.values()), own), strict=True))
    assert scores.own == pytest.approx(bm25(words, own, own))
    assert scores.neighbors == pytest.approx(bm25(words, windows(own, groups), own))
    assert scores.session == pytest.approx([by_session[group] for group in groups])


@given(texts, queries)
def test_a_score_is_a_share(store: list[str], query: str) -> None:
    """Scores are at least 0 and below 1, and above 0 just where a word was found."""
    own = InvertedIndex(store, range(len(store))).scores(query).own
    assert all(0 <= score < 1 for score in own)
    assert [score > 0 for score in own] == [bool(set(text.split()) & set(query.split())) for text in store]


def test_unknown_words_count_against_a_memory() -> None:
    """One known word in ten is worth about a tenth of the same word asked alone."""
    index = InvertedIndex(["she plays the cello", "peanuts"], [0, 1])
    alone = index.scores("cello").own[0]
    among_ten = index.scores("cello " + " ".join(f"unheard{i}" for i in range(9))).own[0]
    assert 0.05 < among_ten / alone < 0.15


@pytest.mark.parametrize("query", ["", "what is it?", "xqzw blorf", "$%^&*"])
def test_nothing_to_look_for_finds_nothing(query: str) -> None:
    """A query of no words, or of unknown ones, scores 0 at every width."""
    scores = InvertedIndex(["Alex plays the cello", "Maria has a dog"], [0, 0]).scores(query)
    assert [list(width) for width in scores] == [[0.0, 0.0]] * 3


def test_an_empty_store() -> None:
    """An index of nothing answers with nothing."""
    assert [len(width) for width in InvertedIndex([], []).scores("cello")] == [0, 0, 0]
