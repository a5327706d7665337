"""The clock, the embedder and the suites that are shipped for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import langchain_mem.testing as testing
from langchain_mem.testing import FakeClock, FakeEmbeddings, StoreConformance


def test_clock_stands_still() -> None:
    """The clock gives the same instant until it is moved."""
    clock = FakeClock(datetime(2026, 5, 1, tzinfo=UTC))
    assert clock() == clock() == datetime(2026, 5, 1, tzinfo=UTC)
    assert clock.advance(days=1) == clock() == datetime(2026, 5, 2, tzinfo=UTC)
    assert clock.advance(timedelta(days=-1)) == clock.now == datetime(2026, 5, 1, tzinfo=UTC)


@given(st.text())
def test_embeddings_have_unit_length(text: str) -> None:
    """Every text has a vector of length 1, the same each time, as passage and as query."""
    embeddings = FakeEmbeddings()
    vector = embeddings.embed_query(text)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert FakeEmbeddings().embed_documents([text]) == [vector]


def test_shared_words_are_similar() -> None:
    """Texts that share words are nearer to each other than to one that shares none."""
    tea, green, stars = np.array(FakeEmbeddings().embed_documents(["hot tea", "green Tea", "stars at night"]))
    assert tea @ green > 0.4
    assert abs(tea @ stars) < 0.35


async def test_embeddings_count_and_fail() -> None:
    """What was embedded is counted, in both forms, and a failure can be ordered."""
    embeddings = FakeEmbeddings()
    embeddings.embed_documents(["a", "b"])
    await embeddings.aembed_documents(["c"])
    await embeddings.aembed_query("d")
    assert (embeddings.texts, embeddings.batches, embeddings.queries) == (["a", "b", "c"], 2, ["d"])
    embeddings.fail_with = TimeoutError("slow")
    with pytest.raises(TimeoutError):
        embeddings.embed_query("e")
    with pytest.raises(TimeoutError):
        await embeddings.aembed_documents(["e"])


def test_expected_failures_name_tests() -> None:
    """A suite refuses to expect the failure of a test that there is not."""
    with pytest.raises(TypeError, match="test_nothing"):
        type("TestTypo", (StoreConformance,), {"expected_failures": {"test_nothing": "a typo"}})
    type("TestFine", (StoreConformance,), {"expected_failures": {"test_filters[booleans]": "True is 1"}})


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_is_there(name: str) -> None:
    """What `__all__` lists can be imported."""
    assert getattr(testing, name).__name__ == name


def test_no_other_name_is_there() -> None:
    """A name that is not listed is an `AttributeError`."""
    with pytest.raises(AttributeError, match="Nothing"):
        testing.Nothing  # noqa: B018 - reading it is the test
