"""Quality of a reading as one byte: 0 is good, 64-127 uncertain, 128-255 bad, each with a cause."""

from __future__ import annotations

from enum import IntEnum


class Quality(IntEnum):
    GOOD = 0
    UNCERTAIN = 64
    CLOCK_SUSPECT = 65
    BAD = 128
    OUT_OF_RANGE = 129
    SENSOR_FAULT = 130


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
