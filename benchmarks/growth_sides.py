"""The stores that `growth` measures, all with the same few methods: ours, mem0, LangGraph's, and the bare engines."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from benchmarks.growth_data import DIMS, Prepared, question, sentence
from benchmarks.one_tick import one_tick

BATCH = 1_000


class Side:
    """One store under measurement.

    Args:
        folder: Where it may keep files.
        dsn: Where Postgres is.
    """

    fills_by_itself = True

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder, self.dsn, self.embed = folder, dsn, Prepared()

    @property
    def index(self) -> Any:
        """What vectors are made of, the same on our stores and on LangGraph's."""
        return {"dims": DIMS, "embed": self.embed, "fields": ["text"]}

    def fill(self, owner: str, numbers: Sequence[int]) -> None:
        """Puts the sentences of these numbers under an owner."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of files and connections."""

    @property
    def steps(self) -> dict[str, Callable[[str, int], Any]]:
        """What is measured with one owner: an owner and a number to one operation."""
        return {}

    @property
    def bulk(self) -> dict[str, Callable[[str, Sequence[int]], Any]]:
        """What takes a thousand at once."""
        return {}


class Ours(Side):
    """`Memory` on one of the package's stores."""

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder, dsn)
        from langchain_mem import Memory

        self.store = self._open()
        self.memory = Memory(self.store, reinforce="returned")

    def _open(self) -> Any:
        raise NotImplementedError

    @override
    def fill(self, owner: str, numbers: Sequence[int]) -> None:
        for start in range(0, len(numbers), BATCH):
            self.memory.add([sentence(n) for n in numbers[start : start + BATCH]], user_id=owner, infer=False)

    @override
    def close(self) -> None:
        self.memory.close()
        self.store.close()

    @property
    @override
    def steps(self) -> dict[str, Callable[[str, int], Any]]:
        return {
            "search": self._search,
            "turn": lambda owner, n: (self._search(owner, n), self._add(owner, n)),
            "add": self._add,
            "page": lambda owner, n: self.memory.get_all(user_id=owner, page=1 + n % 8, page_size=100),
            "decay off": lambda owner, n: self.memory.search(question(n), user_id=owner, decay=False),
            "decay on": lambda owner, n: self.memory.search(question(n), user_id=owner, decay=True),
        }

    @property
    @override
    def bulk(self) -> dict[str, Callable[[str, Sequence[int]], Any]]:
        return {"add 1,000": self.fill, "import": self._import}

    def prepare(self, owner: str, numbers: Sequence[int]) -> None:
        """Has what `import` needs at hand: an export of as many memories of another owner's."""
        self.fill(owner, numbers)
        self.lines = self.memory.export(user_id=owner)
        self.memory.erase(user_id=owner) if hasattr(self.memory, "erase") else self.memory.delete_all(user_id=owner)

    def _import(self, owner: str, numbers: Sequence[int]) -> None:
        self.memory.import_([_of(line, owner) for line in self.lines])

    def _search(self, owner: str, number: int) -> Any:
        return self.memory.search(question(number), user_id=owner)

    def _add(self, owner: str, number: int) -> Any:
        return self.memory.add(sentence(10_000_000 + number), user_id=owner, infer=False)

    def index_bytes(self) -> int:
        """About what the indexes of owners take."""
        from langchain_mem.repository.owners import owners_of

        return owners_of(self.store.items).nbytes

    def tick(self) -> float:
        """Milliseconds of 4,000 operations that one tick of an event loop asks of the store."""
        return asyncio.run(one_tick(self.store)).clock

    def together(self, owners: Sequence[str]) -> None:
        """All these searches at once on one event loop."""

        async def every() -> None:
            await asyncio.gather(*(self.memory.asearch(question(n), user_id=owner) for n, owner in enumerate(owners)))

        asyncio.run(every())


def _of(line: str, owner: str) -> str:
    """A line of an export as another owner's."""
    entry = json.loads(line)
    entry["namespace"][2] = owner
    entry["memory"] |= {"user_id": owner}
    return json.dumps(entry)


class Dictionary(Ours):
    """In memory."""

    fills_by_itself = False

    def _open(self) -> Any:
        from langchain_mem import LongTermStore

        return LongTermStore.in_memory(index=self.index)


class Chroma(Ours):
    """In a folder."""

    def _open(self) -> Any:
        from langchain_mem import LongTermStore

        return LongTermStore.chroma(self.folder / "ours", index=self.index)


class Postgres(Ours):
    """In a database."""

    def _open(self) -> Any:
        from langchain_mem import LongTermStore

        return LongTermStore.postgres(self.dsn, index=self.index)


class _Mem0Embedder:
    """The same vectors in the form mem0 asks for."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """The vector of a text."""
        return self._prepared.embed_query(text)

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        """One vector a text."""
        return self._prepared.embed_documents(texts)


class Mem0(Side):
    """`mem0ai` on Chroma, with the same vectors and no model. It is filled through its own Chroma wrapper."""

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder, dsn)
        os.environ |= {"MEM0_TELEMETRY": "False", "MEM0_DIR": str(folder / "mem0-home"), "OPENAI_API_KEY": "unused"}
        from mem0 import Memory

        chroma = {"provider": "chroma", "config": {"collection_name": "mem0", "path": str(folder / "mem0")}}
        self.memory = Memory.from_config({"vector_store": chroma, "history_db_path": str(folder / "mem0.db")})
        self.memory.embedding_model = _Mem0Embedder(self.embed)

    @override
    def fill(self, owner: str, numbers: Sequence[int]) -> None:
        for start in range(0, len(numbers), BATCH):
            texts = [sentence(n) for n in numbers[start : start + BATCH]]
            payloads = [{"data": text, "user_id": owner, "created_at": "2026-01-01T00:00:00+00:00"} for text in texts]
            ids = [str(uuid.uuid4()) for _ in texts]
            self.memory.vector_store.insert(vectors=self.embed.embed_documents(texts), payloads=payloads, ids=ids)

    @property
    @override
    def steps(self) -> dict[str, Callable[[str, int], Any]]:
        return {"search": self._search, "add": self._add, "turn": lambda o, n: (self._search(o, n), self._add(o, n))}

    def _search(self, owner: str, number: int) -> Any:
        return self.memory.search(question(number), filters={"user_id": owner}, top_k=10)

    def _add(self, owner: str, number: int) -> Any:
        return self.memory.add(sentence(10_000_000 + number), user_id=owner, infer=False)

    def together(self, owners: Sequence[str]) -> None:
        """All these searches on as many threads as Python gives an event loop: mem0's own async form does the same."""

        async def every() -> None:
            await asyncio.gather(*(asyncio.to_thread(self._search, owner, n) for n, owner in enumerate(owners)))

        asyncio.run(every())


class _LangGraph(Side):
    """One of LangGraph's own stores: items and vectors, no words, history, decay or ownership."""

    store: Any

    @override
    def fill(self, owner: str, numbers: Sequence[int]) -> None:
        from langgraph.store.base import PutOp

        for start in range(0, len(numbers), BATCH):
            batch = numbers[start : start + BATCH]
            self.store.batch([PutOp(("memories", owner), str(uuid.uuid4()), {"text": sentence(n)}) for n in batch])

    @property
    @override
    def steps(self) -> dict[str, Callable[[str, int], Any]]:
        return {"search": self._search, "add": self._add, "turn": lambda o, n: (self._search(o, n), self._add(o, n))}

    def _search(self, owner: str, number: int) -> Any:
        return self.store.search(("memories", owner), query=question(number), limit=50)

    def _add(self, owner: str, number: int) -> Any:
        return self.store.put(("memories", owner), str(uuid.uuid4()), {"text": sentence(10_000_000 + number)})


class PostgresStore(_LangGraph):
    """`langgraph.store.postgres.PostgresStore`."""

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder, dsn)
        from langgraph.store.postgres import PostgresStore as Official

        self._opened = Official.from_conn_string(dsn, index=self.index)
        self.store = self._opened.__enter__()
        self.store.setup()

    def tick(self) -> float:
        """Milliseconds of 4,000 operations that one tick of an event loop asks of the store."""
        from langgraph.store.postgres import AsyncPostgresStore

        async def ticked() -> float:
            async with AsyncPostgresStore.from_conn_string(self.dsn, index=self.index) as store:  # type: ignore[arg-type]
                return (await one_tick(store)).clock

        return asyncio.run(ticked())

    @override
    def close(self) -> None:
        self._opened.__exit__(None, None, None)


class InMemoryStore(_LangGraph):
    """`langgraph.store.memory.InMemoryStore`."""

    fills_by_itself = False

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder, dsn)
        from langgraph.store.memory import InMemoryStore as Official

        self.store = Official(index=self.index)

    def tick(self) -> float:
        """Milliseconds of 4,000 operations that one tick of an event loop asks of the store."""
        return asyncio.run(one_tick(self.store)).clock


class RawChroma(Side):
    """A Chroma collection by itself, holding what ours holds: the memory as JSON text and its vector."""

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder, dsn)
        import chromadb
        from chromadb.config import Settings

        client = chromadb.PersistentClient(str(folder / "raw"), settings=Settings(anonymized_telemetry=False))
        configuration: Any = {"hnsw": {"space": "ip"}}
        self.collection = client.get_or_create_collection("raw", configuration=configuration, embedding_function=None)

    @override
    def fill(self, owner: str, numbers: Sequence[int]) -> None:
        for start in range(0, len(numbers), BATCH):
            texts = [sentence(n) for n in numbers[start : start + BATCH]]
            self.collection.upsert(
                ids=[str(uuid.uuid4()) for _ in texts],
                embeddings=self.embed.embed_documents(texts),  # type: ignore[arg-type]
                documents=texts,
                metadatas=[{"owner": owner, "data": json.dumps(_value(text)), "updated": 1} for text in texts],
            )

    @property
    @override
    def steps(self) -> dict[str, Callable[[str, int], Any]]:
        return {"search": self._search}

    def _search(self, owner: str, number: int) -> Any:
        vector = np.array(self.embed.embed_query(question(number)), dtype=np.float32)
        return self.collection.query(query_embeddings=[vector], n_results=10)  # type: ignore[arg-type]

    @property
    @override
    def bulk(self) -> dict[str, Callable[[str, Sequence[int]], Any]]:
        return {"add 1,000": self.fill}


class RawPostgres(Side):
    """A table with a key, a JSON value, a full-text column and an indexed vector, filled by `executemany`."""

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder, dsn)
        import psycopg

        self._connection = psycopg.connect(dsn)
        for statement in (
            "CREATE EXTENSION IF NOT EXISTS vector",
            "CREATE TABLE IF NOT EXISTS raw (namespace text[], key text, value jsonb, words tsvector,"
            f" embedding vector({DIMS}), PRIMARY KEY (namespace, key))",
            "CREATE INDEX IF NOT EXISTS raw_words ON raw USING gin (words)",
            "CREATE INDEX IF NOT EXISTS raw_embedding ON raw USING hnsw (embedding vector_ip_ops)",
        ):
            self._connection.execute(statement)
        self._connection.commit()

    @override
    def fill(self, owner: str, numbers: Sequence[int]) -> None:
        put = "INSERT INTO raw VALUES (%s, %s, %s, to_tsvector('english', %s), %s)"
        for start in range(0, len(numbers), BATCH):
            texts = [sentence(n) for n in numbers[start : start + BATCH]]
            vectors = [str(vector) for vector in self.embed.embed_documents(texts)]
            rows = [
                (["memories", owner], str(uuid.uuid4()), json.dumps(_value(text)), text, vector)
                for text, vector in zip(texts, vectors, strict=True)
            ]
            with self._connection.cursor() as cursor:
                cursor.executemany(put, rows)
            self._connection.commit()

    @property
    @override
    def bulk(self) -> dict[str, Callable[[str, Sequence[int]], Any]]:
        return {"add 1,000": self.fill}

    @override
    def close(self) -> None:
        self._connection.close()


def _value(text: str) -> dict[str, Any]:
    """About what a memory is: its text, its ids and dates, and a history of one entry."""
    entry = {"event": "ADD", "created_at": "2026-01-01T00:00:00.000000Z", "after": {"memory": text, "metadata": {}}}
    ids = dict.fromkeys(("user_id", "agent_id", "app_id", "run_id", "org_id"))
    return {"id": str(uuid.uuid4()), "memory": text, **ids, "layer": "user", "metadata": {}, "log": [entry]}


SIDES: dict[str, type[Side]] = {
    "dictionary": Dictionary,
    "chroma": Chroma,
    "postgres": Postgres,
    "mem0": Mem0,
    "PostgresStore": PostgresStore,
    "InMemoryStore": InMemoryStore,
    "raw chroma": RawChroma,
    "raw postgres": RawPostgres,
}
