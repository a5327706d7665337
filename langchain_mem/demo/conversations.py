"""Conversations from a file: a list of messages, or samples of the LoCoMo benchmark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_mem.errors import InvalidRequest
from langchain_mem.model.instants import instant


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
    return Conversation("you", [("replay", _first_time(messages), messages)], questions)


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


def _first_time(messages: Sequence[Mapping[str, Any]]) -> datetime | None:
    given = next((each["timestamp"] for each in messages if each.get("timestamp")), None)
    return instant(given) if given else None
