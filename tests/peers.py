"""Fetches the programs of others that tests run against us; each lives in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv/peers"
SECONDS = 180
# scripts/setup puts Node there when the machine has none
os.environ["PATH"] += f"{os.pathsep}{ROOT / '.venv/bin'}"

Fetched = tuple[Path | None, str]
"""The folder, or None and why there is none."""


def npm(package: str, *more: str) -> Fetched:
    """A folder whose `node_modules` has npm packages, such as `@scope/name@1.2.3`."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None, "node and npm are not installed"
    folder = PEERS / ("npm-" + package.strip("@").replace("/", "-"))
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix"]
    return _fetched(folder, [*command, str(folder), package, *more], package)


def pip(name: str, *packages: str) -> Fetched:
    """A folder for PYTHONPATH with Python packages."""
    folder = PEERS / f"pip-{name}"
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    return _fetched(folder, [*command, "--target", str(folder), *packages], packages[0])


def source(package: str) -> Fetched:
    """A folder with the unpacked source distribution of a Python package, such as `x==1.0`."""
    folder = PEERS / f"source-{package.replace('==', '-')}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-binary", ":all:", "-d", str(folder)]
    fetched, why_not = _fetched(folder, [*command, *options, package], package)
    if fetched is None:
        return None, why_not
    for archive in folder.glob("*.tar.gz"):
        shutil.unpack_archive(archive, folder, filter="data")
        archive.unlink()
    return next(one for one in folder.iterdir() if one.is_dir()), ""


def _fetched(folder: Path, command: list[str], name: str) -> Fetched:
    """Runs the command that fills a folder, once; a folder half filled is begun anew."""
    done = folder / ".done"
    if done.exists():
        return folder, ""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, f"{name} cannot be fetched within {SECONDS} s"
    if ran.returncode:
        return None, f"{name} cannot be fetched: {ran.stderr.strip()[-300:]}"
    done.touch()
    return folder, ""
