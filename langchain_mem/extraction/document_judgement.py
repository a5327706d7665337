"""Whether the conversation supports what a document says, value by value.

Each text and number of a document is held against what was said, as a fact is (`support.weigh`). How it was said
(denied, asked, supposed, of somebody else) and whether its words are the model's own, only the whole document tells: a
value by itself is a few words, which may stand anywhere. What the whole does not confirm of these is a doubt, or
nothing.

    contradicted   this value is left out and reported; the rest of the document stands where it is valid without it
    in doubt       kept with the reason, or left out too where grounding is "strict"
    clear          kept

Values from the schema's own vocabulary (enumerations, defaults) name no fact, and neither do fields that the model is
to word by itself; they are not compared.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.judgement import Judge
from langchain_mem.extraction.languages import alike, language_of, root, words
from langchain_mem.extraction.reconcile import Action, CheckedProposal
from langchain_mem.extraction.support import Objection, Premise, weigh
from langchain_mem.model.documents import JsonDocument, dumped_whole, in_words, merged, read_by
from langchain_mem.model.kinds import Many

NEXT: Final = " | "
"""Stands between the doubts of several fields."""


class Compared(NamedTuple):
    """A document, or a patch of one, after it was compared.

    Attributes:
        document: What of it was not contradicted.
        refused: The paths of the values that were, each with the reason.
        doubts: The fields in doubt, each with the reason.
    """

    document: JsonDocument
    refused: dict[str, str]
    doubts: dict[str, str]

    @property
    def doubt(self) -> str | None:
        """All doubts in one line."""
        return NEXT.join(f"{key}: {reason}" for key, reason in self.doubts.items()) or None


class JudgedDocument(NamedTuple):
    """What becomes of an operation on a document.

    Attributes:
        operation: It, with its doubt, and without what was contradicted.
        refused: Why it is not carried out; `None` where it is.
        parts: Values that were left out, by their path, each with the reason.
    """

    operation: CheckedProposal
    refused: str | None
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentJudge:
    """Judges operations on documents, by the rules that hold for facts.

    Attributes:
        judge: Judges facts of the same conversation.
        many: The kind of the documents.
    """

    judge: Judge
    many: Many

    def __call__(self, operation: CheckedProposal) -> JudgedDocument:
        """What becomes of an operation."""
        refused = self._forbidden(operation) or self.judge.malformed(operation) or self._unauthorized(operation)
        compared = refused is None and operation.document is not None and self.judge.grounding != "off"
        return self._compared(operation) if compared else JudgedDocument(operation, refused, {})

    def _forbidden(self, operation: CheckedProposal) -> str | None:
        if operation.action is Action.KEEP or str(operation.action) in self.many.actions():
            return None
        return f"a model may not {operation.action} a {self.many.name}"

    def _unauthorized(self, operation: CheckedProposal) -> str | None:
        if operation.action in (Action.DELETE, Action.UPDATE) and not self.judge.user_said(operation):
            return "only a user's message can remove or change a document"
        spoken = operation.action is Action.KEEP or not self.judge.by_speaker or self.judge.rests_on(operation)
        return None if spoken else f"no message of the {operation.subject} is among those it cites"

    def _compared(self, operation: CheckedProposal) -> JudgedDocument:
        """The operation without what the conversation contradicts, where it is valid so."""
        judge, schema = self.judge, self.many.schema
        compared = compare(
            operation.document or {},
            judge.said(operation),
            free=self.many.own_words,
            vocabulary=vocabulary(schema),
            strict=judge.grounding == "strict",
        )
        before = operation.target["metadata"]["document"] if operation.target and operation.target["schema"] else {}
        whole = merged(before, compared.document) if operation.action is Action.UPDATE else compared.document
        first = next((f"{path}: {reason}" for path, reason in compared.refused.items()), None)
        if first is not None and not compared.document:
            return JudgedDocument(operation, first, {})
        try:
            text = in_words(self.many.name, dumped_whole(read_by(schema, whole)))
        except InvalidRequest as error:
            return JudgedDocument(operation, first or str(error), {})
        kept = replace(operation, document=compared.document, text=text, doubt=compared.doubt)
        return JudgedDocument(kept, None, compared.refused)


def compare(
    document: Mapping[str, Any], said: Premise, *, free: Collection[str], vocabulary: Collection[str], strict: bool
) -> Compared:
    """Holds each value of a document against what was said.

    Args:
        document: A document or a patch.
        said: What it is held against.
        free: Fields that are not compared.
        vocabulary: Values that are not compared.
        strict: Whether what is in doubt is left out as well.
    """
    refused: dict[str, str] = {}
    doubts: dict[str, str] = {}
    kept: JsonDocument = {}
    whole = _Whole(
        " ".join(_values({key: each for key, each in document.items() if key not in free}, vocabulary)), said
    )
    for key, value in document.items():
        comparing = _Comparing(whole, vocabulary, strict)
        told = value if key in free else comparing.of(value, key)
        refused |= comparing.refused
        if comparing.doubt is not None:
            doubts[key] = comparing.doubt
        if told is not _LEFT_OUT:
            kept[key] = told
    return Compared(kept, refused, doubts)


_LEFT_OUT: Final = object()
_LONGEST: Final = 2_000  # letters of a document that are compared as a whole
_MANNER: Final = re.compile(r"^the message |^taken back|said of somebody else")
_OWN_WORDS: Final = re.compile(r"^not said: ")


def _values(value: Any, vocabulary: Collection[str], *, below: bool = False) -> Iterator[str]:
    """The texts and numbers of a document, and the keys below those of its schema."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from [key] if below else []
            yield from _values(each, vocabulary, below=True)
    elif isinstance(value, list):
        for each in value:
            yield from _values(each, vocabulary, below=True)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value not in vocabulary:
        yield str(value)


class _Whole:
    """A whole document against what was said: what a value by itself does not tell."""

    def __init__(self, text: str, said: Premise) -> None:
        self.said = said
        self._text = text[:_LONGEST]

    @cached_property
    def _finding(self) -> Objection:
        return weigh(self._text, self.said) if self._text.strip() else Objection()

    def weighed(self, value: str) -> Objection:
        """What was said of one value of the document."""
        found = supported(value, self.said)
        against = _parts(found.contradiction)
        sure = [each for each in against if self._is_figure(each) or each in _parts(self._finding.contradiction)]
        doubts = [*(each for each in against if each not in sure), *_parts(found.doubt)]
        stand = [each for each in doubts if each in against or self._stands(each, value)]
        return Objection(sure[0] if sure else None, "; ".join(stand) or None)

    def _is_figure(self, reason: str) -> bool:
        """Whether a reason is about the value itself, and not about how it was said and of whom."""
        return not _MANNER.search(reason)

    def _stands(self, reason: str, value: str) -> bool:
        """Whether a doubt of a value holds for the document."""
        told = [*_parts(self._finding.contradiction), *_parts(self._finding.doubt)]
        if _OWN_WORDS.search(reason) and _any_of(value, self.said):
            return any(_OWN_WORDS.search(each) for each in told)
        return self._is_figure(reason) or reason in told


def _parts(reasons: str | None) -> list[str]:
    return reasons.split("; ") if reasons else []


class _Comparing:
    """Compares the values of one field."""

    def __init__(self, whole: _Whole, vocabulary: Collection[str], strict: bool) -> None:
        self._whole = whole
        self._vocabulary = vocabulary
        self._strict = strict
        self.refused: dict[str, str] = {}
        self.doubt: str | None = None

    def of(self, value: Any, path: str) -> Any:
        """A value without what is contradicted in it; `_LEFT_OUT` where nothing is left."""
        if isinstance(value, Mapping):
            inner = {key: self.of(each, f"{path}.{key}") for key, each in value.items()}
            return {key: each for key, each in inner.items() if each is not _LEFT_OUT} if value else value
        if isinstance(value, list):
            items = [self.of(each, f"{path}.{place}") for place, each in enumerate(value)]
            left = [each for each in items if each is not _LEFT_OUT]
            return left if left or not value else _LEFT_OUT
        return self._leaf(value, path)

    def _leaf(self, value: Any, path: str) -> Any:
        if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
            return value
        if value in self._vocabulary or not str(value).strip():
            return value
        finding = self._whole.weighed(str(value))
        against = finding.contradiction or (finding.doubt if self._strict else None)
        if against is not None:
            self.refused[path] = against
            return _LEFT_OUT
        self.doubt = self.doubt or finding.doubt
        return value


def supported(value: str, said: Premise) -> Objection:
    """What a conversation says of one value; a name or a number of which nothing was said is invented."""
    finding = weigh(value, said)
    if finding.contradiction is None and finding.doubt is not None and _is_name(value) and not _any_of(value, said):
        return Objection(contradiction=f"nobody said {value[:80]}")
    return finding


def _is_name(value: str) -> bool:
    """Whether a value reads as a name: few words, each with a capital."""
    told = value.split()
    return 1 <= len(told) <= 4 and all(word[:1].isupper() for word in told) and language_of(value) != "de"


def _any_of(value: str, said: Premise) -> bool:
    spoken = {root(word, None) for word in said.names}
    return any(alike(root(word, None), each) for word in words(value) for each in spoken)


@lru_cache(maxsize=64)
def vocabulary(schema: type[BaseModel]) -> frozenset[str]:
    """The texts that a schema itself prescribes: its enumerations, constants and defaults."""
    return frozenset(_prescribed(schema.model_json_schema()))


def _prescribed(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _prescribed(each)
    elif isinstance(schema, Mapping):
        given = [*schema.get("enum", ()), schema.get("const"), schema.get("default")]
        yield from (each for each in given if isinstance(each, str))
        for each in schema.values():
            yield from _prescribed(each)


_PART: Final = re.compile(r"^([^:|]+): ")


def doubts_left(doubt: str | None, patch: Mapping[str, Any], anew: str | None) -> str | None:
    """The doubts of a document after a patch: those of fields that it leaves alone, and its own.

    >>> doubts_left("age: not said | diet: not said", {"age": 34}, None)
    'diet: not said'
    """
    parts = [part for part in (doubt or "").split(NEXT) if part]
    kept = [part for part in parts if (found := _PART.match(part)) is None or found[1] not in patch]
    return NEXT.join([*kept, *([anew] if anew else [])]) or None
