"""Every operation against a plain model, on the reference engine."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel
from tests.life import PURGE_AFTER, SESSION_TTL, Life

BRIEFLY = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,  # the same lives each time; `make soak` draws others
    suppress_health_check=list(HealthCheck),
)
AT_LENGTH = settings(max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck))


class DictionaryLife(Life):
    def open(self, clock: FakeClock, model: ScriptedModel) -> Memory:
        store = LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock)
        return Memory(store, model=model, clock=clock, session_ttl=SESSION_TTL, purge_after=PURGE_AFTER)


class TestBriefly(DictionaryLife.TestCase):
    """What the model says, the memory shows, whatever order operations come in."""

    settings = BRIEFLY


@pytest.mark.soak
class TestAtLength(DictionaryLife.TestCase):
    """The same for 10,000 steps."""

    settings = AT_LENGTH
