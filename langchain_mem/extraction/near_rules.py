"""What was generated, told by its look and by a word in the same line; and what files and devices keep.

"Here's my key for the search api: BSAlkB…"     generated, after "key"
"patyuA….1479… is what I paste as the token"    generated, before "token"
"db.example.com:5432:notes:mira:quartzPony44"   a line of `.pgpass`
"psk="seven bright owls""                       several words, quoted
"TOTP seed for the VPN: JBSWY3DPEHPK3PXP…"      base32 of an authenticator
"app password: qzwx abcd nmlk ptrs"             four times four letters

Random characters change between capitals, small letters and digits far more often than names do, see `looks_generated`.
Hashes and UUIDs are random as well, so what is hexadecimal never counts here.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

from langchain_mem.extraction.password_rules import has, is_phrase, is_turned
from langchain_mem.extraction.secret_rule import IS, Match, Rule, always, pattern

_GENERATED: Final = r"(?<![\w/.@#?&%+~-])(?P<secret>[A-Za-z0-9][\w.+/~:-]{18,400}[\w/]={0,2})(?![\w@])"
_TOLD: Final = (
    r"(?:keys?|tokens?|secrets?|credentials?|creds|api|auth|oauth|pat|ssws|webhook|cookies?|login|licen[cs]e"
    r"|bearer|schlüssel|zugang|clave|chiave|chave|cl[ée]|jeton|klucz|ключ|токен|cohere|mistral|intercom|deepseek|groq"
    r"|openai|anthropic|openrouter|fireworks|voyage|pinecone|weaviate|qdrant|supabase|upstash|twilio|sendgrid|mailgun"
    r"|postmark|stripe|paypal|plaid|shopify|segment|mixpanel|amplitude|datadog|sentry|cloudflare|heroku|netlify"
    r"|vercel"
    r"|railway|twitch|spotify|strava|dropbox|discord|telegram|slack|zoom|asana|trello|hubspot|zendesk|okta|auth0)"
)

AFTER: Final = pattern(rf"(?<![\w-]){_TOLD}\b[^\n]{{0,60}}?", _GENERATED)
BEFORE: Final = pattern(_GENERATED, rf"[\"'`]?[ \t,]+[^\n\d]{{0,40}}?\b{_TOLD}\b")
PREFIXED: Final = re.compile(
    r"(?<![\w/.@#?&=%+~-])(?!(?:asst|thread|run|msg|call|toolu|chatcmpl|resp|req|file|batch|evt|cs_test|cs_live"
    r"|pk_test|pk_live|pub|public|sha\d*|urn|img|id)[_-])"
    r"(?P<secret>[A-Za-z]{2,10}[_-](?:[A-Za-z0-9]{1,10}[_-]){0,2}[A-Za-z0-9]{32,400})(?![\w@])"
)
"""`vendor_…`: a short name and 32 characters or more; ids of the usual services are shorter or have known names."""

TERRAFORM: Final = re.compile(r"(?<!\w)[A-Za-z0-9]{14}\.atlasv1\.(?P<secret>[\w-]{30,200})")
KEY_DATA: Final = pattern(
    r"(?:client-key-data|tls\.key|private[_-]?key(?:[_-]?data)?|pfx|keystore)[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?"
    r"(?P<secret>[A-Za-z0-9+/]{40,4000}={0,2})(?![\w])"
)
NET_USE: Final = pattern(r"[ \t]/user:[^\s]{1,60}[ \t]+[\"']?(?P<secret>[^\s\"'/][^\s\"']{3,99})")

WALLET: Final = re.compile(r"(?<!\w)(?P<secret>5[HJK][1-9A-HJ-NP-Za-km-z]{49}|[KL][1-9A-HJ-NP-Za-km-z]{51})(?!\w)")
"""A Bitcoin key in the wallet import format: base58, 51 or 52 characters."""

AIRTABLE: Final = re.compile(r"\bpat[A-Za-z0-9]{14}\.(?P<secret>[0-9a-f]{64})")

ADDRESS: Final = re.compile(
    r"://[^\s\"'<>]{1,200}?/(?i:private|secret|token|key|auth|magic|invite|feed)[/=-](?P<secret>[\w-]{16,200})"
)
PGPASS: Final = re.compile(
    r"(?<![\w/:.-])(?:\*|(?=[\w.-]{0,100}[a-zA-Z])[\w.-]{3,100}):(?:\d{2,5}"
    r"|\*):[\w*-]{1,60}:[\w*.-]{1,60}:(?P<secret>[^\s\"']{4,100})"
)
QUOTED_WORDS: Final = pattern(
    r"(?<![A-Za-z0-9])(?:psk|passphrase|passwd|password|pass|pwd|wpa[_-]?passphrase|passwort|kennwort|contraseña"
    r"|senha"
    rf"|mot de passe|wachtwoord)(?:[\"']?[ \t]{{0,3}}[:=][ \t]{{0,3}}|{IS}|[ \t]+)"
    r"(?:(?P<mark>[\"'])(?P<secret>[^\"'\n${<]{6,80})(?P=mark)|[“„«](?P<curly>[^\"“”„»\n${<]{6,80})[”“»])"
)
QUOTED_KEY: Final = re.compile(
    r"\b[A-Z][A-Z0-9_]{0,40}(?:SECRET|TOKEN|KEY)=(?P<mark>[\"'])"
    r"(?P<secret>[^\"'\n${<]{3,20} [^\"'\n${<]{20,800})(?P=mark)"
)
SEED: Final = re.compile(
    r"\b(?i:totp|otp|2fa|mfa|authenticator|two-factor|seed|setup key|secret|geheimnis)\b[^\n]{0,50}?(?<![\w=/-])"
    r"(?P<secret>[A-Z2-7]{16,64}|(?:[A-Z2-7]{4}[ -]){3,15}[A-Z2-7]{4}|(?:[a-z2-7]{4} ){7}[a-z2-7]{4})(?![\w-])"
)
APP_PASSWORD: Final = pattern(
    r"\bapp(?:[ -]specific)?[ -]?(?:password|passwort|kennwort)s?\b[^\n]{0,40}?(?<!\w)"
    r"(?P<secret>[a-z]{4}(?:[ -][a-z]{4}){3})(?!\w)"
)
HASHED: Final = re.compile(
    r"\$(?:1|2[abxy]?|5|6|y|apr1|argon2id?|scrypt|pbkdf2[\w-]*)\$"
    r"(?P<secret>[^\s:\"'<>]{20,200})"
)
"""A password as `/etc/shadow` and `.htpasswd` keep it: short ones are guessed from it."""

BEFORE_HOST: Final = re.compile(
    r"(?<![\w/:.@-])[\w.-]{2,40}:(?P<secret>[^\s\"'/@]{6,64})@(?:\d{1,3}(?:\.\d{1,3}){3}"
    r"|[\w-]{1,60}(?:\.[\w-]{1,60}){1,4})"
)
IN_ADDRESS: Final = re.compile(r"://(?P<secret>[0-9a-f]{32,64}|[\w-]{20,100})(?:@|:x-oauth-basic@)(?=[\w\[])")
VALUE_OF: Final = pattern(
    r"\b(?:key|name|id)=[\"'][\w.:-]{0,40}(?:secret|token|password|passwd|pwd|apikey|api[_-]key)[\"'][ \t]+value="
    r"[\"'](?P<secret>[^\"'\n${<]{4,200})[\"']"
)
PIN_OF: Final = pattern(
    r"\bpin[ \t]+(?:for|to|of|on)[ \t]+(?:my|the|our|her|his)[ \t]+\w+[,:][ \t]+(?P<secret>\d{4,6})(?![\w.,:/-]*\w)"
    r"|\b(?:pin|puk)(?:[ -]?(?:code|number))?[ \t]?[:=][ \t]?(?P<spaced>\d(?:[ -]\d){3,5})(?![\w.,:/-]*\w)"
)
DIGITS_CODE: Final = pattern(
    r"\b(?:\d|three|four|five|six|eight)[ -]digits?[ \t]+(?:code|pin|passcode|combination)[^\d\n.;]{0,15}?"
    r"(?P<secret>\d{3,8})(?![\w.,:/-]*\w)"
)
CRYPTOGRAM: Final = pattern(
    r"\b(?:cb|carte|visa|mastercard)\b[^\n]{0,40}?\bcrypto(?:gramme)?(?:[ \t]*:)?[ \t]+"
    r"(?P<secret>\d{3,4})(?![\w.,:/-]*\w)"
)
CHANGED_CODE: Final = pattern(
    r"\b(?:vault|safe|door|gate|alarm|lock|locker|garage|keypad)[ \t]+(?:code|combination|pin)[ \t]+"
    r"(?:changed|has changed|was changed|is set|set)[ \t]+to[ \t]+(?P<secret>[*#]?\d{3,10}[*#]?)(?![\w.,:/-]*\w)"
)
IN_CALL: Final = pattern(
    r"\b(?:auth|login|basicauth|basic_auth|httpbasicauth)[ \t]?=?[ \t]?\([ \t]?[\"'][^\"'\n]{1,80}[\"'],[ \t]*[\"']"
    r"(?P<secret>[^\"'\n${<]{4,100})[\"']"
)
"""The second argument of a call: `auth=("name", "x")`."""

CARD_PIN: Final = pattern(
    r"\b(?:code|pin|nip|geheimzahl|clave|codice|código|kod)\b[^\d\n.;]{0,30}?"
    r"\b(?:cartes?|karte|girokarte|kreditkarte|card|tarjeta|carta|cartão|bankomat|bancomat|atm|kart[yę]|cb)\b"
    r"[^\d\n.;]{0,25}?(?P<secret>\d{4})(?![\w.,:/-]*\w)"
)
SHORT_PIN: Final = pattern(
    r"\b(?:with|using|my|our|her|his|its|use|enter|type)[ \t]+(?:the[ \t]+|a[ \t]+)?pin[ \t]+"
    r"(?P<secret>\d{5,8})(?![\w.,:/-]*\w)"
)

_HEX: Final = re.compile(r"(?:0x)?[0-9a-f-]+|(?:0x)?[0-9A-F-]+")
_NO_SECRET: Final = re.compile(
    r"://|\bbase64,|\bsha-?\d+[-:]|\bssh-|\bhash\b|\bfingerprint|\bchecksum|\bdigest|\bpublic|\bpublishable"
    r"|\bintegrity|\betag|\baddress",
    re.IGNORECASE,
)


def looks_generated(value: str) -> bool:
    """Whether a value reads as random characters.

    It has capitals, small letters and digits, at least three runs of digits, and changes between the three after every
    third character or oftener; or small letters and digits alone, with five runs of digits. Of random letters and
    digits, six in ten differ in kind from the one before.

    >>> looks_generated("BSAlkBpXGZmrC3elWzPuL3z8XJOAsu2"), looks_generated("XMLHttpRequestEventTarget2Prototype")
    (True, False)
    """
    if _HEX.fullmatch(value):
        return False
    kinds = ["0" if each.isdigit() else "A" if each.isupper() else "a" for each in value if each.isalnum()]
    changes = sum(one != other for one, other in itertools.pairwise(kinds))
    runs = len(re.findall(r"\d+", value))
    cased = {"A", "a"} <= set(kinds)
    often = changes * 3 >= len(kinds) and runs >= (3 if cased else 5)
    return often or (cased and runs == 2 and changes * 5 >= 2 * len(kinds) and len(kinds) >= 24)


def is_generated(match: Match) -> bool:
    """Whether a value reads as random, and is neither a hash nor a part of an address nor a public key."""
    start = match.start("secret")
    word = match.string[max(0, start - 200) : start].rsplit(maxsplit=1)
    around = match.string[max(0, start - 30) : start]
    in_address = bool(word) and "://" in word[-1] and not around[-1:].isspace()
    return not in_address and not _NO_SECRET.search(around) and looks_generated(match["secret"])


def _names_somebody(match: Match) -> bool:
    """Whether what stands before the host of an address is a key, and no name."""
    value: str = match["secret"]
    return _HEX.fullmatch(value) is not None or looks_generated(value)


def _is_base32(match: Match) -> bool:
    """Whether letters are a key of an authenticator, which has digits, and no word in capitals."""
    return len(re.findall(r"[2-7]", match["secret"])) >= 2


def _is_opaque(match: Match) -> bool:
    """Whether a part of an address is nothing to read: hexadecimal at length, or random."""
    value: str = match["secret"]
    hexadecimal = _HEX.fullmatch(value) is not None and sum(map(str.isdigit, value)) >= 3
    return hexadecimal or looks_generated(value)


_WORDS = tuple(
    "key token secret credential creds api auth pat ssws webhook cookie login licen bearer schlüssel zugang clave"
    " chiave chave clé cle jeton klucz ключ токен cohere mistral intercom deepseek groq openai anthropic openrouter"
    " fireworks voyage pinecone weaviate qdrant supabase upstash twilio sendgrid mailgun postmark stripe paypal plaid"
    " shopify segment mixpanel amplitude datadog sentry cloudflare heroku netlify vercel railway twitch spotify "
    "strava"
    " dropbox discord telegram slack zoom asana trello hubspot zendesk okta".split()
)

_CHOSEN = ("psk", "pass", "pwd", "kennwort", "contras", "senha", "wachtw")

_TOLD_ONCE: Final = tuple(
    Rule(name=name, hints=hints, find=find, group="secret", accepts=accepts)
    for name, hints, find, accepts in (
        ("token", _WORDS, AFTER, is_generated),
        ("token", _WORDS, BEFORE, is_generated),
        ("token", ("_", "-"), PREFIXED, is_generated),
        ("token", ("pat",), AIRTABLE, always),
        ("token", (".atlasv1.",), TERRAFORM, always),
        ("private-key", ("key", "pfx", "keystore"), KEY_DATA, always),
        ("password", ("/user:",), NET_USE, always),
        ("private-key", ("5H", "5J", "5K", "K", "L"), WALLET, lambda match: looks_generated(match["secret"])),
        ("token", ("private", "secret", "token", "key", "auth", "magic", "invite", "feed"), ADDRESS, _is_opaque),
        ("password", (":",), PGPASS, always),
        ("password", _CHOSEN, QUOTED_WORDS, lambda match: match["secret"] is not None and is_phrase(match)),
        ("password", ("$",), HASHED, always),
        ("password", ("@",), BEFORE_HOST, is_turned),
        ("token", ("://",), IN_ADDRESS, _names_somebody),
        ("token", ("value=",), VALUE_OF, always),
        ("token", ('="', "='"), QUOTED_KEY, always),
        ("token", ("otp", "2fa", "mfa", "factor", "auth", "seed", "setup", "secret", "geheimnis"), SEED, _is_base32),
        ("password", ("app",), APP_PASSWORD, always),
        ("code", ("code", "pin", "nip", "geheimzahl", "clave", "codice", "código", "kod"), CARD_PIN, always),
        ("code", ("pin",), SHORT_PIN, always),
        ("code", ("digit",), DIGITS_CODE, always),
        ("password", ("auth", "login"), IN_CALL, always),
        ("code", ("crypto",), CRYPTOGRAM, always),
        ("code", ("to ",), CHANGED_CODE, always),
        ("code", ("pin",), PIN_OF, has("secret")),
    )
)
NEAR: Final = (
    *_TOLD_ONCE,
    Rule(name="code", hints=("pin", "puk"), find=PIN_OF, group="spaced", accepts=has("spaced")),
    Rule(name="password", hints=_CHOSEN, find=QUOTED_WORDS, group="curly", accepts=has("curly")),
)
"""The rules of this file."""
