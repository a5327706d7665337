"""A conversation of the user's own, remembered and asked about: what was kept, what was not and why, what is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.markup import escape
from rich.progress import track
from rich.table import Table

from langchain_mem.demo.conversations import Conversation, read_conversations
from langchain_mem.demo.opening import console, open_memory
from langchain_mem.demo.picture import draw
from langchain_mem.integrations.recall import LASTING, THRESHOLD
from langchain_mem.memory.facade import Memory
from langchain_mem.model.instants import instant

_PIECE: Final = 8  # messages remembered at a time, for the bar to move
_SHOWN: Final = 10  # rows of a table
_BEST: Final = 2  # memories shown for a question


_EXAMPLES: Final = 3  # of what was left out for one reason
_VERBATIM: Final = (
    "No model is set, so what the user says is kept word for word. With OPENAI_API_KEY a model finds the facts in it."
)


@dataclass(slots=True)
class Remembered:
    """What remembering a conversation did.

    Attributes:
        said: How many messages there were.
        kept: Texts of the memories, in order.
        left: What was not kept, and why.
    """

    said: int = 0
    kept: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)


def replay(source: Path, folder: Path, picture: Path) -> None:
    """Replays conversations from a file, asks their questions, and draws how what was remembered fades.

    Args:
        source: The file; see `read_conversations`.
        folder: Where the memories go meanwhile.
        picture: Where the picture goes.
    """
    conversations = read_conversations(source)
    count = len(conversations)
    with open_memory(folder, days=0) as memory:
        for number, conversation in enumerate(conversations):
            told = _remember(memory, conversation)
            if memory.model is None and number == 0:
                console().print(_VERBATIM)
            _show_told(conversation, told)
            _ask(memory, conversation)
            place = picture if count == 1 else picture.with_stem(f"{picture.stem}-{number}")
            draw(memory, conversation.name, place)
            console().print(f"How they fade: {place}", soft_wrap=True)


def _when(messages: Sequence[Mapping[str, Any]], otherwise: datetime | None) -> datetime | None:
    given = next((each["timestamp"] for each in messages if each.get("timestamp")), None)
    return instant(given) if given else otherwise


def _remember(memory: Memory, conversation: Conversation) -> Remembered:
    told = Remembered()
    pieces = list(_pieces(memory, conversation, told))
    for thread, when, messages in track(pieces, f"Remembering {conversation.name}", console=console(), transient=True):
        told.said += len(messages)
        added = memory.add(
            messages,
            user_id=conversation.name,
            infer=memory.model is not None,
            timestamp=when,
            source={"thread_id": thread},
        )
        told.kept += [each["memory"] for each in added["results"] if each["event"] == "ADD"]
        told.left += [(str(each["operation"].get("text")), each["reason"]) for each in added.get("rejected", ())]
    return told


def _pieces(memory: Memory, conversation: Conversation, told: Remembered) -> Iterator[tuple[str, Any, list[Any]]]:
    """What is remembered at a time. Without a model nobody finds the fact in a question or a reply."""
    asked = {question for question, _ in conversation.questions}
    for thread, when, messages in conversation.sessions:
        for start in range(0, len(messages), _PIECE):
            piece = list(messages[start : start + _PIECE])
            if memory.model is None:
                told.left += [
                    (str(each["content"]), reason) for each in piece if (reason := _tells_nothing(each, asked))
                ]
                told.said += sum(_tells_nothing(each, asked) is not None for each in piece)
                piece = [each for each in piece if not _tells_nothing(each, asked)]
            if piece:
                yield thread, _when(piece, when), piece


def _tells_nothing(message: Mapping[str, Any], asked: Set[str]) -> str | None:
    """Why a message is not kept as it is."""
    if message.get("role") not in ("user", "human"):
        return "what an agent said; a model would find facts in it"
    return "a question, asked below" if str(message["content"]) in asked else None


def _show_told(conversation: Conversation, told: Remembered) -> None:
    counts = (len(told.kept), "memory", "memories"), (told.said, "message", "messages")
    kept, said, sessions = (
        f"{count} {one if count == 1 else more}"
        for count, one, more in (*counts, (len(conversation.sessions), "session", "sessions"))
    )
    console().print(f"[bold]{escape(conversation.name)}[/]: {kept} of {said} in {sessions}")
    table = Table("remembered", title="What was remembered, its beginning")
    for text in told.kept[:_SHOWN]:
        table.add_row(escape(text))
    console().print(table)
    if told.left:
        console().print(_left_out(told.left))


def _left_out(left: Sequence[tuple[str, str]]) -> Table:
    """What was not kept, by reason: how many, and the first of them."""
    by_reason: dict[str, list[str]] = {}
    for text, reason in left:
        by_reason.setdefault(reason, []).append(text)
    table = Table("not remembered", "", "why", title=f"{len(left)} were not", show_lines=True)
    for reason, texts in by_reason.items():
        more = [f"… and {len(texts) - _EXAMPLES} more"] if len(texts) > _EXAMPLES else []
        table.add_row("\n".join([*map(escape, texts[:_EXAMPLES]), *more]), str(len(texts)), escape(reason))
    return table


def _scored(results: Sequence[Mapping[str, Any]]) -> Table:
    """Results with the score beside each, however many lines it takes."""
    grid = Table.grid(padding=(0, 1))
    for each in results:
        grid.add_row(f"{each['score']:.2f}", escape(each["memory"]))
    return grid


def _ask(memory: Memory, conversation: Conversation) -> None:
    texts = {turn["id"]: f"{turn['name']}: {turn['content']}" for *_, turns in conversation.sessions for turn in turns
             if turn.get("id") and turn.get("name")}  # fmt: skip
    table = Table("question", "found first, with its score", title="What an agent is given first", show_lines=True)
    found_all = gold_all = 0
    for place, (question, gold) in enumerate(
        track(conversation.questions, "Asking", console=console(), transient=True)
    ):
        results = memory.search(
            question,
            user_id=conversation.name,
            decay=False,
            reinforce="none",
            order="score",
            threshold=THRESHOLD,
            lasting=LASTING,
        )["results"]
        if place < _SHOWN:
            first = results[:_BEST]
            table.add_row(escape(question), _scored(first) if first else "(nothing)")
        said = {result["memory"] for result in results}
        found_all += sum(texts.get(turn) in said for turn in gold)
        gold_all += len(gold)
    if conversation.questions:
        console().print(table)
    if gold_all and memory.model is None:
        console().print(f"Of {gold_all} turns that answer the questions, {found_all} were among the ten found.")
