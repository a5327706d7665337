"""Regular expressions that wait for their first use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import langchain_mem
from langchain_mem._regex import _Regex, regex

ROOT = Path(langchain_mem.__file__).parent


def test_an_error_is_raised_at_the_first_use():
    """The definition costs nothing: what cannot be compiled is noticed by a search."""
    broken = regex("(")
    with pytest.raises(re.error):
        broken.search("text")


def _patterns(value: Any) -> Iterator[_Regex]:
    """Those in a value, in lists and mappings and rules of them."""
    if isinstance(value, _Regex):
        yield value
    elif isinstance(value, Mapping):
        yield from _patterns(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _patterns(each)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _patterns([getattr(value, each.name) for each in fields(value)])


def test_every_pattern_compiles():
    """A pattern no other test uses would fail its user only. None warns either: warnings are errors here."""
    found = {}
    for path in [*(ROOT / "extraction").glob("*.py"), *(ROOT / "ranking").glob("*.py")]:
        module = import_module(f"langchain_mem.{path.parent.name}.{path.stem}")
        found |= {id(each): each for each in _patterns(list(vars(module).values()))}
    assert len(found) > 200
    for each in found.values():
        assert isinstance(each._compiled, re.Pattern)
