"""An index survives as bytes, and bytes from a stranger run no code."""

from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np
import pytest

from langchain_mem.ranking.index import Index, IndexEntry
from langchain_mem.repository.kept import Unreadable, packed, unpacked

TEXTS = ("the cat sat on the mat", "a dog in the fog", "who let the cat out?")


def index(count: int) -> Index[str]:
    made: Index[str] = Index()
    vectors = np.eye(3, dtype=np.float32)[:count]
    entries = [IndexEntry(f"h{n}", f"k{n}", "g" if n else None, n, ("k0",) if n else ()) for n in range(count)]
    made.put(entries, TEXTS[:count], vectors)
    return made


def told(of: Index[str]) -> dict[str, Any]:
    everything = np.ones(of.size, dtype=bool)
    parts = of.parts("cat dog", of.cosines(np.ones(3, dtype=np.float32)), everything)
    return {"handles": sorted(of.handles), "living": of.living.tolist(), "parts": repr(parts)}


@pytest.mark.parametrize("read", [bytes, bytearray])
def test_an_index_comes_back_and_goes_on(read: type[bytes] | type[bytearray]) -> None:
    """It answers as before, and takes in and forgets documents as one that was never away, also where nobody may write
    to the bytes that it was read from."""
    before, after = index(2), unpacked(read(packed(index(2))))
    assert told(after) == told(before)
    for each in (before, after):
        each.put([IndexEntry("h2", "k2", "g", 2, ("k1",))], TEXTS[2:], np.eye(3, dtype=np.float32)[2:])
        each.remove(["h0"])
    assert told(after) == told(before)


class Hostile:
    def __reduce__(self) -> Any:
        return os.getenv, ("HOME",)


@pytest.mark.parametrize("state", [Hostile(), pickle.Unpickler, np.frombuffer], ids=["call", "class", "function"])
def test_nothing_but_an_index_is_made(state: Any) -> None:
    """Whatever else a pickle names is refused, before it is called."""
    with pytest.raises(Unreadable):
        unpacked(packed(state))


def test_what_is_cut_off_is_refused() -> None:
    """Bytes that are not all there are not read."""
    content = packed(index(2))
    for size in (0, 20, len(content) // 2, len(content) - 1):
        with pytest.raises(Unreadable):
            unpacked(content[:size])
