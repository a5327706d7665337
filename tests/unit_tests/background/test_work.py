"""Tests of the worker."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from langchain_mem.background.work import Background
from langchain_mem.errors import ExtractionError


def _noting(done: list[int], number: int) -> Callable[[], None]:
    return lambda: done.append(number)


def test_the_caller_does_not_wait():
    """Work is handed over and done later; a flush waits for it."""
    gate, done, background = threading.Event(), [], Background()
    assert background.submit("alex", lambda: (gate.wait(), done.append(1)))
    assert done == []
    gate.set()
    background.flush()
    assert done == [1]


def test_one_owners_work_is_in_order():
    """Pieces of one key are done one after the other, in the order they came."""
    done, background = [], Background(workers=4)
    for number in range(50):
        background.submit("alex", _noting(done, number))
    background.flush()
    assert done == list(range(50))


def test_owners_do_not_wait_for_each_other():
    """While one key's work is under way, another's is done."""
    gate, done, background = threading.Event(), threading.Event(), Background(workers=2)
    background.submit("alex", gate.wait)
    background.submit("bob", done.set)
    assert done.wait(60)
    gate.set()
    background.flush()


def test_it_is_bounded():
    """What does not fit is refused, for the caller to do."""
    gate, background = threading.Event(), Background(capacity=2)
    assert [background.submit("alex", gate.wait) for _ in range(3)] == [True, True, False]
    gate.set()
    background.flush()
    assert background.submit("alex", gate.wait)
    background.flush()


def test_a_failure_is_raised_by_the_flush_and_stops_nothing():
    """The work after a failure is done, and the failure is told once."""
    done, background = [], Background(workers=1)

    def fail() -> None:
        raise ExtractionError("no answer")

    background.submit("alex", fail)
    background.submit("alex", _noting(done, 1))
    with pytest.raises(ExtractionError, match="no answer"):
        background.flush()
    assert done == [1]
    background.flush()


def test_an_owners_work_can_be_dropped():
    """What has not begun is dropped, what has is waited for, and other owners' work stays."""
    gate, begun, done = threading.Event(), threading.Event(), []
    background = Background(workers=1, capacity=3)
    background.submit("alex", lambda: (begun.set(), gate.wait(), done.append(1)))
    background.submit("alex", _noting(done, 2))
    background.submit("bob", _noting(done, 3))
    assert begun.wait(60)
    dropping = threading.Thread(target=background.discard, args=("alex",))
    dropping.start()
    while not background.submit("bob", _noting(done, 4)):  # there is no room until a piece is dropped
        assert dropping.is_alive()
    gate.set()
    dropping.join()
    background.flush()
    assert done == [1, 3, 4]
    background.discard("nobody")


def _script(work: str) -> str:
    return f"""
import threading, time
from concurrent.futures import ThreadPoolExecutor
from langchain_mem.background import work as background
background.AT_EXIT_SECONDS = 0.5
worker = background.Background()
gate = threading.Event()
def work():
    {work}
worker.submit("alex", work)
print("end of program", flush=True)
gate.set()
"""


def test_a_program_that_ends_finishes_its_work():
    """Work under way is done before the process is gone, on executors too."""
    work = 'gate.wait(); print(ThreadPoolExecutor().submit(lambda: "done").result(), flush=True)'
    script = _script(work)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines() == ["end of program", "done"]


def test_work_that_hangs_does_not_keep_the_process():
    """A process ends within its limit, whatever is under way."""
    script = _script("threading.Event().wait()")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines() == ["end of program"]
