"""Personal data is left, masked or hashed, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.personal_data import Hash, Mask, redactor
from langchain_mem.extraction.personal_rules import KINDS
from langchain_mem.extraction.redaction import redact_secrets

CASES = json.loads((Path(__file__).parents[2] / "data" / "secrets.json").read_text())
KEY = "sixteen bytes or more"

EXAMPLES = {
    "email": "mira@example.com",
    "phone": "+49 171 3920045",
    "card": "4242 4242 4242 4242",
    "iban": "DE89 3704 0044 0532 0130 00",
    "national-id": "111.444.777-35",
}


def _policy(how: str) -> Any:
    redact = redactor(redact_secrets, "mask" if how == "mask" else Hash(key=KEY))
    assert redact is not None
    return redact


@pytest.mark.parametrize("how", ["mask", "hash"])
def test_finds_the_personal_data_of_the_set(how: str) -> None:
    """Of mail addresses, numbers, cards, accounts and ids, however they are written, 97 % and more is found."""
    redact = _policy(how)
    kept = [case["text"] for case in CASES["pii"] if case["pii"] in redact(case["text"])]
    assert len(kept) <= 0.03 * len(CASES["pii"]), kept


@pytest.mark.parametrize("kind", ["innocent", "pii_innocent"])
def test_leaves_the_innocent_of_the_set(kind: str) -> None:
    """At most one innocent sentence in a hundred is touched."""
    redact = _policy("mask")
    touched = [case["text"] for case in CASES[kind] if redact(case["text"]) != case["text"]]
    assert len(touched) <= len(CASES[kind]) / 100, touched


@pytest.mark.parametrize(("kind", "value"), EXAMPLES.items())
def test_each_kind_is_named(kind: str, value: str) -> None:
    """The mask says what stood there, and the rest of the sentence stays."""
    assert Mask()(f"It is {value}, thanks") == f"It is [redacted:{kind}], thanks"


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_kinds_asked_for(kind: str) -> None:
    """A policy for one kind leaves the others."""
    text = " and ".join(EXAMPLES.values())
    masked = Mask(kinds=(kind,))(text)
    assert [value for value in EXAMPLES.values() if value not in masked] == [EXAMPLES[kind]]


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("mira@example.com", "Mira@Example.COM", "omar@example.com"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "AT61 1904 3002 3457 3201"),
        ("4242 4242 4242 4242", "4242-4242-4242-4242", "5555 5555 5555 4444"),
    ],
)
def test_equal_values_have_equal_hashes(one: str, same: str, other: str) -> None:
    """However a value is written its hash is the same; another value's is another, and so is another key's."""
    hide = Hash(key=KEY)
    assert hide(one) == hide(same) != hide(other)
    assert hide(one) != Hash(key="another key of that length")(one)
    assert one not in hide(one)


@pytest.mark.parametrize("how", ["mask", "hash"])
@given(
    pieces=st.lists(
        st.one_of(st.sampled_from([*EXAMPLES.values(), "password: hunter2"]), st.text(max_size=8)), max_size=5
    )
)
def test_twice_changes_nothing(how: str, pieces: list[str]) -> None:
    """What is masked or hashed stays as it is."""
    redact = _policy(how)
    once = redact(" ".join(pieces))
    assert redact(once) == once


def test_cards_are_hashed_and_not_masked_as_secrets() -> None:
    """The rules for secrets know cards too, and leave those to the policy."""
    assert "[redacted:card-" in _policy("hash")("my card is 4242 4242 4242 4242")


def test_leaving_is_the_same_function() -> None:
    """With `leave`, personal data costs nothing."""
    assert redactor(redact_secrets, "leave") is redact_secrets
    assert redactor(None, "leave") is None


@pytest.mark.parametrize("wrong", ["drop", None, 5, str.upper])
def test_refuses_what_is_no_policy(wrong: Any) -> None:
    """The error says what is allowed."""
    with pytest.raises(InvalidRequest, match=r"leave.*mask.*Hash"):
        redactor(None, wrong)


@pytest.mark.parametrize("key", ["short", b"", 5])
def test_refuses_a_short_key(key: Any) -> None:
    """A key that can be guessed protects nothing."""
    with pytest.raises(InvalidRequest, match="16 bytes"):
        Hash(key=key)


def test_the_key_is_not_shown() -> None:
    """A policy may be logged."""
    assert KEY not in repr(Hash(key=KEY))


def test_refuses_unknown_kinds() -> None:
    """A misspelled kind would leave what it was to mask."""
    with pytest.raises(InvalidRequest, match="national-id"):
        Mask(kinds=("e-mail",))
