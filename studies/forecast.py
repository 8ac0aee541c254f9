"""Bands of forecasts learnt from little history: coverage and width, as the live part gives them.

Each series is cut at random places into a history and what came. The run `learn` sees the history;
the live part then follows what came, and every forecast of it, at every lead, is held against it:
by the band of the version, and by the band as the live part has it. Sets: `ett` (ETTh1, hours,
horizon 24), `meter` (two UK homes, hours, horizon 24), `figures` and `vibration` (the simulated
demo plant, 30 s, horizon 20, as its services have them). How bands are made was chosen on other
columns of ETTh1 (0, 2, 4, 6), the first half of the meters and plant seed 5. Mark, written before
what is judged was run: 0.85 to 0.95 of what came is in its band, with three horizons of history and
more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gemel.core.batch import F64
from gemel.core.clock import SECOND
from gemel.services.contract import Column, Instance, Job, Readings, Setup, Signal
from gemel.services.forecast.kind import KIND
from gemel.services.forecast.live import Forecaster
from gemel.services.forecast.study import learn_run
from gemel.services.schema import completed
from gemel.simulate.floor import AREAS, Floor
from gemel.simulate.plant import Area
from studies import Options
from studies._tables import Table

FIGURES = {
    "oee", "throughput", "sitePower", "totalFlow", "activePower", "meanTemperature", "rate",
}  # fmt: skip
HOURLY, DEMO = (24, 72, 24, 3600.0), (20, 20, 20, 30.0)
"""Season, lags, horizon, and seconds of a step."""
HISTORY = {"ett": (200, 400, 1000), "meter": (200, 400, 1000), "figures": (360, 1440),
           "vibration": (360, 1440)}  # fmt: skip
"""Steps: of the demo's three and twelve hours."""
FOLLOWED = 10
"""Horizons that are followed after the history."""
PLANT_SEED, HOURS = 5, 20


def sets(options: Options) -> list[str]:
    """Its sets."""
    del options
    return list(HISTORY)


def run(options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    cuts = 1 if options.small else 4
    for name, lengths in HISTORY.items():
        if options.set not in ("", name) or (options.small and name != "ett"):
            continue
        series = _series(name, options)
        setting = HOURLY if name in ("ett", "meter") else DEMO
        for steps in lengths[:1] if options.small else lengths:
            random = np.random.default_rng([options.seed, steps])
            found[f"{name}, {steps} steps"] = _judged(series, setting, steps, cuts, random)
    return found


def _series(name: str, options: Options) -> list[F64]:
    if name == "ett":
        table = Table(options.folder("ett") / "ETTh1.csv")
        return [table.column(c) for c in ("HULL", "MULL", "LULL")]
    if name == "meter":
        files = sorted(options.folder("meter_uk").glob("*-hourly-*.csv.gz"))
        columns = [Table(file).column("value", empty=np.nan) for file in files]
        return [_whole(one[len(one) // 2 :]) for one in columns]
    area = Area(AREAS, PLANT_SEED + options.seed, Floor(), 1_790_000_000.0)
    record: dict[tuple[str, str], F64] = {}
    steps = round(HOURS * 3600 / DEMO[3])
    wanted = FIGURES if name == "figures" else {"vibration"}
    for k in range(steps):
        area.advance(DEMO[3])
        for device in area.devices:
            for twin, values in device.truth().items():
                for path in wanted & set(values):
                    column = record.setdefault((twin, path), np.full(steps, np.nan))
                    column[k] = values[path]
    return [_whole(column) for _, column in sorted(record.items())]


def _whole(values: F64) -> F64:
    """Without gaps."""
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), known, values[known])


def _judged(
    series: list[F64], setting: tuple[int, int, int, float], steps: int, cuts: int,
    random: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    rows = []
    whole = steps + (FOLLOWED + 1) * setting[2]
    for values in series:
        for begin in random.integers(0, max(len(values) - whole, 1), cuts).tolist():
            rows.append(_followed(values[begin : begin + whole], setting, steps))
    table = np.array(rows)
    return {
        "histories": len(rows),
        "horizonsOfHistory": steps / setting[2],
        "coverage": table[:, 0].mean(),
        "coverageAsLearnt": table[:, 1].mean(),
        "historiesBelow75": int((table[:, 0] < 0.75).sum()),
        "widthToMeanError": float(np.median(table[:, 2])),
    }


def _followed(
    values: F64, setting: tuple[int, int, int, float], steps: int
) -> tuple[float, float, float]:
    """Coverage of live bands and of the version's, and width over the mean error."""
    season, lags, horizon, seconds = setting
    width = round(seconds * SECOND)
    given = {"season": season, "lags": lags, "horizon": horizon, "step": seconds}
    signals = (Signal("a", "x"),)
    instance = Instance("f", "forecast", ("a",), completed(KIND.parameters, given), signals)
    time = np.arange(1, len(values) + 1, dtype=np.int64) * width
    past = Column(time[:steps], values[:steps])
    fit = learn_run(Job(instance, {}, signals, [past], 0, int(time[steps])), lambda *_: None).fit
    live = Forecaster(Setup(instance, fit, 1))
    came = Readings(np.zeros(len(values) - steps, np.int32), time[steps:], values[steps:])
    out = live.update(came).outputs
    assert out.low is not None
    assert out.high is not None
    at = out.time // width - 1
    inside = at < len(values)
    truth = values[at[inside]]
    value, low, high = (part[inside] for part in (out.value, out.low, out.high))
    first, last = live.learnt.low[0], live.learnt.high[0]
    lead = np.tile(np.arange(horizon), len(out) // horizon)[inside]
    off = truth - value
    return (
        float(((truth >= low) & (truth <= high)).mean()),
        float(((off >= first[lead]) & (off <= last[lead])).mean()),
        float((high - low).mean() / max(float(np.abs(off).mean()), 1e-12)),
    )
