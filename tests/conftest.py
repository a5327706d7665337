"""What holds for all tests."""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """What is imported stays until the end, so the collector of garbage need not look at it between the tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
