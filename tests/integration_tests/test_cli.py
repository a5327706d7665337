"""Every command, through typer's own runner; what goes wrong is one line and exit code 1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from typer.testing import CliRunner

import langchain_mem
from langchain_mem import LongTermStore, Memory, SqliteCheckpointer
from langchain_mem.backends.chroma.backend import ChromaBackend
from langchain_mem.cli import app
from langchain_mem.cli.printing import one_line
from langchain_mem.testing import FakeEmbeddings
from tests.program import run

COMMANDS = set(
    "demo add search get list update delete restore undo history consolidate users threads export import migrate purge "
    "sweep erase stats doctor bench ui mcp".split()
)

HEAVY = {"chromadb", "langchain", "langchain_core", "langgraph", "numpy", "psycopg", "starlette", "torch"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with memories, to be copied, and their ids by their texts."""
    folder = tmp_path_factory.mktemp("kept") / "memory"
    with Memory(folder) as memory:
        for text in ("Likes green tea", "Lives in Oslo"):
            memory.add(text, user_id="alex")
        memory.add("Speaks briefly", agent_id="guide")
        memory.add("Browses laptops", user_id="alex", expiration_date=timedelta(microseconds=1))
        every = memory.get_all(user_id="alex", agent_id="guide", show_expired=True)["results"]
        return folder, {each["memory"]: each["id"] for each in every}


@pytest.fixture
def ids(folder: Path, kept: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """The ids of memories that lie in the folder, by their texts."""
    shutil.copytree(kept[0], folder)
    return kept[1]


def test_help_is_quick():
    """`--help` names every command, and loads none of the engines and frameworks."""
    code = "import sys; from langchain_mem.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *shown, loaded = done.stdout.splitlines()
    assert not HEAVY & set(loaded.split())
    assert {word for line in shown for word in line.split()[1:2]} >= COMMANDS


def test_no_help_is_cut_off():
    """At 80 columns every command's help is whole: nothing ends in an ellipsis."""
    for command in sorted(COMMANDS):
        done = run(command, "--help", env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
        assert done.exit_code == 0, done.stderr
        assert "…" not in done.stdout
        assert "Usage:" in done.stdout


def test_version():
    """The program says which version it is."""
    assert run("--version").stdout == f"langchain-mem {langchain_mem.__version__}\n"


def test_as_a_module():
    """`python -m langchain_mem` is the same program."""
    done = subprocess.run(
        [sys.executable, "-m", "langchain_mem", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"langchain-mem {langchain_mem.__version__}\n"


def test_completion(monkeypatch: pytest.MonkeyPatch):
    """A shell can be told how to complete commands and options, whatever started the command."""
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")  # typer's own, so that the name counts
    done = CliRunner().invoke(app, ["--show-completion", "bash"])  # which makes its commands anew and sees the variable
    assert (done.exit_code, "_LANGCHAIN_MEM_COMPLETE" in done.stdout or "complete" in done.stdout) == (0, True)


def test_as_a_process(folder: Path, ids: dict[str, str]):
    """The program itself finds a memory. (Its errors as a process are in `test_ui`: a folder that is in use.)"""
    environment = {**os.environ, "LANGCHAIN_MEM_STORE": str(folder)}
    program = [sys.executable, "-m", "langchain_mem.cli"]
    found = subprocess.run([*program, "list"], env=environment, capture_output=True, text=True, check=True)
    (line,) = [line for line in found.stdout.splitlines() if "Oslo" in line]
    assert line.startswith(ids["Lives in Oslo"])
    assert line.endswith("user alex  Lives in Oslo")


@pytest.mark.usefixtures("ids")
def test_an_error_is_one_line(folder: Path):
    """What goes wrong is said in one line, on the error stream."""
    wrong = run("search", "", "--store", str(folder))
    assert (wrong.exit_code, wrong.stdout, len(wrong.stderr.splitlines())) == (1, "", 1)


@pytest.mark.usefixtures("ids")
def test_users(folder: Path):
    """Who has memories, with how many."""
    lines = run("users", "--store", str(folder)).stdout.splitlines()
    assert [line.split(",")[0].split() for line in lines] == [
        ["agent", "guide", "1", "memories"],
        ["user", "alex", "2", "memories"],
    ]


@pytest.mark.usefixtures("ids")
def test_search(folder: Path):
    """The best comes first with its score; one owner's where one is named; and it counts as no use."""
    before = run("export", "--store", str(folder)).stdout
    first = run("search", "Which tea?", "--store", str(folder)).stdout.splitlines()[0]
    assert first.endswith("Likes green tea")
    assert 0 < float(first.split()[0]) <= 1
    assert "tea" not in run("search", "Which tea?", "--store", str(folder), "--agent", "guide").stdout
    assert run("export", "--store", str(folder)).stdout == before


@pytest.mark.usefixtures("ids")
def test_search_explains(folder: Path):
    """With --explain, the numbers behind a score are JSON below it."""
    text = run("search", "Which tea?", "--store", str(folder), "--explain", "--top-k", "1").stdout
    details = json.loads(text.split("\n", 1)[1])
    assert details["product"] == pytest.approx(details["relevance"] * details["factor"])


@pytest.mark.usefixtures("ids")
def test_an_empty_search_says_so(folder: Path):
    """What the result is not is said on the error stream, so that a pipe stays clean."""
    done = run("search", "tea", "--store", str(folder), "--user", "nobody")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "Nothing found. With --threshold 0 the nearest are shown.\n"


@pytest.mark.usefixtures("ids")
def test_a_search_for_the_nearest(folder: Path):
    """With a threshold of 0 it shows what is nearest, however far."""
    words = ("search", "quantum chromodynamics", "--store", str(folder), "--user", "alex")
    assert run(*words).stdout == ""
    assert len(run(*words, "--threshold", "0").stdout.splitlines()) >= 1


@pytest.mark.usefixtures("ids")
def test_list(folder: Path):
    """Live memories, and expired ones where asked for."""
    assert run("list", "--store", str(folder), "--user", "alex").stdout.splitlines()[-1] == "2 in all"
    assert "Browses laptops" in run("list", "--store", str(folder), "--expired").stdout


def test_history(folder: Path, ids: dict[str, str]):
    """Every change, oldest first, and what is gone as gone."""
    with Memory(folder) as memory:
        memory.update(ids["Lives in Oslo"], "Lives in Bergen")
        memory.delete(ids["Lives in Oslo"])
    lines = run("history", ids["Lives in Oslo"], "--store", str(folder)).stdout.splitlines()
    assert [line.split(maxsplit=2)[::2] for line in lines] == [
        ["1", "ADD         Lives in Oslo"],
        ["2", "UPDATE      Lives in Bergen"],
        ["3", "DELETE      (gone)"],
    ]


@pytest.mark.usefixtures("ids")
def test_export_and_import(folder: Path, tmp_path: Path):
    """What is exported is imported elsewhere whole, once."""
    lines = run("export", "--store", str(folder)).stdout
    (tmp_path / "memories.jsonl").write_text(lines, encoding="utf-8")
    options = ("import", str(tmp_path / "memories.jsonl"), "--store", str(tmp_path / "other"))
    assert run(*options).stdout == "4 imported, 0 skipped, 0 replaced\n"
    assert run(*options).stdout == "0 imported, 4 skipped, 0 replaced\n"
    assert run(*options, "--replace", "--yes").stdout == "0 imported, 0 skipped, 4 replaced\n"
    assert run("export", "--store", str(tmp_path / "other")).stdout == lines


def test_consolidate(folder: Path, ids: dict[str, str]):
    """What says the same becomes one memory, and the line that it prints takes that back."""
    run("add", "green tea likes", "--store", str(folder), "--user", "alex")
    tried = run("consolidate", "--store", str(folder), "--user", "alex", "--dry-run")
    assert "3 memories, 2 after it; 0 model calls" in tried.stdout
    assert "undo" not in tried.stdout
    done = run("consolidate", "--store", str(folder), "--user", "alex")
    *_, undo = done.stdout.splitlines()
    assert "2 in all" in run("list", "--store", str(folder), "--user", "alex").stdout
    assert run(*undo.partition("langchain-mem ")[2].split(), "--store", str(folder)).exit_code == 0
    assert "3 in all" in run("list", "--store", str(folder), "--user", "alex").stdout


@pytest.mark.usefixtures("ids")
def test_erase(folder: Path):
    """It asks first, and then removes one person and no other."""
    refused = run("erase", "alex", "--store", str(folder), input="n\n")
    assert refused.exit_code == 1
    assert "alex" in run("users", "--store", str(folder)).stdout
    assert run("erase", "alex", "--store", str(folder), "--yes").exit_code == 0
    assert run("users", "--store", str(folder)).stdout.split()[:2] == ["agent", "guide"]


@pytest.mark.usefixtures("ids")
def test_purge(folder: Path):
    """What has expired goes for good; what lives stays."""
    options = ("purge", "--store", str(folder), "--yes")
    assert run(*options).stdout == "0 memories removed\n"
    assert run(*options, "--days", "0").stdout == "1 memories removed\n"
    assert run("list", "--store", str(folder), "--expired").stdout.splitlines()[-1] == "3 in all"


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("command", ["purge", "erase alex", "sweep --threads t.db --keep-last 1", "import x --replace"])
def test_what_cannot_be_undone_asks(folder: Path, command: str):
    """Without an answer nothing happens, and the exit code is 1."""
    done = run(*command.split(), env={"LANGCHAIN_MEM_STORE": str(folder)})
    assert (done.exit_code, done.stdout.strip()) == (1, "")
    assert "This cannot be undone." in done.stderr


@pytest.mark.usefixtures("ids")
def test_days_are_not_negative(folder: Path):
    """`purge --days -2` would remove what lives: it is a wrong argument."""
    done = run("purge", "--store", str(folder), "--days", "-2", "--yes")
    assert done.exit_code == 2
    assert "2 in all" in run("list", "--store", str(folder), "--user", "alex").stdout


def _json(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_memory_from_its_first_to_its_last_day(folder: Path):
    """Added, shown, changed, found, deleted, brought back, undone: each step as JSON, by another process's means."""
    at = ("--store", str(folder))
    [added] = _json("add", "Likes tea", *at, "--user", "alex", "--category", "food", "--metadata", '{"from": "cli"}')[
        "results"
    ]
    assert _json("get", added["id"], *at)["metadata"] == {"from": "cli"}
    assert _json("update", added["id"], "Likes coffee", *at)["memory"] == "Likes coffee"
    assert _json("search", "Which drink?", *at)["results"][0]["memory"] == "Likes coffee"
    assert _json("restore", added["id"], "--version", "1", *at)["memory"] == "Likes tea"
    gone = _json("delete", added["id"], *at)
    assert gone["deleted"] == 1
    assert _json("list", *at)["count"] == 0
    assert _json("undo", gone["batch_id"], *at)["restored"] == [added["id"]]
    assert [change["event"] for change in _json("history", added["id"], *at)][:3] == ["ADD", "UPDATE", "RESTORE"]
    assert _json("update", added["id"], "--happened", "2026-06", *at)["event_end"][:10] == "2026-06-30"
    assert _json("update", added["id"], "--happened", "unknown", *at)["event_date"] is None
    assert _json("update", added["id"], "--useful-for", "a feast", *at)["useful_for"] == ["a feast"]
    assert "happened 2026-06" in run("history", added["id"], *at).stdout
    assert _json("stats", *at)["memories"] == 1
    assert _json("users", *at)["total_users"] == 1
    assert _json("purge", *at, "--yes") == {"purged": 0}


def test_add_reads_standard_input(folder: Path):
    """`-` stands for what is piped in."""
    done = run("add", "-", "--store", str(folder), "--user", "alex", input="Sails on weekends")
    assert (done.exit_code, "Sails on weekends" in done.stdout) == (0, True)


def test_exit_codes(folder: Path, ids: dict[str, str], tmp_path: Path):
    """A wrong argument and an unknown memory are told apart; a folder in use, exit code 4, is in `test_ui`."""
    assert run("search").exit_code == 2
    assert run("add", "x", "--store", str(folder), "--user", "a", "--metadata", "{").exit_code == 2
    assert run("get", "no-such-id", "--store", str(folder)).exit_code == 3
    assert run("history", "no-such-id", "--store", str(folder)).exit_code == 3
    assert run("get", ids["Lives in Oslo"], "--store", str(folder)).exit_code == 0


@pytest.fixture
def threads(tmp_path: Path) -> str:
    """An SQLite file with a thread of alex."""
    place = str(tmp_path / "threads.db")
    with SqliteCheckpointer.open(place) as saver:
        config: Any = {"configurable": {"thread_id": "monday", "checkpoint_ns": "", "user_id": "alex"}}
        for _ in range(3):
            config = saver.put(config, empty_checkpoint(), {"user_id": "alex"}, {})
    return place


def test_threads(threads: str):
    """Threads with their owner and size, and a sweep cuts them."""
    assert "monday  user alex  3 checkpoints" in run("threads", "--threads", threads).stdout
    done = _json("sweep", "--threads", threads, "--keep-last", "1", "--yes")
    assert done["checkpoints"] == 2
    assert _json("threads", "--threads", threads, "--user", "alex")[0]["checkpoints"] == 1


@pytest.mark.usefixtures("ids")
def test_erase_takes_threads_too(folder: Path, threads: str):
    """With --threads, a person's threads go with their memories."""
    options = ("--store", str(folder), "--threads", threads, "--yes", "--no-compact")
    assert _json("erase", "alex", *options)["threads"] == ["monday"]
    assert _json("threads", "--threads", threads) == []


def test_a_sweep_that_says_nothing_is_refused(threads: str):
    """Without a rule nothing may go, and the program says which rules there are."""
    done = run("sweep", "--threads", threads, "--yes")
    assert (done.exit_code, "--keep-last" in done.stderr) == (2, True)


class Own(FakeEmbeddings):
    """An embedder of somebody's own, which the program cannot make by the name that the store remembers."""


@pytest.fixture
def own(folder: Path) -> dict[str, str]:
    """A store that another embedder built; the ids of its memories by their texts."""
    with Memory(LongTermStore.chroma(folder, embed=Own()), all_owners=True) as memory:
        for text in ("Likes green tea", "Lives in Oslo"):
            memory.add(text, user_id="alex")
        found = {each["memory"]: each["id"] for each in memory.get_all()["results"]}
        memory.store.close()
    return found


def test_any_store_opens(folder: Path, own: dict[str, str]):
    """Reading, searching by words, deleting, exporting, checking and erasing need no embedder."""
    at = ("--store", str(folder))
    tea = own["Likes green tea"]
    assert _json("list", *at)["count"] == 2
    assert _json("users", *at)["total_users"] == 1
    found = run("search", "green tea", *at)
    assert (found.exit_code, "Likes green tea" in found.stdout) == (0, True)
    gone = _json("delete", tea, *at)
    named = ("--embedder", f"{__name__}.Own")
    assert _json("undo", gone["batch_id"], *at, *named)["restored"] == [tea]  # which embeds its text again
    assert len(run("export", *at).stdout.splitlines()) == 2
    assert _json("doctor", *at)["findings"] == []
    assert run("erase", "nobody", *at, "--yes", "--no-compact").exit_code == 0


def test_a_text_is_not_written_without_its_vector(folder: Path, own: dict[str, str]):
    """The error names the embedder that built the store and the option that names one; nothing is written."""
    at = ("--store", str(folder))
    changes = ("add", "Sails", "--user", "alex"), ("update", own["Lives in Oslo"], "Lives in Bergen")
    for command in changes:
        done = run(*command, *at)
        assert done.exit_code == 1
        assert "Own" in done.stderr
        assert "--embedder NAME" in done.stderr
    assert _json("list", *at)["count"] == 2
    added = run("add", "Sails", "--user", "alex", *at, "--embedder", f"{__name__}.Own")
    assert (added.exit_code, added.stderr) == (0, "")


def test_an_embedder_that_cannot_be_made_leaves_the_words(folder: Path):
    """Where the package of the store's embedder is absent, a search goes by words and says why."""
    with LongTermStore.chroma(folder, embed=FakeEmbeddings(), embedder_id="CohereEmbeddings:x") as store:
        Memory(store).add("Likes tea", user_id="alex")
    done = run("search", "tea", "--store", str(folder))
    assert "Likes tea" in done.stdout
    assert done.stderr.startswith("By words alone")
    assert "pip install langchain-cohere" in done.stderr


@pytest.mark.usefixtures("ids")
def test_another_embedder_is_refused(folder: Path):
    """Vectors of two embedders are not compared; the error names both."""
    done = run("list", "--store", str(folder))
    assert done.exit_code == 0
    done = run("search", "tea", "--store", str(folder), "--embedder", f"{__name__}.Own")
    assert done.exit_code == 1
    assert "LocalEmbeddings" in done.stderr
    assert "Own" in done.stderr


@pytest.mark.usefixtures("ids")
def test_the_older_name_of_the_variable(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """LANGCHAIN_MEM_PATH still names the store; LANGCHAIN_MEM_STORE comes first."""
    monkeypatch.setenv("LANGCHAIN_MEM_PATH", str(folder))
    assert "alex" in run("users").stdout
    monkeypatch.setenv("LANGCHAIN_MEM_STORE", str(tmp_path / "elsewhere"))
    assert "elsewhere" in run("users").stderr


@pytest.fixture
def bare(folder: Path) -> str:
    """A folder with one memory from before it had an embedder, and one from after; gives the first one's id."""
    with LongTermStore(ChromaBackend(folder)) as store:
        Memory(store).add("Is allergic to nuts", user_id="alex")
    with Memory(folder, all_owners=True) as memory:
        memory.add("Lives in Oslo", user_id="alex")
        (found,) = (each for each in memory.get_all()["results"] if "nuts" in each["memory"])
    return found["id"]


def test_doctor_mends_what_is_derived(folder: Path, bare: str):
    """It finds the memory that no search by meaning would find, computes its vector, and then finds nothing more."""
    at = ("--store", str(folder))
    sick = run("doctor", *at, "--json")
    (finding,) = json.loads(sick.stdout)["findings"]
    assert (sick.exit_code, finding["ids"], finding["repair"]) == (5, [bare], "embed")
    mended = _json("doctor", *at, "--repair")
    assert (mended["findings"], mended["repaired"][0]["count"]) == ([], 1)
    assert "sound" in run("doctor", *at).stdout
    assert _json("search", "Any food allergies?", *at)["results"][0]["id"] == bare


def test_a_database(fresh_postgres_dsn: str):
    """The same commands work on Postgres, named by its address, whose password is not shown."""
    at = ("--store", fresh_postgres_dsn)
    with Memory(fresh_postgres_dsn, embed=Own()) as memory:
        memory.add("Likes tea", user_id="alex")
    (found,) = _json("list", *at)["results"]
    assert _json("delete", found["id"], *at)["deleted"] == 1
    assert "without an embedder" in run("add", "Sails", "--user", "alex", *at).stderr
    report = _json("doctor", *at)
    assert (report["embedder"]["name"], report["findings"]) == ("Own", [])


def test_bench():
    """It measures what it says, in a store that is gone afterwards."""
    done = _json("bench", "--memories", "20", "--searches", "3")
    assert done["memories"] == 20
    assert 0 < done["search, median ms"] <= done["search, 95 % within ms"]


MEM0 = {"id": "m1", "memory": "Likes tea", "user_id": "alex", "created_at": "2024-07-01T10:00:00Z", "metadata": None}


def _file(folder: Path, *entries: Any) -> str:
    path = folder / "mem0.jsonl"
    path.write_text("\n".join(json.dumps(entry) for entry in entries), encoding="utf-8")
    return str(path)


def test_import_mem0(folder: Path, tmp_path: Path):
    """A dry run writes nothing, not even a folder; then it is imported once."""
    options = ("import-mem0", _file(tmp_path, MEM0, {**MEM0, "id": "m2"}), "--store", str(folder))
    dry = run(*options, "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "1 would be imported, 0 here already, 1 say the same as another\n")
    assert not folder.exists()
    assert run(*options).stdout == "1 imported, 0 here already, 1 say the same as another\n"
    assert run(*options).stdout == "0 imported, 1 here already, 1 say the same as another\n"
    (line, _) = run("list", "--store", str(folder), "--user", "alex").stdout.splitlines()
    assert line.split("  ") == ["m1", "2024-07-01", "user alex", "Likes tea"]


def test_import_mem0_names_what_is_bad(folder: Path, tmp_path: Path):
    """Good memories are taken, the bad are named one a line, and the exit code tells a script."""
    done = run("import-mem0", _file(tmp_path, MEM0, {"memory": "Whose?"}, 5), "--store", str(folder))
    assert (done.exit_code, done.stdout.split(",")[0]) == (5, "1 imported")
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["line 2", "line 3"]


def test_import_mem0_for_an_owner(folder: Path, tmp_path: Path):
    """--user owns what names nobody."""
    assert (
        run("import-mem0", _file(tmp_path, {"memory": "Sails"}), "--store", str(folder), "--user", "mia").exit_code == 0
    )
    assert "Sails" in run("list", "--store", str(folder), "--user", "mia").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("users",),
        ("list", "--page", "0"),
        ("search", ""),
        ("search", "tea", "--top-k", "0"),
        ("import", "missing.jsonl"),
        ("import-mem0", "missing.json"),
        ("migrate", "langmem", "--from", "missing.db"),
        ("migrate", "store", "--from", "missing.db", "--to", "copy"),
        ("threads", "--threads", "missing.db"),
        ("add", "x", "--user", "alex", "--embedder", "nobody"),
        ("users", "--store", "redis://:secret@host"),
        ("demo", "missing.json"),
        ("ui",),
        ("mcp",),
    ],
)
def test_errors_are_one_line(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where there is no such store, file or memory, one line says so, and the exit code is 1."""
    monkeypatch.chdir(tmp_path)
    if arguments[0] in ("list", "search", "history", "mcp"):
        (tmp_path / "memory").mkdir()
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert not isinstance(done.exception, (ValueError, OSError))


def test_looking_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A command that reads does not leave an empty store behind."""
    monkeypatch.chdir(tmp_path)
    assert run("users").exit_code == 1
    assert not list(tmp_path.iterdir())


def test_what_is_stored_does_not_steer_a_terminal():
    """Escape sequences and new lines of a memory are shown as characters of one line."""
    assert one_line("a\x1b[2J\nb\tc") == "a\ufffd[2J b c"


def test_instructions_and_kinds(folder: Path):
    """What an agent is told is shown and changed, with the difference; documents are listed by their kind."""
    assert "+Be brief." in run("instruct", "Be brief.", "--agent", "a", "--store", str(folder)).stdout
    run("instruct", "-", "--agent", "a", "--reason", "rude", "--store", str(folder), input="Be kind.\n")
    shown = run("instructions", "--agent", "a", "--store", str(folder)).stdout
    assert "system, version 2\n    Be kind.\n" in shown
    assert "+Be kind." in run("instructions", "--agent", "a", "--diff", "system", "--store", str(folder)).stdout
    assert _json("list", "--kind", "Task", "--user", "alex", "--json", "--store", str(folder))["count"] == 0
