"""OData: rows a second through HTTP, page by page, and the server's processor time a row.

scripts/bench odata [--json] [--twins 5000] [--readings 200]

A server of its own with so many twins, each with so many readings of one signal; a client follows
the links from page to page as Power BI does, at most 10,000 rows each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import httpx
from against.rows import Figures, parser, tell

from running import Running

MODEL = {
    "@id": "dtmi:bench:Pump;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": "flow", "schema": "double"}],
}
START = 1_700_000_000
A_POST = 100
"""Twins whose readings go in one request."""


def fill(client: httpx.Client, twins: int, readings: int) -> None:
    plant = {
        "models": [MODEL],
        "twins": {f"p{n:06d}": {"model": MODEL["@id"]} for n in range(twins)},
    }
    client.post("/plant", json=plant).raise_for_status()
    times = list(range(START, START + readings))
    values = [n % 97 + 0.25 for n in range(readings)]
    for first in range(0, twins, A_POST):
        some = range(first, min(first + A_POST, twins))
        body = {f"p{n:06d}": {"time": times, "flow": values} for n in some}
        client.post("/ingest", json=body).raise_for_status()


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def asked(server: Running, client: httpx.Client, name: str, path: str) -> Figures:
    """All pages of a path."""
    rows = pages = size = 0
    longest, url = 0.0, f"/odata/{path}"
    begin, spent = time.perf_counter(), processor_seconds(server.process.pid)
    while url:
        since = time.perf_counter()
        found = client.get(url, headers={"Prefer": "odata.maxpagesize=10000"}).raise_for_status()
        longest = max(longest, time.perf_counter() - since)
        answer = found.json()
        rows, pages, size = rows + len(answer["value"]), pages + 1, size + len(found.content)
        url = answer.get("@odata.nextLink", "")
    seconds = time.perf_counter() - begin
    spent = processor_seconds(server.process.pid) - spent
    return {
        "name": name,
        "rows": rows,
        "pages": pages,
        "rows_per_s": round(rows / seconds),
        "cpu_us_per_row": round(spent / max(rows, 1) * 1e6, 2),
        "longest_page_ms": round(longest * 1000),
        "megabytes": round(size / 1e6, 1),
    }


def measured(twins: int, readings: int) -> Iterator[Figures]:
    with (
        tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder,
        Running(Path(folder) / "data") as server,
        server.http() as client,
    ):
        fill(client, twins, readings)
        yield asked(server, client, "Readings", "Readings")
        narrow = "Readings?$select=TwinId,Time,Value&$filter=Value gt 90"
        yield asked(server, client, "Readings, by value", narrow)
        yield asked(server, client, "Twins", "Twins")
        ordered = "Twins?$orderby=Name desc&$filter=contains(Name,'7')"
        yield asked(server, client, "Twins, sorted, by name", ordered)
        yield asked(server, client, "Values", "Values")
        one = "Readings?$filter=TwinId eq 'p000007' and Time ge 2023-11-14T22:14:00Z&$top=100"
        yield asked(server, client, "100 readings of one twin", one)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--twins", type=int, default=5_000)
    made.add_argument("--readings", type=int, default=200)
    wanted = made.parse_args()
    tell(measured(wanted.twins, wanted.readings), wanted.json)


if __name__ == "__main__":
    main()
