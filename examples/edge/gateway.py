"""A gateway behind a thin line: sends evenly spaced rows of a CSV file as coded columns.

    python examples/edge/gateway.py readings.csv --twin pump-1 --start 1763799000 --every 1 \
        --url http://127.0.0.1:8080 --bound flow=0.1 --bound pressure=0.01

The first line of the file names the columns. Each request holds so many rows as the server takes at
once; it is sent again until the server says that they are durable. The token is in GEMEL_TOKEN.
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from gemel.core.coded import coded

MOST_VALUES = 16_384
"""In one message, all columns together."""
PAUSE = 5.0
"""Seconds before what failed is sent again."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--twin", required=True)
    parser.add_argument("--every", type=float, required=True, help="seconds between two rows")
    parser.add_argument(
        "--start", type=float, required=True, help="time of the first row, s since 1970"
    )
    parser.add_argument(
        "--bound", action="append", default=[], metavar="NAME=VALUE",
        help="what a value may be off by; columns without one are left out",
    )  # fmt: skip
    return parser.parse_args()


def read(file: Path) -> dict[str, np.ndarray]:
    with file.open(newline="") as lines:
        names, *rows = csv.reader(lines)
    return dict(zip(names, np.array(rows, float).T, strict=True))


def send(url: str, body: dict[str, object]) -> int:
    """How many bytes it took; returns when the server has the rows on disk."""
    data = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    headers["Authorization"] = f"Bearer {os.environ.get('GEMEL_TOKEN', '')}"
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
                found = json.load(answer)
            if found["rejected"]:
                raise SystemExit(f"refused: {found['rejects'][0]['raw']}")
            return len(data)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise SystemExit(f"refused: {error.read().decode()}") from error
        except OSError:
            pass  # the line is down
        time.sleep(PAUSE)


def main() -> None:
    given = arguments()
    bounds = {name: float(value) for name, value in (one.split("=") for one in given.bound)}
    table = {name: column for name, column in read(given.file).items() if name in bounds}
    if not table:
        raise SystemExit("no column has a --bound")
    count = len(next(iter(table.values())))
    rows, sent = MOST_VALUES // len(table), 0
    for first in range(0, count, rows):
        columns = {
            name: base64.b64encode(coded(column[first : first + rows], bounds[name])).decode()
            for name, column in table.items()
        }
        moment = round((given.start + first * given.every) * 1e9)
        body = {"time": moment, "every": given.every, "coded": columns}
        sent += send(f"{given.url}/ingest/{given.twin}", body)
    sys.stdout.write(json.dumps({"values": count * len(table), "bytes": sent}) + "\n")


if __name__ == "__main__":
    main()
