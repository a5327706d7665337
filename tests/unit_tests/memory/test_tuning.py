"""`tune_decay`: decay follows the accesses that happened."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from langchain_mem.decay.policy import Decay
from langchain_mem.errors import InvalidRequest, ScopeError
from tests.memories import Bench

Open = Callable[..., Bench]


def _lived(memory: Bench, **ids: str) -> None:
    """Sixty memories of which a third are used every five weeks: far slower than the default curve expects."""
    memory.add([f"Fact number {number} about tea{number}" for number in range(60)], **ids)
    for _ in range(12):
        memory.clock.advance(days=35)
        for number in range(0, 60, 3):
            memory.search(f"tea{number}", **ids, top_k=1)


def test_too_little_data_is_refused(bench: Open) -> None:
    """Without enough accesses the report says so, and decay stays what it was."""
    memory = bench()
    memory.add("Drinks tea", user_id="alex")
    report = memory.tune_decay(user_id="alex")
    assert (report.applied, memory.memory.decay) == (False, True)
    assert "100" in report.reason


def test_a_slow_life_is_found() -> None:
    """Accesses that come back after weeks stretch the time scale, which is applied and deterministic."""
    memory = Bench()
    _lived(memory, user_id="alex")
    report = memory.tune_decay(user_id="alex")
    assert report.applied
    assert report.time_scale > 2
    assert isinstance(memory.memory.decay, Decay)
    assert memory.memory.decay.time_scale == report.time_scale
    assert memory.tune_decay(user_id="alex").time_scale == pytest.approx(report.time_scale, rel=0.05)


def test_each_app_its_own() -> None:
    """Where decay is set by app, only that app's policy is tuned."""
    memory = Bench(decay={"slow": Decay(floor=0.4), "other": True})
    _lived(memory, app_id="slow")
    assert memory.tune_decay(app_id="slow").applied
    decays = memory.memory.decay
    assert isinstance(decays, dict)
    assert (decays["slow"].floor, decays["slow"].time_scale > 2, decays["other"]) == (0.4, True, True)


def test_what_is_off_is_not_tuned(bench: Open) -> None:
    """Decay that is off must be turned on first, and somebody must be named."""
    with pytest.raises(InvalidRequest, match=r"memory\.decay = True"):
        bench(decay=False).tune_decay(user_id="alex")
    with pytest.raises(ScopeError):
        bench().tune_decay()


def test_setting_it(bench: Open) -> None:
    """`memory.decay` takes a policy, on, off or a mapping, and nothing else."""
    memory = bench()
    for decay in (Decay(strength=0.5), False, True, None, {"app": Decay(), "b": False}):
        memory.memory.decay = decay
        assert memory.memory.decay == decay
    with pytest.raises(InvalidRequest, match="decay"):
        memory.memory.decay = "fast"
