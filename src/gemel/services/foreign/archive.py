"""An FMU as a file: a zip archive, looked at before anything of it is unpacked or run."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path, PurePosixPath

from gemel.core.errors import InvalidInput, TooLarge

DESCRIPTION = "modelDescription.xml"
MOST_FILES = 10_000
MOST_UNPACKED = 1 << 30
MOST_RATIO = 200
"""Unpacked bytes for each packed one, over the whole archive."""
MOST_DESCRIPTION = 64 << 20
PIECE = 1 << 20


def is_archive(data: bytes) -> bool:
    return data.startswith(b"PK\x03\x04")


def check(data: bytes) -> list[str]:
    """The names of its files.

    Raises:
        InvalidInput: it is no FMU, or a name leads out of its folder.
        TooLarge: unpacked it would be too large.
    """
    with _opened(data) as archive:
        entries = archive.infolist()
        for entry in entries:
            _check_name(entry)
        if len(entries) > MOST_FILES:
            raise TooLarge(f"the FMU holds {len(entries):,} files", hint=f"at most {MOST_FILES:,}")
        size = sum(entry.file_size for entry in entries)
        if size > MOST_UNPACKED or size > MOST_RATIO * max(len(data), PIECE):
            raise TooLarge(
                f"the FMU would be {size:,} bytes unpacked, from {len(data):,}",
                hint=f"at most {MOST_UNPACKED:,}, and at most {MOST_RATIO} times the packed size",
            )
        names = [entry.filename for entry in entries]
        if DESCRIPTION not in names:
            raise InvalidInput(
                f"the archive has no {DESCRIPTION}", hint="an FMU of FMI 2 or 3 has one at its top"
            )
        if archive.getinfo(DESCRIPTION).file_size > MOST_DESCRIPTION:
            raise TooLarge(f"{DESCRIPTION} is larger than {MOST_DESCRIPTION:,} bytes")
        return names


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InvalidInput(f"this is no FMU: {error}", hint="an FMU is a zip archive") from None


def _check_name(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    path = PurePosixPath(name)
    is_out = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
    if is_out or "\0" in name or not path.parts:
        raise InvalidInput(f"the FMU has a file '{name[:100]}', which leads out of its folder")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InvalidInput(f"the FMU has a symbolic link, '{name[:100]}'", hint="files only")
    if entry.flag_bits & 1:
        raise InvalidInput(f"the FMU's file '{name[:100]}' is encrypted", hint="send it in clear")


def unpack(data: bytes, folder: Path) -> None:
    """Unpacks it into an empty folder, as `check` has allowed; sizes are counted, not believed.

    Raises:
        InvalidInput, TooLarge: as `check`; or its bytes are damaged.
    """
    check(data)
    size = 0
    with _opened(data) as archive:
        for entry in archive.infolist():
            place = folder / entry.filename
            if entry.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                with archive.open(entry) as packed, place.open("wb") as file:
                    while piece := packed.read(PIECE):
                        size += len(piece)
                        if size > MOST_UNPACKED:
                            raise TooLarge(f"the FMU is larger than {MOST_UNPACKED:,} bytes")
                        file.write(piece)
            except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
                name = entry.filename[:100]
                raise InvalidInput(f"the FMU's file '{name}' is damaged: {error}") from None
