"""What a query found in each of some documents, as arrays: what the formula of `relevance` is a function of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
"""One number a document."""

Mask: TypeAlias = npt.NDArray[np.bool_]
"""Which of the documents."""

Places: TypeAlias = npt.NDArray[np.intp]
"""Where documents stand in arrays that have one element a document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a query found in some documents, each array of shape (documents,) but for the links.

    The documents are all there are, or the candidates among them: whatever could be best in some part, with what it
    cites and what cites it. The formula cannot tell the difference, for all it asks of the others is the best.

    Attributes:
        cosine: Of the query's and the document's embedding, on the scale of `scale`; NaN without one.
        before: The cosine of the document before it in its group; NaN for the first, and where it stands alone.
        lexical: The share of the query's rare words in the document, 0 to below 1.
        neighbors: The same for the document with those around it (`bm25`); NaN where it stands alone.
        session: The same for its whole group; NaN where it stands alone.
        length: How many words the document has (`tokenize`).
        asks: Which documents are questions (`is_question`).
        eligible: Which documents may be found.
        citing: Shape (links,): which document rests on another, by its place in the other arrays.
        cited: Shape (links,): on which one.
    """

    cosine: Floats
    before: Floats
    lexical: Floats
    neighbors: Floats
    session: Floats
    length: Floats
    asks: Mask
    eligible: Mask
    citing: Places
    cited: Places
