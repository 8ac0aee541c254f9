"""One worker process: started, listened to, ended when it takes too long or is called off."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson

from gemel.app.worker import RESULT
from gemel.core.document import Json

LOG = "log.txt"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LINE_BYTES = 1 << 16
LOG_TAIL = 2_000


class Worker:
    """Runs one job; `end` may be called at any time and again."""

    def __init__(self, folder: Path, memory_mb: int, seconds: float, threads: int) -> None:
        self._folder = folder
        self._memory_mb = memory_mb
        self._seconds = seconds
        self._threads = threads
        self._process: asyncio.subprocess.Process | None = None
        self._why = ""
        self.peak_mb: int | None = None

    async def run(self, told: Callable[[float, str], None]) -> Json | None:
        """Waits for the end.

        Returns:
            None when there is a result, else `{"error", "hint"}`.
        """
        environment = {**os.environ, **dict.fromkeys(THREADS, str(self._threads))}
        with (self._folder / LOG).open("wb") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gemel.app.worker",
                str(self._folder),
                str(self._memory_mb),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
                limit=LINE_BYTES,
            )
        if self._why:  # called off before it began
            self._kill()
        said: Json = {}
        try:
            async with asyncio.timeout(self._seconds):
                await self._listen(process, said, told)
                code = await process.wait()
        except TimeoutError:
            self.end(f"it took longer than {self._seconds:g} s")
            code = await process.wait()
        finally:
            self._kill()  # what it may have started too
        return self._outcome(code, said)

    async def _listen(
        self, process: asyncio.subprocess.Process, said: Json, told: Callable[[float, str], None]
    ) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            with suppress(orjson.JSONDecodeError):
                found = orjson.loads(line)
                if "progress" in found:
                    told(found["progress"], found["message"])
                said.update(found)

    def _outcome(self, code: int, said: Json) -> Json | None:
        self.peak_mb = said.get("peakMb")
        if self._why:
            return {"error": self._why, "hint": ""}
        if "error" in said:
            return {"error": said["error"], "hint": said["hint"]}
        if code == 0 and (self._folder / RESULT).exists():
            return None
        if code < 0:
            name = signal.Signals(-code).name
            return {
                "error": f"the worker was ended by {name}",
                "hint": "somebody ended it, or the machine ran out of memory"
                if -code == signal.SIGKILL
                else "native code crashed; its log has more",
            }
        return {"error": f"the worker ended with code {code}: {self._tail()}", "hint": ""}

    def _tail(self) -> str:
        text = (self._folder / LOG).read_bytes()[-LOG_TAIL:].decode("utf-8", "replace").strip()
        return text.splitlines()[-1] if text else "it said nothing"

    def end(self, why: str) -> None:
        """Ends it and whatever it started."""
        self._why = self._why or why
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
