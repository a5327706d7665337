"""Are questions about a conversation answered from what recall gives a model? End to end, on LoCoMo.

    python benchmarks/answers.py PATH [--only conv-30] [--form both|facts|turns] [--model openai:gpt-...] [--out FILE]
    python benchmarks/answers.py PATH --replies FOLDER      # whoever plays the model answers prompts as files

PATH is a LoCoMo file (Maharana et al., ACL 2024; CC BY-NC 4.0, and so not in this repository). A conversation is
ingested session by session; each question is answered by a chat model from what `retrieval_node` puts into a prompt
at its defaults; and another call judges the answer against the reference, as papers on LoCoMo do. Three forms of
memory are compared:

    facts     what the model extracted from each session (`infer=True`, and `history=False` at the node)
    both      the same facts, with the turns they rest on: the node's default
    turns     every turn verbatim, without a model (`infer=False`)

`--wide` asks for the 30 nearest memories in place of the node's eight, `--sessions 10` reads no more of a conversation,
and `--memory FILE` loads what `Memory.export` wrote of its facts, so that they need not be extracted again.

Questions whose answer is not in the conversation (category 5) are left out, as those papers do. With `--replies`, each
prompt is written to `FOLDER/PART/q/KEY.txt` and its reply awaited in `FOLDER/PART/a/KEY.txt` (write it under another
name, then rename it), PART being extracts, answers or judges. All prompts that do not wait for each other are there at
once, and replies are found again by a later run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from langchain.chat_models import init_chat_model
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatResult
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.locomo import CATEGORIES, CachedEmbeddings, session_time, spoken
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.integrations.nodes import retrieval_node
from langchain_mem.integrations.recall import TOKENS, TOP_K
from langchain_mem.memory.facade import Memory
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock

FORMS = ("facts", "turns", "both")
ADVERSARIAL = 5
WIDE = 30
"""Memories asked for with `--wide`; the token budget says how many of them the model reads."""

ANSWER = """You answer a question about a conversation between {one} and {other} from notes of it.

{context}

Each note ends in the day it was said or is about. Where a note says "yesterday" or "last week", count from its own
day. If several notes belong together, combine them. If they do not say it outright, give the most likely answer.
Today is {today}.

Question: {question}
Answer in a short phrase, with the notes' own words where you can. Give dates as day, month and year."""

# In the words used with LoCoMo since Mem0's paper (Chhikara et al. 2025, arXiv:2504.19413, appendix A).
JUDGE = """Label an answer to a question as CORRECT or WRONG. You are given a question that one person asked about
another from their earlier conversations, the gold answer, and a generated answer to be scored.

The gold answer is usually short. The generated answer may be longer. Be generous: as long as it touches on the same
topic as the gold answer, it counts as CORRECT. For questions about time, the gold answer is a date, month or year; a
relative time ("last Tuesday") or another format counts as CORRECT as long as it means the same date or period.

Question: {question}
Gold answer: {gold}
Generated answer: {answer}

Give one sentence of reasoning, and then, on a line of its own, {{"label": "CORRECT"}} or {{"label": "WRONG"}}."""


class Exchange(BaseChatModel):
    """A chat model whose replies come by files, named by the prompt's hash.

    Attributes:
        folder: Prompts are written to its `q`, and replies read from its `a`.
        timeout: Seconds to wait for a reply before `TimeoutError`.
    """

    folder: Path
    timeout: float = 7200.0

    @property
    def _llm_type(self) -> str:
        return "files"

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        prompt = "\n\n=====\n\n".join(f"<<{message.type}>>\n{message.text}" for message in messages)
        name = f"{hashlib.sha256(prompt.encode()).hexdigest()[:16]}.txt"
        asked, replied = (self.folder / part / name for part in "qa")
        for place in (asked.parent, replied.parent):
            place.mkdir(parents=True, exist_ok=True)
        if not replied.exists():
            part = asked.with_suffix(f".{os.getpid()}.part")  # another process may ask the same
            part.write_text(prompt)
            part.rename(asked)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self._awaited(replied)))])

    def _awaited(self, replied: Path) -> str:
        end = time.monotonic() + self.timeout
        while not replied.exists():
            if time.monotonic() > end:
                raise TimeoutError(f"There is no reply in {replied}.")
            time.sleep(0.5)
        return replied.read_text().strip()


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation of the file."""

    name: str
    speakers: tuple[str, str]
    sessions: list[dict[str, Any]]
    """Each with its `name`, its time as `when`, and its `turns`."""
    questions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answered:
    """One question's way through one form."""

    form: str
    category: str
    question: str
    gold: str
    context: str
    answer: str
    correct: bool


class Models(NamedTuple):
    """Who does what."""

    extracts: BaseChatModel
    answers: BaseChatModel
    judges: BaseChatModel


def read(path: Path, only: Sequence[str] = (), sessions: int | None = None) -> list[Talk]:
    """The conversations of a LoCoMo file, or some of them by name.

    Args:
        path: The file.
        only: Names; all conversations by default.
        sessions: How many sessions to read, with the questions that these answer; all by default.
    """
    samples = [sample for sample in json.loads(path.read_text()) if not only or sample["sample_id"] in only]
    return [_begun(_talk(sample), sessions) for sample in samples]


def _begun(talk: Talk, sessions: int | None) -> Talk:
    """The first sessions of a conversation, and the questions whose evidence lies in them."""
    if sessions is None:
        return talk
    said = {turn["dia_id"] for session in talk.sessions[:sessions] for turn in session["turns"]}
    answered = [each for each in talk.questions if each["evidence"] and _cited(each) <= said]
    return replace(talk, sessions=talk.sessions[:sessions], questions=answered)


def _cited(asked: Mapping[str, Any]) -> set[str]:
    return {turn for cited in asked["evidence"] for turn in re.findall(r"D\d+:\d+", cited)}


def _talk(sample: Mapping[str, Any]) -> Talk:
    said = sample["conversation"]
    names = sorted((key for key in said if re.fullmatch(r"session_\d+", key)), key=lambda name: int(name[8:]))
    sessions = [{"name": name, "when": session_time(said[f"{name}_date_time"]), "turns": said[name]} for name in names]
    questions = [asked for asked in sample["qa"] if asked["category"] != ADVERSARIAL]
    return Talk(sample["sample_id"], (said["speaker_a"], said["speaker_b"]), sessions, questions)


def chosen(questions: Sequence[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """So many questions, spread evenly over the file, so that categories keep their shares.

    >>> [each["question"] for each in chosen([{"question": n, "category": 1} for n in range(5)], 2)]
    [0, 2]
    """
    ordered = sorted(questions, key=lambda asked: asked["category"])
    if count is None or count >= len(ordered):
        return ordered
    return [ordered[at * len(ordered) // count] for at in range(count)]


class Ingested:
    """A conversation in memory, in one form.

    Args:
        talk: The conversation.
        form: One of `FORMS`.
        model: What extracts facts.
        embeddings: What the store embeds with.
        exported: A file that `Memory.export` wrote of the conversation's facts, in place of extraction.
    """

    def __init__(
        self, talk: Talk, form: str, model: BaseChatModel, embeddings: Embeddings, *, exported: Path | None = None
    ) -> None:
        self._talk = talk
        self._form = form
        clock = FakeClock(talk.sessions[0]["when"])
        store = LongTermStore.in_memory(embed=embeddings, clock=clock)
        infer = form != "turns"
        self._memory = Memory(store, model=model if infer else None, clock=clock, reinforce="none")
        if infer and exported is not None:
            clock.now = talk.sessions[-1]["when"]
            self._memory.import_(exported.read_text().splitlines())
        else:
            self._listen(clock, infer)
        clock.advance(days=1)
        self.today = clock.now

    def _listen(self, clock: FakeClock, infer: bool) -> None:
        """Adds session by session, each at its time."""
        talk = self._talk
        for session in track(talk.sessions, f"{talk.name}: {self._form}", console=Console(stderr=True), transient=True):
            clock.now = session["when"]
            self._add(session, infer)
        self._memory.flush()

    def _add(self, session: Mapping[str, Any], infer: bool) -> None:
        messages = [
            {"role": "user", "name": turn["speaker"], "content": spoken(turn).partition(": ")[2], "id": turn["dia_id"]}
            for turn in session["turns"]
        ]
        source = {"thread_id": session["name"], "message_ids": [turn["dia_id"] for turn in session["turns"]]}
        batches = [messages] if infer else [[message] for message in messages]
        for batch in batches:
            cited = source if infer else {**source, "message_ids": [message["id"] for message in batch]}
            self._memory.add(batch, user_id=self._talk.name, timestamp=session["when"], source=cited, infer=infer)

    def context(self, question: str, budget: int, top_k: int) -> str:
        """What a model is given for a question: so many memories at most, within a token budget."""
        form: dict[str, Any] = {"history": False} if self._form == "facts" else {}
        node = retrieval_node(
            self._memory,
            user_id=self._talk.name,
            top_k=top_k,
            token_budget=budget,
            query=itemgetter("query"),
            **form,
        )
        context: str = node.invoke({"messages": [], "query": question})["memory_context"]
        return context


def asked(talk: Talk, context: str, question: str, today: str) -> str:
    """The prompt that a question is answered from."""
    one, other = talk.speakers
    return ANSWER.format(one=one, other=other, context=context, question=question, today=today)


def is_correct(verdict: str) -> bool:
    """What a judge decided; anything unreadable is wrong.

    >>> is_correct('They agree. {"label": "CORRECT"}'), is_correct('Not so. {"label": "WRONG"}'), is_correct("Hm.")
    (True, False, False)
    """
    return re.search(r'"label"\s*:\s*"CORRECT"', verdict) is not None


def replies(model: BaseChatModel, prompts: Sequence[str]) -> list[str]:
    """The model's replies, many at once."""
    answers = model.batch([[HumanMessage(prompt)] for prompt in prompts], config={"max_concurrency": 64})
    return [answer.text for answer in answers]


def run(
    talk: Talk,
    form: str,
    models: Models,
    embeddings: Embeddings,
    *,
    budget: int = TOKENS,
    top_k: int = TOP_K,
    questions: int | None = None,
    exported: Path | None = None,
) -> list[Answered]:
    """Ingests a conversation, asks its questions, and judges the answers.

    Args:
        talk: The conversation.
        form: One of `FORMS`.
        models: What extracts, answers and judges.
        embeddings: What the store embeds with.
        budget: Tokens of the context at most.
        top_k: Memories in it at most.
        questions: How many to ask; all by default.
        exported: The facts, where they were extracted before.
    """
    ingested = Ingested(talk, form, models.extracts, embeddings, exported=exported)
    picked = chosen(talk.questions, questions)
    contexts = [ingested.context(each["question"], budget, top_k) for each in picked]
    today = f"{ingested.today:%d %B %Y}"
    prompts = [asked(talk, context, each["question"], today) for context, each in zip(contexts, picked, strict=True)]
    answers = replies(models.answers, prompts)
    verdicts = replies(
        models.judges,
        [
            JUDGE.format(question=each["question"], gold=each["answer"], answer=answer)
            for each, answer in zip(picked, answers, strict=True)
        ],
    )
    return [
        Answered(
            form,
            CATEGORIES[each["category"]],
            each["question"],
            str(each["answer"]),
            context,
            answer,
            is_correct(verdict),
        )
        for each, context, answer, verdict in zip(picked, contexts, answers, verdicts, strict=True)
    ]


def summary(rows: Sequence[Answered]) -> dict[str, Any]:
    """The share of right answers in percent, in all and by category, and the context's tokens."""

    def right(some: Sequence[Answered]) -> float:
        return round(100 * statistics.fmean(row.correct for row in some), 1)

    tokens = [count_tokens_approximately([HumanMessage(row.context)]) for row in rows]
    kinds = dict.fromkeys(row.category for row in rows)
    return {
        "questions": len(rows),
        "right": right(rows),
        "categories": {kind: right([row for row in rows if row.category == kind]) for kind in kinds},
        "context tokens": round(statistics.fmean(tokens)),
    }


def table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a form."""
    shown = Table(title="Right answers, %", title_justify="left")
    kinds = list(next(iter(results.values()))["categories"])
    for name in ("memory", "all", *kinds, "context tokens"):
        shown.add_column(name, justify="left" if name == "memory" else "right")
    for form, result in results.items():
        by_kind = (f"{result['categories'][kind]:.1f}" for kind in kinds)
        shown.add_row(form, f"{result['right']:.1f}", *by_kind, str(result["context tokens"]))
    return shown


def _models(args: argparse.Namespace) -> Models:
    if args.replies:
        return Models(*(Exchange(folder=args.replies / part) for part in Models._fields))
    model = init_chat_model(args.model, temperature=0)
    return Models(model, model, init_chat_model(args.judge, temperature=0) if args.judge else model)


def main() -> None:
    """Reads the command line, prints a table, and writes JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path, help="a LoCoMo file")
    parser.add_argument("--only", nargs="*", default=[], help="conversations by name; all by default")
    parser.add_argument("--form", choices=[*FORMS, "all"], default="all")
    parser.add_argument("--questions", type=int, help="so many of each conversation; all by default")
    parser.add_argument("--sessions", type=int, help="so many of each conversation; all by default")
    parser.add_argument("--memory", type=Path, metavar="FILE", help="facts that were exported, in place of extraction")
    parser.add_argument("--wide", action="store_true", help=f"the {WIDE} nearest memories in place of {TOP_K}")
    parser.add_argument("--budget", type=int, default=TOKENS, help=f"tokens of context at most (default: {TOKENS})")
    parser.add_argument("--model", default="openai:gpt-4.1-mini", help="what extracts and answers")
    parser.add_argument("--judge", help="what judges; the same model by default")
    parser.add_argument("--replies", type=Path, help="a folder: prompts and replies go by files instead of to a model")
    parser.add_argument("--out", type=Path, help="a file for the results as JSON")
    args = parser.parse_args()
    models = _models(args)
    embeddings = CachedEmbeddings(local_embeddings())
    rows = [
        row
        for form in (FORMS if args.form == "all" else (args.form,))
        for talk in read(args.path, args.only, args.sessions)
        for row in run(
            talk,
            form,
            models,
            embeddings,
            budget=args.budget,
            top_k=WIDE if args.wide else TOP_K,
            questions=args.questions,
            exported=args.memory,
        )
    ]
    forms = dict.fromkeys(row.form for row in rows)
    results = {form: summary([row for row in rows if row.form == form]) for form in forms}
    Console(width=120).print(table(results))
    if args.out:
        details = [{name: getattr(row, name) for name in Answered.__slots__ if name != "context"} for row in rows]
        args.out.write_text(json.dumps({"results": results, "answers": details}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
