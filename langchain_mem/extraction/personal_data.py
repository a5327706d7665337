"""Personal data: what becomes of a mail address, a telephone number, a card, a bank account, a national id.

    leave    it stays, the default: a memory of a user's own address is what memory is for
    mask     `[redacted:email]`: gone
    hash     `[redacted:email-4f1c0a97b2d35e68]`: gone for whoever has not the key, and the same wherever the same
             address stood, so that memories of it are still found by it

What it looks like is in `personal_rules`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from langchain_mem.errors import InvalidRequest
from langchain_mem.extraction.personal_rules import CARDS, KINDS, REGIONS, personal_rules
from langchain_mem.extraction.redaction import Redact, replaced
from langchain_mem.extraction.secret_rule import Rule

_KEY_BYTES: Final = 16
_SHOWN: Final = 16  # hex digits of a hash: two of a billion addresses meet by chance once in forty cases


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Replaces personal data by a mask that names its kind.

    Attributes:
        kinds: What is masked: some of `email`, `phone`, `card`, `iban` and `national-id`.
        regions: Countries (ISO 3166) whose telephone numbers are recognized without a `+` prefix.

    >>> Mask()("Write to mira@example.com")
    'Write to [redacted:email]'
    """

    kinds: tuple[str, ...] = KINDS
    regions: tuple[str, ...] = REGIONS

    def __post_init__(self) -> None:
        _check_kinds(self.kinds)

    def __call__(self, text: str) -> str:
        """The text with its personal data masked."""
        return _applied(self, text)

    def mask(self, kind: str, found: str) -> str:
        """What stands in the place of what was found."""
        return f"[redacted:{kind}]"


@dataclass(frozen=True, kw_only=True)
class Hash:
    """Replaces personal data by a keyed hash: the first 64 bits of the HMAC-SHA256 of its kind and value.

    Equal values have equal hashes, however they are written (capitals in an address, blanks in a number). A search for
    a value therefore finds what is known about it. Somebody with the key can test guesses, and there are so few
    telephone numbers that all of them can be tested. Keep the key as secret as the data. Another key gives other
    hashes.

    Attributes:
        key: The key, as bytes or as text: at least 16 bytes.
        kinds: What is hashed: some of `email`, `phone`, `card`, `iban` and `national-id`.
        regions: Countries (ISO 3166) whose telephone numbers are recognized without a `+` prefix.

    >>> hide = Hash(key="sixteen bytes or more")
    >>> hide("mira@example.com") == hide("Mira@Example.com") != hide("omar@example.com")
    True
    """

    key: bytes | str = field(repr=False)
    kinds: tuple[str, ...] = KINDS
    regions: tuple[str, ...] = REGIONS

    def __post_init__(self) -> None:
        _check_kinds(self.kinds)
        if not isinstance(self.key, bytes | str) or len(self._secret()) < _KEY_BYTES:
            raise InvalidRequest(f"key must be bytes or a text of at least {_KEY_BYTES} bytes.")

    def __call__(self, text: str) -> str:
        """The text with its personal data hashed."""
        return _applied(self, text)

    def mask(self, kind: str, found: str) -> str:
        """What stands in the place of what was found."""
        same = found.casefold() if kind == "email" else re.sub(r"[\W_]", "", found).casefold()
        digest = hmac.new(self._secret(), f"{kind}:{same}".encode(), hashlib.sha256).hexdigest()
        return f"[redacted:{kind}-{digest[:_SHOWN]}]"

    def _secret(self) -> bytes:
        return self.key.encode() if isinstance(self.key, str) else self.key


PersonalData: TypeAlias = Literal["leave", "mask"] | Mask | Hash
"""What becomes of personal data, as `Memory(pii=…)` takes it."""


def redactor(secrets: Redact | None, pii: PersonalData) -> Redact | None:
    """What masks secrets and treats personal data, in the right order; `None` where everything stays.

    Cards come first, since the rules for secrets would mask what is to be hashed; the rest comes after the secrets,
    since a number inside a key is no telephone number.

    Args:
        secrets: What masks secrets, if anything.
        pii: What becomes of personal data.

    Raises:
        InvalidRequest: `pii` is none of what is allowed.
        MissingDependency: The libraries for personal data are not installed.
    """
    if pii == "leave":
        return secrets
    policy = Mask() if pii == "mask" else pii
    if not isinstance(policy, Mask | Hash):
        raise InvalidRequest('pii must be "leave", "mask", Mask(…) or Hash(key=…).')
    policy("+1 212 555 0100")  # says now, not at the first number, that a library is missing
    return _composed(policy, secrets)


def _composed(policy: Mask | Hash, secrets: Redact | None) -> Redact:
    def redact(text: str) -> str:
        text = replaced(text, _cards(policy), policy.mask)
        return replaced(secrets(text) if secrets else text, _rules(policy), policy.mask)

    return redact


def _applied(policy: Mask | Hash, text: str) -> str:
    return _composed(policy, None)(text)


def _cards(policy: Mask | Hash) -> tuple[Rule, ...]:
    return CARDS if "card" in policy.kinds else ()


_RULES: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Rule, ...]] = {}


def _rules(policy: Mask | Hash) -> tuple[Rule, ...]:
    known = (policy.kinds, policy.regions)
    if known not in _RULES:
        _RULES[known] = personal_rules(*known)
    return _RULES[known]


def _check_kinds(kinds: tuple[str, ...]) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise InvalidRequest(f"Unknown kinds of personal data: {len(unknown)}. Allowed: {', '.join(KINDS)}.")
