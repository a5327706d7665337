"""The nouns: ids, digests, and what is public of a memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.model.records import (
    PUBLIC,
    STORED,
    batch_id_for,
    content,
    digest,
    fold,
    id_for,
    is_live,
    public,
    sound,
    source_of,
)


@pytest.mark.parametrize(
    ("one", "other"), [("I like  Tea", "i LIKE tea "), ("Straße", "STRASSE"), ("é", "e\u0301"), ("ﬁsh", "fish")]
)
def test_what_folding_ignores(one: str, other: str) -> None:
    """Case, spacing and Unicode form do not make another text."""
    assert fold(one) == fold(other)
    assert digest(one) == digest(other)


@given(st.text(max_size=20))
def test_folding_twice_is_folding_once(text: str) -> None:
    """A digest depends on the folded text alone."""
    assert digest(fold(text)) == digest(text) or fold(fold(text)) != fold(text)


@given(st.text(st.characters(), max_size=12))
def test_sound_text_can_be_stored(text: str) -> None:
    """Every text becomes one that UTF-8 can say; one that is sound stays as it is."""
    mended = sound(text)
    mended.encode()
    assert sound(mended) == mended
    assert sound("🙂 ä") == "🙂 ä"


def test_a_pair_of_surrogates_is_a_character() -> None:
    """Two halves that belong together are put together."""
    assert sound("\ud83d\ude42") == "🙂"


def test_ids_are_the_texts_own() -> None:
    """The same text in the same place has one id; another place, text or attempt another one."""
    home = ("memories", "user", "a", "own")
    assert id_for(home, "I like tea") == id_for(home, "i LIKE  tea")
    others = {id_for((*home[:2], "b", "own"), "I like tea"), id_for(home, "x"), id_for(home, "I like tea", 1)}
    assert len(others | {id_for(home, "I like tea")}) == 4


def test_batch_ids() -> None:
    """A batch's id follows from its parts, and where they part matters."""
    assert batch_id_for("a", "b") == batch_id_for("a", "b")
    assert batch_id_for("a", "b") != batch_id_for("ab")


def test_public() -> None:
    """What is public of a memory is some of what is stored, and JSON."""
    stored = dict.fromkeys(STORED)
    assert tuple(public(stored)) == PUBLIC
    assert set(PUBLIC) < set(STORED)
    json.dumps(source_of("t", "c", ["m"]))


def test_whether_it_is_live() -> None:
    """A memory is live until its expiration, and only in its live state."""
    memory: Any = {"state": "live", "expiration_date": "2026-01-01T00:00:00.000000Z"}
    assert is_live(memory, "2025-12-31T23:59:59.999999Z")
    assert not is_live(memory, "2026-01-01T00:00:00.000000Z")
    assert not is_live({**memory, "state": "deleted"}, "2025-12-31T23:59:59.999999Z")


def test_the_content() -> None:
    """A text is embedded with its date before it."""
    assert content({"memory": "Moved", "event_date": "2020-05-08T00:00:00.000000Z"}) == "[8 May 2020] Moved"
    assert content({"memory": "Moved", "event_date": None}) == "Moved"
