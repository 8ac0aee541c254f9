"""The study of savings on a meter of its form, made here: nothing done is nothing saved."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from studies.savings import run

from studies import Options


def test_nothing_is_saved_at_a_meter_that_weather_explains(tmp_path: Path) -> None:
    folder = tmp_path / "building_energy"
    folder.mkdir()
    hours = np.arange(24 * 300)
    random = np.random.default_rng(2)
    outdoor = 10 - 8 * np.cos(2 * np.pi * hours / 8760) + random.normal(0, 2, len(hours))
    for name, column, values in (
        ("weather", "Outdoor Drybulb Temperature [C]", outdoor),
        ("Building_1", "Equipment Electric Power [kWh]", 3 - 0.1 * outdoor),
    ):
        with gzip.open(folder / f"{name}.csv.gz", "wt") as out:
            out.write(f"{column}\n")
            out.writelines(f"{value + random.normal(0, 0.1):.4f}\n" for value in values)
    found = run(Options(data=tmp_path, small=True))
    (row,) = found.values()
    assert row["days"] == 2
    assert row["holdsNothing"] == row["holdsTenth"] == row["meets"] == 2
    assert abs(row["nmbe"]) < 0.02
