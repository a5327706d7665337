"""`prefer_newer` on planted updates: does the newest statement come before the one it replaces.

    python benchmarks/updates.py [--people 20] [--seed 0] [--out results.json]

Of each person a value is stated ("Maya lives in Oslo.") and, one to ten months later, another ("Maya lives in Leeds
now.", or in other words, "Maya has moved to Leeds."). Both are added verbatim, so that nothing supersedes the older
one, among other statements. Questions are asked about now ("Where does Maya live now?") and about then ("Where did Maya
live before?"), one month after the last statement. No model is called, and nothing is read from outside.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from langchain_core.embeddings import Embeddings
from rich.console import Console
from rich.progress import track
from rich.table import Table

from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.memory.facade import Memory
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock

Wording = Literal["same words", "other words"]
PREFERENCES: Mapping[str, bool | None] = {"no": False, "auto": None, "yes": True}

NAMES = "Maya Tom Priya Jonas Aisha Felix Ingrid Ravi Clara Omar Nadia Pedro Sofia Liam Yuki Hanna Ivan Zoe Karl Rosa"
START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Trait:
    """Something about a person that changes: how it is stated, asked for, and what it may be."""

    stated: str
    same: str
    other: str
    now: str
    then: str
    values: tuple[str, ...]


TRAITS = (
    Trait(
        "{name} lives in {value}.",
        "{name} lives in {value} now.",
        "{name} has moved to {value}.",
        "Where does {name} live now?",
        "Where did {name} live before?",
        ("Oslo", "Lisbon", "Austin", "Kyoto", "Leeds"),
    ),
    Trait(
        "{name} works as a {value}.",
        "{name} works as a {value} these days.",
        "{name} started a new job as a {value}.",
        "What is {name}'s current job?",
        "What job did {name} have before?",
        ("nurse", "welder", "translator", "chef", "surveyor"),
    ),
    Trait(
        "{name} drives a {value}.",
        "{name} drives a {value} now.",
        "{name} sold the old car and bought a {value}.",
        "Which car does {name} drive today?",
        "Which car did {name} drive before?",
        ("Honda Civic", "Fiat Panda", "Volvo V60", "Nissan Leaf", "Dacia Duster"),
    ),
    Trait(
        "{name}'s favorite drink is {value}.",
        "{name}'s favorite drink is now {value}.",
        "{name} has switched to drinking {value}.",
        "What is {name}'s favorite drink at the moment?",
        "What was {name}'s favorite drink before?",
        ("green tea", "black coffee", "lemonade", "oat milk", "kombucha"),
    ),
    Trait(
        "{name}'s phone number ends in {value}.",
        "{name}'s phone number now ends in {value}.",
        "{name} got another phone, with a number ending in {value}.",
        "What is the latest phone number of {name}?",
        "What was the phone number of {name} before?",
        ("4471", "9028", "3356", "7190", "6642"),
    ),
    Trait(
        "{name} is learning {value}.",
        "{name} is learning {value} now.",
        "{name} gave that language up and takes {value} lessons.",
        "Which language is {name} learning at present?",
        "Which language did {name} learn before?",
        ("Spanish", "Finnish", "Arabic", "Korean", "Dutch"),
    ),
)
OTHERS = (
    "{name} has a sister in Boston.",
    "{name} likes long walks on Sundays.",
    "{name} is allergic to peanuts.",
    "{name} plays chess on Thursday evenings.",
    "{name} keeps two cats.",
    "{name} reads mostly history books.",
    "{name} dislikes loud restaurants.",
    "{name} ran a half marathon in spring.",
)


@dataclass(frozen=True, slots=True)
class Update:
    """Two statements of which the newer replaces the older, and what to ask for them."""

    person: str
    older: str
    newer: str
    older_at: datetime
    newer_at: datetime
    now: str
    then: str


def planted(people: int, wording: Wording, seed: int) -> list[Update]:
    """One update of each trait for each person, drawn at random.

    Args:
        people: How many, up to 20.
        wording: Whether the newer statement differs in little but the value, or is put in other words.
        seed: Equal seeds give equal updates.
    """
    chance = random.Random(seed)
    return [update(name, trait, wording, chance) for name in NAMES.split()[:people] for trait in TRAITS]


def update(name: str, trait: Trait, wording: Wording, chance: random.Random) -> Update:
    """One person's change of one trait."""
    before, after = chance.sample(trait.values, 2)
    older_at = START + timedelta(days=chance.uniform(0, 300))
    newer = trait.same if wording == "same words" else trait.other
    return Update(
        person=name,
        older=trait.stated.format(name=name, value=before),
        newer=newer.format(name=name, value=after),
        older_at=older_at,
        newer_at=older_at + timedelta(days=chance.uniform(30, 300)),
        now=trait.now.format(name=name),
        then=trait.then.format(name=name),
    )


def remember(memory: Memory, updates: Sequence[Update], clock: FakeClock) -> None:
    """Adds every statement at its time, and what else there is to say of the people; then a month passes."""
    said = [(each.older_at, each.person, each.older) for each in updates]
    said += [(each.newer_at, each.person, each.newer) for each in updates]
    people = dict.fromkeys(each.person for each in updates)
    said += [(START + timedelta(days=40 * at), name, text) for name in people for at, text in enumerate(OTHERS)]
    for when, person, text in sorted(said):
        clock.now = when
        memory.add(text.format(name=person), infer=False, user_id=person)
    memory.flush()
    clock.advance(days=30)


def newer_first(found: Sequence[Mapping[str, Any]], update: Update) -> bool | None:
    """Whether the newer statement stands before the older one; `None` where neither was found.

    >>> update = Update("Al", "Al was 7.", "Al is 8.", START, START, "", "")
    >>> newer_first([{"memory": "Al is 8."}, {"memory": "Al was 7."}], update)
    True
    """
    texts = [each["memory"] for each in found]
    places = [texts.index(text) if text in texts else len(texts) for text in (update.newer, update.older)]
    return None if places == [len(texts)] * 2 else places[0] < places[1]


def asked(
    memory: Memory, updates: Sequence[Update], *, then: bool, prefer: bool | None, decay: bool
) -> dict[str, float]:
    """How often the newer statement came first, and how often either was found, in percent."""
    verdicts = []
    for each in updates:
        question = each.then if then else each.now
        found = memory.search(question, user_id=each.person, prefer_newer=prefer, decay=decay)
        verdicts.append(newer_first(found["results"], each))
    told = [verdict for verdict in verdicts if verdict is not None]
    return {"newer first": _percent(told), "found": _percent([verdict is not None for verdict in verdicts])}


def _percent(verdicts: Sequence[bool]) -> float:
    return round(100 * statistics.fmean(verdicts), 1) if verdicts else 0.0


def results(people: int, seed: int, embeddings: Embeddings) -> Iterator[dict[str, Any]]:
    """A row for each wording, question, preference and decay on or off."""
    wordings: tuple[Wording, ...] = ("same words", "other words")
    for wording in wordings:
        clock, updates = FakeClock(START), planted(people, wording, seed)
        store = LongTermStore.in_memory(embed=embeddings, clock=clock)
        with Memory(store, clock=clock, reinforce="none") as memory:
            remember(memory, updates, clock)
            cases = [(then, decay, name) for then in (False, True) for decay in (False, True) for name in PREFERENCES]
            for then, decay, name in track(cases, wording, console=Console(stderr=True), transient=True):
                row = {"wording": wording, "asked about": "then" if then else "now"}
                row |= {"decay": "on" if decay else "off", "prefer newer": name}
                yield row | asked(memory, updates, then=then, prefer=PREFERENCES[name], decay=decay)


def main() -> None:
    """Reads the command line, prints a table, and writes JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=20, choices=range(1, 21), metavar="1..20")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a file for the results as JSON")
    args = parser.parse_args()
    rows = list(results(args.people, args.seed, local_embeddings()))
    shown = Table(*rows[0], title=f"{args.people * len(TRAITS)} planted updates, %", title_justify="left")
    for row in rows:
        shown.add_row(*map(str, row.values()))
    Console().print(shown)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
