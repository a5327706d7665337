"""What secrets look like: one rule for each kind, most of them `detect-secrets`' own.

Of `detect-secrets` the detectors' patterns are used, not its scanner: that works on files, holds its settings in a
process-wide global, and reports of a GitHub token only the group `ghp`. Left out are its detectors for high entropy
(any hash is one) and for keywords (which takes the rest of a sentence for a password), and those whose match has more
than the secret in it. Added is what it lacks: cards, passwords in prose, labeled tokens, whole key blocks, and newer
vendors' prefixes.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Match = re.Match[str]


def _always(match: Match) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of secret.

    Attributes:
        name: What the mask says.
        hints: Substrings, one of which every such secret or its label has; one in lower case matches in any case. They
            are what makes ordinary text cheap. Without any, the patterns are always tried.
        find: Patterns, or the `module.Class` of the detector that has them.
        group: Which group of a match is the secret.
        accepts: What else must be true of a match.
    """

    name: str
    hints: tuple[str, ...] = ()
    find: str | re.Pattern[str]
    group: int | str = 0
    accepts: Callable[[Match], bool] = _always

    def may_apply(self, seen: str) -> bool:
        """Whether the text can have such a secret; `seen` is the text and its lower-case form."""
        for hint in self.hints:  # a loop: a generator costs thrice as much, and this is the hot path
            if hint in seen:
                return True
        return not self.hints

    def patterns(self) -> Sequence[re.Pattern[str]]:
        """The compiled patterns."""
        return tuple(_detector(self.find).denylist) if isinstance(self.find, str) else (self.find,)


@functools.cache
def _detector(name: str) -> Any:
    """A detector's class, imported when a text first hints at it: `detect-secrets` imports `requests`, 0.3 s."""
    module, cls = name.split(".")
    return getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), cls)


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(parts), re.ASCII | re.IGNORECASE)


# --- cards -----------------------------------------------------------------------------------------------------------

_ISSUERS = re.compile(
    r"4(?:\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[68]\d)\d{11}"  # Diners Club
    r"|(?:6011|65\d\d|64[4-9]\d|35(?:2[89]|[3-8]\d))\d{12}"  # Discover, JCB
    r"|62(?:\d{14}|\d{17})"  # UnionPay
)
"""Prefixes and lengths in use, as in ISO/IEC 7812; one identifier in ten passes Luhn's check alone."""

_CARD = re.compile(
    r"(?<![\w.+-])(?<![A-Z]{2}\d\d )"  # not within a word, a decimal, a phone number or an IBAN
    r"(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{4,5}|\d{14,19}+)"
    r"(?!-?\w|\.\d)",
    re.ASCII,
)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the rest (ISO/IEC 7812-1, annex B).

    >>> luhn("4242424242424242"), luhn("4242424242424241")
    (True, False)
    """
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def _is_card(match: Match) -> bool:
    digits = re.sub(r"[ -]", "", match[0])
    return _ISSUERS.fullmatch(digits) is not None and luhn(digits)


# --- what people choose: passwords and codes -------------------------------------------------------------------------

_SAID = r"[\"'`\])*]{0,3}[ \t]*(?P<said>=>|:=|==?|:)[*]{0,2}[ \t]*"
"""What stands between a label and its value: `=`, `: `, `": "`, `:** `."""

_IS = r"(?:[ \t]+(?:for|to|of|on|at)(?:[ \t]+[\w'’.-]+){1,5}?)?[ \t]+(?:is|was)(?:[ \t]+(?:now|still))?:?[ \t]+"
"""The same in prose: `is`, `for the wifi is`, `is now: `."""

_PASSWORD = _pattern(
    r"(?<!1)(?:password|passwd|passphrase|passcode|pwd|passwort|kennwort|contrase(?:ñ|n)a|senha|mot de passe)",
    r"(?:_[a-z]+)?",
    rf"(?:{_SAID}|{_IS})",
    r"(?:(?P<quote>[\"'`])(?=[^\s\"'`]{3,}(?P=quote)))?",
    r"(?P<secret>(?:(?!&\w+=)[^\s\"'`])*(?!&\w+=)(?:(?<=\w)!|[^\s\"'`.,;:!?)\]}>]))",
    r"(?P<last>[\"'`.,;:!?)\]}>]*(?=\s*$|\s*\n|,|;))?",
)

_NO_VALUE = re.compile(
    r"[$<{%\[(/]|~/|\w+://|\.{1,2}/"  # a variable, a placeholder, a path, an address
    r"|\w[\w.]*[(\[]|(?:[a-z_]\w*\.)+[a-z_]\w*$"  # a call, an index, an attribute
    r"|(?:\w*_)?(?:password|passwd|passphrase|pwd|secret|token)$"  # a variable of that name
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+$"  # an email address
    r"|(.)\1*$"  # dots, stars
    r"|\d+-[a-z]+$",  # 12-character
    re.ASCII | re.IGNORECASE,
)

_STATES = frozenset(
    """true false none null nil undefined string str text bytes secretstr optional required missing empty unknown hidden
    masked redacted removed forgotten expired wrong incorrect invalid valid changed unchanged updated reset rotated weak
    strong safe secure here below above same incoming input yes done okay today tomorrow monthly yearly never""".split()
)
"""Words that say how a password is, not what it is."""


def _is_password(match: Match) -> bool:
    value = match["secret"]
    if _NO_VALUE.match(value) or value.lower() in _STATES:
        return False
    if match["quote"]:
        return True
    if match["said"] is None:
        return len(value) >= 6 and _reads_unlike_a_word(value)
    return len(value) >= 4 and (_reads_unlike_a_word(value) or _stands_alone(match))


def _reads_unlike_a_word(value: str) -> bool:
    return value.isdecimal() or re.search(r"\d.*[^\W\d]|[^\W\d].*\d|[@#$%^&*+=~!]", value) is not None


def _stands_alone(match: Match) -> bool:
    """Whether a plain word after `:` ends its line or clause, or one after `=` has no blank before it."""
    spaced = match.string[: match.start("secret")].endswith(" ")
    return match["last"] is not None if match["said"] == ":" else not spaced


_CODE = _pattern(
    r"\b(?:(?P<cvv>cvv2?|cvc2?|card security code)|pin|otp|(?:verification|one-time|otp|2fa|mfa|login|security) code)",
    rf"(?:{_SAID}|{_IS})",
    r"(?P<secret>\d{3,8})(?![\w.,:/-]*\w)",
)


def _is_code(match: Match) -> bool:
    """Whether the digits are as many as such a code has; six after `PIN` would be a postal code in India."""
    label, digits = match[0].lower(), len(match["secret"])
    if match["cvv"]:
        return digits in (3, 4)
    return digits in (4, 5) if label.startswith("pin") else digits >= 4


# --- what machines choose: tokens and keys ---------------------------------------------------------------------------

_TOKEN = _pattern(
    r"(?:",
    r"(?:(?:api|access|secret|private|client|auth|signing|encryption|account|service|webhook|consumer|refresh|session)",
    r"[ _-]?(?:key|token|secret)|token|secret)(?:_[a-z]+)?",
    rf"(?:{_SAID}|{_IS})[\"'`]?(?:bearer )?",
    r"|\bbearer[ \t]+)",
    r"(?P<secret>\w(?:[./+=~%-]*+\w)*+={0,2})(?![\w:@(\[])",
)

_BASIC = _pattern(r"\bauthorization[\"']?[ \t]*[:=][ \t]*[\"']?basic[ \t]+(?P<secret>[a-z0-9+/]{6,}={0,2})")


def _is_random(match: Match) -> bool:
    """Whether a labeled value mixes letters and digits at length, unlike `gpt-4-turbo` or a path."""
    value: str = match["secret"]
    if len(value) < 12:
        return False
    base64 = re.fullmatch(r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/=]{20,}", value)
    mixed = (part for part in re.split(r"[-_./]", value) if re.search(r"\d.*[^\W\d]|[^\W\d].*\d", part))
    return base64 is not None or any(len(part) >= 8 for part in mixed)


_PREFIXES = tuple(
    """sk- sk_test_ rk_test_ whsec_ github_pat_ hf_ gsk_ xai- pplx- tvly- r8_ lsv2_pt_ lsv2_sk_ npm_ dop_v1_ doo_v1_
    shpat_ shpss_ lin_api_ ntn_ hvs. ya29. GOCSPX- AIza xapp- xoxe- xoxe. dapi PMAK- AKCp AGE-SECRET-KEY-1""".split()
)
"""How the keys begin of vendors that `detect-secrets` does not know, or whose newer keys it does not."""

_PREFIXED = re.compile(
    rf"(?<![A-Za-z0-9_-])(?:{'|'.join(map(re.escape, _PREFIXES))})(?P<secret>[A-Za-z0-9_-]{{18,}})", re.ASCII
)


def _has_digits(match: Match) -> bool:
    """Whether it is a key and not hyphenated words: each that is generated has at least two digits."""
    secret: str = match["secret"]
    return sum(map(str.isdigit, secret)) >= 2


def _is_an_id(match: Match) -> bool:
    """Whether it is an id. The detector's other pattern masks the label with the secret; the rule `token` does not."""
    return match.re.groups == 0


_DISCORD = tuple("MT Mj Mz ND NT Nj Nz OD OT".split())
"""How a Discord token begins: with an account's number in base64, so with that of a digit."""

_GITLAB = tuple("glpat- gldt- glft- glsoat- glrt- glcbt- glimt- glptt- glagent- gloas- GR1348941".split())

_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?", re.ASCII)


def _is_jwt(match: Match) -> bool:
    return bool(_detector("jwt.JwtTokenDetector").is_formally_valid(match[0]))


_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----))*+-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})+)"  # cut off before its end
    r"|(?<=Private-Lines: )\d+(?:\s+[A-Za-z0-9+/=]{16,})+"  # PuTTY
)

_SEED_PHRASE = _pattern(
    r"\b(?:(?:seed|recovery|backup|secret)[ _-]?(?:phrase|words)|mnemonic)",
    rf"(?:{_SAID}|{_IS})[\"'`]?(?P<secret>(?:[a-z]{{3,8}}[ ,]{{1,2}}){{11,23}}[a-z]{{3,8}})\b",
)

_URL_PASSWORD = re.compile(r"://[^\s:/?#@\"'<>]*:([^\s/?#\"'<>]+)@(?=[\w\[])")


RULES: tuple[Rule, ...] = (  # of two that match the same, the first names it
    Rule(name="private-key", hints=("PRIVATE KEY", "Private-Lines: "), find=_KEY_BLOCK),
    Rule(name="card-number", find=_CARD, accepts=_is_card),
    Rule(name="aws-key", hints=("A3T", "ABIA", "ACCA", "AKIA", "ASIA"), find="aws.AWSKeyDetector", accepts=_is_an_id),
    Rule(name="discord-token", hints=_DISCORD, find="discord.DiscordBotTokenDetector"),
    Rule(name="github-token", hints=("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), find="github_token.GitHubTokenDetector"),
    Rule(name="gitlab-token", hints=_GITLAB, find="gitlab_token.GitLabTokenDetector"),
    Rule(name="mailchimp-key", hints=("-us",), find="mailchimp.MailchimpDetector"),
    Rule(name="npm-token", hints=(":_authToken",), find="npm.NpmDetector", group=1),
    Rule(name="openai-token", hints=("T3BlbkFJ",), find="openai.OpenAIDetector"),
    Rule(name="pypi-token", hints=("pypi-",), find="pypi_token.PypiTokenDetector"),
    Rule(name="sendgrid-key", hints=("SG.",), find="sendgrid.SendGridDetector"),
    Rule(name="slack-token", hints=("xox", "hooks.slack.com"), find="slack.SlackDetector"),
    Rule(name="square-secret", hints=("sq0csp-",), find="square_oauth.SquareOAuthDetector"),
    Rule(name="stripe-key", hints=("k_live_",), find="stripe.StripeDetector"),
    Rule(name="telegram-token", hints=(":AA",), find="telegram_token.TelegramBotTokenDetector"),
    Rule(name="twilio-key", hints=("AC", "SK"), find="twilio.TwilioKeyDetector"),
    Rule(name="api-key", hints=_PREFIXES, find=_PREFIXED, accepts=_has_digits),
    Rule(name="jwt", hints=("eyJ",), find=_JWT, accepts=_is_jwt),
    Rule(
        name="password",
        hints=("passw", "passp", "passc", "pwd", "kennwort", "contrase", "senha", "mot de passe"),
        find=_PASSWORD,
        group="secret",
        accepts=_is_password,
    ),
    Rule(name="code", hints=("pin", "otp", "cvv", "cvc", "code"), find=_CODE, group="secret", accepts=_is_code),
    Rule(name="url-password", hints=("://",), find=_URL_PASSWORD, group=1),
    Rule(name="seed-phrase", hints=("phrase", "words", "mnemonic"), find=_SEED_PHRASE, group="secret"),
    Rule(name="token", hints=("key", "token", "secret", "bearer"), find=_TOKEN, group="secret", accepts=_is_random),
    Rule(name="basic-auth", hints=("authorization",), find=_BASIC, group="secret"),
)
