"""Whatever is handed over, only documented errors come back, none echoes what it was given, and the store works on."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from langchain_mem import LongTermStore, MemError, Memory
from langchain_mem.errors import InvalidRequest
from langchain_mem.filters.language import FIELDS, parse, parse_store
from langchain_mem.memory.base import Operations
from langchain_mem.testing import FakeClock, FakeEmbeddings

OPERATIONS = sorted(name for name in vars(Operations) if not name.startswith("_"))
IDS = ("user_id", "agent_id", "app_id", "org_id", "run_id", "session_id")
LONG = "q" * 5_000
SHORT = settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking would take longer than reading what was drawn
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

odd_text = st.one_of(
    st.sampled_from(
        ["", " ", "\x00", "\ud800", "t", "abc", LONG, "a.b", "*", "../..", "9999-12-31", "DROP TABLE", "{}"]
    ),
    st.text(max_size=12),
)
scalars = st.one_of(
    odd_text,
    st.none(),
    st.booleans(),
    st.sampled_from([0, -2, 1, 2**70, -(2**70), 3600]),
    st.floats(),
    st.binary(max_size=4),
    st.sampled_from(
        [timedelta(days=-2), timedelta.max, datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1)]
    ),
    st.sampled_from([object(), int, len, 1j]),
)
odd = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(odd_text, inner, max_size=3),
        st.sets(st.integers(), max_size=2),
    ),
    max_leaves=6,
)
messages = st.one_of(
    odd,
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "nobody"]), "content": odd}), max_size=3
    ),
)


def _memory(**config: Any) -> Memory:
    clock = FakeClock()
    return Memory(LongTermStore.in_memory(embed=FakeEmbeddings(), clock=clock), **{"clock": clock, **config})


def _attempt(call: Callable[[], Any]) -> None:
    """Makes a call that may be refused: by an error of the package's, which repeats little of what it was given."""
    try:
        call()
    except MemError as error:
        said = str(error)
    else:
        return
    assert LONG[:201] not in said
    assert len(said) < 1_000


@pytest.mark.parametrize(
    "wrong",
    [
        lambda memory, kept: memory.restore(kept, version={LONG: 1}, user_id="alex"),
        lambda memory, kept: memory.batch_update([{"memory_id": LONG, "text": "x"}] * 2, user_id="alex"),
        lambda memory, kept: memory.batch_delete([{"text": "x"}] * 900, user_id="alex"),
    ],
)
def test_found_by_the_fuzzer(wrong: Callable[[Memory, str], Any]) -> None:
    """What once was repeated whole."""
    memory = _memory()
    (kept,) = memory.add("I like tea", user_id="alex")["results"]
    with pytest.raises(MemError) as raised:
        wrong(memory, kept["id"])
    assert len(str(raised.value)) < 300


def _works(memory: Memory) -> None:
    """A memory that was handed nonsense still does what it is for."""
    memory.add("Probe is my cat", user_id="probe")
    assert memory.search("Probe", user_id="probe")["results"]
    assert memory.get_all(user_id="probe")["results"]
    memory.delete_all(user_id="probe")


@st.composite
def calls(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Keywords of an operation, some of them of the wrong kind."""
    signature = inspect.signature(getattr(Memory, name))
    given: dict[str, Any] = {}
    takes_ids = False
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_ids = True
        elif parameter.default is inspect.Parameter.empty or draw(st.integers(0, 3)) == 0:
            given[parameter.name] = draw(messages if parameter.name == "messages" else odd)
    if takes_ids:
        given |= draw(st.sampled_from([{"user_id": "alex"}, {"user_id": "alex", "run_id": "s"}, {}]))
        if draw(st.integers(0, 4)) == 0:
            given[draw(st.sampled_from(IDS))] = draw(odd)
    return given


def _fuzz(name: str, effort: settings) -> None:
    @effort
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        memory = _memory()
        (kept,) = memory.add("I like tea", user_id="alex")["results"]
        given = data.draw(calls(name))
        if "memory_id" in given and data.draw(st.booleans()):
            given["memory_id"] = kept["id"]
        _attempt(lambda: getattr(memory, name)(**given))
        _works(memory)

    check()


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str) -> None:
    """Every operation, with arguments of any kind."""
    _fuzz(name, SHORT)


@pytest.mark.soak
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_at_length(name: str) -> None:
    """The same with many more arguments."""
    _fuzz(name, settings(SHORT, max_examples=500))


@SHORT
@given(option=st.sampled_from(sorted(set(inspect.signature(Memory).parameters) - {"store", "embed"})), value=odd)
@example(option="session_ttl", value=3600)
@example(option="min_confidence", value="0.5")
@example(option="purge_after", value=30)
@example(option="model", value="foo:bar")
def test_constructor(option: str, value: Any) -> None:
    """Every argument of the constructor, of any kind: refused at once, or good."""

    def make() -> None:
        _memory(**{option: value})

    _attempt(make)


@SHORT
@given(
    place=st.one_of(
        odd_text.filter(lambda text: len(text) > 300 or not text.strip() or "\x00" in text), st.integers(), st.binary()
    )
)
def test_places(place: Any) -> None:
    """What is no place for a store is refused."""
    _attempt(lambda: Memory(place))


filters = st.recursive(
    st.one_of(
        odd,
        st.dictionaries(st.sampled_from([*FIELDS, "metadata.a", "AND", "OR", "NOT", "food", LONG]), odd, max_size=2),
    ),
    lambda inner: st.dictionaries(
        st.sampled_from([*FIELDS, "AND", "OR", "NOT", "$and", "gte", "in", "$in", "metadata.a", "a.b", LONG]),
        st.one_of(inner, st.lists(inner, max_size=2)),
        max_size=2,
    ),
    max_leaves=5,
)


@settings(SHORT, max_examples=60)
@given(given=filters)
def test_filters(given: Any) -> None:
    """Both languages of filters."""
    _attempt(lambda: parse(given))
    _attempt(lambda: parse_store(given))


fields = st.sampled_from(
    "id memory user_id created_at updated_at state history metadata categories touches expiration_date version layer "
    "confidence namespace".split()
)


@settings(SHORT, max_examples=20)
@given(lines=st.one_of(odd, st.lists(odd, max_size=3)), field=fields, value=odd)
@example(lines=[], field="id", value=5)
def test_import(lines: Any, field: str, value: Any) -> None:
    """What is imported may be anything: it is refused, or good, and what is there stays readable."""
    memory = _memory()
    memory.add("I like tea", user_id="alex")
    _attempt(lambda: memory.import_(lines))
    records = [json.loads(line) for line in memory.export(user_id="alex")]
    changed = [json.dumps({**record, field: value}, default=str) for record in records]
    inside = [json.dumps({**record, "memory": {field: value}}, default=str) for record in records]
    for tried in (changed, inside):
        _attempt(lambda tried=tried: memory.import_(tried, on_conflict="replace"))
        memory.get_all(user_id="alex")
    _works(memory)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("promote", {"run_id": "r", "user_id": "alex", "ids": [{1}]}, "ids must be a list of texts"),
        ("end_session", {"run_id": "r", "user_id": "alex", "checkpointer": {}}, "checkpointer must be a LangGraph"),
        ("erase", {"user_id": "alex", "checkpointer": {}}, "checkpointer must be a LangGraph"),
    ],
)
def test_what_fuzzing_found(name: str, given: dict[str, Any], said: str) -> None:
    """Refused in words before anything is changed."""
    memory = _memory()
    memory.add("I like tea", user_id="alex")
    memory.add("Compares trains", user_id="alex", run_id="r")
    with pytest.raises(InvalidRequest, match=said):
        getattr(memory, name)(**given)
    assert memory.get_all(user_id="alex")["count"] == 2
