"""Writes and calls at a server: each once, and what became of it in the server's words.

Source: OPC UA 1.05 part 4, 5.11.4 (Write), 5.12.2 (Call), 7.39 (StatusCode).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary

from gemel.connect.opcua.encode import Form, encoded
from gemel.connect.opcua.forms import Method, Place, Variable
from gemel.connect.opcua.session import PATIENCE
from gemel.connect.opcua.values import Unsupported, plain
from gemel.core.errors import InvalidInput
from gemel.core.message import DONE, REFUSED, TAKEN, UNSURE, Outcome

MOST_NAMED = 20
CALL_PATIENCE = 60.0
"""Seconds that a method may take."""
ASYNCHRONOUS = ua.StatusCodes.GoodCompletesAsynchronously
UNANSWERED = frozenset(
    {
        ua.StatusCodes.BadTimeout,
        ua.StatusCodes.BadRequestTimeout,
        ua.StatusCodes.BadCommunicationError,
        ua.StatusCodes.BadConnectionClosed,
        ua.StatusCodes.BadSecureChannelClosed,
        ua.StatusCodes.BadSessionClosed,
        ua.StatusCodes.BadShutdown,
    }
)
"""Codes of a server that does not know itself whether what stands behind it has done it."""
WHY = {
    "BadUserAccessDenied": "the user as whom the connector logs in may not do this",
    "BadNotWritable": "it cannot be written",
    "BadTypeMismatch": "the server wants another type",
    "BadOutOfRange": "the server does not take this value: it is out of its range",
    "BadNodeIdUnknown": "the server does not know this node any more",
    "BadNotExecutable": "it cannot be called now",
    "BadArgumentsMissing": "the server wants more arguments",
    "BadInvalidArgument": "the server does not take an argument",
    "BadWriteNotSupported": "the server does not write values alone, without a status or a time",
    "BadOutOfService": "it is out of service",
    "BadInvalidState": "it cannot be done in this state",
}
"""In place of the words that the standard has for a code."""


class Writing:
    """What may be written through one link, and how it is written; it keeps no queue.

    Args:
        name: of the connector.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._places: dict[tuple[str, str], Place] = {}
        self.names: dict[str, dict[str, str]] = {}
        """By topic; another object whenever they have changed."""
        self.is_known = False
        """Whether the places were asked for in this session."""
        self.problem = ""

    def take(self, places: dict[tuple[str, str], Place]) -> None:
        """The places as the server has them now."""
        self._places, self.is_known, self.problem = places, True, ""
        names: dict[str, dict[str, str]] = {}
        for topic, name in places:
            names.setdefault(topic, {})[name] = ""
        if names != self.names:
            self.names = names

    def check(self, topic: str, name: str, value: Any) -> Any:
        """See `core.ports.Writer`."""
        self._request(topic, name, value)
        return value

    def _request(self, topic: str, name: str, value: Any) -> ua.WriteValue | ua.CallMethodRequest:
        place = self._places.get((topic, name))
        if place is None:
            raise InvalidInput(
                f"the server has no variable or method '{name}' there, as far as is read of it",
                hint=self._hint(topic),
            )
        if isinstance(place, Method):
            return ua.CallMethodRequest(place.above, place.node, called_with(place, value))
        if not place.is_writable:
            raise InvalidInput(
                "it is not writable for the user as whom the connector logs in (UserAccessLevel)",
                hint="let the server's administrator say so, or set 'username' and 'password'",
            )
        made = encoded(place.form, True if value is None else value)
        found = ua.DataValue(made, StatusCode=None)  # servers refuse to be told status and time
        return ua.WriteValue(place.node, ua.AttributeIds.Value, None, found)

    def _hint(self, topic: str) -> str:
        known = list(self.names.get(topic, ()))
        more = ", ..." if len(known) > MOST_NAMED else ""
        return f"it has: {', '.join(known[:MOST_NAMED])}{more}" if known else "see gemel connector"

    async def write(self, service: Any, topic: str, name: str, value: Any) -> Outcome:
        """Writes or calls, once.

        Args:
            service: of a session that is open.
            topic: of the place.
            name: of the place.
            value: as `check` takes it.
        """
        try:
            request = self._request(topic, name, value)
        except InvalidInput as error:
            return Outcome(REFUSED, str(error))
        if isinstance(request, ua.WriteValue):
            parameters = ua.WriteParameters([request])
            return await self._asked(lambda: service.write(parameters), _written, PATIENCE)
        place = self._places[topic, name]
        assert isinstance(place, Method)
        return await self._asked(
            lambda: _call(service, request), lambda found: _called(found, place), CALL_PATIENCE
        )

    async def _asked(
        self, ask: Callable[[], Awaitable[Any]], read: Callable[[Any], Outcome], patience: float
    ) -> Outcome:
        try:
            async with asyncio.timeout(patience):
                [found] = await ask()
        except ua.UaStatusCodeError as error:
            return outcome_of(error.code)
        except TimeoutError:
            return Outcome(UNSURE, f"{self._name} did not answer in {patience:g} s: {UNKNOWN}")
        except (OSError, ua.UaError, ValueError) as error:
            why = str(error) or type(error).__name__
            return Outcome(UNSURE, f"the connection to {self._name} was lost ({why}): {UNKNOWN}")
        return read(found)

    def node_of(self, topic: str, name: str) -> ua.NodeId | None:
        """The variable at a place; None for a method."""
        place = self._places.get((topic, name))
        return place.node if isinstance(place, Variable) else None


UNKNOWN = "whether it was done is not known, and it is not repeated"


async def _call(service: Any, request: ua.CallMethodRequest) -> Any:
    """As the library calls, but with the time that a method may take."""
    asked = ua.CallRequest()
    asked.Parameters.MethodsToCall = [request]
    data = await service._send_request(asked, CALL_PATIENCE)
    response = struct_from_binary(ua.CallResponse, data)
    response.ResponseHeader.ServiceResult.check()
    return response.Results


def called_with(method: Method, value: Any) -> list[ua.Variant]:
    """The arguments of a call: none, the one, or an object of several by name.

    Raises:
        InvalidInput: some are missing or too many, or one has not its type.
    """
    if not method.is_executable:
        raise InvalidInput(
            "it may not be called by the user as whom the connector logs in (UserExecutable)",
            hint="let the server's administrator say so, or set 'username' and 'password'",
        )
    inputs = method.inputs
    named = {} if value is None else value
    if len(inputs) == 1 and (not isinstance(value, dict) or value.keys() != inputs.keys()):
        named = {next(iter(inputs)): value}
    if not isinstance(named, dict) or named.keys() != inputs.keys():
        wanted = ", ".join(f"{name} ({form.type})" for name, form in inputs.items())
        raise InvalidInput(
            f"the method takes {wanted or 'no arguments'}",
            hint='write them like {"NAME": VALUE}' if inputs else "leave them out",
        )
    return [_argument(name, form, named[name]) for name, form in inputs.items()]


def _argument(name: str, form: Form, value: Any) -> ua.Variant:
    try:
        return encoded(form, value)
    except InvalidInput as error:
        raise InvalidInput(f"argument '{name}': {error.message}", hint=error.hint) from error


def outcome_of(code: int) -> Outcome:
    """What a status code of a write or a call means, in its name and words."""
    plain_code = code & 0xFFFF0000
    if plain_code == 0:
        return Outcome(DONE)
    name, words = ua.status_codes.get_name_and_doc(plain_code)
    said = f"{name}: {WHY.get(name) or words[:1].lower() + words[1:].rstrip('.')}"
    if code >> 30 == 0:
        return Outcome(TAKEN if plain_code == ASYNCHRONOUS else DONE, said)
    if code >> 30 == 1 or plain_code in UNANSWERED:
        return Outcome(UNSURE, f"{said}; {UNKNOWN}")
    return Outcome(REFUSED, said)


def _written(found: ua.StatusCode) -> Outcome:
    return outcome_of(found.value)


def _called(found: ua.CallMethodResult, method: Method) -> Outcome:
    """What a call came to; of arguments that were refused, which."""
    outcome = outcome_of(found.StatusCode.value)
    if outcome.state == DONE:
        return outcome._replace(result=_given(list(method.outputs), found.OutputArguments or ()))
    named = [
        f"argument '{name}': {outcome_of(one.value).said}"
        for name, one in zip(method.inputs, found.InputArgumentResults or (), strict=False)
        if not one.is_good()
    ]
    return outcome._replace(said="; ".join([outcome.said, *named])) if named else outcome


def _given(names: list[str], found: Any) -> Any:
    """What a call gave back: nothing, the one value, or several by name."""
    values = [_plain(one) for one in found]
    if len(values) <= 1:
        return values[0] if values else None
    known = [*names, *(f"argument{at + 1}" for at in range(len(names), len(values)))]
    made: Mapping[str, Any] = dict(zip(known, values, strict=False))
    return made


def _plain(found: ua.Variant) -> Any:
    try:
        return plain(found)
    except Unsupported as error:
        return f"({error})"
