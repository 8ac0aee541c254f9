"""Queries over 100,000 twins: property conditions, JOIN, MATCH, pages, and after edits.

scripts/bench query [--json] [--twins 100000]
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import numpy as np
from against.rows import Figures, parser, plain, tell

from gemel.core.batch import Batch
from gemel.core.document import Document, Edit
from gemel.core.series import SeriesTable
from gemel.twins.graph import Graph
from gemel.twins.query.reading import Live
from gemel.twins.query.run import Engine, answer
from gemel.twins.state import State

SITE, PUMP = "dtmi:bench:Site;1", "dtmi:bench:Pump;1"
STAMP = {"lastUpdateTime": "2026-01-01T00:00:00Z"}
MODELS = [
    {
        "@context": "dtmi:dtdl:context;3",
        "@id": SITE,
        "@type": "Interface",
        "contents": [
            {"@type": "Property", "name": "name", "schema": "string"},
            {"@type": "Relationship", "name": "contains"},
        ],
    },
    {
        "@context": "dtmi:dtdl:context;3",
        "@id": PUMP,
        "@type": "Interface",
        "extends": SITE,
        "contents": [
            {"@type": "Property", "name": "speed", "schema": "double"},
            {"@type": "Property", "name": "serial", "schema": "string"},
            {"@type": "Property", "name": "area", "schema": "string"},
            {"@type": "Telemetry", "name": "flow", "schema": "double"},
        ],
    },
]


def twin_edit(number: int, speed: float) -> Edit:
    doc = {
        "name": f"Pump {number}",
        "speed": speed,
        "serial": f"SN-{number * 7919 % 1_000_003:07d}",
        "area": f"area-{number % 40}",
        "$metadata": {
            "$model": PUMP,
            "name": STAMP,
            "speed": STAMP,
            "serial": STAMP,
            "area": STAMP,
        },
    }
    return Edit("twin", f"pump-{number:06d}", doc, 0, "bench", "", f'W/"{number}"')


def build(count: int) -> tuple[Graph, Live]:
    """A tree of twins, ten below each, all with a telemetry value."""
    chance = random.Random(1)
    graph, series, state = Graph(), SeriesTable(), State()
    graph.load(Document("model", m["@id"], m, 0, "", "") for m in MODELS)
    graph.apply([twin_edit(n, round(chance.random() * 100, 2)) for n in range(count)])
    edits = []
    for number in range(1, count):
        source, target = f"pump-{(number - 1) // 10:06d}", f"pump-{number:06d}"
        doc = {
            "$relationshipId": f"r{number}",
            "$sourceId": source,
            "$targetId": target,
            "$relationshipName": "contains",
        }
        edits.append(Edit("relationship", f"{source}\nr{number}", doc, 0, "bench", "", 'W/"1"'))
    graph.apply(edits)
    numbers = [series.id(f"pump-{n:06d}", path) for n in range(count) for path in ("speed", "flow")]
    flow = np.array(numbers[1::2], np.int32)
    values = np.array([chance.random() * 50 for _ in range(count)])
    state.apply(Batch(flow, np.full(count, 10**18), values, np.zeros(count, np.uint8), 10**18))
    return graph, Live(series, state)


def timed(name: str, work: Callable[[], int], repeats: int) -> Figures:
    times = []
    rows = 0
    for _ in range(repeats):
        begin = time.perf_counter()
        rows = work()
        times.append((time.perf_counter() - begin) * 1000)
    times.sort()
    p50, p95 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]
    return {"name": name, "rows": rows, "p50_ms": p50, "p95_ms": p95}


def line(row: Figures) -> str:
    if "rows" not in row:
        return plain(row)
    times = f"p50 {row['p50_ms']:8.2f} ms  p95 {row['p95_ms']:8.2f} ms"
    return f"{row['name']:<58} {row['rows']:>7} rows  {times}"


def longest_slice(engine: Engine, text: str) -> float:
    """The longest time in ms between two pauses of a query."""
    run, longest = engine.run(text), 0.0
    while True:
        begin = time.perf_counter()
        try:
            next(run)
        except StopIteration:
            return max(longest, (time.perf_counter() - begin) * 1000)
        longest = max(longest, (time.perf_counter() - begin) * 1000)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--twins", type=int, default=100_000)
    wanted = made.parse_args()
    tell(measured(wanted.twins), wanted.json, line)


def measured(count: int) -> Iterator[Figures]:
    begin = time.perf_counter()
    graph, live = build(count)
    yield {"name": "made", "twins": count, "seconds": round(time.perf_counter() - begin, 1)}
    engine = Engine(graph, live)
    chance = random.Random(2)

    def ask(text: str) -> Callable[[], int]:
        return lambda: len(answer(engine.run(text)).rows)

    cold = "SELECT * FROM DIGITALTWINS T WHERE T.speed > 99 AND T.area = 'area-7' AND T.flow > 0"
    slice_ms = longest_slice(Engine(graph, live), cold)
    begin = time.perf_counter()
    ask(cold)()
    first_ms = round((time.perf_counter() - begin) * 1000)
    slice_ms = round(slice_ms, 1)
    yield {"name": "first use of three columns", "ms": first_ms, "longest_stretch_ms": slice_ms}
    where = "SELECT * FROM DIGITALTWINS T WHERE "
    yield timed("property range and text (T.speed > 99 AND T.area = ...)", ask(cold), 50)
    yield timed("unique text (T.serial = 'SN-...')", ask(where + "T.serial = 'SN-0500000'"), 50)
    yield timed("telemetry (T.flow > 49.9)", ask(where + "T.flow > 49.9"), 50)
    yield timed("STARTSWITH(T.serial, 'SN-05')", ask(where + "STARTSWITH(T.serial, 'SN-0500')"), 50)
    yield timed(
        "IS_OF_MODEL and T.speed < 1, COUNT()",
        ask(f"SELECT COUNT() FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, '{SITE}') AND T.speed < 1"),
        50,
    )
    yield timed("SELECT * (first page of 200)", ask("SELECT * FROM DIGITALTWINS"), 50)
    yield timed(
        "TOP(10) by speed, ORDER BY",
        ask(
            "SELECT TOP(10) T.$dtId, T.speed FROM DIGITALTWINS T WHERE T.area = 'area-1' "
            "ORDER BY T.speed DESC"
        ),
        10,
    )
    yield timed(
        "GROUP BY area, AVG(T.speed) over all",
        ask("SELECT T.area, COUNT() AS n, AVG(T.speed) AS s FROM DIGITALTWINS T GROUP BY T.area"),
        5,
    )

    def one(form: str) -> Callable[[], int]:
        return lambda: len(
            answer(engine.run(form.format(f"pump-{chance.randrange(count // 2000):06d}"))).rows
        )

    yield timed("$dtId = ...", one("SELECT * FROM DIGITALTWINS T WHERE T.$dtId = '{}'"), 200)
    yield timed(
        "JOIN, 1 level",
        one("SELECT C FROM DIGITALTWINS T JOIN C RELATED T.contains WHERE T.$dtId = '{}'"),
        200,
    )
    yield timed(
        "MATCH 3 hops upwards",
        one("SELECT A, B FROM DIGITALTWINS MATCH (A)<-[:contains*..3]-(B) WHERE A.$dtId = '{}'"),
        200,
    )
    yield timed(
        "MATCH 3 hops downwards (1,110 twins, a page of 200)",
        one("SELECT A, B FROM DIGITALTWINS MATCH (A)-[:contains*..3]->(B) WHERE A.$dtId = '{}'"),
        50,
    )
    yield timed(
        "MATCH chain of 3 with a condition",
        one(
            "SELECT D.$dtId FROM DIGITALTWINS MATCH (A)-[:contains]->(B)-[:contains]->(C)"
            "-[:contains]->(D) WHERE A.$dtId = '{}' AND D.speed > 99"
        ),
        50,
    )

    def after_edit() -> int:
        graph.apply([twin_edit(chance.randrange(count), 99.5)])
        return ask(cold)()

    def after_new() -> int:
        graph.apply([twin_edit(count + len(graph.twins), 99.5)])
        return ask(cold)()

    yield timed("property query just after an edit", after_edit, 30)
    yield timed("property query just after a new twin", after_new, 10)


if __name__ == "__main__":
    main()
