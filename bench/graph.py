"""The twin graph beside others: load, restart, memory, reads, durable patches, queries, hops.

    scripts/bench graph [--json] [--twins 100000] [--requests 4000] [--without rivals]

Three relationships a twin: its parent (ten below each), the next one, and one at random. Rows come
one a measure and way; a way that cannot be had here is a row that says why. Times are wall times
(`cpu_s` beside those of loads); a busy machine makes them longer.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from against.machine import cpu_seconds  # noqa: E402
from against.rows import parser, tell  # noqa: E402
from query import MODELS, SITE, twin_edit  # noqa: E402

import peers  # noqa: E402
from gemel.backends.sqlite import SqliteDocuments  # noqa: E402
from gemel.core.document import Edit  # noqa: E402
from gemel.core.series import SeriesTable  # noqa: E402
from gemel.twins.graph import Graph  # noqa: E402
from gemel.twins.query.reading import Live  # noqa: E402
from gemel.twins.query.run import Engine, answer  # noqa: E402
from gemel.twins.state import State  # noqa: E402
from running import Running  # noqa: E402

CHUNK = 10_000
Row = dict[str, Any]


def name(number: int) -> str:
    return f"pump-{number:06d}"


def links(count: int) -> Iterator[tuple[str, int, int]]:
    """(id, source, target) of the relationships: three a twin."""
    chance = random.Random(3)
    for number in range(count):
        yield f"p{number}", (number - 1) // 10 if number else 0, number
        yield f"n{number}", number, (number + 1) % count
        yield f"x{number}", number, chance.randrange(count)


def link_edit(key: str, source: int, target: int) -> Edit:
    kind = {"p": "contains", "n": "next", "x": "feeds"}[key[0]]
    doc = {
        "$relationshipId": key,
        "$sourceId": name(source),
        "$targetId": name(target),
        "$relationshipName": kind,
    }
    return Edit("relationship", f"{name(source)}\n{key}", doc, 0, "bench", "", 'W/"1"')


def edits(count: int) -> Iterator[list[Edit]]:
    chance = random.Random(1)
    yield [
        Edit("model", m["@id"], {**m, "decommissioned": False, "uploadTime": ""}, 0, "bench")
        for m in MODELS
    ]
    batch: list[Edit] = []
    for number in range(count):
        batch.append(twin_edit(number, round(chance.random() * 100, 2)))
        if len(batch) == CHUNK:
            yield batch
            batch = []
    for key, source, target in links(count):
        batch.append(link_edit(key, source, target))
        if len(batch) == CHUNK:
            yield batch
            batch = []
    yield batch


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def quantiles(times: list[float]) -> Row:
    times.sort()
    return {
        "p50_ms": round(times[len(times) // 2] * 1000, 3),
        "p95_ms": round(times[min(len(times) - 1, int(len(times) * 0.95))] * 1000, 3),
        "n": len(times),
    }


class Stopwatch:
    """Adds up the time within its `with` blocks, by the wall and of the processor."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._began[0]
        self.cpu += time.process_time() - self._began[1]


def repeated(work: Callable[[], object], count: int) -> Row:
    """The times of a piece of work, by the wall and of the processor."""
    work()
    times, worked = [], []
    for _ in range(count):
        began, before = time.perf_counter(), time.thread_time()
        work()
        worked.append(time.thread_time() - before)
        times.append(time.perf_counter() - began)
    cpu = quantiles(worked)
    return {**quantiles(times), "cpu_p50_ms": cpu["p50_ms"], "cpu_p95_ms": cpu["p95_ms"]}


# --- Gemel ---------------------------------------------------------------------------------------


def gemel_load(folder: Path, count: int) -> tuple[Graph, Row]:
    """Every batch is on disk before it is applied, while the next one is on its way there.

    What it takes to make the edits, which a client would send, is told apart: all stands still
    meanwhile, the disk too.
    """
    gc.collect()
    before = resident()
    documents, graph, clock = SqliteDocuments(folder / "documents.sqlite"), Graph(), Stopwatch()
    source, making, waiting = edits(count), Stopwatch(), list[Edit]()
    with ThreadPoolExecutor(1) as executor:
        while True:
            with making:
                batch = next(source, [])
            with clock:
                on_disk = executor.submit(documents.commit, batch)
                graph.apply(waiting)
                gc.collect(1)
                gc.freeze()  # as the platform does while it imports
                on_disk.result()
            if not batch:
                break
            waiting = batch
    with clock:
        documents.close()
    gc.collect()
    return graph, {
        "seconds": round(clock.wall, 2),
        "cpu_s": round(clock.cpu, 2),
        "making_s": round(making.wall, 2),
        "making_cpu_s": round(making.cpu, 2),
        "twins": count,
        "relationships": 3 * count,
        "bytes_per_twin": round((resident() - before) / count),
    }


def gemel_restart(folder: Path) -> Row:
    cpu, began = time.process_time(), time.perf_counter()
    gc.disable()  # as the platform does at its start
    documents, graph = SqliteDocuments(folder / "documents.sqlite"), Graph()
    graph.load(documents.load("model"))
    for kind in ("twin", "relationship"):
        graph.load_encoded(kind, documents.load_encoded(kind))
    documents.close()
    gc.freeze()
    gc.enable()
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "twins": graph.counts()[1],
    }


def gemel_queries(graph: Graph, count: int) -> Iterator[Row]:
    engine, chance = Engine(graph, Live(SeriesTable(), State())), random.Random(2)
    where = "SELECT * FROM DIGITALTWINS T WHERE "

    def ask(text: str) -> int:
        return len(answer(engine.run(text)).rows)

    def somewhere() -> str:
        return name(chance.randrange(max(1, count // 2000)))

    asked: dict[str, tuple[Callable[[], object], int]] = {
        "property query": (lambda: ask(where + "T.speed > 99 AND T.area = 'area-7'"), 50),
        "unique text": (lambda: ask(where + f"T.serial = 'SN-{chance.randrange(10**6):07d}'"), 50),
        "STARTSWITH": (
            lambda: ask(where + f"STARTSWITH(T.serial, 'SN-{chance.randrange(1000):03d}')"),
            30,
        ),
        "3 hops up": (
            lambda: ask(
                "SELECT A, B FROM DIGITALTWINS MATCH (A)<-[:contains*..3]-(B) "
                f"WHERE A.$dtId = '{name(chance.randrange(count))}'"
            ),
            200,
        ),
        "3 hops down, a page": (
            lambda: ask(
                "SELECT A, B FROM DIGITALTWINS MATCH (A)-[:contains*..3]->(B) "
                f"WHERE A.$dtId = '{somewhere()}'"
            ),
            50,
        ),
        "3 hops, any kind": (
            lambda: ask(
                "SELECT D.$dtId FROM DIGITALTWINS "
                "MATCH (A)-[:feeds]->(B)-[:feeds]->(C)-[:feeds]->(D) "
                f"WHERE A.$dtId = '{name(chance.randrange(count))}'"
            ),
            200,
        ),
        "GROUP BY": (
            lambda: ask("SELECT T.area, COUNT() AS n FROM DIGITALTWINS T GROUP BY T.area"),
            3,
        ),
        "COUNT of a model": (
            lambda: ask(f"SELECT COUNT() FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, '{SITE}')"),
            20,
        ),
    }
    for measure, (work, repeats) in asked.items():
        yield {"measure": measure, **repeated(work, repeats)}

    def edited() -> int:
        graph.apply([twin_edit(chance.randrange(count), 99.5)])
        return ask(where + "T.speed > 99 AND T.area = 'area-7'")

    yield {"measure": "property query after an edit", **repeated(edited, 30)}


async def requests(host: str, port: int, lines: list[bytes], connections: int) -> tuple[float, int]:
    """Sends requests over kept connections; how long it took, and how many were refused."""
    refused = 0

    async def one(mine: list[bytes]) -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection(host, port)
        for line in mine:
            writer.write(line)
            head = await reader.readuntil(b"\r\n\r\n")
            refused += head[9:10] != b"2"
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
            if length.strip() not in (b"", b"0"):
                await reader.readexactly(int(length))
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(lines[n::connections]) for n in range(connections)))
    return time.perf_counter() - began, refused


def gemel_http(folder: Path, count: int, number: int) -> Iterator[Row]:
    """Reads and durable patches over HTTP, from another process than the server's."""
    twins = min(count, 20_000)
    with Running(folder / "served") as server:
        server.call("POST", "/models", MODELS)
        auth = f"Host: gemel\r\nAuthorization: Bearer {server.token}\r\n"
        host, _, port = server.url.removeprefix("http://").rpartition(":")

        def message(method: str, path: str, body: Any = None) -> bytes:
            content = b"" if body is None else json.dumps(body).encode()
            head = f"{method} {path} HTTP/1.1\r\n{auth}Content-Length: {len(content)}\r\n"
            kind = "application/json-patch+json" if method == "PATCH" else "application/json"
            return f"{head}Content-Type: {kind}\r\n\r\n".encode() + content

        def row(measure: str, lines: list[bytes], connections: int) -> Row:
            before = cpu_seconds([server.process.pid])
            took, refused = asyncio.run(requests(host, int(port), lines, connections))
            cpu = cpu_seconds([server.process.pid]) - before
            return {
                "measure": measure,
                "per_second": round(len(lines) / took),
                "server_cpu_us": round(cpu / len(lines) * 1e6),
                "requests": len(lines),
                "connections": connections,
                "refused": refused,
            }

        put = [
            message(
                "PUT",
                f"/digitaltwins/{name(n)}",
                {"$metadata": {"$model": MODELS[1]["@id"]}, "speed": n},
            )
            for n in range(min(twins, number))
        ]
        yield row("durable PUT over HTTP", put, 32)
        chance = random.Random(5)
        names = [name(chance.randrange(len(put))) for _ in range(number)]
        yield row("read by id over HTTP", [message("GET", f"/digitaltwins/{n}") for n in names], 16)
        patch = [{"op": "replace", "path": "/speed", "value": 1.5}]
        lines = [message("PATCH", f"/digitaltwins/{n}", patch) for n in names]
        yield row("durable PATCH over HTTP", lines, 64)


# --- rivals --------------------------------------------------------------------------------------


def networkx(folder: Path, count: int) -> Iterator[Row]:
    """networkx in memory, its documents in SQLite: what one would build in an afternoon."""
    where, why_not = peers.pip("networkx", "networkx")
    if where is None:
        yield {"measure": "load", "absent": why_not}
        return
    sys.path.append(str(where))
    import sqlite3

    import networkx as nx

    gc.collect()
    before, cpu, began = resident(), time.process_time(), time.perf_counter()
    base = sqlite3.connect(folder / "networkx.sqlite")
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("CREATE TABLE twins (id TEXT PRIMARY KEY, doc TEXT)")
    base.execute("CREATE TABLE links (id TEXT, source TEXT, target TEXT, kind TEXT)")
    graph = nx.MultiDiGraph()
    for batch in edits(count):
        for edit in batch:
            doc = edit.doc or {}
            if edit.kind == "twin":
                graph.add_node(edit.key, **{k: v for k, v in doc.items() if k[0] != "$"})
                base.execute("INSERT INTO twins VALUES (?, ?)", (edit.key, json.dumps(doc)))
            elif edit.kind == "relationship":
                ends = (doc["$sourceId"], doc["$targetId"])
                graph.add_edge(*ends, key=doc["$relationshipId"], kind=doc["$relationshipName"])
                base.execute(
                    "INSERT INTO links VALUES (?, ?, ?, ?)",
                    (doc["$relationshipId"], *ends, doc["$relationshipName"]),
                )
        base.commit()
    gc.collect()
    yield {
        "measure": "load",
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "bytes_per_twin": round((resident() - before) / count),
    }

    def scan() -> int:
        return sum(
            1 for _, d in graph.nodes(data=True) if d["speed"] > 99 and d["area"] == "area-7"
        )

    yield {"measure": "property query", **repeated(scan, 10)}
    chance = random.Random(2)

    def hops() -> int:
        level = {name(chance.randrange(count))}
        for _ in range(3):
            level = {
                target
                for source in level
                for _, target, kind in graph.out_edges(source, data="kind")
                if kind == "feeds"
            }
        return len(level)

    yield {"measure": "3 hops, any kind", **repeated(hops, 200)}


def kuzu(folder: Path, count: int) -> Iterator[Row]:
    """Kuzu, an embedded graph database, loaded from CSV files as its makers advise."""
    where, why_not = peers.pip("kuzu", "kuzu")
    if where is None:
        yield {"measure": "load", "absent": why_not}
        return
    sys.path.append(str(where))
    import kuzu as library

    chance = random.Random(1)
    with (folder / "twins.csv").open("w") as out:
        for number in range(count):
            doc = twin_edit(number, round(chance.random() * 100, 2)).doc or {}
            out.write(f"{name(number)},{doc['speed']},{doc['serial']},{doc['area']}\n")
    kinds = {"p": "contains", "n": "next", "x": "feeds"}
    outs = {kind: (folder / f"{kind}.csv").open("w") for kind in kinds.values()}
    for key, source, target in links(count):
        outs[kinds[key[0]]].write(f"{name(source)},{name(target)}\n")
    for out in outs.values():
        out.close()
    before, cpu, began = resident(), time.process_time(), time.perf_counter()
    connection = library.Connection(library.Database(str(folder / "kuzu")))
    connection.execute(
        "CREATE NODE TABLE Twin (id STRING PRIMARY KEY, speed DOUBLE, serial STRING, area STRING)"
    )
    connection.execute(f"COPY Twin FROM '{folder}/twins.csv' (header=false)")
    for kind in outs:
        connection.execute(f"CREATE REL TABLE {kind} (FROM Twin TO Twin)")
        connection.execute(f"COPY {kind} FROM '{folder}/{kind}.csv' (header=false)")
    yield {
        "measure": "load",
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "bytes_per_twin": round((resident() - before) / count),
    }

    def ask(text: str) -> int:
        return len(connection.execute(text).get_all())

    where_text = "MATCH (t:Twin) WHERE t.speed > 99 AND t.area = 'area-7' RETURN t"
    yield {"measure": "property query", **repeated(lambda: ask(where_text), 30)}
    yield {
        "measure": "3 hops, any kind",
        **repeated(
            lambda: ask(
                f"MATCH (a:Twin {{id: '{name(chance.randrange(count))}'}})"
                "-[:feeds]->(b)-[:feeds]->(c)-[:feeds]->(d) RETURN d.id"
            ),
            100,
        ),
    }


def gemel(folder: Path, count: int, number: int) -> Iterator[Row]:
    graph, row = gemel_load(folder, count)
    yield {"measure": "load", **row}
    yield from gemel_queries(graph, count)
    del graph
    gc.collect()
    yield {"measure": "restart", **gemel_restart(folder)}
    if number:
        yield from gemel_http(folder, count, number)


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--twins", type=int, default=100_000)
    made.add_argument("--requests", type=int, default=4_000, help="over HTTP; 0 for none")
    made.add_argument("--without", nargs="*", default=[], choices=["rivals", "gemel"])
    options = made.parse_args()
    tell(measured(options), options.json)
    return 0


def measured(options: argparse.Namespace) -> Iterator[Row]:
    ways: dict[str, Callable[[Path], Iterator[Row]]] = {}
    if "gemel" not in options.without:
        ways["Gemel"] = lambda folder: gemel(folder, options.twins, options.requests)
    if "rivals" not in options.without:
        ways["networkx, SQLite"] = lambda folder: networkx(folder, options.twins)
        ways["Kuzu"] = lambda folder: kuzu(folder, options.twins)
    for way, run in ways.items():
        with tempfile.TemporaryDirectory(prefix="gemel-bench-graph-") as folder:
            for row in run(Path(folder)):
                yield {"name": f"{row.pop('measure')}: {way}", **row}


if __name__ == "__main__":
    sys.exit(main())
