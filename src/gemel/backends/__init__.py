"""Implementations of `core.ports`: `sqlite` and its fake `memory` (documents), `mqtt_sessions`."""
