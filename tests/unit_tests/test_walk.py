"""How far a reader walks to follow an operation does not grow unnoticed."""

from __future__ import annotations

import pytest

from benchmarks.walk import walk


@pytest.mark.parametrize(
    ("way", "files", "moves"),
    [
        ("search", 35, 60),
        ("add", 37, 60),
        ("put", 8, 10),
        ("checkpoint", 2, 2),
        ("where", 3, 14),
        ("sql", 4, 20),
    ],
)
def test_short_ways_stay_short(way: str, files: int, moves: int) -> None:
    """Operations visit so many files at most, and go between them so many times."""
    _, afterwards = walk(way)
    assert 0 < afterwards.visited <= files
    assert afterwards.moves <= moves
