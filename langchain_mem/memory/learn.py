"""Learning from what was said: ask the model once, then decide against what is known. Bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from langchain_mem.backends.base import Row
from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.extraction.model_call import Request, propose
from langchain_mem.extraction.reconcile import Action, Decision, Operation, objection, reconcile, statements
from langchain_mem.filters.conditions import matches
from langchain_mem.memory.changes import Changes
from langchain_mem.memory.documents import Patching
from langchain_mem.memory.drafts import Addition, Draft
from langchain_mem.memory.queries import live, places
from langchain_mem.memory.settings import Settings
from langchain_mem.model.instants import instant, iso
from langchain_mem.model.records import Rejected, StoredMemory, content, dated
from langchain_mem.model.scopes import TURNS, Namespace, Scope, owner_of, reroot
from langchain_mem.ranking.relevance import Corpus, Document
from langchain_mem.store.items import Scan
from langchain_mem.store.vectorizer import Vector

SHOWN: Final = 40
"""At most so many known memories are shown to the model."""


class Learning:
    """Learns from one addition.

    Args:
        settings: Parts and policies.
        addition: What was said.

    Attributes:
        rejected: What the model proposed and was refused.
    """

    def __init__(self, settings: Settings, addition: Addition) -> None:
        self._settings = settings
        self._addition = addition
        self._turns, self._positions = _heard(addition)
        self._operations: list[Operation] = []
        self._vectors: dict[str, Vector] = {}
        self._patching = Patching(settings, addition)
        self.rejected: list[Rejected] = []

    async def ask(self) -> None:
        """Asks the model what to remember, and embeds what it says in one batch. A body.

        Raises:
            ExtractionError: The model failed, or gave nothing valid.
        """
        if self._settings.model is None or not _worth_asking(self._turns, self._subjects()):
            return
        known = await self._known()
        await self._patching.read()
        request = Request(
            turns=self._turns,
            known=[row.value for row in known],
            observed=self._addition.at,
            subjects=self._subjects(),
            categories=self._settings.categories,
            instructions=self._instructions(),
            schemas={name: schema.model_json_schema() for name, schema in self._patching.schemas.items()},
            documents=self._patching.current,
        )
        proposals = await propose(self._settings.model, request)
        self.rejected = proposals.rejected + self._patching.take(proposals.documents, self._turns)
        self._operations = [operation for operation in proposals.operations if self._allowed(operation)]
        await self._embed(known)

    async def decide(self, changes: Changes) -> None:
        """Decides what the operations come to, against what is known now, and puts that into the changes. A body."""
        changes.vectors = self._vectors
        await self._patching.enter(changes)
        if not self._operations:
            return
        rows = {row.value["id"]: row for row in await self._live()}
        for decision in self._decisions(rows):
            await self._carry_out(decision, rows, changes)

    def _decisions(self, rows: Mapping[str, Row]) -> list[Decision]:
        def similarity(operation: Operation, memory: StoredMemory) -> float:
            stored = rows[memory["id"]].vector
            other = self._vectors.get(content(memory)) if stored is None else stored
            one = self._vectors.get(self._content(operation))
            return 0.0 if one is None or other is None else float(one @ other)

        def same_home(operation: Operation, memory: StoredMemory) -> bool:
            home, address = self._home(operation), rows[memory["id"]].address.namespace
            return address == home or (address[:3] == home[:3] and owner_of(address)[2] is None)

        current = [operation for operation in self._operations if self._stands(operation, rows)]
        return reconcile(current, [row.value for row in rows.values()], similarity, same_home)

    def _stands(self, operation: Operation, rows: Mapping[str, Row]) -> bool:
        return operation.target is None or operation.target["id"] in rows

    async def _carry_out(self, decision: Decision, rows: Mapping[str, Row], changes: Changes) -> None:
        operation = decision.operation
        target = rows[decision.target["id"]] if decision.target else None
        if decision.action is Action.DELETE and target is not None:
            changes.delete(target, reason=operation.reason or None)
        elif decision.action is Action.UPDATE and target is not None:
            changes.update(target, reason=operation.reason or None, **self._refined(operation, target, changes))
        elif decision.action is Action.KEEP:
            if target is not None:
                changes.keep(target)
        else:
            draft = self._draft(operation, changes)
            (memory,) = await changes.enter([draft])
            if decision.action is Action.SUPERSEDE and target is not None and memory["id"] != target.value["id"]:
                changes.supersede(target, memory, reason=operation.reason or None)
                await changes.enter([_rest(text, target) for text in decision.rests])

    def _refined(self, operation: Operation, target: Row, changes: Changes) -> dict[str, Any]:
        """What a refinement changes: the text, and what it adds to the rest."""
        memory = target.value
        cites = self._cites(operation, reroot(target.address.namespace, TURNS), memory["expiration_date"], changes)
        return {
            "memory": operation.text,
            "categories": list(dict.fromkeys([*memory["categories"], *operation.categories])),
            "event_date": operation.event_date or memory["event_date"] or self._addition.event_date,
            "cites": list(dict.fromkeys([*memory["cites"], *cites])),
            "metadata": {**memory["metadata"], **self._addition.metadata},
        }

    def _draft(self, operation: Operation, changes: Changes) -> Draft:
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
            cites=self._cites(operation, reroot(home, TURNS), expires, changes),
            group=self._addition.group,
            position=self._positions[min(operation.evidence)] if operation.evidence else self._positions[0],
            relates_to=operation.relates_to,
        )

    def _cites(self, operation: Operation, home: Namespace, expires: str | None, changes: Changes) -> list[str]:
        """Keeps the turns a fact was drawn from, and says their ids."""
        if not self._settings.keep_sources:
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
        return [changes.turn(draft) for draft in drafts]

    def _may_keep(self, turn: Turn, home: Namespace) -> bool:
        """A user's words lie with the user alone, so that erasing the user leaves none with an agent."""
        return turn.role != "user" or self._addition.scope.user_id is None or owner_of(home)[0] == "user"

    def _home(self, operation: Operation) -> Namespace:
        role: Role = "assistant" if operation.subject == "assistant" else "user"
        return self._addition.home(role, session=operation.layer == "session")

    def _expires(self, operation: Operation, home: Namespace) -> str | None:
        given = operation.expires or self._addition.expiration_date
        if given is not None or owner_of(home)[2] is None or self._settings.session_ttl is None:
            return given
        return iso(self._addition.at + self._settings.session_ttl)

    def _allowed(self, operation: Operation) -> bool:
        reason = objection(
            operation,
            self._turns,
            observed=self._addition.at,
            known=list(self._addition.scope.ids().values()),
            min_confidence=self._settings.min_confidence,
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

    async def _live(self) -> list[Row]:
        """The memories this addition may be about: its owners', and of sessions only its own."""
        rows, shown = (await self._view(self._said())).rows, live(self._addition.now)
        return [row for row in rows if row.value["schema"] is None and matches(shown, row.value)]

    async def _view(self, query: str) -> Scan:
        repo, addition = self._settings.repo, self._addition
        scope = addition.scope
        session = scope.run_id or addition.source["thread_id"]
        seen = Scope(**{**scope.ids(), "run_id": session}) if session else scope
        within = await places(repo, seen.patterns(), addition.now)
        view = await repo.load(within, addition.now)
        if view is not None:
            return view
        return await repo.nearest(within, live(addition.now), query, query.split(), addition.now)

    def _said(self) -> str:
        return "\n".join(turn.text for turn in self._turns)

    async def _known(self) -> list[Row]:
        """The live memories to show to the model: all where they are few, else the nearest to what was said."""
        rows = await self._live()
        if len(rows) <= SHOWN:
            return rows
        said = self._said()
        cosines = await self._settings.repo.cosines(rows, said)
        corpus = Corpus([Document(str(index), row.value["memory"]) for index, row in enumerate(rows)])
        return [rows[index] for index in sorted(corpus.relevance(said, cosines).best(SHOWN))]

    async def _embed(self, known: Sequence[Row]) -> None:
        """Embeds the facts and the turns they rest on; with them what is known, where the store keeps its vectors."""
        if not self._operations and not self._patching:
            return
        cited = sorted({index for operation in self._operations for index in operation.evidence})
        turns = [self._turns[index] for index in cited] if self._settings.keep_sources else []
        texts = [self._content(operation) for operation in self._operations if operation.text]
        texts += [_filed(turn.spoken, self._addition.said_at(turn)) for turn in turns]
        texts += [content(row.value) for row in known if row.vector is None]
        texts += [text for operation in self._operations for text in self._halves(operation)]
        texts += self._patching.texts()
        wanted = list(dict.fromkeys(texts))
        vectors = await self._settings.repo.embed(wanted)
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
        settings = self._settings
        wanted = [settings.instructions] + [settings.agent_instructions] * (self._addition.scope.agent_id is not None)
        return "\n".join(text for text in wanted if text) or None


def _heard(addition: Addition) -> tuple[list[Turn], list[str]]:
    """The turns that facts may rest on, and their places: system messages configure an agent, tools only work."""
    roles = {"user", "assistant"} | ({"system"} if addition.scope.user_id is None else set())
    heard = [(t, p) for t, p in zip(addition.turns, addition.positions, strict=True) if t.role in roles]
    return [turn for turn, _ in heard], [position for _, position in heard]


def _worth_asking(turns: Sequence[Turn], subjects: str) -> bool:
    return any(turn.role == "user" for turn in turns) if subjects == "user" else bool(turns)


def _rest(text: str, target: Row) -> Draft:
    """What still holds of a memory, as a memory of its own in the same place."""
    memory = target.value
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
