"""The engine's memory as bytes: JSON behind a checksum, keyed by rule, twin and series."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from gemel.core.batch import F64, I64
from gemel.core.errors import Damaged
from gemel.services.rules.table import NEVER, Standing

FORM = b"gemel-rules-1\n"


@dataclass(frozen=True, slots=True)
class Memory:
    standings: Mapping[str, Standing]
    """By rule."""
    value: F64
    """By signal; NaN is unknown."""
    newest: I64
    """By signal; NEVER is unknown."""
    seen: Mapping[str, int]
    """By twin: the newest source time of any of its readings."""
    lag: Mapping[str, int]
    """By the same twins: what that reading took to get here."""
    words: Mapping[float, str]
    """By code: the JSON text it stands for."""
    clocked: Mapping[str, Any] = field(default_factory=dict)
    """By lateness in ns: what clocked rules remember."""
    unheard: Sequence[Sequence[Any]] = ()
    """Rule, twin and end of delays that silence has ended."""


def write(memory: Memory) -> bytes:
    known = np.flatnonzero(memory.newest != NEVER)
    body = orjson.dumps(
        {
            "rules": {
                key: {
                    "condition": s.condition,
                    "twins": s.twins,
                    "active": s.active.astype(np.uint8).tolist(),
                    "since": s.since.tolist(),
                    "moment": s.moment.tolist(),
                    "flipped": s.flipped.tolist(),
                }
                for key, s in memory.standings.items()
            },
            "signal": known.tolist(),
            "value": memory.value[known].tolist(),
            "newest": memory.newest[known].tolist(),
            "seen": memory.seen,
            "lag": memory.lag,
            "words": [[code, text] for code, text in memory.words.items()],
            "clocked": memory.clocked,
            "unheard": memory.unheard,
        }
    )
    return FORM + zlib.crc32(body).to_bytes(4, "little") + body


def read(data: bytes) -> Memory:
    """The memory that `write` was given.

    Raises:
        Damaged: the bytes are not what was written.
    """
    head = len(FORM) + 4
    body = data[head:]
    if data[: len(FORM)] != FORM or zlib.crc32(body).to_bytes(4, "little") != data[head - 4 : head]:
        raise Damaged(
            "the snapshot of the rules is not what was written",
            hint="start without it; standing alarms are taken from the alarm documents",
        )
    return _memory(orjson.loads(body))


def _memory(found: dict[str, Any]) -> Memory:
    signal = np.array(found["signal"], np.int64)
    size = int(signal.max(initial=0)) + 1
    value, newest = np.full(size, np.nan), np.full(size, NEVER, np.int64)
    value[signal], newest[signal] = found["value"], found["newest"]
    standings = {
        key: Standing(
            rule["condition"],
            rule["twins"],
            np.array(rule["active"], np.bool_),
            *(np.array(rule[name], np.int64) for name in ("since", "moment", "flipped")),
        )
        for key, rule in found["rules"].items()
    }
    words = dict(found["words"])
    clocked = found.get("clocked", {})
    unheard = found.get("unheard", ())
    return Memory(standings, value, newest, found["seen"], found["lag"], words, clocked, unheard)
