"""A load of every type of value, late and doubled readings, several provenances, and what was said.

Sent by paho and over HTTP to a real server; what was acknowledged is kept.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import orjson

from app.inside import Device
from formats.history_reader import Reading, Series
from running import Running

BEGIN = 1_790_000_000_000
"""A minute's begin, in ms."""
ROWS = 400
ENUM = {
    "@type": "Enum",
    "valueSchema": "string",
    "enumValues": [{"name": n, "enumValue": n} for n in ("idle", "full")],
}
CODES = {
    "@type": "Enum",
    "valueSchema": "integer",
    "enumValues": [{"name": f"c{n}", "enumValue": n} for n in (3, 7)],
}
POSITION = {
    "@type": "Object",
    "fields": [{"name": "x", "schema": "double"}, {"name": "tags", "schema": "string"}],
}
SCHEMAS: dict[str, Any] = {
    "level": "double",
    "total": "long",
    "running": "boolean",
    "note": "string",
    "mode": ENUM,
    "code": CODES,
    "position": POSITION,
}
MODEL = {
    "@id": "dtmi:test:Typed;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [
        {"@type": "Telemetry", "name": name, "schema": schema} for name, schema in SCHEMAS.items()
    ],
}
TWINS = ("t-1", "t-2")
IMPORT = b'{"Section": "Header"}\n' * 1000
LIMITS = {"level": {"maximum": 1000}}
Sent = dict[Series, set[tuple[int, str]]]


def value_of(name: str, row: int, chance: random.Random) -> Any:
    match name:
        case "level":
            return chance.choice([chance.gauss(20, 3), round(chance.gauss(20, 3), 2), -0.0, 1e308])
        case "total":
            return chance.choice([row, 2**53 + row, -(2**63), 2**63 - 1])
        case "running":
            return row % 7 < 3
        case "note":
            return chance.choice(["läuft", "", 'a "line"\n\u2028', "12.5", "😀"])
        case "mode":
            return chance.choice(["idle", "full"])
        case "code":
            return chance.choice([3, 7])
    return {"x": chance.random(), "tags": f"t{row % 5}"}


class Load:
    """Sends as devices and programs do, and keeps what was acknowledged."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.sent: Sent = defaultdict(set)
        self.chance = random.Random(11)
        self.devices: dict[str, Device] = {}

    def connect(self) -> None:
        for twin in TWINS:
            host, port = self.running.mqtt_host, self.running.mqtt_port
            token = self.running.call("POST", "/tokens", {"role": "device", "twins": [twin]})
            self.devices[twin] = Device(host, port, twin, token["token"])

    def send(self, twin: str, rows: range, names: Any = SCHEMAS, step: int = 100) -> None:
        """One message of columns, and a copy of it."""
        time = [BEGIN + row * step for row in rows]
        columns: dict[str, list[Any]] = {"time": time}
        for name in names:
            columns[name] = [value_of(name, row, self.chance) for row in rows]
            self.note(Series(twin, name, "measured"), time, columns[name])
        payload = json.dumps(columns)
        for _ in range(2):
            self.devices[twin].publish(f"devices/{twin}/telemetry", payload)

    def predict(self, provenance: str) -> None:
        """Says twice of the same times what will be: both are kept."""
        for _ in range(2):
            times = [BEGIN + row * 2000 for row in range(30)]
            columns: dict[str, list[Any]] = {"time": times}
            for name in ("level", "level@q0.05"):
                columns[name] = [self.chance.gauss(20, 3) for _ in times]
                self.note(Series("t-2", name, provenance), times, columns[name])
            self.running.call("POST", f"/ingest/t-2?provenance={provenance}", columns)

    def note(self, series: Series, times: list[int], values: list[Any]) -> None:
        self.sent[series] |= {(time, same(one)) for time, one in zip(times, values, strict=True)}


def same(value: Any) -> str:
    """What two values that are the same have in common, whether read as a number or as text."""
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    is_number = isinstance(value, bool | int | float)
    return repr(float(value)) if is_number and int(value) == float(value) else repr(value)


def prepare(running: Running, load: Load) -> None:
    settings = {MODEL["@id"]: {"properties": LIMITS}}
    twins = {twin: {"model": MODEL["@id"]} for twin in TWINS}
    running.call("POST", "/plant", {"models": [MODEL], "twins": twins, "settings": settings})
    with running.http() as client:
        client.put("/imports/plant.ndjson", content=IMPORT).raise_for_status()
    load.connect()
    for begin in (100, 0, 200, 300):  # not in order
        load.send("t-2", range(begin, begin + 100))
        load.send("t-1", range(begin, begin + 100), ("level", "running"))
    load.send("t-1", range(0, 20_000, 4), ("level",), step=50)  # enough for roll-ups
    load.devices["t-2"].publish("devices/t-2/telemetry", '{"strange": 1, "level": "x"}')
    load.predict("predicted")
    load.predict("derived")


def said(running: Running) -> Iterator[tuple[Series, list[Reading]]]:
    """Every reading of every series, as GET /history has it."""
    for twin in TWINS:
        series = running.call("GET", "/history/series", twin=twin)["value"]
        paths = ",".join(sorted({one["property"] for one in series}))
        span = {"from": BEGIN - 10_000_000, "to": BEGIN + 100_000_000}
        some = {"provenance": "all", "versions": "all", "quality": "all", "limit": 1_000_000}
        for one in running.call("GET", "/history", twin=twin, property=paths, **span, **some)[
            "series"
        ]:
            texts = {int(row): orjson.loads(text) for row, text in one.get("text", {}).items()}
            rows = zip(one["time"], one["value"], one["quality"], strict=True)
            received = one.get("received", [0.0] * len(one["time"]))
            if not one["time"]:
                continue
            yield (
                Series(twin, one["property"], one["provenance"]),
                [
                    Reading(round(time * 1e6), texts.get(row, value), quality, int(received[row]))
                    for row, (time, value, quality) in enumerate(rows)
                ],
            )
