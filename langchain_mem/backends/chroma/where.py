"""Conditions as a Chroma `where`.

Chroma compares scalars by its own rules and keeps no dicts, so nothing is asked of the stored value itself. Beside it
each record keeps a list of *tokens*, one text for each thing a filter may ask about it, and a filter asks for tokens:

    ["color"]="red"     the field at this path is this scalar
    ["tags"]@"red"      the field is a list, and this scalar is an element of it
    #9e1c…              the row's key has this digest

What tokens cannot tell (ranges, substrings, long texts, instants, whether a field is there) is left out of the `where`,
which then finds too much, never too little; `matches` finishes. There is a token only for what is often asked.

A collection keeps tokens in one of two ways. *In the text*: a record's document ends with a mark for each token, seven
letters and digits of its digest, and filters look for marks with `where_document`. Marks cost a third of what metadata
costs, which Chroma writes, indexes and reads as a row for each entry. *In the metadata*, as a list: collections that
earlier releases made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias

from langchain_mem.filters.language import ALWAYS, And, Condition, Kind, Not, Operator, Or, Path, Test, widen

Where: TypeAlias = dict[str, Any] | None
"""What Chroma's `where` takes; `None` is everything."""

MOST_TOKENS: Final = 64
"""A value with more keeps the first so many, and says that there are more."""

LONGEST_TOKEN: Final = 64
"""Longer ones are not kept: nobody asks for the equality of a long text, nor of an instant."""

MOST_KEYS: Final = 100
"""A query for more keys looks at every row in scope."""

MARKS: Final = "\x1e"
"""What stands between the words of a document and its marks: only after the last one of these are marks."""

_MARK = "\x1f"
_MORE = "…"
_INSTANT = re.compile(r'[=@]"\d{4}-\d\d-\d\dT')
_NOTHING: Final[Where] = {"tokens": "no text equals a list"}


def tokens(key: str, value: Mapping[str, Any]) -> list[str]:
    """The tokens of a row: one for its key, `MOST_TOKENS` of its value, and one that says it has more."""
    found = list(islice(dict.fromkeys(_fields(value, ())), MOST_TOKENS + 1))
    return [_key(key), *found] if len(found) <= MOST_TOKENS else [_key(key), _MORE, *found[:MOST_TOKENS]]


def where(condition: Condition) -> Where:
    """The `where` that finds every record whose value the condition matches, and perhaps more; `None` is all."""
    askable = widen(condition, _sayable)
    return None if askable == ALWAYS else _compile(askable, negated=False)


def keys_where(keys: Collection[str] | None) -> Where:
    """The `where` that finds every record with one of these keys, and perhaps more."""
    if keys is None or len(keys) > MOST_KEYS:
        return None
    return either(*({"tokens": {"$contains": _key(key)}} for key in keys))


def in_text(asked: Where) -> Where:
    """What a `where` asks of tokens as a `where_document` that asks for their marks, and finds perhaps more.

    Two tokens may have one mark, so that a mark is there says little, and nothing is concluded from it for a negation.
    """
    match asked:
        case None:
            return None
        case {"$and": parts}:
            return both(*map(in_text, parts))
        case {"$or": parts}:
            return either(*map(in_text, parts))
        case {"tokens": {"$contains": token}}:
            return {"$contains": _mark(token)}
        case {"tokens": {"$not_contains": _}}:
            return None
    return {"$contains": f"{_MARK}nobody has this"}


def marked(text: str, tokens: Iterable[str]) -> str:
    """A document: the words to find a row by, and the marks of its tokens."""
    return f"{text}{MARKS}{''.join(map(_mark, tokens))}"


def unmarked(document: str) -> str:
    """The words of a document that has marks."""
    return document.rpartition(MARKS)[0]


def both(*wheres: Where) -> Where:
    """All of these hold."""
    parts = [each for each in wheres if each is not None]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None


def either(*wheres: Where) -> Where:
    """Some of these hold. One that is everything makes it everything; none at all finds nothing."""
    if not wheres:
        return _NOTHING
    parts = [each for each in wheres if each is not None]
    if len(parts) < len(wheres):
        return None
    return {"$or": parts} if len(parts) > 1 else parts[0]


def may_find(where: Where, metadata: Mapping[str, Any]) -> bool:
    """Whether a `where` might find a record with this metadata. Scopes are decided, most else is granted."""
    match where:
        case None:
            return True
        case {"$and": parts}:
            return all(may_find(part, metadata) for part in parts)
        case {"$or": parts}:
            return any(may_find(part, metadata) for part in parts)
    ((key, asked),) = where.items()
    if key not in metadata:
        return "$not_contains" in asked
    match asked:
        case {"$in": some}:
            return metadata[key] in some
        case str():
            return bool(metadata[key] == asked)
    return True


def _fields(value: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    for key, each in value.items():
        if each is not None:
            yield from filter(_kept, _field(each, (*above, key)))


def _field(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, str):  # what nearly all values are
        if len(value) <= LONGEST_TOKEN:
            yield _scalar(keys, value)
    elif isinstance(value, Mapping):
        yield from _fields(value, keys)
    elif isinstance(value, list | tuple):
        yield from (_element(keys, each) for each in value if _is_scalar(each))
    elif _is_scalar(value):
        yield _scalar(keys, value)


def _sayable(test: Test) -> bool:
    """Whether tokens answer a test as `matches` does."""
    asked = _asked(test)
    return asked is not None and all(map(_kept, asked))


def _asked(test: Test) -> list[str] | None:
    """The tokens of which a record has one exactly if the test holds; `None` where tokens cannot tell."""
    if not _plain(test.path) or test.kind is Kind.iso:
        return None
    keys, operand = test.path.keys, test.operand
    match test.operator:
        case Operator.eq if _is_scalar(operand):
            return [_scalar(keys, operand)]
        case Operator.in_ if all(map(_is_scalar, operand)):
            return [spell(keys, each) for each in operand for spell in (_scalar, _element)]
        case Operator.contains if _is_scalar(operand) and (test.kind is Kind.texts or not isinstance(operand, str)):
            return [_element(keys, operand)]
        case _:
            return None


def _plain(path: Path) -> bool:
    """Whether a path means one place; `a.b` may mean either of two."""
    return path.literal is None or "." not in path.literal


def _compile(condition: Condition, *, negated: bool) -> Where:
    match condition:
        case Not(part):
            return _compile(part, negated=not negated)
        case Test():
            return _lacks(condition) if negated else _has(condition)
        case And(parts) | Or(parts):
            join = both if isinstance(condition, And) is not negated else either
            return join(*(_compile(part, negated=negated) for part in parts))


def _has(test: Test) -> Where:
    wanted = (*(_asked(test) or ()), _MORE)
    return either(*({"tokens": {"$contains": token}} for token in wanted))


def _lacks(test: Test) -> Where:
    return both(*({"tokens": {"$not_contains": token}} for token in _asked(test) or ()))


@lru_cache(maxsize=4_096)
def _mark(token: str) -> str:
    """Always as long, so that no mark is a part of another; without capitals, which Chroma's search does not mind."""
    digest = hashlib.blake2b(token.encode(errors="surrogatepass"), digest_size=5).digest()
    return _MARK + base64.b32encode(digest).decode()[:7].lower()


def _key(key: str) -> str:
    return f"#{hashlib.blake2b(key.encode(errors='surrogatepass'), digest_size=12).hexdigest()}"


@lru_cache(maxsize=4_096)
def _spell(keys: tuple[str, ...]) -> str:
    return json.dumps(keys)


def _scalar(keys: tuple[str, ...], value: Any, relation: str = "=") -> str:
    """Equal scalars have equal tokens: `1` is `1.0`, `True` is neither."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _text_token(keys, relation, value) if type(value) is str else f"{_spell(keys)}{relation}{json.dumps(value)}"


@lru_cache(maxsize=4_096)
def _text_token(keys: tuple[str, ...], relation: str, text: str) -> str:
    """The token of a text. Most texts of an owner's memories say the same, such as whose they are."""
    return f"{_spell(keys)}{relation}{json.dumps(text)}"


def _element(keys: tuple[str, ...], value: Any) -> str:
    return _scalar(keys, value, "@")


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and not math.isnan(value))


def _kept(token: str) -> bool:
    return len(token) <= LONGEST_TOKEN and not _INSTANT.search(token)
