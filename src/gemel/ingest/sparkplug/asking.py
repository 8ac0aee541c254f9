"""What is asked of edge nodes, as bytes: a birth, values of metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gemel.ingest.sparkplug import wire
from gemel.ingest.sparkplug.session import REBIRTH, Known
from gemel.ingest.sparkplug.values import A_BOOLEAN, sent_as


def metric(known: Known, value: Any, time: int) -> bytes:
    """One metric to be set, under its alias where it has one.

    Raises:
        InvalidInput: its type cannot hold the value.
    """
    kind, raw = sent_as(known.datatype, value)
    return wire.write_metric(known.name, known.alias, known.datatype, time, kind, raw)


def payload(metrics: Iterable[bytes], time: int) -> bytes:
    """The payload of an NCMD or DCMD; `time` in ms."""
    return wire.write_payload(time, metrics)


def rebirth(time: int) -> bytes:
    """Asks a node to tell of itself and of its devices again."""
    return payload([metric(Known(REBIRTH, -1, A_BOOLEAN, ""), True, time)], time)
