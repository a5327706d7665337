"""What a model proposes to remember of one portion of a conversation, judged.

A portion that the model refuses, cuts off or answers with nonsense is halved and asked again; what fails by itself is
skipped and reported among the rejected. An error that says nothing of the portion, such as a timeout, is raised.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from langchain_mem.backends.base import Row
from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.document_judgement import DocumentJudge
from langchain_mem.extraction.judgement import Judge
from langchain_mem.extraction.known_memories import passages, relevant
from langchain_mem.extraction.messages import Role, Turn
from langchain_mem.extraction.model_call import Unprocessable, propose
from langchain_mem.extraction.portions import EARLIER
from langchain_mem.extraction.prompts import known_tokens
from langchain_mem.extraction.proposals import Proposals
from langchain_mem.extraction.reconcile import Action, CheckedProposal
from langchain_mem.extraction.request import ExtractionRequest
from langchain_mem.filters.conditions import conjunction, matches
from langchain_mem.memory.patching import Patching
from langchain_mem.memory.reading.queries import is_in, live, places, shown_at
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.drafts import Addition
from langchain_mem.model.documents import document_of, merged, read_by
from langchain_mem.model.instants import iso
from langchain_mem.model.records import Rejected, StoredMemory, complete
from langchain_mem.model.scopes import Namespace, Scope, owner_of
from langchain_mem.store.items import Scan
from langchain_mem.watching.log import without_quotes

KNOWN_TOKENS: Final = 2_000
"""At most so many tokens of known memories are shown to the model."""

SPLITS: Final = 4
"""So often a portion that fails is halved: what is left is a sixteenth of it, or a message."""

_LOG: Final = logging.getLogger("langchain_mem")


class Asking:
    """Asks a model about one portion of a conversation.

    Args:
        settings: Parts and policies.
        addition: The portion.
        patching: The documents to keep up to date.
        patient: Whether a portion that fails is worth halving; not where the one before failed whole.

    Attributes:
        turns: What facts may rest on.
        known: The memories that the model was shown.
        operations: What may be carried out.
        rejected: What may not, and what was skipped.
        understood: Whether the model gave any answer that could be read.
    """

    def __init__(self, settings: Settings, addition: Addition, patching: Patching, *, patient: bool) -> None:
        self._settings = settings
        self._addition = addition
        self._patching = patching
        self._splits = SPLITS if patient else 0
        self.turns, self.positions = _heard(addition)
        self.known: list[Row] = []
        self.operations: list[CheckedProposal] = []
        self.rejected: list[Rejected] = []
        self.understood = True

    async def ask(self) -> None:
        """Asks, and judges what comes of it.

        Raises:
            ExtractionError: The model failed in a way that may pass.
        """
        if self._settings.model is None or not self._worth_asking(self.turns):
            return
        self.known = [*await self._shown(), *await self._shown_documents()]
        await self._patching.read()
        self.understood = False
        await self._ask(0, len(self.turns), self._splits)
        self._report()

    async def _ask(self, start: int, stop: int, splits: int) -> None:
        """Asks about the turns from `start` to `stop`, in halves where they fail whole."""
        model, turns = self._settings.model, self.turns[start:stop]
        if model is None or not self._worth_asking(turns):
            return
        try:
            proposals = await propose(model, self._request(start, stop))
        except Unprocessable as error:
            middle = (start + stop) // 2
            if splits and middle > start:
                await self._ask(start, middle, splits - 1)
                await self._ask(middle, stop, splits - 1)
            else:
                self.rejected.append(_skipped(turns, str(error)))
            return
        self.understood = True
        self._take(proposals, start, stop)

    def _request(self, start: int, stop: int) -> ExtractionRequest:
        settings, before = self._settings, [*self._addition.earlier, *self.turns[:start]]
        return ExtractionRequest(
            turns=self.turns[start:stop],
            known=[row.value for row in self.known],
            observed=self._addition.at,
            subjects=self._subjects(),
            categories=settings.categories,
            instructions=self._instructions(),
            kinds=settings.kinds,
            documents=self._patching.current,
            earlier=before[-EARLIER:],
            expansion=settings.expansion,
        )

    def _take(self, proposals: Proposals, start: int, stop: int) -> None:
        self.rejected += proposals.rejected
        self.rejected += self._patching.take(proposals.documents, self.turns[start:stop])
        judge = self._judge()
        for proposed in proposals.operations:
            operation = replace(
                proposed,
                evidence=tuple(_place(index, start, stop) for index in proposed.evidence),
                useful_for=self._phrases(proposed),
            )
            judged = self._judged if operation.kind is None else self._judged_document
            self.operations += judged(operation, judge)

    def _phrases(self, proposed: CheckedProposal) -> tuple[str, ...]:
        """What a fact is useful for, without secrets. Nobody said it, so it is not compared with what was said."""
        return tuple(map(self._settings.clean, proposed.useful_for)) if self._settings.expansion else ()

    def _report(self) -> None:
        """Says how much was taken, refused or is in doubt, in an event and with the reasons in the log."""
        doubts = sum(operation.doubt is not None for operation in self.operations)
        self._settings.activity.record(
            "extraction",
            iso(self._addition.now),
            self._addition.scope.ids(),
            messages=len(self.turns),
            accepted=len(self.operations),
            doubted=doubts,
            refused=len(self.rejected),
        )
        if self.rejected or doubts:
            told = "; ".join(dict.fromkeys(without_quotes(each["reason"]) for each in self.rejected))
            _LOG.info(
                "Of what the model proposed %d are carried out, %d of them in doubt, and %d refused: %s",
                *(len(self.operations), doubts, len(self.rejected), told[:500]),
            )

    # --- judging

    def _judged(self, operation: CheckedProposal, judge: Judge) -> Iterator[CheckedProposal]:
        """An operation as it may be carried out; where it may not, the reason is noted among the rejected."""
        refused = self._outdated(operation)
        if refused is None:
            judged = judge(self._within_reach(operation))
            refused = judged.refused
            if refused is None:
                yield judged.operation
                return
        self.rejected.append(
            {"operation": {"action": str(operation.action), "text": operation.text}, "reason": refused}
        )

    def _judged_document(self, operation: CheckedProposal, judge: Judge) -> Iterator[CheckedProposal]:
        """The same for an operation on a document: without what the conversation contradicts, and without secrets."""
        told = {"action": str(operation.action), "kind": operation.kind, "document": operation.document}
        try:
            refused = self._outdated(operation) or self._elsewhere(operation)
            cleaned = operation if operation.document is None else self._cleaned(operation, operation.document)
        except InvalidRequest as error:
            refused = str(error)
        if refused is None:
            judged = DocumentJudge(judge=judge, many=self._settings.kinds.many[str(operation.kind)])(cleaned)
            refused = judged.refused
            self.rejected += [{"operation": told, "reason": f"{at}: {why}"} for at, why in judged.parts.items()]
        if refused is not None:
            self.rejected.append({"operation": told, "reason": refused})
        else:
            yield judged.operation

    def _cleaned(self, operation: CheckedProposal, document: Mapping[str, Any]) -> CheckedProposal:
        """An operation whose document holds no secrets and is valid without them."""
        cleaned = self._settings.clean_metadata(document)
        many, target = self._settings.kinds.many[str(operation.kind)], operation.target
        before = document_of(target) if target is not None and operation.action is Action.UPDATE else {}
        read_by(many.schema, merged(before, cleaned))
        return replace(operation, document=cleaned, text=self._settings.clean(operation.text))

    def _elsewhere(self, operation: CheckedProposal) -> str | None:
        """Why a conversation must not change a document: others share it."""
        target = operation.target
        if target is None or operation.action is Action.KEEP or self._is_at_home(operation, target):
            return None
        return "the document belongs to somebody else"

    def _judge(self) -> Judge:
        """What holds a proposal against the conversation and against what is known."""
        settings, addition = self._settings, self._addition
        known = [row.value["memory"] for row in self.known]
        return Judge(
            turns=self.turns,
            observed=addition.at,
            known=[*addition.scope.ids().values(), *known, *(turn.spoken for turn in addition.earlier)],
            min_confidence=settings.min_confidence,
            grounding=settings.grounding,
            by_speaker=addition.scope.owner()[0] in ("user", "agent"),
        )

    def _within_reach(self, operation: CheckedProposal) -> CheckedProposal:
        """An operation on a memory that lies elsewhere, such as one a whole organization shares, as a fact of its own.

        A conversation changes only what lies where its own facts go; what others share stays as it is.
        """
        target = operation.target
        if target is None or operation.action is Action.KEEP or self._is_at_home(operation, target):
            return operation
        if operation.action in (Action.DELETE, Action.CLOSE):
            return replace(operation, target=None)
        return replace(operation, action=Action.ADD, target=None)

    def _is_at_home(self, operation: CheckedProposal, target: StoredMemory) -> bool:
        place = next(row.address.namespace for row in self.known if row.value["id"] == target["id"])
        return self.at_home(operation, [place])[0]

    def at_home(self, operation: CheckedProposal, namespaces: Sequence[Namespace]) -> list[bool]:
        """Whether what lies in each of these namespaces lies where an operation's fact would."""
        home = self.home(operation)
        return [each == home or (each[:3] == home[:3] and owner_of(each)[2] is None) for each in namespaces]

    def home(self, operation: CheckedProposal) -> Namespace:
        """Where an operation's fact goes."""
        role: Role = "assistant" if operation.subject == "assistant" else "user"
        return self._addition.home_of(role, session=operation.layer == "session")

    def _outdated(self, operation: CheckedProposal) -> str | None:
        """Why an import of older messages must not change what was learned since."""
        target = operation.target
        if self._addition.at >= self._addition.now or operation.action is Action.KEEP or target is None:
            return None
        return "it was said before what it would change" if target["updated_at"] > iso(self._addition.at) else None

    # --- what is known

    async def live(self) -> list[Row]:
        """The memories this addition may be about: its owners', and of sessions only its own."""
        rows = (await self._view("\n".join(turn.text for turn in self.turns))).rows
        shown = shown_at(self._addition.now_iso, show_expired=False, latest_only=True)
        return [row for row in rows if row.value["schema"] is None and matches(shown, row.value)]

    async def _view(self, query: str) -> Scan:
        repo, addition = self._settings.repo, self._addition
        within = await places(repo, self._seen().patterns(), addition.now)
        view = await repo.load(within, addition.now)
        if view is not None:
            return view
        return await repo.nearest(within, live(addition.now), query, query.split(), addition.now)

    def _seen(self) -> Scope:
        """The owners of this addition, and of their sessions only its own."""
        scope = self._addition.scope
        session = scope.run_id or self._addition.source["thread_id"]
        return Scope(**{**scope.ids(), "run_id": session}) if session else scope

    async def _shown(self) -> list[Row]:
        """The live memories to show to the model: all where they are few, else those the conversation may be about."""
        rows = [replace(row, value=complete(row.value)) for row in await self.live()]
        return await self._about(rows, [known_tokens(row.value) for row in rows], KNOWN_TOKENS)

    async def _shown_documents(self) -> list[Row]:
        """The documents to show: of each kind of which there are many, those the conversation may be about."""
        kinds = self._settings.kinds.many
        if not kinds:
            return []
        found, _ = await self._documents()
        rows = [replace(row, value=complete(row.value)) for row in found]
        of_kind = {name: [row for row in rows if row.value["schema"] == name] for name in kinds}
        about = [await self._about(of_kind[name], [1] * len(of_kind[name]), many.shown) for name, many in kinds.items()]
        return [row for rows in about for row in rows]

    async def _documents(self) -> tuple[list[Row], int]:
        within = await places(self._settings.repo, self._seen().patterns(), self._addition.now)
        asked = conjunction(live(self._addition.now), is_in("schema", list(self._settings.kinds.many)))
        return await self._settings.repo.select(within, asked, self._addition.now)

    async def _about(self, rows: Sequence[Row], costs: Sequence[int], budget: int) -> list[Row]:
        """As many of these memories as the budget holds, those the conversation may be about."""
        if sum(costs) <= budget:
            return list(rows)
        said = passages(self.turns)
        cosines = await self._cosines(rows, [passage.text for passage in said])
        places = relevant(
            [row.value for row in rows],
            said,
            cosines,
            at=self._addition.at,
            costs=costs,
            budget=budget,
        )
        return [rows[place] for place in places]

    async def _cosines(self, rows: Sequence[Row], said: Sequence[str]) -> NDArray[np.float32] | None:
        """How near each memory is to each passage: shape (memories, passages); `None` without an embedder."""
        vectors = _vectors(rows)
        if vectors is not None:
            asked = await self._settings.repo.embed(said)
            return None if asked is None else vectors @ np.asarray(asked).T
        whole = await self._settings.repo.cosines(rows, "\n".join(said))
        return None if whole is None else np.array([[cosine or 0.0] * len(said) for cosine in whole], dtype=np.float32)

    # --- whose facts

    def _worth_asking(self, turns: Sequence[Turn]) -> bool:
        return any(turn.role == "user" for turn in turns) if self._subjects() == "user" else bool(turns)

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


def _vectors(rows: Sequence[Row]) -> NDArray[np.float32] | None:
    """The vectors of rows, shape (rows, dims); `None` where the store keeps them to itself."""
    vectors = [row.vector for row in rows if row.vector is not None]
    return np.stack(vectors) if rows and len(vectors) == len(rows) else None


def _place(index: int, start: int, stop: int) -> int:
    """A message's number in the whole portion; of one that was not shown, a number that is none."""
    return start + index if 0 <= index < stop - start else -1


def _skipped(turns: Sequence[Turn], reason: str) -> Rejected:
    """The report of messages that no model could be brought to read."""
    told: Mapping[str, Any] = {"action": "skip", "messages": [turn.id or turn.place for turn in turns]}
    _LOG.warning("%d messages are skipped and will not be tried again: %s", len(turns), reason)
    return {"operation": dict(told), "reason": reason}
