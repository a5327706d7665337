"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

IN_MEMORY = Path("/dev/shm")
"""Linux's file system in memory. The tests need half a gigabyte in it."""


def _has_room(folder: Path) -> bool:
    """Whether the tests' files have room there, and programs among them may run."""
    if not os.access(folder, os.W_OK):
        return False
    return shutil.disk_usage(folder).free > 2 << 30 and not os.statvfs(folder).f_flag & os.ST_NOEXEC


# SQLite and Postgres wait for the disk at each write, which no property here is about.
if "TMPDIR" not in os.environ and _has_room(IN_MEMORY):
    os.environ["TMPDIR"] = str(IN_MEMORY)
    tempfile.tempdir = None  # asked for before


def pytest_collection_finish() -> None:
    """What is imported stays until the end, so the collector of garbage need not look at it between the tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
