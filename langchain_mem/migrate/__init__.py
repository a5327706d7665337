"""Memories that come from elsewhere: Mem0, LangMem, LangGraph's stores, or another store of ours.

It may import every room below it. Start reading with `memories`; `stores` copies one LangGraph store into another.
"""
