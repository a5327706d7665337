"""An event as one log line."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_mem.watching.log import line, log_event, measures

DETAILS = {"query": "Where is my quokka plan?", "results": [{"memory": "quokka plan"}], "batch_id": "b1", "tokens": 7}


def test_ids_and_numbers_and_no_text(caplog: pytest.LogCaptureFixture):
    """A line has ids and numbers as key=value and as fields, and nothing of what a memory or a query says."""
    with caplog.at_level(logging.DEBUG, "langchain_mem"):
        log_event("search", {"user_id": "alex"}, DETAILS, ms=4.06)
    (record,) = caplog.records
    assert record.getMessage() == "search user_id=alex query_chars=24 results=1 batch_id=b1 tokens=7 ms=4.1"
    assert record.langchain_mem == {  # type: ignore[attr-defined]
        "event": "search", "user_id": "alex", "query_chars": 24, "results": 1, "batch_id": "b1", "tokens": 7, "ms": 4.1,
    }  # fmt: skip
    assert "quokka" not in str(record.__dict__)  # a word that no path on the way holds


def test_text_where_it_is_asked_for(caplog: pytest.LogCaptureFixture):
    """With the setting, the texts of the event are there."""
    with caplog.at_level(logging.DEBUG, "langchain_mem"):
        log_event("search", {}, DETAILS, with_text=True)
    assert 'query="Where is my quokka plan?"' in caplog.text


@pytest.mark.parametrize(
    ("type_", "level"), [("search", logging.DEBUG), ("add", logging.INFO), ("purge", logging.INFO)]
)
def test_changes_are_info_and_reads_are_debug(caplog: pytest.LogCaptureFixture, type_: str, level: int):
    """At INFO one sees what changed; at DEBUG what was read, too."""
    with caplog.at_level(logging.DEBUG, "langchain_mem"):
        log_event(type_, {}, {})
    assert [record.levelno for record in caplog.records] == [level]


def test_nothing_is_worked_out_where_nobody_listens(caplog: pytest.LogCaptureFixture):
    """Below the level of the logger the details are not even looked at."""
    with caplog.at_level(logging.WARNING, "langchain_mem"):
        log_event("search", {}, None)  # type: ignore[arg-type]
    assert caplog.records == []


@given(st.text())
def test_an_id_cannot_break_the_line(user_id: str):
    """Whatever an id holds, the line stays one line of printable ASCII, and the next field stands by itself."""
    told = line("add", {"user_id": user_id, "results": 1})
    assert told.isprintable()
    assert told.isascii()
    assert told.endswith(" results=1")
    assert told.count(" results=") == 1 or '"' in told


@given(
    st.dictionaries(
        st.text(), st.one_of(st.text(min_size=1), st.lists(st.text()), st.dictionaries(st.text(), st.text()))
    )
)
def test_measures_hold_no_text(details: dict[str, object]):
    """Of an event whose details are texts, lists and dicts only lengths are left."""
    ids = {"batch_id", "thread_id", "checkpoint_id", "memory_id", "reason_code", "error"}
    left = measures({name: value for name, value in details.items() if name not in ids})
    assert all(isinstance(value, int) for value in left.values())
