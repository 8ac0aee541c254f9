"""Commands to devices that drop, delay, double and lie, with `kill -9` of the server meanwhile.

python bench/commands.py [--count 10000] [--devices 20] [--kills 5] [--seconds 60]

A client asks again, under the same id, until it is answered. Exit code 1 if a command is lost, if
a device got one twice, or if a record claims what was not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from app.storm import Storm, judged
from running import Running


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--devices", type=int, default=20)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60, help="until a command is over")
    wanted = parser.parse_args()
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
    print(json.dumps({**found, "cpuSeconds": round(cpu, 1)}, indent=2))
    return 1 if found["lost"] or found["doubled"] or found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
