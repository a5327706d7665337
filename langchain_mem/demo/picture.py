"""How memories fade, as a picture that every browser shows (SVG), without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from langchain_mem.decay.policy import Decay
from langchain_mem.memory.facade import Memory
from langchain_mem.model.instants import parse_iso
from langchain_mem.rendering.markup import Markup, joined, tag

DAYS: Final = 45
"""How far the picture looks ahead."""

_LINES: Final = 6
_WIDTH, _HEIGHT, _LEFT, _TOP, _ROW = 860, 300, 50, 50, 22
_COLORS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # told apart by the color blind too


def draw(memory: Memory, user_id: str, picture: Path) -> None:
    """Writes a picture of how this user's first memories fade from now on, and how one does that is used halfway.

    Args:
        memory: Where they are.
        user_id: Whose they are.
        picture: Where the picture goes.
    """
    found = memory.get_all(user_id=user_id, page_size=10_000)["results"]
    oldest = sorted(found, key=lambda each: each["created_at"])[:_LINES]
    picture.write_text(str(_picture(oldest, memory.settings.decay_for(None) or Decay(), memory.clock())), "utf-8")


def _picture(memories: Sequence[Mapping[str, Any]], decay: Decay, now: datetime) -> Markup:
    lines = [_line(each, place, decay, now) for place, each in enumerate(memories)]
    height = _TOP + _HEIGHT + 50 + _ROW * len(memories)
    title = tag("text", "The decay factor of each memory, if nobody uses it but the first, on day 20", x=_LEFT, y=28,
                font_size=16)  # fmt: skip
    content = (tag("rect", width=_WIDTH, height=height, fill="white"), title, _frame(decay), *lines)
    size = {"viewbox": f"0 0 {_WIDTH} {height}", "width": _WIDTH, "height": height}
    return tag("svg", *content, xmlns="http://www.w3.org/2000/svg", font_family="sans-serif", font_size=13, **size)


def _line(memory: Mapping[str, Any], place: int, decay: Decay, now: datetime) -> Markup:
    """One memory: its curve, and its words below."""
    touches = [parse_iso(memory["created_at"]), *([now + timedelta(days=20)] if place == 0 else [])]
    points = []
    for step in range(4 * DAYS + 1):
        at = now + timedelta(days=step / 4)
        factor = decay.factor([touch for touch in touches if touch <= at], at, categories=memory["categories"])
        points.append(f"{_x(step / 4):.1f},{_y(factor, decay):.1f}")
    color, below = _COLORS[place % len(_COLORS)], _TOP + _HEIGHT + 50 + _ROW * place
    curve = tag("polyline", points=" ".join(points), fill="none", stroke=color, stroke_width=2)
    text = memory["memory"] if len(memory["memory"]) <= 100 else f"{memory['memory'][:99]}…"
    return joined(curve, tag("rect", x=_LEFT, y=below - 11, width=12, height=12, fill=color),
                  tag("text", text, x=_LEFT + 20, y=below))  # fmt: skip


def _frame(decay: Decay) -> Markup:
    """Lines at the floor, at 1 and at the ceiling, and the days."""
    levels = [
        joined(
            tag("line", x1=_LEFT, x2=_WIDTH - 10, y1=_y(value, decay), y2=_y(value, decay), stroke="#ccc"),
            tag("text", f"{value:g}", x=_LEFT - 8, y=_y(value, decay) + 4, text_anchor="end"),
        )
        for value in (decay.floor, 1.0, decay.ceiling)
    ]
    days = [
        tag("text", f"day {day}", x=_x(day), y=_TOP + _HEIGHT + 20, text_anchor="middle") for day in range(0, DAYS, 10)
    ]
    return joined(*levels, *days)


def _x(day: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - 10) * day / DAYS


def _y(factor: float, decay: Decay) -> float:
    return _TOP + _HEIGHT * (decay.ceiling - factor) / (decay.ceiling - decay.floor)
