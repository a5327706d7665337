"""Encrypts what LangGraph's Postgres savers leave readable.

They write text, numbers and booleans as plain JSON into the row of the checkpoint, past the serializer. With an
`EncryptedSerializer` we hand such a value on in a wrapper, so that it goes where all others go: into a row of
`checkpoint_blobs`, through the serializer. Both kinds of rows are LangGraph's own, and its savers read both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres.base import BasePostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer


class _Sealed(NamedTuple):
    """A text, number or boolean on its way to the serializer."""

    value: Any


class Sealing(BasePostgresSaver):
    """Stands before one of LangGraph's Postgres savers in the bases of a class."""

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `BaseCheckpointSaver.put`."""
        sealed, versions = self._seal(checkpoint, new_versions)
        return super().put(config, sealed, metadata, versions)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """The async form of `put`."""
        sealed, versions = self._seal(checkpoint, new_versions)
        return await super().aput(config, sealed, metadata, versions)

    def _seal(self, checkpoint: Checkpoint, new_versions: ChannelVersions) -> tuple[Checkpoint, ChannelVersions]:
        """Wraps what would stay readable; its versions count as new, for an older row may hold it unsealed."""
        if not isinstance(self.serde, EncryptedSerializer):
            return checkpoint, new_versions
        values, versions = checkpoint["channel_values"], checkpoint["channel_versions"]
        plain = {name for name in values.keys() & versions.keys() if isinstance(values[name], (str, int, float, bool))}
        sealed = {name: _Sealed(value) if name in plain else value for name, value in values.items()}
        return {**checkpoint, "channel_values": sealed}, {**new_versions, **{name: versions[name] for name in plain}}

    def _dump_blobs(
        self, thread_id: str, checkpoint_ns: str, values: dict[str, Any], versions: ChannelVersions
    ) -> list[tuple[str, str, str, str, str, bytes | None]]:
        opened = {name: value.value if isinstance(value, _Sealed) else value for name, value in values.items()}
        return super()._dump_blobs(thread_id, checkpoint_ns, opened, versions)
