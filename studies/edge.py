"""Edge reduction: points and bytes saved at stated bounds, and what the twin loses by it.

Bounds are shares of each signal's 1 to 99 % range. The error of every point that is rebuilt is
checked against its bound, also of what is rebuilt from bytes (`gemel.core.coded`: lines and the
rounding of their ends share the bound). Bytes stand against three denominators: a JSON message for
each row, the CSV file, and lossless binary batches (float32, xor with the row before, bytes by
significance, zlib). The twin: detection on Tennessee Eastman and SKAB, and sums of energy, on
reduced data against full data, with the detector as it is (its limit from the same reduced normal
data).

Marks, written before the first run: no point beyond its bound; at 1 % the bytes are at most 4 % of
JSON on the pump (SKAB), and neither detection rate nor F1 is lower by more than 0.02.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gemel.core.coded import coded, decoded
from gemel.core.reduction import deadband, held, integral, interpolated, swinging_door
from studies import NotThere, Options, StudyError
from studies._detection import judged, shares
from studies._tables import Table, matrix_of
from studies.anomaly_skab import files_of
from studies.anomaly_tep import BEGIN, runs_of, table_of

BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.05)
MOST_ROWS = 20_000
SECOND = 10**9
MARK_BYTES, MARK_LOSS = 0.04, 0.02


def sets(options: Options) -> list[str]:
    return list(SETS)


def run(options: Options) -> dict[str, Any]:
    bounds = (0.01,) if options.small else BOUNDS
    most = 1_000 if options.small else MOST_ROWS
    found: dict[str, Any] = {}
    for name, (load, step) in SETS.items():
        if options.set not in ("", name):
            continue
        try:
            table = load(options)
        except NotThere:
            continue
        found[name] = _set(table[:most], step, bounds)
    if not found:
        asked = [options.set] if options.set else SETS
        raise StudyError(f"{options.data} holds no data of: " + "; ".join(asked))
    twin = {} if options.set else _twin(options, found)
    worst = max(one["worstOfBound"] for one in found.values())
    return {
        "sets": found,
        "twin": twin,
        "worstErrorOfBound": worst,
        "isWithinBound": worst <= 1 + 1e-6,
        "marks": {"bytesOfJson": MARK_BYTES, "loss": MARK_LOSS},
    }


# ---- data ----------------------------------------------------------------------------------------


def _skab(options: Options) -> np.ndarray:
    calm = options.beside("skab", "anomaly-free/anomaly-free.csv.gz")
    if calm:
        return _columns(calm, ";", slice(1, 9))
    return files_of(replace(options, set=""))[0][0]


def _tep(options: Options) -> np.ndarray:
    return table_of(options.file("tep", "d00_te.dat.gz", "d??_te.dat*"))


def _ett(options: Options) -> np.ndarray:
    return _columns(options.file("ett", "ETTh1.csv", "ETTh*.csv*"), ",", slice(1, 8))


def _machine(options: Options) -> np.ndarray:
    name = "realKnownCause/machine_temperature_system_failure.csv"
    return _columns(options.file("nab", name, "*/machine_temperature*.csv"), ",", slice(1, 2))


def _wind(options: Options) -> np.ndarray:
    path = options.file("wind_scada", "turbine_2018_jan_aug.csv.gz", "turbine_*.csv*")
    return _columns(path, ",", slice(1, 4))


def _air(options: Options) -> np.ndarray:
    path = options.file("hvac_fdd", "MZVAV-2-1.csv.gz", "MZVAV*.csv*")
    return _columns(path, ",", slice(1, 14))


def _hydraulic(options: Options) -> np.ndarray:
    folder = options.folder("hydraulic")
    names = ("TS1", "TS2", "TS3", "TS4", "VS1", "CE", "CP", "SE")
    found = [folder / f"{name}.txt.gz" for name in names]
    parts = [_numbers(path).ravel() for path in found if path.exists()]
    if not parts:
        raise NotThere(f"{folder} holds no sensor")
    return np.stack(parts, axis=1)


SETS: dict[str, Any] = {
    "skab pump, 1 s": (_skab, 1.0),
    "hydraulic rig, 1 s": (_hydraulic, 1.0),
    "air handler, 1 min": (_air, 60.0),
    "machine temperature, 5 min": (_machine, 300.0),
    "wind SCADA, 10 min": (_wind, 600.0),
    "Tennessee Eastman, 3 min": (_tep, 180.0),
    "ETTh1, 1 h": (_ett, 3600.0),
}


def _numbers(path: Path) -> np.ndarray:
    return matrix_of(path, 2_205)


def _columns(path: Path, delimiter: str, places: slice) -> np.ndarray:
    """Rows of finite numbers; those with a cell that is none, as "#VALUE!", are left out."""
    table = Table(path, delimiter, MOST_ROWS)
    width = len(table.head[places])
    if width != places.stop - places.start:
        raise StudyError(f"{path} has {len(table.head)} columns; {places.stop} are needed")
    found = []
    for row in table.rows:
        try:
            found.append([float(cell) for cell in row[places]])
        except ValueError:
            continue
    kept: np.ndarray = np.array(found).reshape(-1, width)
    kept = kept[np.isfinite(kept).all(axis=1)]
    if len(kept) < 2 or not np.ptp(kept, axis=0).any():
        raise StudyError(f"{path} has no rows of numbers that change")
    return kept


# ---- points and bytes ----------------------------------------------------------------------------


def _set(table: np.ndarray, step: float, bounds: tuple[float, ...]) -> dict[str, Any]:
    time = np.round(np.arange(len(table)) * step * SECOND).astype(np.int64)
    table = table[:, np.ptp(table, axis=0) > 0]
    size = _denominators(table, time)
    rows, worst = {}, 0.0
    for share in bounds:
        dropped: dict[str, list[float]] = {"deadband": [], "swingingDoor": []}
        made = 0
        for signal in table.T:
            bound = share * float(np.subtract(*np.quantile(signal, (0.99, 0.01))))
            steps, lines = deadband(signal, bound), swinging_door(time, signal, bound)
            dropped["deadband"].append(1 - len(steps) / len(signal))
            dropped["swingingDoor"].append(1 - len(lines) / len(signal))
            again = [held(steps, signal), interpolated(lines, time, signal)]
            if bound > 0:
                stream = coded(signal, bound)
                again.append(decoded(stream))
                worst = max(worst, *(float(np.abs(x - signal).max()) / bound for x in again))
            else:
                stream = zlib.compress(signal.tobytes(), 9)  # only outliers move it: as it is
            made += len(stream)
        rows[f"{share:.1%}"] = {
            **{name: float(np.mean(each)) for name, each in dropped.items()},
            "bytesOf": {name: made / whole for name, whole in size.items()},
        }
    return {
        "rows": len(table),
        "signals": table.shape[1],
        "bytesAValue": {name: whole / table.size for name, whole in size.items()},
        "losslessOfJson": size["lossless"] / size["json"],
        "bounds": rows,
        "worstOfBound": worst,
    }


def _denominators(table: np.ndarray, time: np.ndarray) -> dict[str, int]:
    json_bytes = csv_bytes = 0
    for at, row in zip(time.tolist(), table.tolist(), strict=True):
        cells = [f"{v:.6g}" for v in row]
        stamp = f"2026-01-01T{at // SECOND:08d}Z"
        json_bytes += len('{"time":"","values":{}}') + len(stamp)
        json_bytes += sum(len(f'"signal{i}":{c},') for i, c in enumerate(cells)) - 1
        csv_bytes += len(stamp) + 1 + sum(len(c) + 1 for c in cells)
    whole = table.astype(np.float32).view(np.uint32)
    turned = whole.copy()
    turned[1:] ^= whole[:-1]
    planes = np.ascontiguousarray(turned.T).view(np.uint8).reshape(-1, 4).T
    lossless = len(zlib.compress(np.ascontiguousarray(planes).tobytes(), 6))
    return {"json": json_bytes, "csv": csv_bytes, "lossless": lossless}


# ---- what the twin loses -------------------------------------------------------------------------


def _reduced(table: np.ndarray, ranges: np.ndarray, share: float) -> np.ndarray:
    """As it is rebuilt from coded bytes."""
    return np.stack(
        [
            decoded(coded(x, share * r)) if r > 0 else x
            for x, r in zip(table.T, ranges.tolist(), strict=True)
        ],
        axis=1,
    )


def _ranges(table: np.ndarray) -> np.ndarray:
    high, low = np.quantile(table, (0.99, 0.01), axis=0)
    return np.asarray(high - low)


def _twin(options: Options, sets: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    bounds = (0.01,) if options.small else (0.01, 0.02, 0.05)
    for name, study in (("tep", _tep_twin), ("skab", _skab_twin), ("energy", _energy_twin)):
        try:
            found[name] = {"full": study(options, 0.0)}
            found[name] |= {f"{share:.1%}": study(options, share) for share in bounds}
        except StudyError:
            continue
    pump = sets.get("skab pump, 1 s")
    losses = [
        found[name]["full"][figure] - found[name]["1.0%"][figure]
        for name, figure in (("tep", "rate"), ("skab", "f1"))
        if name in found
    ]
    found["lossAtOnePercent"] = losses
    found["isWithinMarks"] = bool(
        losses
        and max(losses) <= MARK_LOSS
        and (pump is None or pump["bounds"]["1.0%"]["bytesOf"]["json"] <= MARK_BYTES)
    )
    return found


def _tep_twin(options: Options, share: float) -> dict[str, float]:
    train, quiet, faults = runs_of(options, options.small)
    ranges = _ranges(train)

    def view(table: np.ndarray) -> np.ndarray:
        return _reduced(table, ranges, share) if share else table

    normal = view(train)
    calm = judged(normal, view(quiet), 0.05, 0.7)["spe-ewma"]
    limit = float(np.quantile(calm, 0.99))
    each = [
        judged(normal, view(table), 0.05, 0.7)["spe-ewma"][BEGIN:] > limit
        for table in list(faults.values())[: 2 if options.small else None]
    ]
    return {"rate": float(np.mean([one.mean() for one in each])), "faults": len(each)}


def _skab_twin(options: Options, share: float) -> dict[str, float]:
    alarms, truth = [], []
    for x, y in files_of(options)[: 3 if options.small else None]:
        if share:
            x = _reduced(x, _ranges(x[:400]), share)
        score = judged(x[:400], x[400:], 0.05)["ewma"]
        alarms.append(score > 5.0)
        truth.append(y[400:])
    return shares(np.concatenate(alarms), np.concatenate(truth))


def _energy_twin(options: Options, share: float) -> dict[str, float]:
    """Error of the energy of a turbine, by time weighed and by the mean of stored points."""
    power = _wind(options)[:, 0]
    time = (np.arange(len(power)) * 600 * SECOND).astype(np.int64)
    rows = swinging_door(time, power, share * float(_ranges(power[:, None])[0]))
    full = integral(time, power)
    return {
        "error": integral(time[rows], power[rows]) / full - 1,
        "errorOfStoredMean": float(power[rows].mean() / power.mean() - 1),
    }
