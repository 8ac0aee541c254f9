"""A load sent by several processes, each with a share of its devices, all at one time.

For messages that are packets of their own: what the system asks of the sender is then more than a
core can do for what a server takes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError

from gemel.core.errors import ConfigInvalid, GemelError, Unavailable
from gemel.load.generator import Generator, Pace, Tally
from gemel.load.plan import Plan

STARTS = 120
"""Seconds that all connections may take to be open."""


def shares(plan: Plan, pace: Pace, count: int) -> list[tuple[Plan, Pace]]:
    """A plan in parts, with devices, connections and rate shared out.

    Raises:
        ConfigInvalid: there are fewer connections than parts.
    """
    if not 1 <= count <= plan.connections:
        raise ConfigInvalid(f"--processes {count} is not within 1 to the {plan.connections} links")
    links, rest = plan.connections, plan.devices - plan.connections
    edges = [(links * part // count, rest * part // count) for part in range(count + 1)]
    found = []
    for (link, more), (next_link, next_more) in pairwise(edges):
        own = replace(
            plan,
            devices=next_link + next_more - link - more,
            connections=next_link - link,
            first=plan.first + link + more,
        )
        found.append((own, replace(pace, rate=pace.rate * own.connections / links)))
    return found


class Spread:
    """Generators in processes of their own.

    Args:
        makers: each makes one, in its process.
    """

    def __init__(self, makers: Iterable[Callable[[], Generator]]) -> None:
        self._makers = list(makers)
        self._processes: list[BaseProcess] = []

    def stop(self) -> None:
        """They send no more, and wait for what is on its way."""
        for process in self._processes:
            process.terminate()

    def run(self) -> Tally:
        """What all of them did; raises what one of them could not start for.

        Raises:
            GemelError: a connection is refused, or a process ended early.
        """
        if "fork" not in multiprocessing.get_all_start_methods():
            raise ConfigInvalid("--processes: this system cannot divide a process (fork)")
        system = multiprocessing.get_context("fork")
        barrier = system.Barrier(len(self._makers))
        ends = []
        for make in self._makers:
            end, other = system.Pipe(duplex=False)
            process: BaseProcess = system.Process(target=_work, args=(make, barrier, other))
            process.start()
            other.close()
            self._processes.append(process)
            ends.append(end)
        found = [_received(end) for end in ends]
        for process in self._processes:
            process.join()
        problems = [one for one in found if isinstance(one, GemelError)]
        if problems:  # the others only waited for this one
            raise min(problems, key=lambda one: isinstance(one, _GivenUp))
        return together([one for one in found if isinstance(one, Tally)])


class _GivenUp(Unavailable):
    """Not started, since another was not."""


def _received(end: Connection) -> Tally | GemelError:
    try:
        found: Tally | GemelError = end.recv()
    except EOFError:
        return Unavailable("a process of the load ended before its work was done")
    return found


def _work(make: Callable[[], Generator], barrier: Barrier, end: Connection) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # the parent's are not ours

    def ready() -> None:
        try:
            barrier.wait(STARTS)
        except BrokenBarrierError:
            raise _GivenUp("another process of the load did not start") from None

    found: Tally | GemelError
    try:
        generator = make()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: generator.stop())
        found = generator.run(ready)
    except GemelError as error:
        barrier.abort()
        found = error
    end.send(found)


def together(tallies: list[Tally]) -> Tally:
    """One tally of several that ran at one time."""
    began = min(one.began for one in tallies)
    return Tally(
        sent=sum(one.sent for one in tallies),
        acknowledged=sum(one.acknowledged for one in tallies),
        repeated=sum(one.repeated for one in tallies),
        lost_connections=sum(one.lost_connections for one in tallies),
        began=began,
        seconds=max((one.began - began) / 1e9 + one.seconds for one in tallies),
        cpu_s=sum(one.cpu_s for one in tallies),
        delays=[delay for one in tallies for delay in one.delays],
        problem=next((one.problem for one in tallies if one.problem), ""),
    )
