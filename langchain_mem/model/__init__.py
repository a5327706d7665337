"""What a memory is: its records, its owner and layer, its history, and instants.

Everything here is pure: no store, no clock, no model. It may import `errors`. Start reading with `records`, then
`scopes`.
"""
