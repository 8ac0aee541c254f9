"""OPC UA: a client that subscribes to what servers have, as the bridge does on brokers, and writes.

Reading order: `settings` (what there is to say), `link` (connects for good, takes what is
published), `session` (channels and security), `space` (nodes and what they are called), `values`
(what a value, its status and its times become here), `forms` (what may be written), `encode` (what
our values become there), `writing` (writes, calls, answers), `identity` (our own certificate). All
but `settings` need the library asyncua, an extra: import them when a connector begins.
"""
