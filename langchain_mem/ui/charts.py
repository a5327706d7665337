"""Growth and use as pictures: a bar a day, drawn as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from langchain_mem.memory.looking import Day
from langchain_mem.rendering.markup import Markup, tag

_WIDTH, _HEIGHT = 760, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 14, 24
_INNER: Final = _HEIGHT - _TOP - _BOTTOM


def sizes(days: Sequence[Day]) -> Markup:
    """How many memories were shown at the end of each day, as a line over its area."""
    most = max((day["live"] for day in days), default=0) or 1
    points = [(_x(place, days), _y(day["live"], most)) for place, day in enumerate(days)]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    floor = _HEIGHT - _BOTTOM
    area = f"{line}L{points[-1][0]:.1f} {floor}L{points[0][0]:.1f} {floor}Z"
    last = days[-1]["live"]
    return _chart(
        days,
        [*_scale(most), tag("path", class_="area", d=area), tag("path", class_="line", d=line, fill="none")],
        f"{last} memories at the end of {days[-1]['day']}",
    )


def changes(days: Sequence[Day]) -> Markup:
    """What came on each day, and what went beside it."""
    most = max((max(day["added"], day["removed"]) for day in days), default=0) or 1
    bars = [
        *_bars(days, lambda day: day["added"], most, "added", 0.0),
        *_bars(days, lambda day: day["removed"], most, "removed", 0.5),
    ]
    came, went = sum(day["added"] for day in days), sum(day["removed"] for day in days)
    return _chart(days, [*_scale(most), *bars], f"{came} added and {went} removed in {len(days)} days")


def uses(days: Sequence[Day]) -> Markup:
    """How often memories were used on each day."""
    most = max((day["used"] for day in days), default=0) or 1
    bars = _bars(days, lambda day: day["used"], most, "used", 0.0, share=1.0)
    return _chart(days, [*_scale(most), *bars], f"{sum(day['used'] for day in days)} uses in {len(days)} days")


def shares(counts: Mapping[str, int]) -> list[tuple[str, int, Markup]]:
    """Names with their counts and a bar each, the most frequent first."""
    most = max(counts.values(), default=1)
    largest = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [(name, count, _share(count / most)) for name, count in largest]


def _share(part: float) -> Markup:
    bar = tag("rect", class_="added", x=0, y=0, width=f"{part * 200:.1f}", height=10, rx=2)
    return tag("svg", bar, viewbox="0 0 200 10", width=200, height=10, aria_hidden="true", class_="share")


def _chart(days: Sequence[Day], drawn: Sequence[Markup], said: str) -> Markup:
    dates = (
        tag("text", days[place]["day"], x=f"{_x(place, days):.1f}", y=_HEIGHT - 6, text_anchor=anchor)
        for place, anchor in ((0, "start"), (len(days) // 2, "middle"), (len(days) - 1, "end"))
    )
    size = f"0 0 {_WIDTH} {_HEIGHT}"
    return tag("svg", tag("title", said), *drawn, *dates, viewbox=size, role="img", aria_label=said)


def _bars(
    days: Sequence[Day], count: Callable[[Day], int], most: int, name: str, shift: float, share: float = 0.5
) -> list[Markup]:
    width = (_WIDTH - _LEFT - _RIGHT) / len(days) * 0.8
    return [
        tag(
            "rect",
            tag("title", f"{day['day']}: {count(day)} {name}"),
            class_=name,
            x=f"{_x(place, days) + (shift - 0.5) * width:.1f}",
            y=f"{_y(count(day), most):.1f}",
            width=f"{width * share:.1f}",
            height=f"{_INNER * count(day) / most:.1f}",
        )
        for place, day in enumerate(days)
        if count(day)
    ]


def _scale(most: int) -> list[Markup]:
    """Lines at nothing, at the most, and between them where there is a whole number."""
    values = [0, *([most // 2] if most > 1 else []), most]
    return [
        tag(
            "g",
            tag("line", class_="level", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=f"{_y(v, most):.1f}", y2=f"{_y(v, most):.1f}"),
            tag("text", v, x=_LEFT - 8, y=f"{_y(v, most):.1f}", text_anchor="end", dominant_baseline="middle"),
        )
        for v in values
    ]


def _x(place: int, days: Sequence[Day]) -> float:
    width = (_WIDTH - _LEFT - _RIGHT) / len(days)
    return _LEFT + (place + 0.5) * width


def _y(value: int, most: int) -> float:
    return _TOP + _INNER * (1 - value / most)
