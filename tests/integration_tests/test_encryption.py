"""A memory over an encrypted store: nothing readable in a folder or a table, and everything works on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_mem import Encryption, InvalidRequest, LongTermStore, Memory, StoreError
from langchain_mem.testing import FakeClock, FakeEmbeddings

OLD = Encryption(key=b"the key of last year", key_id="2025")
NEW = Encryption(key=b"the key of this year", key_id="2026", retired={"2025": OLD.key})
TEXTS = ("Likes green tea from Darjeeling", "Works as a beekeeper in Rouen", "Has a sister called Philippa")
WORDS = [word for text in TEXTS for word in text.split() if len(word) > 4]


def _folder_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def _filled(store: LongTermStore) -> Memory:
    memory = Memory(store, clock=FakeClock())
    for text in TEXTS:
        fields: dict[str, Any] = {"categories": ["hobbies"], "useful_for": ["polishing the samovar"]}
        memory.add(text, user_id="alex", metadata={"topic": "Zanzibar"}, **fields)
    return memory


@pytest.fixture(params=["chroma", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """What opens a store, and says all that is on disk."""
    if request.param == "chroma":
        yield (
            lambda keys: LongTermStore.chroma(tmp_path, embed=FakeEmbeddings(), encryption=keys),
            lambda: _folder_bytes(tmp_path),
        )
        return
    import psycopg

    dsn = request.getfixturevalue("fresh_postgres_dsn")

    def dumped() -> bytes:
        with psycopg.connect(dsn) as connection:
            rows = connection.execute("SELECT i::text FROM langchain_mem.items i").fetchall()
        return "\n".join(text for (text,) in rows).encode()

    yield lambda keys: LongTermStore.postgres(dsn, embed=FakeEmbeddings(), encryption=keys), dumped


def test_nothing_is_readable(place: Any) -> None:
    """No word of a memory, of its metadata, its history or its sources is on disk; the owner's id is, as documented."""
    opened, on_disk = place
    with opened(NEW) as store:
        memory = _filled(store)
        found = memory.search("green tea", user_id="alex")["results"][0]
        memory.update(found["id"], "Likes white tea from Fujian", user_id="alex", metadata={"why": "Philippa"})
        memory.feedback(found["id"], "POSITIVE", user_id="alex", reason="Zanzibar")
        memory.compact()  # Chroma's index writes unused memory of the process to disk; this blanks it
    kept = on_disk()
    assert b"alex" in kept
    assert not [word for word in [*WORDS, "Zanzibar", "Fujian", "hobbies", "samovar"] if word.encode() in kept]


def test_search_filters_and_history_work(place: Any) -> None:
    """Found by words and by meaning, filtered, changed, undone and erased, as without encryption."""
    opened, _ = place
    with opened(NEW) as store:
        memory = _filled(store)
        assert memory.search("beekeeper", user_id="alex")["results"][0]["memory"] == TEXTS[1]
        filters = {"metadata.topic": "Zanzibar"}
        assert len(memory.get_all(user_id="alex", filters=filters)["results"]) == 3
        (found,) = memory.search("sister Philippa", user_id="alex", top_k=1)["results"]
        changed = memory.update(found["id"], "Has a brother", user_id="alex")
        assert [each["event"] for each in memory.history(found["id"], user_id="alex")]
        assert changed["memory"] == "Has a brother"
        memory.erase(user_id="alex")
        assert memory.get_all(user_id="alex")["results"] == []


def test_a_key_is_changed(place: Any) -> None:
    """After `rotate_keys` the new key alone opens everything."""
    opened, _ = place
    with opened(OLD) as store:
        _filled(store)
    with opened(Encryption(key=NEW.key, key_id="2026")) as store, pytest.raises(StoreError, match="2025"):
        Memory(store).get_all(user_id="alex")
    with opened(NEW) as store:
        assert store.rotate_keys() > 0
        assert store.rotate_keys() == 0
    with opened(Encryption(key=NEW.key, key_id="2026")) as store:
        assert len(Memory(store, clock=FakeClock()).get_all(user_id="alex")["results"]) == 3


def test_a_plain_store_has_no_keys() -> None:
    """Rotating the keys of a store that has none is a mistake, and says how it would have some."""
    with pytest.raises(InvalidRequest, match="encryption=Encryption"):
        LongTermStore.in_memory().rotate_keys()
