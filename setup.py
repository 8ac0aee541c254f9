"""Builds the wheel and the sdist; the page is built by npm where there is one (scripts/page).

The C fast path is optional: without a compiler everything works, slower.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent


def build_page() -> None:
    """Builds the page into src/gemel/_web unless it is there and up to date."""
    builder = ROOT / "scripts" / "page"
    if builder.exists() and (ROOT / "ui").exists() and shutil.which("npm"):
        subprocess.run(["sh", str(builder)], check=True)
        return
    if not (ROOT / "src" / "gemel" / "_web" / "index.html").exists():
        sys.stderr.write(
            "gemel: the page is not built and npm is not here: this wheel has no page. "
            "Build from an sdist (it carries the page) or install Node 20 first.\n"
        )


class BuildWithPage(build_py):
    def run(self) -> None:
        if not self.editable_mode:
            build_page()
            self.data_files  # noqa: B018  (collected lazily, after the page exists)
        super().run()


class SdistWithPage(sdist):
    def run(self) -> None:
        build_page()
        super().run()


NATIVE = "src/gemel/core/native"
FAST = Extension(
    "gemel.core._fast",
    [f"{NATIVE}/fast.c"],
    depends=[f"{NATIVE}/{path.name}" for path in sorted((ROOT / NATIVE).glob("*.h"))],
    extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-std=c11"],
    optional=True,
)

setup(cmdclass={"build_py": BuildWithPage, "sdist": SdistWithPage}, ext_modules=[FAST])
