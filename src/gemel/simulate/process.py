"""What the process of one area runs: its plan on standard input, its tally on standard output.

With a file as second argument it runs nothing: it lives through the past of the whole plant and
leaves the floor there, so that each area can live through its own part.

Standard input stays open as long as the supervisor lives; its end is the end of this process too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from gemel.core.clock import system_clock
from gemel.core.errors import GemelError
from gemel.simulate.beginning import leave_floors
from gemel.simulate.fault import Fault
from gemel.simulate.floor import Floor, map_slots
from gemel.simulate.mqtt import connector
from gemel.simulate.runner import Plan, Runner, Tally

CANNOT = 3
"""Exit code of an area for which starting anew changes nothing."""
ENDS = (signal.SIGTERM, signal.SIGINT)


async def run_here(
    plan: Plan, slots: memoryview[float] | None = None, leash: int | None = None
) -> Tally:
    """Runs areas in this process until their time is over, SIGTERM or SIGINT.

    Args:
        plan: what to run.
        slots: shared with other areas; None is a floor of its own.
        leash: a descriptor whose end ends the run.

    Raises:
        GemelError: the server refuses the devices.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDS:
        loop.add_signal_handler(number, stop.set)
    if leash is not None:
        loop.add_reader(leash, stop.set)
    try:
        runner = Runner(plan, Floor(slots), connector(plan.host, plan.port, plan.token))
        return await runner.run(stop)
    finally:
        if leash is not None:
            loop.remove_reader(leash)
        for number in ENDS:
            loop.remove_signal_handler(number)


def plan_to_json(plan: Plan) -> bytes:
    """One line; the token travels here and not on a command line, where others could read it."""
    faults = [{k: v for k, v in asdict(f).items() if v != float("inf")} for f in plan.faults]
    return orjson.dumps({**asdict(plan), "faults": faults}) + b"\n"


def plan_from_json(line: bytes) -> Plan:
    body: dict[str, Any] = orjson.loads(line)
    body["areas"] = tuple(body["areas"])
    body["faults"] = tuple(Fault(**fault) for fault in body["faults"])
    return Plan(**body)


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    plan = plan_from_json(sys.stdin.buffer.readline())
    if len(sys.argv) > 2:
        start = system_clock() if plan.start is None else plan.start
        leave_floors(plan, start, Path(sys.argv[2]))
        return 0
    slots = map_slots(int(sys.argv[1]))
    try:
        tally = asyncio.run(run_here(plan, slots, sys.stdin.fileno()))
    except GemelError as error:
        _say({"error": error.message, "hint": error.hint})
        return CANNOT
    _say(asdict(tally))
    return 0


def _say(body: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # who started it is gone already
        sys.stdout.buffer.write(orjson.dumps(body) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
