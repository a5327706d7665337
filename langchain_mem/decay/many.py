"""The curve read for many memories at once, by arithmetic on arrays; `policy` says what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.decay.curve import CLOCK_SKEW, EXPONENT, FREQUENCY, Explanation

Floats: TypeAlias = npt.NDArray[np.float64]

Curve: TypeAlias = tuple[Sequence[float], Sequence[float], tuple[float, float], float]
"""The logarithms of a curve's ages, the factor at each, the least factor and the greatest, and the exponent on it."""

_AHEAD: Final = -CLOCK_SKEW.total_seconds()


def explained(
    ages: Sequence[Sequence[float]], paces: float | Sequence[float], most: int, curve: Curve
) -> list[Explanation]:
    """The factor of each memory and what it was computed from.

    Args:
        ages: Of each memory the ages of its touches in seconds, in any order.
        paces: How fast idle time runs, for all of them or for each.
        most: How many of the newest touches count.
        curve: What is read at the effective age.

    Returns:
        One explanation a memory; where no touch counted, the factor and the age mean nothing.
    """
    found, counts = effective_ages(ages, paces, most)
    every = zip(factors(found, *curve).tolist(), found.tolist(), counts.tolist(), strict=True)
    return [{"factor": factor, "effective_age_seconds": age, "touches": count} for factor, age, count in every]


def effective_ages(
    ages: Sequence[Sequence[float]], paces: float | Sequence[float], most: int
) -> tuple[Floats, npt.NDArray[np.intp]]:
    """The age at which the curve is read, of each memory.

    Args:
        ages: Of each memory the ages of its touches in seconds, in any order.
        paces: How fast idle time runs, for all of them or for each.
        most: How many of the newest touches count.

    Returns:
        Shape (memories,), twice: the ages in seconds, and how many touches counted. Without any the age means nothing.
    """
    if not ages:
        return np.zeros(0), np.zeros(0, dtype=np.intp)
    believed = [_believed(each, most) for each in ages]
    counts = np.fromiter(map(len, believed), dtype=np.intp, count=len(ages))
    sizes = np.maximum(counts, 1)
    starts = np.cumsum(sizes) - sizes
    flat = np.array([age for each in believed for age in each or (1.0,)])
    paced = np.maximum(flat * (paces if isinstance(paces, float) else np.repeat(paces, sizes)), 1.0)
    newest = paced[starts]
    often = np.add.reduceat((np.repeat(newest, sizes) / paced) ** EXPONENT, starts)
    return newest * often**-FREQUENCY, counts


def _believed(ages: Sequence[float], most: int) -> Sequence[float]:
    """The newest ages, youngest first, without those further ahead than a clock may run."""
    if len(ages) == 1 and ages[0] >= _AHEAD:
        return ages
    return sorted(age for age in ages if age >= _AHEAD)[:most]


def factors(
    ages: Floats, log_ages: Sequence[float], heights: Sequence[float], bounds: tuple[float, float], strength: float
) -> Floats:
    """The factor at each effective age.

    Args:
        ages: Shape (memories,), in seconds.
        log_ages: The logarithms of the curve's ages.
        heights: The factor at each of them.
        bounds: The least factor and the greatest.
        strength: Exponent on the factor.
    """
    return np.asarray(np.clip(np.clip(np.interp(np.log(ages), log_ages, heights), *bounds) ** strength, *bounds))
