"""The machine that a figure is of, and what processes used of it."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def machine(programs: dict[str, str]) -> dict[str, object]:
    """What a reader must know of where figures come from.

    Args:
        programs: names of server programs, and the option that prints their version.
    """
    cpu = Path("/proc/cpuinfo").read_text().split("model name", 1)[1].split("\n")[0].strip("\t: ")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    versions = {"gemel": version("gemel"), "numpy": version("numpy")}
    for program, option in programs.items():
        versions[Path(program).name] = _version(program, option)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.platform(terse=True),
        "python": sys.version.split()[0],
        "versions": versions,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _version(program: str, option: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        return "not installed"
    done = subprocess.run([found, option], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "?"


def family(pid: int) -> list[int]:
    """A process with all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of processes and of their children that ended."""
    total = 0
    for pid in {one for parent in pids for one in family(parent)}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def own_seconds(pid: int) -> float:
    """User and system time of one process alone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / TICKS


def memory_mb(pids: list[int]) -> float:
    """Proportional set size: memory that processes share counts once."""
    total = 0
    for pid in {one for parent in pids for one in family(parent)}:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:")
    return total / 1000


def disk_bytes(folder: Path, without: str = "") -> int:
    """What the files of a folder take of the disk, but for those of a name."""
    total = 0
    for file in folder.rglob("*"):
        try:
            found = file.stat()
        except FileNotFoundError:  # a server at work on its files
            continue
        if file.name != without and stat.S_ISREG(found.st_mode):
            total += 512 * found.st_blocks
    return total
