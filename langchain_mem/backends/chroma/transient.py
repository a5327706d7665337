"""What a Chroma server answers for a moment, and asking again.

A server handles many requests at once. A read can see a collection while its first write is half done, or a record that
another request deletes at that moment, and Chroma then answers with an internal error. A server that is busy, and a
proxy before it, refuse a request for a while. The same request is answered soon after.

Every request of `CollectionClient` may be made twice: a read changes nothing, and a write names the ids it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import httpx
from chromadb.errors import ChromaError, InternalError, RateLimitError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

T = TypeVar("T")

LONGEST: Final = 5.0
"""Seconds after which an answer is taken to be final: far longer than a write takes, and bearable for a user."""

_REFUSED: Final = frozenset({429, 502, 503, 504})
"""HTTP statuses that say: later."""

_MOMENTARY: Final = (
    "Nothing found on disk",  # the first write has set the vectors' length, and not made the index yet
    "Error finding id",  # the record is listed, and its vector not indexed yet, or not any more
    "Error getting embedding",  # likewise
    "database is locked",  # SQLite's, of two writers
)
"""What Chroma's internal errors say of a state that passes."""


class HalfAnswer(InternalError):
    """A read that listed records without their vectors: the first write of the collection was half done."""


def is_transient(error: BaseException) -> bool:
    """Whether the same request may be answered a moment later.

    Args:
        error: What Chroma's client raised.
    """
    if isinstance(error, RateLimitError | HalfAnswer):
        return True
    if isinstance(error, InternalError):
        return any(said in str(error) for said in _MOMENTARY)
    # Chroma's client raises a bare `Exception` for an answer that is none of Chroma's, such as a proxy's page.
    answer = error.__context__
    foreign = not isinstance(error, ChromaError) and isinstance(answer, httpx.HTTPStatusError)
    return foreign and answer.response.status_code in _REFUSED  # type: ignore[union-attr]


def answered(ask: Callable[[], T], patience: float) -> T:
    """What a request gives, made again after random and growing pauses while the answer is a transient one.

    Args:
        ask: Makes the request.
        patience: For how many seconds to ask again; 0 asks once.

    Raises:
        Exception: What the last request raised.
    """
    asking = Retrying(
        retry=retry_if_exception(is_transient),
        wait=wait_random_exponential(multiplier=0.01, max=0.5),
        stop=stop_after_delay(patience),
        reraise=True,
    )
    return asking(ask)
