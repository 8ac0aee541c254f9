"""Who is told of which alarm, by what way, and when: receivers, notifications, and their outbox.

Reading order: `policy` (the two kinds of documents and what they match), `outbox` (notices: planned
with the alarm, sent when due, repeated until taken). Pure; `app.notify` sends.
"""
