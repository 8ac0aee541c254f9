"""Offices to study on: an air handler with five zones, richer than the model that is fitted to it.

Four zones face the winds, one lies in the middle and touches them all. Each has air, a facade and
mass (three states; the twin's has two), people who come as they like, a box with a damper and
reheat, and controllers of its own. The air handler has an economiser, a fan that warms the air,
ducts that warm it again, a chiller whose efficiency goes with its load, a damper that leaks. All
offices and all weeks are columns of one array.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.core.batch import F64, I64
from gemel.services.airhandler.equipment import AIR_HEAT, mixed
from studies._house import DAY, weather

ZONES = 5
SHORT, CYCLES = 300.0, 3
"""Seconds of a step of the plant; three make the 15 minutes of everything else."""
SPREAD = 0.1
AREA = np.array([100.0, 100.0, 100.0, 100.0, 300.0])
MOST = np.array([0.5, 0.5, 0.55, 0.5, 0.75])
LEAST = 0.3 * MOST
REHEAT = np.array([6000.0, 5000.0, 5000.0, 5000.0, 6000.0])
VOLUME = 3.0 * AREA
PEOPLE = np.array([8.0, 8.0, 8.0, 8.0, 22.0])
DESIGN, LOW, HIGH, LIMIT = 250.0, 21.0, 24.0, 1000.0
INSIDE = 0.3
"""K within the band at which the boxes' own controllers aim, under every policy."""
FROM, TO = 8, 18


@dataclass
class Scenario:
    """Weather (T, N), people (T, Z, N), noise of thermometers (T, Z, N), offices by column."""

    offices: list[int]
    outdoor: F64
    sun: F64
    people: F64
    noise: F64
    carbon: F64

    def take(self, columns: I64) -> Scenario:
        """Some columns, also more than once."""
        return Scenario(
            [self.offices[int(c)] for c in columns], self.outdoor[:, columns], self.sun[:, columns],
            self.people[..., columns], self.noise[..., columns], self.carbon[..., columns],
        )  # fmt: skip


def in_use(steps: int, first: int = 0) -> np.ndarray:
    """By 15 minutes from a Monday at 0:00."""
    k = first + np.arange(steps)
    hour = k % DAY / 4
    return (hour >= FROM) & (hour < TO) & (k // DAY % 7 < 5)


def scenario(folder: Path, weeks: tuple[int, ...], offices: list[int], days: int) -> Scenario:
    """Offices in weeks of the year; the first 14 days of each come before its week."""
    outdoor, sun = weather(folder)
    pairs = [(w, o) for o in offices for w in weeks]
    steps = days * DAY
    rows = np.array([((7 * w - 14) * DAY + np.arange(steps)) % len(outdoor) for w, _ in pairs])
    random = [np.random.default_rng([2000, o, w]) for w, o in pairs]
    people = np.stack([_people(r, days) for r in random], axis=2)
    noise = np.stack([r.normal(0.0, 0.1, (steps, ZONES)) for r in random], axis=2)
    carbon = np.stack([r.normal(0.0, 15.0, (steps, ZONES)) for r in random], axis=2)
    return Scenario([o for _, o in pairs], outdoor[rows].T, sun[rows].T, people, noise, carbon)


def _people(random: np.random.Generator, days: int) -> F64:
    """How many are in each zone, (T, Z): they come and go in their own time, some days fewer."""
    hour = np.arange(DAY) / 4
    found = np.zeros((days * DAY, ZONES))
    for day in range(days):
        if day % 7 >= 5:
            continue
        for zone in range(ZONES):
            come, go = 8.3 + 0.5 * random.standard_normal(), 17.5 + 0.6 * random.standard_normal()
            share = random.uniform(0.45, 1.0)
            shape = 1 / (1 + np.exp(-(hour - come) / 0.25)) / (1 + np.exp((hour - go) / 0.3))
            lunch = 1 - 0.4 * np.exp(-(((hour - 12.5) / 0.6) ** 2))
            jitter = 1 + 0.15 * random.standard_normal(DAY)
            found[day * DAY : (day + 1) * DAY, zone] = PEOPLE[zone] * share * shape * lunch * jitter
    return np.maximum(found, 0.0)


@dataclass
class Set:
    """What an air handler is told; all (N,)."""

    is_on: F64
    supply: F64
    pressure: F64
    fresh: F64
    """Least share of outdoor air."""
    has_economiser: F64


SIGNALS = ("outdoor", "solar", "supply", "pressure", "fresh", "fan", "cooling", "heating")
ZONE_SIGNALS = ("temperature", "flow", "heat", "co2")


class Offices:
    """The state of all of them. Shapes: (Z, N)."""

    def __init__(self, now: Scenario) -> None:
        self.now, self.count = now, len(now.offices)
        made = {o: _parameters(o) for o in set(now.offices)}
        for name in made[now.offices[0]]:
            setattr(self, name, np.stack([made[o][name] for o in now.offices], axis=-1))
        self.air = np.full((ZONES, self.count), 20.5)
        self.wall, self.mass = self.air - 2.0, self.air.copy()
        self.co2 = np.full((ZONES, self.count), 450.0)
        self.opened, self.warmed = np.zeros((2, ZONES, self.count))
        self.damper = np.zeros((ZONES, self.count))
        self.read = self.air.copy()

    air_size: F64
    wall_size: F64
    mass_size: F64
    glass: F64
    inner: F64
    outer: F64
    floor: F64
    core: F64
    aperture: F64
    use: F64
    idle: F64
    cop: F64
    fan_best: F64
    warm_cop: F64
    meter: F64

    def copy(self, columns: I64, ahead: Scenario) -> Offices:
        """Columns of it, with what is to come for them."""
        found = Offices(ahead)
        for name in ("air", "wall", "mass", "co2", "opened", "warmed", "damper", "read"):
            setattr(found, name, getattr(self, name)[:, columns].copy())
        return found

    def step(self, k: int, told: Set) -> dict[str, F64]:
        """15 minutes from step `k` of the scenario on: what is measured, means over them."""
        parts = [self._cycle(k, told) for _ in range(CYCLES)]
        found = {n: np.mean([p[n] for p in parts], axis=0) for n in parts[0]}
        self.read = self.air + self.now.noise[k]
        found["temperature"] = self.read
        found["co2"] = self.co2 + self.now.carbon[k]
        found["outdoor"], found["solar"] = self.now.outdoor[k], self.now.sun[k]
        found["pressure"] = told.pressure
        return found

    def _cycle(self, k: int, told: Set) -> dict[str, F64]:
        outdoor, people = self.now.outdoor[k], self.now.people[k]
        is_on = np.maximum(told.is_on, (self.air.min(axis=0) < 15.0) * 1.0)
        used = np.full(self.count, float(in_use(1, k)[0]))
        flow, reheat = self._boxes(k, told, is_on)
        total = flow.sum(axis=0)
        moved = AIR_HEAT * total
        fan = self._fan(total, told.pressure) * is_on
        returned = (flow * self.air).sum(axis=0) / np.maximum(total, 1e-9) + 0.3 * is_on
        rise = np.where(is_on > 0, 850.0 * fan / np.maximum(moved, 1.0), 0.0)
        target = told.supply - rise
        free, _ = mixed(outdoor, returned, target, told.fresh, used)
        share = np.where(told.has_economiser > 0, free, told.fresh)
        share = np.clip(share, 0.04, 1.0)
        mix = returned - share * (returned - outdoor)
        cooled, heated = moved * np.maximum(mix - target, 0), moved * np.maximum(target - mix, 0)
        wet = 1 + 0.02 * np.maximum(15 - told.supply, 0) * share * (outdoor > 14)
        delivered = told.supply + 0.05 * (24.0 - told.supply)
        carried = AIR_HEAT * flow * (delivered - self.air)
        self._move(k, carried + reheat, is_on)
        self._breathe(flow, total, share, people)
        return {
            "supply": np.where(is_on > 0, told.supply, self.air.mean(axis=0)),
            "fresh": share * is_on,
            "fan": fan,
            "cooling": self._chiller(cooled * wet, outdoor),
            "heating": (heated + reheat.sum(axis=0)) / 1000 / self._warmth(outdoor),
            "flow": flow,
            "heat": (carried + reheat) * self.meter,
        }

    def _boxes(self, k: int, told: Set, is_on: F64) -> tuple[F64, F64]:
        """Flow and reheat by the zones' own controllers (proportional and integral)."""
        read = self.air + self.now.noise[k]
        hot, cold = read - (HIGH - INSIDE), (LOW + INSIDE) - read
        self.opened = np.clip(self.opened + hot * SHORT / 2400, 0, 1) * is_on
        self.warmed = np.clip(self.warmed + cold * SHORT / 2400, 0, 1) * is_on
        wanted = np.clip(0.6 * hot + self.opened, 0, 1)
        self.damper += 0.7 * (wanted - self.damper)
        most = MOST[:, None] * np.sqrt(told.pressure / DESIGN)
        flow = np.maximum(LEAST[:, None], most * self.damper) * is_on
        reheat = REHEAT[:, None] * np.clip(0.6 * cold + self.warmed, 0, 1) * is_on
        return flow, reheat

    def _fan(self, total: F64, pressure: F64) -> F64:
        load = total / MOST.sum()
        head = pressure + 420.0 * load**2
        kw: F64 = total * head / (self.fan_best * (1 - 0.5 * (1 - load) ** 2)) / 1000 + 0.08
        return kw

    def _chiller(self, cooled: F64, outdoor: F64) -> F64:
        load = cooled / 35_000
        part = np.clip(0.6 + 0.8 * load - 0.4 * load**2, 0.4, 1.05)
        cop = np.clip(self.cop - 0.07 * (outdoor - 25), 2.0, 6.0) * part
        return cooled / 1000 / cop + 0.15 * (cooled > 100)

    def _warmth(self, outdoor: F64) -> F64:
        return np.clip(self.warm_cop + 0.06 * (outdoor - 7), 1.8, 4.5)

    def _move(self, k: int, heat: F64, is_on: F64) -> None:
        outdoor, sun, people = self.now.outdoor[k], self.now.sun[k], self.now.people[k]
        light = self.aperture * facing(k % DAY / 4)[:, None] * sun
        used = people / PEOPLE[:, None]
        gains = 90.0 * people + self.idle + self.use * np.minimum(used * 1.3, 1.0)
        leak = self.glass * (1 - 0.2 * is_on)
        middle = self.air[4]
        others = np.vstack((np.broadcast_to(middle, (4, self.count)), self.air[:4].mean(axis=0)))
        touch = self.core
        every = leak + self.inner + self.floor + touch
        into = gains + 0.4 * light + heat + leak * outdoor
        into = into + self.inner * self.wall + self.floor * self.mass + touch * others
        final = into / every
        kept = np.exp(-every / self.air_size * SHORT)
        after = final + (self.air - final) * kept
        mean = 0.5 * (after + self.air)
        self.wall += (
            SHORT
            / self.wall_size
            * (self.inner * (mean - self.wall) + self.outer * (outdoor - self.wall) + 0.1 * light)
        )
        self.mass += SHORT / self.mass_size * (self.floor * (mean - self.mass) + 0.5 * light)
        self.air = after

    def _breathe(self, flow: F64, total: F64, share: F64, people: F64) -> None:
        back = (flow * self.co2).sum(axis=0) / np.maximum(total, 1e-9)
        supplied = share * 420.0 + (1 - share) * back
        leak = 0.1 * VOLUME[:, None] / 3600
        fresh = flow + leak
        final = (flow * supplied + leak * 420.0 + 5.2 * people) / fresh
        kept = np.exp(-fresh / VOLUME[:, None] * SHORT)
        self.co2 = final + (self.co2 - final) * kept


def facing(hour: float) -> F64:
    """What of the sun on the horizontal falls on each facade: north, east, south, west, none."""

    def bump(at: float, wide: float) -> float:
        return float(np.exp(-(((hour - at) / wide) ** 2)))

    east, south, west = 0.25 + 0.9 * bump(9, 2.5), 0.3 + 0.8 * bump(12.5, 3), bump(16, 2.5)
    return np.array([0.25, east, south, 0.25 + 0.9 * west, 0.03])


def _parameters(office: int) -> dict[str, F64]:
    random = np.random.default_rng([3000, office])

    def near(values: F64 | float) -> F64:
        shape = np.shape(values)
        return np.asarray(values) * random.uniform(1 - SPREAD, 1 + SPREAD, shape)

    edge = np.array([1.0, 1.0, 1.0, 1.0, 0.35])
    return {
        "air_size": near(AREA * 3 * 1206 * 4),
        "wall_size": near(8e6 * edge),
        "mass_size": near(AREA * 1.8e5),
        "glass": near(38.0 * edge),
        "inner": near(70.0 * edge),
        "outer": near(12.0 * edge),
        "floor": near(AREA * 6.0),
        "core": near(np.array([40.0, 40.0, 40.0, 40.0, 160.0])),
        "aperture": near(7.0 * edge),
        "use": near(AREA * 12.0),
        "idle": near(AREA * 1.5),
        "cop": near(4.2),
        "fan_best": near(0.6),
        "warm_cop": near(3.2),
        "meter": 1 + 0.03 * random.standard_normal(ZONES),
    }
