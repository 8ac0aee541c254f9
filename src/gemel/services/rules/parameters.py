"""Parameters: numbers of a rule's text that each twin may have its own value for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gemel.services.rules.features import Named

SettingsOf = Callable[[str], Mapping[str, float]]
"""The values that a twin has of its own, by name."""


def no_settings(_twin: str) -> Mapping[str, float]:
    return {}


def adjusted(
    parameters: Sequence[float], named: Sequence[Named], own: Mapping[str, float]
) -> tuple[float, ...]:
    """The parameters with the twin's own values where it has them."""
    found = list(parameters)
    for number in named:
        if number.name in own:
            found[number.index] = own[number.name] * number.scale + number.offset
    return tuple(found)
