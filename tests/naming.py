"""Names for parametrized cases, the same in every process: what pytest-xdist needs to share the work."""

from __future__ import annotations

import re


def spelled(value: object) -> str:
    """A case's value as its name: sets in order, objects without their address."""
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(repr, value))) + "}"
    return re.sub(r" at 0x[0-9a-f]+", "", value if isinstance(value, str) else repr(value))
