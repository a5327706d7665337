"""Statistics for SQLite's query planner, without which Chroma's `where` looks at every record of a folder.

Chroma does not run ANALYZE. SQLite then takes an index on metadata for a poor one and walks through all records. With
25,000 memories of 250 owners, processor time of one search of an owner by the engine (median of 40):

    by a filter that ten fulfill        45 ms without statistics    27 ms with them
    by a filter that none fulfills      21 ms                        8 ms
    of an owner who has nothing        4.4 ms                      1.4 ms

What is saved is what grows with everybody else's memories.

Those below are what ANALYZE says of 100,000 memories of 1,000 users. A folder gets them before it has records, so that
they need not be kept up to date: what they say is how much each index tells, which is the same in a small folder.
SQLite documents that the table may be written: https://www.sqlite.org/fileformat2.html#stat1tab
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

STATISTICS: Final = (
    ("embeddings", "sqlite_autoindex_embeddings_1", "100000 100000 1"),
    ("embedding_metadata", "sqlite_autoindex_embedding_metadata_1", "900000 9 1"),
    ("embedding_metadata", "embedding_metadata_string_value", "700000 100000 4"),
    ("embedding_metadata", "embedding_metadata_int_value", "200000 67000 99"),
    ("embedding_metadata_array", "embedding_metadata_array_id_key", "900000 9 9"),
    ("embedding_metadata_array", "embedding_metadata_array_key_string", "900000 900000 3"),
)
"""Table, index, and its rows in all and for each value of its first, and first and second, column."""


def give_statistics(folder: Path) -> bool:
    """Writes the statistics into a folder's database, if it has none. Nothing may have it open.

    Args:
        folder: Where Chroma's files are.

    Returns:
        Whether the folder has statistics now; not before it has a database.
    """
    file = folder / "chroma.sqlite3"
    if not file.exists():
        return False
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("ANALYZE sqlite_schema")  # makes the table of statistics where there is none
        (known,) = database.execute("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'embedding_metadata'").fetchone()
        if not known:
            database.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", STATISTICS)
    return True
