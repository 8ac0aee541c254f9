"""From messages to checked columns: decodes payloads, binds topics to twins, checks every value.

Pure: no I/O, no clock, no threads. Nothing that a device sends makes it raise.

Reading order: `accept` (the public verb, topic to route), `decode` (the common path, measured by
bench/decode.py), `intake` (the careful path) with `payload` (bytes), `forms` (shapes), `senml`,
`times` and `judge` (one value against one property); `columns` (what becomes the batch), `points`
and `slots` (what each twin may report), `topics` (bindings), `duplicates`, `discover`, `requests`
(bodies of HTTP requests).
"""
