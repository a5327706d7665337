"""The drawn bar of a score."""

from __future__ import annotations

import re

from langchain_mem.rendering.scores import bar, spoken

DETAILS = {
    "relevance": 0.5,
    "factor": 1.2,
    "product": 0.6,
    "parts": {"relevance": 0.5, "semantic": 0.8, "lexical": 0.0, "neighbors": None, "later_part": 0.25},
}


def _width(svg: str, name: str) -> float:
    (found,) = re.findall(rf'class="{name}"[^>]*? width="([\d.]+)"', svg)
    return float(found)


def test_lengths_are_the_numbers():
    """The wide bar and each lane are as long as their share of the width; the tick stands at the score."""
    svg = bar(DETAILS, width=200)
    assert _width(svg, "relevance") == 100
    assert _width(svg, "lane semantic") == 160
    assert _width(svg, "lane later_part") == 50
    assert re.search(r'class="score" x="118.5"', svg)


def test_what_a_memory_does_not_have_has_no_lane():
    """A part that is `None` or zero is not drawn, nor one that is the same for all; what is zero is told in words."""
    svg = bar({**DETAILS, "parts": {**DETAILS["parts"], "confidence": 0.7}})
    assert "neighbors" not in svg
    assert "lane lexical" not in svg
    assert "lane confidence" not in svg
    assert "lexical 0.00" in svg
    assert "confidence 0.70" in svg


def test_it_is_told_in_words():
    """Who cannot see the bar hears the numbers."""
    assert spoken(DETAILS) == (
        "relevance 0.50 × decay 1.20 = 0.60; parts: semantic 0.80, lexical 0.00, later_part 0.25"
    )
    assert spoken(DETAILS) in bar(DETAILS)
