"""How far a reader walks to follow one operation: files visited, and moves from one file to another.

A profiler hook notes the file of each function of the package that an operation enters, on its own thread. A coroutine
that goes on after an `await` is not entered again, and `_flow`, which every operation runs through, is left out. The
store is open and holds a few memories. Each operation is done twice: the first time an owner's index is made, and
afterwards it is at hand.

    python benchmarks/walk.py           # the table for docs/architecture.md
    python benchmarks/walk.py search    # the files of one way, in the order in which they are visited
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint

import langchain_mem
from langchain_mem import InMemoryCheckpointer, LongTermStore, Memory, extraction_node
from langchain_mem.backends.chroma.where import where
from langchain_mem.backends.postgres.where import Compiler
from langchain_mem.filters import parse
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel

PACKAGE = Path(langchain_mem.__file__).parent
LEFT_OUT = {"_flow.py", "_lazy.py", "testing"}
FACTS = ["Likes green tea", "Plays the cello", "Works at Initech", "Has a dog named Rex"]
FILTER = {"AND": [{"categories": {"in": ["food", "music"]}}, {"metadata": {"stars": {"gte": 3}}}]}


class Way(NamedTuple):
    """The files that one operation entered, one after the other."""

    files: list[str]

    @property
    def visited(self) -> int:
        """How many different files."""
        return len(set(self.files))

    @property
    def moves(self) -> int:
        """How many times a function of another file was entered."""
        return max(0, len(self.files) - 1)


def way_of(operation: Callable[[], object]) -> Way:
    """The way of an operation, done once."""
    entered: dict[FrameType, str] = {}  # the frames are kept, so that none is taken for another

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # no module that is being imported
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(PACKAGE) and file.relative_to(PACKAGE).parts[0] not in LEFT_OUT:
                entered.setdefault(frame, str(file.relative_to(PACKAGE)))

    sys.setprofile(note)
    try:
        operation()
    finally:
        sys.setprofile(None)
    return Way([file for file, _ in itertools.groupby(entered.values())])


def searching() -> Iterator[Callable[[], object]]:
    """A search of one owner's memories, in a dictionary."""
    with LongTermStore.in_memory(embed=FakeEmbeddings(), clock=FakeClock()) as store, _memory(store) as memory:
        numbers = itertools.count()
        yield lambda: memory.search(f"green tea {next(numbers)}", user_id="alex")


def searching_filtered() -> Iterator[Callable[[], object]]:
    """A search with a filter, in Chroma."""
    with _chroma() as store, _memory(store) as memory:
        numbers = itertools.count()
        yield lambda: memory.search(f"green tea {next(numbers)}", filters={"metadata": {"stars": 4}}, user_id="alex")


def adding() -> Iterator[Callable[[], object]]:
    """An add of one message as it is, in a dictionary."""
    with LongTermStore.in_memory(embed=FakeEmbeddings(), clock=FakeClock()) as store, _memory(store) as memory:
        numbers = itertools.count()
        yield lambda: memory.add(f"Fact number {next(numbers)}", infer=False, user_id="alex")


def learning() -> Iterator[Callable[[], object]]:
    """An add with a model that names a fact, in Chroma."""
    with _chroma() as store, _memory(store) as memory:
        numbers = itertools.count()

        def add() -> None:
            text = f"Owns {next(numbers)} bicycles"
            _model(memory).script({"operations": [{"action": "add", "text": text, "evidence": [0]}]})
            memory.add(f"I have a hobby: {text}", infer=True, user_id="alex")

        yield add


def extracting() -> Iterator[Callable[[], object]]:
    """A run of `extraction_node` on a thread with one new turn, in Chroma."""
    with _chroma() as store, _memory(store) as memory:
        node, numbers = extraction_node(memory), itertools.count()

        def extract() -> None:
            number = next(numbers)
            text = f"Owns {number} bicycles"
            _model(memory).script({"operations": [{"action": "add", "text": text, "evidence": [0]}]})
            said = HumanMessage(f"I have a hobby: {text}", id=f"h{number}")
            node.invoke(
                {"messages": [said, AIMessage("Noted.", id=f"a{number}")]},
                {"configurable": {"thread_id": "t", "user_id": "alex"}},
            )

        yield extract


def putting() -> Iterator[Callable[[], object]]:
    """`LongTermStore.put` of one item, in a dictionary."""
    with LongTermStore.in_memory(embed=FakeEmbeddings(), clock=FakeClock()) as store:
        store.put(("notes",), "first", {"text": "black tea"})
        numbers = itertools.count()
        yield lambda: store.put(("notes",), str(next(numbers)), {"text": "green tea"})


def checkpointing() -> Iterator[Callable[[], object]]:
    """`put` of one checkpoint, in memory."""
    checkpointer = InMemoryCheckpointer()
    config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    yield lambda: checkpointer.put(config, empty_checkpoint(), {}, {})


def to_where() -> Iterator[Callable[[], object]]:
    """A filter from its text form to Chroma's `where`."""
    yield lambda: where(parse(FILTER))


def to_sql() -> Iterator[Callable[[], object]]:
    """A filter from its text form to SQL."""
    yield lambda: Compiler("i.fields").compile(parse(FILTER))


WAYS = {
    "search": ("search, dictionary", searching),
    "search-chroma": ("search with a filter, Chroma", searching_filtered),
    "add": ("add verbatim, dictionary", adding),
    "learn": ("add with a model, Chroma", learning),
    "extract": ("`extraction_node`, Chroma", extracting),
    "put": ("`LongTermStore.put`, dictionary", putting),
    "checkpoint": ("checkpoint `put`, in memory", checkpointing),
    "where": ("a filter to Chroma's `where`", to_where),
    "sql": ("a filter to SQL", to_sql),
}


def walk(name: str) -> tuple[Way, Way]:
    """The way of this name the first time, and afterwards."""
    with contextmanager(WAYS[name][1])() as operation:
        return way_of(operation), way_of(operation)


def table() -> str:
    """All ways as a table in Markdown."""
    ways = {said: walk(name) for name, (said, _) in WAYS.items()}
    lines = [
        f"| {said} | {then.visited} | {then.moves} | {first.visited} | {first.moves} |"
        for said, (first, then) in ways.items()
    ]
    head = "| operation | files | moves | files, first time | moves, first time |"
    return "\n".join([head, "|---|---|---|---|---|", *lines])


@contextmanager
def _memory(store: LongTermStore) -> Iterator[Memory]:
    """A memory with some facts of one owner in it. The model is for those calls that ask for it."""
    with Memory(store, clock=FakeClock(), model=ScriptedModel()) as memory:
        for fact in FACTS:
            memory.add(fact, infer=False, metadata={"stars": 4}, categories=["food"], user_id="alex")
        yield memory


@contextmanager
def _chroma() -> Iterator[LongTermStore]:
    with (
        tempfile.TemporaryDirectory() as folder,
        LongTermStore.chroma(folder, embed=FakeEmbeddings(), clock=FakeClock()) as store,
    ):
        yield store


def _model(memory: Memory) -> ScriptedModel:
    assert isinstance(memory.model, ScriptedModel)
    return memory.model


def main() -> None:
    """Prints the table, or the files of one way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", nargs="?", choices=list(WAYS))
    name = parser.parse_args().way
    print(table() if name is None else "\n".join(walk(name)[1].files))


if __name__ == "__main__":
    main()
