"""Places where a store's rows are kept; `base` is the protocol, `dictionary` the reference to read first."""
