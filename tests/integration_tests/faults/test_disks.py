"""A disk that is full, and a folder that may only be read: a small file system, since root may write everything."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem.errors import StoreError
from langchain_mem.testing import FakeEmbeddings

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small file system, which only root may do"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def _fill(filler: Path) -> None:
    """Leaves no room."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 12)):
            pass


def _texts(memory: Memory) -> list[str]:
    return sorted(each["memory"] for each in memory.get_all(user_id="alex", page_size=500)["results"])


def test_a_full_disk(disk: Path) -> None:
    """A write that finds no room is the store's error and leaves nothing; with room again, the next one works."""
    store = LongTermStore.chroma(disk, embed=FakeEmbeddings())
    memory = Memory(store)
    memory.add("Likes tea", infer=False, user_id="alex")
    filler = disk / "filler"
    _fill(filler)
    said = [{"role": "user", "content": f"{word} " + "x" * 300_000} for word in ("one", "two")]
    with pytest.raises(StoreError):
        memory.add(said, infer=False, user_id="alex")
    assert _texts(memory) == ["Likes tea"]
    filler.unlink()
    memory.add("Lives in Oslo", infer=False, user_id="alex")
    assert _texts(memory) == ["Likes tea", "Lives in Oslo"]
    assert memory.search("Oslo", user_id="alex")["results"][0]["memory"] == "Lives in Oslo"
    memory.close()
    store.close()


def test_a_folder_that_may_only_be_read(disk: Path) -> None:
    """Opening it is the store's error, which names the folder; when it may be written again, all is there."""
    with LongTermStore.chroma(disk, embed=FakeEmbeddings()) as store, Memory(store) as memory:
        memory.add("Likes tea", infer=False, user_id="alex")
    while subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True).returncode:
        time.sleep(0.05)  # Chroma closes its files a moment after its client
    store = LongTermStore.chroma(disk, embed=FakeEmbeddings())
    with pytest.raises(StoreError, match=str(disk)):
        Memory(store).add("Lives in Oslo", infer=False, user_id="alex")
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    memory = Memory(store)
    memory.add("Lives in Oslo", infer=False, user_id="alex")
    assert _texts(memory) == ["Likes tea", "Lives in Oslo"]
    memory.close()
    store.close()
