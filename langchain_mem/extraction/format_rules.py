"""What is a secret by the format it stands in: a line of a file, an argument, a part of an address, a phrase.

"db.example.com:5432:notes:mira:quartzPony44"   a line of `.pgpass`
"psk="seven bright owls""                       several words, quoted
"TOTP seed for the VPN: JBSWY3DPEHPK3PXP…"      base32 of an authenticator
"app password: qzwx abcd nmlk ptrs"             four times four letters
"the PIN for my card is 4821"                   a number after what it opens
"""

from __future__ import annotations

import re
from typing import Final

from langchain_mem._regex import regex
from langchain_mem.extraction.generated_rules import is_hexadecimal, looks_generated
from langchain_mem.extraction.password_rules import has, is_phrase, is_turned
from langchain_mem.extraction.secret_rule import IS, Rule, TextMatch, always, pattern

TERRAFORM: Final = regex(r"(?<!\w)[A-Za-z0-9]{14}\.atlasv1\.(?P<secret>[\w-]{30,200})")
KEY_DATA: Final = pattern(
    r"(?:client-key-data|tls\.key|private[_-]?key(?:[_-]?data)?|pfx|keystore)[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?"
    r"(?P<secret>[A-Za-z0-9+/]{40,4000}={0,2})(?![\w])"
)
NET_USE: Final = pattern(r"[ \t]/user:[^\s]{1,60}[ \t]+[\"']?(?P<secret>[^\s\"'/][^\s\"']{3,99})")

WALLET: Final = regex(r"(?<!\w)(?P<secret>5[HJK][1-9A-HJ-NP-Za-km-z]{49}|[KL][1-9A-HJ-NP-Za-km-z]{51})(?!\w)")
"""A Bitcoin key in the wallet import format: base58, 51 or 52 characters."""

AIRTABLE: Final = regex(r"\bpat[A-Za-z0-9]{14}\.(?P<secret>[0-9a-f]{64})")

ADDRESS: Final = regex(
    r"://[^\s\"'<>]{1,200}?/(?i:private|secret|token|key|auth|magic|invite|feed)[/=-](?P<secret>[\w-]{16,200})"
)
PGPASS: Final = regex(
    r"(?<![\w/:.-])(?:\*|(?=[\w.-]{0,100}[a-zA-Z])[\w.-]{3,100}):(?:\d{2,5}"
    r"|\*):[\w*-]{1,60}:[\w*.-]{1,60}:(?P<secret>[^\s\"']{4,100})"
)
QUOTED_WORDS: Final = pattern(
    r"(?<![A-Za-z0-9])(?:psk|passphrase|passwd|password|pass|pwd|wpa[_-]?passphrase|passwort|kennwort|contraseña"
    rf"|senha|mot de passe|wachtwoord)(?:[\"']?[ \t]{{0,3}}[:=][ \t]{{0,3}}|{IS}|[ \t]+)"
    r"(?:(?P<mark>[\"'])(?P<secret>[^\"'\n${<]{6,80})(?P=mark)|[“„«](?P<curly>[^\"“”„»\n${<]{6,80})[”“»])"
)
QUOTED_KEY: Final = regex(
    r"\b[A-Z][A-Z0-9_]{0,40}(?:SECRET|TOKEN|KEY)=(?P<mark>[\"'])"
    r"(?P<secret>[^\"'\n${<]{3,20} [^\"'\n${<]{20,800})(?P=mark)"
)
SEED: Final = regex(
    r"\b(?i:totp|otp|2fa|mfa|authenticator|two-factor|seed|setup key|secret|geheimnis)\b[^\n]{0,50}?(?<![\w=/-])"
    r"(?P<secret>[A-Z2-7]{16,64}|(?:[A-Z2-7]{4}[ -]){3,15}[A-Z2-7]{4}|(?:[a-z2-7]{4} ){7}[a-z2-7]{4})(?![\w-])"
)
APP_PASSWORD: Final = pattern(
    r"\bapp(?:[ -]specific)?[ -]?(?:password|passwort|kennwort)s?\b[^\n]{0,40}?(?<!\w)"
    r"(?P<secret>[a-z]{4}(?:[ -][a-z]{4}){3})(?!\w)"
)
HASHED: Final = regex(
    r"\$(?:1|2[abxy]?|5|6|y|apr1|argon2id?|scrypt|pbkdf2[\w-]*)\$"
    r"(?P<secret>[^\s:\"'<>]{20,200})"
)
"""A password as `/etc/shadow` and `.htpasswd` keep it: short ones are guessed from it."""

BEFORE_HOST: Final = regex(
    r"(?<![\w/:.@-])[\w.-]{2,40}:(?P<secret>[^\s\"'/@]{6,64})@(?:\d{1,3}(?:\.\d{1,3}){3}"
    r"|[\w-]{1,60}(?:\.[\w-]{1,60}){1,4})"
)
IN_ADDRESS: Final = regex(r"://(?P<secret>[0-9a-f]{32,64}|[\w-]{20,100})(?:@|:x-oauth-basic@)(?=[\w\[])")
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


def _names_somebody(match: TextMatch) -> bool:
    """Whether what stands before the host of an address is a key, and no name."""
    value: str = match["secret"]
    return is_hexadecimal(value) or looks_generated(value)


def _is_base32(match: TextMatch) -> bool:
    """Whether letters are a key of an authenticator, which has digits, and no word in capitals."""
    return len(re.findall(r"[2-7]", match["secret"])) >= 2


def _is_opaque(match: TextMatch) -> bool:
    """Whether a part of an address is nothing to read: hexadecimal at length, or random."""
    value: str = match["secret"]
    hexadecimal = is_hexadecimal(value) and sum(map(str.isdigit, value)) >= 3
    return hexadecimal or looks_generated(value)


_CHOSEN = ("psk", "pass", "pwd", "kennwort", "contras", "senha", "wachtw")

_OF_ONE_GROUP: Final = tuple(
    Rule(name=name, hints=hints, find=find, group="secret", accepts=accepts)
    for name, hints, find, accepts in (
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
FORMATS: Final = (
    *_OF_ONE_GROUP,
    Rule(name="code", hints=("pin", "puk"), find=PIN_OF, group="spaced", accepts=has("spaced")),
    Rule(name="password", hints=_CHOSEN, find=QUOTED_WORDS, group="curly", accepts=has("curly")),
)
"""The rules of this file."""
