"""The plant as processes, one for each area: starts them, starts anew what dies, ends them all."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import orjson

from gemel.core.errors import GemelError
from gemel.simulate.floor import Floor, map_slots
from gemel.simulate.process import CANNOT, ENDS, plan_to_json
from gemel.simulate.runner import Plan, Tally

log = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
HEALTHY_SECONDS = 60.0
PATIENCE = 12.0
"""Seconds that processes have to send what they hold when the plant ends."""


class Supervisor:
    """Owns one process for each area."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.processes: dict[str, Process] = {}
        self.restarts = 0
        self.tally = Tally()

    async def run(self, leash: int | None = None) -> Tally:
        """Runs until all areas are over, one can never work, or SIGTERM, SIGINT.

        Args:
            leash: a descriptor whose end ends the plant.

        Raises:
            GemelError: an area says that it can never work.
        """
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in ENDS:
            loop.add_signal_handler(number, stop.set)
        if leash is not None:
            loop.add_reader(leash, stop.set)
        try:
            with (
                tempfile.TemporaryFile(prefix="gemel-floor-") as file,
                tempfile.TemporaryDirectory(prefix="gemel-past-") as folder,
            ):
                Floor(map_slots(file.fileno())).reset()
                await self._all(file.fileno(), Path(folder), stop)
        finally:
            if leash is not None:
                loop.remove_reader(leash)
            for number in ENDS:
                loop.remove_signal_handler(number)
        return self.tally

    async def _all(self, floor: int, folder: Path, stop: asyncio.Event) -> None:
        """Runs the plant; an area that can never work, or `stop`, ends all."""
        stopped = asyncio.create_task(stop.wait())
        whole = asyncio.create_task(self._plant(floor, folder))
        try:
            await asyncio.wait((stopped, whole), return_when=asyncio.FIRST_COMPLETED)
            if whole.done():
                await whole
        finally:
            stopped.cancel()
            whole.cancel()
            with suppress(asyncio.CancelledError, GemelError):
                await whole

    async def _plant(self, floor: int, folder: Path) -> None:
        """Lives through the past once, then runs every area in a task.

        Raises:
            GemelError: there is no past to be had, or an area can never work.
        """
        loop, plan = asyncio.get_running_loop(), self.plan
        if (plan.past or plan.lived) and len(plan.areas) > 1:
            plan = replace(plan, floors=str(folder / "floors"))
            code, _ = await self._once(plan, floor)
            if code != 0:
                raise GemelError(f"the past of the plant ended with code {code}")
        plan = replace(plan, begun=loop.time())
        keepers = [
            asyncio.create_task(self._keep(replace(plan, areas=(name,)), floor))
            for name in plan.areas
        ]
        try:
            await asyncio.gather(*keepers)
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep(self, plan: Plan, floor: int) -> None:
        """Runs one area, anew with longer and longer pauses as often as it dies.

        Raises:
            GemelError: it says that it can never work.
        """
        loop = asyncio.get_running_loop()
        name, pause = plan.areas[0], FIRST_PAUSE
        while True:
            started = loop.time()
            code, word = await self._once(plan, floor)
            if code == 0:
                return
            if code == CANNOT:
                raise GemelError(str(word.get("error")), hint=str(word.get("hint", "")))
            if loop.time() - started > HEALTHY_SECONDS:
                pause = FIRST_PAUSE
            log.warning("%s ended with code %s; starts anew in %.0f s", name, code, pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
            self.restarts += 1
            plan = replace(plan, past=0.0, lived=0, floors="")  # it was sent already

    async def _once(self, plan: Plan, floor: int) -> tuple[int, dict[str, object]]:
        """One life of an area's process, or the past of all: its exit code and its last word."""
        more = [plan.floors] if len(plan.areas) > 1 else []
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gemel.simulate.process", str(floor), *more,
            stdin=PIPE, stdout=PIPE, pass_fds=(floor,), start_new_session=True,
        )  # fmt: skip
        self.processes[plan.areas[0]] = process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(ConnectionError):
                process.stdin.write(plan_to_json(plan))
                await process.stdin.drain()
            said = await process.stdout.read()
            code = await process.wait()
        except asyncio.CancelledError:
            said = await asyncio.shield(self._end(process))
            self._add(_last_word(said))
            raise
        word = _last_word(said)
        self._add(word)
        return code, word

    @staticmethod
    async def _end(process: Process) -> bytes:
        """Asks a process to end, waits for it, and ends it by force if it does not."""
        assert process.stdout is not None
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                said = await process.stdout.read()
                await process.wait()
                return said
        except TimeoutError:
            process.kill()
            await process.wait()
            return b""

    def _add(self, word: dict[str, object]) -> None:
        if "messages" in word:
            part = Tally(**word)  # type: ignore[arg-type]
            total = self.tally
            total.messages += part.messages
            total.waiting += part.waiting
            total.dropped += part.dropped
            total.seconds = max(total.seconds, part.seconds)


def _last_word(said: bytes) -> dict[str, object]:
    """What a process wrote last; {} if that is not a word of ours."""
    lines = said.split(b"\n")
    with suppress(orjson.JSONDecodeError):
        word = orjson.loads(lines[-2] if len(lines) > 1 else said)
        if isinstance(word, dict):
            return word
    return {}
