"""The scales of the embedders that come with the package, so that no store has to measure them."""

from __future__ import annotations

import functools
import json
from importlib.resources import files

from langchain_mem.ranking.scale import Scale


@functools.cache
def scale_of(model: str) -> Scale:
    """What `Scale.of` gives for the embeddings of `langchain_mem.ranking.ordinary` by a model of this package.

    Args:
        model: Its name, as the embedder has it.
    """
    kept = files("langchain_mem.embeddings").joinpath("scales.json").read_text("utf-8")
    return Scale.from_dict(json.loads(kept)[model])
