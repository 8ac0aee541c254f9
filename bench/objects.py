"""Object storage: MB/s up and down, memory and processor time, against local stores.

scripts/bench objects [--json] [--megabytes 1024] [--only s3]

A folder, moto's server (S3) and Azurite (Azure Blob Storage), each a process of its own on
loopback, so the figures are those of the stores as much as of Gemel; its processor time is its own.
`stream` is one object in parts, as Parquet goes out; `backup` and `restore` are of one large file.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from against.rows import Figures, parser, tell

import object_stores
from gemel.app import object_backup
from gemel.app.objects import opened
from gemel.core.clock import system_clock

BLOCK = 1 << 20
KINDS = ("folder", "s3", "azure")


def memory(field: str) -> float:
    """MB of this process, as the system counts them."""
    return (
        int(Path("/proc/self/status").read_text().partition(f"{field}:")[2].split()[0]) * 1024 / 1e6
    )


def measured(name: str, megabytes: int, work: Callable[[], object]) -> Figures:
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, spent, begin = memory("VmRSS"), time.process_time(), time.perf_counter()
    work()
    seconds, size = time.perf_counter() - begin, megabytes * BLOCK / 1e6
    return {
        "name": name,
        "mb_per_s": round(size / seconds, 1),
        "cpu_ms_per_mb": round((time.process_time() - spent) * 1000 / size, 2),
        "memory_mb_more": round(memory("VmHWM") - before, 1),
    }


def blocks(megabytes: int) -> Iterator[bytes]:
    chance = random.Random(7)
    for _ in range(megabytes):
        yield chance.randbytes(BLOCK)


def rounds(kind: str, address: str, megabytes: int, folder: Path) -> Iterator[Figures]:
    """Up and down, as a stream and as a backup."""
    source = folder / "snapshot"
    place, lake = opened(f"{address}/backups"), opened(f"{address}/lake")
    block = random.Random(8).randbytes(BLOCK)
    about = {"counts": {}, "damage": []}
    names: list[str] = []

    def store() -> None:
        made = object_backup.store(place, source, about, system_clock())
        names.append(str(made.place).rpartition("/")[2])

    def steps() -> Iterator[tuple[str, Callable[[], object]]]:
        yield "stream up", lambda: lake.put("large", (block for _ in range(megabytes)))
        yield "stream down", lambda: sum(len(piece) for piece in lake.get("large"))
        yield "backup", store
        yield "backup again", store
        new = folder / f"restored-{kind}"
        yield "restore", lambda: object_backup.restore(place, names[0], new)

    for name, work in steps():
        yield measured(f"{kind}: {name}", megabytes, work)
    lake.delete(["large"])


def kinds(only: str, megabytes: int) -> Iterator[Figures]:
    with tempfile.TemporaryDirectory(prefix="gemel-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "snapshot").mkdir()
        with (folder / "snapshot" / "large").open("wb") as file:
            for block in blocks(megabytes):
                file.write(block)
        for kind in KINDS if only == "all" else (only,):
            address = str(folder / "place")
            if kind == "folder":
                for one in ("backups", "lake"):
                    (folder / "place" / one).mkdir(parents=True)
            else:
                way = object_stores.s3() if kind == "s3" else object_stores.azure(folder / "a")
                store = stack.enter_context(way)
                os.environ.update(store.environment)
                address = store.address
            yield from rounds(kind, address, megabytes, folder)


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--megabytes", type=int, default=1024, help="MiB of the one large file")
    asked.add_argument("--only", choices=KINDS, default="all", help="one store alone")
    found = asked.parse_args()
    tell(kinds(found.only, found.megabytes), found.json)


if __name__ == "__main__":
    main()
