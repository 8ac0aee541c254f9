"""What a link to Modbus devices is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from gemel.connect.modbus.registers import ORDERS, Register, read_registers
from gemel.core.errors import InvalidInput

PORT = 502
FRAMINGS = ("tcp", "rtu")
PARITIES = "NEO"
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400)
MOST_AT_ONCE = 16
_LINE = re.compile(r"(\d+) ([78])([NEO])([12])")


@dataclass(frozen=True, slots=True)
class Line:
    """How a serial line is set."""

    baud: int
    data: int
    parity: str
    stop: int

    @property
    def silence(self) -> float:
        """Seconds between two frames: 3.5 characters, and 1.75 ms on fast lines."""
        character = (2 + self.data + (self.parity != "N") + self.stop - 1) / self.baud
        return max(3.5 * character, 0.00175)


@dataclass(frozen=True)
class ModbusConnection:
    """Modbus devices at one address, whose registers are read and written."""

    kind: ClassVar[str] = "modbus"
    modbus: str = ""
    """HOST:PORT, or the file of a serial line such as /dev/ttyUSB0."""
    registers: tuple[str, ...] = ()
    """The map, a line each, the first with the names of the columns; see `registers`."""
    unit_id: int = 1
    """Of registers that do not say theirs."""
    every: float = 1.0
    """Seconds between two reads, of registers that do not say theirs."""
    order: str = "ABCD"
    """Of the bytes of values, of registers that do not say theirs."""
    framing: str = "tcp"
    line: str = "19200 8E1"
    """Of a serial line: baud, data bits, parity, stop bits."""
    timeout: float = 3.0
    """Seconds that a device may take to answer."""
    pause: float = 0.0
    """Seconds between an answer and the next request."""
    largest: int = 125
    """Registers of one request; of coils and discrete inputs 16 times as many."""
    gap: int = 10
    """Registers that may lie unused between two that are read in one request."""
    at_once: int = 1
    """Requests on their way at the same time; more than one with framing `tcp` only."""

    @property
    def is_serial(self) -> bool:
        return self.modbus.startswith("/")

    @property
    def is_rtu(self) -> bool:
        return self.is_serial or self.framing == "rtu"

    def host_port(self) -> tuple[str, int]:
        """Where the device is on the network."""
        found = urlsplit(f"//{self.modbus}")
        return found.hostname or "", found.port or PORT

    def serial_line(self) -> Line:
        """How the serial line is set.

        Raises:
            InvalidInput: it is not said as it must be.
        """
        found = _LINE.fullmatch(self.line)
        if found is None or int(found[1]) not in BAUDS:
            raise InvalidInput(
                f"'line' is '{self.line[:80]}'",
                hint="write it like 19200 8E1: baud, data bits, parity (N, E, O), stop bits",
            )
        return Line(int(found[1]), int(found[2]), found[3], int(found[4]))

    def map(self) -> list[Register]:
        """What is to be read.

        Raises:
            InvalidInput: names the line of the map, and what is wrong with it.
        """
        return read_registers(self.registers, self.unit_id, self.every, self.order)

    def check(self) -> None:
        """Raises InvalidInput if something is not of its form."""
        _check_place(self)
        for name, value, known in (
            ("framing", self.framing, FRAMINGS),
            ("order", self.order, ORDERS),
        ):
            if value not in known:
                raise InvalidInput(f"'{name}' is '{value[:80]}'", hint="one of " + ", ".join(known))
        self.serial_line()
        for name, low, high in (
            ("unit_id", 0, 255),
            ("every", 0.01, 86_400),
            ("timeout", 0.05, 60),
            ("pause", 0, 10),
            ("largest", 1, 125),
            ("gap", 0, 124),
            ("at_once", 1, MOST_AT_ONCE),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidInput(f"'{name}' must be {low} to {high:,}")
        if self.at_once > 1 and self.is_rtu:
            raise InvalidInput(
                "'at_once' must be 1 with RTU framing: its answers do not say to what they belong",
                hint="leave it out",
            )
        self.map()


def _check_place(of: ModbusConnection) -> None:
    hint = "write it like 10.0.0.7:502, or /dev/ttyUSB0 for a serial line"
    if of.is_serial:
        if ".." in of.modbus or not of.modbus.startswith("/dev/"):
            raise InvalidInput(f"'modbus' is '{of.modbus[:200]}', which is no line", hint=hint)
        return
    try:
        found = urlsplit(f"//{of.modbus}")
        is_right = bool(found.hostname) and found.netloc == of.modbus and found.port != 0
    except ValueError as error:
        raise InvalidInput(f"'modbus' is '{of.modbus[:200]}': {error}", hint=hint) from error
    if not is_right or "@" in of.modbus or " " in of.modbus:
        raise InvalidInput(f"'modbus' is '{of.modbus[:200]}', not HOST:PORT", hint=hint)
