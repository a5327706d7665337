"""One test, two forms: a property is written once and shown with a store's sync methods and with its async ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

import pytest
from langgraph.store.base import BaseStore, IndexConfig

from langchain_mem._flow import Body, arun, run
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.embeddings import FakeEmbeddings

R = TypeVar("R")


NS = ("notes", "alex")
"""Where the suites put what can be anywhere."""


def keys(items: Sequence[Any]) -> list[str]:
    """The keys of items, in their order."""
    return [item.key for item in items]


class Forms:
    """A store whose methods are called in one form: `put` is `store.put`, or `store.aput` run to its end.

    Args:
        store: Any LangGraph store.
        form: `"sync"` or `"async"`.
        runner: The event loop of the async form; one for the whole test, as in an application.

    Attributes:
        store: The store itself.
    """

    def __init__(self, store: Any, form: str, runner: asyncio.Runner) -> None:
        self.store = store
        self._async = form == "async"
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not self._async:
            return getattr(self.store, name)  # type: ignore[no-any-return]
        method = getattr(self.store, f"a{name}")
        return lambda *args, **kwargs: self._runner.run(_awaited(method, args, kwargs))

    @property
    def other(self) -> Forms:
        """The same store in the other form."""
        return Forms(self.store, "sync" if self._async else "async", self._runner)

    def do(self, body: Body[R]) -> R:
        """Drives a body, such as those of `store.items`."""
        return self._runner.run(arun(body)) if self._async else run(body)

    def together(self, *calls: tuple[Any, ...]) -> list[Any]:
        """Makes several calls at once: on threads, or in one tick of the event loop.

        Args:
            *calls: Each the name of a method and its arguments.

        Returns:
            For each its result, or the exception that it raised.
        """
        if self._async:
            return self._runner.run(_gathered(*(getattr(self.store, f"a{name}")(*args) for name, *args in calls)))
        with ThreadPoolExecutor(len(calls)) as threads:
            futures = [threads.submit(getattr(self.store, name), *args) for name, *args in calls]
        return [future.exception() or future.result() for future in futures]

    def race(self, *bodies: Body[Any]) -> list[Any]:
        """Drives several bodies at once, as `together` makes calls."""
        if self._async:
            return self._runner.run(_gathered(*map(arun, bodies)))
        with ThreadPoolExecutor(len(bodies)) as threads:
            futures = [threads.submit(run, body) for body in bodies]
        return [future.exception() or future.result() for future in futures]

    def close(self) -> None:
        """Closes the store, where it can be closed."""
        if hasattr(self.store, "aclose" if self._async else "close"):
            self.__getattr__("close")()


class Suite:
    """The fixtures that every suite shares; a subclass brings `open_store`.

    Attributes:
        forms: Which forms the store has. Each test is collected once for each.
        expected_failures: What the store is known to lack: from a test's name, or `name[case]`, to the reason. Such a
            test must fail.
    """

    forms: ClassVar[tuple[str, ...]] = ("sync", "async")
    expected_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuses an expected failure of a test that there is not."""
        super().__init_subclass__(**kwargs)
        for name in cls.expected_failures:
            if not hasattr(cls, name.partition("[")[0]):
                raise TypeError(f"{cls.__name__} expects {name} to fail, and has no such test.")

    @pytest.fixture
    def open_store(self, clock: FakeClock) -> Callable[..., BaseStore]:
        """The one fixture to write: gives a function that opens the store under test.

        The function takes `index` and `ttl`, as LangGraph's stores do. The first call of a test finds an empty
        place; a second call opens the same place once more. The suite closes what was opened.
        """
        raise NotImplementedError("A suite needs a fixture `open_store`; see StoreConformance.")

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The time in a test, for stores that take a clock."""
        return FakeClock()

    @pytest.fixture
    def embeddings(self) -> FakeEmbeddings:
        """The embedder of a test; counts what it is asked for."""
        return FakeEmbeddings()

    @pytest.fixture
    def index(self, embeddings: FakeEmbeddings) -> IndexConfig:
        """An index over the field `text`."""
        return {"dims": embeddings.dims, "embed": embeddings, "fields": ["text"]}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Has each test collected once for each form that the store has."""
        if "form" in metafunc.fixturenames:
            metafunc.parametrize("form", self.forms)

    @pytest.fixture
    def runner(self) -> Iterator[asyncio.Runner]:
        """The event loop of a test."""
        with asyncio.Runner() as runner:
            yield runner

    @pytest.fixture
    def opened(
        self, open_store: Callable[..., BaseStore], form: str, runner: asyncio.Runner
    ) -> Iterator[Callable[..., Forms]]:
        """Opens the store as a test wants it, and closes it afterwards."""
        stores: list[Forms] = []

        def opened(**config: Any) -> Forms:
            stores.append(Forms(open_store(**config), form, runner))
            return stores[-1]

        yield opened
        for store in stores:
            store.close()

    @pytest.fixture
    def store(self, opened: Callable[..., Forms], index: IndexConfig) -> Forms:
        """The store, with an index."""
        return opened(index=index)

    @pytest.fixture
    def sliding(self, opened: Callable[..., Forms]) -> Forms:
        """The store, where items expire ten minutes after their last use."""
        store = opened(index=None, ttl={"default_ttl": 10})
        if not store.store.supports_ttl:
            pytest.skip("This store has no TTL.")
        return store

    @pytest.fixture(autouse=True)
    def _expect_failure(self, request: pytest.FixtureRequest) -> None:
        name, case = request.node.originalname, request.node.callspec.params.get("case")
        reason = self.expected_failures.get(f"{name}[{case}]") or self.expected_failures.get(name)
        if reason:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


async def _awaited(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await method(*args, **kwargs)


async def _gathered(*awaitables: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*awaitables, return_exceptions=True)
