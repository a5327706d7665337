"""A chat model whose replies come by files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from langchain_mem.testing.files import FileModel

RULES = SystemMessage("Rules")


def asked(known: str, said: str) -> HumanMessage:
    return HumanMessage(f"<known>\n{known}\n</known>\n\n<conversation>\n{said}\n</conversation>")


def test_a_prompt_waits_for_its_answer(tmp_path: Path) -> None:
    """The prompt is a file, the answer another one, and the reply is kept."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0001.txt").write_text("An answer")
    model = FileModel(folder=str(tmp_path), timeout=60)
    assert model.invoke([RULES, asked("(none)", "[0] hello")]).text == "An answer"
    assert "[0] hello" in (tmp_path / "q" / "0001.txt").read_text()
    assert [reply for _, reply in model.asked] == ["An answer"]


def test_a_kept_reply_names_memories_by_their_text(tmp_path: Path) -> None:
    """Played against a prompt that shows other memories, a reply's numbers follow the memories."""
    then = "[0] Likes tea (noted 2024-01-01)\n[1] Likes jazz (noted 2024-01-01)"
    now = "[0] Likes rain (noted 2024-01-01)\n[1] Likes tea (noted 2024-02-02; date 2024)"
    (tmp_path / "a").mkdir()
    reply = {"operations": [{"action": "delete", "memory": 0}, {"action": "delete", "memory": 1}]}
    (tmp_path / "a" / "0001.txt").write_text(json.dumps(reply))
    model = FileModel(folder=str(tmp_path), timeout=60)
    model.invoke([RULES, asked(then, "[0] forget")])
    again = json.loads(model.invoke([RULES, asked(now, "[0] forget")]).text)
    assert [operation["memory"] for operation in again["operations"]] == [1, 2]


def test_without_patience_an_unknown_prompt_is_an_error(tmp_path: Path) -> None:
    """With no time to wait only the replies that were kept are known."""
    with pytest.raises(TimeoutError, match="no reply"):
        FileModel(folder=str(tmp_path), timeout=0).invoke([RULES, asked("(none)", "[0] hello")])
