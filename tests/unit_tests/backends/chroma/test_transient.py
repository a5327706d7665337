"""Which answers of a Chroma server are asked for again."""

from __future__ import annotations

import httpx
import pytest
from chromadb.errors import ChromaError, InternalError, InvalidArgumentError, NotFoundError, RateLimitError

from langchain_mem.backends.chroma.transient import answered, is_transient

LOCKED = "Database error: error returned from database: (code: 5) database is locked"


def foreign(status: int) -> Exception:
    """What Chroma's client raises for an answer that is none of Chroma's."""
    request = httpx.Request("GET", "http://localhost")
    error = Exception("<html>")
    error.__context__ = httpx.HTTPStatusError("", request=request, response=httpx.Response(status, request=request))
    return error


@pytest.mark.parametrize("error", [InternalError(LOCKED), RateLimitError("later"), foreign(429), foreign(503)])
def test_what_passes(error: Exception) -> None:
    """A lock within the server, a rate, and a proxy that says later."""
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        InternalError("Error loading hnsw index"),
        InvalidArgumentError("Error finding id"),
        NotFoundError("Collection [x] does not exist"),
        ChromaError("Collection [x] already exists"),
        httpx.ReadTimeout("timed out"),
        foreign(404),
        foreign(500),
    ],
)
def test_what_stays(error: Exception) -> None:
    """A request that is wrong, and a server that says nothing or is broken."""
    assert not is_transient(error)


@pytest.mark.parametrize(("patience", "asked"), [(5.0, 2), (0.0, 1)])
def test_asked_again_only_with_patience(patience: float, asked: int) -> None:
    """Without patience the first answer counts."""
    answers = iter([InternalError("Error finding id"), "found"])
    asks = []

    def ask() -> str:
        asks.append(1)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    if patience:
        assert answered(ask, patience) == "found"
    else:
        with pytest.raises(InternalError):
            answered(ask, patience)
    assert len(asks) == asked
