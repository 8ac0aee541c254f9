"""The map of a device: which registers are read, as what, and under which name.

Lines of CSV, the first with the names of the columns, so that a vendor's list becomes one by
naming its columns. Separated by commas, semicolons or tabs, whichever the first line has most of.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gemel.core.errors import InvalidInput

MOST_REGISTERS = 2_000
LONGEST_NAME = 128
LONGEST_STRING = 125
"""Registers."""
COIL, DISCRETE, INPUT, HOLDING = "coil", "discrete", "input", "holding"
TABLES = {
    **dict.fromkeys(("coil", "coils", "0x"), COIL),
    **dict.fromkeys(("discrete", "discretes", "discrete input", "discrete inputs", "1x"), DISCRETE),
    **dict.fromkeys(("input", "inputs", "input register", "input registers", "3x"), INPUT),
    **dict.fromkeys(
        ("holding", "holdings", "holding register", "holding registers", "4x"), HOLDING
    ),
}
OF_BITS = (COIL, DISCRETE)
WRITABLE = (COIL, HOLDING)
LEADING = {"0": COIL, "1": DISCRETE, "3": INPUT, "4": HOLDING}
"""First digits of addresses that say their table."""
SIZES = {
    "u16": 1,
    "i16": 1,
    "u32": 2,
    "i32": 2,
    "u64": 4,
    "i64": 4,
    "f32": 2,
    "f64": 4,
    "bool": 1,
    "string": 0,
}
"""Registers that a value of a type takes; a text says how many by its `length`."""
TYPES = {
    **{name: name for name in SIZES},
    **{f"uint{bits}": f"u{bits}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"i{bits}" for bits in (16, 32, 64)},
    "float32": "f32",
    "float": "f32",
    "float64": "f64",
    "double": "f64",
    "boolean": "bool",
}
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
YES, NO = {"yes", "y", "true", "1", "x", "rw"}, {"", "no", "n", "false", "0", "r", "ro"}
COLUMNS = (
    *("name", "device", "twin", "unit_id", "table", "address", "type", "bits", "length"),
    *("order", "scale", "offset", "unit", "every", "write"),
)
_CLASSIC = re.compile(r"[0134]\d{4}|[0134]\d{5}")
_BITS = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?")


@dataclass(frozen=True, slots=True)
class Register:
    """One value of a device: where it is, and what it is called."""

    name: str
    device: str
    """What follows the connector in the topic; "" for nothing."""
    twin: str
    """The twin that it belongs to, without a binding; or ""."""
    unit_id: int
    table: str
    address: int
    """From 0."""
    type: str
    size: int
    """Registers, or bits of a table of bits."""
    bits: tuple[int, int] | None
    """The lowest and the highest that it is, of a register."""
    order: str
    scale: float
    offset: float
    unit: str
    every: float
    is_writable: bool

    @property
    def end(self) -> int:
        return self.address + self.size

    @property
    def is_boolean(self) -> bool:
        return self.type == "bool" or (self.bits is not None and self.bits[0] == self.bits[1])

    @property
    def is_scaled(self) -> bool:
        return self.scale != 1.0 or self.offset != 0.0

    def topic(self, connector: str) -> str:
        """Where its values come."""
        if self.twin:
            return f"devices/{self.twin}/telemetry"
        return f"{connector}/{self.device}" if self.device else connector

    @property
    def place(self) -> str:
        """In words: `unit 1, holding 40`."""
        last = self.end - 1
        return f"unit {self.unit_id}, {self.table} {self.address}" + (
            f" to {last}" if last > self.address else ""
        )


def read_registers(lines: Sequence[str], unit_id: int, every: float, order: str) -> list[Register]:
    """Reads a map.

    Args:
        lines: the first has the names of the columns; empty ones and such with # are left out.
        unit_id: of registers that do not say theirs; so `every` and `order`.

    Raises:
        InvalidInput: names the line and what is wrong with it.
    """
    kept = [
        (number, line)
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(kept) < 2:
        raise InvalidInput(
            "'registers' must be the names of the columns, and a line for each register",
            hint='["name, table, address, type", "flow, holding, 0, f32"]',
        )
    if len(kept) - 1 > MOST_REGISTERS:
        raise InvalidInput(
            f"'registers' has {len(kept) - 1:,} registers", hint=f"at most {MOST_REGISTERS:,}"
        )
    between = max("\t;,", key=kept[0][1].count)
    columns = _columns(_cells(kept[0][1], between))
    found: list[Register] = []
    places: dict[tuple[str, str], int] = {}
    for number, line in kept[1:]:
        cells = _cells(line, between)
        row = _Row(number, dict(zip(columns, cells, strict=False)), between)
        if len(cells) > len(columns) and any(cells[len(columns) :]):
            raise row.wrong(f"has {len(cells)} columns, and the first line {len(columns)}")
        register = _register(row, unit_id, every, order)
        place = (register.topic("-"), register.name)
        if place in places:
            raise row.wrong(f"'{register.name}' is there already, in line {places[place]}")
        places[place] = number
        found.append(register)
    return found


def _cells(line: str, between: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=between))]


def _columns(heads: Sequence[str]) -> list[str]:
    names = [re.sub(r"[\s-]+", "_", head.lower().lstrip("\ufeff")) for head in heads]
    for head, name in zip(heads, names, strict=True):
        if name not in COLUMNS and not name.startswith("#"):
            raise InvalidInput(
                f"'registers' has a column '{head[:80]}', which means nothing",
                hint="columns are " + ", ".join(COLUMNS) + "; one that begins with # is left out",
            )
    for needed in ("name", "address"):
        if needed not in names:
            raise InvalidInput(f"'registers' has no column '{needed}'", hint=", ".join(COLUMNS))
    twice = {name for name in names if names.count(name) > 1 and name in COLUMNS}
    if twice:
        raise InvalidInput(f"'registers' has the column '{min(twice)}' twice")
    return names


class _Row:
    """One line, by the names of its columns."""

    def __init__(self, number: int, cells: dict[str, str], between: str) -> None:
        self._number = number
        self._cells = cells
        self._has_comma = between != ","

    def wrong(self, what: str, hint: str = "") -> InvalidInput:
        return InvalidInput(f"'registers', line {self._number}: {what}", hint=hint)

    def text(self, name: str, default: str = "") -> str:
        return self._cells.get(name) or default

    def number(self, name: str, default: float) -> float:
        text = self.text(name)
        if not text:
            return default
        try:
            value = float(text.replace(",", ".") if self._has_comma else text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.wrong(f"'{name}' is '{text[:40]}'", "a number")
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name)
        if not text:
            return default
        try:
            value = int(text, 16 if text.lower().startswith("0x") else 10)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise self.wrong(f"'{name}' is '{text[:40]}'", f"a whole number, {low} to {high}")
        return value


def _register(row: _Row, unit_id: int, every: float, order: str) -> Register:
    name = row.text("name")
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise row.wrong("'name' must be one word or more", f"at most {LONGEST_NAME} characters")
    table, address = _place(row)
    kind, bits = _type(row, table)
    size = 1 if table in OF_BITS else SIZES[kind] or _length(row)
    register = Register(
        name,
        _level(row, "device", "+#"),
        _level(row, "twin", "+#/"),
        row.whole("unit_id", unit_id, 0, 255),
        table,
        address,
        kind,
        size,
        bits,
        row.text("order", order).upper(),
        row.number("scale", 1.0),
        row.number("offset", 0.0),
        row.text("unit"),
        row.number("every", every),
        _is_writable(row, table),
    )
    _check(row, register)
    return register


def _check(row: _Row, register: Register) -> None:
    """What does not go together."""
    if register.device and register.twin:
        raise row.wrong("has a device and a twin", "say one of them: a twin needs no device")
    if register.order not in ORDERS:
        raise row.wrong(f"'order' is '{register.order[:40]}'", "one of " + ", ".join(ORDERS))
    if register.end > 0x1_0000:
        raise row.wrong(f"{register.type} at {register.address} reaches beyond 65535")
    if not 0.01 <= register.every <= 86_400:
        raise row.wrong(f"'every' is {register.every:g}", "0.01 to 86,400 seconds")
    if register.scale == 0:
        raise row.wrong("'scale' must not be 0", "the value is register * scale + offset")
    if register.is_scaled and (register.is_boolean or register.type == "string"):
        raise row.wrong("has a scale or an offset, and is no number", "leave them out")
    if register.is_writable and register.bits is not None:
        raise row.wrong(
            "bits of a register cannot be written", "the other bits could change meanwhile"
        )


def _place(row: _Row) -> tuple[str, int]:
    """Table and address from 0; an address such as 40001 says its table, where none is said."""
    said = re.sub(r"[\s_-]+", " ", row.text("table").lower())
    text = row.text("address")
    if said:
        if said not in TABLES:
            raise row.wrong(f"'table' is '{said[:40]}'", "coil, discrete, input or holding")
        if not text:
            raise row.wrong("has no address", "a whole number from 0")
        return TABLES[said], row.whole("address", 0, 0, 0xFFFF)
    number = int(text[1:]) if _CLASSIC.fullmatch(text) else 0
    if not 1 <= number <= 0x1_0000:
        raise row.wrong(
            f"'{text[:40]}' does not say of which table it is",
            "name the table, and the address from 0; or write all digits, such as 40001 or 400001",
        )
    return LEADING[text[0]], number - 1


def _type(row: _Row, table: str) -> tuple[str, tuple[int, int] | None]:
    said = row.text("type", "bool" if table in OF_BITS else "u16").lower()
    kind, bits = TYPES.get(said), row.text("bits")
    if kind is None:
        raise row.wrong(f"'type' is '{said[:40]}'", "one of " + ", ".join(SIZES))
    if table in OF_BITS and (kind != "bool" or bits):
        raise row.wrong(f"'{table}' has single bits", "their type is bool, and 'bits' is empty")
    if not bits:
        return kind, None
    found = _BITS.fullmatch(bits)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (16, 0)
    if not low <= high <= 15 or kind not in ("u16", "bool") or (kind == "bool" and low != high):
        raise row.wrong(
            f"'bits' is '{bits[:40]}' of {kind}", "of u16: 3 for one, 4-7 for a number; 0 is lowest"
        )
    return "u16", (low, high)


def _length(row: _Row) -> int:
    length = row.whole("length", 0, 1, LONGEST_STRING)
    if not length:
        raise row.wrong("a string needs a 'length'", "registers: two characters each")
    return length


def _level(row: _Row, name: str, without: str) -> str:
    text = row.text(name)
    is_odd = text != text.strip("/") or text.startswith("$") or not text.isprintable()
    if text and (is_odd or len(text) > LONGEST_NAME or set(without) & set(text)):
        raise row.wrong(f"'{name}' is '{text[:80]}'", f"a text without {' '.join(without)}")
    return text


def _is_writable(row: _Row, table: str) -> bool:
    text = row.text("write").lower()
    if text not in YES | NO:
        raise row.wrong(f"'write' is '{text[:40]}'", "yes or no")
    if text in YES and table not in WRITABLE:
        raise row.wrong(f"'{table}' cannot be written", "coils and holding registers can")
    return text in YES
