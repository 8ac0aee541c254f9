"""A second name for every file of a history, so that it can be copied while the first goes on."""

from __future__ import annotations

from pathlib import Path

from gemel.history.files import Files
from gemel.history.log import log_numbers, log_path
from gemel.history.names import FILE
from gemel.history.rollfile import ROLLED
from gemel.history.segment import GONE, SEALED

PATTERNS = {
    "segments": ("*" + SEALED, "*" + GONE, *("*" + suffix for suffix in ROLLED.values())),
    "rejects": ("*.jsonl.zst",),
    "checkpoints": ("*.ckpt",),
    "quarantine": ("*",),
}


def link_all(folder: Path, target: Path, files: Files, written: int) -> None:
    """Gives the files of `folder` names in `target`, which is made.

    The caller sees to it that none is removed meanwhile. New segments may appear: the logs go
    first, so what a segment holds that is missed here is in a log.

    Args:
        folder: the history's.
        target: on the same disk, or everything is copied.
        files: the disk.
        written: log files from this number on are still written to, and left out.
    """
    for name in ("log", *PATTERNS):
        (target / name).mkdir(parents=True, exist_ok=True)
    for number in log_numbers(folder / "log"):
        if number < written:
            files.link(log_path(folder / "log", number), log_path(target / "log", number))
    for name, patterns in PATTERNS.items():
        for pattern in patterns:
            for path in sorted((folder / name).glob(pattern)):
                files.link(path, target / name / path.name)
    if (folder / FILE).exists():
        data = files.read(folder / FILE)  # it grows: a copy of its whole lines
        files.put(target / FILE, [data[: data.rfind(b"\n") + 1]])
