"""Pictures of decay: what `Decay.plot` draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from langchain_mem.errors import InvalidRequest, MissingDependency

try:
    from matplotlib.axes import Axes
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingDependency('drawing decay needs matplotlib: pip install "langchain-mem[plot]"') from error


Factor: TypeAlias = Callable[[Sequence[datetime], datetime], float]
"""The factor of a memory with these touches at an instant."""


class Band(NamedTuple):
    """One line of the documented table."""

    state: str
    begin: timedelta
    end: timedelta
    low: float
    high: float


BANDS: Final = (
    Band("just used: 1.5", timedelta(seconds=1), timedelta(minutes=1), 1.48, 1.52),
    Band("today: 1.2 to 1.4", timedelta(hours=1), timedelta(hours=24), 1.2, 1.4),
    Band("idle for days: 0.6 to 1.0", timedelta(days=2), timedelta(days=6), 0.6, 1.0),
    Band("idle for weeks: 0.4 to 0.6", timedelta(days=10), timedelta(days=35), 0.4, 0.6),
    Band("idle for many months: 0.3", timedelta(days=182), timedelta(days=1825), 0.28, 0.32),
)
"""Idle time and the factors promised for it by the default policy."""

_TICKS: Final = {
    "1 s": 1, "1 min": 60, "1 h": 3600, "1 d": 86_400, "7 d": 7 * 86_400, "35 d": 35 * 86_400, "1 y": 365 * 86_400,
}  # fmt: skip
_SOME_DAY: Final = datetime(2025, 1, 1, tzinfo=UTC)  # the curve knows differences only
_POINTS: Final = 400  # along a curve


class Picture(Figure):
    """A figure that a notebook shows where it is the last expression of a cell.

    It is no figure of pyplot's: no window, no backend chosen, nothing kept alive behind the caller's back. Where
    pyplot's inline backend is in use, that shows it, as it shows every figure.
    """

    def _repr_png_(self) -> bytes:
        png = BytesIO()
        self.savefig(png, format="png", dpi=110)
        return png.getvalue()


def plot(factor: Factor, ceiling: float, touches: Sequence[datetime], now: datetime | None) -> Figure:
    """The curve and, given touches, one memory's course beside it.

    Args:
        factor: The factor of a memory with some touches at an instant.
        ceiling: The greatest factor there can be.
        touches: The touches of one memory.
        now: Where its course ends.
    """
    columns = 2 if touches else 1
    figure = Picture(figsize=(6.4 * columns, 4.0), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    _draw_curve(axes[0], factor)
    if touches and now:
        _draw_course(axes[1], factor, touches, now)
    for each in axes:
        each.set_ylim(0, 1.27 * ceiling)  # room for the legend above the curve
    return figure


def _draw_curve(axes: Axes, factor: Factor) -> None:
    """The factor by idle time, touched once and touched on twenty days, over the bands."""
    seconds = np.geomspace(1, BANDS[-1].end.total_seconds(), _POINTS)
    for band in BANDS:
        idle = [band.begin.total_seconds(), band.end.total_seconds()]
        axes.fill_between(idle, band.low, band.high, alpha=0.3, label=band.state)
    for count, style in ((1, "-"), (20, "--")):
        factors = [_factor(factor, float(idle), count) for idle in seconds]
        axes.plot(seconds, factors, style, color="black", label=f"{count} touch{'es' * (count > 1)}")
    axes.set_xscale("log")
    axes.set_xticks(list(_TICKS.values()), labels=list(_TICKS))
    axes.minorticks_off()
    _label(axes, "Factor by idle time", "idle since the newest touch")


def _factor(factor: Factor, idle: float, count: int) -> float:
    """The factor of a memory idle for some seconds, its touches a day apart."""
    return factor([_SOME_DAY - timedelta(seconds=idle, days=day) for day in range(count)], _SOME_DAY)


def _draw_course(axes: Axes, factor: Factor, touches: Sequence[datetime], now: datetime) -> None:
    """The factor of one memory from its first touch to now: falling while idle, jumping at each touch."""
    known = sorted(touch for touch in touches if touch <= now)
    if not known:
        raise InvalidRequest("every touch lies after now; allowed: at least one before it")
    course = list(_course(factor, known, now))
    axes.plot([instant for instant, _ in course], [factor for _, factor in course], color="black")  # type: ignore[arg-type]
    axes.plot(known, [0.1] * len(known), "|", color="black", label="touches")  # type: ignore[arg-type]
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib has no types for its dates
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    _label(axes, "One memory through its touches", "")


def _course(factor: Factor, known: Sequence[datetime], now: datetime) -> Iterator[tuple[datetime, float]]:
    """Instants and factors, the instants finer after a touch, where the curve is steep."""
    for count, (touch, until) in enumerate(pairwise([*known, now]), start=1):
        seconds = (until - touch).total_seconds()
        for fraction in np.linspace(0, 1, _POINTS // 4) ** 3:
            instant = touch + timedelta(seconds=seconds * float(fraction))
            yield instant, factor(known[:count], instant)


def _label(axes: Axes, title: str, x_label: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel("factor")
    axes.grid(visible=True, alpha=0.2)
    axes.legend(loc="upper right", frameon=False, fontsize=8)
