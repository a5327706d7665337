"""How a score comes about, as one drawn bar a memory.

The wide bar is the relevance, from 0 to 1. Where it ends, a dark tick stands at the score, which is the relevance times
the decay factor: right of the bar's end where recent use lifts the memory, left of it where disuse lowers it. The thin
lanes below are the parts that the relevance is worked out from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from langchain_mem.rendering.markup import Markup, tag

LANES: Final = {
    "semantic": "#2f7fb8",
    "before": "#55a3b5",
    "lexical": "#c2703d",
    "neighbors": "#8a6fb3",
    "session": "#b3638e",
    "cited": "#7f8a3a",
    "brevity": "#b04a4a",
    "question": "#d08a8a",
    "share": "#5d7080",
}
"""The parts that have a lane, in order, and their colors; brevity and question count against a memory. A part with
another name is drawn in gray below them. See `langchain_mem.ranking.relevance` for what each means."""

NUMBERS_ONLY: Final = ("confidence", "trust")
"""Parts that are the same for every memory of one search: they are told in numbers, and have no lane."""

_OTHER: Final = "#8b9099"
_RELEVANCE: Final = "#1f6f5c"
_WIDTH, _BAR, _LANE, _GAP = 220, 10, 4, 2


def bar(details: Mapping[str, Any], *, width: int = _WIDTH) -> Markup:
    """The drawn bar of one result.

    Args:
        details: The result's `score_details`.
        width: In pixels.

    Returns:
        SVG, which a reader of the screen hears as a sentence with the numbers.
    """
    parts = {name: value for name, value in lanes(details["parts"]).items() if value > 0 and name not in NUMBERS_ONLY}
    height = _BAR + 4 + len(parts) * (_LANE + _GAP)
    return tag(
        "svg",
        tag("title", spoken(details)),
        _rect("track", 0, 2, width, _BAR, "#8b909933"),
        _rect("relevance", 0, 2, width * _unit(details["relevance"]), _BAR, _RELEVANCE),
        _rect("score", max(width * _unit(details["product"]) - 1.5, 0), 0, 3, _BAR + 4, "currentColor"),
        *(_lane(place, name, value, width) for place, (name, value) in enumerate(parts.items())),
        viewbox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        class_="bar",
        aria_label=spoken(details),
    )


def legend() -> Markup:
    """Which color is which part."""
    named = {"relevance": _RELEVANCE, **LANES}
    return tag("span", *(_key(name, color) for name, color in named.items()), class_="legend")


def lanes(parts: Mapping[str, float | None]) -> dict[str, float]:
    """The parts that a memory has, in the order of their lanes; `relevance` is the wide bar and has none."""
    known = {name: value for name, value in parts.items() if value is not None and name != "relevance"}
    order = [*(name for name in LANES if name in known), *(name for name in known if name not in LANES)]
    return {name: known[name] for name in order}


def spoken(details: Mapping[str, Any]) -> str:
    """The bar in words."""
    parts = ", ".join(f"{name} {value:.2f}" for name, value in lanes(details["parts"]).items())
    product = f"relevance {details['relevance']:.2f} × decay {details['factor']:.2f} = {details['product']:.2f}"
    return f"{product}; parts: {parts}" if parts else product


def _lane(place: int, name: str, value: float, width: int) -> Markup:
    top = _BAR + 4 + _GAP + place * (_LANE + _GAP)
    return _rect(f"lane {name}", 0, top, max(width * _unit(value), 1.0), _LANE, LANES.get(name, _OTHER))


def _rect(name: str, x: float, y: float, width: float, height: float, color: str) -> Markup:
    return tag("rect", class_=name, x=f"{x:.1f}", y=f"{y:g}", width=f"{width:.1f}", height=f"{height:g}", fill=color)


def _key(name: str, color: str) -> Markup:
    dot = tag(
        "svg", tag("rect", class_=name, width=10, height=10, rx=2, fill=color), width=10, height=10, aria_hidden="true"
    )
    return tag("span", dot, f" {name} ", class_="key")


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
