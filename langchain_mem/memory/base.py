"""What `Memory` and `AsyncMemory` share: how they are made, and the operations, each from the file of its name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langgraph.store.base import BaseStore
from pydantic import BaseModel

from langchain_mem._flow import run
from langchain_mem.background.pending import Pending
from langchain_mem.background.work import Background
from langchain_mem.errors import InvalidRequest
from langchain_mem.events.feed import Activity, OnEvent, Watching
from langchain_mem.events.kept import KeptEvents
from langchain_mem.extraction.judgement import Grounding
from langchain_mem.extraction.personal_data import PersonalData, redactor
from langchain_mem.extraction.portions import DEFAULT_TOKENS
from langchain_mem.extraction.prompts import DEFAULT_CATEGORIES
from langchain_mem.extraction.redaction import redact_secrets
from langchain_mem.memory.models import chat_model
from langchain_mem.memory.operation import Undriven
from langchain_mem.memory.options import (
    check_decay,
    check_extraction,
    check_parts,
    check_policies,
    check_spans,
    check_watching,
)
from langchain_mem.memory.settings import Decays, Reinforce, Reranker, Settings, decay_of
from langchain_mem.model.kinds import Kinds, Many
from langchain_mem.ranking.context import render
from langchain_mem.repository.any_store import AnyStore
from langchain_mem.repository.contract import Repository
from langchain_mem.repository.overview import Overview
from langchain_mem.repository.owners import Owners, owners_of
from langchain_mem.repository.touch_writer import Touches, TouchWriter
from langchain_mem.store.items import utc_now
from langchain_mem.store.long_term import Embed, LongTermStore
from langchain_mem.store.place import open_place

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


class Operations:
    """The operations, each from the file it is written in. Imported here, in the class, they are its methods."""

    from langchain_mem.memory.add import add
    from langchain_mem.memory.admin import compact, erase, flush, purge_expired, reset
    from langchain_mem.memory.consolidate import consolidate
    from langchain_mem.memory.delete import batch_delete, delete, delete_all, delete_users
    from langchain_mem.memory.documents import (
        add_document,
        get_document,
        get_documents,
        set_document,
        update_document,
    )
    from langchain_mem.memory.edit import batch_update, feedback, update
    from langchain_mem.memory.explain import explain
    from langchain_mem.memory.export import export, export_to, import_
    from langchain_mem.memory.improve import improve_instructions
    from langchain_mem.memory.instruct import diff_instructions, instruct, instructions, list_instructions
    from langchain_mem.memory.plan import commit, pending, plan
    from langchain_mem.memory.read import events, get, get_all, history, stats, users
    from langchain_mem.memory.search import search
    from langchain_mem.memory.sessions import end_session, promote
    from langchain_mem.memory.summary import summary
    from langchain_mem.memory.tuning import tune_decay
    from langchain_mem.memory.undo import restore, undo
    from langchain_mem.memory.waiting import extract_waiting


class BothForms(Undriven, Operations):
    """The operations for surfaces that run in a sync and an async form themselves; see `langchain_mem._flow`."""

    from langchain_mem.memory.admin import count_used, note_thread
    from langchain_mem.memory.looking import census, counts, ending, growth, latest, look, look_at, told
    from langchain_mem.memory.saving import save, save_document
    from langchain_mem.memory.waiting import wait

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


class MemoryBase(Operations):
    """What `Memory` and `AsyncMemory` share: how they are made, and what needs no store.

    Args:
        store: A LangGraph store, which the caller closes; or where to open one: a folder (Chroma, no server), a
            `postgresql://` address, or `":memory:"`. `None` opens `$LANGCHAIN_MEM_STORE`, or else `./memory`.
        embed: The embedder of a store that is opened here: a LangChain embedder, or its name, such as
            `"openai:text-embedding-3-small"` or `"multilingual"`. `None` is the local MiniLM, which needs no key.
        model: The chat model that extracts facts, or its name for `init_chat_model`, such as `"openai:gpt-5-mini"`.
            Without a model, messages are stored word for word.
        decay: The decay policy, or `True` or `False`. A mapping from app ids sets a policy for each application.
        session_ttl: How long session notes are kept; `None` keeps them until they are deleted.
        categories: The categories a fact may have, each with a description; `None` for the fifteen default ones.
        instructions: What the model should extract, and what it should not.
        agent_instructions: The same for facts about an agent.
        min_confidence: Facts with a lower confidence of the model are not stored, from 0 to 1.
        grounding: What happens to a fact that the conversation does not confirm. "mark" stores it with half the
            confidence and the reason as its `doubt`, "strict" refuses it, and "off" compares nothing. "mark" and
            "strict" both refuse a fact that the conversation contradicts.
        extraction_tokens: How many tokens of conversation one prompt contains. A longer conversation is sent in
            portions.
        expansion: Whether the model also writes, with each fact, short phrases for requests that need the fact but do
            not name it (`useful_for`). It takes about 60 tokens of each prompt and 15 of the answer for each fact.
        redact: A function that masks secrets before a text is embedded, stored, logged or traced; `None` masks nothing.
        pii: What happens to personal data (mail addresses, telephone numbers, cards, bank accounts, national ids).
            `"leave"` stores it, `"mask"` or `Mask(…)` masks it, and `Hash(key=…)` replaces it with a keyed hash, so
            that it can still be found.
        schemas: The schemas of typed memories. An owner has one document of a schema, or many with `Many(schema)`.
        reinforce: Which memories count as used: all that a search returns, those a reply used, or none.
        all_owners: Whether operations may name no owner, for an administrator.
        embedder_id: The name under which the store records its embedder.
        keep_sources: Whether to store the turns that facts were extracted from, as evidence.
        purge_after: How long an expired, superseded or deleted memory can be restored; `None` for ever.
        reranker: A function of a query and texts that returns a score from 0 to 1 for each text. It is used by searches
            with `rerank=True`.
        cache_bytes: How many bytes the indexes of this store may take in memory; 512 MB by default. The owners that
            were searched last are kept. For an owner with a larger index, the database proposes candidates.
        on_event: A function that is called with each event, on the thread of the operation, after its changes are
            written. Its errors are logged and fail nothing. For a coroutine, use `watch`.
        keep_events: How many events of each owner are kept in the store, without texts, so that `events()` also
            returns those of other and earlier processes; 0 keeps none.
        log_text: Whether log lines contain queries, beside ids and numbers.
        clock: A function that returns the current time.

    Raises:
        InvalidRequest: An argument is out of its range.
        MissingDependency: The embedded default lacks a package; says which.
    """

    def __init__(
        self,
        store: BaseStore | str | Path | None = None,
        *,
        embed: Embed | None = None,
        model: BaseChatModel | str | None = None,
        decay: Decays = True,
        session_ttl: timedelta | None = timedelta(hours=24),
        categories: Mapping[str, str] | None = None,
        instructions: str | None = None,
        agent_instructions: str | None = None,
        min_confidence: float = 0.0,
        grounding: Grounding = "mark",
        extraction_tokens: int = DEFAULT_TOKENS,
        expansion: bool = True,
        redact: Callable[[str], str] | None = redact_secrets,
        pii: PersonalData = "leave",
        schemas: Sequence[type[BaseModel] | Many] = (),
        reinforce: Reinforce = "returned",
        all_owners: bool = False,
        embedder_id: str | None = None,
        keep_sources: bool = True,
        purge_after: timedelta | None = timedelta(days=30),
        reranker: Reranker | None = None,
        cache_bytes: int | None = None,
        on_event: OnEvent | None = None,
        keep_events: int = 0,
        log_text: bool = False,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        check_policies(decay, min_confidence, reinforce)
        check_spans(session_ttl=session_ttl, purge_after=purge_after)
        check_parts(
            callables={"redact": redact, "reranker": reranker, "clock": clock},
            texts={"instructions": instructions, "agent_instructions": agent_instructions, "embedder_id": embedder_id},
            categories=categories,
            model=model,
            store=store,
        )
        check_extraction(grounding, extraction_tokens)
        check_watching(on_event, keep_events)
        self._opened = not isinstance(store, BaseStore)
        self.store: BaseStore = _store(store, embed, embedder_id, clock)
        repo, owners, overview = _parts_of(self.store, cache_bytes)
        background = Background()
        kept = KeptEvents(repo, background, keep_events, clock) if keep_events else None
        self.settings: Settings = Settings(
            repo=repo,
            model=chat_model(model),
            clock=clock,
            decay=decay,
            session_ttl=session_ttl,
            categories=DEFAULT_CATEGORIES if categories is None else dict(categories),
            instructions=instructions,
            agent_instructions=agent_instructions,
            min_confidence=min_confidence,
            grounding=grounding,
            extraction_tokens=extraction_tokens,
            expansion=expansion,
            redact=redactor(redact, pii),
            kinds=Kinds.of(schemas),
            reinforce=reinforce,
            all_owners=all_owners,
            keep_sources=keep_sources,
            purge_after=purge_after,
            reranker=reranker,
            activity=Activity(on_event=on_event, log_text=log_text, keeper=kept),
            kept_events=kept,
            background=background,
            pending=Pending(clock),
            touches=TouchWriter(functools.partial(_touch, repo, self._kept_touches)),
            owners=owners,
            overview=overview,
        )
        self.operations = BothForms(self.settings)

    @property
    def model(self) -> BaseChatModel | None:
        """The model facts are extracted with."""
        return self.settings.model

    @property
    def clock(self) -> Callable[[], datetime]:
        """Where the time comes from."""
        return self.settings.clock

    @property
    def reinforce(self) -> Reinforce:
        """Which memories a search counts as used."""
        return self.settings.reinforce

    @property
    def activity(self) -> Activity:
        """The feed of events, for surfaces that note what became of a call; `events` reads it."""
        return self.settings.activity

    @property
    def background(self) -> Background:
        """Where extraction goes that a reply does not wait for."""
        return self.settings.background

    @property
    def decay(self) -> Decays:
        """The decay in force; may be set, on and off again, and loses nothing."""
        return self.settings.decay

    @decay.setter
    def decay(self, decay: Decays) -> None:
        check_decay(decay)
        self.settings.decay = decay

    def context(
        self,
        memories: Sequence[Mapping[str, Any]] | Mapping[str, Any],
        *,
        token_budget: int | None = None,
        template: str | None = None,
    ) -> str:
        """Memories as text for a prompt, fenced and marked as recalled data.

        Args:
            memories: What a search returned, or its `results`.
            token_budget: At most so many tokens for the whole text, counted approximately.
            template: Text with `{memories}` where the lines go.

        Returns:
            The text; empty where there are no memories or not one fits.

        Raises:
            InvalidRequest: The budget is below 1, or the template has no `{memories}`.
        """
        listed = memories["results"] if isinstance(memories, Mapping) else memories
        return render(listed, token_budget=token_budget, template=template)

    def watch(self, types: Collection[str] | None = None) -> Watching:
        """The events of this memory from now on, as they happen: for a `for` or an `async for`.

        Args:
            types: Only these: add, search, update, delete and so on; `None` for all.
        """
        return self.settings.activity.watch(types)

    def _kept_touches(self) -> int:
        return _kept(self.settings.decay)

    def _close_parts(self) -> None:
        self.settings.pending.close()
        try:
            self.settings.background.flush()
        finally:
            self.settings.touches.close()
            if self.settings.owners is not None:
                self.settings.owners.leave()


def _store(
    store: BaseStore | str | Path | None, embed: Embed | None, embedder_id: str | None, clock: Callable[[], datetime]
) -> BaseStore:
    """The store that was given, or the one at the place that was."""
    if not isinstance(store, BaseStore):
        return open_place(store, embed=embed, embedder_id=embedder_id, clock=clock)
    if embed is not None:
        raise InvalidRequest("A store has its own embedder: give embed= to it, as LongTermStore.chroma(…, embed=…).")
    return store


class _Parts(NamedTuple):
    """What the operations ask of a store; a store that is not ours has no index to ask."""

    repo: Repository
    owners: Owners | None = None
    overview: Overview | None = None


def _parts_of(store: BaseStore, cache_bytes: int | None) -> _Parts:
    """What the operations ask of a store.

    Args:
        store: Any LangGraph store.
        cache_bytes: How many bytes the owners' indexes may take.
    """
    if not isinstance(store, LongTermStore):
        return _Parts(AnyStore(store))
    return _Parts(store.items, owners_of(store.items, cache_bytes), Overview(store.items))


def _touch(repo: Repository, keep: Callable[[], int], touches: Touches) -> None:
    run(repo.touch(touches, keep()))


_KEPT_TOUCHES: Final = 20


def _kept(decay: Decays) -> int:
    """How many uses of a memory are kept: as many as the policy that looks furthest back reads."""
    policies = decay.values() if isinstance(decay, Mapping) else (decay,)
    read = (policy.max_touches for policy in map(decay_of, policies) if policy is not None)
    return max((_KEPT_TOUCHES, *read))
