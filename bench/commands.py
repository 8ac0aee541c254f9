"""Commands to devices that drop, delay, double and lie, with `kill -9` of the server meanwhile.

scripts/bench commands [--count 10000] [--devices 20] [--kills 5] [--seconds 60]

A client asks again, under the same id, until it is answered. Exit code 1 if a command is lost, if
a device got one twice, or if a record claims what was not.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from against.rows import parser, tell

from app.storm import Storm, judged
from running import Running


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--count", type=int, default=10_000)
    made.add_argument("--devices", type=int, default=20)
    made.add_argument("--kills", type=int, default=5)
    made.add_argument("--seconds", type=float, default=60, help="until a command is over")
    wanted = made.parse_args()
    (found,) = tell(measured(wanted), wanted.json)
    return 1 if found["lost"] or found["doubled"] or found["wrong"] else 0


def measured(wanted: argparse.Namespace) -> Iterator[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory(prefix="gemel-commands-") as folder,
        Running(Path(folder) / "data") as running,
    ):
        storm = Storm(
            running, wanted.count, wanted.devices, seconds=wanted.seconds, kills=wanted.kills
        )
        found = judged(storm.run(), storm)
    used = os.times()
    cpu = used.user + used.system + used.children_user + used.children_system
    yield {"name": "commands", **found, "cpu_s": round(cpu, 1)}


if __name__ == "__main__":
    sys.exit(main())
