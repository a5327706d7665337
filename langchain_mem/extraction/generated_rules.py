"""What was generated: a random value, with a word such as "key" in the same line.

"Here's my key for the search api: BSAlkB…"     the word before
"patyuA….1479… is what I paste as the token"    the word after
"acme_3f9a…" of 32 characters or more           the name of who issued it, in front

Random characters change between capitals, small letters and digits far more often than names do, see `looks_generated`.
Hashes and UUIDs are random as well, so what is hexadecimal never counts here.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

from langchain_mem._regex import regex
from langchain_mem.extraction.secret_rule import Rule, TextMatch, any_of, pattern

_WORDS: Final = """
    key keys token tokens secret secrets credential credentials creds api auth oauth pat ssws webhook cookie cookies
    login licence license bearer schlüssel zugang clave chiave chave clé cle jeton klucz ключ токен

    cohere mistral intercom deepseek groq openai anthropic openrouter fireworks voyage pinecone weaviate qdrant supabase
    upstash twilio sendgrid mailgun postmark stripe paypal plaid shopify segment mixpanel amplitude datadog sentry
    cloudflare heroku netlify vercel railway twitch spotify strava dropbox discord telegram slack zoom asana trello
    hubspot zendesk okta auth0
"""
"""Words for a secret, and services that issue them."""

_HINTS: Final = tuple(one for one in _WORDS.split() if not any(other in one for other in {*_WORDS.split()} - {one}))
_WORD: Final = rf"(?:{any_of(_WORDS)})"
_VALUE: Final = r"(?<![\w/.@#?&%+~-])(?P<secret>[A-Za-z0-9][\w.+/~:-]{18,400}[\w/]={0,2})(?![\w@])"

AFTER: Final = pattern(rf"(?<![\w-]){_WORD}\b[^\n]{{0,60}}?", _VALUE)
BEFORE: Final = pattern(_VALUE, rf"[\"'`]?[ \t,]+[^\n\d]{{0,40}}?\b{_WORD}\b")
PREFIXED: Final = regex(
    r"(?<![\w/.@#?&=%+~-])(?!(?:asst|thread|run|msg|call|toolu|chatcmpl|resp|req|file|batch|evt|cs_test|cs_live"
    r"|pk_test|pk_live|pub|public|sha\d*|urn|img|id)[_-])"
    r"(?P<secret>[A-Za-z]{2,10}[_-](?:[A-Za-z0-9]{1,10}[_-]){0,2}[A-Za-z0-9]{32,400})(?![\w@])"
)
"""`vendor_…`: a short name and 32 characters or more; ids of the usual services are shorter or have known names."""

_HEX: Final = regex(r"(?:0x)?[0-9a-f-]+|(?:0x)?[0-9A-F-]+")
_NO_SECRET: Final = regex(
    r"://|\bbase64,|\bsha-?\d+[-:]|\bssh-|\bhash\b|\bfingerprint|\bchecksum|\bdigest|\bpublic|\bpublishable"
    r"|\bintegrity|\betag|\baddress",
    re.IGNORECASE,
)


def is_hexadecimal(value: str) -> bool:
    """Whether a value is a number in base 16, as hashes and UUIDs are."""
    return _HEX.fullmatch(value) is not None


def looks_generated(value: str) -> bool:
    """Whether a value reads as random characters.

    It has capitals, small letters and digits, at least three runs of digits, and changes between the three after every
    third character or oftener; or small letters and digits alone, with five runs of digits. Of random letters and
    digits, six in ten differ in kind from the one before.

    >>> looks_generated("BSAlkBpXGZmrC3elWzPuL3z8XJOAsu2"), looks_generated("XMLHttpRequestEventTarget2Prototype")
    (True, False)
    """
    if is_hexadecimal(value):
        return False
    kinds = ["0" if each.isdigit() else "A" if each.isupper() else "a" for each in value if each.isalnum()]
    changes = sum(one != other for one, other in itertools.pairwise(kinds))
    runs = len(re.findall(r"\d+", value))
    cased = {"A", "a"} <= set(kinds)
    often = changes * 3 >= len(kinds) and runs >= (3 if cased else 5)
    return often or (cased and runs == 2 and changes * 5 >= 2 * len(kinds) and len(kinds) >= 24)


def is_generated(match: TextMatch) -> bool:
    """Whether a value reads as random, and is neither a hash nor a part of an address nor a public key."""
    start = match.start("secret")
    word = match.string[max(0, start - 200) : start].rsplit(maxsplit=1)
    around = match.string[max(0, start - 30) : start]
    in_address = bool(word) and "://" in word[-1] and not around[-1:].isspace()
    return not in_address and not _NO_SECRET.search(around) and looks_generated(match["secret"])


GENERATED: Final = tuple(
    Rule(name="token", hints=hints, find=find, group="secret", accepts=is_generated)
    for hints, find in ((_HINTS, AFTER), (_HINTS, BEFORE), (("_", "-"), PREFIXED))
)
"""The rules of this file."""
