"""What everyday requests need, by the situation they are made in.

"What should I cook tonight?" needs "is allergic to nuts". The two share no word, and their embeddings are far apart.
So a table, `situations.toml`, says what has to be known in situations of everyday life. It has how people ask in each
(`requests`), what may have to be known of them (`needs`, each by `statements` as memories make them), and what is
hardly ever needed (`passing`). Request and memories are compared with it, and no model is asked:

    near(r)   = e^(cosine(query, r) / 0.05), as a share of the same of all requests r of the table
    want(n)   = √min(1, Σ near(r) of the requests that have need n)                           0 where below 0.22
    guess(n)  = √(asking(n)·query), kind(m, n) = telling(n)·m                                 both from 0 to 1
    fit(m)    = the most that want(n)·cosine(m, s) is for a statement s of a need n, + 0.5·Σ guess(n)·kind(m, n)
    weight(m) = worth·m - offset - 0.3·passing(m)               how much it is like statements, and not like passing
    pull      = 2·lasting·familiar·(1 - Σ near(r) of the requests that need nothing: quizzes, greetings, the past)
    familiar  = the highest cosine(query, r) between 0.2 and 0.4, as a share of that span, and 0.4 at least
    semantic  = (cosine(query, m) + pull·(fit(m) + weight(m)) + 0.2·shared(m)) / (1 + pull)

`near` looks for the requests of the table that are most like this one. `asking` and `telling` generalize over them.
They are the ridge regressions (Hoerl and Kennard 1970) of which requests have a need, and of which statements are of
it, on their vectors. So a request that is like none in the table, but a little like many, finds its needs too.

`passing` says how much a memory is of what passes: 1 where its English words say so (`langchain_mem.ranking.passing`),
else how far it lies on that side of a direction that tells `lasting` sentences of the table from `distant` ones, in
whatever languages the embedder knows. It is 0 where the request is about the past. `shared` says how much of the
request's everyday subjects the memory has (`langchain_mem.ranking.subjects`).

All cosines are measured from the mean of ordinary sentences and on the usual scale (`langchain_mem.ranking.scale`).
Both directions are Fisher's linear discriminant of two sorts of sentences (Fisher 1936), with as much of the identity
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
RELATED: Final = 0.5  # of what the regressions guess, beside a cosine's 1
RIDGE_REQUESTS, RIDGE_STATEMENTS = 3.0, 1.0  # of those; a third or three times as much changes little
PASSING: Final = 0.3  # what a memory that passes loses of its weight
PASSES: Final = 0.1  # how far on the side of what passes a memory lies that does so in full
PROBES: Final = 16  # requests by which queries are told from passages: half or twice as many tell nearly the same
SUBJECTS: Final = 0.2  # what sharing a request's everyday subjects brings


class Table(NamedTuple):
    """The table, as arrays beside its sentences.

    Attributes:
        requests: How people ask, all situations one after the other.
        statements: What may have to be known, all needs one after the other.
        passing: What is hardly ever needed.
        distant: The same, of other people, other times and places.
        lasting: What holds for long, beside the statements.
        needs: Shape (requests, needs): which request has which need.
        kinds: Shape (statements,): the number of each statement's need.
        digest: Tells one version of the sentences from another.
    """

    requests: tuple[str, ...]
    statements: tuple[str, ...]
    passing: tuple[str, ...]
    distant: tuple[str, ...]
    lasting: tuple[str, ...]
    needs: Mask
    kinds: npt.NDArray[np.intp]
    digest: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them, in the order in which `Situations.of` takes their vectors."""
        return (*self.requests, *self.told)

    @property
    def told(self) -> tuple[str, ...]:
        """Those that are no requests."""
        return (*self.statements, *self.passing, *self.distant, *self.lasting)

    @property
    def probes(self) -> npt.NDArray[np.intp]:
        """Shape (PROBES,): the numbers of some requests, from all over the table."""
        return np.linspace(0, len(self.requests) - 1, PROBES).astype(np.intp)

    @property
    def kind_of(self) -> Mask:
        """Shape (statements, needs): which statement is of which need."""
        return np.asarray(self.kinds[:, None] == np.arange(self.needs.shape[1]))


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
        distant=tuple(read["distant"]),
        lasting=tuple(read["lasting"]),
        needs=np.array([[name in needs for name in names] for needs, _ in asked], dtype=bool),
        kinds=np.array([number for number, _ in said], dtype=np.intp),
        digest=hashlib.blake2b(json.dumps(read).encode(), digest_size=8).hexdigest(),
    )


class Wanted(NamedTuple):
    """What a request wants known.

    Attributes:
        pull: How much that counts beside the query's own meaning; 0 for not at all.
        statements: Shape (any, dims): what is wanted, each as long as it is wanted.
        guesses: Shape (needs,): how far each need is guessed.
        situations: What the embedder makes of the table.
    """

    pull: float
    statements: Vectors
    guesses: Vector
    situations: Situations

    def fit(self, vectors: Vectors) -> Floats:
        """How well each memory is of a kind that is wanted; shape (memories,)."""
        centered = _unit(vectors - self.situations.scale.mean)
        alike = (centered @ self.statements.T).max(axis=1) * self.situations.stretch
        related = np.clip(centered @ self.situations.telling.T, 0.0, 1.0) @ self.guesses
        return np.asarray(alike + RELATED * related, dtype=np.float64)

    def drawn(self, cosines: Floats, weights: Floats, fits: Floats, shared: Floats) -> Floats:
        """The cosines of memories, drawn towards what fits, weighs and shares subjects."""
        near = cosines + self.pull * (fits + weights) + SUBJECTS * shared
        return np.asarray(np.clip(near / (1 + self.pull), -1.0, 1.0))


class Axis(NamedTuple):
    """What tells two sorts of sentences apart.

    Attributes:
        direction: To the first sort from the second; of length 1.
        offset: Where on it neither is likelier.
    """

    direction: Vector
    offset: float

    @classmethod
    def between(cls, some: Vectors, others: Vectors) -> Axis:
        """To some centered vectors from others."""
        direction = _discriminant(some, others)
        return cls(direction, float((some.mean(axis=0) + others.mean(axis=0)) @ direction / 2))

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Axis:
        """One that `as_dict` gave."""
        return cls(np.frombuffer(base64.b64decode(kept["direction"]), dtype=np.float32), float(kept["offset"]))

    def as_dict(self) -> dict[str, Any]:
        """The axis as JSON knows it."""
        direction = base64.b64encode(self.direction.astype(np.float32).tobytes()).decode()
        return {"direction": direction, "offset": self.offset}


@dataclass(frozen=True, slots=True, eq=False)
class Situations:
    """What an embedder makes of the table.

    Attributes:
        scale: Of the embedder.
        requests: Shape (requests, dims), centered and of length 1.
        statements: Shape (statements, dims), likewise.
        worth: From what passes to what is needed.
        lasting: From what passes, in a wider sense, to what lasts.
        asking: Shape (needs, dims): a request times this guesses whether it has a need.
        telling: Shape (needs, dims): a memory times this guesses whether it is of that need.
    """

    scale: Scale
    requests: Vectors
    statements: Vectors
    worth: Axis
    lasting: Axis
    asking: Vectors
    telling: Vectors

    @classmethod
    def _of(cls, scale: Scale, requests: Vectors, statements: Vectors, worth: Axis, lasting: Axis) -> Situations:
        asking = _regressed(requests, table().needs, RIDGE_REQUESTS)
        telling = _regressed(statements, table().kind_of, RIDGE_STATEMENTS)
        return cls(scale, requests, statements, worth, lasting, asking, telling)

    @classmethod
    def of(cls, vectors: Vectors, scale: Scale, asked: Vectors | None = None) -> Situations:
        """The situations of the embedder that made these of the table's sentences.

        Args:
            vectors: Of the sentences, all embedded as passages.
            scale: Of the embedder.
            asked: Of the requests that are `probes`, embedded as queries, where the embedder tells queries from
                passages: all requests are moved by what these differ from their passages on average.
        """
        told = table()
        if asked is not None:
            vectors = vectors.copy()
            vectors[: len(told.requests)] += (asked - vectors[told.probes]).mean(axis=0)
            vectors = _unit(vectors)
        sorts = (told.requests, told.statements, told.passing, told.distant)
        ends = np.cumsum([len(sort) for sort in sorts])
        requests, statements, passing, distant, lasting = np.split(_unit(vectors - scale.mean), ends)
        return cls._of(
            scale,
            _coarse(requests),
            _coarse(statements),
            Axis.between(statements, passing),
            Axis.between(np.concatenate([statements, lasting]), np.concatenate([passing, distant])),
        )

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], scale: Scale) -> Situations | None:
        """Those that `as_dict` gave; `None` where they are of another version of the table."""
        if kept.get("table") != table().digest:
            return None
        worth, lasting = (Axis.from_dict(kept[name]) for name in ("worth", "lasting"))
        requests, statements = (_unpacked(kept[name], len(worth.direction)) for name in ("requests", "statements"))
        return cls._of(scale, requests, statements, worth, lasting)

    def as_dict(self) -> dict[str, Any]:
        """The situations as JSON knows them, a byte a number."""
        return {
            "table": table().digest,
            "requests": _packed(self.requests),
            "statements": _packed(self.statements),
            "worth": self.worth.as_dict(),
            "lasting": self.lasting.as_dict(),
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
        centered = _unit((query - self.scale.mean)[None])[0]
        cosines = self.requests @ centered * self.stretch
        near = np.exp((cosines - cosines.max()) / SHARPNESS)
        near /= near.sum()
        want = np.sqrt(np.minimum(near @ told.needs, 1.0))
        some = want[told.kinds] >= LEAST_WANT
        familiar = float(np.clip((cosines.max() - STRANGE) / (FAMILIAR - STRANGE), AT_LEAST, 1.0))
        pull = 2 * lasting * familiar * float(near[told.needs.any(axis=1)].sum())
        return Wanted(
            pull=pull if some.any() else 0.0,
            statements=np.asarray(self.statements[some] * want[told.kinds][some, None], dtype=np.float32),
            guesses=np.asarray(np.sqrt(np.clip(self.asking @ centered, 0.0, 1.0)), dtype=np.float32),
            situations=self,
        )

    def weights(self, along: Floats, toward: Floats) -> Floats:
        """How much memories weigh, on the usual scale; NaN stays.

        Args:
            along: Of each memory's vector and the direction of `worth`.
            toward: Of each memory's vector and the ordinary mean.
        """
        return self._on(self.worth, along, toward)

    def passing(self, along: Floats, toward: Floats) -> Floats:
        """How much of what passes memories are, from 0 to 1; NaN stays.

        Args:
            along: Of each memory's vector and the direction of `lasting`.
            toward: Of each memory's vector and the ordinary mean.
        """
        return np.asarray(np.clip(-self._on(self.lasting, along, toward) / PASSES, 0.0, 1.0))

    def _on(self, axis: Axis, along: Floats, toward: Floats) -> Floats:
        """Where memories lie on an axis, on the usual scale."""
        mean = self.scale.mean
        apart = np.sqrt(np.maximum(1 - 2 * toward + float(mean @ mean), 1e-9))
        return np.asarray(((along - float(mean @ axis.direction)) / apart - axis.offset) * self.stretch)


def _discriminant(some: Vectors, others: Vectors) -> Vector:
    """The direction that tells two sorts of vectors apart best."""
    spread = (np.cov(some.T, bias=True) + np.cov(others.T, bias=True)) / 2
    dims = len(spread)
    solid = spread / max(float(np.trace(spread)), 1e-9) + np.eye(dims) / dims
    solved = np.linalg.solve(solid, some.mean(axis=0) - others.mean(axis=0))
    return np.asarray(_unit(solved[None])[0])


def _regressed(vectors: Vectors, of: Mask, ridge: float) -> Vectors:
    """Ridge regression of what rows of vectors are, by rows: solved for as many unknowns as there are vectors."""
    solved = np.linalg.solve(vectors @ vectors.T + ridge * np.eye(len(vectors)), of.astype(np.float64))
    return np.asarray(solved.T @ vectors, dtype=np.float32)


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
