"""Every command, through typer's own runner; what goes wrong is one line and exit code 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from langchain_mem import Memory
from langchain_mem.cli import app, one_line

HEAVY = {"chromadb", "langchain", "langchain_core", "langgraph", "numpy", "psycopg", "starlette", "torch"}


def _run(*arguments: str, **given: Any) -> Result:
    return CliRunner().invoke(app, [*arguments], **given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture
def ids(folder: Path) -> dict[str, str]:
    """The ids of memories that lie in the folder, by their texts."""
    with Memory(folder) as memory:
        for text in ("Likes green tea", "Lives in Oslo"):
            memory.add(text, user_id="alex")
        memory.add("Speaks briefly", agent_id="guide")
        memory.add("Browses laptops", user_id="alex", expiration_date=timedelta(microseconds=1))
        every = memory.get_all(user_id="alex", agent_id="guide", show_expired=True)["results"]
        return {each["memory"]: each["id"] for each in every}


def test_help_is_quick():
    """`--help` names every command, and loads none of the engines and frameworks."""
    code = "import sys; from langchain_mem.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *shown, loaded = done.stdout.splitlines()
    assert not HEAVY & set(loaded.split())
    assert {"demo", "search", "erase", "import-mem0", "copy-store", "ui"} <= {
        line.split()[0] for line in shown if line.strip()
    }


def test_as_a_process(folder: Path, ids: dict[str, str]):
    """The program itself finds a memory, and says an error in one line without a traceback."""
    environment = {**os.environ, "LANGCHAIN_MEM_STORE": str(folder)}
    program = [sys.executable, "-m", "langchain_mem.cli"]
    found = subprocess.run([*program, "list"], env=environment, capture_output=True, text=True, check=True)
    assert f"{ids['Lives in Oslo']}  Lives in Oslo" in found.stdout
    wrong = subprocess.run([*program, "search", ""], env=environment, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (1, "", 1)


@pytest.mark.usefixtures("ids")
def test_users(folder: Path):
    """Who has memories, with how many."""
    lines = _run("users", "--store", str(folder)).stdout.splitlines()
    assert [line.split(",")[0].split() for line in lines] == [
        ["agent", "guide", "1", "memories"],
        ["user", "alex", "2", "memories"],
    ]


@pytest.mark.usefixtures("ids")
def test_search(folder: Path):
    """The best comes first with its score; one owner's where one is named; and it counts as no use."""
    before = _run("export", "--store", str(folder)).stdout
    first = _run("search", "Which tea?", "--store", str(folder)).stdout.splitlines()[0]
    assert first.endswith("Likes green tea")
    assert 0 < float(first.split()[0]) <= 1
    assert "tea" not in _run("search", "Which tea?", "--store", str(folder), "--agent", "guide").stdout
    assert _run("export", "--store", str(folder)).stdout == before


@pytest.mark.usefixtures("ids")
def test_search_explains(folder: Path):
    """With --explain, the numbers behind a score are JSON below it."""
    text = _run("search", "Which tea?", "--store", str(folder), "--explain", "--top-k", "1").stdout
    details = json.loads(text.split("\n", 1)[1])
    assert details["product"] == pytest.approx(details["relevance"] * details["factor"])


@pytest.mark.usefixtures("ids")
def test_list(folder: Path):
    """Live memories, and expired ones where asked for."""
    assert _run("list", "--store", str(folder), "--user", "alex").stdout.splitlines()[-1] == "2 in all"
    assert "Browses laptops" in _run("list", "--store", str(folder), "--expired").stdout


def test_history(folder: Path, ids: dict[str, str]):
    """Every change, oldest first, and what is gone as gone."""
    with Memory(folder) as memory:
        memory.update(ids["Lives in Oslo"], "Lives in Bergen")
        memory.delete(ids["Lives in Oslo"])
    lines = _run("history", ids["Lives in Oslo"], "--store", str(folder)).stdout.splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines] == [
        "ADD         Lives in Oslo",
        "UPDATE      Lives in Bergen",
        "DELETE      (gone)",
    ]


@pytest.mark.usefixtures("ids")
def test_export_and_import(folder: Path, tmp_path: Path):
    """What is exported is imported elsewhere whole, once."""
    lines = _run("export", "--store", str(folder)).stdout
    (tmp_path / "memories.jsonl").write_text(lines, encoding="utf-8")
    options = ("import", str(tmp_path / "memories.jsonl"), "--store", str(tmp_path / "other"))
    assert _run(*options).stdout == "4 imported, 0 replaced, 0 skipped\n"
    assert _run(*options).stdout == "0 imported, 0 replaced, 4 skipped\n"
    assert _run(*options, "--replace").stdout == "0 imported, 4 replaced, 0 skipped\n"
    assert _run("export", "--store", str(tmp_path / "other")).stdout == lines


@pytest.mark.usefixtures("ids")
def test_erase(folder: Path):
    """It asks first, and then removes one person and no other."""
    refused = _run("erase", "alex", "--store", str(folder), input="n\n")
    assert refused.exit_code == 1
    assert "alex" in _run("users", "--store", str(folder)).stdout
    assert _run("erase", "alex", "--store", str(folder), "--yes").exit_code == 0
    assert _run("users", "--store", str(folder)).stdout.split()[:2] == ["agent", "guide"]


@pytest.mark.usefixtures("ids")
def test_purge(folder: Path):
    """What has expired goes for good; what lives stays."""
    assert _run("purge", "--store", str(folder)).stdout == "0 memories removed\n"
    assert _run("purge", "--store", str(folder), "--days", "0").stdout == "1 memories removed\n"
    assert _run("list", "--store", str(folder), "--expired").stdout.splitlines()[-1] == "3 in all"


MEM0 = {"id": "m1", "memory": "Likes tea", "user_id": "alex", "created_at": "2024-07-01T10:00:00Z", "metadata": None}


def _file(folder: Path, *entries: Any) -> str:
    path = folder / "mem0.jsonl"
    path.write_text("\n".join(json.dumps(entry) for entry in entries), encoding="utf-8")
    return str(path)


def test_import_mem0(folder: Path, tmp_path: Path):
    """A dry run writes nothing, not even a folder; then it is imported once."""
    options = ("import-mem0", _file(tmp_path, MEM0, {**MEM0, "id": "m2"}), "--store", str(folder))
    dry = _run(*options, "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "1 would be imported, 0 here already, 1 say the same as another\n")
    assert not folder.exists()
    assert _run(*options).stdout == "1 imported, 0 here already, 1 say the same as another\n"
    assert _run(*options).stdout == "0 imported, 1 here already, 1 say the same as another\n"
    assert "m1  Likes tea" in _run("list", "--store", str(folder), "--user", "alex").stdout


def test_import_mem0_names_what_is_bad(folder: Path, tmp_path: Path):
    """Good memories are taken, the bad are named one a line, and the exit code tells a script."""
    done = _run("import-mem0", _file(tmp_path, MEM0, {"memory": "Whose?"}, 5), "--store", str(folder))
    assert (done.exit_code, done.stdout.split(",")[0]) == (1, "1 imported")
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["line 2", "line 3"]


def test_import_mem0_for_an_owner(folder: Path, tmp_path: Path):
    """--user owns what names nobody."""
    assert (
        _run("import-mem0", _file(tmp_path, {"memory": "Sails"}), "--store", str(folder), "--user", "mia").exit_code
        == 0
    )
    assert "Sails" in _run("list", "--store", str(folder), "--user", "mia").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("users",),
        ("list", "--page", "0"),
        ("search", ""),
        ("search", "tea", "--top-k", "0"),
        ("history", "no-such-id"),
        ("import", "missing.jsonl"),
        ("import-mem0", "missing.json"),
        ("import-langmem", "--from", "missing.db"),
        ("copy-store", "--from", "missing.db", "--to", "copy"),
        ("demo", "missing.json"),
        ("ui",),
    ],
)
def test_errors_are_one_line(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where there is no such store, file or memory, one line says so, and the exit code is 1."""
    monkeypatch.chdir(tmp_path)
    if arguments[0] in ("list", "search", "history"):
        (tmp_path / "memory").mkdir()
    done = _run(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert not isinstance(done.exception, (ValueError, OSError))


def test_looking_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A command that reads does not leave an empty store behind."""
    monkeypatch.chdir(tmp_path)
    assert _run("users").exit_code == 1
    assert not list(tmp_path.iterdir())


def test_what_is_stored_does_not_steer_a_terminal():
    """Escape sequences and new lines of a memory are shown as characters of one line."""
    assert one_line("a\x1b[2J\nb\tc") == "a\ufffd[2J b c"
