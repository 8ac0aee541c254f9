"""How late a process that only sleeps is woken: how crowded the machine is while others work.

    python sleeper.py

Sleeps again and again until its input ends, then prints a line of JSON. What waits for a message
cannot be woken sooner than this one, whatever program serves it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

NAP = 0.005


def main() -> None:
    end = threading.Thread(target=sys.stdin.read, daemon=True)
    end.start()
    late = []
    print("ready", flush=True)
    while end.is_alive():
        due = time.monotonic() + NAP
        time.sleep(NAP)
        late.append(1000 * (time.monotonic() - due))
    found = {"late_p99_ms": float(np.percentile(late, 99)), "late_max_ms": max(late)}
    print(json.dumps(found), flush=True)


@contextmanager
def sleeper() -> Iterator[Callable[[], dict[str, float]]]:
    """Lets a process sleep; calling what it gives ends that and tells how late it was."""
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()

        def ended() -> dict[str, float]:
            found: dict[str, float] = json.loads(process.communicate()[0])
            return found

        yield ended
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
