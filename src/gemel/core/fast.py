"""The fast path: C where it was compiled, else the same in Python; both give the same results.

What is compiled (`native/fast.c`) takes the plain case only and says how far it came; the caller's
own Python code, which takes everything, goes on from there. So the twins here take nothing, and all
is left to it. `GEMEL_PURE=1` in the environment forgoes the compiled part.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from gemel.core.access import Principal
from gemel.core.batch import F64, I32, I64, U8
from gemel.core.message import Message

__all__ = [
    "BOOLEAN",
    "FRACTION",
    "IS_COMPILED",
    "READS_MANY",
    "WHOLE",
    "Line",
    "Messages",
    "Names",
    "Plan",
    "decode",
    "judge",
    "mark_repeated",
    "path",
    "percentiles",
    "receive",
    "scan",
    "slide",
    "slower",
    "transmit",
]

L = TypeVar("L", bound="Line")
VERSION = 9
"""Of what is compiled: another than the one there (older, from before an update) is not used."""
FRACTION, WHOLE, BOOLEAN = 1, 2, 4
"""What a name takes: any number that is exact as float64, whole ones from low to high, booleans."""
Judged: TypeAlias = tuple[bool, list[tuple[int, bool | None, int, float]], int, int, bool]
"""Whether readings were judged; flips (instance, whether it raises, time, value), with None and its
begin those whose run ended long after its delay while nothing was told of it; when silence
could next decide anything for those that run; by how much readings got here sooner than before, at
the most; whether a twin was heard of that is awaited."""


class Names:
    """The names of one source, in the order in which they are likely to come."""

    def add(self, name: str, slot: int, classes: int, low: int, high: int) -> None:
        """Enters a name; one that is entered twice is left to Python."""


class Plan:
    """What a topic means to `decode`; ingest's routes are such."""

    __slots__ = ("first", "name", "table", "time_names", "twin", "who")

    who: Principal | None
    """The sender whose messages are taken; None for nobody's."""
    twin: str
    first: int
    """The twin's first slot; those of `table` are counted from it."""
    name: str
    """What the topic names; "" if the payload does."""
    table: Names | None
    """None leaves all to Python."""
    time_names: tuple[str, ...]


class Messages(list[Message]):
    """Messages in the order of receipt; compiled, it makes its items when they are asked for."""

    def packet(self, index: int) -> tuple[int, str, int, bytes, None]:
        """A PUBLISH that `scan` took: flags, topic, packet identifier, payload, no properties."""
        raise IndexError(index)


class Line:
    """What `receive` must know of a connection."""

    who: object
    """The sender."""
    known_topics: dict[bytes, str]
    """The topics that may be published to."""
    is_five: bool
    """MQTT 5."""
    maximum: int
    """The longest packet that is allowed, in bytes after the fixed header."""
    quota: int
    """The most QoS 1 messages that may be unacknowledged."""
    unacknowledged: int
    is_plain: bool
    """Whether a packet begins with the next byte, and plain ones may be taken."""


def scan(
    messages: Messages,
    data: bytes,
    start: int,
    is_five: bool,
    maximum: int,
    topics: Mapping[bytes, str],
    quota: int,
    who: object,
    now: int,
) -> tuple[int, int, bytes]:
    """Takes PUBLISH packets of QoS 0 and 1, not retained, without properties, of known topics.

    Args:
        messages: receives them.
        data: what a connection sent.
        start: where in it a packet starts.
        is_five: MQTT 5.
        maximum: the longest packet that is allowed, in bytes after the fixed header.
        topics: the topics that may be published to.
        quota: the most QoS 1 messages to take.
        who: the sender.
        now: the moment of receipt.

    Returns:
        The place of the first packet that was not taken, how many were, and their PUBACKs.
    """
    return start, 0, b""


def decode(
    messages: Sequence[Message],
    start: int,
    routes: Mapping[str, Any],
    slots: array[int],
    times: array[int],
    values: array[float],
    limit: int,
    seen: MutableMapping[str, int],
) -> int:
    """Takes messages from `start` on whose payloads are plain; see ingest/decode.py.

    Returns:
        The index of the first message that was not taken.
    """
    return start


def judge(columns: tuple[NDArray[Any], ...], received: int, delivery: int) -> Judged:
    """Moves the instances of threshold rules by a batch's readings; see services/rules/plain.py.

    Notes which twins were heard of. Judges only where the times of every signal increase; it moves
    nothing otherwise. The twin in Python is the rule engine's own way with columns.
    """
    raise NotImplementedError("only what is compiled judges; ask IS_COMPILED first")


def slide(ordered: F64, known: I64, before: F64, after: F64, share: float, out: F64) -> None:
    """Replaces one sample of each window and tells the percentiles; see core/ranks.py."""
    raise NotImplementedError("only what is compiled slides; ask IS_COMPILED first")


def percentiles(value: F64, since: I64, upto: I64, room: int, share: float, out: F64) -> None:
    """Tells the percentile of each of many overlapping ranges; see core/ranks.py."""
    raise NotImplementedError("only what is compiled tells them; ask IS_COMPILED first")


def receive(
    poll: int, lines: Mapping[int, L], messages: Messages, now: int, most: int
) -> tuple[list[tuple[L, int, int, bytes]], list[tuple[L, bytes]], int, bool]:
    """Reads once from each socket that has something, `most` of them; see connect/mqtt/direct.py.

    The last of the answer is whether there was room for less than one more.
    """
    raise NotImplementedError("only what is compiled for Linux reads; ask READS_MANY first")


def transmit(pieces: Sequence[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """Writes once to each socket; see connect/mqtt/direct.py."""
    raise NotImplementedError("only what is compiled for Linux writes; ask READS_MANY first")


def plain_mark_repeated(series: I32, time: I64, bits: I64, known: U8) -> int:
    rank = np.lexsort((bits, time, series))
    before, after = rank[:-1], rank[1:]
    same = series[before] == series[after]
    same &= time[before] == time[after]
    same &= bits[before] == bits[after]
    known[after[same]] = 1
    return int(np.count_nonzero(same))


def _compiled() -> tuple[Any, str]:
    """What is compiled; None and why not, and what mends it, where it is not used."""
    if os.environ.get("GEMEL_PURE", "") not in ("", "0"):
        return None, "GEMEL_PURE is set; without it what is compiled is used"
    mend = (
        "where there is a C compiler `pip install --force-reinstall --no-deps gemel`"
        " compiles it (`pip install -e .` in a clone)"
    )
    try:
        from gemel.core import _fast  # type: ignore[attr-defined, unused-ignore]
    except ImportError:
        return None, f"it was not compiled when Gemel was installed; {mend}"
    found = getattr(_fast, "VERSION", 0)
    if found != VERSION:
        return None, f"version {found} is compiled and version {VERSION} is wanted; {mend}"
    return _fast, ""


_c, _why = _compiled()
IS_COMPILED = _c is not None
READS_MANY = hasattr(_c, "receive")
"""Whether there are `receive` and `transmit`."""
path = "c" if IS_COMPILED else "python"
"""Which of both runs, as /status says it."""
slower = _why and f"telemetry is decoded in Python, several times slower than compiled: {_why}"
"""Why what is compiled is not used and what mends it; "" where it is used."""

if _c is not None and not TYPE_CHECKING:
    Names, Plan, Messages, Line = _c.Names, _c.Plan, _c.Messages, _c.Line
    scan, decode, judge = _c.scan, _c.decode, _c.judge
    slide, percentiles = _c.slide, _c.percentiles
    if READS_MANY:
        receive, transmit = _c.receive, _c.transmit


def mark_repeated(series: I32, time: I64, bits: I64, known: U8) -> int:
    """Sets `known` for each row that is in all columns equal to an earlier one; how many are."""
    if _c is None:
        return plain_mark_repeated(series, time, bits, known)
    columns = map(np.ascontiguousarray, (series, time, bits))
    return int(_c.mark_repeated(*columns, known))
