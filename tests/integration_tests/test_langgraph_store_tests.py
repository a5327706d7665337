"""LangGraph's own store tests on our engines, as they come with the source distributions of the installed versions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGES = {
    "langgraph-checkpoint": ["test_store.py"],
    "langgraph-checkpoint-sqlite": ["test_store.py", "test_async_store.py", "test_ttl.py"],
    "langgraph-checkpoint-postgres": ["test_store.py", "test_async_store.py"],
}
"""Which tests of which package are about stores."""

# The conftest of LangGraph's Postgres tests connects to a server of its own; this one names what the tests import.
CONFTEST = """
import pytest
from tests.embed_test_utils import CharacterEmbeddings

DEFAULT_URI = "postgres://nobody/nothing"
VECTOR_TYPES = ["vector", "halfvec"]

@pytest.fixture
def fake_embeddings():
    return CharacterEmbeddings(dims=500)
"""


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distributions, and `pytest-mock`, which their tests use. Skips where no index is reached."""
    folder = tmp_path_factory.mktemp("langgraph")
    pinned = [f"{name}=={version(name)}" for name in PACKAGES]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    commands = [
        [*pip, "download", "--no-deps", "--no-binary", ",".join(PACKAGES), "--dest", str(folder), *pinned],
        [*pip, "install", "--no-deps", "--target", str(folder / "extra"), "pytest-mock"],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"The package index does not give LangGraph's tests: {done.stderr[-200:]}")
    for archive in folder.glob("*.tar.gz"):
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
    return folder


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["dictionary", "chroma", "postgres"])
@pytest.mark.parametrize("package", PACKAGES)
def test_langgraphs_own(engine: str, package: str, sources: Path, request: pytest.FixtureRequest) -> None:
    """Every test passes, but for those that the plugin lists with the reason."""
    folder = sources / f"{package.replace('-', '_')}-{version(package)}"
    if package.endswith("postgres"):
        (folder / "tests" / "conftest.py").write_text(CONFTEST)
    dsn = request.getfixturevalue("postgres_dsn") if engine == "postgres" else ""
    path = [str(HERE.parent.parent), str(HERE), str(sources / "extra")]
    options = ["-p", "langgraph_suite", "-p", "pytest_mock", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-q", "--tb=short", "-c", os.devnull, "--rootdir", str(folder)]
        + [f"tests/{name}" for name in PACKAGES[package]],
        cwd=folder,
        env={**os.environ, "STORE_ENGINE": engine, "STORE_DSN": dsn, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5_000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 50  # type: ignore[index]
