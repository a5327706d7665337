"""Graphs for the savers' tests, and how to ask about their threads."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.conformance.test_utils import generate_checkpoint, generate_metadata
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

OpenSaver = Callable[..., Any]
"""Opens an empty saver: `open_saver(retention=…, clock=…, serde=…)`."""


class SyncForms(BaseCheckpointSaver[str]):
    """A saver's sync methods behind the async names, so that one suite tests both forms."""

    def __init__(self, saver: Any) -> None:
        super().__init__(serde=saver.serde)
        self.saver = saver

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self.saver.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.saver.put_writes(config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.saver.get_tuple(config)

    async def alist(self, config: RunnableConfig | None, **options: Any) -> AsyncIterator[CheckpointTuple]:
        for item in self.saver.list(config, **options):
            yield item

    async def adelete_thread(self, thread_id: str) -> None:
        self.saver.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        self.saver.delete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self.saver.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self.saver.prune(thread_ids, strategy=strategy)


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


def extend(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


class DeltaLog(TypedDict):
    log: Annotated[list[str], DeltaChannel(extend, snapshot_frequency=5)]
    label: str


def thread(name: str = "t", **configurable: Any) -> RunnableConfig:
    return {"configurable": {"thread_id": name, **configurable}}


def chat(saver: Any, state: type = Log) -> Any:
    """One node that answers each turn."""

    def answer(state: Any) -> dict[str, Any]:
        return {"log": [f"answer {len(state['log'])}"]}

    builder = StateGraph(state)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer").add_edge("answer", END)
    return builder.compile(checkpointer=saver)


class Monologue(TypedDict):
    turn: int
    left: int
    said: str


def monologue(saver: Any) -> Any:
    """One node that speaks `left` times, each time a kilobyte."""

    def speak(state: Monologue) -> Monologue:
        return {"turn": state["turn"] + 1, "left": state["left"] - 1, "said": f"{state['turn']:04}" * 250}

    builder = StateGraph(Monologue)
    builder.add_node("speak", speak)
    builder.add_edge(START, "speak")
    builder.add_conditional_edges("speak", lambda state: "speak" if state["left"] else END)
    return builder.compile(checkpointer=saver)


def approval(saver: Any) -> Any:
    """A subgraph that asks a person, inside a graph that did some work before."""

    def ask(state: Any) -> dict[str, Any]:
        return {"log": [f"person said {interrupt('may I?')}"]}

    inner = StateGraph(Log)
    inner.add_node("prepare", lambda state: {"log": ["prepared"]})
    inner.add_node("ask", ask)
    inner.add_edge(START, "prepare").add_edge("prepare", "ask").add_edge("ask", END)
    outer = StateGraph(Log)
    outer.add_node("work", lambda state: {"log": ["worked"]})
    outer.add_node("approve", inner.compile())
    outer.add_edge(START, "work").add_edge("work", "approve").add_edge("approve", END)
    return outer.compile(checkpointer=saver)


def talk(graph: Any, turns: int, config: RunnableConfig | None = None) -> None:
    for turn in range(turns):
        graph.invoke({"log": [f"turn {turn}"]}, config or thread())


def ids(saver: Any, config: RunnableConfig | None) -> list[str]:
    return [item.config["configurable"]["checkpoint_id"] for item in saver.list(config)]


def namespaces(saver: Any, config: RunnableConfig) -> set[str]:
    return {item.config["configurable"]["checkpoint_ns"] for item in saver.list(config)}


@contextmanager
def by_hand(open_saver: OpenSaver, **options: Any) -> Iterator[Any]:
    """A saver whose first automatic sweep is over, so that what goes is what a test sweeps."""
    with open_saver(**options) as saver:
        saver.put(thread("first", checkpoint_ns=""), generate_checkpoint(), generate_metadata(), {})
        saver.join()
        saver.delete_thread("first")
        yield saver


def later(**units: float) -> datetime:
    """An instant from now on, for checkpoint ids tell the real time."""
    return datetime.now(UTC) + timedelta(**units)


def id_at(written: datetime) -> str:
    """The version 6 UUID of an instant, worked out from RFC 9562 the other way round."""
    ticks = (written - datetime(1582, 10, 15, tzinfo=UTC)) // timedelta(microseconds=1) * 10
    digits = f"{ticks:015x}"
    return f"{digits[:8]}-{digits[8:12]}-6{digits[12:]}-8000-000000000000"
