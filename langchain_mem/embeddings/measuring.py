"""Measures the embedders of this package and writes what `scales` reads.

    python -m langchain_mem.embeddings.measuring

To be run after `langchain_mem/ranking/ordinary.py` or `situations.toml` has changed, or a model. Requests are embedded
as queries, everything else as passages.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from langchain_mem.embeddings.local import LocalEmbeddings, MultilingualEmbeddings
from langchain_mem.ranking.scale import SENTENCES, Scale
from langchain_mem.ranking.situations import Situations, table

HERE = Path(__file__).parent


def measured(embeddings: LocalEmbeddings | MultilingualEmbeddings) -> tuple[Scale, Situations]:
    """The scale of an embedder, and what it makes of everyday situations."""
    told = table()
    scale = Scale.of(np.array(embeddings.embed_documents(list(SENTENCES)), dtype=np.float32))
    asked = [embeddings.embed_query(request) for request in told.requests]
    said = embeddings.embed_documents(list(told.told))
    return scale, Situations.of(np.array([*asked, *said], dtype=np.float32), scale)


def main() -> None:
    """Writes the files beside this one."""
    scales = {}
    for embeddings in (LocalEmbeddings(), MultilingualEmbeddings()):
        scale, situations = measured(embeddings)
        scales[embeddings.model] = scale.as_dict()
        (HERE / f"situations-{embeddings.model}.json").write_text(json.dumps(situations.as_dict()) + "\n")
    (HERE / "scales.json").write_text(json.dumps(scales) + "\n")


if __name__ == "__main__":
    main()
