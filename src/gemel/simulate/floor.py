"""The factory floor: the few physical quantities through which one machine feels another.

In one process the slots are a list; with a process for each area they are shared memory (a file
that is mapped by all). A slot is one float64 with one writer at a time, so no lock is needed.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager

MOTORS = tuple(f"motor-{n}" for n in range(1, 11))
AREAS = ("motors", "utilities", "turbine", "building", "line")

NAMES: tuple[str, ...] = (
    *(f"{motor}.speed" for motor in MOTORS),  # r/min, written by the motor
    *(f"{motor}.load" for motor in MOTORS),  # kW asked at the shaft, written by what it drives
    *(f"{motor}.power" for motor in MOTORS),  # electrical kW, written by the motor
    *(f"{motor}.reference" for motor in MOTORS),  # 0 to 1, written by whoever controls it
    *(f"{motor}.run" for motor in MOTORS),  # 1 is on, 0 is off
    "line.liquid",  # m³/h drawn from tank 4 by the filler
    "building.power",  # kW without the fan motor
    "line.power",  # kW without its motors
    "turbine.power",  # kW delivered
)
_INDEX = {name: index for index, name in enumerate(NAMES)}


class Floor:
    """Named quantities shared by all areas of the plant."""

    __slots__ = ("_slots",)

    def __init__(self, slots: MutableSequence[float] | memoryview[float] | None = None) -> None:
        """`slots` comes from `map_slots`; None is a plain list for one process."""
        self._slots: MutableSequence[float] | memoryview[float] = (
            [0.0] * len(NAMES) if slots is None else slots
        )
        if slots is None:
            self.reset()

    def __getitem__(self, name: str) -> float:
        return float(self._slots[_INDEX[name]])

    def __setitem__(self, name: str, value: float) -> None:
        self._slots[_INDEX[name]] = value

    def slots(self) -> list[float]:
        """All quantities, in the order of their names."""
        return [float(value) for value in self._slots]

    def become(self, slots: Sequence[float]) -> None:
        """Takes all quantities over, as `slots` gave them."""
        for index, value in enumerate(slots):
            self._slots[index] = value

    @contextmanager
    def privately(self) -> Iterator[None]:
        """Within it a plant of its own is lived through; at its end all areas see how it stands."""
        shared, self._slots = self._slots, [0.0] * len(NAMES)
        self.reset()
        try:
            yield
        finally:
            lived, self._slots = self.slots(), shared
            self.become(lived)

    def reset(self) -> None:
        """The plant as it is found on a working day: everything on, near its usual speed."""
        for motor in MOTORS:
            self[f"{motor}.run"] = 1.0
            self[f"{motor}.reference"] = 0.85


def map_slots(descriptor: int) -> memoryview[float]:
    """The slots in an open file that all areas map; makes the file large enough."""
    size = 8 * len(NAMES)
    if os.fstat(descriptor).st_size < size:
        os.ftruncate(descriptor, size)
    return memoryview(mmap.mmap(descriptor, size)).cast("d")
