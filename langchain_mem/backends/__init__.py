"""The databases in which a store keeps its rows: a dictionary, Chroma and Postgres.

They import `filters`, `model` and `errors`, and know no embedder, no clock and no chat model. Start reading with
`base`, which is the protocol, and `dictionary`, which is the simplest implementation.
"""
