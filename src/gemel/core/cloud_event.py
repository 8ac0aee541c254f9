"""What happened to a twin as it leaves us: a CloudEvent, apart from what protocol carries it."""

from __future__ import annotations

from typing import NamedTuple

import orjson

BINARY, STRUCTURED = "binary", "structured"
MODES = (BINARY, STRUCTURED)
"""Attributes beside the data (headers, properties), or all of it as one JSON object."""
WHOLE = "application/cloudevents+json; charset=utf-8"
OVERHEAD = 1_000
"""Bytes that an event takes in memory beside its data, about."""
CONTENT_TYPE = "datacontenttype"


class CloudEvent(NamedTuple):
    """An event with its data as JSON text.

    Source: CloudEvents 1.0.2; the JSON event format of it.
    """

    twin: str
    """Whose it is: events of one twin stay in order."""
    time: int
    """When it became known here (ns)."""
    attributes: dict[str, str]
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data) + OVERHEAD

    @property
    def beside(self) -> dict[str, str]:
        """The attributes that stand beside the data in binary mode; the type of the data not."""
        return {name: value for name, value in self.attributes.items() if name != CONTENT_TYPE}

    def structured(self) -> bytes:
        """All of it as one JSON object."""
        return orjson.dumps({**self.attributes, "data": orjson.Fragment(self.data)})


class Fate(NamedTuple):
    """What became of an event that was sent."""

    is_settled: bool
    """Taken, or refused for good; else it is to be sent again."""
    why: str = ""
    """What is wrong; "" if it was taken."""
    pause: float = 0.0
    """Seconds for which the other side asks to be left alone."""


TAKEN = Fate(True)


def refused(why: str) -> Fate:
    """However often it is sent, it will not be taken."""
    return Fate(True, why)


def not_now(why: str, pause: float = 0.0) -> Fate:
    return Fate(False, why, pause)
