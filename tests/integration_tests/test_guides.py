"""The guides that need a server do what they show."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_examples import EvalExample

from tests.unit_tests.test_examples import ON_POSTGRES, pages, run_page


def test_on_postgres(
    eval_example: EvalExample, fresh_postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The guide's blocks run one after the other on an empty database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", fresh_postgres_dsn)
    (page,) = pages(ON_POSTGRES)
    run_page(page, eval_example)
