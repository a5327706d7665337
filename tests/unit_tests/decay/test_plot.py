"""Pictures of decay."""

import io
import sys
from datetime import UTC, datetime, timedelta

import pytest
from IPython.core.formatters import DisplayFormatter

from langchain_mem.decay.policy import Decay
from langchain_mem.errors import InvalidRequest, MissingDependency

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
TOUCHES = [NOW - timedelta(days=day) for day in (60, 58, 20, 6)]


def test_the_curve_is_drawn_as_it_is():
    """The line for one touch is the factor at every idle time drawn, over all five bands."""
    (axes,) = Decay().plot().axes
    once, twenty = axes.lines
    for seconds, factor in zip(*once.get_data(), strict=True):
        assert factor == Decay().factor([NOW - timedelta(seconds=float(seconds))], NOW)
    assert (twenty.get_ydata() >= once.get_ydata()).all()
    assert len(axes.collections) == 5


def test_the_curve_lies_within_the_bands_drawn():
    """Wherever a band is drawn, both lines are in it."""
    (axes,) = Decay().plot().axes
    for band in axes.collections:
        (left, low), (right, high) = band.get_datalim(axes.transData).get_points()
        for line in axes.lines:
            xs, ys = line.get_data()
            inside = ys[(xs >= left) & (xs <= right)]
            assert len(inside) > 0
            assert ((inside >= low - 1e-9) & (inside <= high + 1e-9)).all()


def test_a_course_jumps_at_each_touch():
    """One memory's line reaches the ceiling at each of its touches and ends at its factor now."""
    _, axes = Decay().plot(TOUCHES, NOW).axes
    course, marks = axes.lines
    instants, factors = course.get_data(orig=True)
    at = dict(zip(instants, factors, strict=True))  # a touch ends one idle time and begins the next; the later wins
    assert [at[touch] for touch in sorted(TOUCHES)] == [1.5] * 4
    assert at[NOW] == Decay().factor(TOUCHES, NOW)
    assert list(marks.get_xdata(orig=True)) == sorted(TOUCHES)


def test_a_plot_can_be_saved_without_a_display():
    """The figure is written as an image by itself."""
    image = io.BytesIO()
    Decay(ceiling=2.0, max_touches=5).plot(TOUCHES, NOW).savefig(image, format="png")
    assert image.getvalue().startswith(b"\x89PNG")


def test_touches_need_an_end():
    """A course without `now` is refused."""
    with pytest.raises(InvalidRequest, match="allowed: both, or neither"):
        Decay().plot(TOUCHES)


def test_a_course_needs_a_touch_before_its_end():
    """Touches that all lie ahead are refused."""
    with pytest.raises(InvalidRequest, match="allowed: at least one before it"):
        Decay().plot([NOW + timedelta(days=1)], NOW)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    """The message is the command that mends it."""
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)  # what Python itself does for a module that is not there
    monkeypatch.delitem(sys.modules, "langchain_mem.decay.plot", raising=False)
    with pytest.raises(MissingDependency, match=r'pip install "langchain-mem\[plot\]"'):
        Decay().plot()


def test_a_notebook_shows_it():
    """IPython, without pyplot, makes a picture of a figure that is the last expression of a cell."""
    formatted, _ = DisplayFormatter().format(Decay().plot(TOUCHES, NOW))
    assert formatted["image/png"].startswith(b"\x89PNG")
