"""Texts become vectors of length 1, by an embedder that a store can recognize again.

A memory and the request that needs it often share no word and little meaning: "Promised not to work on weekends", and
"The slides are due on Saturday". Phrases that were written with the memory ("working at the weekend") lie nearer to
the request. Adding such text to a document before it is indexed is known as document expansion (Nogueira et al. 2019,
"Document expansion by query prediction"). Here it changes the vector only, and neither words nor results:

    vector = unit(text + unit(Σ phrases))        all of them vectors of length 1

A passage that has been embedded already, in the row that a write continues or by whoever made the write, is not
embedded again: passages are recognized by a digest of their text and phrases.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from langchain_mem._flow import call
from langchain_mem.backends.base import Address, Backend, Embedder, Row, Unread, Vectors, Write, no_vectors
from langchain_mem.errors import EmbeddingMismatch, StoreError
from langchain_mem.model.scopes import Namespace
from langchain_mem.ranking.candidates import Question
from langchain_mem.ranking.scale import SENTENCES, Scale
from langchain_mem.ranking.situations import Situations, table
from langchain_mem.watching.telemetry import lookups

SCALES: Final[Namespace] = ("langchain_mem", "scales")
"""Where the scales of embedders are kept; hidden from listings and searches."""

logger = logging.getLogger(__name__)

Vector: TypeAlias = NDArray[np.float32]
"""Shape (dims,), of length 1; or all zeros, where an embedder knows no direction for a text."""


class Vectorizer:
    """An embedder with its name and the length of its vectors.

    Args:
        embeddings: A LangChain embedder.
        dims: Length of a vector; `None` to learn it by embedding one text.
        name: What to remember the embedder by; `None` for its class and model.

    The async methods serve the sync and the async form; see `langchain_mem._flow`.
    """

    def __init__(self, embeddings: Embeddings, *, dims: int | None = None, name: str | None = None) -> None:
        self._embeddings = embeddings
        self._name = name or embedder_name(embeddings)
        self._dims = dims
        self._asked: tuple[str, Vector] | None = None
        self._scale = stated_scale(embeddings)
        self._situations: Situations | None = None

    @property
    def identity(self) -> Embedder | None:
        """The name and the length; `None` while the length is not known."""
        return None if self._dims is None else Embedder(self._name, self._dims)

    async def identify(self) -> Embedder:
        """The name and the length, which may have to be asked for."""
        if self._dims is None:
            self._dims = len(await call(self._embeddings.embed_query, self._embeddings.aembed_query, "dimensions"))
        return Embedder(self._name, self._dims)

    async def documents(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dims): what `embed_documents` gives, in one call.

        Raises:
            EmbeddingMismatch: The vectors have another length.
            StoreError: There are not as many as texts, or a number in them is not finite.
        """
        embedder = await self.identify()
        if not texts:
            return no_vectors(embedder.dims)
        said = [_undated(text) for text in texts]
        given = await call(self._embeddings.embed_documents, self._embeddings.aembed_documents, said)
        return unit(given, len(texts), embedder)

    async def query(self, text: str) -> Vector:
        """Shape (dims,): what `embed_query` gives; raises as `documents`. The last query is remembered."""
        asked, outcome = self._asked, "hit"
        if asked is None or asked[0] != text:
            embedder = await self.identify()
            given = await call(self._embeddings.embed_query, self._embeddings.aembed_query, text)
            asked, outcome = (text, unit([given], 1, embedder)[0]), "miss"
            self._asked = asked
        lookups("query")[outcome](1)
        return asked[1]

    async def question(self, text: str, lasting: float, backend: Backend, now: datetime) -> Question:
        """A query with its embedding, the embedder's scale, and what such a request usually needs.

        Args:
            text: The query.
            lasting: How strongly to prefer what it usually needs, from 0 to 1.
            backend: Where the scale is kept.
            now: The present.
        """
        scale, vector = await self.scale(backend, now), await self.query(text)
        asked = Question(text, vector, scale)
        return asked.wanting(await self.situations(backend, now), lasting) if lasting else asked

    async def scale(self, backend: Backend, now: datetime) -> Scale:
        """The embedder's scale: as it states it, as the store remembers it, or as measured now and remembered.

        Args:
            backend: Where it is kept, beside what the embedder has embedded.
            now: The present.
        """
        if self._scale is None:
            kept = await self._kept("", backend, now)
            self._scale = None if kept is None else Scale.from_dict(kept)
        if self._scale is None:
            self._scale = Scale.of(await self.documents(SENTENCES))
            await self._keep("", self._scale.as_dict(), backend, now)
        return self._scale

    async def situations(self, backend: Backend, now: datetime) -> Situations:
        """What the embedder makes of the table of everyday situations; known as `scale` is.

        Args:
            backend: Where it is kept.
            now: The present.
        """
        if self._situations is None:
            self._situations = stated_situations(self._embeddings)
        if self._situations is None:
            kept, scale = await self._kept(_SITUATIONS, backend, now), await self.scale(backend, now)
            self._situations = None if kept is None else Situations.from_dict(kept, scale)
        if self._situations is None:
            self._situations = await measured_situations(await self.documents(table().sentences), scale, self.query)
            await self._keep(_SITUATIONS, self._situations.as_dict(), backend, now)
        return self._situations

    async def _kept(self, what: str, backend: Backend, now: datetime) -> Mapping[str, Any] | None:
        (row,) = await backend.get([await self._address(what)], now)
        return None if row is None else row.value

    async def _keep(self, what: str, value: dict[str, Any], backend: Backend, now: datetime) -> None:
        row = Row(address=await self._address(what), value=value, created_at=now, updated_at=now)
        try:
            await backend.write([Write.put(row)], now)
        except Exception as refused:  # noqa: BLE001 - a place that takes no writes is searched all the same
            logger.info("What was measured of the embedder could not be kept, and is measured again: %s", refused)

    async def _address(self, what: str) -> Address:
        embedder = await self.identify()
        return Address(SCALES, f"{embedder.name} {embedder.dims}{what}")


_SITUATIONS: Final = " situations"


def _undated(text: str) -> str:
    """A passage without the date before it, which is found by its words: meaning is found better without."""
    return _DATE.sub("", text, count=1) or text


_DATE: Final = re.compile(r"^\[[^\[\]]{0,30}\d{4}\] ")


def stated_scale(embeddings: Embeddings) -> Scale | None:
    """The scale that an embedder has as an attribute, so that nothing needs to be measured."""
    scale = getattr(embeddings, "scale", None)
    return scale if isinstance(scale, Scale) else None


def stated_situations(embeddings: Embeddings) -> Situations | None:
    """The situations that an embedder has as an attribute, likewise."""
    situations = getattr(embeddings, "situations", None)
    return situations if isinstance(situations, Situations) else None


async def measured_situations(
    vectors: Vectors, scale: Scale, query: Callable[[str], Awaitable[Vector | None]]
) -> Situations:
    """The situations of an embedder, which is asked a few queries where it tells them from passages.

    Args:
        vectors: Of the table's sentences, as passages.
        scale: Of the embedder.
        query: Embeds a query; `None` where that cannot be done.
    """
    told, asked = table(), list[Vector]()
    for at in told.probes:
        vector = await query(told.requests[at])
        if vector is None or (not asked and np.allclose(vector, vectors[at], atol=_ONE_SIDED)):
            return Situations.of(vectors, scale)
        asked.append(vector)
    return Situations.of(vectors, scale, np.stack(asked))


_ONE_SIDED: Final = 1e-3
"""By how much the numbers of a query and of a passage of the same words differ at most, where they are the same."""


def unit(given: Sequence[Sequence[float]] | Vectors, count: int, embedder: Embedder) -> Vectors:
    """Vectors checked and brought to length 1; one of zeros stays.

    Args:
        given: The vectors.
        count: How many there have to be.
        embedder: Who made them, and how long they have to be.

    Raises:
        EmbeddingMismatch: One has another length.
        StoreError: There are more or fewer, or a number in them is not finite.
    """
    lengths = sorted({len(vector) for vector in given} - {embedder.dims})
    if lengths:
        raise EmbeddingMismatch(
            f"{embedder.name} gave vectors of {lengths[0]} dimensions; this store holds vectors of {embedder.dims}. "
            "Set `dims` of the index to what the embedder gives, or open the store with its own embedder."
        )
    vectors = np.asarray(given, dtype=np.float64).reshape(len(given), embedder.dims)
    if len(vectors) != count or not np.isfinite(vectors).all():
        raise StoreError(f"{embedder.name} gave {len(vectors)} vectors for {count} texts, or infinite ones.")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def embedder_name(embeddings: Embeddings) -> str:
    """What an embedder is remembered by: its class, and its model or its function where it has one."""
    function = getattr(embeddings, "func", None) or getattr(embeddings, "afunc", None)
    model = getattr(embeddings, "model", None) or getattr(embeddings, "model_name", None)
    detail = model if isinstance(model, str) else getattr(function, "__qualname__", None)
    name = type(embeddings).__qualname__
    return f"{name}:{detail}" if detail else name


async def vectorized(
    writes: Sequence[Write], there: Sequence[Row | None], vectorizer: Vectorizer | None
) -> list[Write]:
    """Writes whose rows have a vector for each passage, and go on from the row that is there.

    A passage and its phrases are embedded together, in the same call as all others.

    Args:
        writes: Some of them know the row that they continue.
        there: What lies where the others write.
        vectorizer: Embeds what nobody has embedded yet, in one call; `None` where there is no embedder.

    Raises:
        EmbeddingMismatch: A vector has another length than the embedder's.
        StoreError: A row came with more or fewer vectors than passages.
    """
    if found := {row.address: row for row in there if row is not None}:
        writes = [_continuing(write, found[write.address]) if write.address in found else write for write in writes]
    rows = [write.row for write in writes if write.row is not None]
    known = {name: vector for write in writes for name, vector in _known(write.before)}
    for row in rows:
        known.update(_given(row, vectorizer))
    passages = {each.digest: each for row in rows for each in passages_of(row) if each.text.strip()}
    fresh = {name: passage for name, passage in passages.items() if name not in known}
    if fresh and vectorizer is not None:
        parts = parts_of(fresh.values())
        vectors = dict(zip(parts, await vectorizer.documents(parts), strict=True))
        made = {name: passage.vector(vectors) for name, passage in fresh.items()}
        known |= {name: vector for name, vector in made.items() if vector is not None}
    return [replace(write, row=_with_vectors(write.row, known)) if write.row else write for write in writes]


def _continuing(write: Write, before: Row) -> Write:
    """A write that replaces a row whose creation it keeps."""
    return replace(write, before=before, row=write.row and replace(write.row, created_at=before.created_at))


def _known(before: Row | Unread | None) -> Iterable[tuple[str, Vector]]:
    return zip(before.digests, before.vectors, strict=True) if isinstance(before, Row) else ()


def _given(row: Row, vectorizer: Vectorizer | None) -> Iterable[tuple[str, Vector]]:
    if not len(row.vectors):
        return ()
    embedder = (vectorizer and vectorizer.identity) or Embedder("the caller", row.vectors.shape[1])
    names = (passage.digest for passage in passages_of(row))
    return zip(names, unit(row.vectors, len(row.texts), embedder), strict=True)


def _with_vectors(row: Row, known: Mapping[str, Vector]) -> Row:
    if not (row.texts or row.digests or len(row.vectors)):
        return row
    every = (passage.digest for passage in passages_of(row))
    names = [name for name in every if name in known and known[name].any()]
    return replace(
        row, digests=tuple(names), vectors=np.stack([known[name] for name in names]) if names else no_vectors()
    )


class Passage(NamedTuple):
    """What one vector stands for.

    Attributes:
        text: The text.
        phrases: What it is useful for.
    """

    text: str
    phrases: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What it is remembered by, so that it is not embedded twice: 128 bits in hexadecimal."""
        return blake2b(
            "\x1f".join((self.text, *self.phrases)).encode("utf-8", "surrogatepass"), digest_size=16
        ).hexdigest()

    def vector(self, known: Mapping[str, Vector]) -> Vector | None:
        """Its vector, from those of its parts; `None` where one of them is not known."""
        parts = [known.get(part) for part in (self.text, *self.phrases)]
        there = [part for part in parts if part is not None]
        if len(there) < len(parts):
            return None
        return there[0] if len(there) == 1 else _of_length_1(there[0] + _of_length_1(np.sum(there[1:], axis=0)))


def passages_of(row: Row) -> list[Passage]:
    """The passages of a row; the phrases belong to the first one."""
    return [Passage(text, () if place else row.phrases) for place, text in enumerate(row.texts)]


def parts_of(passages: Iterable[Passage]) -> list[str]:
    """Every text that has to be embedded for some passages, each once."""
    return list(dict.fromkeys(part for passage in passages for part in (passage.text, *passage.phrases)))


def _of_length_1(vector: Vector) -> Vector:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, dtype=np.float32)
