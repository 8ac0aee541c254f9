"""Who is run: variants of the plant, each with its draws; and what is different in each.

A column of the table is one variant with one member's draws. All variants share the members' draws
(common random numbers), so that a difference between two is not blurred by their luck. Member -1 is
nominal: every parameter at its value, nothing drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.services.whatif.boundary import sampled
from gemel.services.whatif.network import Network
from gemel.services.whatif.program import Places
from gemel.services.whatif.scenario import Change

NOMINAL = -1
Columns = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Variant:
    """One plant that is run."""

    changes: tuple[Change, ...]
    members: int
    """0: only the nominal one."""
    shifts: Mapping[tuple[str, str], float] | None = None
    """By (attachment, parameter): deviations by which it is moved, for the tornado."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Shapes: all (S,)."""

    variant: NDArray[np.intp]
    member: NDArray[np.intp]

    @property
    def size(self) -> int:
        return len(self.variant)

    def of(self, variant: int) -> Columns:
        return np.flatnonzero(self.variant == variant)


def layout_of(variants: Sequence[Variant]) -> Layout:
    member = [np.arange(v.members) if v.members else np.array([NOMINAL]) for v in variants]
    variant = [np.full(len(m), i) for i, m in enumerate(member)]
    return Layout(np.concatenate(variant), np.concatenate(member))


@dataclass(frozen=True, slots=True)
class Effect:
    """A change on rows of the table, for some columns; `amount` is one number, or one a step."""

    rows: Places
    columns: Columns
    operation: str
    amount: F64

    def apply(self, table: F64, step: int) -> None:
        place = np.ix_(self.rows, self.columns)
        amount = self.amount[min(step, len(self.amount) - 1)]
        if self.operation == "plus":
            table[place] += amount
        elif self.operation == "times":
            table[place] *= amount
        else:
            table[place] = amount


Recorded = Mapping[tuple[str, str, str], tuple[I64, F64]]
"""By (twin, path, from when): readings from then on."""


def keys_of(network: Network, change: Change) -> list[tuple[str, str]]:
    """The (twin, name) that a change is about.

    Raises:
        InvalidInput: nothing of the fork is meant, or no twin of it has such a parameter.
    """
    twins = [change.twin] if change.twin else network.fork.of_model(change.model)
    known = network.fork.twins
    found = [
        (twin, change.name)
        for twin in twins
        if twin in known and (not change.is_parameter or (twin, change.name) in network.parameters)
    ]
    if found:
        return found
    if change.is_parameter:
        names = sorted({name for twin, name in network.parameters if not twins or twin in twins})
        raise InvalidInput(
            f"'{change.twin or change.model}' has no parameter '{change.name}' in this fork",
            hint="it has: " + (", ".join(names) or "none"),
        )
    raise InvalidInput(
        f"'{change.twin or change.model}' is not in the fork",
        hint="add it to 'twins', or a relationship to it to 'follow'",
    )


def effects_of(
    network: Network, change: Change, columns: Columns, at: int, steps: int, seconds: float,
    recorded: Recorded,
) -> list[Effect]:  # fmt: skip
    """A change as effects on the table."""
    keys = keys_of(network, change)
    rows = np.array([network.slots.row(*key) for key in keys], np.intp)
    if change.is_parameter:
        _check_parameter(network, change, keys)
    return [Effect(rows, columns, change.operation, _amount(change, at, steps, seconds, recorded))]


def _amount(change: Change, at: int, steps: int, seconds: float, recorded: Recorded) -> F64:
    moments = np.arange(steps) * seconds
    if change.operation == "schedule":
        hours = np.round(np.array([row[0] for row in change.schedule]) * 3600, 6)
        values = np.array([row[1] for row in change.schedule])
        row = np.maximum(np.searchsorted(hours, moments, side="right") - 1, 0)
        found: F64 = values[row]
        return found
    if change.operation == "recorded":
        time, value = recorded[change.twin, change.name, change.recorded]
        if not len(time):
            raise InvalidInput(
                f"'{change.name}' of '{change.twin}' has no readings from {change.recorded}",
                hint="another 'recorded'",
            )
        ahead = time[0] + (moments * SECOND).astype(np.int64)
        return sampled(time, value, ahead)
    return np.array([change.value])


def _check_parameter(network: Network, change: Change, keys: Sequence[tuple[str, str]]) -> None:
    for block in network.blocks:
        for twin, name in keys:
            if twin not in block.twins or name not in block.attachment.parameters:
                continue
            known = block.attachment.amount(twin, name)
            value = {"value": change.value, "plus": known.value + change.value,
                     "times": known.value * change.value}[change.operation]  # fmt: skip
            if not known.low <= value <= known.high:
                raise InvalidInput(
                    f"'{name}' of '{twin}' would be {value:g}",
                    hint=f"from {known.low:g} to {known.high:g} {known.unit}".rstrip(),
                )


def parameter_values(
    network: Network, layout: Layout, variants: Sequence[Variant], table: F64, seed: int
) -> None:
    """Writes every parameter of every column into the table, changes of parameters apart."""
    generator = np.random.default_rng([seed, 1])
    most = int(layout.member.max()) + 1
    is_drawn = layout.member != NOMINAL
    for block in network.blocks:
        one = block.attachment
        for name, rows in block.parameters:
            shift = np.array([(v.shifts or {}).get((one.id, name), 0.0) for v in variants])
            for twin, row in zip(block.twins, rows.tolist(), strict=True):
                amount = one.amount(twin, name)
                if not amount.spread:
                    table[row] = amount.value
                    continue
                drawn = generator.standard_normal(max(most, 0))
                z = np.where(is_drawn, drawn[layout.member] if most > 0 else 0.0, 0.0)
                z = z + shift[layout.variant]
                log = np.sqrt(np.log1p(amount.spread**2))
                value = amount.value * np.exp(log * z)
                table[row] = np.clip(value, amount.low, amount.high)
