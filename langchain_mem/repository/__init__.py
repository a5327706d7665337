"""What the operations know of a store, and what is held of it in memory.

It knows no operation. It may import `background`, `store`, `backends`, `watching`, `ranking`, `decay`, `filters`,
`model` and `errors`. Start reading with `contract`, which lists what the operations need; `LongTermStore`'s own items
give it directly, and `any_store` gives it over any other LangGraph store. `living` is the index of one owner's memories
that follows the store, `condensed` is how it holds a memory whole in few bytes, `owners` decides which indexes are
held, `overview` holds a few fields of everyone's for an inspector, and `touch_writer` writes uses off the caller's
path.
"""
