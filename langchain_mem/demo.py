"""The demo: one agent, two processes, days apart; or a conversation of your own, replayed and asked about.

Run by `langchain-mem demo`. Nothing here is needed to use the package, and everything here is how it is used.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from langchain_mem.checkpointers.sqlite import SqliteCheckpointer
from langchain_mem.errors import InvalidRequest, MemError
from langchain_mem.expiry import instant
from langchain_mem.memory import Memory
from langchain_mem.nodes import MemoryState, extraction_node, retrieval_node
from langchain_mem.records import FoundMemory

DAYS: Final = 6
"""How much later the second process runs."""

_SAID: Final = (
    "Hi! I'm Alex. I'm a vegetarian, and I'm allergic to nuts.",
    "My sister Mia lives in Lisbon; I visit her every spring.",
    "On trains I always take a window seat.",
    "My favorite color is green.",
)
_ASKED: Final = (
    "Any food allergies I should mention at the restaurant?",
    "Which seat do I take on the train to see Mia?",
    "And where does my sister live?",  # her memory has just been used, so it has not faded
)
_ENOUGH: Final = 0.2  # relevance: what has little to do with a question stays out of a small prompt
_PIECE: Final = 20  # messages of a plain list remembered at a time, for the bar to move

_console: Final = Console(width=int(os.environ.get("COLUMNS", "110")))


def main(source: Path | None = None) -> None:
    """Runs the demo: on its own conversation, or on one from a file.

    Args:
        source: JSON: a list of messages (`role`, `content`, perhaps `timestamp`), or LoCoMo samples.

    Raises:
        InvalidRequest: The file is neither.
    """
    with tempfile.TemporaryDirectory(prefix="langchain-mem-demo-") as folder:
        if source is not None:
            replay(source, Path(folder))
            return
        for act in ("talk", "recall"):
            # a process each, so that what the second one knows can only come from disk
            done = subprocess.run([sys.executable, "-m", "langchain_mem.demo", act, folder], check=False)  # noqa: S603 - ours
            if done.returncode:  # it has said why
                raise SystemExit(done.returncode)


def talk(folder: Path) -> None:
    """The first process: Alex talks to the agent in one thread."""
    _console.rule("[bold]Today, process 1, thread monday")
    with _open(folder, days=0) as memory, SqliteCheckpointer.open(folder / "threads.db") as checkpointer:
        agent = build_agent(memory, checkpointer)
        for text in _SAID:
            _say(agent, "monday", text)
        memory.add("Is comparing hotels in Porto.", user_id="alex", infer=False, expiration_date=timedelta(days=2))
        _show_remembered(memory.get_all(user_id="alex")["results"][::-1])


def recall(folder: Path) -> None:
    """The second process, days later: another thread, and the agent still knows."""
    _console.rule(f"[bold]{DAYS} days later, process 2, thread sunday")
    with _open(folder, days=DAYS) as memory, SqliteCheckpointer.open(folder / "threads.db") as checkpointer:
        agent = build_agent(memory, checkpointer)
        for text in _ASKED:
            found = memory.search(text, top_k=3, threshold=_ENOUGH, explain=True, reinforce="none", user_id="alex")
            _show_found(text, found["results"])
            _console.print(f"[bold]What the model sees[/]\n{escape(memory.context(found))}", highlight=False)
            _say(agent, "sunday", text)
            memory.flush()  # so that the next question shows what this one counted as used
        _show_expired(memory)


def build_agent(memory: Memory, checkpointer: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    """An agent that recalls, replies and remembers."""
    graph = StateGraph(MemoryState, output_schema=MessagesState)
    graph.add_node("recall", retrieval_node(memory, top_k=3, threshold=_ENOUGH))
    reply: Any = _reply_with(memory.model) if memory.model else _reply_plainly
    graph.add_node("reply", reply)
    graph.add_node("remember", extraction_node(memory))
    for start, end in ((START, "recall"), ("recall", "reply"), ("remember", END)):
        graph.add_edge(start, end)
    # without a model a message is kept as it is, and a question tells nothing
    graph.add_conditional_edges("reply", lambda state: "remember" if memory.model or not _asks(state) else END)
    return graph.compile(checkpointer=checkpointer)


def _asks(state: MemoryState) -> bool:
    """Whether the last human message is a question."""
    said = [message for message in state["messages"] if message.type == "human"]
    return said[-1].text.rstrip().endswith("?")


def _reply_with(model: BaseChatModel) -> Callable[[MemoryState], dict[str, Any]]:
    def reply(state: MemoryState) -> dict[str, Any]:
        prompt = SystemMessage(f"You are a travel guide. Answer in two sentences.\n{state.get('memory_context') or ''}")
        return {"messages": [model.invoke([prompt, *state["messages"]])]}

    return reply


def _reply_plainly(state: MemoryState) -> dict[str, Any]:
    """The agent without a model: it says what it recalls."""
    if not _asks(state):
        return {"messages": [AIMessage("Noted.")]}
    memories = [memory["memory"] for memory in state.get("memories") or ()]
    return {"messages": [AIMessage(f"You told me: {' '.join(memories)}" if memories else "You have not told me yet.")]}


def _open(folder: Path, *, days: int) -> Memory:
    return Memory(folder / "memory", model=_model(), clock=lambda: datetime.now(UTC) + timedelta(days=days))


def _model() -> BaseChatModel | None:
    """A real model where there is a key, through whatever `OPENAI_BASE_URL` names."""
    if not os.environ.get("OPENAI_API_KEY"):
        return None
    from langchain.chat_models import init_chat_model

    return init_chat_model(os.environ.get("OPENAI_MODEL", "gpt-5-mini"), model_provider="openai")


def _say(agent: CompiledStateGraph[Any, Any, Any, Any], thread: str, text: str) -> None:
    config: Any = {"configurable": {"thread_id": thread, "user_id": "alex"}}
    reply = agent.invoke({"messages": [("user", text)]}, config)["messages"][-1]
    _console.print(f"[bold cyan]Alex [/] {text}\n[bold green]Guide[/] {escape(reply.text)}", highlight=False)


def _show_remembered(memories: Sequence[Mapping[str, Any]]) -> None:
    table = Table("memory", "layer", "expires", title="Remembered about Alex")
    for memory in memories:
        table.add_row(escape(memory["memory"]), memory["layer"], (memory["expiration_date"] or "never")[:10])
    _console.print(table)


def _show_found(query: str, memories: Sequence[FoundMemory]) -> None:
    table = Table("memory", "relevance", "decay", "score", title=f"Found for: {query}", min_width=len(query) + 11)
    for memory in memories:
        details = memory["score_details"]
        numbers = (details["relevance"], details["factor"], memory["score"])
        table.add_row(escape(memory["memory"]), *(f"{number:.2f}" for number in numbers))
    _console.print(table)


def _show_expired(memory: Memory) -> None:
    live = {one["id"] for one in memory.get_all(user_id="alex")["results"]}
    every = memory.get_all(user_id="alex", show_expired=True)["results"]
    for one in every:
        if one["id"] not in live:
            _console.print(f"[yellow]Expired[/] on {(one['expiration_date'] or '')[:10]}: {escape(one['memory'])}")


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
    with _open(folder, days=0) as memory:
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
        conversation.sessions, f"Remembering {conversation.name}", console=_console, transient=True
    ):
        memory.add(
            messages,
            user_id=conversation.name,
            infer=memory.model is not None,
            timestamp=when,
            source={"thread_id": thread},
        )
    count = memory.get_all(user_id=conversation.name, page_size=1)["count"]
    _console.print(f"[bold]{conversation.name}[/]: {count} memories of {len(conversation.sessions)} sessions")


def _first_time(messages: Sequence[Mapping[str, Any]]) -> datetime | None:
    given = next((each["timestamp"] for each in messages if each.get("timestamp")), None)
    return instant(given) if given else None


def _ask(memory: Memory, conversation: Conversation) -> None:
    texts = {turn["id"]: f"{turn['name']}: {turn['content']}" for *_, turns in conversation.sessions for turn in turns
             if turn.get("id") and turn.get("name")}  # fmt: skip
    table = Table("question", "first memory found", "score", title="The first answers", show_lines=True)
    found_all = gold_all = 0
    for place, (question, gold) in enumerate(track(conversation.questions, "Asking", console=_console, transient=True)):
        results = memory.search(question, user_id=conversation.name, decay=False, reinforce="none")["results"]
        if place < 10:
            best = next((result for result in results if result["memory"] != question), None)
            row = (escape(best["memory"]), f"{best['score']:.2f}") if best else ("(nothing)", "")
            table.add_row(escape(question), *row)
        said = {result["memory"] for result in results}
        found_all += sum(texts.get(turn) in said for turn in gold)
        gold_all += len(gold)
    _console.print(table)
    if gold_all and memory.model is None:
        _console.print(f"Of {gold_all} turns that answer the questions, {found_all} were among the ten found.")


if __name__ == "__main__":
    try:
        {"talk": talk, "recall": recall}[sys.argv[1]](Path(sys.argv[2]))
    except MemError as error:
        sys.exit(str(error))
