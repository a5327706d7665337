"""Runs notebooks from the top and keeps what they print and draw: `python scripts/run_notebooks.py [NAME.ipynb ...]`.

Each runs in a kernel of its own, in an empty folder. Without names it runs all of `notebooks/`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def run(path: Path) -> float:
    """Executes a notebook, writes it back, and gives the seconds it took."""
    notebook = nbformat.read(path, as_version=4)
    begun = time.perf_counter()
    with TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
    nbformat.write(notebook, path)
    return time.perf_counter() - begun


def main(names: list[str]) -> None:
    for path in [Path(name) for name in names] or sorted(NOTEBOOKS.glob("*.ipynb")):
        print(f"{path.name}: {run(path):.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
