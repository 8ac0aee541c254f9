"""The HTTP and WebSocket faces.

Reading order: `routes` (what a route is), `app` (authentication, errors, the table of routes), then
one module a face: `adt` (models, twins, relationships), `views`, `history`, `alarms`, `live` ...
"""
