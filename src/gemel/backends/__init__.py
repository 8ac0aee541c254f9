"""Implementations of `core.ports`: documents (`sqlite`, fake: `memory`), MQTT sessions, objects."""
