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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from langchain_mem.errors import StoreError
from langchain_mem.watching.measures import measures, outcomes

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram
    from opentelemetry.trace import Tracer

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


class _Instruments:
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
def _instruments() -> _Instruments | None:
    return _Instruments() if find_spec("opentelemetry") and find_spec("opentelemetry.metrics") else None


@contextmanager
def operation(name: str) -> Iterator[None]:
    """Watches one operation: a span, its duration, and the error it raises.

    Args:
        name: The operation, such as "search".
    """
    token, start = _began.set(time.perf_counter()), time.perf_counter()
    instruments = _instruments()
    try:
        if instruments is None:
            yield
        else:
            with _span(instruments, name), _timed(instruments, name, start):
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
    instruments = _instruments()
    if instruments is not None and by:
        instruments.counters[name].add(by, dict(attributes or {}))


def count_event(type_: str, ids: Mapping[str, Any], details: Mapping[str, Any]) -> None:
    """Counts what an event tells, and notes its ids and numbers on the span that is under way."""
    instruments = _instruments()
    if instruments is None:
        return
    if type_ == "search":
        count("search.results", len(details.get("results") or ()))
    else:
        for event, times in outcomes(details.get("results")).items():
            count("memories", times, {"event": event})
        count("refusals", len(details.get("rejected") or ()))
        count("purged", int(details.get("removed") or 0))
    span = instruments.current()
    if span.is_recording():
        known = {**ids, **measures(details)}
        span.set_attributes({f"{NAME}.{name}": value for name, value in known.items() if value is not None})


def _span(instruments: _Instruments, name: str) -> Any:
    """A span that is told of an error's type by `_timed`; an error's message may quote what was given or stored."""
    return instruments.tracer.start_as_current_span(
        f"{NAME}.{name}", record_exception=False, set_status_on_exception=False
    )


@contextmanager
def _timed(instruments: _Instruments, name: str, start: float) -> Iterator[None]:
    attributes = {"operation": name}
    try:
        yield
    except Exception as error:
        attributes["error.type"] = type(error).__name__
        instruments.current().set_attribute("error.type", type(error).__name__)
        instruments.current().set_status(instruments.failed)
        if isinstance(error, StoreError):
            count("store.errors", 1, {"error.type": type(error).__name__})
        raise
    finally:
        instruments.duration.record(time.perf_counter() - start, attributes)
