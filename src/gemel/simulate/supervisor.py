"""The plant as processes, one for each area: starts them, starts anew what dies, ends them all."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from gemel.core.errors import GemelError
from gemel.simulate.floor import Floor, shared_slots
from gemel.simulate.mqtt import connector
from gemel.simulate.runner import Plan, Runner, Tally

log = logging.getLogger(__name__)
LONGEST_PAUSE = 30.0
HEALTHY_SECONDS = 60.0
PATIENCE = 12.0
"""Seconds that processes have to send what they hold when the plant ends."""
CANNOT = 3
"""Exit code of an area for which starting anew changes nothing."""


async def run_here(plan: Plan, slots: Any = None) -> Tally:
    """Runs areas in this process until their time is over or SIGTERM, SIGINT.

    Raises:
        GemelError: the server refuses the devices.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = multiprocessing.parent_process()
    if parent is not None:  # an area never outlives its supervisor
        loop.add_reader(parent.sentinel, stop.set)
    try:
        runner = Runner(plan, Floor(slots), connector(plan.host, plan.port, plan.token))
        return await runner.run(stop)
    finally:
        if parent is not None:
            loop.remove_reader(parent.sentinel)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def area_main(plan: Plan, slots: Any, report: Connection) -> None:
    """What the process of an area runs."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        tally = asyncio.run(run_here(plan, slots))
        report.send(("tally", tally))
    except GemelError as error:
        report.send(("error", error.message, error.hint))
        raise SystemExit(CANNOT) from None


@dataclass(slots=True)
class Child:
    plan: Plan
    process: BaseProcess
    report: Connection
    started: float
    pause: float = 1.0
    again_at: float = 0.0
    """When to start it anew; 0 while it runs."""
    is_over: bool = False


class Supervisor:
    """Owns one process for each area."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._context = multiprocessing.get_context("spawn")
        self._slots = shared_slots()
        Floor(self._slots).reset()
        self.children: dict[str, Child] = {}
        self.tallies: list[Tally] = []
        self.restarts = 0
        self.error: GemelError | None = None

    async def run(self) -> Tally:
        """Runs until all areas are over, one cannot go on, or SIGTERM, SIGINT.

        Raises:
            GemelError: an area says that it can never work.
        """
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        begun = loop.time()
        try:
            for name in self.plan.areas:
                plan = replace(self.plan, areas=(name,), begun=begun)
                self.children[name] = self._start(name, plan)
            await self._watch(stop)
        finally:
            await self._end_all()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        if self.error is not None:
            raise self.error
        seconds = max((t.seconds for t in self.tallies), default=0.0)
        return Tally(
            sum(t.messages for t in self.tallies),
            sum(t.waiting for t in self.tallies),
            sum(t.dropped for t in self.tallies),
            seconds,
        )

    def _start(self, name: str, plan: Plan) -> Child:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=area_main, args=(plan, self._slots, theirs), name=f"gemel-{name}"
        )
        process.start()
        theirs.close()
        return Child(plan, process, ours, asyncio.get_running_loop().time())

    async def _watch(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stopped.done() and self.error is None:
                running = [c for c in self.children.values() if not c.again_at and not c.is_over]
                pauses = [c.again_at for c in self.children.values() if c.again_at]
                if not running and not pauses:
                    return
                died = [self._ended(child) for child in running]
                wait = max(0.0, min(pauses) - loop.time()) if pauses else None
                watched: list[asyncio.Future[Any]] = [stopped, *died]
                await asyncio.wait(watched, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                for future, child in zip(died, running, strict=True):
                    if not future.done():
                        future.cancel()
                        loop.remove_reader(child.process.sentinel)
                if not stopped.done():
                    self._look_after(loop.time())
        finally:
            stopped.cancel()

    @staticmethod
    def _ended(child: Child) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        sentinel = child.process.sentinel

        def seen() -> None:
            loop.remove_reader(sentinel)
            if not future.done():
                future.set_result(None)

        loop.add_reader(sentinel, seen)
        return future

    def _look_after(self, now: float) -> None:
        """Takes in what ended, starts anew what is due."""
        for name, child in self.children.items():
            if child.is_over:
                continue
            if child.again_at:
                if child.again_at <= now:
                    pause = child.pause
                    self.children[name] = fresh = self._start(name, child.plan)
                    fresh.pause = pause
                    self.restarts += 1
                continue
            if child.process.is_alive():
                continue
            child.process.join()
            self._read(child)
            if child.process.exitcode == 0 or self.error is not None:
                child.is_over = True
                continue
            if now - child.started > HEALTHY_SECONDS:
                child.pause = 1.0
            log.warning(
                "%s ended with code %s; starts anew in %.0f s",
                name, child.process.exitcode, child.pause,
            )  # fmt: skip
            child.again_at = now + child.pause
            child.pause = min(LONGEST_PAUSE, child.pause * 2)

    def _read(self, child: Child) -> None:
        """Takes the last word of a process that ended."""
        try:
            if not child.report.poll():
                return
            word = child.report.recv()
        except (EOFError, OSError):
            return
        finally:
            child.report.close()
        if word[0] == "tally":
            self.tallies.append(word[1])
        else:
            self.error = GemelError(word[1], hint=word[2])

    async def _end_all(self) -> None:
        loop = asyncio.get_running_loop()
        alive = [c for c in self.children.values() if not c.is_over and not c.again_at]
        for child in alive:
            if child.process.is_alive() and child.process.pid is not None:
                os.kill(child.process.pid, signal.SIGTERM)
        until = loop.time() + PATIENCE
        for child in alive:
            left = max(0.1, until - loop.time())
            await loop.run_in_executor(None, child.process.join, left)
            if child.process.is_alive():
                child.process.kill()
                child.process.join()
            if not child.report.closed:
                self._read(child)
