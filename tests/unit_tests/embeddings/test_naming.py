"""An embedder by its name."""

from __future__ import annotations

import re

import pytest

from langchain_mem.embeddings import LocalEmbeddings, MultilingualEmbeddings, embedder_named
from langchain_mem.embeddings.naming import name_of_recorded
from langchain_mem.errors import InvalidRequest, MissingDependency
from langchain_mem.store.vectorizer import embedder_name
from langchain_mem.testing import FakeEmbeddings, OpenAIPeer

ONE = FakeEmbeddings()


def make() -> FakeEmbeddings:
    return ONE


def test_the_two_of_this_machine():
    """They are named by what they are for."""
    assert isinstance(embedder_named("minilm"), LocalEmbeddings)
    assert isinstance(embedder_named("multilingual"), MultilingualEmbeddings)


@pytest.mark.parametrize("name", ["ONE", "make"])
def test_a_dotted_path_is_imported(name: str):
    """It names an embedder, or a function that makes one."""
    assert embedder_named(f"{__name__}.{name}") is ONE


def test_a_class_is_called():
    """A class of embedders is made without arguments."""
    assert isinstance(embedder_named("langchain_mem.testing.FakeEmbeddings"), FakeEmbeddings)


def test_a_provider_and_its_model(monkeypatch: pytest.MonkeyPatch):
    """LangChain's own names work, and the model is the one named."""
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    with OpenAIPeer() as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        embedder = embedder_named("openai:text-embedding-3-small")
    assert getattr(embedder, "model", None) == "text-embedding-3-small"


@pytest.mark.parametrize("name", ["", "bert", "nobody:model", "http://x.y/z"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str):
    """The error shows each form that a name may have."""
    with pytest.raises(InvalidRequest, match=r"minilm.*openai:text-embedding-3-small.*package\.module\.name"):
        embedder_named(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such.module", "No module named"),
        ("langchain_mem.nothing", "no attribute 'nothing'"),
        ("os.sep", "'os.sep' is a str"),
        ("os.path.join", "cannot be called without arguments"),
    ],
)
def test_a_path_that_leads_to_no_embedder_says_where_it_leads(name: str, why: str):
    """What is found there, or that nothing is."""
    with pytest.raises(InvalidRequest, match=re.escape(why)):
        embedder_named(name)


def test_a_long_name_is_not_echoed():
    """An error shows the beginning of what was given."""
    with pytest.raises(InvalidRequest) as error:
        embedder_named("x" * 5_000)
    assert len(str(error.value)) < 600


def test_a_provider_whose_package_is_absent_says_what_to_install():
    """The error is LangChain's own line with pip."""
    with pytest.raises(MissingDependency, match="pip install langchain-cohere"):
        embedder_named("cohere:embed-english-v3.0")


def test_an_absent_key_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch):
    """The provider's own words say which variable is missing."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InvalidRequest, match="OPENAI_API_KEY") as error:
        embedder_named("openai:text-embedding-3-small")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        ("LocalEmbeddings:all-MiniLM-L6-v2", "minilm"),
        ("MultilingualEmbeddings:multilingual-e5-small-q4", "multilingual"),
        ("OpenAIEmbeddings:text-embedding-3-small", "openai:text-embedding-3-small"),
        ("Mine:model", None),
        ("OpenAIEmbeddings", None),
    ],
)
def test_what_a_store_remembers_leads_back_to_a_name(recorded: str, name: str | None):
    """A store remembers a class and a model; where LangChain can make that, its name is known."""
    assert name_of_recorded(recorded) == name


@pytest.mark.parametrize("embedder", [LocalEmbeddings(), MultilingualEmbeddings()])
def test_the_local_ones_are_found_again(embedder: LocalEmbeddings | MultilingualEmbeddings):
    """The name that a store remembers leads to the same embedder."""
    assert embedder_named(name_of_recorded(embedder_name(embedder)) or "").__class__ is embedder.__class__
