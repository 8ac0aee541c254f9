"""Commands to devices: each is sent at most once, and its record says what is known of it.

Reading order: `command` (the record and the table of its states), `book` (all commands: submit,
send, answer, time out), `wire` (topics and payloads). Pure: methods return the edits to commit.
"""
