"""all-MiniLM-L6-v2 in NumPy: a text becomes a unit vector of 384 numbers.

The model is BERT (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", arXiv:1810.04805) with six
layers, whose outputs are averaged over the text and scaled to unit length (Reimers and Gurevych, "Sentence-BERT",
arXiv:1908.10084). One layer, for tokens `x` of shape (batch, length, 384), is (Vaswani et al., arXiv:1706.03762):

    a = norm(x + dense(softmax(q kᵀ / √32) v))          q, k, v: 12 heads of 32 numbers, each a dense(x)
    x = norm(a + dense(gelu(dense(a))))                 384 -> 1536 -> 384

Only the arithmetic is written here; tokens and weights are read from the model's own files. Written out because the
libraries that otherwise run it take seconds to import, and a small model on a CPU gains nothing from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Floats: TypeAlias = NDArray[np.float32]

DIMS: Final = 384
LAYERS: Final = 6
HEADS: Final = 12
MAX_TOKENS: Final = 256
"""The rest of a longer text is not seen, as the model's own configuration has it."""

BATCH: Final = 32
"""Texts computed at once; the largest intermediate is BATCH × HEADS × MAX_TOKENS² floats, 100 MB."""


class MiniLM:
    """The model, loaded. It is read only: threads may share it.

    Args:
        folder: Holds `tokenizer.json` and `model.safetensors` as sentence-transformers publishes them.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._weights: dict[str, Floats] = load_file(folder / "model.safetensors")

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Embeds texts.

        Args:
            texts: At least one. Texts of similar length are computed together, so that little padding is.

        Returns:
            Shape (n, 384): one unit-length row for each text.
        """
        # Text by text: in batches the tokenizer starts threads, and then warns in a process that forks later.
        tokens = [self._tokenizer.encode(text).ids for text in texts]
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        vectors = np.empty((len(tokens), DIMS), np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            vectors[batch] = self._embed([tokens[index] for index in batch])
        return vectors

    def _embed(self, tokens: list[list[int]]) -> Floats:
        ids, mask = _padded(tokens)
        mean = (self._encode(ids, mask) * mask[..., None]).sum(axis=1)  # the count cancels in the unit length
        return _floats(mean / np.linalg.norm(mean, axis=1, keepdims=True))

    def _encode(self, ids: NDArray[np.int64], mask: Floats) -> Floats:
        """Shapes (batch, length) -> (batch, length, 384): what each token means in its text."""
        words, positions, kinds = (
            self._weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        )
        x = self._norm(words[ids] + positions[: ids.shape[1]] + kinds[0], "embeddings.LayerNorm")
        unseen = (mask[:, None, None, :] - 1) * np.float32(1e9)
        for layer in range(LAYERS):
            x = self._layer(x, unseen, f"encoder.layer.{layer}.")
        return x

    def _layer(self, x: Floats, unseen: Floats, layer: str) -> Floats:
        query, key, value = (
            _heads(self._dense(x, f"{layer}attention.self.{name}")) for name in ("query", "key", "value")
        )
        seen = _softmax(query @ _contiguous(key.swapaxes(2, 3)) * np.float32(1 / math.sqrt(DIMS / HEADS)) + unseen)
        attended = (seen @ value).swapaxes(1, 2).reshape(x.shape)
        x = self._add(x, attended, f"{layer}attention.output.")
        return self._add(x, _gelu(self._dense(x, f"{layer}intermediate.dense")), f"{layer}output.")

    def _add(self, x: Floats, change: Floats, name: str) -> Floats:
        return self._norm(x + self._dense(change, f"{name}dense"), f"{name}LayerNorm")

    def _dense(self, x: Floats, name: str) -> Floats:
        rows = x.reshape(-1, x.shape[-1]) @ self._weights[f"{name}.weight"].T  # as one matrix: several times faster
        return _floats((rows + self._weights[f"{name}.bias"]).reshape(*x.shape[:-1], -1))

    def _norm(self, x: Floats, name: str) -> Floats:
        centered = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(np.square(centered).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        return _floats(centered / deviation * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"])


def _padded(tokens: list[list[int]]) -> tuple[NDArray[np.int64], Floats]:
    """Token ids, and 1 where there is a token: both of shape (batch, longest)."""
    shape = len(tokens), max(map(len, tokens))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask


def _heads(x: Floats) -> Floats:
    """Shapes (batch, length, 384) -> (batch, 12, length, 32)."""
    return _contiguous(x.reshape(*x.shape[:2], HEADS, -1).swapaxes(1, 2))


def _softmax(x: Floats) -> Floats:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return _floats(powers / powers.sum(axis=-1, keepdims=True))


def _gelu(x: Floats) -> Floats:
    """`x Φ(x)`, Φ the normal distribution (Hendrycks and Gimpel, arXiv:1606.08415)."""
    return _floats(x * (1 + _erf(x * np.float32(math.sqrt(0.5)))) / 2)


def _erf(x: Floats) -> Floats:
    """The error function to 1.5e-7, about float32's own precision (Abramowitz and Stegun 1964, formula 7.1.26)."""
    t = _floats(1 / (1 + np.float32(0.3275911) * np.abs(x)))
    series = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = _floats((series + np.float32(coefficient)) * t)
    return _floats(np.copysign(1 - series * np.exp(-np.square(x)), x))


def _contiguous(x: Floats) -> Floats:
    """A copy in row order: NumPy multiplies other stacks of matrices without BLAS, many times slower."""
    return np.ascontiguousarray(x)


def _floats(x: NDArray[np.floating[Any]]) -> Floats:
    return x.astype(np.float32, copy=False)
