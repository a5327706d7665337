"""The scale of an embedder: what its cosines of unrelated texts are, so that a number means the same on each.

Embedders put all texts into a cone of their own, narrow with some: multilingual-e5-small gives any two texts a cosine
of 0.7 to 0.9, all-MiniLM-L6-v2 one of -0.1 to 0.3. So the mean of what is stored is taken from memories and query
before they are compared (the first step of "All-but-the-top", Mu and Viswanath 2018, arXiv:1702.01417):

    mean     = (Σ stored vectors + 64·ordinary mean) / (stored + 64)
    cosine   = (q - mean)·(d - mean) / (|q - mean|·|d - mean|) · 0.1 / spread

The ordinary mean is that of some hundred `ORDINARY` sentences, embedded once per embedder, because the mean of a few
memories says what they are about. The spread is the standard deviation of the centered cosines of those sentences,
about 0.1 with either embedder above. After that random letters come near 0.2 and answers from 0.3 on, on any of them.

Which mean is best depends on the memories. Where all of them are of one sort (the turns of two people), their own
mean takes away what they have in common. Where they are of many sorts, it also takes away what the query is about. So
memories are compared from three points: from that mean, from the ordinary mean, and from the origin, which gives the
cosine as the embedder has it. The three count alike, and the point from which a memory comes closest to the best counts
a little more:

    gap(p)   = cosine from point p - the highest such cosine of a memory that may be found                     0 or less
    near     = 0.2·ln((e^(gap(own mean)/0.2) + e^(gap(ordinary mean)/0.2) + e^(gap(origin)/0.2)) / 3)
    semantic = the highest cosine from the own mean + near - the highest near
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.ordinary import ORDINARY

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Shape (n, dims), rows of length 1."""

Vector: TypeAlias = npt.NDArray[np.float32]
"""Shape (dims,)."""

Floats: TypeAlias = npt.NDArray[np.float64]

Mask: TypeAlias = npt.NDArray[np.bool_]

SENTENCES: Final = ORDINARY
"""What an embedder is measured by."""

PRIOR: Final = 64
"""For how many memories the ordinary sentences count."""

USUAL_SPREAD: Final = 0.1
"""The spread that the formula of `relevance` is made for."""

SOFTNESS: Final = 0.2
"""By how much a gap must be wider than another to count e times less; half or twice of it changes little."""


class Compared(NamedTuple):
    """How near memories are to a query from each of three points, on the usual scale; NaN without an embedding.

    Attributes:
        stored: The cosines from the mean of what is stored.
        ordinary: Those from the mean of ordinary sentences.
        plain: Those from the origin: as the embedder gives them, moved and stretched as a whole.
    """

    stored: Floats
    ordinary: Floats
    plain: Floats

    @classmethod
    def same(cls, cosines: Floats) -> Compared:
        """Where there is one point only."""
        return cls(cosines, cosines, cosines)

    def agreed(self, among: Mask) -> Floats:
        """One number of the three: the module's `semantic`.

        Args:
            among: Which memories may be found: what is hidden is nothing that others fall short of.
        """
        known = among & ~np.isnan(self.stored)
        if self.ordinary is self.stored or not known.any():
            return self.stored
        summed = np.add.reduce([_nearness(each, known) for each in self])
        near = SOFTNESS * np.log(np.maximum(summed / len(self), 1e-300))
        return np.asarray(np.clip(self.stored[known].max() + near - near[known].max(), -1.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """What an embedder gives unrelated texts.

    Attributes:
        mean: Of the embeddings of ordinary sentences; shape (dims,).
        spread: Standard deviation of their cosines once they are centered.
        raw_mean: Mean of their cosines as they are.
        raw_spread: Standard deviation of those.
    """

    mean: Vector
    spread: float
    raw_mean: float
    raw_spread: float

    @classmethod
    def of(cls, vectors: Vectors) -> Scale:
        """The scale of the embedder that made these of `SENTENCES`."""
        mean = vectors.mean(axis=0)
        raw, centered = _between(vectors), _between(_unit(vectors - mean))
        return cls(mean, _spread(centered), float(raw.mean()), _spread(raw))

    @classmethod
    def plain(cls, dims: int) -> Scale:
        """That of an embedder whose cosines are taken as they are: centered and spread as usual."""
        nowhere = np.zeros(dims, dtype=np.float32)
        return cls(nowhere, USUAL_SPREAD, 0.0, USUAL_SPREAD)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Scale:
        """A scale as `as_dict` gave it."""
        mean = np.array(kept["mean"], dtype=np.float32)
        return cls(mean, float(kept["spread"]), float(kept["raw_mean"]), float(kept["raw_spread"]))

    def as_dict(self) -> dict[str, Any]:
        """The scale as JSON knows it."""
        return {
            "mean": [float(value) for value in self.mean],
            "spread": self.spread,
            "raw_mean": self.raw_mean,
            "raw_spread": self.raw_spread,
        }

    def center(self, total: Floats, count: int) -> Vector:
        """The mean of what is stored, mixed with that of ordinary sentences.

        Args:
            total: The sum of the stored vectors.
            count: How many they are.
        """
        if not self.mean.any():
            return self.mean
        return np.asarray((total + PRIOR * self.mean) / (count + PRIOR), dtype=np.float32)

    def cosines(self, products: Floats, toward: Floats, query: Vector, center: Vector) -> Floats:
        """How near memories are to a query, on the usual scale; NaN stays.

        Args:
            products: Of each memory's vector and the query's.
            toward: Of each memory's vector and the center.
            query: The query's vector.
            center: What `center` gave.
        """
        across, length = float(query @ center), float(center @ center)
        near = products - toward - across + length
        apart = np.sqrt(
            np.maximum(1 - 2 * toward + length, 1e-9) * max(float(query @ query) - 2 * across + length, 1e-9)
        )
        return np.asarray(np.clip(near / apart * (USUAL_SPREAD / self.spread), -1.0, 1.0))

    def compared(self, products: Floats, toward: Floats, ordinary: Floats, query: Vector, center: Vector) -> Compared:
        """How near memories are to a query from each of the three points.

        Args:
            products: Of each memory's vector and the query's.
            toward: Of each memory's vector and the center.
            ordinary: Of each memory's vector and the ordinary mean.
            query: The query's vector.
            center: What `center` gave.
        """
        stored = self.cosines(products, toward, query, center)
        if not self.mean.any():
            return Compared.same(stored)
        return Compared(stored, self.cosines(products, ordinary, query, self.mean), self.bare(products))

    def alike(self, one: Vector, other: Vector) -> float:
        """The cosine of two memories, measured from the ordinary mean and on the usual scale."""
        apart = _unit(np.stack([one, other]) - self.mean)
        return float(apart[0] @ apart[1]) * USUAL_SPREAD / self.spread

    def bare(self, cosines: Floats) -> Floats:
        """The same for cosines whose vectors are not at hand: moved and stretched as a whole."""
        return np.asarray(np.clip((cosines - self.raw_mean) * (USUAL_SPREAD / self.raw_spread), -1.0, 1.0))


def _nearness(cosines: Floats, known: Mask) -> Floats:
    """1 for the best, and e times less for every `SOFTNESS` that a memory falls short of it."""
    return np.asarray(np.exp((cosines - cosines[known].max()) / SOFTNESS))


def _between(vectors: Vectors) -> Floats:
    """The cosines of each two of the vectors."""
    return np.asarray((vectors @ vectors.T)[np.triu_indices(len(vectors), 1)], dtype=np.float64)


def _spread(cosines: Floats) -> float:
    return max(float(cosines.std()), 1e-3)


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), dtype=np.float32)
