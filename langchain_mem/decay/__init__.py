"""The decay formula: how much a memory counts by when it was used.

Everything here is pure: time is an argument. It may import `model` and `errors`. Start reading with the docstring of
`Decay` in `policy`, which has the formula; `fit` learns a policy from accesses, `plot` draws one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.decay.curve import ANCHORS, CLOCK_SKEW, EXPONENT, FREQUENCY
    from langchain_mem.decay.fit import FitReport
    from langchain_mem.decay.policy import Decay, Explanation, with_touch

_HOMES = {
    "ANCHORS": "curve",
    "CLOCK_SKEW": "curve",
    "Decay": "policy",
    "EXPONENT": "curve",
    "Explanation": "policy",
    "FREQUENCY": "curve",
    "FitReport": "fit",
    "with_touch": "policy",
}

__all__ = ["ANCHORS", "CLOCK_SKEW", "EXPONENT", "FREQUENCY", "Decay", "Explanation", "FitReport", "with_touch"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
