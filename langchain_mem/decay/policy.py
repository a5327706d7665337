"""The decay formula: how recently and how often a memory was used, as one factor that multiplies its relevance.

A touch is an instant at which a memory was created, edited, or returned by a search. A memory touched a minute ago
counts 1.5 times its relevance, one idle for a year 0.3 times; nothing is ever filtered. Everything here is pure: `now`
is an argument.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_mem.decay.curve import ANCHORS, CLOCK_SKEW, EXPONENT, FREQUENCY, Explanation, effective_age, interpolate
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.model.instants import parse_iso

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from langchain_mem.decay.fit import FitReport

__all__ = ["ANCHORS", "CLOCK_SKEW", "EXPONENT", "FREQUENCY", "Decay", "Explanation", "with_touch"]

_CLOCK_SKEW_SECONDS: Final = CLOCK_SKEW.total_seconds()
_YOUNGEST: Final = 1.0  # seconds; the logarithm of an age of zero is none


class Used(NamedTuple):
    """What the factor of a memory is a function of."""

    touches: Sequence[datetime]
    """When it was used, in any order."""
    event_date: str | None
    """When what it tells happened, as ISO text."""
    updated_at: str
    """When its text last changed, as ISO text."""
    categories: Sequence[str]
    """The categories of the memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decay:
    """A decay policy: turns the touches of a memory into a factor between `floor` and `ceiling`.

    With a_1 the age of the newest touch, in seconds:

        a_j    = max(pace · (now - touch_j), 1 s)         the `max_touches` newest
        F      = ln Σ_j (a_1 / a_j)^0.5                   0 when touched once, at most ln max_touches
        L      = ln a_1 - 0.10 · F                        the log of the effective age
        factor = piecewise linear in L through `anchors`, flat outside, to the power of `strength`
        pace   = the smallest weight of the memory's categories, divided by time_scale

    F is the frequency part of ACT-R's base-level activation (Anderson and Schooler, "Reflections of the environment in
    memory", Psychological Science 2(6), 1991), relative to the newest touch; 0.5 is that model's usual exponent. The
    factor never rises while a memory is idle, and another touch never lowers it.

    A touch up to five minutes in the future counts as now, and a touch further in the future is ignored. If a memory
    has no other touch, its age is that of its event date, or else of its last update, and its factor is at most 1.0.
    Without either date the factor is 1.0.

    Args:
        floor: The smallest factor, above 0 and at most 1. It is above 0 so that decay never filters.
        ceiling: The largest factor, at least 1.
        anchors: At least two pairs of effective age and factor. The ages increase and the factors never rise.
        strength: The exponent of the factor: 0 turns decay off, 1 is the documented curve, 2 squares the factor.
        max_touches: How many of the newest touches count.
        categories: How fast time passes for the memories of a category: at 0.25 four times slower, at 0 not at all. A
            category that is not listed has 1. If a memory has several categories, the smallest weight counts.
        time_scale: How many times longer a memory stays fresh than on the default curve. `fit` finds it.

    Raises:
        InvalidRequest: If an argument is out of its range.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> now = datetime(2025, 6, 1, tzinfo=UTC)
        >>> round(Decay().factor([now - timedelta(hours=6)], now), 3)
        1.29
        >>> round(Decay(categories={"health": 0.25}).factor([now - timedelta(days=4)], now, categories=["health"]), 2)
        1.22
    """

    floor: float = 0.3
    ceiling: float = 1.5
    anchors: tuple[tuple[timedelta, float], ...] = ANCHORS
    strength: float = 1.0
    max_touches: int = 20
    categories: Mapping[str, float] = field(default_factory=dict, hash=False)
    time_scale: float = 1.0
    _log_ages: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _factors: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _validate(self)
        # Our own copies: a policy that is frozen must not change with the caller's list or dict.
        anchors = tuple((age, float(factor)) for age, factor in self.anchors)
        object.__setattr__(self, "anchors", anchors)
        object.__setattr__(self, "categories", dict(self.categories))
        object.__setattr__(self, "_log_ages", tuple(math.log(age.total_seconds()) for age, _ in anchors))
        object.__setattr__(self, "_factors", tuple(factor for _, factor in anchors))

    def factor(
        self,
        touches: Iterable[datetime],
        now: datetime,
        *,
        updated_at: datetime | None = None,
        event_date: datetime | None = None,
        categories: Iterable[str] = (),
    ) -> float:
        """What to multiply the relevance of a memory by.

        Args:
            touches: When it was used, in any order.
            now: The instant of the search.
            updated_at: When its text last changed; stands in where no touch is on record.
            event_date: When what it tells happened; stands in before `updated_at`.
            categories: The categories of the memory.

        Returns:
            A number between `floor` and `ceiling`.

        Raises:
            InvalidRequest: If a datetime has no time zone.
        """
        return self.explain(touches, now, updated_at=updated_at, event_date=event_date, categories=categories)["factor"]

    def effective_age(
        self,
        touches: Iterable[datetime],
        now: datetime,
        *,
        updated_at: datetime | None = None,
        event_date: datetime | None = None,
        categories: Iterable[str] = (),
    ) -> float | None:
        """The age at which the curve is read: idle time after frequency, category and time scale.

        Args:
            touches: When it was used, in any order.
            now: The instant of the search.
            updated_at: When its text last changed; stands in where no touch is on record.
            event_date: When what it tells happened; stands in before `updated_at`.
            categories: The categories of the memory.

        Returns:
            Seconds, at least about one; `None` where nothing believable is known.

        Raises:
            InvalidRequest: If a datetime has no time zone.
        """
        explanation = self.explain(touches, now, updated_at=updated_at, event_date=event_date, categories=categories)
        return explanation["effective_age_seconds"]

    def explain(
        self,
        touches: Iterable[datetime],
        now: datetime,
        *,
        updated_at: datetime | None = None,
        event_date: datetime | None = None,
        categories: Iterable[str] = (),
    ) -> Explanation:
        """The factor of a memory and what it was computed from.

        Args:
            touches: When it was used, in any order.
            now: The instant of the search.
            updated_at: When its text last changed; stands in where no touch is on record.
            event_date: When what it tells happened; stands in before `updated_at`.
            categories: The categories of the memory.

        Returns:
            The factor, the effective age in seconds, and how many touches counted.

        Raises:
            InvalidRequest: If a datetime has no time zone.
        """
        now, pace = _utc(now), self._pace(categories)
        if ages := self._ages(touches, now, pace):
            age = effective_age(ages)
            return {"factor": self.curve(age), "effective_age_seconds": age, "touches": len(ages)}
        for instant in (event_date, updated_at):
            if instant is not None and (ages := self._ages((instant,), now, pace)):
                return {"factor": min(self.curve(ages[0]), 1.0), "effective_age_seconds": ages[0], "touches": 0}
        return {"factor": 1.0, "effective_age_seconds": None, "touches": 0}

    def explain_all(self, memories: Sequence[Used], now: datetime) -> list[Explanation]:
        """`explain` for many memories at once, in a few passes over arrays.

        Args:
            memories: What is known of each.
            now: The instant of the search.

        Returns:
            One explanation a memory, in their order.

        Raises:
            InvalidRequest: If a datetime has no time zone.
        """
        from langchain_mem.decay.many import explained  # numpy is imported when it is needed

        now = _utc(now)
        ages = [
            [(now - (touch if touch.tzinfo is UTC else _utc(touch))).total_seconds() for touch in memory.touches]
            for memory in memories
        ]
        paces = [self._pace(memory.categories) for memory in memories] if self.categories else 1 / self.time_scale
        curve = (self._log_ages, self._factors, (self.floor, self.ceiling), self.strength)
        found = explained(ages, paces, self.max_touches, curve)
        for at, memory in enumerate(memories):
            if not found[at]["touches"]:
                found[at] = self._dated(memory, now)
        return found

    def _dated(self, memory: Used, now: datetime) -> Explanation:
        """The explanation of a memory without a believable touch."""
        event = parse_iso(memory.event_date) if memory.event_date else None
        updated = parse_iso(memory.updated_at)
        return self.explain((), now, updated_at=updated, event_date=event, categories=memory.categories)

    def curve(self, effective_age: float) -> float:
        """The factor at an effective age.

        Args:
            effective_age: Seconds, above 0.

        Returns:
            A number between `floor` and `ceiling`.
        """
        base = self._clamp(interpolate(math.log(effective_age), self._log_ages, self._factors))
        return self._clamp(math.pow(base, self.strength))

    @classmethod
    def fit(
        cls, histories: Iterable[Sequence[datetime]], now: datetime, *, base: Decay | None = None
    ) -> tuple[Decay, FitReport]:
        """The policy under whose time scale the accesses that happened were most likely.

        Each touch of a memory after its first is an observation, predicted from the touches before it. The rate of
        accesses at an instant t is taken to be λ(t) = c · curve(effective age at t / time_scale)^b; the overall rate c
        and the sharpness b are at their most likely values for every scale, so the scale is chosen by where accesses
        thin out, not by how many there are. The log-likelihood is that of a point process, Σ ln λ over the accesses
        minus ∫ λ over all the time the memories were watched, idle time up to `now` included (Daley and Vere-Jones,
        "An Introduction to the Theory of Point Processes", 2nd ed., 2003, proposition 7.2.III).

        Refused, with the reason in the report, where there are fewer than 100 observations, where they do not bound
        the scale (0.01 or 100 is still plausible), and where `base` itself is plausible (the log-likelihood rises by
        less than 1.92, a likelihood-ratio test at 5 %). The same histories give the same answer.

        Args:
            histories: The touches of each memory, in any order; never-accessed memories (one touch) belong to them.
            now: The end of the time watched; a touch more than five minutes after it is ignored.
            base: The policy to start from, whose other settings are kept; `Decay()` by default.

        Returns:
            The policy, which is `base` itself where the fit refuses, and a report.

        Raises:
            InvalidRequest: If a datetime has no time zone.
        """
        # numpy, and what only a fit needs, is imported when one is asked for.
        from langchain_mem.decay.fit import fit

        base = base or cls()
        utc_histories = [tuple(map(_utc, history)) for history in histories]
        report = fit(base.curve, base.time_scale, utc_histories, _utc(now), max_touches=base.max_touches)
        return (replace(base, time_scale=report.time_scale) if report.applied else base), report

    def log_likelihood(self, histories: Iterable[Sequence[datetime]], now: datetime) -> float:
        """How likely accesses were under this policy, as `fit` counts it: for comparing policies on held-out accesses.

        Args:
            histories: The touches of each memory, in any order.
            now: The end of the time watched; a touch more than five minutes after it is ignored.

        Returns:
            Nats; comparable only for the same histories.

        Raises:
            InvalidRequest: If a datetime has no time zone.
        """
        from langchain_mem.decay.fit import life_table, log_likelihood

        utc_histories = [tuple(map(_utc, history)) for history in histories]
        table = life_table(utc_histories, _utc(now), max_touches=self.max_touches)
        return log_likelihood(self.curve, table, self.time_scale)

    def plot(self, touches: Iterable[datetime] = (), now: datetime | None = None) -> Figure:
        """Draw the curve over the documented bands and, given touches, the course of that memory through them.

        Args:
            touches: The touches of one memory, in any order.
            now: Where its course ends; needed with `touches`.

        Returns:
            A matplotlib figure, to be shown by a notebook or saved by `savefig`; nothing global is drawn on.

        Raises:
            InvalidRequest: If there are touches and no `now`, or all of them lie after it.
            MissingDependency: If matplotlib is not installed.
        """
        from langchain_mem.decay.plot import plot

        history = tuple(map(_utc, touches))
        _require(not history or now is not None, "touches without now; allowed: both, or neither")
        return plot(self.factor, self.ceiling, history, _utc(now) if now else None)

    def _pace(self, categories: Iterable[str]) -> float:
        weights = [self.categories.get(category, 1.0) for category in categories] if self.categories else ()
        return min(weights, default=1.0) / self.time_scale

    def _ages(self, instants: Iterable[datetime], now: datetime, pace: float) -> list[float]:
        """Ages in seconds of the believable instants, newest first, at most `max_touches`."""
        ages = sorted([(now - _utc(instant)).total_seconds() for instant in instants])
        first = bisect_left(ages, -_CLOCK_SKEW_SECONDS)
        newest = ages[first : first + self.max_touches]
        # A conditional, for `max` would be a fifth of the time this takes, and a search asks for every candidate.
        return [paced if (paced := pace * age) > _YOUNGEST else _YOUNGEST for age in newest]

    def _clamp(self, factor: float) -> float:
        return min(max(factor, self.floor), self.ceiling)


def with_touch(
    touches: Iterable[datetime], instant: datetime, max_touches: int = 20, *, now: datetime | None = None
) -> tuple[datetime, ...]:
    """Touches with one more, the newest `max_touches` of them.

    A touch equal to one on record is another touch: two searches in one instant are two uses. Merged into the touches
    as they are stored at that moment, no concurrent touch is lost, in whatever order they arrive.

    Args:
        touches: The touches on record, in any order.
        instant: The touch to add; may be older than those on record.
        max_touches: How many to keep.
        now: If given, touches too far ahead of it to be believed are dropped, so that they hold no place.

    Returns:
        The touches in UTC, oldest first.

    Raises:
        InvalidRequest: If a datetime has no time zone, or `max_touches` is below 1.

    Example:
        >>> from datetime import UTC, datetime
        >>> one, two = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC)
        >>> tuple(touch.day for touch in with_touch([two, two], one, 2))
        (2, 2)
    """
    _require(_whole(max_touches) and max_touches >= 1, f"max_touches is {shown(max_touches)}; allowed: 1 or more")
    merged = sorted([*map(_utc, touches), _utc(instant)])
    if now is not None:
        del merged[bisect_right(merged, _utc(now) + CLOCK_SKEW) :]
    return tuple(merged[-max_touches:])


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is UTC:
        return instant
    _require(instant.utcoffset() is not None, f"{shown(instant)} has no time zone; allowed: an aware datetime")
    return instant.astimezone(UTC)


def _validate(decay: Decay) -> None:
    _require(0 < decay.floor <= 1, f"floor is {shown(decay.floor)}; allowed: above 0, so nothing is filtered, to 1")
    _require(1 <= decay.ceiling < math.inf, f"ceiling is {shown(decay.ceiling)}; allowed: 1 or more, finite")
    _require(0 <= decay.strength < math.inf, f"strength is {shown(decay.strength)}; allowed: 0 or more, finite")
    _require(0 < decay.time_scale < math.inf, f"time_scale is {shown(decay.time_scale)}; allowed: above 0, finite")
    _require(
        _whole(decay.max_touches) and decay.max_touches >= 1,
        f"max_touches is {shown(decay.max_touches)}; allowed: a whole number, 1 or more",
    )
    for category, weight in decay.categories.items():
        told = f"category {shown(category)} has weight {shown(weight)}; allowed: 0 or more, finite"
        _require(0 <= weight < math.inf, told)
    _validate_anchors(decay.anchors)


def _validate_anchors(anchors: Sequence[tuple[timedelta, float]]) -> None:
    ages = [age for age, _ in anchors]
    factors = [factor for _, factor in anchors]
    _require(len(anchors) >= 2, f"anchors has {len(anchors)} points; allowed: 2 or more")
    _require(ages[0] > timedelta(0), f"anchors begin at {ages[0]}; allowed: ages above zero")
    _require(ages == sorted(set(ages)), "anchors have ages out of order; allowed: each age above the one before")
    _require(factors == sorted(factors, reverse=True), "anchors have a rising factor; allowed: factors that never rise")
    _require(all(0 < factor < math.inf for factor in factors), "anchors have a factor out of range; allowed: above 0")


def _whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvalidRequest(otherwise)
