"""Many twins through the door that people use: an import job on a running server, and its restart.

    scripts/bench graph_import [--json] [--twins 100000]

Three relationships a twin, as in `bench/graph.py`. Processor time is that of the server's process;
`bytes_per_twin` is what its memory grew by over a server that has only the models, after a restart.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

import orjson  # noqa: E402
from against.machine import cpu_seconds  # noqa: E402
from against.rows import parser, tell  # noqa: E402
from graph import links, name  # noqa: E402
from query import MODELS, twin_edit  # noqa: E402

from running import Running  # noqa: E402

KINDS = {"p": "contains", "n": "next", "x": "feeds"}
OVER = ("succeeded", "failed", "cancelled")
START_SECONDS = 600
"""A start with millions of documents may take so long."""
Row = dict[str, Any]


def lines(count: int) -> Iterator[Row]:
    """The lines of an import file."""
    yield {"Section": "Header"}
    yield {"fileVersion": "1.0.0", "author": "bench", "organization": "bench"}
    yield {"Section": "Models"}
    site, pump = MODELS
    others = [{"@type": "Relationship", "name": kind} for kind in ("next", "feeds")]
    yield {**site, "contents": [*site["contents"], *others]}
    yield pump
    yield {"Section": "Twins"}
    for number in range(count):
        doc = dict(twin_edit(number, number % 10_007 / 100).doc or {})
        doc["$metadata"] = {"$model": pump["@id"]}
        yield {"$dtId": name(number), **doc}
    yield {"Section": "Relationships"}
    for key, source, target in links(count):
        ends = {"$dtId": name(source), "$targetId": name(target)}
        yield {**ends, "$relationshipId": key, "$relationshipName": KINDS[key[0]]}


def resident(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def imported(server: Running, file: Path, count: int) -> Row:
    """Runs the job to its end."""
    process = server.process.pid
    with server.http() as client, file.open("rb") as content:
        client.put("/imports/many.ndjson", content=content, timeout=600).raise_for_status()
    before, began = cpu_seconds([process]), time.perf_counter()
    names = {"inputBlobUri": "many.ndjson", "outputBlobUri": "many.log"}
    server.call("PUT", "/jobs/imports/many", names)
    while (job := server.call("GET", "/jobs/imports/many"))["status"] not in OVER:
        time.sleep(0.2)
    took = time.perf_counter() - began
    cpu = cpu_seconds([process]) - before
    return {
        "name": "import job",
        "status": job["status"],
        "seconds": round(took, 2),
        "cpu_s": round(cpu, 2),
        "cpu_us_a_document": round(cpu / (4 * count) * 1e6, 1),
        "counts": job["counts"],
        "bytes_on_disk": sum(one.stat().st_size for one in server.data.glob("gemel.sqlite*")),
    }


def started(server: Running, count: int, empty: int) -> Row:
    """From the start of the process until it answers."""
    began = time.perf_counter()
    server.start()
    took, process = time.perf_counter() - began, server.process.pid
    cpu = cpu_seconds([process])
    query = {"query": "SELECT COUNT() FROM DIGITALTWINS"}
    found = server.call("POST", "/query", query)["value"]
    assert found == [{"COUNT": count}], found
    return {
        "name": "restart",
        "seconds": round(took, 2),
        "cpu_s": round(cpu, 2),
        "bytes_per_twin": round((resident(process) - empty) / count),
    }


def write(file: Path, count: int) -> None:
    with file.open("wb") as out:
        out.writelines(orjson.dumps(line) + b"\n" for line in lines(count))


def measured(folder: Path, file: Path, count: int) -> Iterator[Row]:
    if not file.exists():
        write(file, count)
    with Running(folder / "empty") as server:
        server.call("POST", "/models", MODELS)
        empty = resident(server.process.pid)
    server = Running(folder / "served", start_seconds=START_SECONDS)
    with server:
        yield imported(server, file, count)
    yield started(server, count, empty)
    server.stop()


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--twins", type=int, default=100_000)
    made.add_argument("--file", type=Path, help="the import file; made where it is not there")
    options = made.parse_args()
    with tempfile.TemporaryDirectory(prefix="gemel-bench-import-") as folder:
        file = options.file or Path(folder) / "many.ndjson"
        tell(measured(Path(folder), file, options.twins), options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
