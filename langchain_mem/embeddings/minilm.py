"""all-MiniLM-L6-v2 in ONNX Runtime: a text becomes a unit vector of 384 numbers.

The model is BERT with six layers, whose outputs are averaged over the text and scaled to unit length (Reimers and
Gurevych, "Sentence-BERT", arXiv:1908.10084). The arithmetic of the layers is a file: Chroma's copy holds it together
with the weights; `minilm.onnx` beside this module holds it alone, for weights that come as safetensors. That file is
written by `scripts/minilm_graph.py`, where the formulas are.

Measured on two cores against the same weights in NumPy, one thread each: a query took 5 ms and not 10, 64 sentences
200 ms and not 570. Against Chroma's own embedding function, which pads each text to 256 tokens, with two threads: a
query 2.7 ms and not 22, 64 sentences 110 ms and not 3,700; 200 MB of memory and not 710.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

# From 1.29 on ONNX Runtime reports its use to its maker, on a thread with which a forked process cannot end. This
# package reports nothing to anybody. The variable is read when the library is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime  # type: ignore[import-untyped]

Floats: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]

DIMS: Final = 384
MAX_TOKENS: Final = 256
"""The rest of a longer text is not seen, as the model's own configuration has it."""

BATCH: Final = 32
"""Texts computed at once; the largest intermediate is BATCH × 12 heads × MAX_TOKENS² floats, 100 MB."""

_UNUSED: Final = ("pooler.", "embeddings.position_ids")


class MiniLM:
    """The model, loaded. It is read only: threads may share it.

    Args:
        session: Gives `last_hidden_state` of shape (batch, length, 384) for token ids.
        tokenizer: The path of `tokenizer.json`.
    """

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Path) -> None:
        self._session = session
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    @classmethod
    def from_onnx(cls, folder: Path) -> MiniLM:
        """Loads `model.onnx` and `tokenizer.json`, as Chroma publishes them."""
        return cls(_session(str(folder / "model.onnx"), _quiet()), folder / "tokenizer.json")

    @classmethod
    def from_safetensors(cls, folder: Path) -> MiniLM:
        """Loads `model.safetensors` and `tokenizer.json`, as sentence-transformers publishes them."""
        graph = files("langchain_mem.embeddings").joinpath("minilm.onnx").read_bytes()
        options = _quiet()
        names, values = _weights(folder / "model.safetensors")
        options.add_external_initializers(names, values)  # `values` must live until the session is made
        return cls(_session(graph, options), folder / "tokenizer.json")

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
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        outputs: Any = self._session.run(["last_hidden_state"], inputs)
        mean = (outputs[0] * mask[..., None]).sum(axis=1)  # the count cancels in the unit length
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)


def _padded(tokens: list[list[int]]) -> tuple[Integers, Integers]:
    """Token ids, and 1 where there is a token: both of shape (batch, longest)."""
    shape = len(tokens), max(map(len, tokens))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: it warns of what it optimizes
    # Threads that wait sleep, and do not spin: a query takes half a millisecond longer and a third of the processor.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _session(model: str | bytes, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _weights(path: Path) -> tuple[list[str], list[onnxruntime.OrtValue]]:
    """The weights by name, dense ones transposed as the graph multiplies them; one at a time, to spare memory."""
    from safetensors import safe_open

    names, values = [], []
    with safe_open(path, "numpy") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - no mapping
            if not name.startswith(_UNUSED):
                names.append(name)
                values.append(onnxruntime.OrtValue.ortvalue_from_numpy(_multiplied(name, tensors.get_tensor(name))))
    return names, values


def _multiplied(name: str, weight: Floats) -> Floats:
    dense = weight.ndim == 2 and not name.startswith("embeddings.")
    return np.ascontiguousarray(weight.T) if dense else weight
