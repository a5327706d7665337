"""What an operation that asks a model several times may still cost, and what it has cost."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_mem.errors import InvalidRequest, shown


@dataclass(kw_only=True)
class Limits:
    """What a consolidation may still cost.

    Attributes:
        calls: Model calls that are left.
        tokens: Tokens of prompts that are left; `None` for no limit.
        calls_made: Model calls that were made.
        tokens_sent: Tokens of their prompts, counted approximately.

    Raises:
        InvalidRequest: One is no whole number, or below zero.
    """

    calls: int
    tokens: int | None
    calls_made: int = 0
    tokens_sent: int = 0

    def __post_init__(self) -> None:
        for name, value in (("max_calls", self.calls), ("max_tokens", self.tokens)):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and (not whole or value < 0):
                raise InvalidRequest(f"{name} must be a whole number, 0 or more, not {shown(value)}.")

    def allow(self, tokens: int, *, spare: int = 0) -> bool:
        """Whether a prompt of so many tokens may be sent, with so many calls left after it."""
        return self.calls > spare and (self.tokens is None or tokens <= self.tokens)

    def spend(self, tokens: int) -> None:
        """Takes off a prompt."""
        self.calls -= 1
        self.tokens = None if self.tokens is None else self.tokens - tokens
        self.calls_made += 1
        self.tokens_sent += tokens
