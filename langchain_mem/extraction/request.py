"""What a model is asked: a conversation, what is known, and the rules, as one prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from langchain_mem.extraction import prompts
from langchain_mem.extraction.document_prompts import document_rules
from langchain_mem.extraction.messages import Turn
from langchain_mem.model.kinds import Kinds
from langchain_mem.model.records import StoredMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRequest:
    """What a model is asked to extract from.

    Attributes:
        turns: The conversation.
        known: Live memories the conversation may be about; the model sees their numbers, never their ids.
        observed: When the conversation took place, for turns without a time of their own.
        subjects: Whose facts are wanted.
        categories: Names, and what each is for.
        instructions: The application's own rules.
        kinds: The kinds of documents to keep.
        documents: The documents of which there is one, as they are.
        earlier: What was said before and is dealt with, for understanding only.
        expansion: Whether phrases are wanted for what a fact is useful for.
    """

    turns: Sequence[Turn]
    known: Sequence[StoredMemory]
    observed: datetime
    subjects: Literal["user", "assistant", "both"]
    categories: Mapping[str, str]
    instructions: str | None = None
    kinds: Kinds = field(default_factory=Kinds)
    documents: Mapping[str, Any] = field(default_factory=dict)
    earlier: Sequence[Turn] = ()
    expansion: bool = False

    @property
    def people(self) -> list[str]:
        """The names of those who speak as users, in order."""
        return list(dict.fromkeys(turn.name for turn in self.turns if turn.role == "user" and turn.name))

    def messages(self, *, as_json: bool) -> list[BaseMessage]:
        """The prompt: rules first, then what is known and said, as data."""
        rules = prompts.rules(
            self.categories,
            self.instructions,
            subjects=self.subjects,
            as_json=as_json,
            documents=document_rules(self.kinds),
            people=self.people,
            expansion=self.expansion,
        )
        data = [
            prompts.known([prompts.as_known(memory) for memory in self.known]),
            prompts.documents(self.documents),
            prompts.earlier(self.earlier, self.observed),
            prompts.conversation(self.turns, self.observed),
        ]
        return [SystemMessage(rules), HumanMessage("\n\n".join(part for part in data if part))]
