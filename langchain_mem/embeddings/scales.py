"""What is known of the embedders that come with the package, so that no store has to measure it.

`python -m langchain_mem.embeddings.measuring` writes the files anew, after a change of the sentences.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files

from langchain_mem.errors import StoreError
from langchain_mem.ranking.scale import Scale
from langchain_mem.ranking.situations import Situations


@functools.cache
def scale_of(model: str) -> Scale:
    """What `Scale.of` gives for the embeddings of `langchain_mem.ranking.ordinary` by a model of this package.

    Args:
        model: Its name, as the embedder has it.
    """
    kept = files("langchain_mem.embeddings").joinpath("scales.json").read_text("utf-8")
    return Scale.from_dict(json.loads(kept)[model])


@functools.cache
def situations_of(model: str) -> Situations:
    """What `Situations.of` gives for the embeddings of the table by a model of this package.

    Args:
        model: Its name, as the embedder has it.

    Raises:
        StoreError: The file is of another version of the table.
    """
    kept = files("langchain_mem.embeddings").joinpath(f"situations-{model}.json").read_text("utf-8")
    situations = Situations.from_dict(json.loads(kept), scale_of(model))
    if situations is None:
        raise StoreError(f"situations-{model}.json is not of this table; run langchain_mem.embeddings.measuring.")
    return situations
