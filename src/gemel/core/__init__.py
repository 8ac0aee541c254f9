"""The words every stage shares: nothing here does I/O, and nothing here imports other stages.

Reading order: `batch` (readings in columns), `series`, `quality`, `message`, `document` (what is
stored and versioned), `access` (who may do what), `errors`, `units`, `clock`, `ports`.
"""
