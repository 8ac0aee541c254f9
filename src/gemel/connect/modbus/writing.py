"""What may be written: places by topic and name, and what is sent so that a value stands there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gemel.connect.modbus.blocks import Point
from gemel.connect.modbus.codec import (
    ACKNOWLEDGED,
    ILLEGAL_FUNCTION,
    NO_TARGET,
    WRITE_REGISTER,
    Denied,
    write_request,
)
from gemel.connect.modbus.exchange import Exchange, NotSent, Silence
from gemel.connect.modbus.registers import COIL
from gemel.connect.modbus.values import Reading, data_for
from gemel.core.errors import InvalidInput
from gemel.core.message import DONE, REFUSED, TAKEN, UNSURE, Outcome


class Writable:
    """The registers that the map lets be written."""

    def __init__(self, points: Iterable[Point]) -> None:
        self._points = {
            (one.topic, one.register.name): one for one in points if one.register.is_writable
        }
        names: dict[str, dict[str, str]] = {}
        for (topic, name), one in self._points.items():
            names.setdefault(topic, {})[name] = one.register.unit
        self.names: Mapping[str, Mapping[str, str]] = names

    def _point(self, topic: str, name: str) -> Point:
        found = self._points.get((topic, name))
        if found is None:
            raise InvalidInput(
                f"no register '{name}' of '{topic}' may be written",
                hint="say 'yes' in its column 'write'",
            )
        return found

    def held(self, topic: str, name: str, value: Any) -> Any:
        """The value as it will be read again; errors as of `data`."""
        point, data = self.data(topic, name, value)
        if point.register.table == COIL:
            return bool(data[0])
        return Reading([point.register], point.register.address).values(data)[0]

    def data(self, topic: str, name: str, value: Any) -> tuple[Point, bytes]:
        """What is to stand in its registers.

        Raises:
            InvalidInput: there is no such place, or it cannot hold the value.
        """
        point = self._point(topic, name)
        if value is None and point.register.is_boolean:
            value = True
        return point, data_for(point.register, value)


async def written(exchange: Exchange, point: Point, data: bytes, patience: float) -> Outcome:
    """Writes once, if its turn comes soon enough; what became of it."""
    register = point.register
    request = write_request(register.table, register.address, data)
    try:
        try:
            await exchange.ask(register.unit_id, request, patience)
        except Denied as denied:
            if denied.code != ILLEGAL_FUNCTION or request[0] != WRITE_REGISTER:
                raise
            # it was not done, and some devices write single registers only by that for many
            many = write_request(register.table, register.address, data, many=True)
            await exchange.ask(register.unit_id, many, patience)
    except Denied as denied:
        said = f"{register.place}: {denied}"
        if denied.code == ACKNOWLEDGED:
            return Outcome(TAKEN, said)
        return Outcome(UNSURE if denied.code == NO_TARGET else REFUSED, said)
    except Silence as silence:
        return Outcome(UNSURE, f"{register.place}: no answer: {silence}")
    except NotSent as error:
        return Outcome(REFUSED, f"it was not sent: {error}")
    except OSError as error:
        return Outcome(UNSURE, f"the connection was lost meanwhile: {error}")
    return Outcome(DONE)
