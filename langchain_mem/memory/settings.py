"""What the operations share: the repository, the model, the clock and the policies a `Memory` was made with."""

from __future__ import annotations

import itertools
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias, TypeVar

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel

from langchain_mem._flow import Body
from langchain_mem.backends.base import Address
from langchain_mem.decay.policy import Decay
from langchain_mem.errors import Conflict, InvalidRequest, ScopeError, StoreError
from langchain_mem.extraction.redaction import redact_value
from langchain_mem.filters.conditions import Condition, Kind, Not, Operator, Or, Path, Test, conjunction
from langchain_mem.filters.language import owners, parse
from langchain_mem.memory.background import Background
from langchain_mem.memory.changes import Ledger
from langchain_mem.memory.events import Activity
from langchain_mem.memory.repository import Kept, Repository
from langchain_mem.memory.touch_writer import Reinforcement
from langchain_mem.model.instants import iso, to_instant
from langchain_mem.model.records import Source, source_of
from langchain_mem.model.scopes import MEMORIES, NO_OWNER, Namespace, Scope

R = TypeVar("R")

Reinforce: TypeAlias = Literal["returned", "used", "none"]
"""Which memories a search counts as used: those returned, those an answer drew on, or none."""

Expiration: TypeAlias = date | datetime | timedelta | str
"""When something expires; see `langchain_mem.model.instants.to_instant`."""

Reranker: TypeAlias = Callable[[str, list[str]], list[float]]
"""A query and texts to one score a text, best from 0 to 1."""

Decays: TypeAlias = Decay | bool | Mapping[str, Decay | bool | None] | None
"""A policy, on or off, or a mapping from app ids to those."""

_ATTEMPTS: Final = 8
_TIDY_EVERY: Final = timedelta(minutes=1)
_TIDY_LIMIT: Final = 100
_LOG: Final = logging.getLogger("langchain_mem")


@dataclass(kw_only=True)
class Engine:
    """The parts and policies of one `Memory`; see its arguments."""

    repo: Repository
    model: BaseChatModel | None
    clock: Callable[[], datetime]
    decay: Decays
    session_ttl: timedelta | None
    categories: Mapping[str, str]
    instructions: str | None
    agent_instructions: str | None
    min_confidence: float
    redact: Callable[[str], str] | None
    schemas: Sequence[type[BaseModel]]
    reinforce: Reinforce
    all_owners: bool
    keep_sources: bool
    purge_after: timedelta | None
    reranker: Reranker | None
    reinforcement: Reinforcement
    activity: Activity = field(default_factory=Activity)
    background: Background = field(default_factory=Background)
    noted: set[Address] = field(default_factory=set)
    corpora: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _said_verbatim: bool = False
    _tidied: datetime | None = None

    def now(self) -> datetime:
        """The present instant, taken once an operation."""
        return self.clock()

    def decay_for(self, app_id: str | None) -> Decay | None:
        """The decay policy in force, `None` where it is off."""
        chosen = self.decay.get(app_id or "") if isinstance(self.decay, Mapping) else self.decay
        return decay_of(chosen)

    def position(self, at: datetime) -> str:
        """A place after everything added so far by this process; sorts as text."""
        return f"{iso(at)}|{next(self._order):09d}"

    def infers(self, infer: bool | None) -> bool:
        """Whether an `add` asks the model.

        Raises:
            InvalidRequest: It must, and there is none.
        """
        if infer and self.model is None:
            raise InvalidRequest("infer=True needs a model: Memory(model=…). Without one, infer=False stores verbatim.")
        if infer is None and self.model is None and not self._said_verbatim:
            self._said_verbatim = True
            _LOG.info("No model is set, so messages are stored verbatim; Memory(model=…) extracts facts from them.")
        return self.model is not None if infer is None else infer

    def clean(self, text: str) -> str:
        """A text without its secrets."""
        return self.redact(text) if self.redact else text

    def clean_metadata(self, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
        """Metadata, checked to be JSON and without secrets.

        Raises:
            InvalidRequest: It is no JSON object.
        """
        if metadata is None:
            return {}
        if not isinstance(metadata, Mapping):
            raise InvalidRequest(f"metadata must be a dict, not {type(metadata).__name__}.")
        try:
            text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False)
            plain: dict[str, Any] = json.loads(text.encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidRequest(f"metadata must be JSON values: {error}.") from error
        return redact_value(plain, self.redact) if self.redact else plain

    def expiration(self, given: Expiration | None, scope: Scope, now: datetime) -> str | None:
        """When a memory added under a scope expires, as ISO text: as given, else as session notes do."""
        if given is not None:
            return iso(to_instant(given, now=now))
        session = scope.run_id is not None and self.session_ttl is not None
        return iso(now + self.session_ttl) if session and self.session_ttl else None

    def ledger(
        self, *, at: datetime, batch_id: str, source: Source | None = None, now: datetime | None = None
    ) -> Ledger:
        """An empty ledger under this memory's policies."""
        return Ledger(at=at, batch_id=batch_id, source=source, purge_after=self.purge_after, now=now)

    async def tidy(self, now: datetime) -> None:
        """Removes a little of what may go for good, at most once a minute, so that writes stay quick. A body."""
        if self._tidied is not None and timedelta(0) <= now - self._tidied < _TIDY_EVERY:
            return
        self._tidied = now
        try:
            await self.repo.purge(now, limit=_TIDY_LIMIT)
        except StoreError:
            # what was asked for is written, and must not be reported as failed
            _LOG.warning("What may go for good could not be removed; trying again later.", exc_info=True)

    async def view(
        self, scope: Scope, filters: Mapping[str, Any] | None, now: datetime, root: str = MEMORIES
    ) -> tuple[tuple[Namespace, ...], Condition]:
        """Where a read may look, and what it asks for. A body.

        Raises:
            ScopeError: Neither the scope nor every branch of the filters names an owner.
            FilterError: The filters are none.
        """
        condition = parse(filters)
        if scope:
            return await self.repo.places(scope.patterns(root), now), condition
        named = owners(condition)
        if named is not None:
            scopes = [Scope(**ids) for ids in named]
            patterns = dict.fromkeys(pattern for each in scopes for pattern in _widest(each).patterns(root))
            return await self.repo.places(list(patterns), now), condition
        if self.all_owners:
            return ((root,),), condition
        raise ScopeError(NO_OWNER)

    async def by_id(self, memory_id: str, scope: Scope, now: datetime, *, dead: bool = False) -> Kept | None:
        """The memory with this id in a scope, or anywhere where the scope names no one. A body.

        Args:
            memory_id: Its id.
            scope: Where to look.
            now: The present.
            dead: Whether one that was superseded or deleted counts.
        """
        found = (await self.by_ids([memory_id], scope, now)).get(memory_id)
        return found if found is None or dead or found.memory["state"] != "deleted" else None

    async def by_ids(self, memory_ids: Sequence[str], scope: Scope, now: datetime) -> dict[str, Kept]:
        """The memories with these ids, deleted ones too. A body."""
        for memory_id in memory_ids:
            if not isinstance(memory_id, str) or not memory_id:
                raise InvalidRequest(f"A memory's id is a text that is not empty, not {memory_id!r}.")
        places = await self.repo.places(scope.patterns(), now) if scope else ((MEMORIES,),)
        return await self.repo.find(memory_ids, places, now)


def _widest(scope: Scope) -> Scope:
    """Where memories with these ids may lie: with their most particular owner, in any session or in the one named."""
    kind, owner_id = scope.owner()
    return Scope(**{f"{kind}_id": owner_id}) if kind != "run" else scope


def decay_of(chosen: object) -> Decay | None:
    """The policy that a setting means.

    Raises:
        InvalidRequest: It is neither a policy nor on nor off.
    """
    if chosen is None or chosen is False:
        return None
    if chosen is True:
        return Decay()
    if isinstance(chosen, Decay):
        return chosen
    raise InvalidRequest(f"decay is a Decay, True or False, not {chosen!r}.")


def live(now: datetime, *, show_expired: bool = False, latest_only: bool = True) -> Condition:
    """What is shown at an instant, as a condition on stored memories."""
    states = ("live",) if latest_only else ("live", "superseded")
    shown = is_in("state", states)
    return shown if show_expired else conjunction(shown, Not(Test(_EXPIRES, Operator.lte, iso(now), Kind.instant)))


_EXPIRES: Final = Path(("expiration_date",))


def is_in(key: str, values: Sequence[str]) -> Condition:
    """That a stored key has one of these values."""
    return Test(Path((key,)), Operator.in_, tuple(values), Kind.text)


def has_any(key: str, values: Sequence[str]) -> Condition:
    """That a stored list holds one of these values."""
    return Or(tuple(Test(Path((key,)), Operator.contains, value, Kind.texts) for value in values))


def names(categories: Sequence[str] | None) -> list[str]:
    """Category names, each once.

    Raises:
        InvalidRequest: Something is no name.
    """
    several = isinstance(categories, Iterable) and not isinstance(categories, str)
    if categories is not None and not (several and all(isinstance(name, str) and name for name in categories)):
        raise InvalidRequest(f"categories must be a list of names, not {categories!r}.")
    return list(dict.fromkeys(categories or ()))


def source_from(given: Mapping[str, Any] | None) -> Source:
    """A source as a caller gave it, complete.

    Raises:
        InvalidRequest: It has a key that a source has not.
    """
    if given is None:
        return source_of()
    unknown = given.keys() - {"thread_id", "checkpoint_id", "message_ids"}
    if unknown:
        raise InvalidRequest(f"source has thread_id, checkpoint_id and message_ids, not {sorted(unknown)}.")
    return source_of(given.get("thread_id"), given.get("checkpoint_id"), given.get("message_ids") or ())


async def settled(attempt: Callable[[], Body[R]]) -> R:
    """Does something that reads, decides and writes, again where another writer came between. A body.

    Raises:
        Conflict: Others kept coming between.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except Conflict:
            continue
    return await attempt()
