"""MQTT 3.1.1 and 5.0: the server that devices connect to, a client, and a bridge.

Reading order: `packets` and `codec` (bytes), `topics`, `connection` -> `inbox` -> `broker` (the
protocol without I/O), `server` (sockets); `client` and `bridge` for the other direction.
"""
