"""How one sees what a memory does: log lines, LangChain traces, OpenTelemetry.

    log         what observers are told of an event: its ids and numbers as a structured line, and counts
    telemetry   OpenTelemetry spans and metrics, where its API is installed
    tracing     a search as a retriever run of LangChain

Log lines, spans and metrics hold no memory's text unless the application asks for it. None of it can make an operation
fail. This room stands low, so that every room above may report, and knows nothing of memories but the shape of an
event. It may import `errors`. Start reading with `log`.
"""
