"""Which half of a suite `make test` runs on an engine whose two forms are one body over the same engine.

A suite states a property once and tries it in both forms. The dictionary runs all of it. On every other engine each
property is tried in one form, the sync and the async one in turns, and `make soak` tries it in the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

import pytest

from langchain_mem.testing.forms import Suite


def in_turns(forms: Iterable[str], of: str) -> list[Any]:
    """Cases for a parametrized `form`: one of the forms, by the name of the property, and the others for the soak."""
    forms = tuple(forms)
    chosen = crc32(of.encode()) % len(forms)
    return [form if n == chosen else pytest.param(form, marks=pytest.mark.soak) for n, form in enumerate(forms)]


class InTurns(Suite):
    """A suite that `make test` runs in one form for each property."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "form" in metafunc.fixturenames:
            metafunc.parametrize("form", in_turns(self.forms, metafunc.function.__name__))
