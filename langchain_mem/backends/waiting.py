"""How long a call waits for a server before it fails."""

from __future__ import annotations

from typing import Final

from langchain_mem.errors import InvalidRequest, shown

PATIENCE: Final = 30.0
"""Seconds that a server may be silent where nobody says otherwise."""


def checked_timeout(timeout: float | None) -> float | None:
    """A number of seconds that a user gave.

    Raises:
        InvalidRequest: It is no number above 0.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise InvalidRequest(f"`timeout` is {shown(timeout)}; it must be seconds above 0, or None to wait for ever.")
    return float(timeout)
