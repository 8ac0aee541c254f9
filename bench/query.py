"""Queries over 100,000 twins: property conditions, JOIN, MATCH, pages, and after edits.

Run: python bench/query.py [--twins 100000]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

import numpy as np

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


def timed(name: str, work: Callable[[], int], repeats: int) -> None:
    times = []
    rows = 0
    for _ in range(repeats):
        begin = time.perf_counter()
        rows = work()
        times.append((time.perf_counter() - begin) * 1000)
    times.sort()
    p50, p95 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]
    print(f"{name:<58} {rows:>7} rows  p50 {p50:8.2f} ms  p95 {p95:8.2f} ms")


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twins", type=int, default=100_000)
    count = parser.parse_args().twins
    begin = time.perf_counter()
    graph, live = build(count)
    print(f"{count:,} twins and relationships made in {time.perf_counter() - begin:.1f} s")
    engine = Engine(graph, live)
    chance = random.Random(2)

    def ask(text: str) -> Callable[[], int]:
        return lambda: len(answer(engine.run(text)).rows)

    cold = "SELECT * FROM DIGITALTWINS T WHERE T.speed > 99 AND T.area = 'area-7' AND T.flow > 0"
    slice_ms = longest_slice(Engine(graph, live), cold)
    begin = time.perf_counter()
    ask(cold)()
    print(
        f"first use of three columns {(time.perf_counter() - begin) * 1000:.0f} ms, "
        f"longest stretch without a pause {slice_ms:.1f} ms"
    )
    where = "SELECT * FROM DIGITALTWINS T WHERE "
    timed("property range and text (T.speed > 99 AND T.area = ...)", ask(cold), 50)
    timed("unique text (T.serial = 'SN-...')", ask(where + "T.serial = 'SN-0500000'"), 50)
    timed("telemetry (T.flow > 49.9)", ask(where + "T.flow > 49.9"), 50)
    timed("STARTSWITH(T.serial, 'SN-05')", ask(where + "STARTSWITH(T.serial, 'SN-0500')"), 50)
    timed(
        "IS_OF_MODEL and T.speed < 1, COUNT()",
        ask(f"SELECT COUNT() FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, '{SITE}') AND T.speed < 1"),
        50,
    )
    timed("SELECT * (first page of 200)", ask("SELECT * FROM DIGITALTWINS"), 50)
    timed(
        "TOP(10) by speed, ORDER BY",
        ask(
            "SELECT TOP(10) T.$dtId, T.speed FROM DIGITALTWINS T WHERE T.area = 'area-1' "
            "ORDER BY T.speed DESC"
        ),
        10,
    )
    timed(
        "GROUP BY area, AVG(T.speed) over all",
        ask("SELECT T.area, COUNT() AS n, AVG(T.speed) AS s FROM DIGITALTWINS T GROUP BY T.area"),
        5,
    )

    def one(form: str) -> Callable[[], int]:
        return lambda: len(
            answer(engine.run(form.format(f"pump-{chance.randrange(count // 2000):06d}"))).rows
        )

    timed("$dtId = ...", one("SELECT * FROM DIGITALTWINS T WHERE T.$dtId = '{}'"), 200)
    timed(
        "JOIN, 1 level",
        one("SELECT C FROM DIGITALTWINS T JOIN C RELATED T.contains WHERE T.$dtId = '{}'"),
        200,
    )
    timed(
        "MATCH 3 hops upwards",
        one("SELECT A, B FROM DIGITALTWINS MATCH (A)<-[:contains*..3]-(B) WHERE A.$dtId = '{}'"),
        200,
    )
    timed(
        "MATCH 3 hops downwards (1,110 twins, a page of 200)",
        one("SELECT A, B FROM DIGITALTWINS MATCH (A)-[:contains*..3]->(B) WHERE A.$dtId = '{}'"),
        50,
    )
    timed(
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

    timed("property query just after an edit", after_edit, 30)
    timed("property query just after a new twin", after_new, 10)


if __name__ == "__main__":
    main()
