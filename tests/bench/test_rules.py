"""`scripts/bench rules`: a loop written by hand finds what Gemel finds, for every construct."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_construct_is_measured_and_found_alike_by_hand():
    command = [sys.executable, str(ROOT / "bench" / "rules.py"), "--quick", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)["rows"]
    assert {row["name"] for row in found} >= {
        *("threshold", "duration", "deadband", "on- and off-delay", "rate", "mean", "sd"),
        *("percentile", "slope", "count", "silence", "deviation", "relatives"),
    }
    for row in found:
        assert row["same"], row["name"]
        assert row["transitions"] > 50, row["name"]
        assert row["ticks"]["1000"]["median_ms"] > 0
        assert row["backtest_million_a_second"] > 0
