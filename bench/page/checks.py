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
    return [
        passing("axe on all pages, 2 themes, 2 widths, and layers", "test_accessibility.py", "axe"),
        passing("main tasks with the keyboard alone", "test_keyboard.py", "test"),
    ]


def pictures(_: Bench) -> list[Row]:
    """Every page in both themes and two widths beside the picture that is kept of it."""
    return [
        passing("8 pages, 2 themes, 2 widths, as in their pictures", "test_pictures.py", "looks"),
        passing("what is shifted, recoloured or removed is seen", "test_pictures.py", "seen"),
    ]


def passing(name: str, file: str, which: str) -> Row:
    """Whether the tests of a file pass, in pytest's own words."""
    command = [sys.executable, "-m", "pytest", "-q", f"tests/e2e/{file}", "-k", which]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
    return row(name, "all pass", re.sub(r" in .*", "", last), done.returncode == 0)
