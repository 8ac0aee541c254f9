"""`scripts/check` says in words which npm packages of the page are missing, and how to get them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "packages.mjs"
NODE = shutil.which("node") or shutil.which("node", path=str(ROOT / ".venv" / "bin"))

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


def said(page: Path, **installed: str) -> tuple[int, str]:
    """What is said of a page that asks for two packages, one optional, with these installed."""
    lock = {
        "": {"version": "0.1.0"},
        "node_modules/one": {"version": "1.2.3"},
        "node_modules/two": {"version": "2.0.0"},
        "node_modules/other-system": {"version": "1.0.0", "optional": True},
    }
    (page / "package-lock.json").write_text(json.dumps({"packages": lock}))
    for name, version in installed.items():
        folder = page / "node_modules" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"version": version}))
    done = subprocess.run(
        [str(NODE), str(SCRIPT)], cwd=page, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stderr


def test_what_is_installed_needs_no_words(tmp_path: Path) -> None:
    assert said(tmp_path, one="1.2.3", two="2.0.0") == (0, "")


def test_a_missing_package_and_one_of_another_version_are_named(tmp_path: Path) -> None:
    code, words = said(tmp_path, one="1.2.4")
    assert code == 1
    assert "missing or of another version: one 1.2.3, two 2.0.0." in words
    assert "npm ci" in words
    assert "other-system" not in words


def test_check_asks_before_it_checks_the_page() -> None:
    check = (ROOT / "scripts" / "check").read_text()
    assert check.index("scripts/packages.mjs") < check.index("npm run --silent check")
