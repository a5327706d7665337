"""One call of `add`, checked: what was said, by whom, when, and whose it is."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.model.instants import iso
from langchain_mem.model.records import Source, batch_id_for
from langchain_mem.model.scopes import Namespace, Scope


@dataclass(frozen=True, kw_only=True)
class Addition:
    """One call of `add`, checked.

    Attributes:
        scope: Whose memories these will be.
        turns: What was said.
        at: When; the present unless a timestamp was given.
        now: The present.
        metadata: To store with each memory.
        categories: Likewise.
        expiration_date: Likewise, ISO text.
        event_date: Likewise, ISO text.
        source: Thread, checkpoint and messages.
        positions: Each turn's place, sorting as text.
    """

    scope: Scope
    turns: Sequence[Turn]
    at: datetime
    now: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: Sequence[str] = ()
    expiration_date: str | None = None
    event_date: str | None = None
    source: Source
    positions: Sequence[str]

    @cached_property
    def batch_id(self) -> str:
        """Derived where thread and messages are named, so that a repeated call finds its result; else random."""
        thread, messages = self.source["thread_id"], self.source["message_ids"]
        if thread is None or not messages:
            return uuid.uuid4().hex
        ids = (f"{name}={value}" for name, value in self.scope.ids().items())
        # the words too: two facts may rest on the same message
        return batch_id_for(*ids, thread, *messages, *(turn.spoken for turn in self.turns))

    @property
    def repeatable(self) -> bool:
        """Whether the batch id names what was said rather than this call."""
        return self.source["thread_id"] is not None and bool(self.source["message_ids"])

    @property
    def group(self) -> str | None:
        """What the turns stood in: their thread, their session, or where several speak this call."""
        talk = self.batch_id if len({(turn.role, turn.name) for turn in self.turns}) > 1 else None
        return self.source["thread_id"] or self.scope.run_id or talk

    def home(self, role: Role, *, session: bool = False) -> Namespace:
        """Where what rests on this role's words lies.

        Args:
            role: With both a user and an agent named, what an assistant says of itself is the agent's.
            session: Whether it is a note of the thread rather than lasting.
        """
        scope = self.scope
        if role == "assistant" and scope.user_id is not None and scope.agent_id is not None:
            scope = Scope(agent_id=scope.agent_id, run_id=scope.run_id)
        if session and scope.run_id is None and self.source["thread_id"] is not None:
            scope = replace(scope, run_id=self.source["thread_id"])
        return scope.home()

    def said_at(self, turn: Turn) -> str | None:
        """The date a turn is filed under."""
        return iso(turn.said_at) if turn.said_at and not self.event_date else self.event_date
