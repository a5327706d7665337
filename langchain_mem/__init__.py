"""Both kinds of memory for LangGraph and LangChain."""
