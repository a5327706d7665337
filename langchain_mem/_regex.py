"""Regular expressions that are compiled when they are first used.

Those that recognize secrets and moods in a dozen languages take a quarter of a second together, and most programs
need few of them.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, cast


class _Regex:
    """Stands for a pattern, and has its methods from their first use on."""

    def __init__(self, pattern: str, flags: int) -> None:
        self._source = pattern, flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(*self._source)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what copying asks for is no affair of the pattern's
            raise AttributeError(name)
        found = getattr(self._compiled, name)
        setattr(self, name, found)
        return found


def regex(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern as `re.compile` makes it, compiled at the first search.

    Args:
        pattern: The regular expression. An error in it is raised at the first use.
        flags: As for `re.compile`.
    """
    return cast(re.Pattern[str], _Regex(pattern, flags))
