"""`improve_instructions`: an agent's instructions, changed by a model where feedback says that they failed.

    metaprompt      one call: conversations and feedback to edits
    gradient        two calls: conversations and feedback to findings, then findings to edits
    prompt_memory   one call that may add lessons and refine earlier ones, and leaves the application's lines alone

One more call is made where an answer cannot be read. What the model proposes are edits of lines, each of which rests on
feedback; `extraction.instruction_edits` says which are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, Unpack, get_args

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ValidationError

from langchain_mem.backends.base import Address, Row
from langchain_mem.errors import ExtractionError, InvalidRequest, shown
from langchain_mem.extraction import instruction_prompts as prompts
from langchain_mem.extraction.instruction_edits import (
    Edited,
    Editor,
    Finding,
    Findings,
    InstructionDraft,
    ProposedEdits,
)
from langchain_mem.extraction.model_call import ask, payloads, structured, unstreamed
from langchain_mem.extraction.portions import tokens
from langchain_mem.extraction.trajectories import Feedback, Trajectory, feedback_on, fitted, trajectories_of
from langchain_mem.memory.instruct import (
    DEFAULT_NAME,
    GUIDANCE,
    LEARNED,
    Instructed,
    enter_instructions,
    masking,
    place_of_instructions,
    shown_at,
)
from langchain_mem.memory.models import chat_model
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_names
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.instants import iso
from langchain_mem.model.records import Rejected
from langchain_mem.model.scopes import Ids, Scope

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Optimizer: TypeAlias = Literal["metaprompt", "gradient", "prompt_memory"]
"""How instructions are improved; see this module."""

LIMIT: Final = 1_500
"""Tokens of instructions, all that are improved together."""

SEEN: Final = 8_000
"""Tokens of conversation that a model is shown."""


class Improved(TypedDict):
    """What `improve_instructions` did.

    `results` has each of the instructions, changed or not; `rejected` the edits that were refused, with the reasons.
    """

    results: list[Instructed]
    rejected: list[Rejected]
    calls: int
    batch_id: str | None


async def _improve_instructions(
    settings: Settings,
    trajectories: Any,
    *,
    name: str | Sequence[str] = DEFAULT_NAME,
    kind: Optimizer = "metaprompt",
    allow_user: bool = False,
    max_tokens: int = LIMIT,
    conversation_tokens: int = SEEN,
    model: BaseChatModel | str | None = None,
    dry_run: bool = False,
    **ids: Unpack[Ids],
) -> Improved:
    """Improves an agent's instructions from conversations and what was thought of them.

    Only feedback changes anything: each edit names the feedback it rests on. What users say in a conversation shows
    what the feedback is about, and is no feedback itself unless `allow_user` says so. Where there is no feedback, no
    model is asked.

    Args:
        trajectories: Conversations: `{"messages": […], "feedback": "too long", "score": 0.2}`, pairs of messages and
            feedback, or messages alone. Feedback is a text or JSON values.
        name: Which instructions; several are improved in one call.
        kind: How: "metaprompt" in one call, "gradient" in two, the second of which sees no conversation, or
            "prompt_memory" in one, which adds lessons and leaves the application's own lines alone.
        allow_user: Whether what users say of the agent's behavior counts as feedback.
        max_tokens: At most so many tokens of instructions; an edit that has no room is refused.
        conversation_tokens: At most so many tokens of conversation in a prompt; of a longer one the end is shown.
        model: What to ask; the memory's own if unset.
        dry_run: Whether to say what would change and change nothing.
        **ids: Whose: exactly one of `agent_id`, `app_id` and `org_id`.

    Returns:
        The instructions with their differences, what was refused, how many calls it took, and the `batch_id` that
        `undo` takes.

    Raises:
        ScopeError: The ids name no one who may have instructions, or several.
        InvalidRequest: There is no model, or an argument is out of its range.
        ExtractionError: The model failed, or gave nothing to read twice; nothing was written.
        Conflict: The instructions were changed while the model was asked; nothing was written.
    """
    names = [name] if isinstance(name, str) else name
    _check(names, kind, max_tokens, conversation_tokens)
    chosen = chat_model(model) or settings.model
    if chosen is None:
        raise InvalidRequest("improve_instructions needs a model: Memory(model=…) or model=…; instruct() needs none.")
    now, mask = settings.now(), masking(settings)
    places = {each: place_of_instructions(each, ids) for each in names}
    found = dict(zip(names, await settings.repo.read(list(places.values()), now), strict=True))
    given = fitted(trajectories_of(trajectories, settings.redact), conversation_tokens)
    improving = _Improving(
        model=unstreamed(chosen),
        kind=kind,
        rows={each: row if row is not None and shown_at(row, now, None) else None for each, row in found.items()},
        trajectories=given,
        feedback=feedback_on(given, allow_user=allow_user),
        allow_user=allow_user,
        limit=max_tokens,
    )
    calls, proposed = await improving.ask() if improving.feedback else (0, [])
    edited = improving.edited(proposed, mask)
    changes = UnitOfWork(settings, at=now)
    results = _entered(settings, changes, edited, places, found)
    changed = any(each["event"] != "NONE" for each in results) and not dry_run
    if changed:
        await changes.land(Scope.of(ids), event="instruct")
    batch_id = changes.batch_id if changed else None
    improved: Improved = {
        "results": [{**each, "batch_id": batch_id} for each in results],
        "rejected": edited.refused,
        "calls": calls,
        "batch_id": batch_id,
    }
    told = _told(improving, improved)
    settings.activity.record("improve", iso(now), Scope.of(ids).ids(), **told, dry_run=dry_run)
    return improved


improve_instructions, aimprove_instructions = operation(_improve_instructions)


_REASONS: Final = 500  # letters of the reasons that a history keeps


def _told(improving: _Improving, improved: Improved) -> dict[str, Any]:
    """What the event of an improvement says: numbers and names, and why edits were refused."""
    return {
        "kind": improving.kind,
        "conversations": len(improving.trajectories),
        "feedback": len(improving.feedback),
        "calls": improved["calls"],
        "changed": [each["name"] for each in improved["results"]],
        "rejected": [dict(each) for each in improved["rejected"]],
    }


def _entered(
    settings: Settings,
    changes: UnitOfWork,
    edited: Edited,
    places: Mapping[str, Address],
    found: Mapping[str, Row | None],
) -> list[Instructed]:
    """Puts the instructions that were edited into changes, and says what became of each."""
    return [
        enter_instructions(
            changes,
            places[name],
            found[name],
            draft.text(),
            name=name,
            guidance=None,
            reason=settings.clean("; ".join(edited.reasons[name])[:_REASONS]) or None,
            learned=edited.written[name],
        )
        for name, draft in edited.drafts.items()
        if edited.reasons[name]
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Improving:
    """One improvement: what a model is asked, and what may be carried out of its answer."""

    model: BaseChatModel
    kind: Optimizer
    rows: Mapping[str, Row | None]
    trajectories: Sequence[Trajectory]
    feedback: Sequence[Feedback]
    allow_user: bool
    limit: int

    async def ask(self) -> tuple[int, list[Any]]:
        """How often the model was asked, and the edits it proposes."""
        told = [self._shown(), prompts.conversations_shown(self.trajectories), prompts.feedback_shown(self.feedback)]
        if self.kind != "gradient":
            task = prompts.PROMPT_MEMORY if self.kind == "prompt_memory" else prompts.METAPROMPT
            return await self._edits(task, told)
        calls, answer = await self._answer("findings", Findings, told)
        findings = [each.model_dump() for each in _read(answer) if self._founded(each)]
        if not findings:
            return calls, []
        more, edits = await self._edits(prompts.FROM_FINDINGS, [self._shown(), prompts.findings_shown(findings)])
        return calls + more, edits

    def edited(self, proposed: Sequence[Any], mask: Any) -> Edited:
        """The texts after the edits that may be carried out."""
        own = [each.text() for each in self._drafts().values()]
        guided = [guidance for guidance in map(self._guidance, self.rows) if guidance]
        editor = Editor(
            feedback=len(self.feedback),
            limit=self.limit,
            trajectories=self.trajectories,
            mask=mask,
            allow_user=self.allow_user,
            only_learned=self.kind == "prompt_memory",
            given=[*own, *guided],
            told=[each.feedback for each in self.trajectories if each.feedback],
        )
        return editor(self._drafts(), proposed)

    def _founded(self, finding: Finding) -> bool:
        return bool(finding.because) and all(0 <= each < len(self.feedback) for each in finding.because)

    def _drafts(self) -> dict[str, InstructionDraft]:
        return {
            name: InstructionDraft.of(row.value["memory"], row.value["metadata"][LEARNED])
            if row is not None
            else InstructionDraft.of("")
            for name, row in self.rows.items()
        }

    def _guidance(self, name: str) -> str | None:
        row = self.rows[name]
        guidance: str | None = None if row is None else row.value["metadata"][GUIDANCE]
        return guidance

    def _shown(self) -> str:
        drafts = self._drafts()
        return "\n".join(
            prompts.instructions_shown(name, draft.lines, self._guidance(name), draft.learned)
            for name, draft in drafts.items()
        )

    async def _edits(self, task: str, told: Sequence[str]) -> tuple[int, list[Any]]:
        size = sum(tokens(draft.text()) for draft in self._drafts().values())
        return await self._answer("edits", ProposedEdits, told, task=task, size=size)

    async def _answer(
        self, key: str, form: type[BaseModel], told: Sequence[str], *, task: str = "", size: int = 0
    ) -> tuple[int, list[Any]]:
        """Asks once, and once more where the answer has no such list."""
        formed = structured(self.model, form, title=form.__name__)
        as_json = formed is None
        rules = (
            prompts.edit_rules(task, limit=self.limit, size=size, allow_user=self.allow_user, as_json=as_json)
            if task
            else prompts.critique_rules(allow_user=self.allow_user, as_json=as_json)
        )
        messages: list[Any] = [SystemMessage(rules), HumanMessage("\n\n".join(told))]
        for calls in (1, 2):
            reply = await ask(formed or self.model, messages)
            listed = _listed(reply, key)
            if listed is not None:
                return calls, listed
            again = f'That was not valid: no list "{key}". Answer again.'
            messages += [AIMessage(reply.text or "…"), HumanMessage(again)]
        raise ExtractionError(f'The model gave no list "{key}", twice; nothing was written.')


def _listed(reply: AIMessage, key: str) -> list[Any] | None:
    found = [each[key] for each in payloads(reply) if isinstance(each, Mapping) and isinstance(each.get(key), list)]
    return [item for several in found for item in several] if found else None


def _read(findings: Sequence[Any]) -> list[Finding]:
    """The findings that can be read."""
    read: list[Finding] = []
    for each in findings:
        try:
            read.append(Finding.model_validate(each))
        except ValidationError:
            continue
    return read


def _check(names: Sequence[str], kind: str, max_tokens: int, conversation_tokens: int) -> None:
    check_names(name=names)
    if not names or not all(names) or len({*names}) < len(names):
        raise InvalidRequest(f"name is a name, or several different ones, not {shown(names)}.")
    if kind not in get_args(Optimizer):
        raise InvalidRequest(f"kind is one of {', '.join(get_args(Optimizer))}, not {shown(str(kind))}.")
    for option, value in (("max_tokens", max_tokens), ("conversation_tokens", conversation_tokens)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InvalidRequest(f"{option} must be a whole number, 1 or more, not {shown(value)}.")
