"""The curve that a decay policy reads: its default points, and the age at which it is read. Arithmetic on numbers."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypedDict

ANCHORS: Final = (
    (timedelta(minutes=1), 1.50),
    (timedelta(minutes=40), 1.40),
    (timedelta(hours=24), 1.22),
    (timedelta(hours=36), 0.98),
    (timedelta(days=7), 0.60),
    (timedelta(days=35), 0.41),
    (timedelta(days=120), 0.32),
    (timedelta(days=365), 0.30),
)
"""The default curve: effective age and its factor, linear in between on a logarithmic time axis."""

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far ahead of us another machine's clock may run. A touch within it is now; one further ahead is not believed."""

EXPONENT: Final = 0.5
"""d, the usual rate of forgetting in ACT-R: how fast an older touch stops adding to frequency."""

FREQUENCY: Final = 0.10
"""κ, how much frequency weighs: twenty touches make a memory at most 20^κ = 1.35 times younger than one does."""


class Explanation(TypedDict):
    """Why a memory got its factor."""

    factor: float
    """What its relevance is multiplied by."""
    effective_age_seconds: float | None
    """Idle time in seconds after frequency, category and time scale; `None` where nothing believable is known."""
    touches: int
    """How many touches counted; 0 means the age came from the event date or the last update."""


def effective_age(ages: Sequence[float]) -> float:
    """The age at which the curve is read: a_1 · (Σ_j (a_1 / a_j)^d)^-κ, which is e^L.

    Args:
        ages: Of the touches, in seconds, the newest first; at least one.
    """
    newest = ages[0]
    return newest * math.pow(math.fsum([math.pow(newest / age, EXPONENT) for age in ages]), -FREQUENCY)


def interpolate(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """Linear between the points (`xs`, `ys`), flat outside."""
    right = bisect_left(xs, x)
    if right == 0:
        return ys[0]
    if right == len(xs):
        return ys[-1]
    left = right - 1
    return ys[left] + (ys[right] - ys[left]) * (x - xs[left]) / (xs[right] - xs[left])
