"""The server's store and checkpointer: langgraph.json names them here, the environment says where they lie."""

from langchain_mem.server import checkpointer, store

__all__ = ["checkpointer", "store"]
