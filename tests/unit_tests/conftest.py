"""What the tests of memories share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.memories import Bench
from tests.turns import in_turns


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of the async form, as an application has one."""
    with asyncio.Runner() as runner:
        yield runner


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Has each property of a memory shown in one form, sync and async in turns; the soak shows the other."""
    if "called" in metafunc.fixturenames:
        metafunc.parametrize("called", in_turns(("sync", "async"), metafunc.definition.nodeid))


@pytest.fixture
def bench(called: str, runner: asyncio.Runner) -> Iterator[Callable[..., Bench]]:
    """Gives a function that opens a memory over fakes with a model's replies and options of `Memory`, in one form."""
    opened: list[Bench] = []

    def open_bench(*replies: object, **options: object) -> Bench:
        opened.append(Bench(*replies, form=called, runner=runner, **options))
        return opened[-1]

    yield open_bench
    for each in opened:
        each.memory.close()
