"""Learning from what was said: what a model proposes, decided against what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypedDict

import numpy as np

from langchain_mem.backends.base import Row
from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.document_judgement import doubts_left
from langchain_mem.extraction.grounding import may_say_the_same
from langchain_mem.extraction.messages import Turn
from langchain_mem.extraction.reconcile import Action, CheckedProposal, Decision, reconcile, statements
from langchain_mem.memory.asking import Asking
from langchain_mem.memory.patching import Patching
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.collections import enter_document, identity_of, patched
from langchain_mem.memory.writing.drafts import Addition, Dates, Draft
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.documents import document_of, filed_as, in_words
from langchain_mem.model.instants import iso, later
from langchain_mem.model.records import StoredMemory, complete, content, filed, is_live, phrases_of
from langchain_mem.model.scopes import TURNS, Namespace, owner_of, reroot
from langchain_mem.store.vectorizer import Vector

DOUBTED: Final = 0.5
"""What is left of the confidence in a fact that the conversation does not confirm."""


_NEAREST: Final = 3
_PERHAPS: Final = 0.6
"""A vector of text and phrases in equal parts has at least this cosine to a text that says the same, or nearly ever."""


class Sureness(TypedDict):
    """How sure a fact is, and why it is not surer."""

    confidence: float
    doubt: str | None


class Learning:
    """Learns from one portion of a conversation.

    Args:
        settings: Parts and policies.
        addition: What was said.
        patient: Whether what the model fails at is worth trying in parts.

    Attributes:
        rejected: What the model proposed and was refused, and what it could not be brought to read.
        understood: Whether the model gave any answer that could be read.
    """

    def __init__(self, settings: Settings, addition: Addition, *, patient: bool = True) -> None:
        self._settings = settings
        self._addition = addition
        self._vectors: dict[str, Vector] = {}
        self._patching = Patching(settings, addition)
        self._asking = Asking(settings, addition, self._patching, patient=patient)
        self._turns, self._positions = self._asking.turns, self._asking.positions
        self._operations = self._asking.operations
        self.rejected = self._asking.rejected

    @property
    def understood(self) -> bool:
        """Whether the model gave any answer that could be read."""
        return self._asking.understood

    async def ask(self) -> None:
        """Asks the model what to remember, and embeds what it says in one batch.

        Raises:
            ExtractionError: The model failed in a way that may pass.
        """
        await self._asking.ask()
        await self._embed(self._asking.known)

    async def decide(self, changes: UnitOfWork) -> None:
        """Decides what the operations come to, against what is known now, and puts that into the changes."""
        changes.batch.vectors = {**changes.batch.vectors, **self._vectors}
        await self._patching.enter(changes)
        if not self._operations:
            return
        await self._enter_documents(changes)
        rows = {row.value["id"]: row for row in await self._asking.live()}
        await self._embed_alone(list(rows.values()))
        for decision in self._decisions(rows):
            await self._carry_out(decision, rows, changes)

    async def _enter_documents(self, changes: UnitOfWork) -> None:
        """Puts the changes of documents of which there are many into the changes."""
        several = self._on_documents()
        known = {row.value["id"]: row.address for row in self._asking.known}
        targets = {operation.target["id"] for operation in several if operation.target is not None}
        rows = await self._settings.repo.read([known[each] for each in targets], changes.now) if targets else []
        shown = {row.value["id"]: row for row in rows if row is not None}
        for operation in several:
            target = None if operation.target is None else shown.get(operation.target["id"])
            there = target is not None and is_live(changes.batch.current(target), iso(changes.now))
            if there or operation.target is None:  # what was removed meanwhile stays removed
                await self._enter_document(operation, target, changes)

    def _on_documents(self) -> list[CheckedProposal]:
        """The operations on documents of which there are many; of several with one identity the last."""
        kept: dict[Any, CheckedProposal] = {}
        for place, operation in enumerate(each for each in self._operations if each.kind is not None):
            added = operation.document if operation.action in (Action.ADD, Action.SUPERSEDE) else None
            identity = added and identity_of(self._settings.kinds, str(operation.kind), added)
            kept[(operation.kind, operation.subject, operation.layer, identity) if identity else place] = operation
        return list(kept.values())

    async def _enter_document(self, operation: CheckedProposal, target: Row | None, changes: UnitOfWork) -> None:
        if target is not None and operation.action is Action.KEEP:
            changes.keep(target)
        elif target is not None and operation.action is Action.DELETE:
            changes.delete(target, reason=operation.reason or None)
        elif target is not None and operation.action is Action.UPDATE:
            self._patch(operation, target, changes)
        elif operation.document is not None:
            draft = self._document_draft(operation)
            cited = partial(self._cited, operation, draft, changes)
            memory = await enter_document(self._settings, changes, draft, cited)
            if target is not None and memory["id"] != target.value["id"]:
                changes.supersede(target, memory, reason=operation.reason or None)

    def _patch(self, operation: CheckedProposal, target: Row, changes: UnitOfWork) -> None:
        """Patches a document; a patch that the others' changes have made invalid is refused."""
        name, patch = str(operation.kind), operation.document or {}
        memory = changes.batch.current(target)
        try:
            value = patched(self._settings.kinds.many[name].schema, memory, patch)
        except InvalidRequest as error:
            self.rejected.append({"operation": {"action": "update", "kind": name}, "reason": str(error)})
            return
        if value == document_of(memory):
            changes.keep(target)
            return
        fields = self._refined(operation, target, changes)
        fields["metadata"] = {**fields["metadata"], **filed_as(name, value)}
        doubt = doubts_left(complete(memory)["doubt"], patch, operation.doubt)
        changes.update(
            target, reason=operation.reason or None, **{**fields, "memory": in_words(name, value), "doubt": doubt}
        )

    def _document_draft(self, operation: CheckedProposal) -> Draft:
        """A new document as a draft; it lives as long as was said, or as its kind does."""
        draft, name = self._draft(operation), str(operation.kind)
        ttl, ends = self._settings.kinds.many[name].ttl, operation.expires or self._addition.expiration_date
        if ends is None and ttl is not None:
            draft = replace(draft, expiration_date=iso(later(self._addition.at, ttl)))
        metadata = {**draft.metadata, **filed_as(name, dict(operation.document or {}))}
        return replace(draft, metadata=metadata, schema=name)

    def _decisions(self, rows: Mapping[str, Row]) -> list[Decision]:
        vectors = [row.vector for row in rows.values()]
        known = [
            self._vectors.get(content(row.value), vector) for row, vector in zip(rows.values(), vectors, strict=True)
        ]

        def likeness(operation: CheckedProposal) -> list[float | None]:
            here = self._asking.at_home(operation, [row.address.namespace for row in rows.values()])
            fact = self._vectors.get(self._content(operation))
            cosines = [0.0 if fact is None or other is None else float(fact @ other) for other in known]
            return [cosine if same else None for cosine, same in zip(cosines, here, strict=True)]

        current = [each for each in self._operations if each.kind is None and self._stands(each, rows)]
        return reconcile(current, [row.value for row in rows.values()], likeness)

    def _stands(self, operation: CheckedProposal, rows: Mapping[str, Row]) -> bool:
        return operation.target is None or operation.target["id"] in rows

    async def _carry_out(self, decision: Decision, rows: Mapping[str, Row], changes: UnitOfWork) -> None:
        operation = decision.operation
        target = rows[decision.target["id"]] if decision.target else None
        if decision.action is Action.DELETE and target is not None:
            changes.delete(target, reason=operation.reason or None)
        elif decision.action is Action.CLOSE and target is not None:
            changes.close(target, reason=operation.reason or None)
        elif decision.action is Action.UPDATE and target is not None:
            changes.update(target, reason=operation.reason or None, **self._refined(operation, target, changes))
        elif decision.action is Action.KEEP:
            if target is not None:
                _keep(operation, target, changes)
        else:
            draft = self._draft(operation)
            (memory,) = await changes.enter([replace(draft, cites=self._cited(operation, draft, changes))])
            if decision.action is Action.SUPERSEDE and target is not None and memory["id"] != target.value["id"]:
                changes.supersede(target, memory, reason=operation.reason or None)
                await changes.enter([_rest(text, target) for text in decision.rests])

    def _refined(self, operation: CheckedProposal, target: Row, changes: UnitOfWork) -> dict[str, Any]:
        """What a refinement changes: the text, and what it adds to the rest."""
        memory = complete(target.value)
        cites = self._cites(operation, reroot(target.address.namespace, TURNS), memory["expiration_date"], changes)
        return {
            "memory": operation.text,
            "categories": list(dict.fromkeys([*memory["categories"], *operation.categories])),
            **self._dated(operation, memory),
            **({"expiration_date": operation.expires} if operation.expires else {}),
            **_sureness(operation),
            "importance": "always" if "always" in (operation.importance, memory["importance"]) else "normal",
            "useful_for": list(operation.useful_for) or memory["useful_for"],
            "cites": list(dict.fromkeys([*memory["cites"], *cites])),
            "metadata": {**memory["metadata"], **self._addition.metadata},
        }

    def _draft(self, operation: CheckedProposal) -> Draft:
        home = self._asking.home(operation)
        return Draft(
            home=home,
            text=operation.text,
            metadata=self._addition.metadata,
            categories=list(dict.fromkeys([*self._addition.categories, *operation.categories])),
            **_sureness(operation),
            importance="always" if self._addition.importance == "always" else operation.importance,
            useful_for=operation.useful_for,
            **self._dated(operation),
            expiration_date=self._expires(operation, home),
            position=self._positions[min(operation.evidence)] if operation.evidence else self._positions[0],
        )

    def _cited(self, operation: CheckedProposal, draft: Draft, changes: UnitOfWork) -> list[str]:
        return self._cites(operation, reroot(draft.home, TURNS), draft.expiration_date, changes)

    def _cites(
        self, operation: CheckedProposal, home: Namespace, expires: str | None, changes: UnitOfWork
    ) -> list[str]:
        """Keeps the turns a fact was drawn from, and says their ids."""
        if not self._settings.keep_sources:
            return []
        cited = [index for index in sorted(set(operation.evidence)) if self._may_keep(self._turns[index], home)]
        drafts = [
            Draft(
                home=home,
                text=self._turns[index].spoken,
                **self._addition.said_at(self._turns[index]),
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
        return turn.role != "user" or self._addition.scope.user_id is None or home[1] == "user"

    def _expires(self, operation: CheckedProposal, home: Namespace) -> str | None:
        given = operation.expires or self._addition.expiration_date
        if given is not None or owner_of(home)[2] is None or self._settings.session_ttl is None:
            return given
        return iso(later(self._addition.at, self._settings.session_ttl))

    async def _embed(self, known: Sequence[Row]) -> None:
        """Embeds the facts and the turns they rest on; with them what is known, where the store keeps its vectors."""
        if not self._operations and not self._patching:
            return
        cited = sorted({index for operation in self._operations for index in operation.evidence})
        turns = [self._turns[index] for index in cited] if self._settings.keep_sources else []
        texts = [self._content(operation) for operation in self._operations if operation.text]
        texts += [filed(turn.spoken, **self._addition.said_at(turn)) for turn in turns]
        texts += [content(row.value) for row in known if row.vector is None]
        texts += [text for operation in self._operations for text in self._halves(operation)]
        texts += [phrase for operation in self._operations for phrase in operation.useful_for]
        texts += self._patching.texts()
        wanted = list(dict.fromkeys(texts))
        vectors = await self._settings.repo.embed(wanted)
        if vectors is not None:
            self._vectors = dict(zip(wanted, vectors, strict=True))

    async def _embed_alone(self, rows: Sequence[Row]) -> None:
        """Embeds without their phrases the memories that may say what a fact says: phrases move a vector.

        These are for each fact the nearest few that have phrases, if names, numbers and times agree; mostly none.
        """
        moved = [row for row in rows if phrases_of(row.value) and len(row.vectors)]
        facts = [(each, self._vectors.get(self._content(each))) for each in self._operations if each.kind is None]
        near = [row for each, fact in facts if moved and fact is not None for row in _nearest(each.text, fact, moved)]
        texts = [text for text in dict.fromkeys(content(row.value) for row in near) if text not in self._vectors]
        vectors = await self._settings.repo.embed(texts) if texts else None
        if vectors is not None:
            self._vectors |= dict(zip(texts, vectors, strict=True))

    def _content(self, operation: CheckedProposal) -> str:
        """What of an operation's fact is embedded; an update keeps the date of what it refines."""
        refined = operation.target if operation.action is Action.UPDATE else None
        return filed(operation.text, **self._dated(operation, refined))

    def _dated(self, operation: CheckedProposal, memory: StoredMemory | None = None) -> Dates:
        """The date a fact tells of: its own, that of the memory it refines, or that of the whole addition."""
        if operation.event_date:
            return {"event_date": operation.event_date, "event_end": operation.event_end}
        if memory is not None and memory["event_date"]:
            return {"event_date": memory["event_date"], "event_end": memory.get("event_end")}
        return {"event_date": self._addition.event_date, "event_end": self._addition.event_end}

    def _halves(self, operation: CheckedProposal) -> list[str]:
        """What may be left of a compound fact that an operation outdates in part."""
        target = operation.target
        if operation.action is not Action.SUPERSEDE or target is None:
            return []
        dates = target["event_date"], target.get("event_end")
        return [filed(text, *dates) for text in statements(target["memory"])]


def _nearest(text: str, fact: Vector, rows: Sequence[Row]) -> list[Row]:
    """The memories nearest to a fact, a few, of those that may say the same although their phrases lie between."""
    cosines = np.stack([row.vector for row in rows if row.vector is not None]) @ fact
    best = [rows[place] for place in np.argsort(-cosines)[:_NEAREST] if cosines[place] >= _PERHAPS]
    return [row for row in best if may_say_the_same(text, row.value["memory"])]


def _keep(operation: CheckedProposal, target: Row, changes: UnitOfWork) -> None:
    """Notes that a fact is known. Said again it may settle a doubt and add importance, and takes neither away."""
    memory, news = complete(changes.batch.current(target)), dict[str, Any]()
    if memory["doubt"] and operation.text and operation.doubt is None:
        news |= _sureness(operation)
    if operation.importance == "always" and memory["importance"] != "always":
        news["importance"] = "always"
    if news:
        changes.update(target, reason="said again", **news)
    else:
        changes.keep(target)


def _sureness(operation: CheckedProposal) -> Sureness:
    """How sure a fact is: what the conversation does not confirm counts for less than the model's word."""
    doubted = operation.doubt is not None
    return {"confidence": operation.confidence * (DOUBTED if doubted else 1), "doubt": operation.doubt}


def _rest(text: str, target: Row) -> Draft:
    """What still holds of a memory, as a memory of its own in the same place."""
    memory = complete(target.value)
    return Draft(
        home=target.address.namespace,
        text=text,
        metadata=memory["metadata"],
        categories=memory["categories"],
        confidence=memory["confidence"],
        doubt=memory["doubt"],
        importance=memory["importance"],
        event_date=memory["event_date"],
        event_end=memory["event_end"],
        expiration_date=memory["expiration_date"],
        group=memory["group"],
        position=memory["position"],
    )
