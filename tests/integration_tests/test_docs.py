"""The documentation builds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_mem

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    # not --quiet: it hides the warnings that --strict is to count
    result = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    warnings = [line for line in (result.stdout + result.stderr).splitlines() if "WARNING" in line or "ERROR" in line]
    assert (result.returncode, warnings) == (0, [])
    return folder


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    """The reference has every public name, each on one page."""
    pages = [page.read_text("utf-8") for page in (site / "reference").rglob("index.html")]
    documented = set(re.findall(r'id="langchain_mem\.[\w.]*?(\w+)"', "".join(pages)))
    assert set(langchain_mem.__all__) - {"__version__"} <= documented


def test_every_page_is_in_the_navigation(site: Path) -> None:
    """No page can be reached by a search engine only."""
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("nav:")[2].partition("markdown_extensions:")[0]
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if page not in navigation} == set()
