"""Memories that come from elsewhere: Mem0, LangMem, LangGraph's stores, or another store of ours.

It imports `memory` and what lies below. Start reading with `memories`.
"""
