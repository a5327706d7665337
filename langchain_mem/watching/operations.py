"""Every operation is watched: its duration, its span, its error."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from langchain_mem._flow import Body
from langchain_mem.watching import telemetry

P = ParamSpec("P")
R = TypeVar("R")


def watched(name: str, body: Callable[P, Body[R]]) -> Callable[P, Body[R]]:
    """A body that is watched while it runs.

    Args:
        name: The operation, such as "search".
        body: What it does; see `langchain_mem._flow`.
    """

    @functools.wraps(body)
    async def operation(*args: P.args, **kwargs: P.kwargs) -> R:
        with telemetry.operation(name):
            return await body(*args, **kwargs)

    return operation
