"""Work that a reply does not wait for.

It imports errors, the model of a memory and what watches, and no operation. Start reading with `work`: a bounded queue
that keeps the order of each owner and never keeps a process alive.
"""
