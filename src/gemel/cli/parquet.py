"""`gemel parquet`: readings as a Parquet file, from a running server's folder or one at rest."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from gemel.api.bodies import read_time
from gemel.app import objects
from gemel.app.folder import DataFolder, InUse
from gemel.app.parquet import write_parquet
from gemel.app.snapshot import FOLDER, HISTORY, compact_name, held
from gemel.cli.client import Client
from gemel.cli.keep import existing, opened
from gemel.cli.output import as_json, say
from gemel.core.clock import system_clock
from gemel.core.errors import NotFound
from gemel.core.series import SeriesKey, SeriesTable
from gemel.history import History


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", help="is made and must not exist: a path, s3://bucket/name or az://container/name"
    )
    parser.add_argument("--data", default="./gemel-data", help="the data folder")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument("--twin", action="append", help="only of this twin; may be repeated")
    parser.add_argument("--property", action="append", help="only this one; may be repeated")
    parser.add_argument("--provenance", action="append", help="only of this one; may be repeated")
    parser.add_argument("--from", dest="start", help="ISO 8601 or -1h (default: from the first)")
    parser.add_argument("--to", default="now", help="likewise")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    started = monotonic()
    place, name = objects.file(arguments.file)
    now = system_clock()
    start = read_time(arguments.start, now, "from") if arguments.start else -(1 << 62)
    end = read_time(arguments.to, now, "to")
    with _history(existing(arguments.data), now) as history:
        series = [n for n, key in enumerate(history.series.keys) if _is_wanted(arguments, key)]
        if not series:
            raise NotFound("no twin and property is of these names", hint="gemel twin list")
        series.sort(key=history.series.keys.__getitem__)
        made = write_parquet(history, series, start, end, place, name)
    if arguments.json:
        seconds = round(monotonic() - started, 3)
        as_json({"file": arguments.file, "readings": made.readings, "series": made.series,
                 "bytes": made.bytes, "seconds": seconds})  # fmt: skip
        return 0
    say(
        f"{made.readings:,} readings of {made.series:,} series, {made.bytes:,} bytes: "
        f"{arguments.file}"
    )
    return 0


def _is_wanted(arguments: argparse.Namespace, key: SeriesKey) -> bool:
    asked = (arguments.twin, arguments.property, arguments.provenance)
    return all(not names or name in names for names, name in zip(asked, key, strict=True))


@contextmanager
def _history(data: Path, now: int) -> Iterator[History]:
    """The history of a folder at rest, or of a snapshot that a running server makes."""
    try:
        folder = DataFolder(data)
    except InUse:
        name = f"{compact_name(now)}-{os.getpid()}"
        place = data / FOLDER / name
        with held(place):
            try:
                Client.of(str(data)).call("POST", "/backup", {"name": name})
                history = History(place / HISTORY, SeriesTable(), ballast_bytes=0)
                try:
                    yield history
                finally:
                    history.close()
            finally:
                shutil.rmtree(place, ignore_errors=True)
        return
    try:
        with opened(data) as history:
            yield history
    finally:
        folder.close()
