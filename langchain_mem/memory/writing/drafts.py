"""Memories to be: what one call of `add` heard, checked, and the drafts that are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypedDict, cast

from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.extraction.portions import EARLIER, portions
from langchain_mem.extraction.worth_keeping import worth_keeping
from langchain_mem.model.history import changed
from langchain_mem.model.instants import iso
from langchain_mem.model.records import Importance, Source, StoredMemory, is_repeatable
from langchain_mem.model.scopes import IDS, Namespace, Scope, ids_of, layer_of


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A memory to be.

    Attributes:
        home: Its namespace.
        text: The fact.
        metadata: The user's own data.
        categories: Names.
        confidence: 0 to 1, where a model gave one.
        doubt: Why the conversation does not confirm it; `None` where nothing is in doubt.
        importance: Whether it belongs into every prompt.
        useful_for: Phrases for requests that need it without naming it.
        event_date: ISO text.
        event_end: ISO text, where that is longer than a day.
        expiration_date: ISO text.
        cites: Ids of the turns it rests on.
        group: The session or thread it stood in.
        position: Where in it; sorts as text.
        role: Who said it, for a verbatim turn.
        schema: The schema it is a document of.
        said_to: The user to whom an agent said it, where its words are kept with the agent.
    """

    home: Namespace
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: Sequence[str] = ()
    confidence: float | None = None
    doubt: str | None = None
    importance: Importance = "normal"
    useful_for: Sequence[str] = ()
    event_date: str | None = None
    event_end: str | None = None
    expiration_date: str | None = None
    cites: Sequence[str] = ()
    group: str | None = None
    position: str = ""
    role: str | None = None
    schema: str | None = None
    said_to: str | None = None

    def told(self) -> dict[str, Any]:
        """What a repetition of the fact may bring anew."""
        return {
            "metadata": dict(self.metadata),
            "categories": list(self.categories),
            "confidence": self.confidence,
            "doubt": self.doubt,
            "importance": self.importance,
            "useful_for": list(self.useful_for),
            "event_date": self.event_date,
            "event_end": self.event_end,
            "expiration_date": self.expiration_date,
            "cites": list(self.cites),
        }

    def stored(self, memory_id: str, digest: str, *, now: str, batch_id: str, source: Source) -> StoredMemory:
        """The memory that it becomes, in its first version.

        Args:
            memory_id: Its id.
            digest: A short stand-in for its text, to find the same fact by.
            now: When, as ISO text.
            batch_id: The batch that makes it.
            source: Where it came from.
        """
        told = self.told()
        empty: dict[str, Any] = {
            "id": memory_id,
            "memory": self.text,
            **dict.fromkeys(IDS),
            **ids_of(self.home),
            "layer": str(layer_of(self.home)),
            "created_at": now,
            "superseded_by": None,
            "source": source,
            "state": "live",
            "digest": digest,
            "log": [],
            "group": self.group,
            "position": self.position,
            "role": self.role,
            "feedback": None,
            "schema": self.schema,
            **told,
        }
        if self.said_to is not None:
            empty["said_to"] = self.said_to
        first = cast(StoredMemory, empty)
        return changed(first, "ADD", now=now, batch_id=batch_id, source=source, reason=self.doubt)


_UNSAID: Final = ("system", "tool")


class Dates(TypedDict):
    """The date of an event as it is stored: its start, and its end where that is longer than a day."""

    event_date: str | None
    event_end: str | None


@dataclass(frozen=True, kw_only=True)
class Addition:
    """One call of `add`, checked.

    Attributes:
        scope: Whose memories these will be.
        ids: The ids that name them.
        home: Where the memories of this scope lie.
        batch_id: Derived where thread and messages are named, so that a repeated call finds its result; else random.
        repeatable: Whether the batch id names what was said rather than this call.
        turns: What was said.
        at: When; the present unless a timestamp was given.
        now: The present.
        at_iso: `at` as text.
        now_iso: `now` as text.
        infers: Whether a model is asked what to remember of it.
        metadata: To store with each memory.
        categories: Likewise.
        importance: Of all of them, where the caller says "always".
        useful_for: Of what is kept verbatim, phrases for requests that need it without naming it.
        expiration_date: Likewise, ISO text.
        event_date: Likewise, ISO text.
        event_end: Likewise, where that is longer than a day.
        source: Thread, checkpoint and messages.
        positions: Each turn's place, sorting as text.
        selective: Whether only what is worth keeping is kept verbatim (`worth_keeping`).
        plain: Whether the words were given without saying who said them.
        earlier: What was said before, where this is a later portion of a longer addition.
        is_portion: Whether this is a portion of a longer addition.
        more: Whether portions follow.
        awaited: Whether its messages waited in the store, and must still wait there when they are written.
    """

    scope: Scope
    ids: Mapping[str, str]
    home: Namespace
    batch_id: str
    repeatable: bool
    turns: Sequence[Turn]
    at: datetime
    now: datetime
    at_iso: str
    now_iso: str
    infers: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)
    categories: Sequence[str] = ()
    importance: Importance = "normal"
    useful_for: Sequence[str] = ()
    expiration_date: str | None = None
    event_date: str | None = None
    event_end: str | None = None
    source: Source
    positions: Sequence[str]
    earlier: Sequence[Turn] = ()
    is_portion: bool = False
    more: bool = False
    plain: bool = False
    selective: bool = False
    awaited: bool = False

    @cached_property
    def group(self) -> str | None:
        """What the turns stood in: their thread, their session, or where several speak this call."""
        talk = self.batch_id if len({(turn.role, turn.name) for turn in self.turns}) > 1 or self.is_portion else None
        return self.source["thread_id"] or self.scope.run_id or talk

    def portions(self, limit: int) -> list[Addition]:
        """This addition in parts of at most so many tokens, each with the messages that it settles."""
        parts = portions(self.turns, limit)
        if len(parts) < 2:
            return [self]
        return [self._portion(parts, at) for at in range(len(parts))]

    def _portion(self, parts: Sequence[Sequence[Turn]], at: int) -> Addition:
        turns, more = parts[at], at + 1 < len(parts)
        before = [turn for part in parts[:at] for turn in part][-EARLIER:]
        places = dict(zip((turn.place for turn in self.turns), self.positions, strict=True))
        source: Source = {**self.source, "message_ids": self._settled(parts, at)}
        return replace(
            self,
            turns=turns,
            positions=[places[turn.place] for turn in turns],
            source=source,
            repeatable=is_repeatable(source),
            earlier=before,
            is_portion=True,
            more=more,
        )

    def _settled(self, parts: Sequence[Sequence[Turn]], at: int) -> list[str]:
        """The ids of the messages that are done with a portion: up to the first one of the next."""
        ids = self.source["message_ids"]
        if len(ids) <= max(turn.place for turn in self.turns):  # they are not one a message: done with the last portion
            return [] if at + 1 < len(parts) else ids
        start = parts[at][0].place if at else 0
        return ids[start : parts[at + 1][0].place if at + 1 < len(parts) else None]

    def home_of(self, role: Role, *, session: bool = False) -> Namespace:
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
        return self.home if scope is self.scope else scope.home()

    def said_at(self, turn: Turn) -> Dates:
        """The date a turn is filed under."""
        if turn.said_at and not self.event_date:
            return {"event_date": iso(turn.said_at), "event_end": None}
        return {"event_date": self.event_date, "event_end": self.event_end}

    def verbatim(self) -> list[Draft]:
        """What people and agents said, each turn as a memory of its own.

        Of a conversation with an agent alone, what the agent said: a user's words do not become the agent's memories.
        """
        worth = worth_keeping(self.turns) if self.selective else [True] * len(self.turns)
        homes = {role: self.home_of(role) for role in {turn.role for turn in self.turns}}
        turns = zip(self.turns, self.positions, worth, strict=True)
        return [
            self._verbatim(turn, homes[turn.role], position)
            for turn, position, kept in turns
            if kept and self._is_kept(turn, homes[turn.role])
        ]

    def _is_kept(self, turn: Turn, home: Namespace) -> bool:
        if turn.role == "user" and home[1] == "agent":
            return self.plain
        return turn.role not in _UNSAID

    def _verbatim(self, turn: Turn, home: Namespace, position: str) -> Draft:
        return Draft(
            home=home,
            metadata=self.metadata,
            categories=self.categories,
            importance=self.importance,
            useful_for=self.useful_for,
            **self.said_at(turn),
            expiration_date=self.expiration_date,
            group=self.group,
            position=position,
            role=turn.role,
            said_to=self.scope.user_id if home[1] == "agent" else None,
            text=turn.spoken,
        )
