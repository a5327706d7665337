"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)
settings.register_profile("at length", settings.get_profile("any machine"), max_examples=400)
settings.load_profile("any machine")

IN_MEMORY = Path("/dev/shm")
"""Linux's file system in memory. The tests need half a gigabyte in it."""

ONE_CERTIFICATE = Path(__file__).parent / "data" / "certificate.pem"
"""Whom HTTP clients trust. Each would read 140 certificates when it is made, and no test asks anybody outside."""


def _has_room(folder: Path) -> bool:
    """Whether the tests' files have room there, and programs among them may run."""
    if not os.access(folder, os.W_OK):
        return False
    return shutil.disk_usage(folder).free > 2 << 30 and not os.statvfs(folder).f_flag & os.ST_NOEXEC


# SQLite and Postgres wait for the disk at each write, which no property here is about.
if "TMPDIR" not in os.environ and _has_room(IN_MEMORY):
    os.environ["TMPDIR"] = str(IN_MEMORY)
    tempfile.tempdir = None  # asked for before


def _soaking(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "soak")


def pytest_configure(config: pytest.Config) -> None:
    """Has the soak try each law on many more examples than `make test` does, and install packages."""
    if _soaking(config):
        settings.load_profile("at length")
    else:
        os.environ.setdefault("SSL_CERT_FILE", str(ONE_CERTIFICATE))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Makes every law a test of the soak as well."""
    for item in items if _soaking(config) else ():
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.soak)


gc.disable()  # until all is imported


def pytest_collection_finish() -> None:
    """What is imported stays until the end, so the collector of garbage need not look at it between the tests."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)
