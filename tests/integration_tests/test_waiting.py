"""Messages that wait for extraction outlive a process that is killed, and are read once by the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from langchain_mem import Memory
from langchain_mem.store.items import utc_now
from langchain_mem.testing import FakeClock, ScriptedModel
from tests.integration_tests.killed_waiting import SAID, chat, store_at
from tests.memories import facts, texts


def _place(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> str:
    return str(tmp_path) if engine == "chroma" else str(request.getfixturevalue("fresh_postgres_dsn"))


@pytest.mark.parametrize(
    ("engine", "when"),
    [
        ("chroma", "reading"),
        pytest.param("postgres", "waiting", marks=pytest.mark.soak),
        pytest.param("chroma", "waiting", marks=pytest.mark.soak),
        pytest.param("postgres", "reading", marks=pytest.mark.soak),
    ],
)
def test_a_killed_process_leaves_what_waits_to_the_next(
    request: pytest.FixtureRequest, engine: str, when: str, tmp_path: Path
):
    """Killed while messages wait, or while a model reads them: the next process reads them all, in one call."""
    place = _place(request, engine, tmp_path)
    program = [sys.executable, "-m", "tests.integration_tests.killed_waiting", engine, place, when]
    ended = subprocess.run(program, cwd=Path(__file__).parents[2], timeout=300, check=False)
    assert ended.returncode == -signal.SIGKILL
    clock, model = FakeClock(utc_now() + timedelta(minutes=30)), ScriptedModel(facts("Has a dog named Rex"))
    with store_at(engine, place) as store, Memory(store, model=model, clock=clock) as memory:
        assert memory.extract_waiting() == {"extracted": 6, "failed": 0, "waiting": 0}
        assert memory.extract_waiting() == {"extracted": 0, "failed": 0, "waiting": 0}
        assert texts(memory.get_all(user_id="alex")) == ["Has a dog named Rex"]
    (asked,) = model.calls
    assert all(text in asked[-1].text for text in SAID)


def test_two_processes_over_postgres_make_one_call(fresh_postgres_dsn: str):
    """While one store's process reads, the other's leaves the owner alone, and has nothing to do afterwards."""
    clock = FakeClock(utc_now())
    with store_at("postgres", fresh_postgres_dsn) as one, store_at("postgres", fresh_postgres_dsn) as two:
        other = Memory(two, model=ScriptedModel(), clock=clock)
        seen: list[Any] = []
        model = ScriptedModel(lambda _: seen.append(other.extract_waiting()) or facts("Has a dog named Rex"))
        memory = Memory(one, model=model, clock=clock)
        chat(memory)
        clock.advance(minutes=10)
        assert memory.extract_waiting() == {"extracted": 6, "failed": 0, "waiting": 0}
        assert seen == [{"extracted": 0, "failed": 0, "waiting": 1}]
        assert other.extract_waiting() == {"extracted": 0, "failed": 0, "waiting": 0}
