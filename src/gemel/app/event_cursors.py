"""Up to which edit each endpoint of events was served: a small file with a checksum in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from zlib import crc32

import orjson

from gemel.core.document import Json
from gemel.core.errors import Damaged

FILE = "event-cursors.json"


def read(path: Path) -> tuple[str, dict[str, int]]:
    """The source that events name, and the cursors; `("", {})` where there is no file.

    Raises:
        Damaged: it is not what was written.
    """
    try:
        found = orjson.loads(path.read_bytes())
        check = found.pop("crc32", None)  # none in those of before there was one
        if not found:
            return "", {}
        source, cursors = found.pop("source"), found.pop("cursors")
        if found or (check is not None and check != _check(source, cursors)):
            raise ValueError("its checksum does not fit")
        return str(source), {str(name): int(n) for name, n in cursors.items()}
    except FileNotFoundError:
        return "", {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"cannot be read ({error}); events since its last state are sent again"
        raise Damaged(what, hint="it is written anew with the next event") from error


def write(path: Path, source: str, cursors: Mapping[str, int]) -> None:
    """Whole or not at all.

    Raises:
        OSError: the disk does not take it.
    """
    content: Json = {"source": source, "cursors": cursors, "crc32": _check(source, cursors)}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(orjson.dumps(content))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _check(source: object, cursors: object) -> int:
    return crc32(orjson.dumps([source, cursors], option=orjson.OPT_SORT_KEYS))
