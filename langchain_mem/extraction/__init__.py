"""Messages become proposals: what to remember, checked against what was said.

One model call is made here and nothing is stored. It may import `ranking`, `model` and `errors`. Start reading with
`model_call`, then `grounding` and `reconcile`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_mem._lazy import lazily

if TYPE_CHECKING:
    from langchain_mem.extraction.redaction import redact_secrets

_HOMES = {
    "redact_secrets": "redaction",
}

__all__ = ["redact_secrets"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
