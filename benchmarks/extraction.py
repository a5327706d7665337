"""What a model's word becomes: facts proposed, kept, marked and refused; changes found, made and missed.

    python benchmarks/extraction.py                                   # the recorded replies of a capable model
    python benchmarks/extraction.py --model openai:gpt-5-mini         # any chat model, with its key in the environment
    python benchmarks/extraction.py --replies FOLDER --only coding    # replies by files; see langchain_mem.testing

Six conversations of twenty sessions each (`benchmarks/data/conversations`) are added session by session, each at its
own time. Every conversation lists what was planted in it: facts, changes of facts, relative dates, things never said. A
memory tells a planted fact if it rests on one of the fact's messages and its embedding is near the fact's.

With `--others N` the store holds N memories of unrelated things beforehand, so that known memories have to be chosen.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from langchain.chat_models import init_chat_model
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.utils import count_tokens_approximately
from rich.console import Console
from rich.table import Table

from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.errors import ExtractionError
from langchain_mem.extraction.grounding import may_say_the_same
from langchain_mem.extraction.messages import turns_of
from langchain_mem.extraction.model_call import read
from langchain_mem.extraction.redaction import redact_secrets
from langchain_mem.memory.facade import Memory
from langchain_mem.model.instants import shown, span
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock
from langchain_mem.testing.files import FileModel

DATA = Path(__file__).parent / "data"
NEAR = 0.5
"""The cosine from which a memory that rests on the right message tells a fact."""
DUPLICATE = 0.92
"""The cosine from which two live memories with the same names, numbers and times say one thing."""

Stored = Mapping[str, Any]


@dataclass
class Report:
    """What became of one conversation."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    memories: list[str] = field(default_factory=list)

    def share(self, part: str, whole: str) -> float | None:
        """One count over another; `None` of nothing."""
        return self.counts[part] / self.counts[whole] if self.counts[whole] else None


class Nearness:
    """Cosines of texts, each embedded once."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._vectors: dict[str, np.ndarray[Any, Any]] = {}

    def vectors(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Unit vectors, shape (texts, dims)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        for text, vector in zip(new, self._embeddings.embed_documents(new) if new else [], strict=True):
            self._vectors[text] = np.asarray(vector) / np.linalg.norm(vector)
        return np.stack([self._vectors[text] for text in texts])

    def __call__(self, one: str, other: str) -> float:
        """The cosine of two texts."""
        vectors = self.vectors([one, other])
        return float(vectors[0] @ vectors[1])


class Conversation:
    """One conversation of the data, and what was planted in it."""

    def __init__(self, path: Path) -> None:
        data = json.loads(path.read_text())
        self.id: str = data["id"]
        self.sessions: list[dict[str, Any]] = data["sessions"]
        planted = data["planted"]
        self.facts: dict[str, dict[str, Any]] = {fact["id"]: fact for fact in planted["facts"]}
        self.updates: list[dict[str, Any]] = planted["updates"]
        self.relative_dates: list[dict[str, Any]] = planted["relative_dates"]
        self.never_said: list[str] = planted["never_said"]
        self._session_of = {m["id"]: at for at, session in enumerate(self.sessions) for m in session["messages"]}

    def at(self, message_id: str) -> int:
        """The place of the session in which a message stands."""
        return self._session_of[message_id]

    def updates_in(self, session: int) -> list[tuple[str, str]]:
        """The facts that a session changes: ids of the old and of the new one."""
        changed = [update for update in self.updates if self.at(update["messages"][0]) == session]
        return [(old, update["new"]) for update in changed for old in _listed(update["old"])]


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


class Ingestion:
    """Adds one conversation to an empty store, and watches what becomes of it.

    Args:
        conversation: What to add.
        model: What extracts.
        embeddings: What the store embeds with.
        others: Memories that are there beforehand.
    """

    def __init__(
        self, conversation: Conversation, model: BaseChatModel, embeddings: Embeddings, others: Sequence[str]
    ) -> None:
        self._conversation = conversation
        self._model = Watched(model)
        self._near = Nearness(embeddings)
        self._clock = FakeClock(_time(conversation.sessions[0]))
        store = LongTermStore.in_memory(embed=embeddings, clock=self._clock)
        self.memory = Memory(store, model=self._model.model, clock=self._clock, purge_after=None, decay=False)
        self.report = Report()
        self._last = -1
        if others:
            self.memory.add(list(others), user_id=conversation.id, infer=False)

    def run(self) -> Report:
        """Adds every session in turn, and counts."""
        for place, session in enumerate(self._conversation.sessions):
            before = self._stored()
            try:
                self._add(session)
            except ExtractionError as error:
                if not isinstance(error.__cause__, TimeoutError):
                    raise
                break  # the recorded replies end here
            self._last = place
            self._count_updates(place, before)
        self._count_end()
        return self.report

    def _add(self, session: Mapping[str, Any]) -> None:
        self._clock.advance(_time(session) - self._clock())
        messages = [_message(message) for message in session["messages"]]
        source = {"thread_id": session["id"], "message_ids": [message["id"] for message in session["messages"]]}
        before = len(self._model.asked)
        result = self.memory.add(messages, user_id=self._conversation.id, source=source)
        counts, asked = self.report.counts, self._model.asked[before:]
        proposed = [operation for _, reply in asked for operation in read(AIMessage(reply)).operations]
        rejected = result.get("rejected", [])
        counts["calls"] += len(asked)
        counts["prompt tokens"] += sum(_tokens(prompt) for prompt, _ in asked)
        counts["reply tokens"] += sum(_tokens(reply) for _, reply in asked)
        counts["proposed"] += len(proposed)
        counts["refused"] += len(rejected)
        counts["carried out"] += len(proposed) - len(rejected)
        counts.update(f"proposed {operation.get('action')}" for operation in proposed)
        self.report.refused += [f"{each['reason']}: {each['operation'].get('text')}" for each in rejected]
        for each in result["results"]:
            counts["kept"] += each["event"] != "NONE"
            counts["marked"] += each["event"] in ("ADD", "UPDATE", "SUPERSEDE") and "doubt" in each
        self.report.doubts += [f"{each['doubt']}: {each['memory']}" for each in result["results"] if "doubt" in each]

    def _stored(self) -> list[Stored]:
        """The memories with the ids of the messages they rest on."""
        lines = [json.loads(line) for line in self.memory.export(user_id=self._conversation.id)]
        turns = {line["memory"]["id"]: line["memory"]["memory"] for line in lines if line["memory"]["role"]}
        facts = [line["memory"] for line in lines if not line["memory"]["role"]]
        messages = [message for session in self._conversation.sessions for message in session["messages"]]
        ids = {_spoken(message): message["id"] for message in messages}
        return [{**fact, "rests_on": {ids.get(turns.get(key, "")) for key in fact["cites"]}} for fact in facts]

    def _telling(self, fact: Mapping[str, Any], memories: Iterable[Stored]) -> list[Stored]:
        """The memories that tell a planted fact, nearest first."""
        about = [each for each in memories if each["rests_on"] & set(fact["messages"])]
        scored = [(self._near(each["memory"], fact["text"]), each["id"], each) for each in about]
        return [each for score, _, each in sorted(scored, key=lambda one: one[:2], reverse=True) if score >= NEAR]

    def _count_updates(self, session: int, before: Sequence[Stored]) -> None:
        """What a session's planted changes came to: right, missed, or right without the old one retired."""
        after = {each["id"]: each for each in self._stored()}
        live = [each for each in after.values() if each["state"] == "live"]
        known = "\n".join(prompt for prompt, _ in self._model.asked[-1:])
        for old, new in self._conversation.updates_in(session):
            told = self._telling(self._conversation.facts[old], [one for one in before if one["state"] == "live"])
            if not told:
                self.report.counts["updates of what was not kept"] += 1
                continue
            was = next((each for each in told if _changed(each, after)), told[0])  # several memories may tell it
            retired = _changed(was, after)
            learned = bool(self._telling(self._conversation.facts[new], live))
            self.report.counts["updates"] += 1
            self.report.counts["updates shown"] += was["memory"].replace("<", "‹").replace(">", "›") in known
            self.report.counts["updates right"] += retired and learned
            self.report.counts["updates without retiring"] += learned and not retired
            self.report.counts["updates missed"] += not learned
            if not (retired and learned):
                text = self._conversation.facts[new]["text"]
                self.report.missed.append(f"{was['memory']} -> {text} ({'retired' if retired else 'still live'})")

    def _count_end(self) -> None:
        """What is there at the end."""
        live = [each for each in self._stored() if each["state"] == "live" and each["cites"]]
        counts, conversation = self.report.counts, self._conversation
        counts["live"] = len(live)
        counts["in doubt"] = sum(each["doubt"] is not None for each in live)
        counts["sessions"] = self._last + 1
        done = [update for update in conversation.updates if conversation.at(update["messages"][0]) <= self._last]
        outdated = {old for update in done for old in _listed(update["old"])}
        for fact in conversation.facts.values():
            if conversation.at(fact["messages"][0]) > self._last:
                continue
            told = self._telling(fact, live)
            if fact["id"] not in outdated:
                counts["facts"] += 1
                counts["facts told"] += bool(told)
                counts["importance"] += bool(told)
                counts["importance right"] += bool(told) and any(
                    each["importance"] == fact["importance"] for each in told[:2]
                )
        counts["duplicates"] = _duplicates(live, self._near)
        counts["never said"] = len(conversation.never_said)
        counts["never said, but kept"] = sum(
            any(
                self._near(text, each["memory"]) >= DUPLICATE and may_say_the_same(text, each["memory"])
                for each in live
            )
            for text in conversation.never_said
        )
        self._count_dates()
        self.report.memories = [_in_words(each) for each in live]

    def _count_dates(self) -> None:
        stored = self._stored()
        for date in self._conversation.relative_dates:
            fact = self._conversation.facts.get(date.get("fact") or "")
            told = self._telling(fact, stored) if fact else [e for e in stored if date["message"] in e["rests_on"]]
            if told:
                self.report.counts["relative dates"] += 1
                self.report.counts["relative dates right"] += any(_dated(each, date["means"]) for each in told)


class Watched:
    """A model, and every prompt and reply of it."""

    def __init__(self, model: BaseChatModel) -> None:
        self.model = model
        self._asked: list[tuple[str, str]] = []
        if not isinstance(model, FileModel):
            raise TypeError("Only replies by files can be watched; see `recording`.")

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Prompts and replies, oldest first."""
        assert isinstance(self.model, FileModel)
        return self.model.asked


def _changed(before: Stored, after: Mapping[str, Stored]) -> bool:
    """Whether a memory was retired, or its text changed."""
    now = after.get(before["id"])
    return now is None or now["state"] != "live" or now["memory"] != before["memory"]


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    named = {"name": message["name"]} if message.get("name") else {}
    return {"role": message["role"], "content": message["content"], "id": message["id"], **named}


def _spoken(message: Mapping[str, Any]) -> str:
    """What is kept of a message, its secrets apart."""
    return "".join(turn.spoken for turn in turns_of([_message(message)], redact_secrets))


def _time(session: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(session["date"])


def _tokens(text: str) -> int:
    return count_tokens_approximately([HumanMessage(text)])


def _in_words(memory: Stored) -> str:
    date = f" [{shown(memory['event_date'], memory['event_end'])}]" if memory["event_date"] else ""
    return f"{memory['memory']}{date}{' !' if memory['importance'] == 'always' else ''}"


def _dated(memory: Stored, means: str) -> bool:
    """Whether a memory has the date that a relative one means, as its event or in its words."""
    try:
        first, last = span(means)
    except ValueError:
        return False
    if memory["event_date"]:
        start, end = span(memory["event_date"])[0], span(memory["event_end"] or memory["event_date"])[0]
        if first <= start <= last or start <= first <= end:
            return True
    return means in memory["memory"] or f"{first.day} {first:%B %Y}" in memory["memory"]


def _duplicates(memories: Sequence[Stored], near: Nearness) -> int:
    """Memories that say what another one says."""
    if len(memories) < 2:
        return 0
    texts = [each["memory"] for each in memories]
    vectors = near.vectors(texts)
    cosines = np.triu(vectors @ vectors.T, 1)
    pairs = np.argwhere(cosines >= DUPLICATE)
    return len({int(b) for a, b in pairs if may_say_the_same(texts[a], texts[b])})


SHARES = (
    ("operations carried out", "carried out", "proposed"),
    ("kept facts in doubt", "marked", "kept"),
    ("changed memory was shown", "updates shown", "updates"),
    ("changes right", "updates right", "updates"),
    ("planted facts told", "facts told", "facts"),
    ("importance as planted", "importance right", "importance"),
    ("relative dates right", "relative dates right", "relative dates"),
)
NUMBERS = (
    "sessions", "proposed", "kept",
    "refused", "updates missed", "updates without retiring", "duplicates", "never said, but kept",
    "live", "calls", "prompt tokens", "reply tokens",
)  # fmt: skip


def table(reports: Mapping[str, Report]) -> Table:
    """The measures of every conversation and of all together."""
    counts = sum((report.counts for report in reports.values()), Counter[str]())
    columns = {**reports, "all": Report(counts=counts)} if len(reports) > 1 else dict(reports)
    rows = Table("", *columns)
    for name, part, whole in SHARES:
        rows.add_row(name, *(_percent(each, part, whole) for each in columns.values()))
    for name in NUMBERS:
        rows.add_row(name, *(f"{each.counts[name]:,}" for each in columns.values()))
    return rows


def _percent(report: Report, part: str, whole: str) -> str:
    share = report.share(part, whole)
    return "-" if share is None else f"{100 * share:.1f} % of {report.counts[whole]}"


def as_json(reports: Mapping[str, Report]) -> dict[str, Any]:
    """Everything that was counted, and the texts behind it."""
    return {name: {**vars(report), "counts": dict(report.counts)} for name, report in reports.items()}


def model_for(arguments: argparse.Namespace, name: str) -> BaseChatModel:
    """The model of one conversation."""
    if arguments.model:
        folder = Path(arguments.out or ".").parent / "recorded" / name
        return Recording(folder=str(folder), timeout=0, behind=init_chat_model(arguments.model))
    if arguments.replies:
        return FileModel(folder=str(Path(arguments.replies) / name), timeout=arguments.timeout)
    return FileModel(folder=str(DATA / "replies" / name), timeout=0)


def model_can_answer(model: BaseChatModel) -> bool:
    """Whether a model that only knows recorded replies has any."""
    waits = not isinstance(model, FileModel) or isinstance(model, Recording) or model.timeout > 0
    return waits or Path(model.folder, "replies.json").exists()


class Recording(FileModel):
    """A chat model whose replies are kept as a `FileModel` keeps them.

    Attributes:
        behind: The model that is asked.
    """

    behind: BaseChatModel

    def _awaited(self, prompt: str) -> str:
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        return str(self.behind.invoke(prompt).text)


def main(argv: Sequence[str] | None = None) -> dict[str, Report]:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a chat model's name for init_chat_model")
    parser.add_argument("--replies", help="a folder in which prompts are written and replies are waited for")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds to wait for a reply by file")
    parser.add_argument("--only", nargs="*", help="ids of conversations")
    parser.add_argument("--others", type=int, default=0, help="so many unrelated memories beforehand")
    parser.add_argument("--out", help="where to write everything as JSON")
    arguments = parser.parse_args(argv)
    embeddings, reports = local_embeddings(), {}
    others = json.loads((DATA / "others.json").read_text())[: arguments.others] if arguments.others else []
    for path in sorted((DATA / "conversations").glob("*.json")):
        if arguments.only and path.stem not in arguments.only:
            continue
        model = model_for(arguments, path.stem)
        if not model_can_answer(model):
            continue
        reports[path.stem] = Ingestion(Conversation(path), model, embeddings, others).run()
    Console().print(table(reports))
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(as_json(reports), indent=1, ensure_ascii=False) + "\n")
    return reports


if __name__ == "__main__":
    main()
