"""Which message holds which readings: a formula of the message's number, and the same backwards.

Message `number` of connection `c` belongs to device `devices_of(c)[number % count]`, its time is
`start + c * phase + number * step` microseconds, and its values are the row `row_of(...)` of a
table of `ROWS` rows that follows from the seed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.errors import ConfigInvalid, InvalidInput

ROWS = 997
"""Rows of values, then they repeat; a prime, so that no rhythm of devices meets it."""
SPREAD = 31
"""Neighbouring connections are so many rows apart."""
DIGITS = 16
"""Of a time in microseconds, from 2001 to 2286."""
MOST_DEVICES = 100_000
MOST_READINGS = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A load, as far as its readings are concerned."""

    devices: int
    connections: int
    readings: int
    """In each message."""
    start: int
    """Microseconds since 1970 UTC."""
    step: int
    """Microseconds between two messages of a connection."""
    phase: int = 0
    """Microseconds between the first messages of two neighbouring connections."""
    seed: int = 1
    prefix: str = "load-"
    first: int = 0
    """The number in the name of the first device."""

    def __post_init__(self) -> None:
        for name, most in (("devices", MOST_DEVICES), ("readings", MOST_READINGS)):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigInvalid(
                    f"{name}: {getattr(self, name)} is not within 1 to {most:,}",
                    hint="start several generators with names of their own for more",
                )
        if not 1 <= self.connections <= self.devices:
            raise ConfigInvalid(
                f"{self.connections} connections for {self.devices} devices",
                hint="at least one, and at most one for each device",
            )
        if not 10 ** (DIGITS - 1) <= self.start < 8 * 10 ** (DIGITS - 1):
            raise ConfigInvalid("the start lies before 2001 or after 2223")
        if self.step < 1:
            raise ConfigInvalid("the messages of a connection are less than 1 microsecond apart")

    def name(self, device: int) -> str:
        return f"{self.prefix}{self.first + device:05d}"

    @property
    def signals(self) -> list[str]:
        return [f"s{i:02d}" for i in range(self.readings)]

    def devices_of(self, connection: int) -> range:
        return range(connection, self.devices, self.connections)

    def connection_of(self, device: int) -> tuple[int, int, int]:
        """(connection, place among its devices, how many it has)."""
        connection = device % self.connections
        return connection, device // self.connections, len(self.devices_of(connection))

    def times(self, connection: int, numbers: I64) -> I64:
        """Microseconds since 1970 UTC."""
        return self.start + connection * self.phase + numbers * self.step

    def rows(self, connection: int, numbers: I64) -> I64:
        return (numbers + connection * SPREAD) % ROWS

    def values(self) -> F64:
        """All values that there are: a row a message, a column a signal.

        A slow wave with noise, one decimal, four characters: 11.0 to 94.0.
        """
        row = np.arange(ROWS, dtype=np.uint64)[:, None]
        signal = np.arange(self.readings, dtype=np.uint64)[None, :]
        wave = np.abs(2 * ((row + signal * 137) % ROWS).astype(np.int64) - ROWS) * 800 // ROWS
        mixed = (row * 7_919 + signal * 104_729 + self.seed * 15_485_863) * 2_654_435_761
        noise = (mixed >> 16).astype(np.int64) % 31
        tenths: I64 = 110 + wave + noise
        return tenths / 10

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Plan:
        """Raises InvalidInput if it is none."""
        try:
            return cls(**found)
        except TypeError as error:
            raise InvalidInput(f"this is no load: {error}") from error
