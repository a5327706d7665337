"""A memory that fails does not take the agent down: the failure is logged and put among the events.

What a program does wrong is raised all the same: a run that names no owner, an option that cannot be.
"""

from __future__ import annotations

import logging
from typing import Final, Literal, TypeAlias, cast

from langgraph.errors import GraphBubbleUp

from langchain_mem.errors import FilterError, InvalidRequest, ScopeError
from langchain_mem.integrations.identity import Identity
from langchain_mem.memory.base import MemoryBase
from langchain_mem.model.instants import iso

OnError: TypeAlias = Literal["raise", "warn"]
"""What a failing memory does: fail the step, or a warning in the log and an event."""

MISTAKES: Final = (ScopeError, InvalidRequest, FilterError, GraphBubbleUp)
"""What is always raised: mistakes of the program, and LangGraph's own signals, such as an interrupt."""

_LOG: Final = logging.getLogger("langchain_mem")


def check_on_error(on_error: str) -> None:
    """Refuses a choice that is none.

    Raises:
        InvalidRequest: It is neither "raise" nor "warn".
    """
    if on_error not in ("raise", "warn"):
        raise InvalidRequest(f'on_error is "raise" or "warn", not {on_error!r:.200}.')


def report(memory: MemoryBase, what: str, meanwhile: str, error: Exception, owner: Identity) -> None:
    """Logs a failure and puts it among the events.

    Args:
        memory: The memory that failed.
        what: The type of the event, such as `recall_failed`.
        meanwhile: What happened instead, for the log.
        error: The failure.
        owner: Whose memories these are.
    """
    told = memory.settings.clean(f"{type(error).__name__}: {error}")[:500]
    _LOG.warning("%s: %s. %s", what, told, meanwhile)
    memory.activity.record(what, iso(memory.clock()), cast(dict[str, str], owner.owners), error=told)
