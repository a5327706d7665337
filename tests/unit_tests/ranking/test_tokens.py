"""The words of a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.ranking.tokens import tokenize


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The cat's toys, and CATS!", ("cat", "toy", "cat")),
        ("I don't know where it is", ("know",)),
        ("It’s a café in Zürich", ("cafe", "zurich")),
        ("in May 2023", ("may", "2023")),
        ("東京で会う", ("東京", "京で", "で会", "会う")),
        ("犬", ("犬",)),
        ("안녕하세요", ("안녕", "녕하", "하세", "세요")),
        ("मुझे हिन्दी पसंद है।", ("मुझे", "हिन्दी", "पसंद", "है")),
        ("Мама мыла раму", ("мама", "мыла", "раму")),
        ("iPhone を買った", ("iphon", "を買", "買っ", "った")),
        ("snake_case x2 $%^&*", ("snake", "case", "x2")),
        ("", ()),
    ],
)
def test_words_of_many_scripts(text: str, tokens: tuple[str, ...]) -> None:
    """Words come out folded, stemmed and without stop words; scripts without spaces as pairs of characters."""
    assert tokenize(text) == tokens


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    """Any text can be read, and no token is empty."""
    assert all(tokenize(text))
