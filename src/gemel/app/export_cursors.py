"""How far each export is: a small file with a checksum in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from zlib import crc32

import orjson

from gemel.core.errors import Damaged
from gemel.history import Position

FILE = "export-cursors.json"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where an export is."""

    position: Position
    since: int
    """The earliest time that goes out, ns."""
    said: str
    """What its settings said of that."""
    received: int = 0
    """When the latest of what went out was received, ns; 0 before the first."""
    exported: int = 0
    refused: int = 0
    expired: int = 0

    def moved(self, position: Position, rows: int, received: int) -> Cursor:
        """Behind some more readings."""
        return replace(
            self,
            position=position,
            exported=self.exported + rows,
            received=max(self.received, received),
        )


def read(path: Path) -> dict[str, Cursor]:
    """The cursors by export; none where there is no file.

    Raises:
        Damaged: it is not what was written.
    """
    try:
        found = orjson.loads(path.read_bytes())
        cursors = found["cursors"]
        if found.keys() != {"cursors", "crc32"} or found["crc32"] != _check(cursors):
            raise ValueError("its checksum does not fit")
        return {
            str(name): Cursor(Position(*one.pop("position")), **one)
            for name, one in cursors.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"cannot be read ({error}); exports begin anew, with all that is stored"
        raise Damaged(what, hint="what went out before goes once more and is there once") from error


def write(path: Path, cursors: Mapping[str, Cursor]) -> None:
    """Whole or not at all.

    Raises:
        OSError: the disk does not take it.
    """
    content = {
        name: {**asdict(one), "position": list(one.position)} for name, one in cursors.items()
    }
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(orjson.dumps({"cursors": content, "crc32": _check(content)}))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _check(cursors: object) -> int:
    return crc32(orjson.dumps(cursors, option=orjson.OPT_SORT_KEYS))
