"""The decay of one memory as a picture: what its factor was, is, and will be if nobody uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from langchain_mem.decay.policy import Decay
from langchain_mem.rendering.markup import Markup, tag

AHEAD: Final = timedelta(days=35)
"""How far the picture looks ahead."""

_WIDTH, _HEIGHT = 760, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 14, 30
_SAMPLES: Final = 160
_JUST: Final = timedelta(microseconds=1)
_AFTER_A_USE: Final = tuple(
    timedelta(hours=hours) for hours in (0, 0.1, 0.5, 1, 2, 4, 6, 9, 12, 16, 20, 24, 30, 36, 48)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What decay knows of a memory.

    Attributes:
        touches: When it was used, oldest first.
        updated_at: When it last changed.
        event_date: When what it tells happened.
        categories: Its categories.
    """

    touches: Sequence[datetime]
    updated_at: datetime
    event_date: datetime | None = None
    categories: Sequence[str] = ()

    def factor(self, decay: Decay, at: datetime) -> float:
        """The factor at an instant, from what had happened by then."""
        so_far = [touch for touch in self.touches if touch <= at]
        return decay.factor(
            so_far, at, updated_at=self.updated_at, event_date=self.event_date, categories=self.categories
        )


def drawn(life: Life, decay: Decay, now: datetime) -> Markup:
    """The picture, as SVG.

    Args:
        life: Of the memory.
        decay: The policy in force.
        now: Where the past ends.
    """
    start, end = min([*life.touches[:1], life.updated_at, now]), now + AHEAD
    scale = _Scale(start, end, decay.floor, decay.ceiling)
    steps = [start + (end - start) * n / _SAMPLES for n in range(_SAMPLES + 1)]
    # a use lifts the curve at once, and it falls fastest right after
    turns = [touch + after for touch in life.touches for after in (-_JUST, *_AFTER_A_USE)]
    past = sorted({*(at for at in (*steps, *turns) if start <= at <= now), now})
    future = [now, *sorted(at for at in {*steps, *turns, *(now + after for after in _AFTER_A_USE)} if now < at <= end)]
    here, later = life.factor(decay, now), life.factor(decay, end)
    return tag(
        "svg",
        *(_level(scale, value) for value in sorted({decay.floor, 0.6, 1.0, decay.ceiling})),
        tag("line", class_="now", x1=scale.x(now), x2=scale.x(now), y1=_TOP, y2=_HEIGHT - _BOTTOM),
        _line(scale, past, life, decay, "past"),
        _line(scale, future, life, decay, "future"),
        *(_use(scale, touch, life, decay) for touch in life.touches if touch <= now),
        tag("circle", class_="here", cx=scale.x(now), cy=scale.y(here), r=5),
        _date(scale, start, "start"),
        _date(scale, now, "middle", "now") if now - start > AHEAD / 4 else None,
        _date(scale, end, "end"),
        viewbox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"Decay factor {here:.2f} now, {later:.2f} in {AHEAD.days} days if it is not used",
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Instants and factors as places in the picture."""

    start: datetime
    end: datetime
    floor: float
    ceiling: float

    def x(self, at: datetime) -> str:
        return f"{_LEFT + (at - self.start) / (self.end - self.start) * (_WIDTH - _LEFT - _RIGHT):.1f}"

    def y(self, factor: float) -> str:
        height = _HEIGHT - _TOP - _BOTTOM
        return f"{_TOP + (self.ceiling - factor) / max(self.ceiling - self.floor, 1e-9) * height:.1f}"


def _line(scale: _Scale, instants: Sequence[datetime], life: Life, decay: Decay, name: str) -> Markup:
    points = (f"{scale.x(at)} {scale.y(life.factor(decay, at))}" for at in instants)
    return tag("path", class_=name, d="M" + "L".join(points), fill="none")


def _use(scale: _Scale, touch: datetime, life: Life, decay: Decay) -> Markup:
    return tag("circle", class_="use", cx=scale.x(touch), cy=scale.y(life.factor(decay, touch)), r=3)


def _level(scale: _Scale, value: float) -> Markup:
    line = tag("line", class_="level", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=scale.y(value), y2=scale.y(value))
    label = tag("text", f"{value:g}×", x=_LEFT - 8, y=scale.y(value), text_anchor="end", dominant_baseline="middle")
    return tag("g", line, label)


def _date(scale: _Scale, at: datetime, anchor: str, label: str | None = None) -> Markup:
    return tag("text", label or f"{at:%Y-%m-%d}", x=scale.x(at), y=_HEIGHT - 8, text_anchor=anchor)
