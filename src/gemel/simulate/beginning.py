"""How areas stand when they begin, after what they lived through before, and what they tell of it.

Machines feel each other, so the past of one area is that of the whole plant. Where areas have a
process each, one lives through all and leaves the floor of every second in a file: by that each
area lives through its own part alone.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gemel.simulate.device import Readings
from gemel.simulate.floor import Floor
from gemel.simulate.plant import MOST_STEP, Area

if TYPE_CHECKING:
    from gemel.simulate.runner import Plan

PAST_EVERY = 10
"""Steps, of a plant second each, between two readings of the time before the beginning."""
SETTLE_STEPS = 600
"""Before all that, unseen, in which what has just been switched on settles."""
DAY_MS = 86_400_000
Past = defaultdict[str, list[tuple[int, Readings]]]
"""By device, its readings with their time in epoch ms, the oldest first."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Areas as they are at their beginning, and what their devices have to tell of before."""

    area: Area
    past: Past = field(default_factory=lambda: defaultdict(list))


def begin(plan: Plan, floor: Floor, start: int) -> Beginning:
    """The areas of a plan at `start` (ns since 1970 UTC)."""
    if not plan.past and not plan.lived:
        return Beginning(Area(plan.areas, plan.seed, floor, start / 1e9, plan.faults))
    floors = _floors(plan.floors) if plan.floors else None
    with floor.privately():
        found = Beginning(Area(plan.areas, plan.seed, floor, start / 1e9, plan.faults))
        area, past = found.area, found.past
        first = start // 1_000_000 - round(plan.past * 1000)
        for device in area.devices if plan.lived else ():
            for ago, readings in device.lived(plan.lived):
                past[device.name].append((first - ago * DAY_MS, readings))
        for number in _steps(area, plan):
            if floors is not None:
                floor.become(next(floors))
            area.advance(_step_of(area))
            if number > SETTLE_STEPS and (number % PAST_EVERY == 0 or area.elapsed > -1e-6):
                time = (start + round(area.elapsed * 1e9)) // 1_000_000
                for device in area.devices:
                    past[device.name].append((time, device.readings()))
    area.elapsed = 0.0
    return found


def leave_floors(plan: Plan, start: int, file: Path) -> None:
    """Lives through the past of the whole plant; leaves the floor as it was before each step."""
    floor = Floor()
    area = Area(plan.areas, plan.seed, floor, start / 1e9, plan.faults)
    for device in area.devices if plan.lived else ():
        device.lived(plan.lived)
    with file.open("wb") as into:
        for _ in _steps(area, plan):
            array("d", floor.slots()).tofile(into)
            area.advance(_step_of(area))


def _steps(area: Area, plan: Plan) -> Iterator[int]:
    """Numbers from 1 on, as long as the area is before its beginning."""
    area.elapsed = -plan.past - SETTLE_STEPS * MOST_STEP
    number = 0
    while area.elapsed < -1e-6:
        number += 1
        yield number


def _step_of(area: Area) -> float:
    return min(MOST_STEP, -area.elapsed)


def _floors(file: str) -> Iterator[array[float]]:
    size = len(Floor().slots())
    whole = array("d")
    whole.frombytes(Path(file).read_bytes())
    return (whole[at : at + size] for at in range(0, len(whole), size))
