"""Is what an everyday request needs in the prompt, at the defaults of `retrieval_node`? And are cues found?

    python benchmarks/everyday.py [--split dev|held_out|second] [--embedder minilm|multilingual] [--out FILE]

`data/everyday.json`: eight made-up users with what is known of each, requests as people make them to assistants ("What
should I cook tonight?"), and which facts each needs; written before any tuning. Each user's facts are in a memory of
their own, with 12 and with 300 other memories around; those marked in the data are of importance "always". A fact is
in the prompt if the node's context has its line.

`data/cues.json`: things said long ago and, weeks later, remarks that share no word with them ("I've learned to say no",
"I volunteered and am overwhelmed"). The cues stand among 200 ordinary turns; found is a cue among the first ten of
`Memory.search(threshold=0)`, as it is and with the `lasting` of agents. Beside it stands the embedder alone.

Each is measured twice: with what was said alone, and with the phrases of `data/useful_for.json`, as extraction writes
them (`useful_for`).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.messages import HumanMessage
from rich.console import Console
from rich.table import Table

from benchmarks.locomo import CachedEmbeddings
from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.integrations.nodes import retrieval_node
from langchain_mem.integrations.recall import LASTING
from langchain_mem.memory.facade import Memory
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock

DATA = Path(__file__).parent / "data"
AROUND = (12, 300)
WITH = ", with phrases"
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)


Phrases: TypeAlias = Mapping[str, Sequence[str]]
"""What each statement is useful for."""


def everyday(
    user: Mapping[str, Any], others: Sequence[str], embeddings: Embeddings, phrases: Phrases | None = None
) -> list[dict[str, float]]:
    """For each request of a user: needed facts in the prompt, how many it needs, and how many memories came.

    Args:
        user: One of the data's users.
        others: Memories around.
        embeddings: What the store embeds with.
        phrases: What the facts and memories are useful for; without any by default.
    """
    useful = phrases or {}
    memory = Memory(LongTermStore.in_memory(embed=embeddings), reinforce="none")
    for fact in user["facts"]:
        importance = "always" if fact["always"] else "normal"
        text = fact["text"]
        memory.add(text, user_id=user["id"], infer=False, importance=importance, useful_for=useful.get(text))
    memory.add([text for text in others if not useful.get(text)], user_id=user["id"], infer=False)
    for text in others:
        if useful.get(text):
            memory.add(text, user_id=user["id"], infer=False, useful_for=useful[text])
    node = retrieval_node(memory, user_id=user["id"])
    texts = {fact["id"]: fact["text"] for fact in user["facts"]}
    return [_asked(node, request, texts) for request in user["requests"]]


def _asked(node: Any, request: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, float]:
    state = node.invoke({"messages": [HumanMessage(request["text"])]})
    found = {one["memory"] for one in state["memories"]}
    core = [one for one in state["memories"] if one["importance"] == "always"]
    there = sum(texts[each] in found for each in request["needs"])
    return {
        "needed": len(request["needs"]),
        "there": there,
        "memories": len(state["memories"]),
        "core": len(core),
    }


def totals(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The share of needed facts that were there, in percent, and how many memories came on average.

    >>> totals([{"needed": 2, "there": 1, "memories": 5, "core": 1}])
    {'needed facts in the prompt': 50.0, 'found memories': 4.0, 'core': 1.0}
    """
    needed = sum(row["needed"] for row in rows)
    return {
        "needed facts in the prompt": round(100 * sum(row["there"] for row in rows) / needed, 1),
        "found memories": round(statistics.fmean(row["memories"] - row["core"] for row in rows), 1),
        "core": round(statistics.fmean(row["core"] for row in rows), 1),
    }


def cues(
    pairs: Sequence[Mapping[str, str]], filler: Sequence[str], embeddings: Embeddings, phrases: Phrases | None = None
) -> dict[str, float]:
    """The share of remarks whose cue is among the first ten: of a search, of one as agents do it, by cosine alone."""
    clock = FakeClock(BEGAN)
    memory = Memory(LongTermStore.in_memory(embed=embeddings, clock=clock), clock=clock, reinforce="none")
    said = [*(pair["cue"] for pair in pairs), *filler]
    random.Random(1).shuffle(said)
    for place, text in enumerate(said):
        clock.now = BEGAN + timedelta(days=place // 8)
        source = {"thread_id": f"day {place // 8}"}
        useful = (phrases or {}).get(text)
        memory.add(text, user_id="ann", infer=False, timestamp=clock.now, source=source, useful_for=useful)
    vectors = np.array(embeddings.embed_documents(said))
    found, given, alone = [], [], []
    for pair in pairs:
        for way, lasting in ((found, 0.0), (given, LASTING)):
            results = memory.search(pair["trigger"], user_id="ann", threshold=0.0, decay=False, lasting=lasting)
            way.append(pair["cue"] in [one["memory"] for one in results["results"]])
        near = np.argsort(-(vectors @ np.array(embeddings.embed_query(pair["trigger"]))))[:10]
        alone.append(pair["cue"] in [said[at] for at in near])
    ways = {"Memory.search": found, "agents": given, "embedder alone": alone}
    return {name: round(100 * statistics.fmean(each), 1) for name, each in ways.items()}


def run(split: str, embeddings: Embeddings) -> dict[str, Any]:
    """All results of a split, without phrases and with them."""
    asked, said, useful = (
        json.loads((DATA / f"{name}.json").read_text()) for name in ("everyday", "cues", "useful_for")
    )
    users = [user for user in asked["users"] if user["split"] == split]
    results: dict[str, Any] = {
        f"{count} others{name}": totals(
            [row for user in users for row in everyday(user, asked["others"][:count], embeddings, phrases)]
        )
        for count in AROUND
        for name, phrases in (("", None), (WITH, useful["everyday"]))
    }
    pairs = [pair for pair in said["pairs"] if pair["split"] == split]
    ways = (("without", None), ("with", useful["cues"]))
    found = {name: cues(pairs, said["filler"], embeddings, phrases) for name, phrases in ways if pairs}
    return {"everyday": results} | ({"cues": found} if found else {})


def main() -> None:
    """Reads the command line, prints tables, and writes JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--split", choices=["dev", "held_out", "second"], default="dev")
    parser.add_argument("--embedder", choices=["minilm", "multilingual"], default="minilm")
    parser.add_argument("--out", type=Path, help="a file for the results as JSON")
    args = parser.parse_args()
    results = run(args.split, CachedEmbeddings(local_embeddings(args.embedder)))
    shown = Table(title=f"Everyday requests, {args.split}, {args.embedder}", title_justify="left")
    for name in ("around", "needed facts in the prompt, %", "found", "core"):
        shown.add_column(name)
    for around, row in results["everyday"].items():
        shown.add_row(around, *(str(value) for value in row.values()))
    Console(width=120).print(shown)
    if "cues" in results:
        for name, row in results["cues"].items():
            Console(width=120).print(f"Cues among the first ten, {name} phrases, %:", row)
    if args.out:
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
