"""What the operations did, for those who watch.

It knows no operation. It may import `repository`, `background`, `backends`, `watching`, `filters`, `model` and
`errors`. Start reading with `feed`, the events of this process; `kept` writes them to the store, so that other
processes and later days can read them.
"""
