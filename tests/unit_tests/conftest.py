"""What the tests of memories share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.memories import Bench


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of the async form, as an application has one."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=["sync", "async"])
def bench(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Iterator[Callable[..., Bench]]:
    """Gives a function that opens a memory over fakes with a model's replies and options of `Memory`, in each form."""
    opened: list[Bench] = []

    def open_bench(*replies: object, **options: object) -> Bench:
        opened.append(Bench(*replies, form=request.param, runner=runner, **options))
        return opened[-1]

    yield open_bench
    for each in opened:
        each.memory.close()
