"""`gemel backup` and `gemel restore`: to and from folders, S3 and Azure Blob Storage."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic

from gemel.app import backup as backups
from gemel.app import object_backup, objects
from gemel.app.folder import DataFolder, InUse
from gemel.app.snapshot import FOLDER, compact_name, held, take
from gemel.cli.client import Client
from gemel.cli.keep import existing, opened
from gemel.cli.output import as_json, say, table
from gemel.core.clock import system_clock
from gemel.core.document import Json
from gemel.core.errors import Damaged, InvalidInput, Unavailable


def add_backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target", help="the place of all backups: a folder, s3://bucket/name or az://container/name"
    )
    parser.add_argument("--data", default="./gemel-data", help="the data folder")
    parser.add_argument(
        "--full", action="store_true", help="copy everything, whatever earlier backups hold"
    )
    parser.add_argument(
        "--keep", type=int, default=0, help="afterwards, only so many of the newest stay"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def add_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "backup",
        help="one backup: its folder, or s3://bucket/name/gemel-... ; with --list the place",
    )
    parser.add_argument("--data", help="the new data folder: missing or empty")
    parser.add_argument("--list", action="store_true", help="tell which backups a place has")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def backup(arguments: argparse.Namespace) -> int:
    data = existing(arguments.data)
    if arguments.keep < 0:
        raise InvalidInput(f"--keep {arguments.keep}", hint="at least 1; without it all stay")
    target = objects.local(arguments.target)
    if target is not None and target.resolve().is_relative_to(data.resolve()):
        raise InvalidInput(
            f"{target} lies in the data folder that is backed up",
            hint="name a folder elsewhere, best on another disk",
        )
    place = None if target is not None else objects.opened(arguments.target)
    started = monotonic()
    now = system_clock()
    name = f"{compact_name(now)}-{os.getpid()}"
    snapshot = data / FOLDER / name
    more = {"full": arguments.full, "keep": arguments.keep}
    try:
        with held(snapshot):
            try:
                about = _snapshot(data, name)
                if not snapshot.is_dir():
                    what = f"the snapshot {snapshot} is not there"
                    raise Unavailable(what, hint="is it this disk?")
                if place is not None:
                    made = object_backup.store(place, snapshot, about, now, **more)
                else:
                    assert target is not None
                    made = backups.store(snapshot, about, target, now, **more)
            finally:
                shutil.rmtree(snapshot, ignore_errors=True)
    except OSError as error:
        raise Unavailable(f"the backup failed: {error}", hint="look after the disk") from error
    _tell_backup(made, monotonic() - started, is_json=arguments.json)
    return 0


def _tell_backup(made: backups.Stored, seconds: float, *, is_json: bool) -> None:
    if is_json:
        as_json(_figures(made, seconds))
        return
    say(f"Backed up to {made.place}")
    say(
        f"{made.files} files, {made.bytes:,} bytes, {made.copied:,} of them copied, {seconds:.1f} s"
    )
    for one in made.damage:
        say(f"Known damage, in the backup as it is in the data: {one}")


def _figures(made: backups.Stored, seconds: float) -> Json:
    return {
        "folder": str(made.place),
        "files": made.files,
        "bytes": made.bytes,
        "copied": made.copied,
        "damage": list(made.damage),
        "seconds": round(seconds, 3),
    }


def _snapshot(data: Path, name: str) -> Json:
    """Through the server if one runs, else by opening the files."""
    try:
        folder = DataFolder(data)
    except InUse:
        found = Client.of(str(data)).call("POST", "/backup", {"name": name})
        return {key: found[key] for key in ("counts", "damage")}
    try:
        with opened(data) as history:
            return take(data, history, name)
    finally:
        folder.close()


def restore(arguments: argparse.Namespace) -> int:
    if arguments.list:
        return _list(arguments)
    if arguments.data is None:
        raise InvalidInput("no folder is named to restore to", hint="name a new one with --data")
    started, data = monotonic(), Path(arguments.data)
    found = object_backup.at(arguments.backup)
    if isinstance(found, Path):
        made = backups.restore(found, data)
    else:
        made = object_backup.restore(*found, data)
    if arguments.json:
        as_json(_figures(made, monotonic() - started))
    else:
        say(f"Restored {made.files} files, {made.bytes:,} bytes, to {made.place}")
        say(f"Start it with: gemel serve --data {made.place}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    at = object_backup.at(arguments.backup)
    if isinstance(at, Path):
        found = [_listed(str(one), partial(backups.manifest, one)) for one in backups.whole(at)]
    else:
        place = at[0]
        found = [
            _listed(f"{place.place}/{name}", partial(object_backup.manifest, place, name))
            for name in object_backup.names(place)
        ]
    if arguments.json:
        as_json({"backups": found})
        return 0
    rows = [
        (one["backup"], one["time"], f"{one['bytes']:,}", f"{one['readings']:,}", one["state"])
        for one in found
    ]
    head = ("BACKUP", "TIME", "BYTES", "READINGS", "STATE")
    table(head, rows, f"no backups in {arguments.backup}")
    return 0


def _listed(place: str, read: Callable[[], Json]) -> Json:
    try:
        about, state = read(), "whole"
    except (Damaged, InvalidInput) as error:
        about, state = {}, error.message
    return {
        "backup": place,
        "time": about.get("time", "-"),
        "bytes": about.get("bytes", 0),
        "readings": about.get("counts", {}).get("readings", 0),
        "gemel": about.get("gemel", "-"),
        "state": state,
    }
