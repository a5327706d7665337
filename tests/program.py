"""The command line in the process of the tests: what a line of arguments prints, and how it ends."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import typer.testing
from typer.main import get_command
from typer.testing import CliRunner, Result

from langchain_mem.cli import app

_made = functools.cache(get_command)


def run(*arguments: str, **given: Any) -> Result:
    """Runs the program through typer's own runner, which would make all of its thirty commands anew for each line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", _made)
        return CliRunner().invoke(app, [*arguments], **given)
