"""From one call of `add` to a ledger: ask the model once, then decide against what is known. Bodies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.extraction.model_call import Request, propose
from langchain_mem.extraction.reconcile import Action, Decision, Operation, objection, reconcile, statements
from langchain_mem.filters.conditions import matches
from langchain_mem.memory.addition import Addition
from langchain_mem.memory.changes import Draft, Ledger, content
from langchain_mem.memory.patching import Patching
from langchain_mem.memory.repository import Kept, View
from langchain_mem.memory.settings import Engine, has_any, live
from langchain_mem.model.instants import instant, iso
from langchain_mem.model.records import Rejected, StoredMemory
from langchain_mem.model.scopes import MEMORIES, TURNS, Namespace, Scope, owner_of, reroot
from langchain_mem.ranking.relevance import Corpus, Document, dated

SHOWN: Final = 40
"""At most so many known memories are shown to the model."""

Vector = NDArray[np.float32]
Enter = Callable[..., Awaitable[list[StoredMemory]]]
"""`Adding._enter`: puts drafts into a ledger, each as the memory that says the same already where there is one."""


class Learning:
    """Learns from one addition.

    Args:
        engine: Parts and policies.
        addition: What was said.

    Attributes:
        rejected: What the model proposed and was refused.
    """

    def __init__(self, engine: Engine, addition: Addition) -> None:
        self._engine = engine
        self._addition = addition
        self._turns, self._positions = _heard(addition)
        self._operations: list[Operation] = []
        self._vectors: dict[str, Vector] = {}
        self._patching = Patching(engine, addition)
        self.rejected: list[Rejected] = []

    async def ask(self) -> None:
        """Asks the model what to remember, and embeds what it says in one batch. A body.

        Raises:
            ExtractionError: The model failed, or gave nothing valid.
        """
        if self._engine.model is None or not _worth_asking(self._turns, self._subjects()):
            return
        known = await self._known()
        await self._patching.read()
        request = Request(
            turns=self._turns,
            known=[kept.memory for kept in known],
            observed=self._addition.at,
            subjects=self._subjects(),
            categories=self._engine.categories,
            instructions=self._instructions(),
            schemas={name: schema.model_json_schema() for name, schema in self._patching.schemas.items()},
            documents=self._patching.current,
        )
        proposals = await propose(self._engine.model, request)
        self.rejected = proposals.rejected + self._patching.take(proposals.documents, self._turns)
        self._operations = [operation for operation in proposals.operations if self._allowed(operation)]
        await self._embed(known)

    async def ledger(self, enter: Enter) -> Ledger:
        """Decides what the operations come to, against what is known now. A body."""
        engine, addition = self._engine, self._addition
        ledger = engine.ledger(at=addition.at, batch_id=addition.batch_id, source=addition.source, now=addition.now)
        ledger.vectors = self._vectors
        await self._patching.write(ledger)
        if not self._operations:
            return ledger
        kept = {one.memory["id"]: one for one in await self._live()}
        for decision in self._decisions(kept):
            await self._carry_out(decision, kept, ledger, enter)
        await settle_turns(engine, ledger, addition.now)
        return ledger

    def _decisions(self, kept: Mapping[str, Kept]) -> list[Decision]:
        def similarity(operation: Operation, memory: StoredMemory) -> float:
            stored = kept[memory["id"]].vector
            other = self._vectors.get(content(memory)) if stored is None else stored
            one = self._vectors.get(self._content(operation))
            return 0.0 if one is None or other is None else float(one @ other)

        def same_home(operation: Operation, memory: StoredMemory) -> bool:
            home, address = self._home(operation), kept[memory["id"]].address.namespace
            return address == home or (address[:3] == home[:3] and owner_of(address)[2] is None)

        current = [operation for operation in self._operations if self._stands(operation, kept)]
        return reconcile(current, [one.memory for one in kept.values()], similarity, same_home)

    def _stands(self, operation: Operation, kept: Mapping[str, Kept]) -> bool:
        return operation.target is None or operation.target["id"] in kept

    async def _carry_out(self, decision: Decision, kept: Mapping[str, Kept], ledger: Ledger, enter: Enter) -> None:
        operation = decision.operation
        target = kept[decision.target["id"]] if decision.target else None
        if decision.action is Action.DELETE and target is not None:
            ledger.delete(target, reason=operation.reason or None)
        elif decision.action is Action.UPDATE and target is not None:
            ledger.update(target, reason=operation.reason or None, **self._refined(operation, target, ledger))
        elif decision.action is Action.KEEP:
            if target is not None:
                ledger.keep(target)
        else:
            draft = self._draft(operation, ledger)
            (memory,) = await enter(ledger, [draft], self._addition.now)
            if decision.action is Action.SUPERSEDE and target is not None and memory["id"] != target.memory["id"]:
                ledger.supersede(target, memory, reason=operation.reason or None)
                rests = [_rest(text, target) for text in decision.rests]
                await enter(ledger, rests, self._addition.now)

    def _refined(self, operation: Operation, target: Kept, ledger: Ledger) -> dict[str, Any]:
        """What a refinement changes: the text, and what it adds to the rest."""
        memory = target.memory
        cites = self._cites(operation, reroot(target.address.namespace, TURNS), memory["expiration_date"], ledger)
        return {
            "memory": operation.text,
            "categories": list(dict.fromkeys([*memory["categories"], *operation.categories])),
            "event_date": operation.event_date or memory["event_date"] or self._addition.event_date,
            "cites": list(dict.fromkeys([*memory["cites"], *cites])),
            "metadata": {**memory["metadata"], **self._addition.metadata},
        }

    def _draft(self, operation: Operation, ledger: Ledger) -> Draft:
        home = self._home(operation)
        expires = self._expires(operation, home)
        return Draft(
            home=home,
            text=operation.text,
            metadata=self._addition.metadata,
            categories=list(dict.fromkeys([*self._addition.categories, *operation.categories])),
            confidence=operation.confidence,
            event_date=operation.event_date or self._addition.event_date,
            expiration_date=expires,
            cites=self._cites(operation, reroot(home, TURNS), expires, ledger),
            group=self._addition.group,
            position=self._positions[min(operation.evidence)] if operation.evidence else self._positions[0],
            relates_to=operation.relates_to,
        )

    def _cites(self, operation: Operation, home: Namespace, expires: str | None, ledger: Ledger) -> list[str]:
        """Keeps the turns a fact was drawn from, and says their ids."""
        if not self._engine.keep_sources:
            return []
        cited = [index for index in sorted(set(operation.evidence)) if self._may_keep(self._turns[index], home)]
        drafts = [
            Draft(
                home=home,
                text=self._turns[index].spoken,
                event_date=self._addition.said_at(self._turns[index]),
                expiration_date=expires,
                group=self._addition.group,
                position=self._positions[index],
                role=self._turns[index].role,
            )
            for index in cited
        ]
        return [ledger.turn(draft) for draft in drafts]

    def _may_keep(self, turn: Turn, home: Namespace) -> bool:
        """A user's words lie with the user alone, so that erasing the user leaves none with an agent."""
        return turn.role != "user" or self._addition.scope.user_id is None or owner_of(home)[0] == "user"

    def _home(self, operation: Operation) -> Namespace:
        role: Role = "assistant" if operation.subject == "assistant" else "user"
        return self._addition.home(role, session=operation.layer == "session")

    def _expires(self, operation: Operation, home: Namespace) -> str | None:
        given = operation.expires or self._addition.expiration_date
        if given is not None or owner_of(home)[2] is None or self._engine.session_ttl is None:
            return given
        return iso(self._addition.at + self._engine.session_ttl)

    def _allowed(self, operation: Operation) -> bool:
        reason = objection(
            operation,
            self._turns,
            observed=self._addition.at,
            known=list(self._addition.scope.ids().values()),
            min_confidence=self._engine.min_confidence,
            by_speaker=self._addition.scope.owner()[0] in ("user", "agent"),
        )
        reason = reason or self._outdated(operation)
        if reason is not None:
            told = {"action": str(operation.action), "text": operation.text}
            self.rejected.append({"operation": told, "reason": reason})
        return reason is None

    def _outdated(self, operation: Operation) -> str | None:
        """Why an import of older messages must not change what was learned since."""
        target, said = operation.target, iso(self._addition.at)
        imported = self._addition.at < self._addition.now and operation.action is not Action.KEEP
        return (
            "it was said before what it would change" if imported and target and target["updated_at"] > said else None
        )

    async def _live(self) -> list[Kept]:
        """The memories this addition may be about: its owners', and of sessions only its own."""
        view = await self._view(self._said())
        shown = live(self._addition.now)
        return [kept for kept in view.kept if kept.memory["schema"] is None and matches(shown, kept.memory)]

    async def _view(self, query: str) -> View:
        engine, addition = self._engine, self._addition
        scope = addition.scope
        session = scope.run_id or addition.source["thread_id"]
        seen = Scope(**{**scope.ids(), "run_id": session}) if session else scope
        places = await engine.repo.places(seen.patterns(), addition.now)
        view = await engine.repo.load(places, addition.now)
        if view is not None:
            return view
        return await engine.repo.nearest(places, live(addition.now), query, query.split(), addition.now)

    def _said(self) -> str:
        return "\n".join(turn.text for turn in self._turns)

    async def _known(self) -> list[Kept]:
        """The live memories to show to the model: all where they are few, else the nearest to what was said."""
        kept = await self._live()
        if len(kept) <= SHOWN:
            return kept
        said = self._said()
        cosines = await self._engine.repo.cosines(View(tuple(kept)), said, self._addition.now)
        corpus = Corpus([Document(str(index), one.memory["memory"]) for index, one in enumerate(kept)])
        return [kept[index] for index in sorted(corpus.relevance(said, cosines).best(SHOWN))]

    async def _embed(self, known: Sequence[Kept]) -> None:
        """Embeds the facts and the turns they rest on; with them what is known, where the store keeps its vectors."""
        if not self._operations and not self._patching:
            return
        cited = sorted({index for operation in self._operations for index in operation.evidence})
        turns = [self._turns[index] for index in cited] if self._engine.keep_sources else []
        texts = [self._content(operation) for operation in self._operations if operation.text]
        texts += [_filed(turn.spoken, self._addition.said_at(turn)) for turn in turns]
        texts += [content(one.memory) for one in known if one.vector is None]
        texts += [text for operation in self._operations for text in self._halves(operation)]
        texts += self._patching.texts()
        wanted = list(dict.fromkeys(texts))
        vectors = await self._engine.repo.embed(wanted)
        if vectors is not None:
            self._vectors = dict(zip(wanted, vectors, strict=True))

    def _content(self, operation: Operation) -> str:
        """What of an operation's fact is embedded; an update keeps the date of what it refines."""
        before = operation.target["event_date"] if operation.target and operation.action is Action.UPDATE else None
        return _filed(operation.text, operation.event_date or before or self._addition.event_date)

    def _halves(self, operation: Operation) -> list[str]:
        """What may be left of a compound fact that an operation outdates in part."""
        if operation.action is not Action.SUPERSEDE or operation.target is None:
            return []
        return [_filed(text, operation.target["event_date"]) for text in statements(operation.target["memory"])]

    def _subjects(self) -> Literal["user", "assistant", "both"]:
        scope = self._addition.scope
        if scope.user_id is not None:
            return "user" if scope.agent_id is None else "both"
        return "assistant" if scope.agent_id is not None else "both"

    def _instructions(self) -> str | None:
        engine = self._engine
        wanted = [engine.instructions] + [engine.agent_instructions] * (self._addition.scope.agent_id is not None)
        return "\n".join(text for text in wanted if text) or None


async def settle_turns(engine: Engine, ledger: Ledger, now: datetime) -> None:
    """Hides the kept turns that facts retired in this ledger cite, and shows those of facts brought back. A body."""
    for home, states in ledger.turns_to_settle().items():
        found = await engine.repo.find(states, [home], now)
        retired = await _retired(engine, ledger, home, [key for key, state in states.items() if state == "live"], now)
        for key, turn in found.items():
            ledger.retire(turn, "deleted" if key in retired else states[key])


async def _retired(engine: Engine, ledger: Ledger, home: Namespace, turns: Sequence[str], now: datetime) -> set[str]:
    """Those of the turns that a fact which stays retired cites. A body."""
    if not turns:
        return set()
    citing, _ = await engine.repo.select([reroot(home, MEMORIES)], has_any("cites", turns), now, limit=None, offset=0)
    gone = [memory for memory in map(ledger.current, citing) if memory["state"] != "live"]
    return {key for memory in gone for key in memory["cites"]}


def _heard(addition: Addition) -> tuple[list[Turn], list[str]]:
    """The turns that facts may rest on, and their places: system messages configure an agent, tools only work."""
    roles = {"user", "assistant"} | ({"system"} if addition.scope.user_id is None else set())
    heard = [(t, p) for t, p in zip(addition.turns, addition.positions, strict=True) if t.role in roles]
    return [turn for turn, _ in heard], [position for _, position in heard]


def _worth_asking(turns: Sequence[Turn], subjects: str) -> bool:
    return any(turn.role == "user" for turn in turns) if subjects == "user" else bool(turns)


def _rest(text: str, target: Kept) -> Draft:
    """What still holds of a memory, as a memory of its own in the same place."""
    memory = target.memory
    return Draft(
        home=target.address.namespace,
        text=text,
        metadata=memory["metadata"],
        categories=memory["categories"],
        confidence=memory["confidence"],
        event_date=memory["event_date"],
        expiration_date=memory["expiration_date"],
        group=memory["group"],
        position=memory["position"],
    )


def _filed(text: str, event_date: str | None) -> str:
    return dated(text, instant(event_date) if event_date else None)
