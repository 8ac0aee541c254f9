"""Every bench says what it takes, and tells its figures in one form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
BENCHES = sorted(file.stem for file in (ROOT / "bench").glob("*.py"))
ALL_HELPS = """
import contextlib, io, json, runpy, sys
found = {}
for path in sys.argv[1:]:
    sys.argv = [path, "--help"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as end:
            found[path] = [end.code, said.getvalue()]
print(json.dumps(found))
"""


def test_every_bench_has_help_and_json() -> None:
    files = [str(ROOT / "bench" / f"{name}.py") for name in BENCHES]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bench")}
    command = [sys.executable, "-c", ALL_HELPS, *files]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == files
    for name, (code, text) in zip(BENCHES, found.values(), strict=True):
        assert code == 0
        assert text.startswith(f"usage: scripts/bench {name} ")
        assert "--json" in text


@pytest.mark.parametrize("script", ["bench", "test", "pictures", "check", "setup", "study"])
def test_scripts_say_what_they_do(script: str) -> None:
    command = ["sh", str(ROOT / "scripts" / script), "--help"]
    if script == "study":  # which is set up first, as all that have arguments of Python
        command = [sys.executable, "-m", "studies", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"scripts/{script}" in done.stdout
    if script == "bench":
        assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == BENCHES
    if script == "study":
        assert "  rul " in done.stdout


def test_what_no_bench_is_named_says_how_to_find_them() -> None:
    command = ["sh", str(ROOT / "scripts" / "bench"), "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "scripts/bench lists them" in done.stderr


def test_figures_for_programs_are_one_object(
    capsys: pytest.CaptureFixture[str], of_bench: Callable[[str], ModuleType]
) -> None:
    tell = of_bench("against/rows").tell

    def rows() -> Iterator[dict[str, object]]:
        print("something is installed")
        yield {"name": "one", "ms": float("nan")}
        yield {"name": "two", "ms": 1.5}

    tell(rows(), as_json=True)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert {"cpu", "cores", "memory_gb", "python", "versions", "date"} <= set(found["machine"])
    assert found["rows"] == [{"name": "one", "ms": None}, {"name": "two", "ms": 1.5}]
    assert "something is installed" in err
    tell(rows(), as_json=False)
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["one", "two"]
    assert "something is installed" in err
