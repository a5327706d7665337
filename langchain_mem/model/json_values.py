"""What JSON can hold: dicts with text keys, lists, text, whole and finite numbers, true, false and null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from langchain_mem.errors import SHOWN, InvalidRequest, shown

T = TypeVar("T")

MAX_DEPTH: Final = 100
"""How deep a value may nest: beyond what anyone writes, within Python's stack, and a value that holds itself ends."""


def json_object(value: object) -> dict[str, Any]:
    """A copy made of nothing but what JSON has, so that every backend gives back what it was given.

    Raises:
        InvalidRequest: It is no dict, or something else is in it; the message says where.
    """
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"`value` is {shown(value)}; it must be a dict.")
    copy: dict[str, Any] = json_copy(value, "value")
    return copy


def json_copy(value: Any, path: str, depth: int = 0) -> Any:
    """A copy of any JSON value.

    Args:
        value: What to copy.
        path: Where it stands, for the message of an error.
        depth: How deep it is nested there.

    Raises:
        InvalidRequest: Something in it is not JSON.
    """
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"`value` nests deeper than {MAX_DEPTH} levels, or holds itself.")
    if isinstance(value, Mapping):
        return {_name(key, path): json_copy(each, f"{path}.{key}", depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_copy(each, f"{path}[{n}]", depth + 1) for n, each in enumerate(value)]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InvalidRequest(
        f"`{path[-SHOWN:]}` is {shown(value)}; a value is made of dict, list, str, finite numbers, bool and None."
    )


def copied(value: T) -> T:
    """A copy of a value that is JSON already. It is made several times faster than by `copy.deepcopy`.

    What is neither a dict nor a list is not copied, because nothing in JSON but these two can be changed.
    """
    if isinstance(value, dict):
        return cast(T, {key: copied(each) if isinstance(each, dict | list) else each for key, each in value.items()})
    if isinstance(value, list):
        return cast(T, [copied(each) if isinstance(each, dict | list) else each for each in value])
    return value


def _name(key: Any, path: str) -> str:
    if isinstance(key, str):
        return key
    raise InvalidRequest(f"`{path[-SHOWN:]}` has the key {shown(key)}; the keys of a value are strings.")
