"""A load in which each message is a packet of its own, from the leanest sender there is.

`gemel bench load --one-a-packet` sends the same packets, at 0.8 us a message more: it shares the
machine with what it measures.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from against.built import built

from gemel.connect.mqtt.codec import encode_connect
from gemel.connect.mqtt.packets import Connect
from gemel.core.clock import system_clock
from gemel.load.frames import DEVICE, Frames
from gemel.load.plan import Plan

STEP = 1_000
"""Microseconds between two messages of a connection."""
PROCESSES = 2
TOPIC = f"devices/{DEVICE}/telemetry"


def send_apart(
    folder: Path, port: int, token: str, devices: int, readings: int, turns: int
) -> dict[str, Any]:
    """Sends at QoS 0, a connection a device, as fast as the server takes it.

    Args:
        folder: for the packets, and the program.

    Returns:
        `readings`, `began` (s since 1970), `seconds` and `cpu_s` of the sender, and `problem`.

    Raises:
        NotHere: there is no C compiler.
    """
    start = system_clock() // 1_000 - turns * STEP
    plan = Plan(devices, devices, readings, start, STEP)
    length = _write(folder / "packets", plan, token, turns)
    program = built("apart", folder)
    greeting = len(_greeting(plan, 0, token))
    words = [program, port, devices, greeting, length, turns, PROCESSES, folder / "packets"]
    with subprocess.Popen(
        [str(word) for word in words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        began, clock = time.time(), time.monotonic()
        told, problem = process.communicate("\n")
        seconds = time.monotonic() - clock
    (folder / "packets").unlink()
    return {
        "readings": devices * readings * turns,
        "began": began,
        "seconds": seconds,
        "cpu_s": float(told or 0),
        "p50_ms": None,
        "p99_ms": None,
        "problem": problem,
    }


def _greeting(plan: Plan, device: int, token: str) -> bytes:
    user, secret = ("load", token.encode()) if token else (None, None)
    return encode_connect(Connect(plan.name(device), username=user, password=secret))


def _write(path: Path, plan: Plan, token: str, turns: int) -> int:
    """The file that `apart.c` sends; how long each message is in it."""
    frames = Frames(plan, TOPIC, 0)
    shape = (turns, plan.connections, frames.length)
    with path.open("wb") as file:
        for device in range(plan.devices):
            file.write(_greeting(plan, device, token))
        table = np.empty(shape, np.uint8)
        for device in range(plan.devices):
            packets = np.frombuffer(frames.chunk(device, 0, turns), np.uint8)
            table[:, device] = packets.reshape(turns, frames.length)
        table.tofile(file)
    return frames.length
