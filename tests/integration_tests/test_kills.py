"""A kill, and with the soak tests a few of each kind; `python -m benchmarks.kills` does some hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def _killed(*arguments: str) -> dict[str, object]:
    """The report of a run. It is a process of its own, since it forks, and this one may have threads."""
    command = [sys.executable, "-m", "benchmarks.kills", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    report: dict[str, object] = json.loads(done.stdout or "{}")
    assert report.get("problems") == [], report or done.stderr
    return report


def test_operations_on_chroma() -> None:
    """What was acknowledged is there after each kill, and the step under way whole or not at all."""
    assert _killed("operations", "--engine", "chroma", "--kills", "1")["kills"] == 1


@pytest.mark.soak
def test_operations_on_postgres(postgres_dsn: str) -> None:
    """The same on Postgres."""
    assert _killed("operations", "--engine", "postgres", "--dsn", postgres_dsn, "--kills", "2")["kills"] == 2


@pytest.mark.soak
def test_in_the_background() -> None:
    """A message is pending or its fact is there, and a sweep takes nothing that stays."""
    assert _killed("background", "--kills", "6")["kills"] == 6


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["chroma", "postgres"])
def test_upkeep(engine: str, postgres_dsn: str) -> None:
    """Compaction, imports and migrations that were broken off have lost nothing, and are completed."""
    assert _killed("upkeep", "--engine", engine, "--dsn", postgres_dsn, "--kills", "6")["kills"] == 6
