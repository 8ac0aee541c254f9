"""InfluxDB's line protocol to messages, as if each device had sent its own.

A line's tag `twin` names the twin, and its fields are properties. Any other line comes on a topic
made of its measurement and tags, `influx/cpu/cpu=cpu0/host=a`, which a binding may lead to a twin.
A plain line (numbers and booleans, nothing escaped) becomes JSON by its text, without a step for
each field; all others are read field by field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from gemel.core.access import Principal
from gemel.core.batch import Reject
from gemel.core.clock import SECOND, to_iso
from gemel.core.message import Message
from gemel.ingest.payload import show
from gemel.ingest.senml import Problem
from gemel.ingest.times import MICROS_END, NANOS_END, OWN_TIME, read_time
from gemel.ingest.topics import device_id

PART_LINES = 2_000
"""Lines that are taken in at once: a long body does not keep others waiting."""
LONGEST_LINE = 1 << 18
"""Bytes."""
PRECISIONS = {
    "": 1,
    "n": 1,
    "ns": 1,
    "u": 1_000,
    "µ": 1_000,
    "us": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3_600 * SECOND,
}
"""Nanoseconds of a step of the times in a body."""
TWIN_TAG = "twin"
ALONE = "value"
"""The field that says no more than its measurement does."""
LONGEST_SHOWN = 200

_DIGITS = rb"(?:0|[1-9]\d{0,17})"
_PLAIN_VALUE = rb"(?:-?%s(?:i|(?:\.\d+)?(?:[eE][+-]?\d{1,2})?)|%su|true|false)" % (_DIGITS, _DIGITS)
_PLAIN_FIELD = rb"[A-Za-z_][\w.\-]*=" + _PLAIN_VALUE
_PLAIN = re.compile(
    rb'([^\s\\"#][^\s\\"]*) (%s(?:,%s)*)(?: (\d{1,19}))?\r?(?:\n|\Z)' % (_PLAIN_FIELD, _PLAIN_FIELD)
)
_WHOLE = re.compile(rb"(\d)[iu](?=,|\Z)")
_BLANK = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_MEASUREMENT = re.compile(r"(?:\\.|[^\\, \n])+")
_TAG_PART = re.compile(r"(?:\\.|[^\\,= \n])+")
_FIELD_KEY = re.compile(r"(?:\\.|[^\\,= \n])+")
_TEXT = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_WORD = re.compile(r'[^,\s"]+')
_SPACES = re.compile(" +")
_TIME = re.compile(r" +(-?\d{1,19}) *")
_CLOSING = re.compile(rb'(?:\\.|[^"\\])*"', re.DOTALL)
_INDENT = re.compile("[ \t]*")
_HEAD = re.compile(r"(?:\\.|[^\\ \n])+")
_END = re.compile(r" *\r?(?:\n|\Z)")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,20}i", re.ASCII)
_UNSIGNED = re.compile(r"\d{1,20}u", re.ASCII)
_BOOLEANS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}
_TIME_KEY = b'{"' + OWN_TIME.encode() + b'":'


class Fault(NamedTuple):
    """A line, or a value of it, that was not taken."""

    line: int
    """Counted from 1."""
    rule: str
    text: str
    """The line, or as much of it as is worth showing."""


class Part(NamedTuple):
    """Some lines of a body."""

    messages: list[Message]
    lines: list[int]
    """Of each message."""
    faults: list[Fault]


class _Head(NamedTuple):
    topic: str
    alone: bytes
    """The measurement as a JSON text where `value` stands for it, else empty."""


def line_parts(body: bytes, step: int, who: Principal, received: int) -> Iterator[Part]:
    """The messages that a body stands for, a part at a time.

    Args:
        body: without content encoding.
        step: ns of a step of the times in it.
        who: the sender.
        received: ns since 1970 UTC; the time of lines that have none.

    Cost: about 3 us a plain line of ten fields, 1 us more for each field of any other.
    """
    reader = _Reader(body, step, who, received)
    while reader.place < len(body):
        yield reader.part()


class _OpenText(Problem):
    """A quoted text is not closed."""


class _Reader:
    """How far a body has been read."""

    def __init__(self, body: bytes, step: int, who: Principal, received: int) -> None:
        self.body = body
        self.step = step
        self.who = who
        self.received = received
        self.place = 0
        self.number = 1
        """Of the line that begins at `place`."""

    def part(self) -> Part:
        part = Part([], [], [])
        for _ in range(PART_LINES):
            if self.place >= len(self.body):
                break
            number = self.number
            try:
                message = self._line()
            except Problem as problem:
                part.faults.append(Fault(number, str(problem), self._skip()))
                continue
            if message is not None:
                part.messages.append(message)
                part.lines.append(number)
        return part

    def _line(self) -> Message | None:
        """Reads one line; None if it says nothing.

        Raises:
            Problem: it breaks a rule; nothing of it is read.
        """
        end = self._end(self.place)
        if end - self.place > LONGEST_LINE:
            raise Problem(f"it is longer than {LONGEST_LINE:,} bytes")
        plain = _PLAIN.match(self.body, self.place, end)
        payload = plain and self._plain(*plain.groups())
        if plain is None or not payload:
            return self._careful(end)
        self._read(end)
        return Message(_head(plain[1]).topic, payload, self.received, self.who)

    def _plain(self, head: bytes, fields: bytes, time: bytes | None) -> bytes:
        """A plain line as JSON; empty if its time is of the years that JSON's guess gets wrong."""
        moment = self.received if time is None else int(time) * self.step
        if not MICROS_END <= moment < NANOS_END:
            return b""
        fields = _WHOLE.sub(rb"\1", fields)
        alone = _head(head).alone
        if alone and fields.startswith(b"value=") and b"," not in fields:
            json = alone + b":" + fields[6:]
        else:
            json = b'"' + fields.replace(b"=", b'":').replace(b",", b',"')
        return b"%b%d,%b}" % (_TIME_KEY, moment, json)

    def _careful(self, end: int) -> Message | None:
        """As `_line`, of a line that is not plain; a quoted text goes on over line breaks."""
        while True:
            try:
                return self._parsed(end)
            except _OpenText:
                found = _CLOSING.match(self.body, end, self.place + LONGEST_LINE)
                if found is None:
                    raise
                twice = min(2 * (end - self.place), LONGEST_LINE)  # not a line break at a time
                end = self._end(max(found.end(), self.place + twice))

    def _parsed(self, end: int) -> Message | None:
        """Reads the line that begins at `place` and ends at or before `end`."""
        text = self.body[self.place : end].decode(errors="surrogateescape")
        if _BLANK.fullmatch(text):
            self._read(end)
            return None
        line = _Line(text)
        try:
            topic, alone = _head(line.head().encode())
            fields = line.fields()
            time = line.time()
            size = len(text[: line.place].encode())
        except UnicodeEncodeError:
            raise Problem("it is not UTF-8") from None
        moment = self.received if time is None else time * self.step
        if not -(2**63) <= moment < 2**63:
            raise Problem("its time lies outside of 64 bits of nanoseconds")
        if alone and len(fields) == 1 and ALONE in fields:
            fields = {orjson.loads(alone): fields[ALONE]}
        shown = to_iso(moment) if 0 <= moment < MICROS_END else moment
        self._read(self.place + size)
        return Message(topic, orjson.dumps({OWN_TIME: shown, **fields}), self.received, self.who)

    def _end(self, start: int) -> int:
        found = self.body.find(b"\n", start)
        return len(self.body) if found < 0 else found + 1

    def _read(self, end: int) -> None:
        self.number += self.body.count(b"\n", self.place, end) or 1
        self.place = end

    def _skip(self) -> str:
        """Leaves a bad line out; what is worth showing of it."""
        start, end = self.place, self._end(self.place)
        self._read(end)
        shown = self.body[start : min(end, start + LONGEST_SHOWN)]
        return shown.decode(errors="backslashreplace").rstrip("\r\n")


@lru_cache(maxsize=50_000)
def _head(head: bytes) -> _Head:
    """What measurement and tags mean, as they stand in a line.

    Raises:
        Problem: they break a rule.
    """
    try:
        line = _Line(head.decode())
    except UnicodeDecodeError:
        raise Problem("it is not UTF-8") from None
    measurement = _unescaped(line.take(_MEASUREMENT, "the measurement is missing"), ", ")
    tags: dict[str, str] = {}
    while line.skip(","):
        key = _unescaped(line.take(_TAG_PART, "a tag has no name"), ",= ")
        if not line.skip("="):
            raise Problem(f"tag '{key[:50]}' has no value")
        value = _unescaped(line.take(_TAG_PART, f"tag '{key[:50]}' has no value"), ",= ")
        if key in tags:
            raise Problem(f"tag '{key[:50]}' is there twice")
        tags[key] = value
    if line.place < len(line.text):
        raise Problem(f"measurement and tags are not understood from '{line.rest()}' on")
    if TWIN_TAG in tags:
        twin = device_id(tags[TWIN_TAG])
        if not twin:
            raise Problem("tag 'twin' names none")
        return _Head(f"devices/{twin}/telemetry", orjson.dumps(measurement))
    levels = [measurement, *(f"{key}={value}" for key, value in sorted(tags.items()))]
    return _Head("influx/" + "/".join(level.replace("/", ".") for level in levels), b"")


def _unescaped(text: str, special: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(rf"\\([{re.escape(special)}])", r"\1", text)


class _Line:
    """The text of one line, read from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def rest(self) -> str:
        return self.text[self.place : self.place + 20]

    def skip(self, mark: str) -> bool:
        found = self.text.startswith(mark, self.place)
        self.place += len(mark) * found
        return found

    def take(self, pattern: re.Pattern[str], problem: str) -> str:
        """What matches here.

        Raises:
            Problem: nothing does.
        """
        found = pattern.match(self.text, self.place)
        if found is None:
            raise Problem(problem)
        self.place = found.end()
        return found[0]

    def head(self) -> str:
        """Measurement and tags, up to the space that ends them."""
        self.take(_INDENT, "")
        return self.take(_HEAD, "the measurement is missing")

    def fields(self) -> dict[str, Any]:
        """The fields with their values."""
        self.take(_SPACES, "its fields are missing")
        found: dict[str, Any] = {}
        while True:
            key = _unescaped(self.take(_FIELD_KEY, "its fields are missing"), ",= ")
            if not self.skip("="):
                raise Problem(f"field '{key[:50]}' has no value")
            found[key] = self.value(f"field '{key[:50]}'")
            if not self.skip(","):
                return found

    def value(self, place: str) -> Any:
        if self.text.startswith('"', self.place):
            found = _TEXT.match(self.text, self.place)
            if found is None:
                raise _OpenText(f"{place}: its text has no closing quote")
            self.place = found.end()
            return _unescaped(found[1], '"\\')
        return _value(self.take(_WORD, f"{place} has no value"), place)

    def time(self) -> int | None:
        """The time as it stands; None if there is none."""
        found = _TIME.match(self.text, self.place)
        self.place = found.end() if found else self.place
        end = _END.match(self.text, self.place)
        if end is None:
            raise Problem(f"'{self.rest().strip()}' is no time: a whole number at the end")
        self.place = end.end()
        return int(found[1]) if found else None


def _value(word: str, place: str) -> Any:
    """A number or boolean.

    Raises:
        Problem: it is neither, or out of range.
    """
    if word in _BOOLEANS:
        return _BOOLEANS[word]
    if _NUMBER.fullmatch(word):
        number = float(word)
        if math.isfinite(number):
            return number
        raise Problem(f"{place}: {word[:50]} lies beyond float64")
    is_whole = _INTEGER.fullmatch(word)
    if is_whole or _UNSIGNED.fullmatch(word):
        whole = int(word[:-1])
        if -(2**63) <= whole < (2**63 if is_whole else 2**64):
            return whole
        raise Problem(f"{place}: {word[:50]} lies beyond 64 bits")
    raise Problem(f"{place}: '{word[:50]}' is no number, boolean or quoted text")


def reject_faults(part: Part, rejects: Sequence[Reject]) -> list[Fault]:
    """The faults that rejects of a part's messages are, each with the line it came from."""
    by_topic: dict[str, list[int]] = {}
    for index, message in enumerate(part.messages):
        by_topic.setdefault(message.topic, []).append(index)
    told: set[tuple[int, str]] = set()
    found = []
    for reject in rejects:
        rows = by_topic.get(reject.source, [])
        left = [row for row in rows if (row, reject.field) not in told]
        row = max(left, key=lambda r: _likeness(part.messages[r], reject), default=None)
        place = f"field '{reject.field}' of " if reject.field else ""
        rule = f"{place}twin '{reject.twin}': {reject.reason}"
        found.append(Fault(0 if row is None else part.lines[row], rule, reject.raw[:LONGEST_SHOWN]))
        if row is not None:
            told.add((row, reject.field))
    return found


def _likeness(message: Message, reject: Reject) -> int:
    """How much speaks for it that a reject is of a message: its field, time and value."""
    data = orjson.loads(message.payload)
    moment = read_time(data[OWN_TIME])
    is_early = reject.reason == "before-1970"
    is_then = moment is None if is_early else moment == reject.time
    value = data.get(reject.field)
    return is_then + 2 * (value is not None) + (show(value) == reject.raw)
