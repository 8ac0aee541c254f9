"""Objects as files of a folder: `core.ports.Objects` without a server."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gemel.backends.object_errors import usable
from gemel.core.errors import Conflict, GemelError, NotFound, Unavailable
from gemel.core.ports import ObjectFacts

PART = ".part"
BLOCK = 1 << 20


class FolderObjects:
    """Files below a folder that is there; each is durable when it bears its name."""

    def __init__(self, folder: Path, place: str = "") -> None:
        self.folder = folder
        self.place = place or str(folder)

    def put(self, name: str, pieces: Iterable[bytes], *, replace: bool = True) -> int:
        path = self._path(name)
        part = path.with_name(f".{path.name}{PART}")
        size = 0
        with self._worded(name):
            self._make_folders(path.parent)
            if not replace and path.exists():
                raise self._is_there(name)
            try:
                with part.open("wb") as file:
                    for piece in pieces:
                        size += file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                self._named(part, path, name, replace=replace)
                _sync(path.parent)
            finally:
                part.unlink(missing_ok=True)
        return size

    def _named(self, part: Path, path: Path, name: str, *, replace: bool) -> None:
        if replace:
            part.replace(path)
            return
        try:
            os.link(part, path)
        except FileExistsError as error:
            raise self._is_there(name) from error
        except OSError:  # this disk knows no links
            part.rename(path)

    def _make_folders(self, folder: Path) -> None:
        """Those below the place; the place itself is the user's to make."""
        missing = []
        while folder != self.folder and not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for one in reversed(missing):
            one.mkdir(exist_ok=True)
            _sync(one.parent)

    def get(self, name: str) -> Iterator[bytes]:
        with self._worded(name), self._path(name).open("rb") as file:
            while block := file.read(BLOCK):
                yield block

    def list(self, folder: str) -> Iterator[ObjectFacts]:
        with self._worded(folder):
            for path in sorted((self._path(folder) if folder else self.folder).rglob("*")):
                if path.is_file() and not (path.name[0] == "." and path.name.endswith(PART)):
                    facts = path.stat()
                    name = path.relative_to(self.folder).as_posix()
                    yield ObjectFacts(name, facts.st_size, facts.st_mtime_ns)

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            with self._worded(name):
                self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / usable(name)

    def _is_there(self, name: str) -> Conflict:
        return Conflict(f"there is {self.place}/{name} already", hint="name another")

    @contextmanager
    def _worded(self, name: str) -> Iterator[None]:
        """Turns the system's errors into ours."""
        try:
            yield
        except GemelError:
            raise
        except FileNotFoundError as error:
            if not self.folder.is_dir():
                raise Unavailable(
                    f"{self.place} is no folder: {name} cannot be written or read there",
                    hint=f"make it, if it is the right one: mkdir -p {self.folder}",
                ) from error
            raise NotFound(f"there is no {self.place}/{name}", hint="mend its name") from error
        except OSError as error:
            raise Unavailable(
                f"{self.place}/{name} cannot be written or read: {error.strerror or error}",
                hint="free some room, or look after that disk and its rights",
            ) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
