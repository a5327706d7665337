"""The parts and the policies that a `Memory` was made with, as every operation is handed them."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from langchain_mem.backends.base import Address
from langchain_mem.background.pending import Pending
from langchain_mem.background.work import Background
from langchain_mem.decay.policy import Decay
from langchain_mem.errors import InvalidRequest, MemError, StoreError, shown
from langchain_mem.events.feed import Activity
from langchain_mem.events.kept import KeptEvents
from langchain_mem.extraction.judgement import Grounding
from langchain_mem.extraction.redaction import redact_value
from langchain_mem.memory.writing.contention import Turnstile
from langchain_mem.model.instants import iso, to_instant
from langchain_mem.model.kinds import Kinds
from langchain_mem.model.phrases import checked_phrases
from langchain_mem.model.scopes import Scope
from langchain_mem.repository.contract import Repository
from langchain_mem.repository.overview import Overview
from langchain_mem.repository.owners import Owners
from langchain_mem.repository.touch_writer import TouchWriter
from langchain_mem.watching import telemetry
from langchain_mem.watching.log import log_event

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Reinforce: TypeAlias = Literal["returned", "used", "none"]
"""Which memories a search counts as used: those returned, those an answer drew on, or none."""

Expiration: TypeAlias = date | datetime | timedelta | str
"""When something expires; see `langchain_mem.model.instants.to_instant`."""

Reranker: TypeAlias = Callable[[str, list[str]], list[float]]
"""A query and texts to one score a text, best from 0 to 1."""

Decays: TypeAlias = Decay | bool | Mapping[str, Decay | bool | None] | None
"""A policy, on or off, or a mapping from app ids to those."""

_USUAL_DECAY: Final = Decay()
QUOTED: Final = 500
"""So many characters of a query are told by events and traces."""

_TIDY_EVERY: Final = timedelta(minutes=1)
_TIDY_LIMIT: Final = 100
_LOG: Final = logging.getLogger("langchain_mem")


@dataclass(kw_only=True)
class Settings:
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
    grounding: Grounding
    extraction_tokens: int
    expansion: bool
    redact: Callable[[str], str] | None
    kinds: Kinds
    reinforce: Reinforce
    all_owners: bool
    keep_sources: bool
    purge_after: timedelta | None
    reranker: Reranker | None
    touches: TouchWriter
    pending: Pending
    activity: Activity = field(default_factory=Activity)
    kept_events: KeptEvents | None = None
    turnstile: Turnstile = field(default_factory=Turnstile)
    background: Background = field(default_factory=Background)
    noted: set[Address] = field(default_factory=set)
    owners: Owners | None = None
    overview: Overview | None = None
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
        return self.positions(at, 1)[0]

    def positions(self, at: datetime, count: int) -> list[str]:
        """So many places, one after the other."""
        return list(map(f"{iso(at)}|{{:09d}}".format, itertools.islice(self._order, count)))

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

    def quoted(self, query: str) -> str:
        """A query as events and traces tell it: without its secrets, and of a long one the beginning."""
        return self.clean(query[: 2 * QUOTED])[:QUOTED]  # a secret that begins among them is seen whole

    def cleaned(self, text: str | None) -> str | None:
        """The same, where there is one."""
        return None if text is None else self.clean(text)

    def clean_error(self, error: MemError) -> None:
        """Takes secrets out of what an error says, though its message shows only a part of what was wrong."""
        error.args = tuple(self.clean(each) if isinstance(each, str) else each for each in error.args)

    def clean_names(self, categories: Sequence[str] | None) -> list[str]:
        """Category names, each once and without secrets.

        Raises:
            InvalidRequest: Something is no name.
        """
        return [self.clean(name) for name in names(categories)]

    def clean_phrases(self, useful_for: Sequence[str] | None) -> list[str]:
        """What a memory is useful for, as a caller said it, without secrets.

        Raises:
            InvalidRequest: They are no short phrases, or too many.
        """
        return [self.clean(phrase) for phrase in checked_phrases(useful_for)]

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

    async def tidy(self, now: datetime) -> None:
        """Removes a little of what may go for good, at most once a minute, so that writes stay quick."""
        if self._tidied is not None and timedelta(0) <= now - self._tidied < _TIDY_EVERY:
            return
        self._tidied = now
        try:
            removed = await self.repo.purge(now, limit=_TIDY_LIMIT)
        except StoreError as error:
            # what was asked for is written, and must not be reported as failed
            telemetry.count("store.errors", 1, {"error.type": type(error).__name__})
            _LOG.warning("What may go for good could not be removed; trying again later.", exc_info=True)
        else:
            if removed:
                log_event("tidy", {}, {"removed": removed})


def decay_of(chosen: object) -> Decay | None:
    """The policy that a setting means.

    Raises:
        InvalidRequest: It is neither a policy nor on nor off.
    """
    if chosen is None or chosen is False:
        return None
    if chosen is True:
        return _USUAL_DECAY
    if isinstance(chosen, Decay):
        return chosen
    raise InvalidRequest(f"decay is a Decay, True or False, not {shown(chosen)}.")


def names(categories: Sequence[str] | None) -> list[str]:
    """Category names, each once.

    Raises:
        InvalidRequest: Something is no name.
    """
    several = isinstance(categories, Iterable) and not isinstance(categories, str)
    if categories is not None and not (several and all(isinstance(name, str) and name for name in categories)):
        raise InvalidRequest(f"categories must be a list of names, not {shown(categories)}.")
    return list(dict.fromkeys(categories or ()))
