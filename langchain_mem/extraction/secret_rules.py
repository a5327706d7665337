"""What secrets look like: one rule for each kind.

key_rules         what machines issue: keys, tokens, key blocks, webhooks, cards
password_rules    what people choose
access_rules      what lets somebody in, without such a label right before it
code_rules        what people are told: PINs, one-time codes, door codes, recovery codes
generated_rules   what was generated, by its look and a word in the same line
format_rules      what files, commands and addresses hold in a known place
"""

from __future__ import annotations

from typing import Final

from langchain_mem.extraction.access_rules import ACCESS
from langchain_mem.extraction.code_rules import CODES
from langchain_mem.extraction.format_rules import FORMATS
from langchain_mem.extraction.generated_rules import GENERATED
from langchain_mem.extraction.key_rules import ISSUED, LABELED
from langchain_mem.extraction.password_rules import PASSWORDS
from langchain_mem.extraction.secret_rule import Rule

RULES: Final[tuple[Rule, ...]] = (*ISSUED, *PASSWORDS, *CODES, *ACCESS, *LABELED, *GENERATED, *FORMATS)
"""Every rule; of two that match the same, the first names it."""
