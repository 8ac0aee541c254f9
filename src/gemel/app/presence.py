"""Which twins are live, stale or offline; all at once in columns, each second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from gemel.core.batch import F64, I64, U8

STATUSES = ("never", "live", "stale", "offline")
NEVER, LIVE, STALE, OFFLINE = range(4)


class Presence:
    """When each twin was last heard of, and whether its device's connection stands.

    A connection speaks for the twins that its token names and for the twin that its client id
    names. A twin whose connection was lost is offline until it is heard of again.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.version = 0
        """Grows when twins come or go: then rows mean others."""
        self._index: dict[str, int] = {}
        self._seen: I64 = np.zeros(0, np.int64)
        self._stale_after: F64 = np.zeros(0)
        self._lost: I64 = np.zeros(0, np.int64)
        self._status: U8 = np.zeros(0, np.uint8)
        self._connections: dict[str, int] = {}

    def add(self, twin: str, stale_after: float) -> None:
        row = self._index.get(twin)
        if row is None:
            row = len(self.names)
            self.version += 1
            self.names.append(twin)
            self._index[twin] = row
            if row >= len(self._seen):
                size = max(64, 2 * row)
                for name in ("_seen", "_stale_after", "_lost", "_status"):
                    old = getattr(self, name)
                    new = np.zeros(size, old.dtype)
                    new[: len(old)] = old
                    setattr(self, name, new)
        self._stale_after[row] = stale_after

    def remove(self, twin: str) -> None:
        """Forgets a twin; the last row moves into its place."""
        row = self._index.pop(twin, None)
        if row is None:
            return
        self.version += 1
        last = len(self.names) - 1
        if row != last:
            self.names[row] = self.names[last]
            self._index[self.names[row]] = row
            for column in (self._seen, self._stale_after, self._lost, self._status):
                column[row] = column[last]
        self.names.pop()
        self._seen[last] = self._lost[last] = self._status[last] = 0

    def seen(self, times: Mapping[str, int]) -> None:
        for twin, time in times.items():
            row = self._index.get(twin)
            if row is not None:
                if time > self._seen[row]:
                    self._seen[row] = time
                if time > self._lost[row]:  # what is late to become durable was sent before
                    self._lost[row] = 0

    def connected(self, twins: Iterable[str]) -> None:
        for twin in twins:
            self._connections[twin] = self._connections.get(twin, 0) + 1

    def disconnected(self, twins: Iterable[str], lost_at: int = 0) -> None:
        """`lost_at`: when the connection was lost (ns); 0 if the device said goodbye."""
        for twin in twins:
            left = self._connections.get(twin, 0) - 1
            if left > 0:
                self._connections[twin] = left
                continue
            self._connections.pop(twin, None)
            row = self._index.get(twin)
            if row is not None and lost_at:
                self._lost[row] = lost_at

    def born(self, twins: Iterable[str], at: int) -> None:
        """Somebody who knows says that they are there, such as the edge node that bears them."""
        for twin in twins:
            row = self._index.get(twin)
            if row is not None:
                self._seen[row] = max(at, int(self._seen[row]))
                self._lost[row] = 0

    def died(self, twins: Iterable[str], at: int) -> None:
        """Somebody who knows says that they are gone: offline, whatever connections stand."""
        for twin in twins:
            row = self._index.get(twin)
            if row is not None:
                self._lost[row] = at

    def is_connected(self, twin: str) -> bool:
        return twin in self._connections

    def last_seen(self, twin: str) -> int:
        """Ns since 1970; 0 when it was never heard of."""
        row = self._index.get(twin)
        return 0 if row is None else int(self._seen[row])

    def stale_after(self, twin: str) -> float:
        row = self._index.get(twin)
        return 0.0 if row is None else float(self._stale_after[row])

    def status(self, twin: str, now: int) -> str:
        row = self._index.get(twin)
        if row is None or not self._seen[row]:
            return "never"
        if self._lost[row]:
            return "offline"
        age = (now - int(self._seen[row])) / 1e9
        return "stale" if age > self._stale_after[row] else "live"

    def row_of(self, twin: str) -> int:
        """Its place in `columns`, while `version` stands; -1 when it is not known."""
        return self._index.get(twin, -1)

    def columns(self, now: int) -> tuple[U8, I64]:
        """Of all twins, by row: the status, and when they were last heard of (ns; 0 never)."""
        size = len(self.names)
        seen = self._seen[:size]
        status = np.where((now - seen) / 1e9 > self._stale_after[:size], STALE, LIVE)
        status = np.where(self._lost[:size] != 0, OFFLINE, status)
        return np.where(seen == 0, NEVER, status).astype(np.uint8), seen

    def tick(self, now: int) -> list[tuple[str, str]]:
        """The twins whose status changed since the last tick, with the new status."""
        size = len(self.names)
        status, _ = self.columns(now)
        changed = np.flatnonzero(status != self._status[:size])
        self._status[:size] = status
        return [(self.names[row], STATUSES[status[row]]) for row in changed]

    def counts(self, rows: I64 | None = None) -> dict[str, int]:
        """Twins by status as of the last tick; of some rows, if these are given."""
        status = self._status[: len(self.names)]
        found = np.bincount(status if rows is None else status[rows], minlength=4)
        return dict(zip(STATUSES, map(int, found), strict=True))

    def freshness(self, now: int, rows: I64 | None = None) -> float | None:
        """95th percentile of the age of what live twins last sent, in s; None without any."""
        size = len(self.names)
        live = np.flatnonzero(self._status[:size] == LIVE)
        if rows is not None:
            live = rows[self._status[rows] == LIVE]
        if not len(live):
            return None
        return float(np.percentile(np.maximum(now - self._seen[live], 0) / 1e9, 95))
