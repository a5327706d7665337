"""A Chroma server for the tests that need one."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import chromadb
import pytest
from chromadb.api import ClientAPI
from chromadb.config import Settings


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_start(server: subprocess.Popen[bytes], port: int, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("`chroma run` did not start.")


@pytest.fixture(scope="session")
def chroma_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Chroma server of this session's own."""
    port = _free_port()
    folder = tmp_path_factory.mktemp("chroma")
    chroma = [sys.executable, "-c", "from chromadb.cli.cli import app; app()", "run"]
    with subprocess.Popen(
        [*chroma, "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _await_start(server, port)
            yield port
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def chroma_client(chroma_port: int) -> Iterator[ClientAPI]:
    """A client of the session's Chroma server."""
    settings = Settings(anonymized_telemetry=False)
    client = chromadb.HttpClient(host="127.0.0.1", port=chroma_port, settings=settings)
    yield client
    for each in (client, client._admin_client):
        each._server._session.close()  # which `close` leaves open
    client.close()
