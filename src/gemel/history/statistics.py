"""Figures of a history at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from gemel.history.damage import Damage


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts since the history began unless said otherwise; bytes are on disk."""

    state: str
    """ok, full (no room on the disk; reads work, appends are refused), failed or closed."""
    reason: str
    """Why it is not ok; "" when it is."""
    readings: int
    """Stored readings; copies that were sent again count until they are compacted away."""
    unsealed: int
    """Of these, the ones still in the log and in memory."""
    expired: int
    """Since opening: readings that were removed for their age."""
    copies: int
    """Since opening: copies that merging has dropped."""
    rejects: int
    series: int
    segments: int
    log_files: int
    log_bytes: int
    segment_bytes: int
    """Of readings."""
    rollup_bytes: int
    """Of their minutes and hours."""
    names_bytes: int
    checkpoint_bytes: int
    pending_bytes: int
    commits: int
    """Since opening."""
    commit_seconds: float
    """The last group commit took this long."""
    sealing: str
    """Why the last attempt at sealing failed; "" when it did not."""
    damage: tuple[Damage, ...]

    @property
    def bytes_by_kind(self) -> dict[str, int]:
        """What the files take but for rejects, which have their own bound."""
        return {
            "log": self.log_bytes,
            "readings": self.segment_bytes,
            "rollups": self.rollup_bytes,
            "names": self.names_bytes,
            "checkpoints": self.checkpoint_bytes,
        }
