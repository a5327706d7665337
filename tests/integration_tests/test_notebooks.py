"""The notebooks do what their kept outputs show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib
import nbformat
import pytest
from ipykernel.inprocess.client import InProcessKernelClient
from ipykernel.inprocess.manager import InProcessKernelManager
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
PICTURES = ("image/png", "text/html")
Shown: TypeAlias = tuple[str, list[str]]
"""What a cell prints, and which kinds of pictures and tables it shows."""


def _shown(outputs: Iterable[Any]) -> Shown:
    outputs = list(outputs)
    printed = "".join(output.get("text", "") for output in outputs)
    return printed, [kind for output in outputs for kind in PICTURES if kind in output.get("data", {})]


def _code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _execute(client: InProcessKernelClient, source: str) -> Shown:
    client.execute(source, store_history=False)
    outputs = []
    while client.iopub_channel.msg_ready():
        message = client.iopub_channel.get_msg()
        assert message["msg_type"] != "error", "\n".join(message["content"]["traceback"])
        outputs.append(message["content"])
    return _shown(outputs)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessKernelManager]:
    """A kernel in this process: it runs cells as any does, and modules are imported once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        matplotlib.use("module://matplotlib_inline.backend_inline")  # what a kernel of its own process is started with
        manager = InProcessKernelManager()
        manager.start_kernel()
        yield manager
        manager.shutdown_kernel()


@pytest.fixture
def run(kernel: InProcessKernelManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Shown]:
    """Gives a function that runs a cell, in an empty folder and a fresh namespace."""
    monkeypatch.chdir(tmp_path)
    shell = kernel.kernel.shell
    shell.user_ns.clear()
    shell.init_user_ns()
    client = kernel.client()
    client.start_channels()
    return lambda source: _execute(client, source)


@pytest.fixture
def database(request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook about Postgres would start a server; here it is given one that runs."""
    if "postgres" in path.stem:
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("fresh_postgres_dsn"))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_fresh_run_prints_what_is_kept(path: Path, run: Callable[[str], Shown]):
    """Run from the top, each cell prints what is stored in it, and shows the same kinds of pictures and tables."""
    for cell in _code(nbformat.read(path, as_version=4)):
        assert (cell.source, run(cell.source)) == (cell.source, _shown(cell.outputs))


@pytest.mark.soak
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_kernel_prints_what_is_kept(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same in a process of its own, as a reader runs it, whose log lines are seen too."""
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))  # elsewhere platformdirs warns about it
    notebook = nbformat.read(path, as_version=4)
    kept = [_shown(cell.outputs) for cell in _code(notebook)]
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [_shown(cell.outputs) for cell in _code(notebook)] == kept
    assert any(printed for printed, _ in kept)
