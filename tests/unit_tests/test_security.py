"""What `SECURITY.md` says of dependencies is what `pyproject.toml` has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOR_TESTS = {"agents", "soak", "dev"}
"""Extras that nobody needs who uses the package."""


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]


def test_every_dependency_is_listed_with_its_reason() -> None:
    """None is unlisted, and none is listed that is gone; extras are named beside theirs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {(_name(each), "") for each in project["dependencies"]}
    for extra, each_extra in project["optional-dependencies"].items():
        needed |= {(_name(each), extra) for each in each_extra if extra not in FOR_TESTS}
    table = (ROOT / "SECURITY.md").read_text("utf-8").partition("## Dependencies")[2]
    listed = set()
    for row in re.findall(r"^\| (`[^|]+) \|([^|]+)\|([^|]+)\|$", table, re.MULTILINE):
        extra = re.search(r"\(`(\w+)`\)", row[0])
        names = re.findall(r"`([\w-]+)`", row[0].partition("(")[0])
        listed |= {(name, extra[1] if extra else "") for name in names}
        assert row[1].strip()
        assert row[2].strip()
    assert listed == needed
