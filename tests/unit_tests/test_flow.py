"""One body, two drivers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from langchain_mem._flow import Body, arun, call, gather, offload, run


def _plain(value: int) -> int:
    if value < 0:
        raise ValueError("negative")
    return value


async def _awaited(value: int) -> int:
    await asyncio.sleep(0)
    return _plain(value) + 100


async def one(value: int) -> int:
    return await call(_plain, _awaited, value)


async def both(*values: int) -> list[int]:
    return [await one(value) for value in values]


DRIVERS: list[Callable[[Body[Any]], Any]] = [run, lambda body: asyncio.run(arun(body))]


@pytest.mark.parametrize(("drive", "more"), list(zip(DRIVERS, (0, 100), strict=True)), ids=["sync", "async"])
def test_each_driver_takes_its_form(drive: Callable[[Body[Any]], Any], more: int) -> None:
    """`run` calls the sync forms, `arun` awaits the async ones, through nested bodies."""
    assert drive(both(1, 2)) == [1 + more, 2 + more]


@pytest.mark.parametrize("drive", DRIVERS, ids=["sync", "async"])
def test_errors_reach_the_body(drive: Callable[[Body[Any]], Any]) -> None:
    """A body catches what a leaf raises, as at any await, and what it does not catch is raised."""

    async def careful() -> int:
        try:
            return await one(-1)
        except ValueError:
            return await one(5)

    assert drive(careful()) % 100 == 5
    with pytest.raises(ValueError, match="negative"):
        drive(both(1, -1))


@pytest.mark.parametrize("drive", DRIVERS, ids=["sync", "async"])
def test_cleaning_up(drive: Callable[[Body[Any]], Any]) -> None:
    """A body's `finally` runs when it fails."""
    seen: list[str] = []

    async def body() -> None:
        try:
            await one(-1)
        finally:
            seen.append("cleaned")

    with pytest.raises(ValueError, match="negative"):
        drive(body())
    assert seen == ["cleaned"]


@pytest.mark.parametrize("drive", DRIVERS, ids=["sync", "async"])
def test_nothing_else_may_be_awaited(drive: Callable[[Body[Any]], Any]) -> None:
    """A body that awaits what no driver knows is told so."""

    async def wrong() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match=r"only other bodies and call\(\)"):
        drive(wrong())


@pytest.mark.parametrize("drive", DRIVERS, ids=["sync", "async"])
def test_gathering(drive: Callable[[Body[Any]], Any]) -> None:
    """Several bodies give their results in order, and the first error is raised as itself."""
    assert [value % 100 for value in drive(gather(one(1), one(2), one(3)))] == [1, 2, 3]
    assert drive(gather()) == []
    with pytest.raises(ValueError, match="negative"):
        drive(gather(one(1), one(-1)))


def test_offloading() -> None:
    """Blocking work runs in place under `run`, in a worker thread under `arun`."""

    async def where() -> int:
        return await offload(threading.get_ident)

    assert run(where()) == threading.get_ident()
    assert asyncio.run(arun(where())) != threading.get_ident()
