"""OpenTelemetry: what its in-memory exporters get from real operations."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_mem import LongTermStore, Memory
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.errors import FilterError, ScopeError, StoreError
from langchain_mem.testing import FakeEmbeddings
from tests.memories import Bench, op, proposed

SECRET = "the plan is to open a bakery"


class Telemetry:
    """What was exported since the last look."""

    def __init__(self) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(MeterProvider([self._reader]))
        self._before: dict[Any, float] = {}

    def start(self) -> None:
        """Forgets what was exported so far."""
        self._spans.clear()
        self._before = self._points()

    @property
    def spans(self) -> dict[str, Any]:
        """The finished spans by name."""
        return {span.name: span for span in self._spans.get_finished_spans()}

    def counted(self, name: str) -> dict[tuple[str, ...], float]:
        """How much a metric grew, by the values of its attributes; for a histogram, how often it was recorded."""
        grown = {key: value - self._before.get(key, 0) for key, value in self._points().items()}
        return {key[1:]: value for key, value in grown.items() if key[0] == f"langchain_mem.{name}" and value}

    def everything(self) -> str:
        """All that was exported, as text."""
        return str([span.to_json() for span in self._spans.get_finished_spans()]) + str(self._reader.get_metrics_data())

    def _points(self) -> dict[tuple[str, ...], float]:
        data: Any = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            (metric.name, *(str(value) for _, value in sorted(point.attributes.items()))): getattr(
                point, "value", getattr(point, "count", 0)
            )
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }


@pytest.fixture(scope="module")
def exported() -> Telemetry:
    """The exporters of this process: OpenTelemetry takes its providers once."""
    return Telemetry()


@pytest.fixture
def telemetry(exported: Telemetry) -> Telemetry:
    exported.start()
    return exported


class Broken(DictionaryBackend):
    """A backend that cannot read."""

    async def search(self, query: Any) -> Any:
        raise StoreError("The disk is gone.")

    async def changes(self, *args: Any) -> Any:
        raise StoreError("The disk is gone.")


def test_an_operation_is_a_span(telemetry: Telemetry):
    """Its span has its name, the ids and the numbers of what happened, and hangs below the caller's."""
    bench = Bench()
    with trace.get_tracer("app").start_as_current_span("request") as request:
        bench.memory.add(SECRET, user_id="alex")
        bench.memory.search("Which plan?", user_id="alex")
    search = telemetry.spans["langchain_mem.search"]
    assert search.parent.span_id == request.get_span_context().span_id
    assert search.attributes["langchain_mem.user_id"] == "alex"
    assert search.attributes["langchain_mem.results"] == 1
    assert telemetry.spans["langchain_mem.add"].attributes["langchain_mem.added"] == 1


async def test_on_an_event_loop(telemetry: Telemetry):
    """The async forms make the same spans, below the same parent."""
    bench = Bench()
    with trace.get_tracer("app").start_as_current_span("request") as request:
        await bench.memory.aadd(SECRET, user_id="alex")
    assert telemetry.spans["langchain_mem.add"].parent.span_id == request.get_span_context().span_id


def test_durations_and_counts(telemetry: Telemetry):
    """Each operation is timed by its name; what was changed, found, refused and removed is counted, without ids."""
    bench = Bench(proposed(op("add", "Opens a bakery"), op("add", "Owns a boat", evidence=[9])))
    bench.memory.add(SECRET, user_id="alex")
    bench.memory.search("bakery", user_id="alex")
    bench.memory.search("bakery", user_id="alex")
    bench.memory.delete_all(user_id="alex")
    bench.memory.purge_expired(user_id="alex")
    durations = telemetry.counted("operation.duration")
    assert durations == {("add",): 1, ("search",): 2, ("delete_all",): 1, ("purge_expired",): 1}
    assert telemetry.counted("memories") == {("ADD",): 1, ("DELETE",): 1}
    assert telemetry.counted("search.results") == {(): 2}
    assert telemetry.counted("refusals") == {(): 1}
    assert telemetry.counted("purged")[()] >= 1
    assert telemetry.counted("cache")[("query", "hit")] >= 1


def test_nothing_tells_a_text(telemetry: Telemetry):
    """Neither a span nor a metric holds what a memory or a query says."""
    bench = Bench()
    bench.memory.add(SECRET, user_id="alex", metadata={"note": "bakery"}, categories=["bakery"])
    bench.memory.search("Which bakery?", user_id="alex")
    assert "bakery" not in telemetry.everything()


def test_an_error_is_told_by_its_type(telemetry: Telemetry):
    """Messages of errors quote what was given, so a span has the type alone."""
    with pytest.raises(FilterError, match="bakery"):
        Bench().memory.get_all(filters={"bakery": SECRET}, user_id="alex")
    assert telemetry.spans["langchain_mem.get_all"].attributes["error.type"] == "FilterError"
    assert "bakery" not in telemetry.everything()


def test_an_error_of_the_store(telemetry: Telemetry):
    """It is raised as ever; the span is in error, the duration says of which kind, and it is counted."""
    memory = Memory(LongTermStore(Broken(), embed=FakeEmbeddings()))
    with pytest.raises(StoreError):
        memory.get_all(user_id="alex")
    assert telemetry.counted("store.errors") == {("StoreError",): 1}
    assert telemetry.counted("operation.duration") == {("StoreError", "get_all"): 1}
    assert not telemetry.spans["langchain_mem.get_all"].status.is_ok


def test_a_mistake_of_the_caller_is_no_error_of_the_store(telemetry: Telemetry):
    """A search that names nobody is timed as what it is."""
    with pytest.raises(ScopeError):
        Bench().memory.search("tea")
    assert telemetry.counted("store.errors") == {}
    assert telemetry.counted("operation.duration") == {("ScopeError", "search"): 1}


def test_errors_that_no_operation_raises_are_counted(telemetry: Telemetry):
    """Uses that cannot be written fail no search, and are not hidden from who watches."""

    class NoTouches(DictionaryBackend):
        async def touch(self, touches: Any, keep: int) -> None:
            raise StoreError("The disk is full.")

    memory = Memory(LongTermStore(NoTouches(), embed=FakeEmbeddings()))
    memory.add("Likes tea", user_id="alex")
    memory.search("tea", user_id="alex")
    with pytest.raises(StoreError):
        memory.flush()
    assert telemetry.counted("store.errors")[("StoreError",)] >= 1


ABSENT = """
import sys
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
hidden = lambda name: name.partition(".")[0] == "opentelemetry"
PathFinder.find_spec = lambda name, *given: None if hidden(name) else find_spec(name, *given)

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeEmbeddings

memory = Memory(LongTermStore.in_memory(embed=FakeEmbeddings()))
memory.add("Likes tea", user_id="alex")
assert memory.search("tea", user_id="alex")["results"]
memory.flush()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""


def test_without_opentelemetry():
    """Where its API is not installed, operations work and nothing of it is imported."""
    done = subprocess.run([sys.executable, "-c", ABSENT], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
