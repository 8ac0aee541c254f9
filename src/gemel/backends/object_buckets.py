"""Objects in S3 and Azure Blob Storage, by the library obstore; `object_access` opens them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

from gemel.backends.object_errors import usable, worded
from gemel.core.clock import SECOND
from gemel.core.errors import Conflict, GemelError
from gemel.core.ports import ObjectFacts

PART = 16 << 20
"""Bytes of a part: what is no larger goes in one request, the rest in parts of this size."""
AT_ONCE = 4
"""Parts of one object that are under way together."""
LISTED = 1000


class BucketObjects:
    """A bucket, or what lies below a prefix in it."""

    def __init__(self, first: Any, store: Any, place: str) -> None:
        """`first` is asked until it has answered once, `store` from then on."""
        self._library = importlib.import_module("obstore")
        self._store, self._later = first, store
        self.place = place

    def put(self, name: str, pieces: Iterable[bytes], *, replace: bool = True) -> int:
        usable(name)
        source = _Source(pieces)
        first = source.gathered(PART)
        if source.is_over:
            mode = "overwrite" if replace else "create"
            with self._worded(name):
                self._library.put(self._store, name, first, mode=mode, use_multipart=False)
            return source.bytes
        if not replace and self._is_there(name):
            raise Conflict(f"there is {self.place}/{name} already", hint="name another")
        with self._worded(name, source):
            self._library.put(
                self._store,
                name,
                chain([first], source),
                use_multipart=True,
                chunk_size=PART,
                max_concurrency=AT_ONCE,
            )
        return source.bytes

    def _is_there(self, name: str) -> bool:
        with self._worded(name):
            try:
                self._library.head(self._store, name)
            except FileNotFoundError:
                return False
        return True

    def get(self, name: str) -> Iterator[bytes]:
        with self._worded(name):
            for piece in self._library.get(self._store, name).stream(min_chunk_size=1 << 20):
                yield bytes(piece)

    def list(self, folder: str) -> Iterator[ObjectFacts]:
        with self._worded(folder):
            for some in self._library.list(self._store, folder, chunk_size=LISTED):
                for one in some:
                    modified = round(one["last_modified"].timestamp() * 1000) * (SECOND // 1000)
                    yield ObjectFacts(one["path"], one["size"], modified)

    def delete(self, names: Iterable[str]) -> None:
        found = sorted(names)
        for start in range(0, len(found), LISTED):
            some = found[start : start + LISTED]
            with self._worded(some[0]):
                try:
                    self._library.delete(self._store, some if len(some) > 1 else some[0])
                except FileNotFoundError:  # one of them is gone: the others are still to go
                    self._delete_each(some)

    def _delete_each(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                self._library.delete(self._store, name)

    @contextmanager
    def _worded(self, name: str, source: _Source | None = None) -> Iterator[None]:
        """Turns the library's errors into ours; what the source raised comes out as it was."""
        try:
            yield
            self._store = self._later
        except GemelError:
            raise
        except BaseException as error:
            if source is not None and source.error is not None:
                raise source.error from None
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise worded(error, self.place, name) from error


class _Source:
    """Pieces on their way up: counted, and their own error kept apart from the store's."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.bytes = 0
        self.is_over = False
        self.error: BaseException | None = None

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self.is_over = True
            raise
        except BaseException as error:
            self.error = error
            raise
        self.bytes += len(piece)
        return piece

    def gathered(self, size: int) -> bytes:
        """All of it, or of a large one somewhat more than `size`."""
        found: list[bytes] = []
        for piece in self:
            found.append(piece)
            if self.bytes > size:
                break
        return found[0] if len(found) == 1 else b"".join(found)
