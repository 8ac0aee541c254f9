"""A message as a device sent it, before anything knows which twin it is about."""

from __future__ import annotations

from typing import NamedTuple

from gemel.core.access import Principal


class Message(NamedTuple):
    topic: str
    """MQTT topic; other ways in use the topic the device would have used."""
    payload: bytes
    received: int
    """ns since 1970 UTC."""
    who: Principal
    content_type: str = ""
    """"" is found out from the bytes; else a media type such as application/senml+cbor."""
