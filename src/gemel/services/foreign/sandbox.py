"""The near side of a sandbox: starts it, asks, waits no longer than it must, says how it ended."""

from __future__ import annotations

import mmap
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
from typing import IO, Any, Protocol

import numpy as np

from gemel.core.document import Json
from gemel.core.errors import InvalidInput, Unavailable
from gemel.services.packing import pack, unpack

Arrays = dict[str, np.ndarray[Any, Any]]
ONNX_FILE = "model.onnx"
PULSE = struct.Struct("<QId")
"""A count that grows with each call into the model, the call, and the model's own time."""
CALLS = ("start", "load", "instantiate", "reset", "initialise", "step", "event", "read", "run")
LOOK_MS = 100
LOADING_SECONDS = 60.0
"""For the libraries, on a machine that is busy."""
LENGTH = struct.Struct("<Q")
MOST_BYTES = 4 << 30
LAST = 2_000


class Beat(Protocol):
    """On the far side: tells which call into the model is under way."""

    def beat(self, call: str, time: float = 0.0) -> None: ...


class Sandbox:
    """A process with one model in it. `ask` may be called until it has ended.

    Args:
        name: what the model is called, for messages.
        folder: what it may read besides the system's libraries.
        memory_mb: beyond what Python and its libraries take.
        patience: seconds that one call into the model may take.
    """

    def __init__(
        self, name: str, folder: str, memory_mb: int = 1024, patience: float = 10.0
    ) -> None:
        self.name, self.patience = name, patience
        self._pulse_file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._pulse_file.truncate(mmap.PAGESIZE)
        self._pulse = mmap.mmap(self._pulse_file.fileno(), mmap.PAGESIZE)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        number = self._pulse_file.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "gemel.services.foreign.child",
             str(number), str(memory_mb), folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, pass_fds=(number,),
            cwd="/", env=_environment(),
        )  # fmt: skip
        try:
            self.protections: list[str] = self._answer(LOADING_SECONDS)[0]["protections"]
        except BaseException:
            self.close()
            raise

    def ask(self, document: Json, arrays: Arrays | None = None) -> tuple[Json, Arrays]:
        """What it answers.

        Raises:
            InvalidInput: the model refused, crashed, or did not come back.
        """
        data = pack(document, arrays or {})
        stream = self._process.stdin
        assert stream is not None
        try:
            stream.write(LENGTH.pack(len(data)) + data)
            stream.flush()
        except BrokenPipeError:
            raise self._ended() from None
        found, columns = self._answer(self.patience)
        if "error" in found:
            hint = str(found.get("hint", ""))
            kind = Unavailable if found.get("isMissing") else InvalidInput
            raise kind(f"model '{self.name}': {found['error']}", hint=hint)
        return found, columns

    def _answer(self, patience: float) -> tuple[Json, Arrays]:
        (size,) = LENGTH.unpack(self._read(LENGTH.size, patience))
        if size > MOST_BYTES:
            raise self._end(f"answered with {size:,} bytes")
        return unpack(self._read(size, patience))

    def _read(self, size: int, patience: float) -> bytes:
        """So many bytes; ends it when one call into the model takes longer than `patience`."""
        stream = self._process.stdout
        assert stream is not None
        number = stream.fileno()
        poll = select.poll()
        poll.register(number, select.POLLIN)
        found = bytearray()
        seen, silent = b"", 0
        while len(found) < size:
            if poll.poll(LOOK_MS):
                piece = os.read(number, min(size - len(found), 1 << 20))
                if not piece:
                    raise self._ended()
                found += piece
                silent = 0
                continue
            pulse = self._pulse[: PULSE.size]
            silent = 0 if pulse != seen else silent + LOOK_MS
            seen = pulse
            if silent > patience * 1000:
                raise self._end(f"did not come back for {patience:g} s {self._where()}")
        return bytes(found)

    def _where(self) -> str:
        _, call, time = PULSE.unpack(self._pulse[: PULSE.size])
        name = CALLS[call] if call < len(CALLS) else "a call"
        return f"in '{name}' at {time:g} s of its time"

    def _end(self, what: str) -> InvalidInput:
        self._process.kill()
        self._process.wait()
        return InvalidInput(
            f"model '{self.name}' {what}; it was ended",
            hint="give it more 'patience' if it is slow, not stuck",
        )

    def _ended(self) -> InvalidInput:
        """Why it has ended by itself."""
        code = self._process.wait()
        if -code in (signal.SIGXCPU, signal.SIGKILL):
            return InvalidInput(
                f"model '{self.name}' was ended {self._where()}: too much time or memory"
            )
        if code < 0:
            crash = signal.Signals(-code).name
            return InvalidInput(
                f"model '{self.name}' crashed ({crash}) {self._where()}",
                hint="its native code is at fault; the server is not touched",
            )
        return InvalidInput(
            f"model '{self.name}' ended with code {code} {self._where()}: {self._tail()}"
        )

    def _tail(self) -> str:
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - LAST))
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        self._log.close()
        self._pulse.close()
        self._pulse_file.close()


def _environment() -> dict[str, str]:
    """No secrets: only what libraries need to be found and to keep to one thread."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL")}
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**kept, **dict.fromkeys(threads, "1")}
