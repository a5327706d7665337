"""Both kinds of memory for LangGraph and LangChain."""

__all__: list[str] = []
