"""A running demo for the tests of the documentation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from running import Running


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`gemel demo` as the tutorial starts it, but for the faults that would come by themselves."""
    folder = tmp_path_factory.mktemp("docs") / "gemel-data" / "demo"
    folder.parent.mkdir()
    flags = ("--no-browser", "--faults", "none", "--coap", "127.0.0.1:0")
    with Running(folder, *flags, command="demo") as running:
        yield running


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`gemel serve` on ./gemel-data, as the README and the how-tos have it."""
    with Running(
        tmp_path_factory.mktemp("serve") / "gemel-data", "--coap", "127.0.0.1:0"
    ) as running:
        yield running
