"""The databases in which a store keeps its rows: a dictionary, Chroma and Postgres.

A backend knows no embedder, no clock and no chat model. It may import `filters`, `model` and `errors`. Start reading
with `base`, which is the protocol, and `dictionary`, which is the simplest implementation.
"""
