"""The backend that docs/stores.md shows does all that one without abilities has to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, LongTermStoreConformance
from tests.turns import InTurns

PAGE = Path(__file__).parents[3] / "docs" / "stores.md"


@pytest.fixture(scope="module")
def documented() -> Any:
    """`FileBackend`, as the page has it."""
    block = next(block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "class File" in block)
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    return names["FileBackend"]


class TestDocumentedBackend(InTurns, LongTermStoreConformance):
    examples = 5

    @pytest.fixture
    def open_store(self, documented: Any, tmp_path: Path, clock: FakeClock) -> Callable[..., LongTermStore]:
        return lambda **config: LongTermStore(documented(tmp_path / "rows"), clock=clock, **config)
