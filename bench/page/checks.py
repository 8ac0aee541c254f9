"""What the tests in a browser check, as rows: run as they are, and counted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from page.rows import Bench, Row, row

ROOT = Path(__file__).parents[2]


def accessibility(_: Bench) -> list[Row]:
    """Axe on every page in both themes and two widths, and the main tasks by keyboard alone."""
    rows = []
    for name, file, which in (
        ("axe on all pages, 2 themes, 2 widths, and layers", "test_accessibility.py", "axe"),
        ("main tasks with the keyboard alone", "test_keyboard.py", "test"),
    ):
        command = [sys.executable, "-m", "pytest", "-q", f"tests/e2e/{file}", "-k", which]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
        last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
        said = re.sub(r" in .*", "", last)
        rows.append(row(name, "all pass", said, done.returncode == 0))
    return rows
