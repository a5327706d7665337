"""Whose memory: ids to namespaces, and the layers memories live in.

A memory has one owner, a user, an agent, an app or an org, or only a run. Its namespace says so:

    ("memories", "user", "alex", "own")             what lasts: Alex's user layer
    ("memories", "user", "alex", "run", "trip")     a session note of Alex's
    ("memories", "run", "trip", "own")              a note of a run that has no other owner
    ("turns", "user", "alex", "own")                kept turns, verbatim

Ids may hold any characters; labels may not (LangGraph refuses a dot, official stores treat some others as
patterns), so ids are escaped, reversibly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias, TypedDict

from langchain_mem.errors import ScopeError, UnknownOption, meant, shown

Namespace: TypeAlias = tuple[str, ...]
"""A path of labels, such as `("memories", "user", "alex")`. A prefix of one is a prefix of whole labels."""

Owner: TypeAlias = Literal["user", "agent", "app", "org", "run"]
"""What kind of thing a memory belongs to."""

MEMORIES: Final = "memories"
"""The root of everything that search may return."""

TURNS: Final = "turns"
"""The root of kept turns: evidence for the facts that cite them, and raw history."""

BATCHES: Final = "batches"
"""The root of the journal: which memories each batch changed."""

EXTRACTED: Final = "extracted"
"""The root of the notes on which messages of a thread have been added."""

PLANS: Final = "plans"
"""The root of plans that await approval."""

THREADS: Final = "threads"
"""The root of the index from owners to their threads."""

TOUCHES: Final = "touches"
"""The root of uses, on stores that cannot keep them beside what was used."""

EVENTS: Final = "events"
"""The root of events, where they are kept."""

HEARD: Final = "heard"
"""The root of the notes on which agents keep words that they said to a user."""

WAITING: Final = "waiting"
"""The root of messages that wait for their extraction, and of who is reading them."""

INSTRUCTIONS: Final = "instructions"
"""The root of what agents are told to do, which no search returns and no conversation changes."""

ROOTS: Final = (MEMORIES, TURNS, INSTRUCTIONS, BATCHES, EXTRACTED, PLANS, THREADS, TOUCHES, EVENTS, HEARD, WAITING)
"""Every root under which something of an owner may lie."""

_OWNERS: Final[tuple[Owner, ...]] = ("user", "agent", "app", "org", "run")
IDS: Final = tuple(f"{owner}_id" for owner in _OWNERS)
"""The names of the ids that a memory carries."""

OWNER_IDS: Final = tuple(name for name in IDS if name != "run_id")
"""The ids that name an owner; `run_id` names a session."""

INSTRUCTED: Final = ("agent_id", "app_id", "org_id")
"""The ids of who may have instructions, the most particular first."""

_OWN: Final = "own"
_RUN: Final = "run"


class Layer(StrEnum):
    """How long a memory lives, in the order in which recalled memories are returned."""

    USER = "user"
    AGENT = "agent"
    SESSION = "session"
    APP = "app"
    ORG = "org"
    CONVERSATION = "conversation"


class Ids(TypedDict, total=False):
    """The ids a call may name, as keywords; `session_id` is another word for `run_id`."""

    user_id: str | None
    agent_id: str | None
    app_id: str | None
    run_id: str | None
    session_id: str | None
    org_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a call may see or touch.

    Attributes:
        user_id: A person or account.
        agent_id: An assistant.
        app_id: An application, shared by its users.
        org_id: An organization, shared by its users.
        run_id: A session: on its own or of the owners beside it.

    Raises:
        ScopeError: An id is empty, no string, or holds a lone surrogate.
    """

    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    org_id: str | None = None
    run_id: str | None = None

    def __post_init__(self) -> None:
        for owner in _OWNERS:
            _check(f"{owner}_id", self.id_of(owner))

    @classmethod
    def of(cls, ids: Ids) -> Scope:
        """The scope a call's keywords name.

        Raises:
            ScopeError: An id is not one, or `run_id` and `session_id` differ.
            UnknownOption: A keyword is no id.
        """
        named: dict[str, str | None] = dict(ids)  # type: ignore[arg-type]
        session, run = named.pop("session_id", None), named.pop("run_id", None)
        if session is not None and run is not None and session != run:
            raise ScopeError("session_id and run_id are one thing; they differ here.")
        unknown = named.keys() - set(OWNER_IDS)
        if unknown:
            name = min(unknown)
            raise UnknownOption(f"There is no id {shown(name)}.{meant(name, (*IDS, 'session_id'))}")
        return cls(**named, run_id=run if session is None else session)

    @classmethod
    def owned(cls, ids: Ids) -> Scope:
        """The same, where the keywords have to name someone: something is about to be added.

        Raises:
            ScopeError: They name no one, or an id is not one.
            UnknownOption: A keyword is no id.
        """
        scope = cls.of(ids)
        scope.owner()
        return scope

    @classmethod
    def of_memory(cls, memory: Mapping[str, Any]) -> Scope:
        """The scope under which a memory was added, by the ids it carries."""
        return cls(**{name: memory[name] for name in IDS})

    def __bool__(self) -> bool:
        """Whether the scope names anyone at all."""
        return any(self.id_of(owner) is not None for owner in _OWNERS)

    def id_of(self, owner: Owner) -> str | None:
        """The id this scope names for an owner of this kind."""
        value: str | None = getattr(self, f"{owner}_id")
        return value

    def ids(self) -> dict[str, str]:
        """The ids that are set, by their field names."""
        return {f"{owner}_id": value for owner, value in self._named()}

    def owner(self) -> tuple[Owner, str]:
        """To whom a memory added under this scope belongs: the most particular of its ids.

        Returns:
            The kind of owner and its id; a run only where nothing else is named.

        Raises:
            ScopeError: The scope names no one.
        """
        for named in self._named():
            return named
        raise ScopeError(NO_OWNER)

    def home(self, root: str = MEMORIES) -> Namespace:
        """The namespace in which a memory added under this scope lives.

        Raises:
            ScopeError: The scope names no one.
        """
        kind, owner_id = self.owner()
        base = (root, kind, escape(owner_id))
        if self.run_id is None or kind == "run":
            return (*base, _OWN)
        return (*base, _RUN, escape(self.run_id))

    def layer(self) -> Layer:
        """The layer of a memory added under this scope."""
        kind, _ = self.owner()
        return Layer.SESSION if self.run_id is not None or kind == "run" else Layer(kind)

    def patterns(self, root: str = MEMORIES) -> tuple[Namespace, ...]:
        """The namespaces a read under this scope sees, as prefixes.

        Every owner named is seen whole. With a run beside them, each is seen without its other sessions, and with
        the run's own notes. A run alone sees the notes of that run, whoever owns them: such a pattern holds the
        wildcard `*` in place of the owner.

        Raises:
            ScopeError: The scope names no one.
        """
        if not self:
            raise ScopeError(NO_OWNER)
        owners = [(kind, owner_id) for kind, owner_id in self._named() if kind != "run"]
        if self.run_id is None:
            return tuple((root, kind, escape(owner_id)) for kind, owner_id in owners)
        run = escape(self.run_id)
        if not owners:
            return ((root, "run", run), (root, "*", "*", _RUN, run))
        places = [(root, kind, escape(owner_id), *tail) for kind, owner_id in owners for tail in ((_OWN,), (_RUN, run))]
        return (*places, (root, "run", run))

    def common(self, root: str = MEMORIES) -> tuple[Namespace, ...]:
        """The namespaces of what belongs to *every* id at once, as prefixes: what a deletion by several ids means.

        A memory has one owner, so two owners have nothing in common. An owner and a run have that session's notes.

        Raises:
            ScopeError: The scope names no one.
        """
        owners = [kind for kind, _ in self._named() if kind != "run"]
        if len(owners) > 1:
            return ()
        return (self.home(root),) if owners and self.run_id is not None else self.patterns(root)

    def without_run(self) -> Scope:
        """The same owners, no session."""
        return replace(self, run_id=None)

    def _named(self) -> Iterator[tuple[Owner, str]]:
        for owner in _OWNERS:
            value = self.id_of(owner)
            if value is not None:
                yield owner, value


NO_OWNER: Final = (
    "Whose memory? Give user_id, agent_id, app_id, org_id or run_id, or name one of them in every branch of the "
    'filters by equality or "in". An administrator\'s Memory(all_owners=True) may do without.'
)
"""What a call without an owner is told."""


def owner_of(namespace: Namespace) -> tuple[Owner, str, str | None]:
    """Reads a memory's namespace back.

    Args:
        namespace: As `Scope.home` makes it.

    Returns:
        The kind of owner, its id, and the run's id where the memory is a session note.
    """
    kind: Owner = namespace[1]  # type: ignore[assignment]
    owner_id = unescape(namespace[2])
    if kind == "run":
        return kind, owner_id, owner_id
    return kind, owner_id, unescape(namespace[4]) if len(namespace) > 4 else None


def ids_of(namespace: Namespace) -> dict[str, str]:
    """The ids a memory in this namespace carries, by field name: its owner's, and its run's."""
    kind, owner_id, run_id = owner_of(namespace)
    ids = {f"{kind}_id": owner_id}
    return ids if run_id is None else {**ids, "run_id": run_id}


def layer_of(home: Namespace) -> Layer:
    """The layer of a memory that lies in a namespace."""
    kind, _, run_id = owner_of(home)
    if home[0] == TURNS:
        return Layer.CONVERSATION
    return Layer.SESSION if run_id is not None else Layer(kind)


def without_session(namespace: Namespace) -> Namespace:
    """The place of an owner's lasting memories, for the place of one of its sessions; any other place as it is."""
    return (*namespace[:3], _OWN) if namespace[3:4] == (_RUN,) else namespace


def reroot(namespace: Namespace, root: str) -> Namespace:
    """The same place under another root: where a memory's turns are kept, say."""
    return (root, *namespace[1:])


_UNSAFE: Final = re.compile(r"[.%_*~/\\\x00-\x1f\x7f]")
_ESCAPED: Final = re.compile(r"~([0-9A-F]{2})")


def escape(id_: str) -> str:
    """An id as a namespace label: what a store could take for syntax becomes `~` and two hex digits.

    >>> escape("alice.smith@acme.io")
    'alice~2Esmith@acme~2Eio'
    """
    return _UNSAFE.sub(lambda match: f"~{ord(match[0]):02X}", id_)


def unescape(label: str) -> str:
    """The id that `escape` made this label from.

    >>> unescape(escape("a_b/ä~"))
    'a_b/ä~'
    """
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), label)


def _check(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise ScopeError(f"{name} must be a string, not {type(value).__name__}.")
    if not value:
        raise ScopeError(f"{name} must not be empty.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ScopeError(f"{name} holds a lone surrogate, which is no character and cannot be stored.")
