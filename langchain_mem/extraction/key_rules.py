"""What machines choose: keys and tokens, most of them found by `detect-secrets`' own patterns; and cards.

Of `detect-secrets` the detectors' patterns are used, not its scanner: that works on files, holds its settings in a
process-wide global, and reports of a GitHub token only the group `ghp`. Left out are its detectors for high entropy
(any hash is one) and for keywords (which takes the rest of a sentence for a password), and those whose match has more
than the secret in it. Added is what it lacks: cards, labeled tokens, whole key blocks, webhooks, and newer vendors'
prefixes.
"""

from __future__ import annotations

import re
from typing import Final

from langchain_mem._regex import regex
from langchain_mem.extraction.password_rules import has, is_given_plainly, is_unlike_a_word
from langchain_mem.extraction.secret_rule import FOR, IS, SAID, Rule, TextMatch, detector, pattern

# --- cards -----------------------------------------------------------------------------------------------------------

_ISSUERS = regex(
    r"4(?:\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[68]\d)\d{11}"  # Diners Club
    r"|(?:6011|65\d\d|64[4-9]\d|35(?:2[89]|[3-8]\d))\d{12}"  # Discover, JCB
    r"|62(?:\d{14}|\d{17})"  # UnionPay
)
"""Prefixes and lengths in use, as in ISO/IEC 7812; one identifier in ten passes Luhn's check alone."""

CARD = regex(
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


def is_card(match: TextMatch) -> bool:
    """Whether a number is a card's: an issuer's prefix and length, and the check digit."""
    digits = re.sub(r"[ -]", "", match[0])
    return _ISSUERS.fullmatch(digits) is not None and luhn(digits)


# --- what machines choose: tokens and keys ---------------------------------------------------------------------------

_TOKEN = pattern(
    r"(?:",
    r"(?:(?:api|access|secret|private|client|auth|signing|encryption|account|service|webhook|consumer|refresh"
    r"|session",
    r"|shared|preshared|pre-shared|master|deploy|bot|integration|personal|license|storage|admin|root|maps|app"
    r"|bearer|personal access|subscription|setup|authenticator|totp|otp|server|user|license|licence|product"
    r"|activation"
    r"|openai|anthropic|claude|gemini|mistral|cohere|openrouter|replicate|groq|deepl|stripe|twilio|sendgrid"
    r"|mailgun|weather"
    r"|google|aws|azure|github|gitlab|npm|pypi|hugging ?face|slack|discord|telegram|notion|airtable|llm|ssh|vpn"
    r"|wireguard"
    r"|datadog|algolia|heroku|cloudflare|supabase|firebase|jira|trello|zapier|spotify|ci|registry|crates\.io|nuget)",
    r"[ _-]?(?:access[ _-]?)?(?:key|token|secret)|(?<=_)key|token|secret|credential|x-auth",
    r"|signature|(?:zugangs|api-?)(?:schlüssel|token)|clave (?:de )?api|cl[ée] (?:d['’])?api|chiave api|chave "
    r"(?:de )?api)",
    r"(?:_[a-z]+)?(?:[ \t]\([^)\n]{1,20}\))?",
    rf"(?:{FOR}?{SAID}|{IS}|(?:[ \t]+[\w'’-]+){{1,6}}?[ \t]+(?:is|was|ist|lautet|es|est|è|é)[ \t]+|[ \t]+)[\"'`]?"
    rf"(?:bearer )?",
    r"|\bbearer[ \t]+)",
    r"(?P<secret>\w(?:[./+=~%-]*+\w)*+[=-]{0,2})(?![\w:@(\[])",
)

_KEY = regex(
    rf"\b[Kk]ey(?:{SAID}|{IS})[\"'`]?(?P<secret>(?=[\w+/-]{{0,60}}\d)(?=[\w+/-]{{0,60}}[a-z])"
    rf"(?=[\w+/-]{{0,60}}[A-Z])[\w+/-]{{20,}}={{0,2}})"
)
"""A mere "key": what mixes digits, small and large letters at length, as no hash does."""

_VARIABLE = regex(
    r"\b(?!PUBLIC|PRIMARY|FOREIGN|SORT|CACHE)[A-Z][A-Z0-9_]{0,40}(?:SECRET|TOKEN|KEY|CREDENTIALS?|SALT|PEPPER"
    r"|PASSPHRASE|_PASS|_PW)\b"
    r"=[\"']?(?P<secret>[^\s\"'$<{(/%][^\s\"'(]{5,})"
)
"""A variable of an environment."""

_HEADER = pattern(
    r"\bauthorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:(?:bearer|basic|token|digest|apikey|api-key|key|bot"
    r"|negotiate)[ \t]+)?"
    r"(?P<secret>(?=[\w.+/=~-]{0,60}\d)[\w.+/=~-]{12,})"
)

_PAIRED_AWS = regex(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}[\s:/,|&and]{1,8}(?P<secret>[A-Za-z0-9/+]{40})"
    r"(?![A-Za-z0-9/+])"
)
_AZURE = regex(r"(?<![\w~-])(?P<secret>[\w~.-]{3}\dQ~[\w~.-]{31,34})")
_FIREBASE = regex(r"\bAAAA[\w-]{7}:(?P<secret>[\w-]{100,})")
_JWK = regex(r"\"(?:d|k)\"\s{0,3}:\s{0,3}\"(?P<secret>[\w-]{40,})\"")
_DOCKER_AUTH = regex(
    r"\"auth\"\s{0,3}:\s{0,3}\"(?P<secret>[\w+/=]{12,})\"|\b_auth(?:Token)?[ \t]?=[ \t]?[\"']?"
    r"(?P<registry>[\w+/=-]{12,})"
)

_COOKIE = pattern(
    r"\b(?:[\w.-]{0,30}sess(?:ion)?[\w-]{0,12}|sid|connect\.sid|csrf[\w-]{0,10}|remember_token|auth)=[\"']?",
    r"(?P<secret>[\w.%+/~-]{12,}=*)",
)

_QUERY = regex(
    r"(?<=[?&#])(?:[\w-]{0,20}(?:token|key|secret|signature|passw(?:or)?d|pwd)|sig|auth|code)="
    r"(?P<secret>[\w.%+/~-]{8,}=*)",
    re.IGNORECASE,
)
"""A token among the parameters of an address."""

_WEBHOOK = regex(
    r"(?:webhook\.office\.com/webhookb2|outlook\.office\.com/webhook|discord(?:app)?\.com/api/webhooks"
    r"|hooks\.zapier\.com/hooks/catch|hooks\.slack\.com/(?:services|workflows|triggers)|hook\.\w+\.make\.com"
    r"|maker\.ifttt\.com/(?:trigger/\w+/)?(?:json/)?(?:with/key|use)|chat\.googleapis\.com/v1/spaces"
    r"|webhook\.site|logic\.azure\.com(?::443)?/workflows|api\.telegram\.org/bot|hooks\.airtable\.com/workflows"
    r"|://[^\s/]{1,80}/(?:[\w-]{1,30}/){0,3}?(?:web-?)?hooks?(?=/(?:[\w-]{1,30}/){0,3}[\w-]{0,60}\d))"
    r"/?(?P<secret>[^\s\"'<>)\]]{8,})"
)
"""Addresses that let in whoever knows them."""

_BASIC = pattern(r"\bauthorization[\"']?[ \t]*[:=][ \t]*[\"']?basic[ \t]+(?P<secret>[a-z0-9+/]{6,}={0,2})")


def _is_random(match: TextMatch) -> bool:
    """Whether a labeled value mixes letters and digits at length, unlike `gpt-4-turbo` or a path."""
    value: str = match["secret"]
    if len(value) < 12:
        return False
    base64 = re.fullmatch(r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/=]{20,}", value)
    mixed = (part for part in re.split(r"[-_./]", value) if re.search(r"\d.*[^\W\d]|[^\W\d].*\d", part))
    return base64 is not None or any(len(part) >= 8 for part in mixed)


_PREFIXES = tuple(
    """sk- sk_ rk_ whsec_ github_pat_ hf_ gsk_ xai- pplx- tvly- r8_ lsv2_pt_ lsv2_sk_ npm_ dop_v1_ doo_v1_ dor_v1_
    shpat_ shpss_ shpca_ shppa_ lin_api_ lin_oauth_ ntn_ secret_ hvs. hvb. ya29. GOCSPX- AIza xapp- xoxe- xoxe.
    xoxp- xoxb- dapi PMAK- AKCp AGE-SECRET-KEY-1 ATTA cmVmdG ghp_ ghu_ ghs_ ghr_ glpat- gldt- gloas- dckr_pat_
    dckr_oat_ glc_ glsa_ sntrys_ sntryu_ figd_ pul- pscale_tkn_ pscale_pw_ pscale_oauth_ xkeysib- xsmtpsib-
    nvapi- CFPAT- HRKU- tfp_ ATATT3 ATBB ATCTT3 NRAK- NRII- dt0c01. LTAI rubygems_ cio sbp_ sb_secret_ nfp_ fo1_
    FlyV1 duffel_live_ EZAK EZTK shippo_live_ shippo_test_ fio-u- aio_ pat- sl. dp.pt. dp.st. pnu_ rdme_ tgp_v1_
    fw_ jina_ e2b_ wandb_v1_ pcsk_ tpuf_ napi_ key- sq0atp- sq0csp- EAAA EAAC SK. ops_ tskey- rnd_ vercel_
    bb_live_ waka_ pypi- gho_ glrt- glptt- oy2 xprv zprv yprv nsec1 PuLuMi doppler_ cfut_ cfat_ v1.0- 1//0 fm2_
    fm1r_ fm1a_ BSA csk- sk-or- vck_ vcp_ phx_ mlsn. apify_api_ cal_live_ re_ rpa_ npg_ mdb_sa_sk_ bkua_ CCIPAT_
    sgp_ sqp_ squ_ sqa_ APP_USR- ory_at_ ory_pat_ CLOJARS_ FLWSECK access-production- access-sandbox-
    access-development- ico- sm_aat_ sha256~ AQVN p8e- API- hooks_ ghv_ glffct- xoxd- ABSK ctx7sk ls__ voy_ pa-
    fc- pul_ ldk_ api_org_ xau- dnkey- scauth_ authress_ tk-us-""".split()
)
"""How the keys begin of vendors that `detect-secrets` does not know, or whose newer keys it does not."""

_PREFIXED = regex(
    rf"(?<![A-Za-z0-9_-])(?:{'|'.join(map(re.escape, _PREFIXES))})(?P<secret>[A-Za-z0-9_-]{{18,}})", re.ASCII
)


def _is_generated(match: TextMatch) -> bool:
    """Whether it is a key and not hyphenated words: digits and letters are mixed at length in what was generated."""
    secret: str = match["secret"]
    mixed = (part for part in re.split(r"[-_]", secret) if re.search(r"\d.*[^\W\d]|[^\W\d].*\d", part))
    return sum(map(str.isdigit, secret)) >= 2 and any(len(part) >= 8 for part in mixed)


def _is_an_id(match: TextMatch) -> bool:
    """Whether it is an id; of the detector's other pattern, the rule `token` masks the secret alone."""
    return match.re.groups == 0


_DISCORD = tuple("MT Mj Mz ND NT Nj Nz OD OT".split())
"""How a Discord token begins: with an account's number in base64, so with that of a digit."""

_GITLAB = tuple("glpat- gldt- glft- glsoat- glrt- glcbt- glimt- glptt- glagent- gloas- GR1348941".split())

_JWT = regex(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*){0,3}", re.ASCII)


def _is_jwt(match: TextMatch) -> bool:
    parts = match[0].split(".")
    plain = len(parts) >= 3 and all(len(part) >= 10 for part in parts[:3])  # also where the rest was cut or garbled
    return plain or bool(detector("jwt.JwtTokenDetector").is_formally_valid(match[0]))


_KEY_BLOCK = regex(
    r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    r"(?:(?:[^-]|-(?!---))*+-{4,5} ?END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    r"|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})+)"  # cut off before its end
    r"|(?<=Private-Lines: )\d+(?:\s+[A-Za-z0-9+/=]{16,})+"  # PuTTY
)

_URL_PASSWORD = regex(r"://[^\s:/?#@\"'<>]{0,100}:(?!\d{1,5}(?:/|$))([^\s\"'<>]{1,200})@(?=[\w\[])")


_FORM = regex(r"(?:my|your)?[-_]?(?:password|passwd|pass|pwd|secret)|x{3,}|\*+|\.{3}|…|[<{\[$].*", re.IGNORECASE)


def _is_filled_in(match: TextMatch) -> bool:
    """Whether an address has a password, and not the word for one as a form has it."""
    return _FORM.fullmatch(match[1]) is None


_TOKEN_HINTS = ("key", "token", "secret", "bearer", "signature", "credential", "schlüssel", "api", "access")


def _is_set(match: TextMatch) -> bool:
    """Whether a variable is set to a value; what is called a secret may be a word."""
    value: str = match["secret"]
    return is_given_plainly(value) if "SECRET" in match[0].split("=")[0] else is_unlike_a_word(value)


ISSUED: Final[tuple[Rule, ...]] = (
    Rule(name="private-key", hints=("PRIVATE KEY", "Private-Lines: "), find=_KEY_BLOCK),
    Rule(name="card-number", find=CARD, accepts=is_card),
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
    Rule(name="api-key", hints=_PREFIXES, find=_PREFIXED, accepts=_is_generated),
    Rule(name="jwt", hints=("eyJ",), find=_JWT, accepts=_is_jwt),
)
"""Keys that are known by how they begin, in any text."""

LABELED: Final[tuple[Rule, ...]] = (
    Rule(name="url-password", hints=("://",), find=_URL_PASSWORD, group=1, accepts=_is_filled_in),
    Rule(name="token", hints=("key", "Key"), find=_KEY, group="secret"),
    Rule(name="token", hints=("=",), find=_VARIABLE, group="secret", accepts=_is_set),
    Rule(name="aws-key", hints=("AKIA", "ASIA"), find=_PAIRED_AWS, group="secret"),
    Rule(name="azure-secret", hints=("Q~",), find=_AZURE, group="secret"),
    Rule(name="firebase-key", hints=("AAAA",), find=_FIREBASE, group="secret"),
    Rule(name="private-key", hints=('"kty"',), find=_JWK, group="secret"),
    Rule(name="basic-auth", hints=('"auth"',), find=_DOCKER_AUTH, group="secret", accepts=has("secret")),
    Rule(name="npm-token", hints=("_auth",), find=_DOCKER_AUTH, group="registry", accepts=has("registry")),
    Rule(name="webhook", hints=("hook", "/bot", "trigger/", "v1/spaces"), find=_WEBHOOK, group="secret"),
    Rule(name="token", hints=("?", "&", "#"), find=_QUERY, group="secret", accepts=_is_random),
    Rule(
        name="token",
        hints=("sess", "sid=", "csrf", "remember_token", "auth="),
        find=_COOKIE,
        group="secret",
        accepts=_is_random,
    ),
    Rule(name="token", hints=_TOKEN_HINTS, find=_TOKEN, group="secret", accepts=_is_random),
    Rule(name="basic-auth", hints=("authorization",), find=_BASIC, group="secret"),
    Rule(name="token", hints=("authorization",), find=_HEADER, group="secret"),
)
"""Keys that are known by what stands before them."""
