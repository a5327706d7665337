"""Imports point down: each module stands on a floor and imports from its own floor or from those below."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import langchain_mem

ROOT = Path(langchain_mem.__file__).parent

FLOORS = {
    # Doors: what people start.
    8: "__main__ cli demo server ui",
    # Surfaces: what LangGraph and LangChain meet. A few lines a method; they decide nothing.
    7: "integrations migrate testing",
    # Operations on any LangGraph store.
    6: "memory",
    # What the operations stand on: what they know of a store, what they tell, and what they do later.
    5: "background events repository",
    # The two contracts of LangGraph.
    4: "checkpointers store",
    # Places. A backend sees no clock, no embedder and no model.
    3: "backends embeddings",
    # Model calls, and what is made of them; what watches.
    2: "extraction watching",
    # Pure: no input or output, and no clock.
    1: "decay filters ranking rendering",
    0: "_flow _lazy _moved _regex _version errors model",
}

FLOOR = {name: floor for floor, names in FLOORS.items() for name in names.split()}

UPWARD = {
    ("memory.facade", "integrations.tools"),
    ("memory.facade", "integrations.retriever"),
    ("memory.facade", "ui.serving"),
}
"""`memory.tools()`, `as_retriever()` and `ui()` hand out surfaces, and import them inside themselves."""

HEAVY = {"chromadb", "langchain", "langchain_openai", "langgraph", "psycopg", "torch", "transformers"}


def _name(path: Path) -> str:
    """The module's name below the package: "store", "backends.base", and "" for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


WALL_CLOCKS = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns")

MODULES = {_name(path): path for path in sorted(ROOT.rglob("*.py"))}
BELOW = [name for name in MODULES if name]  # the package itself hands out everything, lazily
LOWER = [name for name in BELOW if FLOOR.get(name.split(".")[0], 9) <= 3 or name == "checkpointers.retention"]


@cache
def _tree(name: str) -> ast.Module:
    """A module, parsed where a test asks for it: not by every process that only collects tests."""
    return ast.parse(MODULES[name].read_text("utf-8"))


def _floor(name: str) -> int:
    """The floor of the room a module is in."""
    room = name.split(".")[0]
    if room not in FLOOR:
        pytest.fail(f"langchain_mem.{room} stands on no floor: add it to FLOORS, as low as it can be.")
    return FLOOR[room]


def _statements(tree: ast.AST, *, inside: bool) -> Iterator[ast.AST]:
    """What runs: not what only type checkers read; with `inside`, also what functions run when called."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        if inside or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _statements(node, inside=inside)


def _targets(node: ast.AST) -> list[str]:
    """The modules of this package that one statement imports; `from package import module` counts as the module."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        modules = [name for name in inner if name.removeprefix("langchain_mem.") in MODULES]
        names = modules if len(modules) == len(inner) else [node.module, *modules]
    else:
        return []
    ours = [name for name in names if name.split(".")[0] == "langchain_mem"]
    return [name.removeprefix("langchain_mem").removeprefix(".") for name in ours]


@cache
def _imports(name: str, *, inside: bool) -> set[str]:
    return {target for node in _statements(_tree(name), inside=inside) for target in _targets(node)}


def test_imports_point_down():
    """A module imports from its own floor or below, also inside its functions."""
    arrows = {(name, target) for name in BELOW for target in _imports(name, inside=True) - {""}}
    assert not sorted((name, target) for name, target in arrows - UPWARD if _floor(target) > _floor(name))


def _doc(room: str) -> str:
    """What a room's `__init__` says of it, on one line."""
    return " ".join((ast.get_docstring(_tree(room)) or "").split())


ROOMS = [name for name in FLOOR if (ROOT / name / "__init__.py").exists()]
INNER = ["backends.chroma", "backends.postgres", "memory.reading", "memory.writing"]
BESIDE = {"_flow", "_lazy", "_moved", "_regex", "_version"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_may_import(room: str):
    """The sentence in its `__init__` names every room that is imported, and none above its own floor."""
    (sentence,) = re.findall(r"[Ii]t may import (.*?)(?:\.(?= |$)|, beside|, and )", _doc(room))
    below = {name for name in FLOOR if FLOOR[name] <= FLOOR[room]}
    named = below if sentence.startswith("every room below it") else set(re.findall(r"`(\w+)`", sentence))
    assert named <= below
    arrows = {(name, target) for name in BELOW if name.split(".")[0] == room for target in _imports(name, inside=True)}
    assert {target.split(".")[0] for _, target in arrows - UPWARD} <= named | BESIDE | {room}


@pytest.mark.parametrize("room", [*ROOMS, *INNER])
def test_a_room_says_where_to_start(room: str):
    """Its `__init__` names a file to start with, which is there."""
    (start,) = re.findall(r"Start reading with (?:the docstring of `\w+` in )?`(\w+)`", _doc(room))
    assert f"{room}.{start}" in MODULES
    assert "may import" in _doc(room)


def test_the_exceptions_are_made_inside_functions():
    """What may point up is imported when called, never when the module is loaded."""
    assert not [(name, up) for name, up in UPWARD if name in MODULES and up in _imports(name, inside=False)]


def test_nothing_imports_the_front_door():
    """Inside the package a name comes from where it is defined: the public names are for users."""
    assert not [name for name in BELOW if "" in _imports(name, inside=True)]


def test_no_files_go_in_a_circle():
    """Whoever reads a file and what it imports, also inside functions, never comes back to it."""
    try:
        TopologicalSorter({name: _imports(name, inside=True) - {""} for name in BELOW}).prepare()
    except CycleError as error:
        pytest.fail(f"These import each other: {' -> '.join(error.args[1])}")


def test_the_lower_floors_read_no_clock():
    """Time enters above, as `clock`, and travels as an argument."""
    nodes = [(name, node) for name in LOWER for node in ast.walk(_tree(name)) if isinstance(node, ast.Call)]
    calls = [(name, ast.unparse(node.func)) for name, node in nodes]
    assert not [(name, call) for name, call in calls if call.endswith(WALL_CLOCKS)]


def test_flow_needs_only_the_standard_library():
    """The two drivers can be read, and copied, on their own."""
    nodes = ast.walk(_tree("_flow"))
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    assert {module.split(".")[0] for module in imported} <= sys.stdlib_module_names


def test_importing_loads_nothing_heavy():
    """The engines, the frameworks and the models are loaded when they are used. A memory without a model uses few."""
    code = f"""
import sys, langchain_mem, langchain_mem.checkpointers, langchain_mem.testing
print(sorted({HEAVY!r} & set(sys.modules)))
langchain_mem.Memory(":memory:", embed=langchain_mem.testing.FakeEmbeddings()).search("tea", user_id="ana")
print(sorted({HEAVY | {"langsmith", "openai"}!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['langgraph']"]
