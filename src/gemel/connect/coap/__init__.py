"""CoAP (RFC 7252) with Observe (RFC 7641) and block-wise transfer (RFC 7959), as a server.

Reading order: `words` and `codec` (bytes), `request` (what options ask for), `exchanges` (answers
that repeats get), `assembly` (long payloads in parts), `inbox` (the way inside and back),
`outgoing` (what must be confirmed), `observers`, `resources` -> `responder` (the protocol without
I/O), `server` (socket and timers).
"""
