"""A worker: `python -m gemel.app.worker FOLDER` calls one run's function, bounded, and ends.

It reads FOLDER/job.pack, tells its progress as JSON lines on standard output and leaves
FOLDER/result.pack. It ends with its server: standard input closes then.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
import traceback
from pathlib import Path

import orjson

from gemel.core.errors import GemelError
from gemel.services.jobs import job_of, result_bytes
from gemel.services.registry import load_function

JOB, RESULT, PART = "job.pack", "result.pack", "part"
TELL_SECONDS = 0.1
LARGEST_FILE = 4 << 30
NICENESS = 5


def main(folder: Path, memory_mb: int) -> int:
    """Runs the job of a folder; the exit code."""
    channel = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to the log
    threading.Thread(target=_end_with_server, daemon=True).start()
    os.nice(NICENESS)  # the live loop goes first
    tell = _Teller(channel)
    try:
        function, job = job_of((folder / JOB).read_bytes())
        (folder / JOB).unlink()
        call = load_function(function)
        _bound(memory_mb)
        result = call(job, tell.progress)
        (folder / PART).write_bytes(result_bytes(result))
        os.replace(folder / PART, folder / RESULT)
    except MemoryError:
        return tell.failed(f"it needed more than {memory_mb} MB", "less data, or more memory")
    except GemelError as error:
        return tell.failed(error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run says so
        traceback.print_exc()
        return tell.failed(f"{type(error).__name__}: {error}", "its log has the place")
    tell.line({"peakMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024})
    return 0


class _Teller:
    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._told = float("-inf")

    def progress(self, share: float, what: str) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            self.line({"progress": min(max(float(share), 0.0), 1.0), "message": what[:200]})

    def failed(self, message: str, hint: str) -> int:
        self.line({"error": message[:2000], "hint": hint[:500]})
        return 1

    def line(self, document: dict[str, object]) -> None:
        os.write(self._channel, orjson.dumps(document) + b"\n")


def _bound(memory_mb: int) -> None:
    """No more address space than so many MB beyond what is mapped now; no endless files."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + (memory_mb << 20)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_server() -> None:
    while os.read(0, 1024):
        pass
    os._exit(70)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
