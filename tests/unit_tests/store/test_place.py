"""A store by the place where it lies, and an embedder by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem.errors import EmbeddingMismatch, InvalidRequest
from langchain_mem.store.place import default_place, open_place, without_password
from langchain_mem.testing import FakeEmbeddings


def test_memory_alone():
    """`:memory:` is a store that ends with the process, and makes no folder of that name."""
    with Memory(":memory:", embed=FakeEmbeddings()) as memory:
        memory.add("Likes tea", user_id="alex")
        assert memory.search("tea", user_id="alex")["results"][0]["memory"] == "Likes tea"
    assert not Path(":memory:").exists()


def test_an_embedder_by_its_name():
    """A name stands for an embedder wherever one is taken."""
    with Memory(":memory:", embed="langchain_mem.testing.FakeEmbeddings") as memory:
        memory.add("Likes tea", user_id="alex")
        assert memory.search("tea", user_id="alex")["results"] != []


def test_a_store_has_its_own_embedder():
    """An embedder beside a store that is given would be ignored: it is refused."""
    with pytest.raises(InvalidRequest, match=r"LongTermStore\.chroma\(…, embed=…\)"):
        Memory(LongTermStore.in_memory(), embed=FakeEmbeddings())


@pytest.mark.parametrize("place", ["redis://:secret@host", "http://app:secret@host:8000", "sqlite:///secret.db"])
def test_another_address_is_no_folder(place: str):
    """What is an address of something else is refused, and what may be secret in it is not repeated."""
    with pytest.raises(InvalidRequest, match="folder, a postgresql:// address") as error:
        Memory(place)
    assert "secret" not in str(error.value)


def test_a_file_is_no_folder(tmp_path: Path):
    """A path that is a file is refused before an engine stumbles over it."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InvalidRequest, match="is a file"):
        Memory(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    "place", ["postgresql://app:secret@nowhere.invalid/db", "host=nowhere.invalid password=secret"]
)
def test_a_password_is_not_shown(place: str):
    """A Postgres address is recognized as one, and can be told without its password."""
    assert "secret" not in without_password(place)
    with open_place(place, embed=FakeEmbeddings()) as store:
        assert "secret" not in repr(store)


def test_the_default_place(monkeypatch: pytest.MonkeyPatch):
    """One variable names it; the name of the first release is read where that is not set."""
    for name in ("LANGCHAIN_MEM_STORE", "LANGCHAIN_MEM_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert default_place() == "./memory"
    monkeypatch.setenv("LANGCHAIN_MEM_PATH", "old")
    assert default_place() == "old"
    monkeypatch.setenv("LANGCHAIN_MEM_STORE", "new")
    assert default_place() == "new"


@pytest.fixture
def built() -> LongTermStore:
    """A store without an embedder, over rows that one has embedded."""
    store = LongTermStore.in_memory(embed=FakeEmbeddings())
    store.put(("notes",), "1", {"text": "Likes tea"})
    return LongTermStore(store.items.backend)


def test_reading_needs_no_embedder(built: LongTermStore):
    """Items are got, listed, deleted and put without an index; what was embedded stays embedded."""
    assert built.get(("notes",), "1") is not None
    assert [item.key for item in built.search(("notes",))] == ["1"]
    built.put(("notes",), "2", {"text": "no index"}, index=False)
    built.delete(("notes",), "2")
    again = LongTermStore(built.items.backend, embed=FakeEmbeddings())
    assert again.search(("notes",), query="tea")[0].score == pytest.approx(1, abs=0.5)


def test_a_text_without_a_vector_is_refused(built: LongTermStore):
    """Where the others have vectors, a text would never be found by meaning: nothing is written."""
    with pytest.raises(EmbeddingMismatch, match=r"FakeEmbeddings.*Memory\(place, embed=…\)"):
        built.put(("notes",), "2", {"text": "Likes coffee"})
    assert built.get(("notes",), "2") is None


def test_a_store_that_never_had_an_embedder_takes_texts():
    """There is nothing to be missing there."""
    store = LongTermStore.in_memory()
    store.put(("notes",), "1", {"text": "Likes tea"})
    assert store.get(("notes",), "1") is not None
