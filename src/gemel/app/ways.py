"""The ways of commands to devices that do not listen to a topic of their own for them.

A device that is connected to Gemel hears its commands on `devices/{twin}/commands/#`, and needs no
way. Where a way has a command, it alone sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from gemel.commands.command import Check, Command
from gemel.core import units

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FLOAT_STEP = 1e-6
"""What a Float rounds of a value, at the most, as a part of it."""


class Way(Protocol):
    """A way of commands: to edge nodes that speak Sparkplug, through connectors that write."""

    is_answered: bool
    """Whether every command is answered: then the next one to the same twin waits for that."""

    def has(self, twin: str, command: str) -> bool:
        """Whether this command goes this way, sooner or later."""
        ...

    def is_there(self, twin: str, command: str) -> bool:
        """Whether it would leave now."""
        ...

    def checked(self, twin: str, command: str, arguments: Any, unit: str) -> Check | None:
        """The reading that confirms a command where its settings name none.

        Raises:
            TwinInvalid: it cannot go this way, or not with these arguments.
        """
        ...

    def shown(self, twin: str, command: str, arguments: Any, unit: str) -> tuple[str, str]:
        """The topic and, as JSON, what would be sent; errors as of `checked`."""
        ...

    def send(self, command: Command, unit: str) -> None:
        """Sends a command once; that it is sent is durable before."""
        ...


def way_of(platform: Platform, twin: str, command: str) -> Way | None:
    """The way of a command; None if its device listens to a topic."""
    ways: tuple[Way, ...] = (platform.sparkplug, platform.outlets)
    return next((way for way in ways if way.has(twin, command)), None)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def converted(value: Any, unit: str, to_unit: str) -> Any:
    """A number in another unit; anything else, and where a unit is not known, as it is.

    Raises:
        InvalidInput: the units measure different things.
    """
    if not is_number(value) or not unit or not to_unit or unit == to_unit:
        return value
    scale, offset = units.conversion(unit, to_unit)
    return float(f"{value * scale + offset:.12g}") if (scale, offset) != (1.0, 0.0) else value
