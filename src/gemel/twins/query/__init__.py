"""The query language of the twin graph: that of Azure Digital Twins, and more.

Reading order: `tree` (what a query says), `parser` (text to tree), `check` (names and rules),
`values` (comparing), `reading` (a value of a twin), `columns` and `scan` (one property of all twins
at once), `conditions` (one row at a time), `patterns` (along relationships), `shape` (columns,
groups and order of the answer), `run` (all of it, with pages).
"""
