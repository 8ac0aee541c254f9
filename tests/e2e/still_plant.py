"""The demo's plant at one moment: values of the simulated plant, and a server whose clock rests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from e2e.browsing import eventually
from gemel.core.clock import SECOND, from_iso
from gemel.simulate.fault import parse_faults
from gemel.simulate.floor import AREAS, Floor
from gemel.simulate.plant import Area
from running import Running

MOMENT = from_iso("2026-03-10T09:00:07.500Z")
BEFORE = 2.5
"""Seconds between the last readings and the moment."""
SEED = 1
EVERY = 20
"""Plant seconds between two readings of a series."""
SETTLES, LASTS = 600, 3_600
"""Plant seconds unseen and seen, up to the moment."""
FAULTS = ("motor-3:bearing-wear@3000s/300s", "filter-1:blocked-filter@3300s/300s")
"""In seconds since the beginning of what is unseen."""
RULES = 5
"""That raise alarms in that hour."""
AT_ONCE = 3_000
"""Sets of readings in a message."""
SCENARIO = "slow-pump"
STILL = Path(__file__).with_name("still")


class StillPlant(Running):
    """`gemel demo` without its simulator, always at `MOMENT`."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, "--no-browser", "--no-plant", command="demo")
        self.environment = {"PYTHONPATH": str(STILL), "STILL_AT": str(MOMENT)}


def lived_through() -> list[dict[str, Any]]:
    """The sets of readings of all twins in the hour before the moment, in the order of time."""
    floor = Floor()
    found = []
    with floor.privately():
        start = MOMENT / SECOND - BEFORE - SETTLES - LASTS
        area = Area(AREAS, SEED, floor, start, parse_faults("none", FAULTS))
        area.advance(SETTLES)
        for _ in range(LASTS // EVERY):
            area.advance(EVERY)
            time = round(area.now * 1000)
            for device in area.devices:
                for twin, values in device.readings().items():
                    found.append({**values, "twin": twin, "time": time})
    return found


def fill(running: Running) -> None:
    """Sends the hour, some minutes at a time."""
    sets = lived_through()
    for first in range(0, len(sets), AT_ONCE):
        running.call("POST", "/ingest", sets[first : first + AT_ONCE])


def alarms_of(running: Running) -> dict[str, Any]:
    """One open alarm of each rule."""
    return {one["rule"]: one for one in running.call("GET", "/alarms")["value"]}


def decide(running: Running) -> None:
    """What people did: an acknowledged alarm, a scenario that was run, commands that wait."""
    hot = eventually(lambda: alarms_of(running).get("bearing-hot"), "the bearing's alarm")
    eventually(lambda: len(alarms_of(running)) == RULES, f"alarms of {RULES} rules")
    running.call("POST", f"/alarms/{hot['id']}/acknowledge", {"comment": "Somebody is on the way"})
    for twin, command in (("motor-3-bearing", "repair"), ("filter-1", "repair")):
        body = {"twin": twin, "command": command, "deadline": LASTS}
        running.call("POST", "/commands", body)
    running.call("POST", f"/scenarios/{SCENARIO}/run")
    eventually(
        lambda: running.call("GET", f"/scenarios/{SCENARIO}")["result"], "the scenario's result"
    )
