"""`gemel check` and `gemel compact`: keeping the data folder well.

A running server is asked by HTTP; where none runs, the folder is locked and worked on here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gemel.app import backup as backups
from gemel.app import object_backup
from gemel.app.checkup import check_at_rest
from gemel.app.folder import DataFolder, InUse
from gemel.app.snapshot import DOCUMENTS, HISTORY, SESSIONS
from gemel.app.upkeep import compact as compact_history
from gemel.backends.upkeep import vacuum
from gemel.cli.client import Client
from gemel.cli.output import as_json, say
from gemel.core import fast
from gemel.core.document import Json
from gemel.core.errors import GemelError, NotFound, Unavailable
from gemel.core.series import SeriesTable
from gemel.history import History


def _add(parser: argparse.ArgumentParser, about: str) -> None:
    parser.add_argument("--data", default="./gemel-data", help=about)
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def add_check(parser: argparse.ArgumentParser) -> None:
    _add(parser, "the data folder, or a backup, such as s3://bucket/name/gemel-...")


def add_compact(parser: argparse.ArgumentParser) -> None:
    _add(parser, "the data folder")


@contextmanager
def opened(data: Path) -> Iterator[History]:
    """The history of a folder that no server has open; nothing that a server needs is dropped."""
    history = History(data / HISTORY, SeriesTable(), on_seal=_no_state, ballast_bytes=None)
    try:
        yield history
    finally:
        history.close()


def _no_state() -> Mapping[str, bytes]:
    """Only a server knows the state after the log: without it, the log files stay."""
    raise Unavailable("there is no state here")


def check(arguments: argparse.Namespace) -> int:
    found = _checked(arguments.data)
    if arguments.json:
        as_json(found)
    else:
        _tell(found)
        if fast.slower:
            say(f"note     {fast.slower}")
    return 0 if found["sound"] else 1


def _checked(name: str) -> Json:
    found = object_backup.at(name)
    if not isinstance(found, Path):
        damage = list(object_backup.faults(*found))
        return {"sound": not damage, "damage": damage, "notes": []}
    data = existing(str(found))
    if (data / backups.MANIFEST).exists():
        return check_at_rest(data)
    try:
        folder = DataFolder(data)
    except InUse:
        return dict(Client.of(str(data)).call("GET", "/check"))
    except GemelError:
        return check_at_rest(data)  # such as a restore that did not finish
    try:
        return check_at_rest(data)
    finally:
        folder.close()


def _tell(found: Json) -> None:
    for one in found["damage"]:
        say(f"DAMAGED  {one['file']}{_place(one)}: {one['what']}")
    for one in found["notes"]:
        say(f"note     {one['file']}{_place(one)}: {one['what']}")
    count = len(found["damage"])
    say("sound" if not count else f"{count} damaged place{'s' if count > 1 else ''}")


def _place(one: Json) -> str:
    if "offset" not in one:
        return ""
    return f", bytes {one['offset']} to {one['offset'] + one['length']}"


def compact(arguments: argparse.Namespace) -> int:
    data = existing(arguments.data)
    found = _compacted(data)
    if arguments.json:
        as_json(found)
        return 0
    segments, size = found["segments"], found["bytes"]
    say(f"{segments['before']} segments became {segments['after']}")
    say(f"{size['before']:,} bytes became {size['after']:,}; {found['copies']:,} copies dropped")
    parts = (f"{kind} {size[kind]:,}" for kind in size if kind not in ("before", "after"))
    say(f"now {', '.join(parts)} bytes for {found['readings']:,} readings")
    if "databases" in found:
        say(f"{found['databases']:,} bytes freed in the databases")
    return 0


def _compacted(data: Path) -> Json:
    try:
        folder = DataFolder(data)
    except InUse:
        return dict(Client.of(str(data)).call("POST", "/compact"))
    try:
        with opened(data) as history:
            found = compact_history(history, seal=False)
        files = [data / name for name in (DOCUMENTS, SESSIONS) if (data / name).exists()]
        return {**found, "databases": sum(vacuum(file) for file in files)}
    finally:
        folder.close()


def existing(name: str) -> Path:
    data = Path(name)
    if not any((data / one).exists() for one in (DOCUMENTS, HISTORY, backups.MANIFEST)):
        raise NotFound(f"there is no data in {data}", hint="name the folder with --data")
    return data
