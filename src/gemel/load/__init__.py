"""A load of readings for any MQTT server, and the proof that none of them was lost.

Reading order: `plan` (which message holds which readings: a formula, so that nothing but counts
must be remembered), `frames` (a plan as bytes, many at once), `link` (one connection), `ledger`
(what was acknowledged, on disk), `generator` (all connections in time), `spread` (several of
them, each a process), `verify` (the ledger held against history), `prepare` (models, twins and
rules for a plan).
"""
