from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.conformance.test_utils import generate_checkpoint, generate_metadata

from langchain_mem.checkpointers import InMemoryCheckpointer, Retention
from tests.unit_tests.checkpointers.graphs import OpenSaver, ids
from tests.unit_tests.checkpointers.suite import CheckpointerSuite


class TestInMemoryCheckpointer(CheckpointerSuite):
    @pytest.fixture
    def open_saver(self) -> OpenSaver:
        return InMemoryCheckpointer

    def size(self, saver: Any) -> int:
        return len(self.raw(saver))

    def raw(self, saver: Any) -> bytes:
        writes = [value for written in saver.writes.values() for _, _, (_, value), _ in written.values()]
        saved = [
            part
            for threads in saver.storage.values()
            for checkpoints in threads.values()
            for (_, checkpoint), (_, metadata), _ in checkpoints.values()
            for part in (checkpoint, metadata)
        ]
        return b"".join([*writes, *saved, *(blob for _, blob in saver.blobs.values())])


def test_a_thread_may_have_a_number_for_an_id() -> None:
    """LangGraph's saver takes any key, so a sweep meets numbers and text side by side."""
    with InMemoryCheckpointer(retention=Retention(keep_last=1)) as saver:
        for name in (1, 1, 10, 10, "two", "two"):
            config = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
            saver.put(config, generate_checkpoint(), generate_metadata(), {})
        saver.join()
        saver.sweep()
        assert saver.threads() == [1, 10, "two"]
        assert {len(ids(saver, {"configurable": {"thread_id": name}})) for name in (1, 10, "two")} == {1}
