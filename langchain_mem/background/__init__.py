"""Work that a reply does not wait for.

It knows no operation. It may import `backends`, `extraction`, `watching`, `model` and `errors`. Start reading with
`work`: a bounded queue that keeps the order of each owner and never keeps a process alive. `waiting` says when messages
that wait in the store are due, and which of them still count after a thread was edited or rewound; `alarm` rings when
they are; `pending` is what one process knows of them.
"""
