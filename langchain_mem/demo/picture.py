"""How memories fade, as a picture that every browser shows (SVG), without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from langchain_mem.decay.policy import Decay
from langchain_mem.memory.facade import Memory
from langchain_mem.model.instants import parse_iso
from langchain_mem.rendering.markup import Markup, joined, tag

_AHEAD: Final = timedelta(days=30)
_USED_IN: Final = timedelta(days=10)
_CLOSELY: Final = tuple(timedelta(hours=hours) for hours in (0, 0.5, 1, 2, 4, 8, 12, 18, 24, 36, 48))
_LINES, _STEPS, _TICKS = 6, 240, 6
_WIDTH, _HEIGHT, _LEFT, _TOP, _ROW = 860, 300, 50, 50, 22
_COLORS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # told apart by the color blind too


@dataclass(frozen=True, kw_only=True)
class Axes:
    """From instants and factors to places in the picture. `told` is when the last memory was told."""

    start: datetime
    told: datetime
    decay: Decay

    @property
    def end(self) -> datetime:
        """Where the picture ends."""
        return self.told + _AHEAD

    def x(self, at: datetime) -> float:
        """Where an instant is."""
        return _LEFT + (_WIDTH - _LEFT - 10) * ((at - self.start) / (self.end - self.start))

    def y(self, factor: float) -> float:
        """Where a factor is."""
        return _TOP + _HEIGHT * (self.decay.ceiling - factor) / (self.decay.ceiling - self.decay.floor)

    @property
    def used(self) -> datetime:
        """When the first memory is used once more."""
        return self.told + _USED_IN

    def instants(self, uses: Sequence[datetime]) -> list[datetime]:
        """Where a curve is computed from its first use on: closely after each, and at once before it is lifted."""
        steps = [self.start + (self.end - self.start) * step / _STEPS for step in range(_STEPS + 1)]
        close = [use + after for use in uses for after in (-timedelta(seconds=1), *_CLOSELY)]
        return sorted(at for at in {*steps, *close} if uses[0] <= at <= self.end)


def draw(memory: Memory, user_id: str, picture: Path) -> None:
    """Writes a picture of how some of a user's memories fade: from when they were told to thirty days after the last.

    Args:
        memory: Where they are.
        user_id: Whose they are.
        picture: Where the picture goes.
    """
    found = memory.get_all(user_id=user_id, page_size=10_000)["results"]
    if found:
        picture.write_text(str(_picture(_spread(found), memory)), "utf-8")


def _spread(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A few memories, from the oldest to the newest; of those told at one instant the first, where there are others."""
    ordered = sorted(found, key=lambda each: str(each["created_at"]))
    apart = list({each["created_at"]: each for each in reversed(ordered)}.values())[::-1]
    ordered = apart if len(apart) > 1 else ordered
    places = sorted({round(place * (len(ordered) - 1) / (_LINES - 1)) for place in range(_LINES)})
    return [ordered[place] for place in places]


def _picture(memories: Sequence[Mapping[str, Any]], memory: Memory) -> Markup:
    decay = memory.settings.decay_for(None) or Decay()
    first, last = (parse_iso(memories[place]["created_at"]) for place in (0, -1))
    axes = Axes(start=first, told=last, decay=decay)
    height = _TOP + _HEIGHT + 50 + _ROW * len(memories)
    told = "What decay multiplies the relevance of a memory by. The first is used once more, ten days after the last."
    content = (
        tag("rect", width=_WIDTH, height=height, fill="white"),
        tag("text", told, x=_LEFT, y=28, font_size=15),
        _frame(axes),
        *(_line(each, place, axes) for place, each in enumerate(memories)),
    )
    size = {"viewbox": f"0 0 {_WIDTH} {height}", "width": _WIDTH, "height": height}
    return tag("svg", *content, xmlns="http://www.w3.org/2000/svg", font_family="sans-serif", font_size=13, **size)


def _line(memory: Mapping[str, Any], place: int, axes: Axes) -> Markup:
    """One memory: its curve, and its words below."""
    told = parse_iso(memory["created_at"])
    uses = [told, *([axes.used] if place == 0 else [])]
    points = [f"{axes.x(at):.1f},{axes.y(_factor(uses, at, memory, axes)):.1f}" for at in axes.instants(uses)]
    color, below = _COLORS[place % len(_COLORS)], _TOP + _HEIGHT + 50 + _ROW * place
    text = memory["memory"] if len(memory["memory"]) <= 100 else f"{memory['memory'][:99]}…"
    return joined(
        tag("polyline", points=" ".join(points), fill="none", stroke=color, stroke_width=2),
        tag("rect", x=_LEFT, y=below - 11, width=12, height=12, fill=color),
        tag("text", text, x=_LEFT + 20, y=below),
    )


def _factor(uses: Sequence[datetime], at: datetime, memory: Mapping[str, Any], axes: Axes) -> float:
    return axes.decay.factor([use for use in uses if use <= at], at, categories=memory["categories"])


def _frame(axes: Axes) -> Markup:
    """Lines at the floor, at 1, at the ceiling and where the last was told, and some dates."""
    right, bottom = _WIDTH - 10, _TOP + _HEIGHT
    levels = [
        joined(
            tag("line", x1=_LEFT, x2=right, y1=axes.y(value), y2=axes.y(value), stroke="#ccc"),
            tag("text", f"{value:g}", x=_LEFT - 8, y=axes.y(value) + 4, text_anchor="end"),
        )
        for value in (axes.decay.floor, 1.0, axes.decay.ceiling)
    ]
    last = axes.x(axes.told)
    here = tag("line", x1=last, x2=last, y1=_TOP, y2=bottom, stroke="#888", stroke_dasharray="4")
    at = [axes.start + (axes.end - axes.start) * tick / _TICKS for tick in range(1, _TICKS)]
    dates = [tag("text", f"{each:%Y-%m-%d}", x=axes.x(each), y=bottom + 20, text_anchor="middle") for each in at]
    return joined(*levels, here, tag("text", "the last", x=last + 4, y=_TOP + 12, fill="#666"), *dates)
