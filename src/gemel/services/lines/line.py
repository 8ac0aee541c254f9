"""A line: stations one after the other, places between them."""

from __future__ import annotations

from dataclasses import dataclass

from gemel.core.errors import InvalidInput

LEAST_STATIONS = 2
MOST_STATIONS = 100
MOST_PLACES = 10_000


@dataclass(frozen=True, slots=True)
class Station:
    name: str
    cycle: float
    """Mean seconds of work on one job, without stops."""
    spread: float = 0.0
    """Standard deviation of the cycle over its mean."""
    between: float = 0.0
    """Mean seconds of work between stops; 0: it never stops."""
    stop: float = 0.0
    """Mean seconds of a stop."""

    @property
    def effective(self) -> float:
        """Mean seconds a job keeps the station, stops included."""
        return self.cycle * (1 + (self.stop / self.between if self.between > 0 else 0.0))


@dataclass(frozen=True, slots=True)
class Line:
    """`buffers[i]` places lie between station i and i + 1.

    The first station never lacks work, the last is never blocked. A finished job waits on its
    station while there is no place behind it.
    """

    stations: tuple[Station, ...]
    buffers: tuple[int, ...]

    def __post_init__(self) -> None:
        count = len(self.stations)
        if not LEAST_STATIONS <= count <= MOST_STATIONS:
            raise InvalidInput(
                f"a line of {count} stations", hint=f"{LEAST_STATIONS} to {MOST_STATIONS}"
            )
        if len(self.buffers) != count - 1:
            raise InvalidInput(
                f"{len(self.buffers)} buffers for {count} stations", hint="one between any two"
            )
        if any(not 0 <= places <= MOST_PLACES for places in self.buffers):
            raise InvalidInput(f"a buffer has 0 to {MOST_PLACES:,} places")
        for one in self.stations:
            if not one.cycle > 0 or min(one.spread, one.between, one.stop) < 0:
                raise InvalidInput(
                    f"station '{one.name}': its cycle must be above 0, its other times not below"
                )

    @property
    def bound(self) -> float:
        """Jobs a second that no buffer can exceed."""
        return 1 / max(one.effective for one in self.stations)
