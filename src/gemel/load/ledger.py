"""What was acknowledged, on disk: a line of JSON with the plan, then `connection first count`.

Lines are appended by single writes, so that a generator that is killed leaves at most one torn
line, and what it says is never more than what was acknowledged.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from gemel.core.batch import I64
from gemel.core.errors import ConfigInvalid, InvalidInput, NotFound
from gemel.load.plan import Plan

FORM = 1


class LedgerWriter:
    """Appends to a new ledger.

    Raises:
        ConfigInvalid: the file exists already, or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except FileExistsError as error:
            raise ConfigInvalid(
                f"--ledger {path} exists already", hint="a ledger is of one run: name another file"
            ) from error
        except OSError as error:
            raise ConfigInvalid(f"--ledger {path}: {error.strerror}") from error

    def begin(self, plan: Plan) -> None:
        """Writes the first line."""
        os.write(self._file, orjson.dumps({"ledger": FORM, **plan.as_json()}) + b"\n")

    def add(self, runs: Iterable[tuple[int, int, int]]) -> None:
        """Runs of acknowledged messages: (connection, first, count)."""
        data = b"".join(b"%d %d %d\n" % run for run in runs)
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Ledger:
    plan: Plan
    acknowledged: dict[int, I64]
    """The numbers of the messages that were, sorted, by connection."""

    @property
    def messages(self) -> int:
        return sum(map(len, self.acknowledged.values()))


def read_ledger(path: Path) -> Ledger:
    """Reads what a generator wrote, whole or killed.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is no ledger.
    """
    try:
        head, *lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise NotFound(f"the ledger {path} cannot be read: {error.strerror}") from error
    try:
        found = orjson.loads(head)
        form = found.pop("ledger")
    except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
        raise InvalidInput(f"{path} is no ledger", hint="--ledger of gemel bench load") from error
    if form != FORM:
        raise InvalidInput(f"{path} is a ledger of form {form}, not {FORM}")
    runs: dict[int, list[I64]] = defaultdict(list)
    for number, line in enumerate(lines[:-1], 2):  # what follows the last line end is torn
        try:
            connection, first, count = map(int, line.split())
        except ValueError as error:
            raise InvalidInput(f"{path}, line {number}: '{line[:40]!r}' is no run") from error
        runs[connection].append(np.arange(first, first + count, dtype=np.int64))
    acknowledged = {c: np.unique(np.concatenate(parts)) for c, parts in runs.items()}
    return Ledger(Plan.from_json(found), acknowledged)
