"""One export while it runs: its process, what that says, and how far it is."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from gemel.app.export_cursors import Cursor
from gemel.app.export_selection import ExportSelection
from gemel.app.export_settings import to_job
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import GemelError
from gemel.exports.settings import Export
from gemel.history import Position, is_at_end

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.exports")
LINE_BYTES = 1 << 20
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
END_SECONDS = 3.0


class ExportLink:
    """An export that runs; `cursor` is how far it is."""

    def __init__(
        self, platform: Platform, name: str, of: Export, cursor: Cursor, saved: Callable[[], None]
    ) -> None:
        self._platform = platform
        self.name = name
        self.of = of
        self.cursor = cursor
        self._saved = saved
        self._selection = ExportSelection(platform, of)
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_asking = False
        self.state, self.since = "starting", platform.clock()
        self.problem = self.refusal = ""
        self._counted, self.rate = cursor.exported, 0.0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Ends the process; what it sent last may be sent again."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # ---- the process ---------------------------------------------------------------------

    async def _run(self) -> None:
        wait = FIRST_WAIT
        while True:
            before = self.cursor.position
            try:
                await self._selection.refresh()
                why = await self._follow()
            except GemelError as error:
                why = str(error)
            except OSError as error:
                why = f"its process cannot be started: {error}"
            self._told("failing", why)
            wait = FIRST_WAIT if self.cursor.position != before else min(2 * wait, LONGEST_WAIT)
            await asyncio.sleep(wait)

    async def _follow(self) -> str:
        """Runs the process; why it ended."""
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gemel.app.export_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=LINE_BYTES,
        )
        why = ""
        try:
            self._say(
                to_job(self.of)
                | {
                    "folder": str(self._platform.history.folder),
                    "position": list(self.cursor.position),
                    "since": self.cursor.since,
                    "durable": list(self._platform.history.durable()),
                }
            )
            assert process.stdout is not None
            while line := await process.stdout.readline():
                why = self._hear(orjson.loads(line)) or why
            code = await process.wait()
            ended = signal.Signals(-code).name if code < 0 else f"code {code}"
            return why or f"its process ended with {ended}"
        finally:
            self._process = None
            await _ended(process)

    def _hear(self, said: Json) -> str:
        """Takes note of what it says; why it ends, if it says that."""
        if "ask" in said:
            self._say({"series": self._selection.names(said["ask"])})
        elif "position" in said:
            position = Position(*said["position"])
            self.cursor = self.cursor.moved(position, said["rows"], said["received"])
            self._told("running", "")
            self._saved()
        elif "problem" in said:
            self._told("failing", _with_hint(said["problem"], said["hint"]))
        elif "refused" in said:
            self._refused(said["refused"], said["why"])
        elif "damage" in said:
            log.error("export %s: %s", self.name, said["damage"])
        return _with_hint(said["ended"], said["hint"]) if "ended" in said else ""

    def _refused(self, count: int, why: str) -> None:
        if why != self.refusal:
            log.warning("export %s: %d readings are refused: %s", self.name, count, why)
        self.refusal = why
        self.cursor = replace(self.cursor, refused=self.cursor.refused + count)

    def _say(self, document: Json) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            with suppress(ConnectionError):
                process.stdin.write(orjson.dumps(document) + b"\n")

    def _told(self, state: str, problem: str) -> None:
        if state != self.state or problem != self.problem:
            if problem:
                log.warning("export %s: %s", self.name, problem)
            elif self.state == "failing":
                log.warning("export %s goes on", self.name)
            if state != self.state:
                self.since = self._platform.clock()
            self.state, self.problem = state, problem

    # ---- what the server tells it --------------------------------------------------------

    def durable(self, at: tuple[int, int]) -> None:
        """So much is on disk now."""
        self._say({"durable": list(at)})

    def tick(self) -> None:
        """Once a second."""
        self.rate = 0.7 * self.rate + 0.3 * (self.cursor.exported - self._counted)
        self._counted = self.cursor.exported
        if self._selection.is_stale and not self._is_asking and self._process is not None:
            self._is_asking = True
            self._platform.start_task(self._ask_again())

    async def _ask_again(self) -> None:
        try:
            if await self._selection.refresh():
                self._say({"forget": True})
        except GemelError as error:
            self._told("failing", str(error))
        finally:
            self._is_asking = False

    def twins_changed(self) -> None:
        """Twins were edited: other ones may be selected now."""
        self._selection.is_stale = bool(self.of.where)

    def expired(self, logs: tuple[int, int], rows: int) -> bool:
        """Readings were removed; whether some of them may not have gone out."""
        if self.cursor.position.log > logs[1]:
            return False
        self.cursor = replace(self.cursor, expired=self.cursor.expired + rows)
        self._saved()
        return True

    def behind(self, now: int) -> float:
        """Seconds since what went out last was received; 0 where nothing waits."""
        if is_at_end(self.cursor.position, self._platform.history.durable()):
            return 0.0
        return max(0.0, (now - self.cursor.received) / SECOND)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Ends it by closing its input, or at last by force."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(asyncio.shield(process.wait()), END_SECONDS)
    except (TimeoutError, asyncio.CancelledError):
        with suppress(ProcessLookupError):
            process.kill()


def _with_hint(message: str, hint: str) -> str:
    return f"{message} ({hint})" if hint else message
