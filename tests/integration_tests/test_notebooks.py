"""The notebooks do what their kept outputs show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def _printed(notebook: Any) -> list[str]:
    """What each code cell prints, and which kinds of pictures it shows."""
    return [
        "".join(output.get("text", "") or ",".join(sorted(output.get("data", {}))) for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_fresh_run_prints_what_is_kept(path: Path, tmp_path: Path) -> None:
    """Running a notebook from the top prints the outputs stored in it."""
    notebook = nbformat.read(path, as_version=4)
    kept = _printed(notebook)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert _printed(notebook) == kept
    assert any(kept)
