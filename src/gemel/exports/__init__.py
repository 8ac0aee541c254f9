"""Readings out to databases of others, in columns: InfluxDB, PostgreSQL, whatever takes HTTP.

Reading order: `settings` (what may be said of an export), `names` (what series are called),
`target` (what all targets have in common), `pieces` and `lines` (columns to bytes), `post` (HTTP),
`influx`, `documents` and `postgres` (the targets), `thin` (fewer readings). They run in a process
of their own (`app/export_process.py`), so they may wait.
"""
