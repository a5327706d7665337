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


def test_site_builds(tmp_path: Path) -> None:
    """The site builds without a warning, and its reference has every public name."""
    pytest.importorskip("mkdocs")
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    reference = (tmp_path / "reference" / "index.html").read_text("utf-8")
    documented = set(re.findall(r'id="langchain_mem\.[\w.]*?(\w+)"', reference))
    assert set(langchain_mem.__all__) <= documented
