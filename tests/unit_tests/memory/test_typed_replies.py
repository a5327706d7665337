"""What a capable model answered to the prompts for documents and for instructions, replayed."""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from langchain_mem import Many
from tests.memories import Bench

ROOT = Path(__file__).parents[3]
REPLIES = ROOT / "tests" / "data" / "typed"


class Status(StrEnum):
    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


class Task(BaseModel):
    """Something that somebody of the household has to do, or that is to happen at a time."""

    title: str
    who: str | None = Field(default=None, description="who does it")
    due: date | None = None
    status: Status = Status.OPEN


class Triple(BaseModel):
    """A lasting relation between people, animals and things of the household."""

    subject: str
    predicate: str = Field(description="a verb, as 'is allergic to'")
    object: str


class Episode(BaseModel):
    """Something that went well or wrong, and what the assistant should learn from it."""

    happened: str
    lesson: str


class Household(BaseModel):
    """What the assistant always has to know."""

    members: list[str] = []
    pets: list[str] = []
    allergies: dict[str, str] = {}


def _sessions(name: str, count: int) -> list[tuple[datetime, list[dict[str, Any]]]]:
    told = json.loads((ROOT / "benchmarks" / "data" / "conversations" / f"{name}.json").read_text())
    sessions = told["sessions"][:count]
    plain = [[{k: v for k, v in each.items() if v is not None} for each in one["messages"]] for one in sessions]
    return [(datetime.fromisoformat(one["date"]), said) for one, said in zip(sessions, plain, strict=True)]


def test_documents_of_a_household() -> None:
    """Every document that a capable model proposes in four sessions is carried out; one is corrected on the way."""
    replies = json.loads((REPLIES / "household.json").read_text())
    kinds = [Household, Many(Task), Many(Triple), Many(Episode, own_words=["lesson"])]
    memory = Bench(*replies, schemas=kinds)
    results = []
    for memory.clock.now, said in _sessions("household", 4):
        added = memory.add(said, user_id="house")
        assert "rejected" not in added
        results += added["results"]
    assert memory.model.count == 5
    tasks = memory.get_documents(Task, user_id="house").values()
    assert [task.title[:6] for task in tasks if task.status is Status.DONE] == ["Declan"]
    assert {task.due for task in tasks if task.who == "Juno"} == {
        date(2024, 1, 26), date(2024, 2, 12), date(2024, 3, 2), None,
    }  # fmt: skip
    assert len(tasks) == 10
    assert len(memory.get_documents(Triple, user_id="house")) == 11
    assert len(memory.get_documents(Episode, user_id="house")) == 2
    assert memory.get_document(Household, user_id="house").allergies["Maeve"] == "latex"
    documents = [each for each in results if each["memory"].split(".")[0] in ("Task", "Triple", "Episode", "Household")]
    assert sum("doubt" in each for each in documents) <= len(documents) / 3


INSTRUCTIONS = """You are Quill, a tutor at {school}.
Be encouraging.
Answer every question fully.
Offer a study plan where it helps."""

FEEDBACK = [
    {"score": 0.9, "feedback": "Short steps: good. But it booked a session before asking which exam board she takes."},
    {"score": 0.6, "feedback": "Ask for fixed commitments before proposing times. Left out what she asked to: good."},
    {"score": 0.3, "feedback": "Judged a combination of medicines. It must refer to a pharmacist or doctor instead."},
]


@pytest.mark.parametrize(("kind", "calls"), [("metaprompt", 1), ("gradient", 2), ("prompt_memory", 1)])
def test_instructions_of_a_tutor(kind: str, calls: int) -> None:
    """Every edit that a capable model proposes for a reviewer's feedback is carried out, within the budget."""
    memory = Bench(*json.loads((REPLIES / "tutor.json").read_text())[kind])
    memory.instruct(INSTRUCTIONS, agent_id="quill", guidance="Keep it under ten lines.")
    talks = [{"messages": said, **told} for (_, said), told in zip(_sessions("tutor", 3), FEEDBACK, strict=True)]
    done = memory.improve_instructions(talks, kind=kind, agent_id="quill")
    text = memory.instructions(agent_id="quill")
    assert (done["calls"], done["rejected"]) == (calls, [])
    assert all(word in text for word in ("{school}", "exam board", "fixed commitments", "pharmacist"))
    assert "Oona" not in text
