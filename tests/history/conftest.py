from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gemel.core.batch import EMPTY, Batch, make_batch
from gemel.core.series import SeriesTable
from gemel.history import History

SECOND = 1_000_000_000
MS = 1_000_000
T0 = 1_700_000_000 * SECOND


class Opened:
    """Opens histories in one folder and waits for what they store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[History] = []

    def __call__(self, names: int = 0, **options: object) -> History:
        options.setdefault("ballast_bytes", 0)
        history = History(self.folder, SeriesTable(), **options)  # type: ignore[arg-type]
        self.all.append(history)
        for i in range(names):
            history.series.id(f"pump-{i}", "flow")
        return history

    @staticmethod
    def store(history: History, batch: Batch, rejects: tuple[object, ...] = ()) -> Exception | None:
        done = threading.Event()
        outcome: list[Exception | None] = []

        def then(error: Exception | None) -> None:
            outcome.append(error)
            done.set()

        history.append(batch, rejects, then)  # type: ignore[arg-type]
        assert done.wait(60)
        return outcome[0]

    def close(self) -> None:
        for history in self.all:
            history.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    made = Opened(tmp_path / "history")
    yield made
    made.close()


@pytest.fixture
def rows_batch() -> Callable[..., Batch]:
    def build(*rows: tuple[int, float, object], received: int = T0, quality: int = 0) -> Batch:
        """Rows of (series, seconds after T0, number or JSON text)."""
        text = {i: str(v) for i, (_, _, v) in enumerate(rows) if isinstance(v, str)}
        numbers = [
            (s, T0 + round(t * SECOND), float("nan") if isinstance(v, str) else float(v), quality)  # type: ignore[arg-type]
            for s, t, v in rows
        ]
        return make_batch(numbers, received, text) if numbers else EMPTY

    return build
