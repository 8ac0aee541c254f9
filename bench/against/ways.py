"""The ways from a message to a stored reading that are measured: Gemel, and what one would build.

Each `run` makes everything anew in a folder, sends one load with `gemel bench load` (or `apart.c`
where each message is a packet of its own), waits until all is stored or nothing more comes, asks
some questions, ends everything, and returns a row.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from against.apart import send_apart
from against.machine import cpu_seconds, disk_bytes, memory_mb, own_seconds
from against.servers import Influx, Mosquitto, NotHere, Postgres
from against.sleeper import sleeper

from gemel.core.series import SeriesTable
from gemel.history.history import History
from running import Running

IDLE = 6.0
QUESTIONS = 5
SUBSCRIBER = Path(__file__).with_name("subscriber.py")


@dataclass(frozen=True)
class Load:
    name: str
    devices: int
    readings: int
    """In a message."""
    qos: int
    count: int = 0
    """Messages of a device."""
    window: int = 1
    is_apart: bool = False
    """Each message in a packet of its own; at QoS 0, a connection a device."""
    rate: int = 0
    """Readings a second; 0 is as fast as possible."""
    seconds: int = 0

    @property
    def messages(self) -> int:
        if self.rate:
            return self.rate // self.readings * self.seconds
        return self.devices * self.count

    def words(self) -> list[str]:
        found = ["--devices", self.devices, "--readings", self.readings, "--qos", self.qos]
        count = self.count or self.messages // self.devices
        found += ["--window", self.window, "--count", count, "--rate", self.rate]
        return [str(word) for word in found]


def send(folder: Path, port: int, load: Load, token: str = "") -> dict[str, Any]:
    """Sends a load; what `gemel bench load` says of it, or `send_apart`.

    Raises:
        AssertionError: the server did not take all of it.
    """
    sent: dict[str, Any]
    if load.is_apart:
        sent = send_apart(folder, port, token, load.devices, load.readings, load.count)
    else:
        words = ["--token", token] if token else []
        sent = bench("load", "--mqtt", f"127.0.0.1:{port}", "--json", *words, *load.words())
    assert not sent["problem"], sent["problem"]
    return sent


def bench(*words: str) -> Any:
    command = [sys.executable, "-m", "gemel", "bench", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def row(load: Load, seconds: float, sent: int, stored: int, **more: Any) -> dict[str, Any]:
    """Rates of what was stored, in readings as in messages.

    What is lost was acknowledged (at QoS 0: sent) and is not stored, whoever acknowledged it.

    Args:
        sent: readings that were acknowledged, at QoS 0 sent.
        stored: readings that are there to be asked for.
    """
    return {
        "readings_per_s": stored / seconds,
        "messages_per_s": stored / load.readings / seconds,
        "sent": sent,
        "lost": sent - stored,
        "seconds": seconds,
        **more,
    }


def median_ms(ask: Callable[[], object]) -> float:
    times = []
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


@contextmanager
def gemel(folder: Path, load: Load, is_pure: bool = False, processes: int = 0) -> Iterator[Running]:
    """A server with a twin for each device and one threshold rule for each signal."""
    os.environ.pop("GEMEL_PURE", None)
    if is_pure:
        os.environ["GEMEL_PURE"] = "1"
    try:
        words = ("--ingest-processes", str(processes)) if processes else ()
        running = Running(folder / "data", *words).start()
    finally:
        os.environ.pop("GEMEL_PURE", None)
    try:
        words = ("--devices", str(load.devices), "--readings", str(load.readings))
        running.call("POST", "/plant", bench("plant", *words))
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def run_gemel(
    folder: Path, load: Load, is_pure: bool = False, processes: int = 0
) -> dict[str, Any]:
    with gemel(folder, load, is_pure, processes) as running:
        pid = [running.process.pid]
        before, alone = cpu_seconds(pid), own_seconds(pid[0])
        sent = send(folder, running.mqtt_port, load, running.token)
        stored, ended = until_stored(running, sent["readings"])
        used, alone = cpu_seconds(pid) - before, own_seconds(pid[0]) - alone
        seconds = sent["seconds"] if load.qos else ended - sent["began"]
        memory = memory_mb(pid)
        shed = running.call("GET", "/status")["lost"] * load.readings
        questions = _ask_gemel(running)
        running.stop()
    kinds = _seal(folder / "data" / "history")
    return row(
        load, seconds, sent["readings"], stored, p50_ms=sent["p50_ms"], p99_ms=sent["p99_ms"],
        cpu_s=used, rss_mb=memory, shed=shed, server_cpu_s=alone, generator_cpu_s=sent["cpu_s"],
        query_ms=questions, bytes_by_kind=kinds,
        bytes_per_reading=disk_bytes(folder / "data" / "history", "ballast") / max(stored, 1),
    )  # fmt: skip


def _seal(folder: Path) -> dict[str, int]:
    """What is still in the log becomes segments, as it would a little later; bytes by kind."""
    history = History(folder, SeriesTable(), ballast_bytes=0)
    for _ in history.replay():
        pass
    history.seal()
    found = history.statistics().bytes_by_kind
    history.close()
    return found


def until_stored(running: Running, expected: int) -> tuple[int, float]:
    """(readings stored, when the last of them was), also when some never come."""
    stored, ended = -1, time.time()
    while True:
        now = running.call("GET", "/status")["readings"]
        if now != stored:
            stored, ended = now, time.time()
        if stored >= expected or time.time() - ended > IDLE:
            return stored, ended
        time.sleep(0.01)


def _ask_gemel(running: Running) -> dict[str, float]:
    query = {"twin": "load-00000", "property": "s00", "from": "-2d"}
    with running.http() as client:

        def ask(path: str, **more: object) -> None:
            answer = client.get(path, params={**query, **more})
            assert answer.status_code == 200, answer.text
            orjson.loads(answer.content)

        return {
            "series": median_ms(lambda: ask("/history", limit=1_000_000)),
            "minutes": median_ms(lambda: ask("/history", bucket=60)),
            "last": median_ms(lambda: ask("/history/last")),
        }


def to_subscriber(folder: Path, load: Load) -> dict[str, Any]:
    """From a device through Gemel, stored on its way, to a paho subscriber."""
    with gemel(folder, load) as running:
        token = running.token
        return _delivered(folder, running.process.pid, running.mqtt_port, load, token)


def to_subscriber_of_mosquitto(folder: Path, load: Load) -> dict[str, Any]:
    """The same through Mosquitto, which stores nothing."""
    broker = Mosquitto(folder / "mosquitto")
    try:
        return _delivered(folder, broker.process.pid, broker.port, load, "")
    finally:
        broker.stop()


def _delivered(folder: Path, pid: int, port: int, load: Load, token: str) -> dict[str, Any]:
    """To a subscriber that only looks at the clock.

    Beside it another process only sleeps: nobody is woken sooner than that one.
    """
    with sleeper() as woken:
        with _subscriber("none", port, load, token) as process:
            before = cpu_seconds([pid])
            sent = send(folder, port, load, token)
            found = _answer(process)
            used = cpu_seconds([pid]) - before
        late = woken()
    return row(
        load, float(load.seconds), sent["readings"], found["messages"] * load.readings,
        p50_ms=found["p50_ms"], p99_ms=found["p99_ms"], cpu_s=used, rss_mb=memory_mb([pid]),
        bytes_per_reading=None, **late,
    )  # fmt: skip


def run_influx(folder: Path, load: Load) -> dict[str, Any]:
    server = Influx(folder / "influx")
    try:
        found = _through_mosquitto(
            folder, load, "influx", f"127.0.0.1:{server.port}", server.process.pid
        )

        def ask(text: str) -> Any:
            path = "/query?db=load&epoch=u&q=" + urllib.parse.quote(text)
            return orjson.loads(server.ask(path))["results"][0].get("series")

        found_keys = ask("SHOW FIELD KEYS")
        if not found_keys:
            raise NotHere("nothing was stored")
        names = found_keys[0]["values"]
        counts = ask("SELECT " + ",".join(f"count({name})" for name, _ in names) + " FROM readings")
        stored = int(sum(counts[0]["values"][0][1:]))
        where = "FROM readings WHERE device='load-00000' AND time > now() - 2d"
        questions = {
            "series": median_ms(lambda: ask(f"SELECT s00 {where}")),
            "minutes": median_ms(
                lambda: ask(f"SELECT mean(s00) {where} GROUP BY time(1m) fill(none)")
            ),
            "last": median_ms(
                lambda: ask("SELECT last(s00) FROM readings WHERE device='load-00000'")
            ),
        }
        end = time.monotonic() + 20
        while disk_bytes(folder / "influx" / "wal") > 1_000 and time.monotonic() < end:
            time.sleep(0.2)  # its cache is written to its own form after two quiet seconds
    finally:
        server.stop()
    size = disk_bytes(folder / "influx" / "data") + disk_bytes(folder / "influx" / "wal")
    return row(load, stored=stored, query_ms=questions, bytes_per_reading=size / stored, **found)


def run_postgres(folder: Path, load: Load) -> dict[str, Any]:
    import psycopg

    server = Postgres(folder / "postgres")
    try:
        with psycopg.connect(server.address, autocommit=True) as session:
            session.execute(
                "CREATE TABLE readings"
                " (time bigint, device text, signal text, value double precision)"
            )
            session.execute("CREATE INDEX ON readings (device, signal, time)")
            found = _through_mosquitto(folder, load, "postgres", server.address, server.process.pid)
            stored = session.execute("SELECT count(*) FROM readings").fetchone()[0]  # type: ignore[index]
            if not stored:
                raise NotHere("nothing was stored")
            session.execute("VACUUM ANALYZE readings")
            size = session.execute("SELECT pg_total_relation_size('readings')").fetchone()[0]  # type: ignore[index]
            where = "FROM readings WHERE device='load-00000' AND signal='s00'"

            def ask(text: str) -> object:
                return session.execute(text).fetchall()

            questions = {
                "series": median_ms(lambda: ask(f"SELECT time, value {where} ORDER BY time")),
                "minutes": median_ms(
                    lambda: ask(f"SELECT time/60000000, avg(value) {where} GROUP BY 1 ORDER BY 1")
                ),
                "last": median_ms(lambda: ask(f"SELECT value {where} ORDER BY time DESC LIMIT 1")),
            }
    finally:
        server.stop()
    return row(load, stored=stored, query_ms=questions, bytes_per_reading=size / stored, **found)


def _through_mosquitto(
    folder: Path, load: Load, store: str, address: str, pid: int
) -> dict[str, Any]:
    broker = Mosquitto(folder / "mosquitto")
    try:
        with _subscriber(store, broker.port, load, address) as process:
            pids = [broker.process.pid, process.pid, pid]
            before = cpu_seconds(pids)
            sent = send(folder, broker.port, load)
            found = _answer(process)
            return {
                "sent": sent["readings"],
                "seconds": found["ended"] - sent["began"],
                # without a steady rate the times in the messages are not when they were sent
                "p50_ms": found["p50_ms"] if load.rate else None,
                "p99_ms": found["p99_ms"] if load.rate else None,
                "cpu_s": cpu_seconds(pids) - before,
                "rss_mb": memory_mb(pids),
                "generator_cpu_s": sent["cpu_s"],
            }
    finally:
        broker.stop()


@contextmanager
def _subscriber(store: str, port: int, load: Load, address: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SUBSCRIBER), store, str(port), str(load.qos)]
    command += [str(load.messages), address]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise AssertionError("the subscriber does not start")
        yield process
    finally:
        process.kill()
        process.communicate()


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError("the subscriber failed")
    found: dict[str, Any] = json.loads(line)
    return found
