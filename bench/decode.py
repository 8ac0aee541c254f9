"""Measures ingest: CPU time per message and per reading, for each payload form.

    scripts/bench decode            a table
    scripts/bench decode --json     the same for programs

CPU time of this process, the best of several rounds; messages of many devices come in turn, so the
caches of topics and properties are as warm as in a server. Includes everything from the payload
bytes to the finished batch: topic, sender, decoding, checks, duplicates.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import cbor2
import orjson
from against.rows import parser, tell

from gemel.core.access import Principal
from gemel.core.message import Message
from gemel.core.series import SeriesTable
from gemel.ingest.accept import Ingest
from gemel.ingest.lines import line_parts
from gemel.ingest.points import Layout, Point, PointTable

NOW = 1_763_800_000_000_000_000
DEVICES = 500
NAMES = [f"s{i:02d}" for i in range(100)]
Form = Callable[[int, random.Random], bytes]


def platform(kinds: Callable[[int], str], ranged: bool = True) -> Ingest:
    series, points = SeriesTable(), PointTable()
    span = (-1e6, 1e6) if ranged else ()
    layout = Layout({name: Point(kinds(i), *span) for i, name in enumerate(NAMES)})
    for device in range(DEVICES):
        twin = f"d{device}"
        points.set_twin(twin, layout, [series.id(twin, name) for name in NAMES])
    return Ingest(series, points)


def milliseconds(number: int) -> int:
    return NOW // 1_000_000 - 1000 + number % 1000


def one(number: int, rng: random.Random) -> bytes:
    return orjson.dumps({"ts": milliseconds(number), "s00": round(rng.uniform(0, 100), 3)})


def one_without_time(number: int, rng: random.Random) -> bytes:
    return orjson.dumps({"s00": round(rng.uniform(0, 100), 3)})


def object_of_100(number: int, rng: random.Random) -> bytes:
    values = {name: round(rng.uniform(0, 100), 3) for name in NAMES}
    return orjson.dumps({"ts": milliseconds(number), **values})


def mixed_of_100(number: int, rng: random.Random) -> bytes:
    kinds = (lambda: round(rng.uniform(0, 100), 3), lambda: rng.randrange(100), lambda: True)
    values = {name: kinds[i % 3]() for i, name in enumerate(NAMES)}
    return orjson.dumps({"ts": milliseconds(number), **values})


def rows_of_100(number: int, rng: random.Random) -> bytes:
    start = milliseconds(number)
    rows = [[name, start + i, round(rng.uniform(0, 100), 3)] for i, name in enumerate(NAMES)]
    return orjson.dumps({"id": "d", "r": rows})


def columns_of_100(number: int, rng: random.Random) -> bytes:
    times = [milliseconds(number) + i for i in range(25)]
    columns = {name: [round(rng.uniform(0, 100), 3) for _ in times] for name in NAMES[:4]}
    return orjson.dumps({"time": times, **columns})


def thingsboard_of_100(number: int, rng: random.Random) -> bytes:
    values = {name: round(rng.uniform(0, 100), 3) for name in NAMES}
    return orjson.dumps({"ts": milliseconds(number), "values": values})


def senml_of_100(number: int, rng: random.Random) -> bytes:
    pack: list[dict[str, object]] = [
        {"n": name, "v": round(rng.uniform(0, 100), 3)} for name in NAMES
    ]
    pack[0]["bt"] = milliseconds(number) / 1000
    return orjson.dumps(pack)


def cbor_of_100(number: int, rng: random.Random) -> bytes:
    values = {name: round(rng.uniform(0, 100), 3) for name in NAMES}
    return cbor2.dumps({"ts": milliseconds(number), **values})


def fractions(_: int) -> str:
    return "double"


def mixture(i: int) -> str:
    return ("double", "integer", "boolean")[i % 3]


CASES: list[tuple[str, Form, int, int, Callable[[int], str]]] = [
    ("1 reading, time", one, 1, 1000, fractions),
    ("1 reading, no time", one_without_time, 1, 1000, fractions),
    ("1 reading, a message a call", one, 1, 1, fractions),
    ("100 readings, object", object_of_100, 100, 100, fractions),
    ("100 readings, mixed kinds", mixed_of_100, 100, 100, mixture),
    ("100 readings, rows", rows_of_100, 100, 100, fractions),
    ("100 readings, columns", columns_of_100, 100, 100, fractions),
    ("100 readings, ThingsBoard", thingsboard_of_100, 100, 100, fractions),
    ("100 readings, SenML", senml_of_100, 100, 100, fractions),
    ("100 readings, CBOR", cbor_of_100, 100, 100, fractions),
]


def measure(form: Form, per_message: int, per_call: int, kinds: Callable[[int], str]) -> float:
    """CPU microseconds a message."""
    ingest = platform(kinds)
    rng = random.Random(1)
    who = Principal("bench", "device", ("d*",))
    count = 4000 if per_message == 1 else 400
    messages = [
        Message(f"devices/d{i % DEVICES}/telemetry", form(i, rng), NOW + i, who)
        for i in range(count)
    ]
    calls = [messages[i : i + per_call] for i in range(0, count, per_call)]
    best = float("inf")
    for round_number in range(5):
        begin = time.process_time()
        readings = sum(ingest.accept(call, NOW).readings for call in calls)
        spent = time.process_time() - begin
        if readings != count * per_message:
            sys.exit(f"{form.__name__}: {readings} of {count * per_message} readings")
        if round_number:
            best = min(best, spent)
    return best / count * 1e6


def measure_lines(per_line: int, *, is_plain: bool) -> float:
    """CPU microseconds a line of InfluxDB's line protocol, from a body of 1,000 of them."""
    ingest = platform(fractions)
    rng = random.Random(1)
    who = Principal("bench", "engineer")
    count, sign = 20_000, "" if is_plain else "+"
    lines = []
    for i in range(count):
        some = [f"{n}={sign}{round(rng.uniform(0, 100), 3)}" for n in NAMES[:per_line]]
        lines.append(f"machine,site=north,twin=d{i % DEVICES} {','.join(some)} {NOW - count + i}\n")
    bodies = ["".join(lines[i : i + 1000]).encode() for i in range(0, count, 1000)]
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        parts = (part for body in bodies for part in line_parts(body, 1, who, NOW))
        readings = sum(ingest.accept(part.messages, NOW).readings for part in parts)
        best = min(best, time.process_time() - begin)
        if readings != count * per_line:
            sys.exit(f"lines: {readings} of {count * per_line} readings")
    return best / count * 1e6


def main() -> None:
    arguments = parser(__doc__).parse_args()
    tell(measured(), arguments.json, line)


def measured() -> Iterator[dict[str, Any]]:
    for name, form, per_message, per_call, kinds in CASES:
        cost = measure(form, per_message, per_call, kinds)
        yield {
            "name": name,
            "us_per_message": round(cost, 3),
            "readings_per_s": round(per_message / cost * 1e6),
            "messages_per_call": per_call,
        }
    for per_line, is_plain in ((1, True), (10, True), (10, False)):
        cost = measure_lines(per_line, is_plain=is_plain)
        kind = "" if is_plain else ", read field by field"
        yield {
            "name": f"a line of {per_line} fields{kind}",
            "us_per_message": round(cost, 3),
            "readings_per_s": round(per_line / cost * 1e6),
            "messages_per_call": 1000,
        }


def line(row: dict[str, Any]) -> str:
    cost, rate = row["us_per_message"], row["readings_per_s"]
    return f"{row['name']:40}{cost:9.2f} us a message{rate:14,} readings/s"


if __name__ == "__main__":
    main()
