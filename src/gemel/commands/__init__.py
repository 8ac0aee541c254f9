"""Commands to devices: each is sent at most once, and its record says what is known of it.

Reading order: `command` (the record and the table of its states), `settings` and `autonomy` (what
a plant says of commands), `guards` (the one place that lets one through), `book` (all commands:
submit, send, answer, time out), `approvals`, `confirm`, `limits`, `wire` (topics and payloads).
Pure: methods return the edits to commit.
"""
