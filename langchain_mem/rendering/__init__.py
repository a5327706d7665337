"""How results look: tables and pictures as HTML and SVG, for notebooks and for the inspector.

    markup      elements whose text is escaped
    tables      results as tables; a notebook shows them, and the results stay plain dicts and lists
    scores      how a score comes about, as a drawn bar

This room is pure and takes what operations return. It may import `model` and `errors`. Start reading with `tables`.
"""
