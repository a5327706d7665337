"""A conversation from a file: remembered session by session, then asked about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.markup import escape
from rich.progress import track
from rich.table import Table

from langchain_mem.demo.opening import console, open_memory
from langchain_mem.errors import InvalidRequest
from langchain_mem.memory.facade import Memory
from langchain_mem.model.instants import instant

_PIECE: Final = 20  # messages of a plain list remembered at a time, for the bar to move


@dataclass(frozen=True)
class Conversation:
    """Something to replay.

    Attributes:
        name: Whose it is, as a user id.
        sessions: Thread id, time and messages of each.
        questions: What to ask afterwards, with the ids of messages that answer it, where they are known.
    """

    name: str
    sessions: Sequence[tuple[str, datetime | None, Sequence[Mapping[str, Any]]]]
    questions: Sequence[tuple[str, frozenset[str]]]


def replay(source: Path, folder: Path) -> None:
    """Replays conversations from a file, then answers their questions' retrieval."""
    conversations = read_conversations(source)
    with open_memory(folder, days=0) as memory:
        for conversation in conversations:
            _ingest(memory, conversation)
            _ask(memory, conversation)


def read_conversations(source: Path) -> list[Conversation]:
    """Reads a list of messages or of LoCoMo samples.

    Raises:
        InvalidRequest: The file is neither.
    """
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{source} cannot be read as JSON: {error}") from error
    if isinstance(content, list) and content and all(isinstance(each, Mapping) for each in content):
        if all("conversation" in each for each in content):
            try:
                return [_from_locomo(sample, str(place)) for place, sample in enumerate(content)]
            except (KeyError, TypeError, ValueError) as error:
                raise InvalidRequest(f"{source} holds LoCoMo samples, but one is malformed: {error!r}") from error
        if all("content" in each for each in content):
            return [_from_messages(content)]
    raise InvalidRequest(f"{source} holds neither a list of messages (role, content) nor LoCoMo samples.")


def _from_messages(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    asked = [str(each["content"]) for each in messages if each.get("role") in ("user", "human")]
    questions = [(text, frozenset[str]()) for text in asked if text.rstrip().endswith("?")]
    pieces = [messages[start : start + _PIECE] for start in range(0, len(messages), _PIECE)]
    return Conversation("you", [("replay", _first_time(piece), piece) for piece in pieces], questions)


def _from_locomo(sample: Mapping[str, Any], place: str) -> Conversation:
    sessions = []
    talk = sample["conversation"]
    for key in sorted((key for key in talk if re.fullmatch(r"session_\d+", key)), key=lambda key: int(key[8:])):
        when = datetime.strptime(talk[f"{key}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        sessions.append((key, when, [_turn(turn) for turn in talk[key]]))
    questions = [(each["question"], frozenset(_evidence(each.get("evidence") or []))) for each in sample.get("qa", [])]
    return Conversation(str(sample.get("sample_id", place)), sessions, questions)


def _turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    caption = f" [shares {turn['blip_caption']}]" if turn.get("blip_caption") else ""
    return {"role": "user", "name": turn["speaker"], "content": f"{turn['text']}{caption}", "id": turn["dia_id"]}


def _evidence(given: Sequence[str]) -> Iterator[str]:
    for text in given:
        yield from (f"D{session}:{turn}" for session, turn in re.findall(r"D:?(\d+):0*(\d+)", text))


def _ingest(memory: Memory, conversation: Conversation) -> None:
    for thread, when, messages in track(
        conversation.sessions, f"Remembering {conversation.name}", console=console(), transient=True
    ):
        memory.add(
            messages,
            user_id=conversation.name,
            infer=memory.model is not None,
            timestamp=when,
            source={"thread_id": thread},
        )
    count = memory.get_all(user_id=conversation.name, page_size=1)["count"]
    console().print(f"[bold]{conversation.name}[/]: {count} memories of {len(conversation.sessions)} sessions")


def _first_time(messages: Sequence[Mapping[str, Any]]) -> datetime | None:
    given = next((each["timestamp"] for each in messages if each.get("timestamp")), None)
    return instant(given) if given else None


def _ask(memory: Memory, conversation: Conversation) -> None:
    texts = {turn["id"]: f"{turn['name']}: {turn['content']}" for *_, turns in conversation.sessions for turn in turns
             if turn.get("id") and turn.get("name")}  # fmt: skip
    table = Table("question", "first memory found", "score", title="The first answers", show_lines=True)
    found_all = gold_all = 0
    for place, (question, gold) in enumerate(
        track(conversation.questions, "Asking", console=console(), transient=True)
    ):
        results = memory.search(question, user_id=conversation.name, decay=False, reinforce="none")["results"]
        if place < 10:
            best = next((result for result in results if result["memory"] != question), None)
            row = (escape(best["memory"]), f"{best['score']:.2f}") if best else ("(nothing)", "")
            table.add_row(escape(question), *row)
        said = {result["memory"] for result in results}
        found_all += sum(texts.get(turn) in said for turn in gold)
        gold_all += len(gold)
    console().print(table)
    if gold_all and memory.model is None:
        console().print(f"Of {gold_all} turns that answer the questions, {found_all} were among the ten found.")
