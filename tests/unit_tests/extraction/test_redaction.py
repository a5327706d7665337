"""Secrets are masked, and nothing else is."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import timeit
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.extraction.redaction import redact_secrets, redact_value

HEX = "0123456789abcdef" * 8
MIXED = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 4


def _jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "Alex"})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, MIXED[:43]])


def _block(kind: str) -> str:
    return f"-----BEGIN {kind}-----\n{MIXED[:64]}\n{MIXED[:64]}\n-----END {kind}-----"


TOKENS = [
    (_block("PRIVATE KEY"), "private-key"),
    (_block("RSA PRIVATE KEY"), "private-key"),
    (_block("OPENSSH PRIVATE KEY"), "private-key"),
    (_block("PGP PRIVATE KEY BLOCK"), "private-key"),
    (_block("PRIVATE KEY").replace("\n", "\\n"), "private-key"),
    (f"-----BEGIN EC PRIVATE KEY-----\n{MIXED[:64]}", "private-key"),
    ("4242424242424242", "card-number"),
    ("4242 4242 4242 4242", "card-number"),
    ("5555-5555-5555-4444", "card-number"),
    ("3782 822463 10005", "card-number"),
    ("30569309025904", "card-number"),
    ("6011111111111117", "card-number"),
    (f"ghp_{MIXED[:36]}", "github-token"),
    (f"github_pat_{MIXED[:22]}_{MIXED[:59]}", "api-key"),
    (f"glpat-{MIXED[:20]}", "gitlab-token"),
    ("AKIAIOSFODNN7EXAMPLE", "aws-key"),
    (f"sk-{MIXED[:20]}T3BlbkFJ{MIXED[:20]}", "openai-token"),
    (f"sk-proj-{MIXED}", "api-key"),
    (f"sk-ant-api03-{MIXED[:80]}-{MIXED[:12]}AA", "api-key"),
    (f"hf_{MIXED[:34]}", "api-key"),
    (f"AIza{MIXED[:35]}", "api-key"),
    (f"lsv2_pt_{HEX[:32]}_{HEX[:10]}", "api-key"),
    (f"npm_{MIXED[:36]}", "api-key"),
    ("xoxb-123456789012-1234567890123-" + MIXED[:24], "slack-token"),
    ("https://hooks.slack.com/services/T00000000/B00000000/" + MIXED[:24], "slack-token"),
    ("sk_live_" + MIXED[:24], "stripe-key"),
    ("sk_live_" + MIXED[:99], "stripe-key"),
    ("sk_test_" + MIXED[:24], "api-key"),
    (f"SG.{MIXED[:22]}.{MIXED[:43]}", "sendgrid-key"),
    (f"pypi-AgEIcHlwaS5vcmc{MIXED[:80]}", "pypi-token"),
    (f"{HEX[:32]}-us12", "mailchimp-key"),
    (f"AC{HEX[:32]}", "twilio-key"),
    (f"123456789:AA{MIXED[:33]}", "telegram-token"),
    (f"MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.{MIXED[:27]}", "discord-token"),
    (f"sq0csp-{MIXED[:43]}", "square-secret"),
    (f"AKCp{MIXED[:69]}", "api-key"),
    (_jwt(), "jwt"),
]

LABELED = [
    ("password: {}", "hunter2", "password"),
    ("PASSWORD={}", "swordfish", "password"),
    ("export DB_PASSWORD='{}'", "s3cr3t!", "password"),
    ("wifi password: {}", "swordfish", "password"),
    ("user: alex, password: {}, host: db1", "swordfish", "password"),
    ('{{"user": "alex", "password": "{}"}}', "swordfish", "password"),
    ("**Password:** {}", "Tr0ub4dor&3", "password"),
    ("My password is {}.", "hunter2", "password"),
    ("my password for the guest wifi is {}, tell nobody", "Blue-42-Whale", "password"),
    ("The password is now {}", "c0rrect-horse", "password"),
    ('the passphrase is "{}"', "swordfish", "password"),
    ("https://example.com/login?user=alex&password={}&next=home", "swordfish", "password"),
    ("Mein Passwort: {}", "Geheim123", "password"),
    ("contraseña: {}", "secreto99", "password"),
    ("My PIN is {}.", "4821", "code"),
    ("cvv: {}", "123", "code"),
    ("Your verification code is {}", "194082", "code"),
    ("postgresql://alex:{}@db.example.com:5432/app", "p%40ss!w", "url-password"),
    ("redis://:{}@localhost:6379/0", "swordfish", "url-password"),
    ("api_key = '{}'", MIXED[:24], "token"),
    ("OPENWEATHER_API_KEY={}", HEX[:32], "token"),
    ("my API key is {}.", MIXED[:24], "token"),
    ("access token: {}", "550e8400-e29b-41d4-a716-446655440000", "token"),
    ("aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "token"),
    ("aws_secret_access_key = '{}'", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "token"),
    ("Authorization: Bearer {}", MIXED[:40], "token"),
    ("Authorization: Basic {}", "YWxleDpodW50ZXIy", "basic-auth"),
    ("AccountKey={};EndpointSuffix=core", "a1" * 43 + "==", "token"),
    ("//registry.example.com/:_authToken={}", HEX[:36], "npm-token"),
    ("seed phrase: {}", " ".join(["legal", "winner", "thank", "year", "wave", "sausage"] * 2), "seed-phrase"),
]

ORDINARY = """
I use a password manager called 1Password.
My password manager is great, and my password is too short anyway.
The password is wrong. The password was changed on 2024-07-31.
I forgot my password again, can you reset it?
Password: required
The password is 12-character at least; password: 8-64 characters
Reset your password: https://example.com/reset?step=2
The password is sent to alex@example.com within 24 hours
The secret to good pasta is salt. Her secret: more butter than anyone admits.
The key to success is patience; the secret ingredient is 2 cups of love.
Secret Santa 2024 is on December 20th at 7:30pm
An access token expires after 3600 seconds; refresh tokens last 30 days.
Each API key is stored in /home/alex/.config/keys1.json
token: gpt-4-turbo-2024-04-09 has a context of 128000
The token limit is 200000, and the token count was 1234567
The tokenizer splits it into 17 tokens: 'un', 'believ', 'able'
def login(user: str, password: str) -> Token:
password = getpass.getpass()
password=os.environ["DB_PASSWORD"]
client = Client(password=settings.db_password, token=settings.api_token_v2)
DB_PASSWORD=${DB_PASSWORD} and password: <your password here>
password: ********
My order number is 1234567890123456 and the invoice is INV-2024-000123.
Order 4000 0000 0000 0000 arrived; tracking 1Z999AA10123456784
Call me at +1 (555) 010-4477 or 555-010-4477, or +44 20 7946 0958
Write to alex.smith+news@example.com or bob_99@mail.example.org
See 550e8400-e29b-41d4-a716-446655440000 and thread_01HZX3K9Q8W7V6T5R4P3N2M1L0
Commit f1c8d6f07fd7431fb6fb2ca00699ef476abd4e35 fixes it
The sha256 is e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
The md5 is d41d8cd98f00b204e9800998ecf8427e
My flight is on 2024-07-31T18:20:00.000000Z, booking ref QX7RT2
IBAN DE89 3704 0044 0532 0130 00 is where the rent goes
The ISBN is 978-3-16-148410-0; my IMEI is 356938035643809
Coordinates 59.9138688, 10.7522454 and pi is 3.14159265358979323846
My channel id is 1234567890123456789 and the epoch is 1722450000000
PIN code 560001, Bengaluru. A PIN: 560001
The pin is 4 cm long; I pinned 2048 photos
Bowling pins: 10
https://user@example.com:8080/path?id=42&page=3
http://localhost:8080/@alex and ssh://git@github.com/alex/notes.git
Ask the bearer of good news
The risk-averse-investor-guide-for-2024-and-2025 is on my desk-top
My username is alex_1987 and the meeting password will be sent later.
APARTMENTBUILDING tours start at noon
-----BEGIN PUBLIC KEY----- is how a public key starts
-----BEGIN PRIVATE KEY----- is how a private one starts
SKU AC1234567 and SK-00042 are out of stock
The base64 of hi is aGk=
She said the passcode is on the fridge
Working dir: pwd=/home/alex/project1
1Password: v8.10.2 is out
Her phrase was that the words are what remains of us when all of it is gone
""".strip().splitlines()


@pytest.mark.parametrize(("secret", "mask"), TOKENS, ids=[f"{mask}-{token[:8]}" for token, mask in TOKENS])
@pytest.mark.parametrize("around", ["{}", "Use {} for now", 'value="{}";', "(see {})\nThanks!"])
def test_masks_tokens(secret: str, mask: str, around: str) -> None:
    """A token is masked whole wherever it stands, and what is around it stays."""
    assert redact_secrets(around.format(secret)) == around.format(f"[redacted:{mask}]")


@pytest.mark.parametrize(("template", "secret", "mask"), LABELED)
def test_masks_what_a_label_names(template: str, secret: str, mask: str) -> None:
    """What is a secret because of its label is masked; the label and the rest stay."""
    assert redact_secrets(template.format(secret)) == template.format(f"[redacted:{mask}]")


@pytest.mark.parametrize("text", ORDINARY)
def test_leaves_ordinary_text(text: str) -> None:
    """Prose, code, numbers, identifiers, hashes and addresses stay byte for byte."""
    assert redact_secrets(text) == text


def test_masks_each_of_several() -> None:
    """Every secret in a text is masked, each with its own mask."""
    text = f"card 4242 4242 4242 4242 12/27, cvv: 123\npassword: hunter2\nghp_{MIXED[:36]} and AKIAIOSFODNN7EXAMPLE"
    assert redact_secrets(text) == (
        "card [redacted:card-number] 12/27, cvv: [redacted:code]\npassword: [redacted:password]\n"
        "[redacted:github-token] and [redacted:aws-key]"
    )


def test_a_key_under_a_label_is_masked_once() -> None:
    """A secret that two rules see leaves one mask and no remainder."""
    assert redact_secrets(f"password={MIXED[:4]},ghp_{MIXED[:36]}") == "password=[redacted:password]"


pieces = st.sampled_from([*(token for token, _ in TOKENS), *(form.format(value) for form, value, _ in LABELED)])
prose = st.text(alphabet="ab1 .:=\n\"'-_[]é", max_size=12)


@given(st.lists(st.one_of(pieces, prose, st.just("[redacted:token]"), st.just("password: ")), max_size=6))
def test_redacting_twice_changes_nothing(parts: list[str]) -> None:
    """What is redacted stays as it is when redacted again."""
    once = redact_secrets("".join(parts))
    assert redact_secrets(once) == once


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters=":="), max_size=200))
def test_keeps_any_text_without_secrets(text: str) -> None:
    """Any characters at all come back as they were."""
    assert redact_secrets(text) == text


@given(st.integers(0, 10**15 - 1))
def test_luhn_decides(number: int) -> None:
    """Of the ten numbers that differ in the last digit, exactly one is a card's."""
    start = f"4{number:015d}"[:15]
    masked = [digit for digit in range(10) if redact_secrets(f"{start}{digit}") == "[redacted:card-number]"]
    assert len(masked) == 1


def test_nested_values() -> None:
    """Strings at any depth are redacted, by what they say and by their key; all else stays."""
    value = {
        "note": ["my PIN is 4821", {"password": "swordfish", "n": 4821}],
        "api_key": MIXED[:24],
        "tags": [None],
    }
    assert redact_value(value, redact_secrets) == {
        "note": ["my PIN is [redacted:code]", {"password": "[redacted:password]", "n": 4821}],
        "api_key": "[redacted:token]",
        "tags": [None],
    }


def test_nested_values_take_any_redactor() -> None:
    """A redactor of one's own is applied to each value, also one that replaces the whole text."""
    assert redact_value({"A": "b", "C": [1, "d"]}, str.upper) == {"A": "B", "C": [1, "D"]}
    assert redact_value(["b", True], lambda _: "gone") == ["gone", True]


def test_detect_secrets_loads_on_demand() -> None:
    """Neither importing nor redacting ordinary text loads `detect-secrets`; a text that hints at a token does."""
    code = """
import sys
from langchain_mem.extraction.redaction import redact_secrets
redact_secrets("My password manager is new: it has 20 keys")
before = "detect_secrets" in sys.modules
redact_secrets("ghp_short")
print(before, "detect_secrets" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False True\n"


NEARLY = (
    "-----BEGIN PRIVATE KEY-----\n|password: |4242 |a.b-|://a:|eyJ|token=a1|pin 1 |password a b |password is |pw |"
    "login a |wifi is |seed abc abc |recovery code a1b2c |x as my |passphrase: a b |password: hunter2 |pin is 4821 |"
    "the password for |code |key |session=a1|?token=|mysql -p |[redacted:token]|"
    "password: [redacted:password] |a@b.c / |user:pass@"
).split("|")


@pytest.mark.parametrize("text", NEARLY)
def test_long_texts_take_linear_time(text: str) -> None:
    """Ten times as much of what almost matches takes nowhere near a hundred times as long."""

    def seconds(times: int) -> float:
        return timeit.timeit(lambda: redact_secrets(text * times), number=1, timer=time.process_time)

    seconds(10)  # imports
    # at the third try at the latest, since another process may take the processor's caches meanwhile
    assert any(seconds(1_000) < 40 * seconds(100) + 0.01 for _ in range(3))


CASES = json.loads((Path(__file__).parents[2] / "data" / "secrets.json").read_text())


def _gone(case: dict[str, Any]) -> bool:
    kept = redact_secrets(case["text"])
    return not any(part in kept for part in case.get("parts") or [case["secret"]])


@pytest.mark.parametrize("split", sorted({case["split"] for case in CASES["secrets"]}))
def test_masks_the_secrets_of_the_set(split: str) -> None:
    """Of each round of the set, whichever year's vendors and whose way of saying it, 96 % and more is masked."""
    cases = [case for case in CASES["secrets"] if case["split"] == split]
    kept = [case["text"] for case in cases if not _gone(case)]
    assert len(kept) <= 0.04 * len(cases), kept


@pytest.mark.parametrize("kind", ["innocent", "pii_innocent"])
def test_leaves_the_innocent_of_the_set(kind: str) -> None:
    """At most one innocent sentence in a hundred is touched."""
    touched = [case["text"] for case in CASES[kind] if redact_secrets(case["text"]) != case["text"]]
    assert len(touched) <= len(CASES[kind]) / 100, touched


def test_keys_are_masked_and_none_is_lost() -> None:
    """A key may hold a secret too; two that become one mask are told apart."""
    keys = {"AKIAIOSFODNN7EXAMPLE": 1, "AKIAIOSFODNN7EXAMPLF": 2, "plain": 3}
    assert redact_value(keys, redact_secrets) == {"[redacted:aws-key]": 1, "[redacted:aws-key] 2": 2, "plain": 3}
