"""What tidying makes of a conversation's memories: how many there are, and whether what was planted is still found.

    python benchmarks/consolidation.py                              # the recorded replies of a capable model
    python benchmarks/consolidation.py --model openai:gpt-5-mini    # any chat model, with its key in the environment

`benchmarks/data/consolidation` has the memories that were there at the end of two conversations of twenty sessions
(`benchmarks/data/conversations`), with the messages each of them rests on, and what a capable model answered when it
was shown them. A planted fact that still holds is found if one of the five memories that a search for it returns rests
on one of its messages, and one of its statements is near it (a cosine of 0.5).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from langchain.chat_models import init_chat_model
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from typing_extensions import override

from langchain_mem.embeddings.local import local_embeddings
from langchain_mem.memory.facade import Memory
from langchain_mem.model.instants import shown
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock

DATA = Path(__file__).parent / "data"
NEAR = 0.5
"""The cosine from which a statement that rests on the right message tells a fact."""
TOP_K = 5


class Played(BaseChatModel):
    """Answers as recorded: of the operations those whose memories are all in the prompt, by their numbers there."""

    replies: dict[str, list[dict[str, Any]]]

    @property
    @override
    def _llm_type(self) -> str:
        return "played"

    @override
    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        lines = messages[1].text.splitlines()[1:-1]
        numbers = {line.partition("] ")[2].rpartition(" (noted ")[0]: number for number, line in enumerate(lines)}
        part = "profile" if "profile" in messages[0].text else "tidy"
        operations = [found for each in self.replies[part] if (found := _numbered(each, numbers))]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(json.dumps({"operations": operations})))])


def _numbered(operation: Mapping[str, Any], numbers: Mapping[str, int]) -> dict[str, Any] | None:
    """An operation with the numbers of its memories; `None` where one of them is not in the prompt."""
    found = dict(operation)
    for key in ("memories", "memory", "by"):
        if key in found:
            named = found[key] if key == "memories" else [found[key]]
            if any(text not in numbers for text in named):
                return None
            found[key] = [numbers[text] for text in named] if key == "memories" else numbers[found[key]]
    return found


class Shelf:
    """The memories of one conversation, in a store of their own.

    Args:
        data: What the file holds.
        model: What consolidates.
        embeddings: What the store embeds with.
    """

    def __init__(self, data: Mapping[str, Any], model: BaseChatModel, embeddings: Embeddings) -> None:
        self.id: str = data["id"]
        self._embeddings = embeddings
        self._planted = json.loads((DATA / "conversations" / f"{self.id}.json").read_text())["planted"]
        rows = [row for row in data["memories"] if row["layer"] == "user"]
        last = max(datetime.fromisoformat(row["updated_at"]) for row in rows)
        clock = FakeClock(last + timedelta(days=1))
        store = LongTermStore.in_memory(embed=embeddings, clock=clock)
        self.memory = Memory(store, model=model, clock=clock, decay=False)
        for row in rows:
            self._add(row)

    def _add(self, row: Mapping[str, Any]) -> None:
        when = row["event_date"]
        self.memory.add(
            row["memory"],
            user_id=self.id,
            infer=False,
            metadata={"rests_on": row["rests_on"]},
            categories=row["categories"],
            importance=row["importance"],
            timestamp=row["updated_at"],
            event_date=shown(when, row["event_end"]) if when else None,
        )

    def found(self) -> tuple[int, int]:
        """How many planted facts that still hold are found, and how many there are."""
        outdated = {old for update in self._planted["updates"] for old in _listed(update["old"])}
        facts = [fact for fact in self._planted["facts"] if fact["id"] not in outdated]
        return sum(self._is_found(fact) for fact in facts), len(facts)

    def _is_found(self, fact: Mapping[str, Any]) -> bool:
        results = self.memory.search(fact["text"], user_id=self.id, top_k=TOP_K, reinforce="none")["results"]
        about = [one for one in results if set(one["metadata"].get("rests_on", ())) & set(fact["messages"])]
        if not about:
            return False
        statements = [each for one in about for each in (one["memory"], *re.split(r"[.;]\s", one["memory"]))]
        asked, *told = _unit(self._embeddings.embed_documents([fact["text"], *statements]))
        return bool(max(float(each @ asked) for each in told) >= NEAR)

    def tokens(self) -> int:
        """About how many tokens all memories have."""
        return sum(len(one["memory"]) // 4 for one in self.memory.get_all(user_id=self.id)["results"])


def _unit(vectors: Sequence[Sequence[float]]) -> list[Any]:
    return [np.asarray(vector) / np.linalg.norm(vector) for vector in vectors]


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


def measured(data: Mapping[str, Any], model: BaseChatModel | None, embeddings: Embeddings) -> dict[str, Any]:
    """Consolidates one conversation, and says what was there before and after."""
    shelf = Shelf(data, model or Played(replies=data["replies"]), embeddings)
    found, facts = shelf.found()
    tokens = shelf.tokens()
    done = shelf.memory.consolidate(user_id=shelf.id)
    profile = len(done["profile"]["memory"]) // 4 if done["profile"] else 0
    after, _ = shelf.found()
    return {
        "memories": f"{done['before']} -> {done['after']}",
        "tokens of memories": f"{tokens} -> {shelf.tokens() - profile}",
        "planted facts found": f"{found} -> {after} of {facts}",
        "merged": f"{sum(len(each['of']) for each in done['merged'])} into {len(done['merged'])}",
        "retired": len(done["retired"]),
        "calls": done["calls"],
        "prompt tokens": done["tokens"],
        "profile tokens": profile,
        "refused": len(done["rejected"]),
        "why": [f"{each['reason']}: {each['operation'].get('text', '')[:80]}" for each in done["rejected"]],
    }


def main() -> None:
    """Measures every conversation of the data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="provider:model; the recorded replies unless given")
    model = (given := parser.parse_args().model) and init_chat_model(given)
    embeddings = local_embeddings()
    for path in sorted((DATA / "consolidation").glob("*.json")):
        print(path.stem)
        for name, value in measured(json.loads(path.read_text()), model or None, embeddings).items():
            for each in value if isinstance(value, list) else [value]:
                print(f"  {name:20} {each}")


if __name__ == "__main__":
    main()
