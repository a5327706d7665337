"""OpenTelemetry spans and metrics, where its API is installed.

Every operation is a span `langchain_mem.<operation>`, a child of the span it is called in. The metrics:

    langchain_mem.operation.duration   seconds an operation took, by operation and, where it failed, error.type
    langchain_mem.memories             memories that were changed, by what was done (ADD, UPDATE, SUPERSEDE, DELETE)
    langchain_mem.search.results       results that searches returned
    langchain_mem.refusals             proposals of a model that were not taken
    langchain_mem.purged               records removed for good
    langchain_mem.cache                look-ups in a cache (index, query), by outcome (hit, stale, miss)
    langchain_mem.store.errors         errors of the store, by error.type; also those that no operation raises

Metrics carry no ids. Spans carry the ids and numbers of what happened, and no texts. Without the API nothing is
imported and every function here returns at once; with the API and without an SDK, the API's own no-ops are called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial, wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from langchain_mem._flow import Body
from langchain_mem.errors import MemError, StoreError

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram
    from opentelemetry.trace import Tracer

P = ParamSpec("P")
R = TypeVar("R")

NAME: Final = "langchain_mem"
"""The name of the tracer and the meter, and what every span and metric begins with."""

_COUNTERS: Final = {
    "memories": "Memories that were changed, by what was done",
    "search.results": "Results that searches returned",
    "refusals": "Proposals of a model that were not taken",
    "purged": "Records removed for good",
    "cache": "Look-ups in a cache, by outcome",
    "store.errors": "Errors of the store",
}

_began: ContextVar[float | None] = ContextVar("langchain_mem_began", default=None)


class Instruments:
    """The tracer and the metrics; made once a process, when the first operation runs."""

    def __init__(self) -> None:
        from opentelemetry import metrics, trace

        meter = metrics.get_meter(NAME)
        self.tracer: Tracer = trace.get_tracer(NAME)
        self.failed = trace.StatusCode.ERROR
        self.current = trace.get_current_span
        self.duration: Histogram = meter.create_histogram(
            f"{NAME}.operation.duration", unit="s", description="How long an operation took"
        )
        self.counters: dict[str, Counter] = {
            name: meter.create_counter(f"{NAME}.{name}", description=said) for name, said in _COUNTERS.items()
        }


@cache
def instruments() -> Instruments | None:
    """The tracer and the metrics; `None` without the API of OpenTelemetry."""
    return Instruments() if find_spec("opentelemetry") and find_spec("opentelemetry.metrics") else None


def watched(body: Callable[P, Body[R]]) -> Callable[P, Body[R]]:
    """An operation whose duration and errors are noted. Its errors say no secret, neither to the caller nor there.

    Args:
        body: Its first argument takes secrets out of errors (`clean_error`). Its name is that of the operation.
    """
    name = body.__name__.strip("_")

    @wraps(body)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with operation(name):
            try:
                return await body(*args, **kwargs)
            except MemError as error:
                settings: Any = args[0]
                settings.clean_error(error)
                raise

    return run


@contextmanager
def operation(name: str) -> Iterator[None]:
    """Watches one operation: a span, its duration, and the error it raises.

    Args:
        name: The operation, such as "search".
    """
    token, start = _began.set(time.perf_counter()), time.perf_counter()
    made = instruments()
    try:
        if made is None:
            yield
        else:
            with _span(made, name), _timed(made, name, start):
                yield
    finally:
        _began.reset(token)


def elapsed_ms() -> float | None:
    """Milliseconds since the operation that is under way began; `None` outside of one."""
    began = _began.get()
    return None if began is None else (time.perf_counter() - began) * 1000


def count(name: str, by: int = 1, attributes: Mapping[str, str] | None = None) -> None:
    """Adds to a counter of this package.

    Args:
        name: Of the counter, without the package's.
        by: How much; zero adds nothing.
        attributes: What it is counted by; no ids.
    """
    made = instruments()
    if made is not None and by:
        made.counters[name].add(by, dict(attributes or {}))


@cache
def lookups(cached: str) -> Mapping[str, Callable[[int], None]]:
    """What counts look-ups in a cache, by their outcome. Worked out once, for every search has some.

    Args:
        cached: What is looked up: "index" or "query".
    """
    made, outcomes = instruments(), ("hit", "stale", "miss")
    if made is None:
        return dict.fromkeys(outcomes, lambda by: None)
    add = made.counters["cache"].add
    return {outcome: partial(add, attributes={"cache": cached, "outcome": outcome}) for outcome in outcomes}


def _span(made: Instruments, name: str) -> Any:
    """A span that is told of an error's type by `_timed`; an error's message may quote what was given or stored."""
    return made.tracer.start_as_current_span(f"{NAME}.{name}", record_exception=False, set_status_on_exception=False)


@contextmanager
def _timed(made: Instruments, name: str, start: float) -> Iterator[None]:
    attributes = {"operation": name}
    try:
        yield
    except Exception as error:
        attributes["error.type"] = type(error).__name__
        made.current().set_attribute("error.type", type(error).__name__)
        made.current().set_status(made.failed)
        if isinstance(error, StoreError):
            count("store.errors", 1, {"error.type": type(error).__name__})
        raise
    finally:
        made.duration.record(time.perf_counter() - start, attributes)
