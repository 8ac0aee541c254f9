"""Recorded data through real MQTT: every value, time and alarm of the store equals the file.

A third-party client (paho) publishes each file at QoS 1 to Gemel's own MQTT server, or to Mosquitto
from which Gemel subscribes. Then the history is read back and compared, count by count.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as paho

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from running import Running

DAY = 86_400_000


@dataclass
class Source:
    """One recording: rows of one twin with their times in ms."""

    twin: str
    model: str
    rows: list[tuple[int, dict[str, float]]]


@dataclass
class Rule:
    model: str
    path: str
    limit: float
    seconds: float

    @property
    def text(self) -> str:
        return f"{self.path} > {self.limit:g} for {self.seconds:g} s"


@dataclass
class Result:
    """What was compared."""

    name: str
    via: str
    messages: int = 0
    readings: int = 0
    seconds: float = 0.0
    missing: int = 0
    extra: int = 0
    alarms: int = 0
    wrong_alarms: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.extra or self.wrong_alarms)


# ---- files -----------------------------------------------------------------------------------


def skab(data: Path, files: int | None = None) -> list[Source]:
    """The valve experiments: one twin a file."""
    found = []
    for file in sorted((data / "skab" / "valve1").glob("*.csv"), key=lambda f: int(f.stem))[:files]:
        with file.open() as lines:
            rows = list(csv.DictReader(lines, delimiter=";"))
        found.append(
            Source(
                f"skab-{file.stem}",
                "Skab",
                [
                    (
                        _utc(row["datetime"]),
                        {_name(k): float(v) for k, v in row.items() if k != "datetime"},
                    )
                    for row in rows
                ],
            )
        )
    return found


def nab(data: Path, rows: int | None = None) -> list[Source]:
    file = data / "nab" / "realKnownCause" / "machine_temperature_system_failure.csv"
    with file.open() as lines:
        found = [
            (_utc(row["timestamp"]), {"value": float(row["value"])})
            for row in csv.DictReader(lines)
        ]
    return [Source("nab-machine", "Nab", found[:rows])]


def cmapss(data: Path, units: int | None = None) -> list[Source]:
    """Turbofans: one twin a unit, one cycle a day."""
    start = _utc("2020-01-01 00:00:00")
    twins: dict[int, Source] = {}
    with gzip.open(data / "cmapss" / "train_FD001.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            unit, cycle = int(row.pop("unit")), int(row.pop("cycle"))
            if units is not None and unit > units:
                break
            source = twins.setdefault(unit, Source(f"engine-{unit}", "Cmapss", []))
            source.rows.append((start + cycle * DAY, {k: float(v) for k, v in row.items()}))
    return list(twins.values())


def _utc(text: str) -> int:
    moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _name(column: str) -> str:
    return column.replace(" ", "")


RULES = {
    "skab": Rule("Skab", "Temperature", 79.5, 20),
    "nab": Rule("Nab", "value", 95, 3600),
    "cmapss": Rule("Cmapss", "s4", 1415, 3 * 86_400),
}
READERS: dict[str, Callable[..., list[Source]]] = {"skab": skab, "nab": nab, "cmapss": cmapss}


# ---- the run ---------------------------------------------------------------------------------


def run(name: str, via: str, data: Path, part: int | None, folder: Path) -> Result:
    """Publishes one set of recordings and compares what is stored."""
    sources = READERS[name](data, part)
    rule = RULES[name]
    result = Result(name, via)
    folder.mkdir(parents=True, exist_ok=True)
    with _broker(via, folder) as (broker, settings):
        arguments = []
        if broker:
            file = folder / "gemel.toml"
            file.write_text(settings)
            arguments = ["--config", str(file)]
        with Running(folder / "data", *arguments) as running:
            _set_up(running, sources, rule)
            address = broker or (running.mqtt_host, running.mqtt_port)
            began = time.perf_counter()
            result.messages = _publish(address, "" if broker else running.token, sources)
            wanted = sum(len(row) for source in sources for _, row in source.rows)
            _wait_for(running, sources, wanted)
            result.seconds = time.perf_counter() - began
            _compare(running, sources, result)
            _compare_alarms(running, sources, rule, result)
    return result


class _broker:  # noqa: N801 - reads as a function
    """Mosquitto with persistence, where the data is to go through it."""

    def __init__(self, via: str, folder: Path) -> None:
        self.via, self.folder = via, folder
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> tuple[tuple[str, int] | None, str]:
        if self.via == "builtin":
            return None, ""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        file = self.folder / "mosquitto.conf"
        file.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {self.folder}/\nmax_queued_messages 0\nuser root\n"
        )
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.process = subprocess.Popen([program, "-c", str(file)], stderr=subprocess.DEVNULL)
        _until(lambda: _answers(port), 20, "Mosquitto does not answer")
        settings = (
            f'[connections.plant]\nbroker = "127.0.0.1:{port}"\ntopics = ["devices/+/telemetry"]\n'
        )
        return ("127.0.0.1", port), settings

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def _until(is_true: Callable[[], bool], seconds: float, otherwise: str) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            raise AssertionError(otherwise)
        time.sleep(0.02)


def _set_up(running: Running, sources: list[Source], rule: Rule) -> None:
    names = sorted({name for source in sources for _, row in source.rows[:1] for name in row})
    model = f"dtmi:real:{rule.model};1"
    running.call(
        "POST",
        "/models",
        [
            {
                "@id": model,
                "@type": "Interface",
                "@context": "dtmi:dtdl:context;3",
                "contents": [
                    {"@type": "Telemetry", "name": name, "schema": "double"} for name in names
                ],
            }
        ],
    )
    for source in sources:
        running.call("PUT", f"/digitaltwins/{source.twin}", {"$metadata": {"$model": model}})
    running.call("PUT", "/rules/high", {"model": model, "when": rule.text, "priority": 2})


def _publish(address: tuple[str, int], token: str, sources: list[Source]) -> int:
    """Publishes all rows in order of each file; returns when every PUBACK is there."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "replayer", protocol=paho.MQTTv5)
    if token:
        client.username_pw_set("replayer", token)
    client.max_inflight_messages_set(500)
    connected, drained = threading.Event(), threading.Event()
    total = sum(len(source.rows) for source in sources)
    acknowledged = [0]

    def on_publish(_c: Any, _u: Any, _mid: int, reason: Any, _p: Any) -> None:
        assert not reason.is_failure, reason
        acknowledged[0] += 1
        if acknowledged[0] == total:
            drained.set()

    client.on_connect = lambda *_: connected.set()
    client.on_publish = on_publish
    client.connect(*address)
    client.loop_start()
    assert connected.wait(20), "the broker does not take the connection"
    for source in sources:
        topic = f"devices/{source.twin}/telemetry"
        for moment, row in source.rows:
            client.publish(topic, orjson.dumps({"time": moment, **row}), 1)
    assert drained.wait(600), f"{acknowledged[0]} of {total} messages were acknowledged"
    client.disconnect()
    client.loop_stop()
    return total


def _wait_for(running: Running, sources: list[Source], wanted: int) -> None:
    """Through Mosquitto an acknowledgement is not yet ours: wait until as much is stored."""
    copies = sum(len(row) for s in sources for _, row in s.rows) - sum(
        len(values) for s in sources for values in _expected(s).values()
    )
    _until(
        lambda: running.call("GET", "/status")["readings"] >= wanted - copies,
        300,
        "not all readings arrived",
    )


def _expected(source: Source) -> dict[str, set[tuple[int, float]]]:
    found: dict[str, set[tuple[int, float]]] = {}
    for moment, row in source.rows:
        for name, value in row.items():
            found.setdefault(name, set()).add((moment, value))
    return found


def _compare(running: Running, sources: list[Source], result: Result) -> None:
    for source in sources:
        for name, expected in _expected(source).items():
            answer = running.call(
                "GET",
                "/history",
                twin=source.twin,
                property=name,
                limit=5_000_000,
                **{"from": "2000-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z"},
            )["series"][0]
            pairs = list(zip(answer["time"], answer["value"], strict=True))
            held = set(pairs)
            result.readings += len(pairs)
            result.missing += len(expected - held)
            result.extra += len(held - expected) + len(pairs) - len(held)


def _runs(rows: list[tuple[int, dict[str, float]]], rule: Rule) -> Iterator[tuple[int, int | None]]:
    """(raised, cleared) in ms, straight from the file: a plain loop over rows in order of time."""
    since: int | None = None
    raised: int | None = None
    newest = -1
    for moment, row in rows:
        if moment <= newest or rule.path not in row:
            continue
        newest = moment
        if row[rule.path] > rule.limit:
            since = moment if since is None else since
            if raised is None and moment - since >= rule.seconds * 1000:
                raised = moment
        else:
            since = None
            if raised is not None:
                yield raised, moment
                raised = None
    if raised is not None:
        yield raised, None


def _compare_alarms(running: Running, sources: list[Source], rule: Rule, result: Result) -> None:
    expected = {s.twin: list(_runs(s.rows, rule)) for s in sources}
    expected = {twin: runs for twin, runs in expected.items() if runs}
    wanted = {
        twin: (runs[0][0], runs[-1][0], runs[-1][1], len(runs)) for twin, runs in expected.items()
    }

    def found() -> dict[str, tuple[int, int, int | None, int]]:
        alarms = running.call("GET", "/alarms", state="all", limit=100_000)["value"]
        return {
            a["twin"]: (
                _ms(a["raised"]),
                _ms(a["lastRaised"]),
                None if a["cleared"] is None else _ms(a["cleared"]),
                a["occurrences"],
            )
            for a in alarms
        }

    try:
        _until(lambda: found() == wanted, 20, "alarms differ")
    except AssertionError:
        held = found()
        for twin in sorted(wanted.keys() | held.keys()):
            if wanted.get(twin) != held.get(twin):
                result.wrong_alarms.append(
                    f"{twin}: file {wanted.get(twin)}, Gemel {held.get(twin)}"
                )
    result.alarms = sum(len(runs) for runs in expected.values())


def _ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def main() -> int:
    from against.rows import parser, tell  # here: tests import this file from another folder

    made = parser(__doc__)
    made.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    made.add_argument("--set", choices=sorted(READERS), action="append")
    made.add_argument("--via", choices=("builtin", "mosquitto"), action="append")
    made.add_argument("--part", type=int, help="only so many files, rows or units")
    arguments = made.parse_args()
    found = tell(compared(arguments), arguments.json, line)
    return 0 if all(one["equal"] for one in found) else 1


def compared(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for via in arguments.via or ["builtin", "mosquitto"]:
        for name in arguments.set or list(READERS):
            with tempfile.TemporaryDirectory() as folder:
                one = run(name, via, arguments.data, arguments.part, Path(folder))
            yield {**vars(one), "equal": one.is_equal}


def line(row: dict[str, Any]) -> str:
    found = Result(**{key: value for key, value in row.items() if key != "equal"})
    text = (
        f"{found.name:8} via {found.via:10} {found.messages:7,} messages {found.readings:9,} "
        f"readings {found.seconds:6.1f} s {found.readings / found.seconds:9,.0f} readings/s"
        f"  missing {found.missing}  extra {found.extra}"
        f"  alarms {found.alarms}, wrong {len(found.wrong_alarms)}"
    )
    return "\n    ".join([text, *found.wrong_alarms[:10]])


if __name__ == "__main__":
    raise SystemExit(main())
