"""The time scale under which the accesses that happened were most likely: what `Decay.fit` runs.

The accesses of a memory are taken for a point process. At an instant t, given the touches before it, their rate is

    λ(t) = c · curve(e(t) / s)^b

with e(t) the effective age at that instant and s the time scale. The factor is a compressed need probability (its band
is narrow, for decay is a bias), so how sharply accesses follow it is estimated, not assumed: b, like the overall rate
c, is a nuisance parameter, at its most likely value for each s and for the default alike. With c = N / ∫ curve^b, the
log-likelihood Σ ln λ - ∫ λ of a point process becomes

    N ln N - N + b Σ_i ln curve(e_i / s) - N ln ∫ curve(e(t) / s)^b dt

Sum and integral depend on the data only through e, so the data are summed up once, in a life table: how many accesses
came, and how many seconds passed, at each effective age. What identifies s is where along the age axis the curve bends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.decay.curve import CLOCK_SKEW, EXPONENT, FREQUENCY

Curve: TypeAlias = Callable[[float], float]
"""The factor at an effective age in seconds."""

FloatArray = npt.NDArray[np.float64]
"""A vector, shape (n,), unless said otherwise."""

ENOUGH: Final = 100
"""Fewer observations than this place no bend of the curve."""

SIGNIFICANT: Final = 1.92
"""Nats: half the 95 % point of χ² with one degree of freedom (Wilks, Annals of Mathematical Statistics 9(1), 1938).

A scale is plausible within this of the best; the best is applied where the base is not plausible.
"""

SCALES: Final = 10.0 ** np.linspace(-2, 2, 81)
"""Where the likelihood is looked at first; it may have more than one hill, so it is not climbed from one place."""

_BIN: Final = 0.02  # width of a bin of the life table, in ln seconds: 2 % of an age
_LOG_AGES: Final = np.arange(-0.5, 23.0, _BIN)  # middles of the bins: half a second to three centuries
_STEP: Final = 0.1  # width of an integration step, in ln(1 s + idle time)
_SHARPEST: Final = 16.0  # the greatest b tried; the default band to that power spans eleven orders of magnitude
_GOLDEN: Final = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """What `Decay.fit` found.

    Log-likelihoods are in nats, and comparable only with each other.
    """

    log_likelihood: float
    """Of the observed accesses under the best time scale."""
    default_log_likelihood: float
    """Of the same accesses under the policy the fit started from."""
    observations: int
    """How many accesses were predicted: every believable touch after a memory's first."""
    time_scale: float
    """The most likely time scale; that of the policy the fit started from where there was too little data."""
    plausible: tuple[float, float]
    """The least and greatest time scale these accesses do not rule out at 5 %."""
    applied: bool
    """Whether the returned policy has this time scale; if not, it is the one the fit started from."""
    reason: str
    """Why it was applied or refused, in one sentence."""


class Idle(NamedTuple):
    """A memory between two touches, or between the last one and now."""

    known: FloatArray
    """Ages of the touches on record as it begins, in seconds, oldest first; the last is 0."""
    seconds: float
    """How long it lasts."""
    accessed: bool
    """Whether an access ends it."""


class Estimate(NamedTuple):
    """The most likely time scale."""

    scale: float
    log_likelihood: float
    plausible: tuple[float, float]


class LifeTable(NamedTuple):
    """What happened at each effective age, at time scale 1; both of shape (bins,)."""

    accesses: FloatArray
    """How many accesses came at this age."""
    exposure: FloatArray
    """How many seconds memories spent at this age."""


def fit(
    curve: Curve, time_scale: float, histories: Iterable[Sequence[datetime]], now: datetime, *, max_touches: int
) -> FitReport:
    """The most likely time scale, or why the one it starts from stays.

    Args:
        curve: The factor by effective age at time scale 1.
        time_scale: The one to start from.
        histories: The touches of each memory, in UTC, in any order.
        now: The end of the time watched.
        max_touches: How many touches of a memory count at a time, the newest.
    """
    table = life_table(histories, now, max_touches=max_touches)
    observations = round(float(table.accesses.sum()))
    default = log_likelihood(curve, table, time_scale)
    found = Estimate(time_scale, default, (float(SCALES[0]), float(SCALES[-1])))
    refusal = f"{observations} observations; at least {ENOUGH} are needed"
    if observations >= ENOUGH:
        found = _estimate(curve, table)
        refusal = _refusal(found, found.log_likelihood - default)
    gain = found.log_likelihood - default
    return FitReport(
        log_likelihood=found.log_likelihood,
        default_log_likelihood=default,
        observations=observations,
        time_scale=found.scale,
        plausible=found.plausible,
        applied=not refusal,
        reason=refusal or f"time scale {found.scale:.3g} makes the accesses {gain:.1f} nats likelier",
    )


def life_table(histories: Iterable[Sequence[datetime]], now: datetime, *, max_touches: int) -> LifeTable:
    """Accesses and seconds by effective age, of all memories together."""
    table = LifeTable(np.zeros_like(_LOG_AGES), np.zeros_like(_LOG_AGES))
    for history in histories:
        for idle in _idle_times(history, now, max_touches):
            times, widths = _steps(idle.seconds)
            _count(table.exposure, _log_effective_ages(idle.known, times), widths)
            if idle.accessed:
                _count(table.accesses, _log_effective_ages(idle.known, np.array([idle.seconds])), np.ones(1))
    return table


def log_likelihood(curve: Curve, table: LifeTable, scale: float) -> float:
    """Log-likelihood of a life table at a time scale, at the most likely sharpness and overall rate; in nats."""
    seen = (table.exposure > 0) | (table.accesses > 0)
    log_factors = np.array([math.log(curve(math.exp(age) / scale)) for age in _LOG_AGES[seen]])
    return _profiled(log_factors, table.accesses[seen], table.exposure[seen])


def _profiled(log_factors: FloatArray, accesses: FloatArray, exposure: FloatArray) -> float:
    """Log-likelihood at the best sharpness b; it is concave in b, so its slope has one zero, found by halving."""
    total = float(accesses.sum())
    weighted = float(accesses @ log_factors)
    if not total or not exposure.any():
        return 0.0

    def slope(sharpness: float) -> float:
        hazard = exposure * np.exp(sharpness * log_factors)
        return weighted - total * float(hazard @ log_factors) / float(hazard.sum())

    b = _zero_of_falling(slope, 0.0, _SHARPEST)
    return total * math.log(total) - total + b * weighted - total * math.log(exposure @ np.exp(b * log_factors))


def _estimate(curve: Curve, table: LifeTable) -> Estimate:
    """The best of `SCALES`, then the best between its neighbors."""

    def likelihood(log_scale: float) -> float:
        return log_likelihood(curve, table, math.exp(log_scale))

    likelihoods = np.array([likelihood(math.log(scale)) for scale in SCALES])
    top = int(likelihoods.argmax())
    low, high = SCALES[max(top - 1, 0)], SCALES[min(top + 1, len(SCALES) - 1)]
    log_scale = _highest(likelihood, math.log(low), math.log(high))
    best = likelihood(log_scale)
    plausible = SCALES[likelihoods >= best - SIGNIFICANT]
    return Estimate(math.exp(log_scale), best, (float(plausible.min(initial=low)), float(plausible.max(initial=high))))


def _refusal(found: Estimate, gain: float) -> str:
    """Why not to apply a time scale; empty if there is no reason."""
    low, high = found.plausible
    if low <= SCALES[0] or high >= SCALES[-1]:
        return (
            f"the accesses fit scales from {low:.3g} to {high:.3g}; they do not follow idle time closely enough to tell"
        )
    if gain < SIGNIFICANT:
        return f"time scale {found.scale:.3g} is only {gain:.2f} nats likelier; at least {SIGNIFICANT} are needed"
    return ""


def _idle_times(history: Sequence[datetime], now: datetime, max_touches: int) -> Iterator[Idle]:
    """A memory's life, cut at its touches; a touch within the clock skew ahead of `now` is now."""
    believed = [touch for touch in history if touch <= now + CLOCK_SKEW]
    ages = sorted((max((now - touch).total_seconds(), 0.0) for touch in believed), reverse=True)
    for count, age in enumerate(ages, start=1):
        known = np.array(ages[max(0, count - max_touches) : count]) - age
        until = ages[count] if count < len(ages) else 0.0
        yield Idle(known, age - until, accessed=count < len(ages))


def _steps(seconds: float) -> tuple[FloatArray, FloatArray]:
    """Midpoints and widths of integration steps over an idle time, finer while it is young."""
    span = math.log1p(seconds)
    edges = np.expm1(np.linspace(0.0, span, math.ceil(span / _STEP) + 1))
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def _log_effective_ages(known: FloatArray, times: FloatArray) -> FloatArray:
    """L of the decay formula at some times after the newest of the known touches; shape (times,)."""
    ages = np.maximum(times[:, None] + known, 1.0)
    newest = ages[:, -1]
    frequency = np.log(((newest[:, None] / ages) ** EXPONENT).sum(axis=1))
    log_ages: FloatArray = np.log(newest) - FREQUENCY * frequency
    return log_ages


def _count(bins: FloatArray, log_ages: FloatArray, weights: FloatArray) -> None:
    """Add weights to the bins their ages fall in."""
    indices = np.rint((log_ages - _LOG_AGES[0]) / _BIN).astype(np.intp).clip(0, len(bins) - 1)
    bins += np.bincount(indices, weights, minlength=len(bins))


def _zero_of_falling(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses zero; an end if it does not."""
    if function(low) <= 0:
        return low
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return high


def _highest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one hill is highest, by golden-section search (Kiefer, Proc. AMS 4(3), 1953)."""
    for _ in range(20):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (left, high) if function(left) < function(right) else (low, right)
    return (low + high) / 2
