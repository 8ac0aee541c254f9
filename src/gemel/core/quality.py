"""Quality of a reading as one byte: 0 is good, 64-127 uncertain, 128-255 bad, each with a cause.

To each, 32 is added where the source told it afterwards (`HISTORICAL`): such a reading is history,
whatever its time, and never the last value.
"""

from __future__ import annotations

from enum import IntEnum


class Quality(IntEnum):
    GOOD = 0
    UNCERTAIN = 64
    CLOCK_SUSPECT = 65
    BAD = 128
    OUT_OF_RANGE = 129
    SENSOR_FAULT = 130


HISTORICAL = 32


def worse(one: int, other: int) -> int:
    """The worse of two; told afterwards if one of them was."""
    return max(one & ~HISTORICAL, other & ~HISTORICAL) | ((one | other) & HISTORICAL)


def is_good(quality: int) -> bool:
    return quality < Quality.UNCERTAIN


def is_bad(quality: int) -> bool:
    return quality >= Quality.BAD


CAUSES: dict[int, str] = {
    Quality.GOOD: "good",
    Quality.UNCERTAIN: "uncertain",
    Quality.CLOCK_SUSPECT: "the source's clock is suspect",
    Quality.BAD: "bad",
    Quality.OUT_OF_RANGE: "out of range",
    Quality.SENSOR_FAULT: "reported as faulty by the source",
}
CAUSES |= {
    cause | HISTORICAL: f"{words}, told afterwards by the source" for cause, words in CAUSES.items()
}
