"""How operations read: where a read may look, which memories come into question, and a page of them.

It may import what an operation is handed (`memory.settings`), the repository, ranking, decay and filters, and no
operation. Start reading with `queries`; `candidates` and `ranked` serve a search, `pages` and `cursor` a listing.

Every `async def` here runs on a thread and on an event loop alike (see `langchain_mem._flow`).
"""
