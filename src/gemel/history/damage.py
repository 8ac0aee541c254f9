"""What was found broken on disk: named, kept in a list, never served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a file that is not what was written."""

    file: str
    """Path inside the history's folder."""
    offset: int
    length: int
    what: str
    """What is wrong and what it means for the readings."""
    is_torn_tail: bool = False
    """The end of a log that was being written when the process or the machine stopped."""

    def __str__(self) -> str:
        return f"{self.file}, bytes {self.offset} to {self.offset + self.length}: {self.what}"


@contextmanager
def reading(damage: DamageList, file: str) -> Iterator[None]:
    """What cannot be read is damage; what is gone was replaced or removed meanwhile."""
    try:
        yield
    except FileNotFoundError:
        return
    except OSError as error:
        damage.add(Damage(file, 0, 0, f"cannot be read: {error.strerror or error}"))


class DamageList:
    """All damage seen since opening, each place once; safe from any thread."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], Damage] = {}
        self._lock = Lock()

    def add(self, damage: Damage) -> None:
        with self._lock:
            self._found.setdefault((damage.file, damage.offset), damage)

    def __iter__(self) -> Iterator[Damage]:
        with self._lock:
            return iter(list(self._found.values()))

    def __len__(self) -> int:
        return len(self._found)

    def touches(self, file: str) -> bool:
        """Whether anything is known to be wrong with this file."""
        return any(found.file == file for found in self)

    def is_worth_keeping(self, file: str) -> bool:
        """Whether a file has more wrong with it than a torn end."""
        return any(found.file == file and not found.is_torn_tail for found in self)
