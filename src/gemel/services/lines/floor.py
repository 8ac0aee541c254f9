"""Any line event by event, in simpy: parallel machines, jobs that arrive, the same blocking.

It is slower than `serial` by orders, and general: what `serial` cannot say is asked here, and
`serial` is checked against it on the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Log:
    """Seconds; by job where it is a list."""

    arrived: list[float] = field(default_factory=list)
    entered: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    """Between arrival and the first machine."""
    busy: list[float] = field(default_factory=list)
    """By station, seconds of work and stops."""
    area: float = 0.0
    """Jobs on the line, integrated over time: by counting, not by Little's law."""


def run(
    times: Callable[[int, int], float],
    jobs: int,
    machines: tuple[int, ...],
    places: tuple[int, ...],
    gap: Callable[[int], float] | None = None,
) -> Log:
    """Runs so many jobs through the line.

    Args:
        times: (job, station) -> seconds of work with stops.
        jobs: how many.
        machines: parallel ones, by station.
        places: between the stations; -1 for no bound.
        gap: job -> seconds since the one before; None: the line never lacks work.
    """
    import simpy

    env = simpy.Environment()
    log = Log(busy=[0.0] * len(machines))
    benches = [simpy.Resource(env, count) for count in machines]
    rooms = [
        simpy.Resource(env, 10**9 if bound < 0 else bound + machines[i + 1])
        for i, bound in enumerate(places)
    ]
    inside, since = 0, 0.0

    def count(step: int) -> None:
        nonlocal inside, since
        log.area += inside * (env.now - since)
        inside, since = inside + step, env.now

    def job(number: int) -> Generator[Any, Any, None]:
        log.arrived.append(env.now)
        room: Any = None
        for station, bench in enumerate(benches):
            machine = bench.request()
            yield machine
            if station == 0:
                log.entered.append(env.now)
                log.waited.append(env.now - log.arrived[number])
                count(1)
            seconds = times(number, station)
            yield env.timeout(seconds)
            log.busy[station] += seconds
            following = rooms[station].request() if station < len(rooms) else None
            if following is not None:
                yield following
            bench.release(machine)
            if room is not None:
                rooms[station - 1].release(room)
            room = following
        log.left.append(env.now)
        count(-1)

    def source() -> Generator[Any, Any, None]:
        for number in range(jobs):
            if gap is not None:
                yield env.timeout(gap(number))
            env.process(job(number))
            if gap is None and number >= machines[0]:
                # The next one is made when there is a machine for it: no queue of all jobs.
                waiting = benches[0].request()
                yield waiting
                benches[0].release(waiting)

    env.process(source())
    env.run()
    return log
