"""Auto-tuning: a planted time scale is found, and too little data is refused."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from langchain_mem.decay.fit import FitReport
from langchain_mem.decay.policy import Decay
from langchain_mem.errors import InvalidRequest

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def lifetime(decay: Decay, rng: random.Random, sharpness: float) -> list[datetime]:
    """The touches of one memory whose accesses come at the rate 0.3 a day · (factor / ceiling)^sharpness.

    Simulated by thinning (Lewis and Shedler, Naval Research Logistics Quarterly 26(3), 1979): candidates come at the
    greatest rate there can be, and each is kept with the probability that its own rate is of that. Only the public
    `factor` is used, so nothing of how the fit integrates is taken for granted.
    """
    touches = [NOW - DAY * rng.uniform(0, 720)]
    candidate = touches[0]
    while (candidate := candidate + DAY * rng.expovariate(0.3)) < NOW:
        if rng.random() < (decay.factor(touches[-20:], candidate) / decay.ceiling) ** sharpness:
            touches.append(candidate)
    return touches


@cache
def workload(time_scale: float, seed: int, accesses: int = 2000, sharpness: float = 3.0) -> Sequence[list[datetime]]:
    """Memories with so many accesses in all, the never accessed ones among them."""
    decay, rng, histories = Decay(time_scale=time_scale), random.Random(seed), []
    while accesses > 0:
        histories.append(lifetime(decay, rng, sharpness))
        accesses -= len(histories[-1]) - 1
    return histories


@cache
def fitted(time_scale: float, seed: int) -> tuple[Decay, FitReport]:
    """What a fit makes of the workload of 2,000 accesses."""
    return Decay.fit(workload(time_scale, seed), NOW)


@pytest.mark.parametrize("planted", [0.3, 2.0, 6.0])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_a_planted_time_scale_is_found(planted, seed):
    """From 2,000 accesses the time scale comes back within 20 %, inside the range called plausible, and is applied."""
    decay, report = fitted(planted, seed)
    assert report.applied
    assert decay.time_scale == report.time_scale == pytest.approx(planted, rel=0.2)
    assert 2000 <= report.observations < 2200
    low, high = report.plausible
    assert low <= report.time_scale <= high


@pytest.mark.parametrize("planted", [0.3, 6.0])
def test_the_fit_holds_on_held_out_accesses(planted):
    """Accesses of other memories, not seen by the fit, are likelier under it than under the default."""
    decay, _ = fitted(planted, 0)
    held_out = workload(planted, seed=3, accesses=500)
    assert decay.log_likelihood(held_out, NOW) > Decay().log_likelihood(held_out, NOW) + 5


def test_the_twenty_newest_touches_are_enough():
    """Histories cut to what is kept on record still give the time scale within 20 %."""
    cut = [history[-20:] for history in workload(6.0, seed=0)]
    decay, report = Decay.fit(cut, NOW)
    assert report.applied
    assert decay.time_scale == pytest.approx(6.0, rel=0.2)


def test_the_report_says_what_was_gained():
    """Likelihoods in the report are those of the returned policy and of the default."""
    histories = workload(0.3, seed=5, accesses=300)
    decay, report = Decay.fit(histories, NOW)
    assert report.log_likelihood == pytest.approx(decay.log_likelihood(histories, NOW))
    assert report.default_log_likelihood == pytest.approx(Decay().log_likelihood(histories, NOW))
    assert f"{report.log_likelihood - report.default_log_likelihood:.1f} nats" in report.reason


def test_the_likeliest_scale_is_likelier_than_its_neighbors():
    """No scale around the one found is likelier."""
    histories = workload(2.0, seed=6, accesses=500)
    decay, report = Decay.fit(histories, NOW)
    for factor in (0.5, 0.8, 0.95, 1.05, 1.25, 2.0):
        neighbor = Decay(time_scale=decay.time_scale * factor)
        assert neighbor.log_likelihood(histories, NOW) <= report.log_likelihood


def test_the_fit_is_deterministic():
    """The same histories, in any order, give the same policy."""
    histories = workload(2.0, seed=7, accesses=300)
    policy, report = Decay.fit(histories, NOW)
    assert Decay.fit(histories, NOW) == (policy, report)
    shuffled = [history[::-1] for history in reversed(histories)]
    assert Decay.fit(shuffled, NOW)[1].time_scale == pytest.approx(report.time_scale, rel=1e-6)


@pytest.mark.parametrize("histories", [[], [[]], [[NOW]], [[NOW - DAY, NOW]] * 99])
def test_too_little_data_is_refused(histories):
    """Below 100 observations the default comes back, and the report says why."""
    decay, report = Decay.fit(histories, NOW)
    assert decay == Decay()
    assert not report.applied
    assert report.time_scale == 1.0
    assert f"{report.observations} observations; at least 100 are needed" in report.reason


def test_accesses_that_ignore_idle_time_are_refused():
    """Where accesses come at random, no time scale explains them, and the fit says so."""
    decay, report = Decay.fit(workload(1.0, seed=8, accesses=500, sharpness=0.0), NOW)
    assert decay == Decay()
    assert "do not follow idle time" in report.reason


def test_a_workload_like_the_default_keeps_the_default():
    """Where the default is as good as any, it stays, and the report says what it would have gained."""
    decay, report = Decay.fit(workload(1.0, seed=9), NOW)
    assert decay == Decay()
    assert report.time_scale == pytest.approx(1.0, rel=0.2)
    assert report.log_likelihood - report.default_log_likelihood < 1.92
    assert "at least 1.92 are needed" in report.reason


def test_the_base_keeps_its_other_settings():
    """Only the time scale is fitted; what the base says otherwise stays, and it is the default compared with."""
    histories = workload(6.0, seed=0)
    base = Decay(categories={"health": 0.25}, time_scale=0.5, strength=1.5)
    decay, report = Decay.fit(histories, NOW, base=base)
    assert (decay.categories, decay.strength) == (base.categories, base.strength)
    assert decay.time_scale == pytest.approx(6.0, rel=0.25)
    assert report.default_log_likelihood == pytest.approx(base.log_likelihood(histories, NOW))


def test_a_second_fit_changes_nothing():
    """A policy already fitted to its accesses is kept."""
    histories = workload(6.0, seed=0)
    before, _ = fitted(6.0, 0)
    again, report = Decay.fit(histories, NOW, base=before)
    assert again is before
    assert not report.applied


def test_unbelievable_touches_are_not_observations():
    """A touch far ahead of the end is ignored, one slightly ahead is an access at the end."""
    real = [NOW - 3 * DAY, NOW - DAY]
    _, report = Decay.fit([[*real, NOW + DAY], [*real, NOW + timedelta(minutes=3)]], NOW)
    assert report.observations == 1 + 2


def test_the_likelihood_is_that_of_the_process():
    """For memories accessed at random on a flat curve it is the Poisson likelihood, N ln(N / T) - N."""
    flat = Decay(strength=0)
    histories = [[NOW - 10 * DAY, NOW - 4 * DAY], [NOW - 6 * DAY]]
    # One access in 10 + 6 days of watching: ln(1 / 1,382,400 s) - 1 = -14.1393 - 1
    assert flat.log_likelihood(histories, NOW) == pytest.approx(-15.1393, abs=1e-3)


def test_the_likelihood_agrees_with_the_factor_summed_in_small_steps():
    """Σ ln λ - ∫ λ with λ = c · factor^b, taken from `factor` every ten minutes, is the same at the best c and b."""
    touches = [NOW - timedelta(days=day) for day in (40, 39.9, 39.8, 39.7, 39.6, 36, 35.9, 20, 19)]
    step = timedelta(minutes=10)
    at_accesses = [Decay().factor(touches[:count], touches[count]) for count in range(1, len(touches))]
    middles = [touches[0] + step * (index + 0.5) for index in range(round((NOW - touches[0]) / step))]
    watched = [Decay().factor([touch for touch in touches if touch < middle], middle) for middle in middles]

    def likelihood(sharpness: float) -> float:
        integral = sum(factor**sharpness for factor in watched) * step.total_seconds()
        logs = sum(math.log(len(at_accesses) / integral * factor**sharpness) for factor in at_accesses)
        return logs - len(at_accesses)

    best = max(likelihood(tenths / 10) for tenths in range(161))
    # Ages are counted in bins of 2 %, worth 0.014 nats here; leaving frequency out of the age would be worth 0.36.
    assert Decay().log_likelihood([touches], NOW) == pytest.approx(best, abs=0.03)


def test_without_accesses_the_likelihood_is_that_of_a_certainty():
    """Nothing observed is neither likely nor unlikely: 0 nats."""
    assert Decay().log_likelihood([[NOW - DAY]], NOW) == 0.0
    assert Decay().log_likelihood([[NOW, NOW]], NOW) == 0.0


def test_naive_histories_are_refused():
    """A touch without a zone is refused, as everywhere."""
    with pytest.raises(InvalidRequest, match="allowed: an aware datetime"):
        Decay.fit([[NOW.replace(tzinfo=None)]], NOW)
