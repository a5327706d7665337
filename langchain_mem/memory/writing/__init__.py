"""How operations write: everything one operation changes is one unit of work.

It may import what an operation is handed (`memory.settings`), `memory.reading` and the repository, and no operation.
Start reading with `unit_of_work`: it has the verbs (add, update, supersede …). `batch` holds what will be written, and
`settling` adds what follows from it. `drafts` are memories that are to be written, `places` finds the id each of them
belongs at, `marks` tells which messages were read before, and `contention` tries again when another writer was first.

Every `async def` here runs on a thread and on an event loop alike (see `langchain_mem._flow`).
"""
