"""How far it is: counts where somebody watches, and nothing elsewhere."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem.backends.base import Address, Row
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.cli.printing import counting
from langchain_mem.testing import FakeEmbeddings


def test_a_terminal_sees_real_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The bar says how many are done and of how many, on the error stream."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with counting("Importing") as told:
        told(2, 3)
    told_of = capsys.readouterr()
    assert "2/3" in told_of.err
    assert told_of.out == ""


def test_a_pipe_sees_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """What is not a terminal gets no bar."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with counting("Importing") as told:
        told(2, 3)
    assert capsys.readouterr().err == ""


def test_an_import_tells_how_far_it_is():
    """After each piece: how many are done, rising to all there are."""
    with Memory(LongTermStore.in_memory(embed=FakeEmbeddings())) as memory:
        memory.add([f"Fact {number}." for number in range(600)], user_id="alex", infer=False)
        lines, told = memory.export(user_id="alex"), list[tuple[int, int]]()
    with Memory(LongTermStore.in_memory(embed=FakeEmbeddings())) as empty:
        empty.import_(lines, progress=lambda done, total: told.append((done, total)))
    assert told == [(500, 600), (600, 600)]


class _Counting(DictionaryBackend):
    """Counts the rows that were read."""

    read = 0

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        self.read += len(addresses)
        return await super().get(addresses, now)


def test_an_export_writes_while_it_reads():
    """Of 1,200 memories 500 are held at a time: the first are written before the next are read."""
    backend, read_by = _Counting(), list[int]()
    with Memory(LongTermStore(backend, embed=FakeEmbeddings())) as memory:
        memory.add([f"Fact {number}." for number in range(1_200)], user_id="alex", infer=False)
        backend.read = 0

        class File(io.StringIO):
            def write(self, text: str, /) -> int:
                read_by.append(backend.read)
                return super().write(text)

        file, told = File(), list[tuple[int, int]]()
        memory.export_to(file, user_id="alex", progress=lambda done, total: told.append((done, total)))
    assert read_by == [500, 1_000, 1_200]
    assert told == [(500, 1_200), (1_000, 1_200), (1_200, 1_200)]
    assert len(file.getvalue().splitlines()) == 1_200
