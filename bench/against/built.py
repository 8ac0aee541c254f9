"""Small programs in C that measure what the system alone takes, built when they are needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from against.servers import NotHere


def built(name: str, folder: Path) -> Path:
    """A program of this folder, built in another.

    Raises:
        NotHere: there is no C compiler, or it does not build here.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NotHere(f"{name}.c needs a C compiler, and there is none; apt-get install gcc")
    made, source = folder / name, Path(__file__).with_name(f"{name}.c")
    words = [compiler, "-O2", "-o", str(made), str(source)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere(f"{name}.c does not build: {done.stderr.strip()[-300:]}")
    return made
