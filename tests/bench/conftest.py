"""Modules of bench/, whose names packages of tests bear too: so they get other ones here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def of_bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a file of bench/ by its path in it, without `.py`."""

    def load(name: str) -> ModuleType:
        spec = util.spec_from_file_location("bench_" + name.replace("/", "_"), BENCH / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        made = util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, made)
        monkeypatch.syspath_prepend(str(BENCH))
        spec.loader.exec_module(made)
        return made

    return load
