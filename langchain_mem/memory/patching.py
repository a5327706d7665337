"""What an addition changes of the documents of which an owner has one: merge patches, judged and entered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_mem.backends.base import Row
from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.document_judgement import Compared, compare, doubts_left, vocabulary
from langchain_mem.extraction.messages import Turn
from langchain_mem.extraction.support import Premise
from langchain_mem.memory.documents import document_in, enter, place_of
from langchain_mem.memory.settings import Settings
from langchain_mem.memory.writing.drafts import Addition
from langchain_mem.memory.writing.unit_of_work import UnitOfWork
from langchain_mem.model.documents import JsonDocument, dumped, in_words, merged, read_by
from langchain_mem.model.records import Rejected


class Patching:
    """What one addition changes of its owner's documents.

    Args:
        settings: Parts and policies.
        addition: What was said.

    Attributes:
        current: The documents there are, as the model is shown them.
    """

    def __init__(self, settings: Settings, addition: Addition) -> None:
        self._settings = settings
        self._addition = addition
        self._patches: dict[str, Compared] = {}
        self._schemas = settings.kinds.one
        self.current: dict[str, JsonDocument] = {}

    def __bool__(self) -> bool:
        """Whether anything is to change."""
        return bool(self._patches)

    async def read(self) -> None:
        """Reads the documents there are."""
        if self._schemas:
            rows = await self._rows()
            self.current = {name: document_in(rows[name], self._addition.now) for name in self._schemas}

    def take(self, patches: Mapping[str, Any], turns: Sequence[Turn]) -> list[Rejected]:
        """Takes what the model proposes, and says what of it is refused."""
        refused: list[Rejected] = []
        for name, patch in patches.items():
            compared = self._compared(name, patch, turns)
            refused += [_refused(name, {path: None}, f"{path}: {why}") for path, why in compared.refused.items()]
            if compared.document or not patch:
                refused += self._taken(name, compared)
        return refused

    def texts(self) -> list[str]:
        """What the changed documents will say, to be embedded with the rest."""
        return [in_words(name, self._after(name, self.current[name])) for name in self._patches]

    async def enter(self, changes: UnitOfWork) -> None:
        """Puts the changed documents into changes, against what is there now."""
        if not self._patches:
            return
        rows = await self._rows()
        for name, compared in self._patches.items():
            row = rows[name]
            document = self._after(name, document_in(row, self._addition.now))
            before = row.value.get("doubt") if row is not None else None
            doubt = doubts_left(before, compared.document, compared.doubt)
            enter(changes, name, place_of(name, self._addition.scope), document, row, doubt=doubt)

    async def _rows(self) -> dict[str, Row | None]:
        places = [place_of(name, self._addition.scope) for name in self._schemas]
        return dict(zip(self._schemas, await self._settings.repo.read(places, self._addition.now), strict=True))

    def _taken(self, name: str, compared: Compared) -> list[Rejected]:
        """Keeps a patch, where the document is valid with it."""
        before = self._patches.get(name)
        self._patches[name] = compared if before is None else _both(before, compared)
        try:
            self._after(name, self.current[name])
        except InvalidRequest as error:
            if before is None:
                del self._patches[name]
            else:
                self._patches[name] = before
            return [_refused(name, compared.document, str(error))]
        return []

    def _after(self, name: str, document: JsonDocument) -> JsonDocument:
        cleaned = self._settings.clean_metadata(merged(document, self._patches[name].document))
        return dumped(read_by(self._schemas[name], cleaned))

    def _compared(self, name: str, patch: Mapping[str, Any], turns: Sequence[Turn]) -> Compared:
        """A patch without what nobody said, or the conversation contradicts."""
        if self._settings.grounding == "off":
            return Compared(dict(patch), {}, {})
        owned = self._addition.scope.user_id is not None
        known = [*self._addition.scope.ids().values(), in_words(name, self.current[name])]
        said = Premise(
            turns=turns,
            cited=(),
            speakers=("user",) if owned else (),
            known=[*known, *(turn.spoken for turn in self._addition.earlier)],
            observed=self._addition.at,
        )
        prescribed, strict = vocabulary(self._schemas[name]), self._settings.grounding == "strict"
        return compare(patch, said, free=(), vocabulary=prescribed, strict=strict)


def _both(first: Compared, second: Compared) -> Compared:
    """Two patches as one: a long conversation is asked about in portions."""
    doubts = {key: doubt for key, doubt in first.doubts.items() if key not in second.document} | second.doubts
    return Compared(merged_patches(first.document, second.document), {}, doubts)


def merged_patches(first: Mapping[str, Any], second: Mapping[str, Any]) -> JsonDocument:
    """One patch that does what two do, one after the other; a removal stays a removal.

    >>> merged_patches({"diet": "vegan", "home": {"city": "Oslo"}}, {"diet": None, "home": {"floor": 3}})
    {'diet': None, 'home': {'city': 'Oslo', 'floor': 3}}
    """
    result = dict(first)
    for key, value in second.items():
        inner = result.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        result[key] = merged_patches(inner, value) if both and isinstance(inner, Mapping) else value
    return result


def _refused(name: str, patch: Mapping[str, Any], reason: str) -> Rejected:
    return {"operation": {"document": name, "patch": dict(patch)}, "reason": reason}
