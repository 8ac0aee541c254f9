"""`gemel replay`: recorded data through a real MQTT client, at a chosen speed, times kept."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from gemel.core.clock import SECOND, Clock, from_iso, system_clock, to_iso
from gemel.core.errors import ConfigInvalid, InvalidInput, Unavailable
from gemel.simulate.mapping import (
    FORMATS,
    MISSING,
    TIME_NAMES,
    Record,
    Target,
    column_index,
    targets,
    time_reader,
    value_of,
)
from gemel.simulate.mqtt import find_token, parse_address, plain_client
from gemel.simulate.outbox import Outbox, Publisher
from gemel.simulate.recording import Recording

WINDOW = 512
"""Messages on their way at one time."""
SMALL_TIME = 1_000_000_000 * SECOND
"""Earlier times are written as ISO 8601: as numbers their unit could not be told by their size."""
CONNECT_SECONDS = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="CSV, .csv.gz, Parquet")
    add("--mqtt", default="127.0.0.1:1883", metavar="HOST:PORT", help="the server (%(default)s)")
    add("--token", help="a token that may write the twins (else GEMEL_TOKEN)")
    add("--token-file", metavar="FILE", help="a file that holds the token")
    add("--twin", metavar="NAME", help="the twin; {} is the cell of --twin-column")
    add("--twin-column", metavar="COLUMN", help="the column that names the twin")
    add("--time", metavar="COLUMN", help="the column of the time (a column named time, ts, ...)")
    add("--time-format", default="", metavar="FORM", help=FORMATS.replace("%", "%%"))
    add("--every", type=float, metavar="SECONDS", help="no time column: rows this far apart")
    add("--map", action="append", default=[], metavar="COLUMN=PROPERTY[:UNIT]",
        help="a column to send and as what (all columns, by their names)")  # fmt: skip
    add("--separator", default="", help="of the cells (found out); ' ' is any blanks")
    add("--columns", default="", metavar="A,B,...", help="names, if the file has none")
    add("--missing", action="append", default=[], metavar="TEXT", help="a text for no value")
    add("--encoding", default="utf-8", help="of text files (%(default)s)")
    add("--start", metavar="TIME", help="shift all times so that the first is this")
    add("--end", metavar="TIME", help="shift all times so that the last is this; may be now")
    add("--speed", default="max", help="recorded seconds in a second, or max (%(default)s)")
    add("--batch", type=int, default=1, metavar="N", help="rows in a message (%(default)s)")
    add("--qos", type=int, default=1, choices=(0, 1), help="(%(default)s)")
    add("--topic", default="devices/{twin}/telemetry", help="(%(default)s)")
    add("--limit", type=int, metavar="N", help="only the first N rows of each file")
    add("--json", action="store_true", help="the summary as JSON")


class Client(Publisher, Protocol):
    async def start(self) -> None: ...

    async def connected(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class Summary:
    """What a replay did."""

    files: int = 0
    rows: int = 0
    readings: int = 0
    missing: int = 0
    messages: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    first: int | None = None
    last: int | None = None
    twins: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "rows": self.rows,
            "readings": self.readings,
            "missing": self.missing,
            "messages": self.messages,
            "acknowledged": self.acknowledged,
            "seconds": round(self.seconds, 3),
            "from": None if self.first is None else to_iso(self.first),
            "to": None if self.last is None else to_iso(self.last),
            "twins": len(self.twins),
        }

    def as_text(self) -> str:
        rate = self.readings / self.seconds if self.seconds > 0 else 0.0
        return (
            f"{self.rows} rows, {self.readings} readings ({self.missing} missing) of "
            f"{len(self.twins)} twins in {self.messages} messages, {self.acknowledged} "
            f"acknowledged, {self.seconds:.1f} s ({rate:,.0f} readings/s)\n"
        )


class Script:
    """One file and what to make of it."""

    def __init__(self, recording: Recording, arguments: argparse.Namespace) -> None:
        self.recording = recording
        self.limit = arguments.limit
        self.every = arguments.every
        self.twin_form = arguments.twin or ("{}" if arguments.twin_column else "")
        columns, path = recording.columns, recording.path
        self.time_column = self._time_column(arguments)
        self.twin_column: int | None = None
        if arguments.twin_column:
            self.twin_column = column_index(columns, arguments.twin_column, "--twin-column", path)
        taken = [c for c in (self.time_column, self.twin_column) if c is not None]
        self.targets: list[Target] = targets(columns, arguments.map, taken, path)
        self.missing = MISSING | {text.strip().lower() for text in arguments.missing}
        self.read_time = time_reader(arguments.time_format)

    def _time_column(self, arguments: argparse.Namespace) -> int | None:
        columns, path = self.recording.columns, self.recording.path
        if arguments.time and arguments.every is not None:
            raise ConfigInvalid("--time and --every cannot both be given")
        if arguments.time:
            return column_index(columns, arguments.time, "--time", path)
        if arguments.every is not None:
            return None
        for index, name in enumerate(columns):
            if name.strip().lower() in TIME_NAMES:
                return index
        raise InvalidInput(
            f"{path}: no column is named like a time",
            hint="give --time COLUMN or --every SECONDS; there are "
            + ", ".join(f"'{c}'" for c in columns),
        )

    def records(self, shift: int = 0) -> Iterator[Record]:
        """The rows as readings, times moved by `shift` ns.

        Raises:
            InvalidInput: a time or a twin cannot be read; names the line.
        """
        step = round((self.every or 0.0) * SECOND)
        for count, (number, cells) in enumerate(self.recording.rows()):
            if self.limit is not None and count >= self.limit:
                return
            time = count * step
            if self.time_column is not None:
                time = self._time(number, cells[self.time_column])
            yield Record(self._twin(number, cells), time + shift, self._values(cells))

    def _time(self, number: int, cell: Any) -> int:
        try:
            return self.read_time(cell)
        except (ValueError, OverflowError, TypeError, InvalidInput) as error:
            name = self.recording.columns[self.time_column or 0]
            raise InvalidInput(
                f"{self.recording.path}, line {number}: '{cell}' in column '{name}' is not a time",
                hint=f"--time-format: {FORMATS}",
            ) from error

    def _twin(self, number: int, cells: Sequence[Any]) -> str:
        if self.twin_column is None:
            return str(self.twin_form)
        value = value_of(cells[self.twin_column], self.missing)
        name = "" if value is None else str(value)
        if not name or any(c in name for c in "/+#\0"):
            raise InvalidInput(
                f"{self.recording.path}, line {number}: '{name}' cannot name a twin",
                hint="a twin's name is not empty and has no /, + or #",
            )
        return str(self.twin_form).replace("{}", name)

    def _values(self, cells: Sequence[Any]) -> dict[str, Any]:
        values = {}
        for target in self.targets:
            value = value_of(cells[target.column], self.missing)
            if value is not None:
                values[target.name] = value
        return values


def span(scripts: Sequence[Script]) -> tuple[int, int]:
    """First and last time of all files; reads every row once, so that faults show before sending.

    Raises:
        InvalidInput: a row cannot be read, or there is none.
    """
    low, high = math.inf, -math.inf
    for script in scripts:
        for record in script.records():
            low, high = min(low, record.time), max(high, record.time)
    if low > high:
        raise InvalidInput("there is no row to send")
    return int(low), int(high)


def shift_of(arguments: argparse.Namespace, first: int, last: int, now: int) -> int:
    """By how much times move: for --start and --end; times that only count start so as to end now.

    Raises:
        ConfigInvalid: both are given.
        InvalidInput: one is not a time.
    """
    if arguments.start and arguments.end:
        raise ConfigInvalid("--start and --end cannot both be given")
    if arguments.start:
        return (now if arguments.start == "now" else from_iso(arguments.start)) - first
    if arguments.end:
        return (now if arguments.end == "now" else from_iso(arguments.end)) - last
    counts = arguments.every is not None or arguments.time_format.startswith("step:")
    return now - last if counts else 0


def pack(records: Sequence[Record], unit_of: dict[str, str]) -> bytes:
    """The payload of rows of one twin: columns where all are there, else a list of objects.

    With units it is SenML, which can say them.
    """
    if any(unit_of.values()):
        return _senml(records, unit_of)
    times = [r.time for r in records]
    moments: list[Any] = (
        [t // 1_000_000 for t in times] if all(t % 1_000_000 == 0 for t in times) else list(times)
    )
    if min(times) < SMALL_TIME:
        moments = [to_iso(t) for t in times]
    if len(records) == 1:
        return orjson.dumps({"time": moments[0], **records[0].values})
    names = set(records[0].values)
    if all(set(r.values) == names for r in records) and "time" not in names:
        columns = {name: [r.values[name] for r in records] for name in records[0].values}
        return orjson.dumps({"time": moments, **columns})
    rows = zip(moments, records, strict=True)
    return orjson.dumps([{"time": moment, **r.values} for moment, r in rows])


def _senml(records: Sequence[Record], unit_of: dict[str, str]) -> bytes:
    """SenML JSON; times as exact decimals, since seconds as floats lose the nanoseconds."""
    parts = []
    for record in records:
        whole, rest = divmod(record.time, SECOND)
        moment = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
        for name, value in record.values.items():
            key = "vb" if isinstance(value, bool) else "vs" if isinstance(value, str) else "v"
            body: dict[str, Any] = {"n": name, key: value}
            if unit_of.get(name) and key == "v":
                body["u"] = unit_of[name]
            parts.append(orjson.dumps(body)[:-1] + f',"t":{moment}}}'.encode())
    return b"[" + b",".join(parts) + b"]"


class Player:
    """Sends records in time, so many rows of a twin in a message."""

    def __init__(self, arguments: argparse.Namespace, client: Client) -> None:
        self.batch = arguments.batch
        self.topic = arguments.topic
        self.speed = parse_speed(arguments.speed)
        self.outbox = Outbox(arguments.qos, kept=1_000_000, window=WINDOW)
        self.summary = Summary()
        self._client = client
        self._open: dict[str, list[Record]] = {}

    async def play(self, scripts: Sequence[Script], first: int, shift: int) -> None:
        """Sends everything and waits until all of it is acknowledged."""
        loop = asyncio.get_running_loop()
        self.outbox.open(self._client)
        begun = loop.time()
        for script in scripts:
            units = {target.name: target.unit for target in script.targets}
            for record in script.records(shift):
                self._count(record, len(script.targets))
                if self.speed != math.inf:
                    due = begun + (record.time - shift - first) / SECOND / self.speed
                    if due > loop.time():
                        await asyncio.sleep(due - loop.time())
                if record.values:
                    self._take(record, units)
                await self.outbox.room()
                if self.outbox.refusal is not None:
                    raise self.outbox.refusal
            for twin in list(self._open):
                self._send(twin, units)
            self.summary.files += 1
        await self.outbox.emptied()
        if self.outbox.refusal is not None:
            raise self.outbox.refusal
        self.summary.seconds = loop.time() - begun
        self.summary.acknowledged = self.outbox.acknowledged

    def _count(self, record: Record, wanted: int) -> None:
        summary = self.summary
        summary.rows += 1
        summary.readings += len(record.values)
        summary.missing += wanted - len(record.values)
        summary.twins.add(record.twin)
        time = record.time
        summary.first = time if summary.first is None else min(summary.first, time)
        summary.last = time if summary.last is None else max(summary.last, time)

    def _take(self, record: Record, units: dict[str, str]) -> None:
        rows = self._open.setdefault(record.twin, [])
        rows.append(record)
        if len(rows) >= self.batch:
            self._send(record.twin, units)

    def _send(self, twin: str, units: dict[str, str]) -> None:
        rows = self._open.pop(twin, [])
        if rows:
            self.outbox.add(self.topic.replace("{twin}", twin), pack(rows, units))
            self.summary.messages += 1


def parse_speed(text: str) -> float:
    """Recorded seconds in a second; infinity for max.

    Raises:
        ConfigInvalid: neither a number above 0 nor max.
    """
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < math.inf:
        raise ConfigInvalid(f"--speed '{text}' is neither a number above 0 nor max")
    return speed


def prepare(arguments: argparse.Namespace) -> list[Script]:
    """Opens all files and checks all arguments.

    Raises:
        GemelError: something does not fit.
    """
    parse_speed(arguments.speed)
    if arguments.batch < 1:
        raise ConfigInvalid(f"--batch {arguments.batch} is not 1 or more")
    if arguments.every is not None and not arguments.every >= 0:
        raise ConfigInvalid(f"--every {arguments.every:g} is not 0 or more")
    if not arguments.twin and not arguments.twin_column:
        raise ConfigInvalid("which twin?", hint="give --twin NAME or --twin-column COLUMN")
    names = [name.strip() for name in arguments.columns.split(",") if name.strip()]
    return [
        Script(
            Recording(Path(file), arguments.separator, names, arguments.encoding), arguments
        )
        for file in arguments.files
    ]  # fmt: skip


async def replay(
    arguments: argparse.Namespace, client: Client, clock: Clock = system_clock
) -> Summary:
    """Replays all files through a client that was not yet started.

    Raises:
        GemelError: a file is not as it should be, or the server cannot be reached.
    """
    scripts = prepare(arguments)
    first, last = span(scripts)
    shift = shift_of(arguments, first, last, clock())
    try:
        await client.start()
        try:
            await asyncio.wait_for(client.connected(), CONNECT_SECONDS)
        except TimeoutError:
            raise Unavailable(
                f"no server answers at {arguments.mqtt}", hint="is it running? see --mqtt"
            ) from None
        player = Player(arguments, client)
        await player.play(scripts, first, shift)
    finally:
        await client.close()
    return player.summary


def run(arguments: argparse.Namespace) -> int:
    """Replays and says what was done.

    Raises:
        GemelError: as `replay`.
    """
    host, port = parse_address(arguments.mqtt)
    prepare(arguments)
    token = find_token(arguments.token, arguments.token_file)

    async def all_of_it() -> Summary:
        return await replay(arguments, plain_client(host, port, token, "gemel-replay"))

    summary = asyncio.run(all_of_it())
    body = orjson.dumps(summary.as_json()).decode() + "\n" if arguments.json else summary.as_text()
    sys.stdout.write(body)
    return 0
