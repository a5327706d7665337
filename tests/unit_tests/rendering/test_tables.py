"""Results as tables: what a notebook draws, and that they stay what they are."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_mem.rendering.tables import as_table
from tests.memories import Bench, op, proposed

SCRIPT = "<script>alert(1)</script>"


def _results() -> dict[str, Any]:
    """What each operation returns, from a memory with a bit of everything in it."""
    bench = Bench(
        proposed(op("add", "Lives in Oslo"), op("add", "Owns a boat", evidence=[9])),
        proposed(op("supersede", "Lives in Bergen", memory=0)),
        all_owners=True,
    )
    added = bench.memory.add("I live in Oslo", user_id="alex")
    bench.memory.add("I live in Bergen", user_id="alex")
    bench.memory.add(SCRIPT, user_id=SCRIPT, infer=False, categories=[SCRIPT])
    return {
        "add": added,
        "search": bench.memory.search("Where?", user_id="alex"),
        "explained": bench.memory.explain("Where in Bergen?"),
        "page": bench.memory.get_all(user_id=SCRIPT),
        "memory": bench.memory.get(added["results"][0]["id"]),
        "history": bench.memory.history(added["results"][0]["id"]),
        "users": bench.memory.users(),
        "stats": bench.memory.stats(user_id="alex"),
        "events": bench.memory.events(),
    }


RESULTS = _results()


@pytest.mark.parametrize("name", RESULTS)
def test_it_stays_what_it_is(name: str):
    """A drawn result equals the plain one for Python, JSON, a copy, a pickle, and the state of a graph."""
    plain, drawn = RESULTS[name], as_table(RESULTS[name])
    serde = JsonPlusSerializer()
    assert drawn == plain
    assert isinstance(drawn, dict | list)
    assert json.dumps(drawn) == json.dumps(plain)
    assert copy.deepcopy(drawn) == plain
    assert pickle.loads(pickle.dumps(drawn)) == plain
    assert serde.loads_typed(serde.dumps_typed({"found": drawn})) == {"found": plain}
    assert repr(drawn) == repr(plain)


@pytest.mark.parametrize("name", RESULTS)
def test_a_notebook_draws_a_table(name: str):
    """IPython gets a table, in which whatever is stored is text."""
    formatted, _ = DisplayFormatter().format(as_table(RESULTS[name]))
    assert "<table>" in formatted["text/html"]
    assert "<script" not in formatted["text/html"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("add", ["ADD", "Lives in Oslo", "Refused", "Owns a boat"]),
        ("search", ["Lives in Bergen", "score", "user alex"]),
        ("explained", ["<svg", "relevance", "× decay", "returned"]),
        ("page", ["&lt;script&gt;", "count 1"]),
        ("history", ["SUPERSEDE", "<s>Lives in Oslo</s>"]),
        ("users", ["alex"]),
        ("stats", ["superseded"]),
        ("events", ["search", "user alex", "results 1"]),
    ],
)
def test_what_a_table_tells(name: str, told: list[str]):
    """Each kind of result has the columns that matter for it."""
    html = as_table(RESULTS[name])._repr_html_()
    assert [each for each in told if each not in html] == []


def test_long_tables_and_texts_are_cut():
    """A table shows two hundred rows and says how many there are; a text shows three hundred characters."""
    html = as_table({"results": [{"id": str(n), "memory": "x" * 1_000} for n in range(250)]})._repr_html_()
    assert html.count("<tr>") == 201
    assert "and 50 more" in html
    assert "x" * 300 not in html


@pytest.mark.parametrize("plain", [None, 3, "text", [], ["a"], ("a",)])
def test_other_values_are_left_alone(plain: Any):
    """What is no dict and no list of dicts is returned itself."""
    assert as_table(plain) is plain


def test_nothing_found_says_so():
    """An empty result is no empty page."""
    assert "Nothing" in as_table({"results": []})._repr_html_()
