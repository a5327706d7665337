"""The demo runs as a user runs it: as a process of its own, with the real embedder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from langchain_core.messages import BaseMessage
from typer.testing import Result

from langchain_mem.demo.agent import recall, talk
from langchain_mem.testing import OpenAIPeer
from tests.program import run


def _demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    return subprocess.run(
        [sys.executable, "-m", "langchain_mem.cli", "demo", *arguments],
        env={**kept, "COLUMNS": "120", "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def _after(text: str, heading: str) -> str:
    """The first row of the table under a heading."""
    rows = text[text.index(heading) :].splitlines()
    return next(row for row in rows if row.startswith("│"))


def test_it_remembers_over_processes():
    """The second process finds the right memory first, faded, and what was used in between is fresh again."""
    done = _demo()
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.split("6 days later, process 2")
    assert "Is comparing hotels in Porto" in first
    assert "allergic to nuts" in _after(second, "Any food allergies")
    assert "0.64" in _after(second, "Any food allergies")
    assert "window seat" in _after(second, "Which seat")
    assert "Lisbon" in _after(second, "where does my sister live?")
    assert "1.50" in _after(second, "where does my sister live?")
    assert "<recalled_memories>\n" in second
    assert "Guide You told me: Hi! I'm Alex. I'm a vegetarian, and I'm allergic to nuts." in second
    assert second.count("Is comparing hotels in Porto") == 1
    assert "Is comparing hotels in Porto" in second.splitlines()[-1]
    assert "Expired on" in second.splitlines()[-1]


def _answer(messages: list[BaseMessage]) -> str | dict[str, Any]:
    """A model that replies as a guide, and extracts one fact of each message that tells one."""
    if messages[0].text.startswith("You are a travel guide"):
        return f"Recalled {messages[0].text.count('Alex is vegetarian')} of it."
    told = messages[-1].text
    if "vegetarian" not in told:
        return {"operations": []}
    return {"operations": [{"action": "add", "text": "Alex is vegetarian.", "categories": ["food"], "evidence": [0]}]}


def test_a_real_model_replies_and_extracts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """With a key, the same demo asks the model behind OPENAI_BASE_URL for replies and for facts."""
    with OpenAIPeer(otherwise=_answer) as peer:
        here = {"OPENAI_API_KEY": "unused", "OPENAI_BASE_URL": peer.base_url, "COLUMNS": "120"}
        for name, value in here.items():
            monkeypatch.setenv(name, value)
        talk(tmp_path)
        recall(tmp_path)
        asked = len(peer.requests)
    done = capsys.readouterr()
    assert done.err == ""
    _check_model(done.out, asked)


@pytest.mark.soak
def test_a_real_model_over_processes():
    """The same in two processes, as the command runs it."""
    with OpenAIPeer(otherwise=_answer) as peer:
        done = _demo(OPENAI_API_KEY="unused", OPENAI_BASE_URL=peer.base_url)
        asked = len(peer.requests)
    assert (done.returncode, done.stderr) == (0, "")
    _check_model(done.stdout, asked)


def _check_model(out: str, asked: int) -> None:
    """What the demo prints is what the model extracted and replied, and it was asked for every turn."""
    first, second = out.split("6 days later, process 2")
    assert "Alex is vegetarian." in _after(first, "Remembered about Alex")
    assert "Hi! I'm Alex" not in first[first.index("Remembered about Alex") :]
    assert "Guide Recalled 0 of it." in first
    assert "- Alex is vegetarian." in second
    assert "Guide Recalled 1 of it." in second
    assert asked == 14  # seven turns, a reply and an extraction each


@pytest.mark.soak
def test_a_failing_model_ends_it():
    """Where the model refuses, the exit code says so and nothing is shown as remembered."""
    with OpenAIPeer() as peer:  # refuses every request
        done = _demo(OPENAI_API_KEY="unused", OPENAI_BASE_URL=peer.base_url)
    assert done.returncode == 1
    assert "Remembered" not in done.stdout


LOCOMO: Any = [
    {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ana",
            "speaker_b": "Ben",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ana", "dia_id": "D1:1", "text": "I adopted a parrot called Kiwi last week."},
                {"speaker": "Ben", "dia_id": "D1:2", "text": "Nice! I started pottery.", "blip_caption": "a clay bowl"},
            ],
            "session_2_date_time": "10:00 am on 2 June, 2023",
            "session_2": [{"speaker": "Ben", "dia_id": "D2:1", "text": "I am moving to Oslo for a new job."}],
        },
        "qa": [
            {"question": "What is Ana's parrot called?", "answer": "Kiwi", "evidence": ["D1:1"]},
            {"question": "Where is Ben moving?", "answer": "Oslo", "evidence": ["D2:1"]},
        ],
    }
]


def _file(folder: Path, content: Any) -> str:
    path = folder / "conversation.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def _replay(source: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    """What the command prints; a replay runs in the process it is called in."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return run("demo", source)


def test_replaying_locomo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Sessions are remembered turn by turn, and the questions' evidence is found."""
    done = _replay(_file(tmp_path, LOCOMO), monkeypatch)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "conv-1: 3 memories of 3 messages in 2 sessions" in done.stdout
    assert "Kiwi" in done.stdout  # one word, for a narrow terminal wraps the rest
    assert "Of 2 turns that answer the questions, 2 were among the ten found." in done.stdout


def test_an_own_file_answers_its_own_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What answers a question is the first or second that an agent is given, though few share a word with it."""
    notes = {
        "Which seat do I take on the train to see Mia?": "Window seat, please, whenever I go by rail.",
        "Where does Mia live?": "My daughter Mia moved to Leipzig to study; I take the train to see her.",
        "Where do I live?": "I moved to Rostock last week.",
        "On which day am I free?": "I work for the city of Schwerin, Fridays off.",
        "What is my favorite pastime?": "What I like most is sailing.",
        "Whom don't I talk to?": "My brother Jens and I have not spoken since the inheritance.",
    }
    messages = [{"role": "user", "content": text} for text in (*notes.values(), *notes)]
    shown = _replay(_file(tmp_path, messages), monkeypatch).stdout.partition("What an agent is given first")[2]
    for question, note in notes.items():
        assert note in shown.partition(question)[2].partition("├")[0], question


def test_replaying_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A plain list of messages is remembered, and the user's own questions are asked; none answers itself."""
    messages = [
        {"role": "user", "content": "My dentist is Dr. Weber in [Bonn]."},
        {"role": "assistant", "content": "Understood."},
        {"role": "user", "content": "Who is my dentist?"},
    ]
    done = _replay(_file(tmp_path, messages), monkeypatch)
    assert done.exit_code == 0
    assert "[Bonn]" in _after(done.stdout, "What an agent is given first")
    assert "a question, asked below" in done.stdout
    assert "what an agent said" in done.stdout
    picture = ElementTree.fromstring((tmp_path / "conversation.decay.svg").read_text("utf-8"))
    assert "My dentist is Dr. Weber in [Bonn]." in list(picture.itertext())
    assert [each.tag.rpartition("}")[2] for each in picture].count("polyline") == 1


@pytest.mark.parametrize("content", [[], {"a": 1}, [{"conversation": {"session_1": []}}], "text"])
def test_what_cannot_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any):
    """A file of another shape is refused in one line."""
    done = _replay(_file(tmp_path, content), monkeypatch)
    assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
