"""A message as a device sent it, before anything knows which twin it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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


class Sample(NamedTuple):
    """One value of a source that gives each a time and a quality of its own."""

    name: str
    value: Any
    """As JSON has it; None for a bad reading without a value."""
    time: int
    """ns since 1970 UTC."""
    quality: int
    unit: str = ""
    """As the source says it; "" for that of the property."""


class Samples(NamedTuple):
    """A message that holds values where others hold bytes; else as `Message`."""

    topic: str
    rows: Sequence[Sample]
    received: int
    who: Principal
    content_type: str = "values"
    """Tells it from bytes to those that look no further."""


class LastValue(NamedTuple):
    """What a twin's property is now."""

    name: str
    """Its path."""
    value: Any
    """A number, boolean, text, or what JSON has for more; None for no value."""
    time: int
    """When it was true, ns since 1970 UTC."""


DONE, TAKEN, REFUSED, UNSURE = "done", "taken", "refused", "unsure"
"""What became of what was written: the source has it; it has taken it on and is not done yet; it
was not done; the answer is missing, so that it may have been done."""


class Outcome(NamedTuple):
    """What became of a value that was written through a connector, or of a call."""

    state: str
    """`DONE`, `TAKEN`, `REFUSED` or `UNSURE`."""
    said: str = ""
    """The source's words, for people."""
    result: Any = None
    """What a call gave back, as JSON has it."""
    is_read: bool = False
    """Whether the place was read after it, and what it holds now is taken in and durable."""
