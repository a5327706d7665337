"""Whatever a command is given, it ends by a short line and no traceback, and the store works on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import Result

from langchain_mem import Memory
from langchain_mem.cli import app
from tests.program import run

LONG = "q" * 5_000
SECRET = "s3cr3t-of-a-dsn"
SERVING = {"demo", "bench", "ui", "mcp"}
"""Commands that run until they are stopped, or for long."""

SHORT = settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def _leaves(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in getattr(group, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from _leaves(command, (*before, name))
        elif name not in SERVING:
            yield (*before, name), command


COMMANDS = dict(_leaves(typer.main.get_command(app)))

values = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                " ",
                "-",
                "--",
                "-2",
                "0",
                "1e9",
                str(2**70),
                "nan",
                "abc",
                LONG,
                "\ud800",
                "\x00",
                "{}",
                "[1]",
                "a=b",
                "=",
            ),
            *(
                "9999-12-31",
                "notes.txt",
                ":memory:",
                f"mysql://app:{SECRET}@h/db",
                f"postgresql://app:{SECRET}@127.0.0.1:1/x",
            ),
            *("alex", "food", "mem0", "langmem", "minilm", "no-such-embedder", "foo:bar"),
        ]
    ),
    st.text(alphabet=st.characters(exclude_characters="/\\.~"), max_size=8),
)


@st.composite
def lines(draw: st.DrawFn, names: list[tuple[str, ...]]) -> list[str]:
    """A command with arguments and options, most of them wrong."""
    name = draw(st.sampled_from(names))
    told = [*name]
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument":
            told += [draw(values)] if draw(st.integers(0, 5)) else []
        elif parameter.opts[0] == "--store":
            told += ["--store", draw(st.one_of(st.just("memory"), st.just("memory"), values))]
        elif draw(st.integers(0, 2)) == 0 and parameter.opts[0] != "--help":
            told += [parameter.opts[0], *([] if parameter.is_flag else [draw(values)])]
    return told + (["--yes"] if draw(st.booleans()) else [])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a store and a file in it, which is where commands write by default."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGCHAIN_MEM_STORE", str(tmp_path / "memory"))
    (tmp_path / "notes.txt").write_text("no export\n")
    with Memory(tmp_path / "memory") as memory:
        memory.add("Likes tea", user_id="alex")
    return tmp_path


def _check(told: list[str]) -> None:
    done = run(*told, input="")
    assert done.exception is None or isinstance(done.exception, SystemExit), (told, done.exception)
    assert done.exit_code in (0, 1, 2, 3, 5), told  # as docs/cli.md has them; 4 is another process
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert LONG[:201] not in said.replace("\n", "").replace(" ", ""), told
    assert SECRET not in said, told
    after: Result = run("list", "--store", "memory")
    assert after.exit_code == 0, (told, after.stderr)


@pytest.mark.parametrize(
    "told",
    [["import", f"postgresql://app:{SECRET}@127.0.0.1:1/x", "--store", "abc"], ["add", "x", "--store", "\ud800"]],
)
def test_found_by_the_fuzzer(told: list[str], place: Path) -> None:
    """An address where a file was meant, and a path that no system can write."""
    _check(told)


@SHORT
@given(told=lines(sorted(COMMANDS)))
def test_commands(told: list[str], place: Path) -> None:
    """Any command with any arguments: done, or refused in words."""
    _check(told)


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(COMMANDS), ids=" ".join)
def test_commands_at_length(name: tuple[str, ...], place: Path) -> None:
    """The same with many more arguments of each command."""

    @settings(SHORT, max_examples=60)
    @given(told=lines([name]))
    def check(told: list[str]) -> None:
        _check(told)

    check()
