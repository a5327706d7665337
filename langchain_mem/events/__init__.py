"""What the operations did, for those who watch.

It imports the repository's contract, background work and what lies below, and no operation. Start reading with `feed`,
the events of this process; `kept` writes them to the store, so that other processes and later days can read them.
"""
