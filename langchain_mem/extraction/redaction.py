"""Secrets leave a text before it is embedded, stored, logged or traced.

`redact_secrets` replaces each by a mask that says what stood there, `[redacted:github-token]`, and leaves every other
character as it was. What is masked is lost, so in doubt a text stays as it is: identifiers, hashes, dates and
words such as "password manager" stay.

What a secret looks like is in `secret_rules`; here is how the rules are applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from langchain_mem.extraction.secret_rule import Rule, detector
from langchain_mem.extraction.secret_rules import RULES

Redact = Callable[[str], str]
"""Takes a text and gives it back without what must not be kept."""

Mask = Callable[[str, str], str]
"""Takes what kind of secret was found, and what was found, and gives what to put in its place."""

_MASK = re.compile(r"\[redacted:[a-z0-9-]++\]")
_WORD = re.compile(r"\w+", re.ASCII)
_GRAM = 3  # letters of the pieces by which hints are found

_Found = tuple[int, int, str]
"""Where a secret starts and ends, and its kind."""


def redact_secrets(text: str) -> str:
    """Mask the secrets in a text: keys, tokens, passwords, private keys, card numbers, one-time codes.

    Redacting twice changes nothing more.

    Args:
        text: Any text; a text without secrets costs some tens of microseconds a line.

    Returns:
        The text, each secret replaced by a mask such as `[redacted:card-number]`.

    >>> redact_secrets("Use ghp_0123456789abcdefghijABCDEFGHIJ012345 for now")
    'Use [redacted:github-token] for now'
    >>> redact_secrets("My password manager is new; the wifi password is hunter2")
    'My password manager is new; the wifi password is [redacted:password]'
    """
    return replaced(text, RULES, _mask)


def _mask(kind: str, found: str) -> str:
    return f"[redacted:{kind}]"


def replaced(text: str, rules: Sequence[Rule], mask: Mask) -> str:
    """A text with what some rules find replaced.

    Args:
        text: Any text.
        rules: What to find; of two that match the same, the first names it.
        mask: What to put in its place, of the form `[redacted:name]`: such masks are left alone.
    """
    while found := _outermost(_secrets(text, rules)):  # a mask may end what kept its neighbor from being recognized
        text = _masked(text, found, mask)
    return text


def redact_value(value: Any, redact: Redact) -> Any:
    """Apply `redact` to every string nested in a JSON value, keys among them; other scalars stay.

    A value is shown to `redact` with its key too, since `"hunter2"` is a password only in `{"password": "hunter2"}`.

    Args:
        value: What JSON can say: dicts, lists, strings, numbers, booleans, `None`.
        redact: What to apply, such as `redact_secrets`.

    Returns:
        A new value of the same shape.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        keys = _apart([redact(str(key)) for key in value])
        return {
            new: _redact_labeled(str(key), item, redact) for new, (key, item) in zip(keys, value.items(), strict=True)
        }
    if isinstance(value, (list, tuple)):
        return [redact_value(item, redact) for item in value]
    return value


def _apart(keys: list[str]) -> list[str]:
    """The keys, those numbered that redaction made equal, so that none takes another's place."""
    taken: set[str] = set()
    for place, key in enumerate(keys):
        number = 2
        while keys[place] in taken:
            keys[place], number = f"{key} {number}", number + 1
        taken.add(keys[place])
    return keys


def _redact_labeled(label: str, value: Any, redact: Redact) -> Any:
    redacted = redact_value(value, redact)
    if not isinstance(value, str) or redacted != value:
        return redacted
    before, after = f'"{label}": "', '"'
    line = redact(f"{before}{value}{after}")
    known = line.startswith(before) and line.endswith(after)  # else it was the label that `redact` changed
    return line[len(before) : -len(after)] if known else redacted


def _secrets(text: str, rules: Sequence[Rule]) -> Iterator[_Found]:
    masks = [mask.span() for mask in _MASK.finditer(text)] if "[redacted:" in text else []
    for rule, pattern in _prefilter(tuple(rules))(text):
        yield from (found for found in _matches(rule, pattern, text) if not _overlaps(found, masks))


class _Prefilter:
    """Which of some rules a text can be about, by the hints in it: what ordinary text costs is this alone.

    A text is cut into pieces of three letters once, and only hints that begin with one of its pieces are looked for.

    Args:
        rules: The rules, in their order.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._hinted: dict[str, set[int]] = {}
        for place, rule in enumerate(rules):
            for hint in rule.hints:
                self._hinted.setdefault(hint, set()).add(place)
        self._always = {place for place, rule in enumerate(rules) if not rule.hints}
        self._short = [hint for hint in self._hinted if len(hint) < _GRAM]
        self._long: dict[str, list[str]] = {}
        for hint in self._hinted:
            if len(hint) >= _GRAM:
                self._long.setdefault(hint[:_GRAM].lower(), []).append(hint)

    def __call__(self, text: str) -> list[tuple[Rule, re.Pattern[str]]]:
        """The rules that a text can be about, in their order, with each of their patterns."""
        lower = text.lower()
        pieces = {lower[at : at + _GRAM] for at in range(len(lower) - _GRAM + 1)}
        likely = [hint for piece in self._long.keys() & pieces for hint in self._long[piece]]
        found = set(self._always)
        for hint in (*self._short, *likely):
            if hint in lower or hint in text:
                found |= self._hinted[hint]
        rules = [self._rules[place] for place in sorted(found)]
        return [(rule, pattern) for rule in rules for pattern in _patterns(rule)]


@lru_cache(maxsize=8)
def _prefilter(rules: tuple[Rule, ...]) -> _Prefilter:
    return _Prefilter(rules)


def _patterns(rule: Rule) -> Sequence[re.Pattern[str]]:
    """The compiled patterns of a rule."""
    return tuple(detector(rule.find).denylist) if isinstance(rule.find, str) else (rule.find,)


def _matches(rule: Rule, pattern: re.Pattern[str], text: str) -> Iterator[_Found]:
    for match in pattern.finditer(text):
        if rule.accepts(match):
            start, end = match.span(rule.group)
            yield start, _end_of_word(text, end), rule.name


def _end_of_word(text: str, end: int) -> int:
    """Where the characters of a key end: vendors lengthen their keys, and patterns with a fixed length lag behind."""
    rest = _WORD.match(text, end)
    return rest.end() if rest else end


def _overlaps(found: _Found, spans: list[tuple[int, int]]) -> bool:
    return any(found[0] < end and start < found[1] for start, end in spans)


def _outermost(secrets: Iterator[_Found]) -> list[_Found]:
    """Disjoint secrets in order; of two that overlap the one that starts first, then the longer one."""
    chosen: list[_Found] = []
    for found in sorted(secrets, key=lambda found: (found[0], -found[1])):
        if not chosen or found[0] >= chosen[-1][1]:
            chosen.append(found)
        elif found[1] > chosen[-1][1]:  # what sticks out of the first is no less secret
            chosen[-1] = (chosen[-1][0], found[1], chosen[-1][2])
    return chosen


def _masked(text: str, found: list[_Found], mask: Mask) -> str:
    pieces, done = [], 0
    for start, end, kind in found:
        pieces += [text[done:start], mask(kind, text[start:end])]
        done = end
    return "".join([*pieces, text[done:]])
