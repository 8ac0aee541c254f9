"""Payloads of every form a device may send, well-formed and broken, for tests of the fast path."""

from __future__ import annotations

import random
from collections.abc import Callable

import orjson

from gemel.core.access import Principal
from gemel.core.message import Message
from gemel.core.series import SeriesTable
from gemel.ingest.accept import Ingest
from gemel.ingest.columns import Columns
from gemel.ingest.decode import Route
from gemel.ingest.points import Layout, Point, PointTable
from gemel.ingest.topics import Binding, FieldMap

NOW = 1_763_800_000_000_000_000
LIMIT = NOW + 60_000_000_000
WHO = Principal("bridge", "engineer")
KINDS = {
    "a": "double",
    "b": "integer",
    "c": "boolean",
    "d": "unsignedByte",
    "e": "long",
    "f": "string",
    "g": "open",
    "températ": "float",
    "n": "double",
    "a.b": "double",
    'quo"te': "double",
    "value": "double",
    **{f"s{i:02d}": "double" for i in range(12)},
}
TIMES = ("time", "timestamp", "ts", "t")
NUMBERS = (
    "0", "-0", "-0.0", "1", "-1", "12.5", "0.1", "1e5", "1E-5", "-2.5e+3", "1.7976931348623157e308",
    "2e308", "5e-324", "1e-400", "9007199254740991", "9007199254740992", "-9007199254740993",
    "255", "256", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808",
    "18446744073709551616", "123456789012345678901234567890", "0.1234567890123456789",
    "3.141592653589793", "2.2250738585072014e-308", "01", "1.", ".5", "+1", "1e", "--1", "NaN",
    "Infinity", "0x10", "1_0", "72.10000000000001", "0.000000000000000000001", "1e22", "1e23",
    "8.41e21", "9.5367431640625e-7", "1e0", "100000000000000000000000000000000e-30",
)  # fmt: skip
MOMENTS = (
    "1763799999", "1763799999123", "1763799999123456", "1763799999123456789", "1763799999.25",
    "1763799999123.5", '"2025-11-22T08:26:39Z"', '"2025-11-22T08:26:39.123456789Z"', "0", "-1",
    '"2024-02-29T00:00:00Z"', '"2023-02-29T00:00:00Z"', '"2025-11-22T08:26:39+01:00"', "25.3",
    '"1763799999"', '"soon"', "1e9", "99999999999", "4102444800", "9223372036854775807", "1.7e9",
    '"2261-12-31T23:59:59.9Z"', '"1970-01-01T00:00:00Z"', "9e99", "null", "1763799999999.9999",
    '"2025-11-22T08:26:39."', '"2025-11-22T24:00:00Z"', '"2025-11-22T08:26:39.1234567891Z"',
)  # fmt: skip


def routes() -> tuple[dict[str, Route], Ingest]:
    """Topics of one twin: by object, by name, open, and through bindings."""
    series, points = SeriesTable(), PointTable()
    for twin, is_open in (("pump", False), ("open", True)):
        layout = Layout({name: Point(kind) for name, kind in KINDS.items()})
        points.set_twin(twin, layout, [series.id(twin, name) for name in KINDS], open=is_open)
    ingest = Ingest(series, points)
    fields = {"x": FieldMap("a"), "when": FieldMap("s01"), "y": FieldMap("b")}
    ingest.set_bindings(
        [
            Binding("own", "own/{twin}", "pump", fields, False, "when"),
            Binding("only", "only/{twin}", "pump", fields, True),
        ]
    )
    for topic in TOPICS:
        ingest.accept([Message(topic, b'{"a":1,"x":1}', NOW, WHO)], NOW)
        ingest.accept([Message(topic, b"1", NOW, WHO)], NOW)
    return ingest._routes, ingest


TOPICS = (
    "devices/pump/telemetry",
    "devices/open/telemetry",
    "devices/pump/telemetry/a",
    "devices/pump/telemetry/b",
    "devices/pump/telemetry/c",
    "own/pump",
    "only/pump",
)


class Maker:
    """Makes payloads at random; most are nearly plain, which is where mistakes hide."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.is_clean = False
        """Nothing but what is plain, apart from rare slips."""

    def space(self) -> str:
        if self.rng.random() < 0.002:
            return "\x0b"
        return self.rng.choice(("", "", "", "", " ", "\n", "\t\r", "  "))

    def join(self, left: str, items: list[str], right: str) -> str:
        s = self.space
        return s() + left + s() + f"{s()},{s()}".join(items) + s() + right + s()

    def name(self) -> str:
        rng = self.rng
        found = rng.choice([*KINDS, *TIMES, "x", "y", "when", "other", "id", "r", "bn", "values"])
        text = orjson.dumps(found).decode()
        return text if rng.random() < 0.95 else text.replace("a", "\\u0061", 1)

    def number(self) -> str:
        rng = self.rng
        how = rng.random()
        if how < (0.03 if self.is_clean else 0.4):
            return rng.choice(NUMBERS)
        if how < 0.7:
            return repr(
                rng.choice((rng.uniform(-100, 100), rng.gauss(0, 1e-5), rng.expovariate(1)))
            )
        if how < 0.85:
            digits = "".join(rng.choices("0123456789", k=rng.randrange(1, 21)))
            return f"{rng.randrange(10)}.{digits}"
        return str(rng.randrange(-300, 300))

    def value(self) -> str:
        rng = self.rng
        if rng.random() < (0.98 if self.is_clean else 0.85):
            return self.number()
        return rng.choice(("true", "false", "null", '"on"', "tru", "[]", "{}", '"\\n"', "falsey"))

    def moment(self) -> str:
        rng = self.rng
        is_odd = rng.random() < (0.1 if self.is_clean else 0.6)
        return rng.choice(MOMENTS) if is_odd else str(1763799999000 + rng.randrange(900))

    def pairs(self, count: int) -> list[str]:
        names = [self.name() for _ in range(count)]
        if self.rng.random() < 0.7:
            names = list(dict.fromkeys(names))
        found = []
        for name in names:
            is_time = name.strip('"') in (*TIMES, "when") and self.rng.random() < 0.8
            value = self.moment() if is_time else self.value()
            found.append(f"{name}{self.space()}:{self.space()}{value}")
        return found

    def plain(self, count: int) -> list[str]:
        names = [f"s{i:02d}" for i in range(12)]
        if self.rng.random() < 0.3:
            self.rng.shuffle(names)
        return [f'"{name}":{self.number()}' for name in names[:count]]

    def object(self) -> str:
        rng = self.rng
        items = self.plain(rng.randrange(1, 12)) if rng.random() < 0.5 else []
        items += self.pairs(rng.randrange(0, 4)) if not items or not self.is_clean else []
        if rng.random() < 0.5:
            items.insert(rng.randrange(len(items) + 1), f'"{rng.choice(TIMES)}":{self.moment()}')
        return self.join("{", items, "}")

    def thingsboard(self) -> str:
        time = f'"{self.rng.choice(("ts", "ts", "ts", "time"))}":{self.moment()}'
        return self.join("{", [time, f'"values":{self.object()}'], "}")

    def columns(self) -> str:
        count = self.rng.randrange(0, 4) + self.is_clean
        times = [str(1763799999000 + i) for i in range(count)]
        if self.rng.random() < (0.02 if self.is_clean else 0.2):
            times = [self.moment() for _ in range(count)]
        items = [f'"{self.rng.choice(TIMES)}":' + self.join("[", times, "]")]
        for i in range(self.rng.randrange(0, 3)):
            more = count + (self.rng.random() < 0.1)
            column = self.join("[", [self.number() for _ in range(more)], "]")
            items.append(f'"s{i:02d}":{column}')
        return self.join("{", items, "}")

    def rows(self) -> str:
        rows = []
        slips = 0.01 if self.is_clean else 0.1
        for i in range(self.rng.randrange(0, 5)):
            moment = self.moment() if self.rng.random() < slips else str(1763799999000 + i)
            name = self.name() if self.rng.random() < slips else f'"s{i:02d}"'
            rows.append(self.join("[", [name, moment, self.number()], "]"))
        items = ['"r":' + self.join("[", rows, "]")]
        if self.rng.random() < 0.5:
            items.insert(self.rng.randrange(2), f'"id":{self.rng.choice(NAMES)}')
        return self.join("{", items, "}")

    def array(self) -> str:
        return self.join("[", [self.object() for _ in range(self.rng.randrange(0, 4))], "]")

    def payload(self) -> bytes:
        forms: tuple[Callable[[], str], ...] = (
            self.object, self.object, self.thingsboard, self.columns, self.rows, self.array,
            self.value,
        )  # fmt: skip
        self.is_clean = self.rng.random() < 0.7
        data = bytearray(self.rng.choice(forms)().encode())
        if self.rng.random() < 0.2:
            self.damage(data)
        return bytes(data)

    def damage(self, data: bytearray) -> None:
        rng = self.rng
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data) + 1)
            how = rng.random()
            if how < 0.3:
                del data[at : at + rng.randrange(1, 4)]
            elif how < 0.6:
                data[at:at] = rng.choice(
                    (b",", b'"', b"}", b"]", b"0", b"\xc3", b"\0", b"{", b"\\")
                )
            elif how < 0.8:
                del data[at:]
            elif at < len(data):
                data[at] = rng.randrange(256)


SPLINTERS = (b",", b'"', b"}", b"]", b"0", b"\xc3", b"\0", b"{", b"\\")
NAMES = ('"dev"', '"d\\u00e9v"', '"dév"', "7", "null", '""')


def columns_of(columns: Columns) -> tuple[bytes, bytes, bytes, dict[int, str], dict[int, int]]:
    """All bits, so that 0.0 and -0.0 differ."""
    return (
        columns.slots.tobytes(),
        columns.times.tobytes(),
        columns.values.tobytes(),
        columns.text,
        columns.quality,
    )
