"""Sparkplug B: edge nodes that tell by births what they have, and then send it under numbers.

Pure, as all of ingest: what an edge node said is kept in a `Session`; what follows from it for
others (a birth, a death, a birth that must be asked for) is returned as `Sign`s.

Reading order: `wire` (bytes), `values` (types), `session` (births, deaths, the sequence), `host`
(a message on its way into columns), `asking` (what is asked of a node, as bytes).
"""
