"""What secrets look like: one rule for each kind.

key_rules         what machines issue: keys, tokens, key blocks, webhooks, cards
password_rules    what people choose
access_rules      what lets somebody in, without such a label right before it
near_rules        what was generated, by its look and a word in the same line
code_rules        what people are told: PINs, one-time codes, door codes, recovery codes
"""

from __future__ import annotations

from typing import Final

from langchain_mem.extraction.access_rules import ACCESS
from langchain_mem.extraction.code_rules import CODES
from langchain_mem.extraction.key_rules import ISSUED, LABELED
from langchain_mem.extraction.near_rules import NEAR
from langchain_mem.extraction.password_rules import PASSWORDS
from langchain_mem.extraction.secret_rule import Rule

RULES: Final[tuple[Rule, ...]] = (*ISSUED, *PASSWORDS, *CODES, *ACCESS, *LABELED, *NEAR)
"""Every rule; of two that match the same, the first names it."""
