"""What the documentation shows is what happens."""

from __future__ import annotations

import doctest
import importlib
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from pytest_examples import CodeExample, EvalExample, find_examples

from langchain_mem.testing import OpenAIPeer

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "langchain_mem"


ON_POSTGRES = ROOT / "docs" / "guides" / "postgres.md"
"""The page that needs a server: tests/integration_tests/test_guides.py runs it."""


def pages(*where: Path) -> list[list[CodeExample]]:
    """The fenced Python blocks of these files and folders, page by page."""
    return [list(page) for _, page in groupby(find_examples(*where), key=lambda block: block.path)]


def _pages() -> list[list[CodeExample]]:
    found = pages(ROOT / "README.md", ROOT / "docs", PACKAGE)
    return [page for page in found if page[0].path != ON_POSTGRES]


def _name(page: list[CodeExample]) -> str:
    return str(page[0].path.relative_to(ROOT))


def _modules_with_doctests() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text("utf-8")]


def _is_skipped(block: CodeExample) -> bool:
    settings = block.prefix_settings()
    if settings.get("test") != "skip":
        return False
    assert settings.get("reason"), f'{block}: test="skip" needs a reason="..."'
    return True


@pytest.fixture
def main_module_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """An example runs as `__main__`; afterwards the test runner is that again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def _said(messages: list[BaseMessage]) -> Any:
    """What the model says: to an extraction what it finds, to a question what it was reminded of."""
    last = messages[-1].text
    if "<conversation>" in last:
        fact = {"action": "add", "text": "Takes the quiet coach", "evidence": [0]}
        return {"operations": [fact] if "I always take the quiet coach" in last.partition("<conversation>")[2] else []}
    return "The quiet coach, as always." if "- Takes the quiet coach" in last else "Noted."


@pytest.fixture
def openai_at_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where an example names OpenAI's models, its real client talks to a peer on this machine."""
    with OpenAIPeer(otherwise=_said) as peer:
        monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        yield


@pytest.mark.usefixtures("main_module_kept", "openai_at_hand")
@pytest.mark.parametrize("page", _pages(), ids=_name)
def test_page(
    page: list[CodeExample], eval_example: EvalExample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page run one after the other, as a reader would run them, and print what they say."""
    monkeypatch.chdir(tmp_path)
    run_page(page, eval_example)


def run_page(page: list[CodeExample], eval_example: EvalExample) -> None:
    """Runs a page's blocks in one namespace and compares what they print."""
    eval_example.set_config(line_length=120)
    names: dict[str, object] = {}
    for block in page:
        if not _is_skipped(block):
            names |= eval_example.run_print_check(block, module_globals=names)


@pytest.mark.parametrize("path", _modules_with_doctests(), ids=lambda path: str(path.relative_to(ROOT)))
def test_doctests(path: Path) -> None:
    """Every `>>>` of a module is found, runs, and gives what stands below it."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
    assert results.attempted == sum(line.strip().startswith(">>> ") for line in path.read_text("utf-8").splitlines())
