r"""Text and JSON as Postgres takes them, and back exactly as they were.

`text` and `jsonb` refuse the NUL character and lone surrogates. Each becomes three characters that they take:

    U+0000 .. U+0003                     U+0001 and two out of U+0002, U+0003
    U+D800 .. U+DFFF, U+E000 .. U+E040   U+E000 and two out of U+E001 .. U+E040

The characters that the code is written with are themselves encoded, so that nothing is said twice; a code begins with
a character that stands nowhere else, so that encoded text is part of encoded text exactly when the text is; and
its characters stand where those that they replace stood in the order of code points, so that order survives too.
Hardly any text contains one of these characters, and all other text is stored as it is.

`Memory` replaces half a surrogate pair before it stores a text; a user of `LongTermStore` may store any that Python
has, such as a tool's output cut off within an emoji, and gets it back as from LangGraph's own store in memory. The look
at a memory of 1 KB takes about 45 µs, beside a write of some milliseconds.

A float is a binary number, and from 1e16 on its shortest decimal form is not quite what it is: `1e23` is less than
10**23. Such floats are written with all their digits, so that Postgres' exact decimals compare as Python does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, Final

from langchain_mem.errors import InvalidRequest


def _codes(characters: Sequence[int], lead: str, digits: str) -> Iterator[tuple[int, str]]:
    written = (lead + first + second for first, second in product(digits, repeat=2))
    return zip(characters, written, strict=False)  # there are a few more codes than characters


LEXEME_BYTES: Final = 2_046
"""What Postgres takes as one lexeme."""

_LEXEMES_BYTES = 1_000_000  # and, a little below its limit, as all those of one text
_WORD = re.compile(r"\w+")

_CODES: Final = dict(
    [
        *_codes(range(0x04), "\x01", "\x02\x03"),
        *_codes(range(0xD800, 0xE041), "\ue000", "".join(map(chr, range(0xE001, 0xE041)))),
    ]
)
_CHARACTERS: Final = {code: chr(character) for character, code in _CODES.items()}
_REFUSED = re.compile("[\x00-\x03\ud800-\ue040]")
_CODE = re.compile("\x01[\x02\x03]{2}|\ue000[\ue001-\ue040]{2}")
_UNUSUAL = re.compile(r"\\u000[0-3]|[\ud800-\ue040]|\de\+")  # in JSON that `json` wrote


def encode(text: str) -> str:
    """Text as Postgres takes it."""
    return text.translate(_CODES) if _REFUSED.search(text) else text


def decode(text: str) -> str:
    """Text as it was before `encode`."""
    if "\x01" not in text and "\ue000" not in text:
        return text
    return _CODE.sub(lambda code: _CHARACTERS[code[0]], text)


def dumps(value: Any) -> str:
    """JSON as `json` and `jsonb` take it.

    Raises:
        InvalidRequest: The value is not JSON, or holds NaN or an infinity, which JSON does not have.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"A value is a JSON object with finite numbers: {error}.") from error
    return _written(value) if _UNUSUAL.search(text) else text


def loads(text: str) -> Any:
    """The value that `dumps` was given."""
    value = json.loads(text)
    return _decoded(value) if "\\u0001" in text or "\ue000" in text else value


def array(labels: Sequence[str]) -> str:
    """Labels as the text of a `text[]`, encoded, for arrays of arrays of different lengths, which SQL lacks."""
    return literal([encode(label) for label in labels])


def literal(elements: Iterable[str]) -> str:
    """Elements as the text of an array."""
    quoted = (element.replace("\\", "\\\\").replace('"', '\\"') for element in elements)
    return "{" + ",".join(f'"{element}"' for element in quoted) + "}"


def lexemes(text: str) -> list[str]:
    """The distinct words of a text in lower case, encoded, as many as one `tsvector` holds."""
    words = (encode(word) for word in dict.fromkeys(_WORD.findall(text.lower())))
    kept, room = [], _LEXEMES_BYTES
    for word in words:
        size = len(word.encode())
        if size <= min(room, LEXEME_BYTES):
            kept.append(word)
            room -= size
    return kept


def _written(value: Any) -> str:
    match value:
        case str():
            return json.dumps(encode(value), ensure_ascii=False)
        case float() if abs(value) >= 1e16:  # `json` writes an exponent from here on; all of these are whole
            return f"{int(value)}.0"
        case dict():
            return "{" + ",".join(f"{_written(key)}:{_written(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_written, value)) + "]"
        case _:
            return json.dumps(value)


def _decoded(value: Any) -> Any:
    match value:
        case str():
            return decode(value)
        case dict():
            return {decode(key): _decoded(each) for key, each in value.items()}
        case list():
            return [_decoded(each) for each in value]
        case _:
            return value
