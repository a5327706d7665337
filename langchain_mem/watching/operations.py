"""Every operation is watched: its duration, its span, its error."""

from __future__ import annotations

import functools
import inspect
from typing import Any, TypeVar

from langchain_mem.watching import telemetry

C = TypeVar("C", bound=type)


def watched(operations: C) -> C:
    """A class of which every public body is an operation that is watched.

    Args:
        operations: A class whose coroutine functions are bodies; see `langchain_mem._flow`.

    Returns:
        The same class.
    """
    for name, body in inspect.getmembers(operations, inspect.iscoroutinefunction):
        if not name.startswith("_"):
            setattr(operations, name, _watched(name, body))
    return operations


def _watched(name: str, body: Any) -> Any:
    @functools.wraps(body)
    async def operation(*args: Any, **kwargs: Any) -> Any:
        with telemetry.operation(name):
            return await body(*args, **kwargs)

    return operation
