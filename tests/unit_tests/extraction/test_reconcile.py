"""What a model proposes, against what is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from langchain_mem.extraction.reconcile import (
    SAME_MEANING,
    Action,
    CheckedProposal,
    Decision,
    reconcile,
    statements,
)
from langchain_mem.model.records import StoredMemory


def known(text: str) -> StoredMemory:
    return cast(StoredMemory, {"id": text, "memory": text})


def decide(
    operations: Sequence[CheckedProposal], live: Sequence[StoredMemory] = (), cosine: float = 0.0
) -> list[Decision]:
    return reconcile(operations, live, lambda _: [cosine] * len(live))


class TestDeciding:
    def test_the_same_text_is_known(self) -> None:
        """A fact that is known word for word is kept, whatever was proposed."""
        tea = known("Likes tea")
        for action in (Action.ADD, Action.UPDATE, Action.SUPERSEDE):
            target = tea if action is not Action.ADD else None
            (decision,) = decide([CheckedProposal(action=action, text="likes  TEA", target=target)], [tea])
            assert (decision.action, decision.target) == (Action.KEEP, tea)

    @pytest.mark.parametrize(("cosine", "action"), [(SAME_MEANING, Action.KEEP), (SAME_MEANING - 0.01, Action.ADD)])
    def test_the_same_meaning_is_known(self, cosine: float, action: Action) -> None:
        """From a cosine of 0.95 on, a fact whose names, numbers and times agree is known."""
        (decision,) = decide([CheckedProposal(action=Action.ADD, text="Enjoys tea")], [known("Likes tea")], cosine)
        assert decision.action is action

    def test_alike_but_not_the_same(self) -> None:
        """However alike two texts sound, a number tells them apart."""
        (decision,) = decide([CheckedProposal(action=Action.ADD, text="Has 3 cats")], [known("Has 2 cats")], 0.999)
        assert decision.action is Action.ADD

    def test_a_known_statement_retires_another(self) -> None:
        """Where the newer value is known already, the older one is superseded by it."""
        berlin, paris = known("Lives in Berlin"), known("Lives in Paris")
        proposal = CheckedProposal(action=Action.SUPERSEDE, text="Lives in Paris", target=berlin)
        (decision,) = decide([proposal], [berlin, paris])
        assert (decision.action, decision.target) == (Action.SUPERSEDE, berlin)

    def test_of_several_on_one_memory_the_first_counts(self) -> None:
        """A memory is changed once by one answer, and a text is written once."""
        tea = known("Likes tea")
        proposals = [
            CheckedProposal(action=Action.SUPERSEDE, text="Likes coffee", target=tea),
            CheckedProposal(action=Action.DELETE, target=tea),
            CheckedProposal(action=Action.ADD, text="likes COFFEE"),
        ]
        assert [decision.action for decision in decide(proposals, [tea])] == [Action.SUPERSEDE]


class TestStatements:
    @pytest.mark.parametrize(
        ("compound", "parts"),
        [
            ("Lives in Berlin and has a dog", ["Lives in Berlin", "Has a dog"]),
            ("Alex lives in Berlin, and works at Acme.", ["Alex lives in Berlin", "Alex works at Acme"]),
            ("Likes tea and coffee", []),
            ("Lives in Berlin", []),
            ("Works with Bob and Ann", []),
        ],
    )
    def test_what_a_compound_fact_says(self, compound: str, parts: list[str]) -> None:
        """Clauses with a verb of their own are statements; lists of things are one."""
        assert statements(compound) == parts

    @pytest.mark.parametrize(
        ("newer", "others", "rests"),
        [
            ("Lives in Oslo", [], ("Has a dog",)),
            ("Lives in Oslo and has a dog", [], ()),
            ("Lives in Oslo", ["Has a dog called Rex"], ()),
            ("Has a cat", [], ("Lives in Berlin",)),
        ],
    )
    def test_the_half_that_still_holds(self, newer: str, others: list[str], rests: tuple[str, ...]) -> None:
        """What a newer statement does not outdate, and nothing else says, is left of a compound fact."""
        both = known("Lives in Berlin and has a dog")
        proposals = [CheckedProposal(action=Action.SUPERSEDE, text=newer, target=both)]
        proposals += [CheckedProposal(action=Action.ADD, text=text) for text in others]
        assert decide(proposals, [both])[0].rests == rests
