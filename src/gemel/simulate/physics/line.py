"""A packaging line, event by event: machines, buffers, starvation, blocking, stops, rejects."""

from __future__ import annotations

import random
from dataclasses import dataclass

RUNNING, STARVED, BLOCKED, DOWN, JAMMED, STOPPED = (
    "running", "starved", "blocked", "down", "jammed", "stopped",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MachinePlan:
    name: str
    cycle: float
    """Seconds for one unit at full speed."""
    between_stops: float
    """Mean seconds of running between micro-stops."""
    stop: float
    """Mean seconds of a micro-stop."""
    reject: float
    """Probability that a unit is bad here."""


class Machine:
    """One station; works on one unit at a time."""

    def __init__(self, plan: MachinePlan, generator: random.Random) -> None:
        self.plan = plan
        self.random = generator
        self.state = STARVED
        self.work = 0.0
        """Seconds of work left on the unit in hand (at full speed)."""
        self.holding = False
        self.done = False
        """The unit in hand is finished and waits for room."""
        self.repair = 0.0
        self.until_stop = generator.expovariate(1 / plan.between_stops)
        self.units = 0
        self.rejects = 0
        self.wear = 0.0
        self.jammed = False
        self.stopped = False
        self.time = dict.fromkeys((RUNNING, STARVED, BLOCKED, DOWN, JAMMED, STOPPED), 0.0)

    def now(self) -> str:
        """The state it is in at this instant."""
        if self.stopped:
            return STOPPED
        if self.jammed:
            return JAMMED
        if self.repair > 0:
            return DOWN
        if self.done:
            return BLOCKED
        return RUNNING if self.holding else STARVED


class Line:
    """Machines in a row with a buffer after each but the last; exact from event to event.

    Units are never made or lost: fed = in buffers + in hand + rejected + made.
    """

    def __init__(self, plans: list[MachinePlan], capacity: int, generator: random.Random) -> None:
        self.machines = [Machine(plan, random.Random(generator.getrandbits(64))) for plan in plans]
        self.capacity = capacity
        self.buffers = [capacity // 2 for _ in plans[1:]]
        self.fed = sum(self.buffers)
        self.made = 0
        self.speed = 1.0
        """Of all machines, a share of full speed."""

    @property
    def rejected(self) -> int:
        return sum(machine.rejects for machine in self.machines)

    def in_hand(self) -> int:
        return sum(machine.holding for machine in self.machines)

    def step(self, dt: float) -> None:
        """Moves on by `dt` seconds."""
        left = dt
        while left > 1e-9:
            self._hand_on()
            piece = min(left, self._until_event())
            for machine in self.machines:
                self._run(machine, piece)
            left -= piece
        self._hand_on()
        for machine in self.machines:
            machine.state = machine.now()

    def _until_event(self) -> float:
        """Seconds until something changes by itself."""
        soonest = float("inf")
        for machine in self.machines:
            state = machine.now()
            if state == DOWN:
                soonest = min(soonest, machine.repair)
            elif state == RUNNING and self.speed > 0:
                soonest = min(soonest, machine.work / self.speed, machine.until_stop)
        return max(soonest, 1e-6)

    def _run(self, machine: Machine, dt: float) -> None:
        state = machine.now()
        machine.time[state] += dt
        if state == DOWN:
            machine.repair = max(0.0, machine.repair - dt)
        elif state == RUNNING:
            machine.work -= dt * self.speed
            machine.until_stop -= dt
            if machine.until_stop <= 1e-9:
                scale = 1 + 6 * machine.wear
                machine.until_stop = machine.random.expovariate(scale / machine.plan.between_stops)
                machine.repair = machine.random.expovariate(1 / machine.plan.stop)
            if machine.work <= 1e-9:
                machine.done = True

    def _hand_on(self) -> None:
        """Moves finished units on and takes new ones in, last machine first."""
        for index in reversed(range(len(self.machines))):
            machine = self.machines[index]
            if machine.done:
                self._put(index, machine)
            if not machine.holding and not (machine.jammed or machine.stopped):
                self._take(index, machine)

    def _put(self, index: int, machine: Machine) -> None:
        last = index == len(self.machines) - 1
        if not last and self.buffers[index] >= self.capacity:
            return
        machine.done = machine.holding = False
        machine.units += 1
        if machine.random.random() < machine.plan.reject * (1 + 8 * machine.wear):
            machine.rejects += 1
        elif last:
            self.made += 1
        else:
            self.buffers[index] += 1

    def _take(self, index: int, machine: Machine) -> None:
        if index == 0:
            self.fed += 1
        elif self.buffers[index - 1] > 0:
            self.buffers[index - 1] -= 1
        else:
            return
        machine.holding = True
        machine.work = machine.plan.cycle * machine.random.uniform(0.96, 1.04)


class Oee:
    """Availability, performance and quality over about the last half hour (exponential window)."""

    WINDOW = 1_200.0

    def __init__(self, ideal: float, availability: float, performance: float, quality: float):
        """`ideal` seconds for one unit; the shares are where the window starts."""
        self.ideal = ideal
        self._planned = self.WINDOW
        self._up = self.WINDOW * availability
        self._units = self._up * performance / ideal
        self._good = self._units * quality

    def add(self, dt: float, up: float, units: int, good: int) -> None:
        """`up` seconds of `dt` when it was not stopped by itself."""
        kept = 2.718281828459045 ** (-dt / self.WINDOW)
        self._planned = self._planned * kept + dt
        self._up = self._up * kept + up
        self._units = self._units * kept + units
        self._good = self._good * kept + good

    @property
    def availability(self) -> float:
        return min(1.0, self._up / self._planned)

    @property
    def performance(self) -> float:
        return min(1.0, self._units * self.ideal / self._up) if self._up > 0 else 0.0

    @property
    def quality(self) -> float:
        return min(1.0, self._good / self._units) if self._units > 0 else 1.0

    @property
    def value(self) -> float:
        return self.availability * self.performance * self.quality

    @property
    def throughput(self) -> float:
        """Good units an hour."""
        return self._good / self._planned * 3600
