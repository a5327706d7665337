"""What everyday requests need, by the situation they are made in.

"What should I cook tonight?" needs "is allergic to nuts". The two share no word, and their embeddings are far apart.
So a table, `situations.toml`, says what has to be known in situations of everyday life. It has how people ask in each
(`requests`), what may have to be known of them (`needs`, each by `statements` as memories make them), and what is
hardly ever needed (`passing`). Request and memories are compared with it, and no model is asked:

    near(r)   = e^(cosine(query, r) / 0.05), as a share of the same of all requests r of the table
    want(n)   = √min(1, Σ near(r) of the requests that have need n)                           0 where below 0.22
    fit(m)    = the most that want(n)·cosine(m, s) is for a statement s of a need n
    weight(m) = direction·m - offset - 0.3·passing(m)           how much it is like statements, and not like passing
    pull      = 2·lasting·familiar·(1 - Σ near(r) of the requests that need nothing: quizzes, greetings, the past)
    familiar  = the highest cosine(query, r) between 0.2 and 0.4, as a share of that span, and 0.4 at least
    semantic  = (cosine(query, m) + pull·(fit(m) + weight(m)) + 0.2·shared(m)) / (1 + pull)

`passing` is 1 for what is worded as something that passes (`langchain_mem.ranking.passing`), else 0, and 0 where the
request is about the past. `shared` says how much of the request's everyday subjects the memory has
(`langchain_mem.ranking.subjects`).

All cosines are measured from the mean of ordinary sentences and on the usual scale (`langchain_mem.ranking.scale`). The
direction is Fisher's linear discriminant of statements and passing ones (Fisher 1936), with as much of the identity
added to their covariance, scaled to trace 1, as makes its trace 2.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.scale import USUAL_SPREAD, Floats, Scale, Vector, Vectors

Mask: TypeAlias = npt.NDArray[np.bool_]

# Chosen on four made-up users; half or twice of any changes what is found by a point or two.
SHARPNESS: Final = 0.05  # of `near`: a cosine higher by this counts e times as much
LEAST_WANT: Final = 0.22  # needs that are wanted less are left out, which saves their arithmetic
STRANGE, FAMILIAR = 0.2, 0.4  # cosines to the nearest request, from which on a situation counts, and counts in full
AT_LEAST: Final = 0.4  # of that: also a request like none in the table seldom needs what passes
PASSING: Final = 0.3  # what a memory that is worded as passing loses of its weight
SUBJECTS: Final = 0.2  # what sharing a request's everyday subjects brings


class Table(NamedTuple):
    """The table, as arrays beside its sentences.

    Attributes:
        requests: How people ask, all situations one after the other.
        statements: What may have to be known, all needs one after the other.
        passing: What is hardly ever needed.
        needs: Shape (requests, needs): which request has which need.
        kinds: Shape (statements,): the number of each statement's need.
        digest: Tells one version of the sentences from another.
    """

    requests: tuple[str, ...]
    statements: tuple[str, ...]
    passing: tuple[str, ...]
    needs: Mask
    kinds: npt.NDArray[np.intp]
    digest: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them, in the order in which `Situations.of` takes their vectors."""
        return (*self.requests, *self.statements, *self.passing)


@functools.cache
def table() -> Table:
    """The table that comes with the package."""
    text = files("langchain_mem.ranking").joinpath("situations.toml").read_text("utf-8")
    read = tomllib.loads(text)
    names = list(read["needs"])
    asked = [(each["needs"], request) for each in read["situations"] for request in each["requests"]]
    said = [(number, one) for number, name in enumerate(names) for one in read["needs"][name]]
    return Table(
        requests=tuple(request for _, request in asked),
        statements=tuple(one for _, one in said),
        passing=tuple(read["passing"]),
        needs=np.array([[name in needs for name in names] for needs, _ in asked], dtype=bool),
        kinds=np.array([number for number, _ in said], dtype=np.intp),
        digest=hashlib.blake2b(json.dumps(read).encode(), digest_size=8).hexdigest(),
    )


class Wanted(NamedTuple):
    """What a request wants known.

    Attributes:
        pull: How much that counts beside the query's own meaning; 0 for not at all.
        statements: Shape (any, dims): what is wanted, each as long as it is wanted.
        situations: What the embedder makes of the table.
    """

    pull: float
    statements: Vectors
    situations: Situations

    def fit(self, vectors: Vectors) -> Floats:
        """How well each memory is of a kind that is wanted; shape (memories,)."""
        mean = self.situations.scale.mean
        products = vectors @ self.statements.T - self.statements @ mean
        apart = np.linalg.norm(vectors - mean, axis=1)
        return np.asarray(products.max(axis=1) / np.maximum(apart, 1e-9) * self.situations.stretch, dtype=np.float64)

    def drawn(self, cosines: Floats, weights: Floats, fits: Floats, shared: Floats) -> Floats:
        """The cosines of memories, drawn towards what fits, weighs and shares subjects."""
        near = cosines + self.pull * (fits + weights) + SUBJECTS * shared
        return np.asarray(np.clip(near / (1 + self.pull), -1.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Situations:
    """What an embedder makes of the table.

    Attributes:
        scale: Of the embedder.
        requests: Shape (requests, dims), centered and of length 1.
        statements: Shape (statements, dims), likewise.
        direction: From what passes to what is needed; of length 1.
        offset: Where on it neither is likelier.
    """

    scale: Scale
    requests: Vectors
    statements: Vectors
    direction: Vector
    offset: float

    @classmethod
    def of(cls, vectors: Vectors, scale: Scale) -> Situations:
        """The situations of the embedder that made these of the table's sentences."""
        told = table()
        ends = [len(told.requests), len(told.requests) + len(told.statements)]
        requests, statements, passing = (_unit(part - scale.mean) for part in np.split(vectors, ends))
        direction = _discriminant(statements, passing)
        offset = float((statements.mean(axis=0) + passing.mean(axis=0)) @ direction / 2)
        return cls(scale, _coarse(requests), _coarse(statements), direction, offset)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], scale: Scale) -> Situations | None:
        """Those that `as_dict` gave; `None` where they are of another version of the table."""
        if kept.get("table") != table().digest:
            return None
        direction = np.frombuffer(base64.b64decode(kept["direction"]), dtype=np.float32)
        requests, statements = (_unpacked(kept[name], len(direction)) for name in ("requests", "statements"))
        return cls(scale, requests, statements, direction, float(kept["offset"]))

    def as_dict(self) -> dict[str, Any]:
        """The situations as JSON knows them, a byte a number."""
        return {
            "table": table().digest,
            "requests": _packed(self.requests),
            "statements": _packed(self.statements),
            "direction": base64.b64encode(self.direction.astype(np.float32).tobytes()).decode(),
            "offset": self.offset,
        }

    @property
    def stretch(self) -> float:
        """What brings cosines from the mean to the usual scale."""
        return USUAL_SPREAD / self.scale.spread

    def wanted(self, query: Vector, lasting: float) -> Wanted:
        """What a request wants known.

        Args:
            query: Its vector.
            lasting: How much of what it wants to look for, from 0 to 1.
        """
        told = table()
        cosines = self.requests @ _unit((query - self.scale.mean)[None])[0] * self.stretch
        near = np.exp((cosines - cosines.max()) / SHARPNESS)
        near /= near.sum()
        want = np.sqrt(np.minimum(near @ told.needs, 1.0))
        some = want[told.kinds] >= LEAST_WANT
        familiar = float(np.clip((cosines.max() - STRANGE) / (FAMILIAR - STRANGE), AT_LEAST, 1.0))
        pull = 2 * lasting * familiar * float(near[told.needs.any(axis=1)].sum())
        return Wanted(
            pull=pull if some.any() else 0.0,
            statements=np.asarray(self.statements[some] * want[told.kinds][some, None], dtype=np.float32),
            situations=self,
        )

    def weights(self, along: Floats, toward: Floats) -> Floats:
        """How much memories weigh, on the usual scale; NaN stays.

        Args:
            along: Of each memory's vector and the direction.
            toward: Of each memory's vector and the ordinary mean.
        """
        mean = self.scale.mean
        apart = np.sqrt(np.maximum(1 - 2 * toward + float(mean @ mean), 1e-9))
        return np.asarray(((along - float(mean @ self.direction)) / apart - self.offset) * self.stretch)


def _discriminant(some: Vectors, others: Vectors) -> Vector:
    """The direction that tells two sorts of vectors apart best."""
    spread = (np.cov(some.T, bias=True) + np.cov(others.T, bias=True)) / 2
    dims = len(spread)
    solid = spread / max(float(np.trace(spread)), 1e-9) + np.eye(dims) / dims
    solved = np.linalg.solve(solid, some.mean(axis=0) - others.mean(axis=0))
    return np.asarray(_unit(solved[None])[0])


def _coarse(vectors: Vectors) -> Vectors:
    """Vectors as they are once they were kept, so that nothing changes with the next process."""
    return _unpacked(_packed(vectors), vectors.shape[1])


def _packed(vectors: Vectors) -> str:
    largest = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-9)
    return base64.b64encode(np.round(vectors / largest * 127).astype(np.int8).tobytes()).decode()


def _unpacked(text: str, dims: int) -> Vectors:
    return _unit(np.frombuffer(base64.b64decode(text), dtype=np.int8).reshape(-1, dims).astype(np.float32))


def _unit(vectors: npt.NDArray[Any]) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), dtype=np.float32)
