"""The compiled fast path, built with sanitizers, is fed with mutated bytes for some seconds.

Guided by coverage. GEMEL_FUZZ_SECONDS makes it longer; GEMEL_FUZZ_CORPUS names a folder that keeps
the inputs that led somewhere new from one run to the next.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "src" / "gemel" / "core" / "native"
COVERAGE = Path(__file__).with_name("coverage.c")
SECONDS = os.environ.get("GEMEL_FUZZ_SECONDS", "12")


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def build(folder: Path) -> tuple[Path, str]:
    """A copy of the package with a sanitized extension, and the library to load before it."""
    compiler = shutil.which("gcc")
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    if compiler is None or not header.exists():
        pytest.skip("gcc and Python's headers are needed to build the fast path with sanitizers")
    found = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    if not all(Path(name).is_absolute() for name in found):
        pytest.skip("this gcc has no address and undefined-behaviour sanitizers")
    package = folder / "gemel"
    ignored = shutil.ignore_patterns("*.so", "_web", "__pycache__")
    shutil.copytree(ROOT / "src" / "gemel", package, ignore=ignored)
    target = package / "core" / f"_fast{sysconfig.get_config_var('EXT_SUFFIX')}"
    command = [compiler, "-std=c11", "-O1", "-g", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    command += ["-Wno-unused-parameter", "-Wno-missing-field-initializers"]
    command += ["-Wno-cast-function-type", "-fsanitize=address,undefined"]
    command += ["-fno-sanitize-recover=all", "-fno-omit-frame-pointer", f"-I{header.parent}"]
    counts = folder / "coverage.o"
    run([compiler, "-O2", "-fPIC", "-c", str(COVERAGE), "-o", str(counts)])
    command += [
        "-DGEMEL_COUNTED",
        "-DGEMEL_LONG=100",  # so that much is read without the GIL, and much with it
        "-fsanitize-coverage=trace-pc",
        str(NATIVE / "fast.c"),
        str(counts),
    ]
    run([*command, "-o", str(target), "-lm"])
    return folder, ":".join(found)


def last_input(corpus: Path) -> str:
    """What ran when the process died."""
    file = corpus / "last"
    return f"\ninput: {file.read_bytes().splitlines()[0]!r}" if file.exists() else ""


def test_no_input_breaks_the_compiled_path(tmp_path: Path) -> None:
    folder, libraries = build(tmp_path)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GEMEL_")},
        "PYTHONPATH": str(folder),
        "LD_PRELOAD": libraries,
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    feeder = Path(__file__).with_name("feed_fast.py")
    corpus = Path(os.environ.get("GEMEL_FUZZ_CORPUS", tmp_path / "corpus")).absolute()
    seed = str(int.from_bytes(os.urandom(4), "big"))
    done = subprocess.run(
        [sys.executable, str(feeder), SECONDS, seed, str(corpus)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:] + last_input(corpus)
    kept = re.search(r"kept (\d+) payloads and (\d+)\s+streams, (\d+) orders", done.stdout)
    assert kept, done.stdout
    assert min(map(int, kept.groups())) > 5, done.stdout  # it is guided, not blind
