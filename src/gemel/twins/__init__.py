"""Twins: what models allow, what exists, and the last value of every series.

Reading order: `dtdl` (models), `records` (what is kept), `graph` (reading and applying),
`validate`, `patch`, then planning: `models`, `twin_edits`, `relationship_edits`, and `draft` for
many edits at once; `view` and `paging` (how they are shown); `state` (last values of series).
"""
