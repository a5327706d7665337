"""The curve read for many memories at once, by arithmetic on arrays; `policy` says what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.decay.curve import CLOCK_SKEW, EXPONENT, FREQUENCY

Floats: TypeAlias = npt.NDArray[np.float64]


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
    sizes = np.array([len(each) for each in ages], dtype=np.intp)
    table = np.full((len(ages), max(1, sizes.max(initial=0))), np.inf)
    table[np.arange(table.shape[1]) < sizes[:, None]] = [age for each in ages for age in each]
    table[table < -CLOCK_SKEW.total_seconds()] = np.inf  # further ahead than a clock may run: not believed
    table.sort(axis=1)
    table = table[:, :most]
    believed = np.isfinite(table)
    counts = believed.sum(axis=1)
    paced = np.maximum(np.where(believed, table, 0.0) * np.reshape(paces, (-1, 1)), 1.0)  # log of zero is none
    often = np.where(believed, (paced[:, :1] / paced) ** EXPONENT, 0.0).sum(axis=1)
    return paced[:, 0] * np.where(counts > 0, often, 1.0) ** -FREQUENCY, counts


def curve(
    ages: Floats, log_ages: Sequence[float], factors: Sequence[float], bounds: tuple[float, float], strength: float
) -> Floats:
    """The factor at each effective age.

    Args:
        ages: Shape (memories,), in seconds.
        log_ages: The logarithms of the curve's ages.
        factors: The factor at each of them.
        bounds: The least factor and the greatest.
        strength: Exponent on the factor.
    """
    return np.asarray(np.clip(np.clip(np.interp(np.log(ages), log_ages, factors), *bounds) ** strength, *bounds))
