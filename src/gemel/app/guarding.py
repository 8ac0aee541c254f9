"""What guards of commands need to know: settings, what holds in the plant, the kill switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gemel.app.conditions import Conditions, compile_condition
from gemel.app.signals import CommandSignal, Signals
from gemel.commands import autonomy, settings
from gemel.commands.autonomy import Autonomy
from gemel.commands.command import Check, Command
from gemel.commands.guards import UNBOUND, Ask, CommandShape, Facts, Held
from gemel.commands.settings import Guards
from gemel.core import units
from gemel.core.access import Principal
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, TwinInvalid
from gemel.core.policy import COMMAND
from gemel.core.units import symbol
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

KILL_SWITCH = "kill-switch"
AUTONOMY = "autonomy:"
OF_SERVICES = {"advise": autonomy.SUGGEST, "approve": autonomy.APPROVE, "act": autonomy.ACT}
"""How far commands go that an instance of a service recommends; `observe` is not among them."""


class Guarding:
    """Reads settings, twins and the kill switch for the guards."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._shapes: dict[str, dict[str, CommandShape]] = {}
        self.conditions = Conditions(platform)

    def forget(self) -> None:
        """After models or settings have changed."""
        self._shapes.clear()
        self.conditions.forget()

    def shapes(self, twin: str) -> dict[str, CommandShape]:
        """The commands of a twin's model, with what its settings say of them."""
        catalogue = self._platform.catalogue
        model = catalogue.require_twin(twin)
        found = self._shapes.get(model)
        if found is None:
            found = self._shapes[model] = {
                path: shape_of(
                    signal, settings.load(path, catalogue.signals.guards_of(model, path))
                )
                for path, signal in catalogue.signals.commands_of(model).items()
            }
        return found

    def facts(self, twin: str, guards: Guards, bounds: str = "") -> Facts:
        """What holds now, for one command of a twin, in words for who is given this platform."""
        judge, is_shown = self.conditions.judge, self._platform.series.is_shown
        interlocks = [judge(twin, i.when, i.title, is_shown) for i in guards.interlocks]
        held: Held | None = judge(twin, bounds, "", is_shown) if bounds else None
        record = self._platform.graph.find_twin(twin)
        return Facts(interlocks, held, record.etag if record else "", self.halted())

    def facts_of(self, command: Command) -> Facts:
        """As `facts`, for a command that is to be sent."""
        shape = self.shapes(command.twin).get(command.command)
        return self.facts(command.twin, shape.guards if shape else settings.NONE)

    # ---- the kill switch and autonomy ----------------------------------------------------

    def switch(self) -> Json:
        """The kill switch: `{"engaged", "who", "since", "reason"}`."""
        found = self._platform.catalogue.plain["control"].get(KILL_SWITCH)
        return found or {"engaged": False, "who": "", "since": None, "reason": ""}

    def halted(self) -> str:
        found = self.switch()
        if not found["engaged"]:
            return ""
        reason = f": {found['reason']}" if found["reason"] else ""
        return f"by {found['who']} at {found['since']}{reason}"

    def autonomies(self) -> list[Json]:
        """What engineers have set for rules and services, and what rules say of themselves."""
        plain = self._platform.catalogue.plain
        found: dict[str, Json] = {}
        for key, doc in plain["rule"].items():
            if doc.get("then"):
                own = autonomy.load(key, doc["then"].get("autonomy") or autonomy.ACT)
                found[f"rule {key}"] = {**autonomy.document(own), "by": "rule"}
        for key, doc in plain["service"].items():
            if doc["autonomy"] in OF_SERVICES:
                found[f"service {key}"] = {"level": OF_SERVICES[doc["autonomy"]], "by": "service"}
        for key, doc in plain["control"].items():
            if key.startswith(AUTONOMY):
                found[key.removeprefix(AUTONOMY)] = {**doc, "by": "setting"}
        return [{"service": key, **doc} for key, doc in sorted(found.items())]

    def autonomy_of(self, service: str, own: object = None) -> Autonomy:
        """What a service may do: as an engineer has set, else as `own` says, else suggest.

        What is asked in the name of a rule is a rule's, which acts unless it says otherwise.
        """
        found = self._platform.catalogue.plain["control"].get(AUTONOMY + service)
        if found is not None:
            return autonomy.load(service, found)
        if service.startswith("rule "):
            return autonomy.load(service, "act" if own is None else own)
        return autonomy.load(service, autonomy.SUGGEST if own is None else own)

    def asked(
        self, who: Principal, twin: str, command: str, arguments: Any, seconds: float, **more: str
    ) -> Ask:
        """What a principal asks for; `more` are `key`, `unit`, `revision` and `service`.

        Raises:
            NotFound, Forbidden: policies hide the twin, or do not let this principal command it.
        """
        sight = self._platform.policies.sight(who)
        if sight is not None:
            sight.require(COMMAND, twin, command)
        service = more.get("service", "")
        return Ask(
            twin,
            command,
            arguments,
            who.name,
            self._platform.clock() + round(seconds * SECOND),
            more.get("key") or None,
            who.role,
            more.get("unit", ""),
            more.get("revision", ""),
            service,
            self.autonomy_of(service) if service else UNBOUND,
        )

    # ---- confirmation --------------------------------------------------------------------

    def check_of(self, twin: str, shape: CommandShape) -> Callable[[Any], Check | None]:
        """From the arguments of a command, the reading that is to confirm it."""
        wanted = shape.guards.confirm
        if wanted is None:
            return lambda _: None
        signals = self._platform.catalogue.signals.of(self._platform.catalogue.require_twin(twin))
        signal = signals.get(wanted.path)

        def check(arguments: Any) -> Check | None:
            asked = arguments
            if wanted.value is not None:
                asked = wanted.value
            elif wanted.field:
                asked = arguments.get(wanted.field) if isinstance(arguments, dict) else None
            if asked is None:
                return None
            is_number = isinstance(asked, int | float) and not isinstance(asked, bool)
            if (
                is_number
                and shape.unit
                and signal is not None
                and signal.unit
                and wanted.value is None
            ):
                scale, offset = units.conversion(shape.unit, symbol(signal.unit))
                if (scale, offset) != (1.0, 0.0):
                    asked = float(f"{asked * scale + offset:.12g}")
            return Check(wanted.path, asked, wanted.tolerance, round(wanted.within * SECOND))

        return check


def shape_of(found: CommandSignal, guards: Guards = settings.NONE) -> CommandShape:
    """What the model says of a command, as the book checks it."""
    request = found.command.request

    def check(arguments: Any) -> None:
        if request is None:
            if arguments not in (None, {}):
                raise TwinInvalid(
                    f"command '{found.path}' takes no arguments", hint="leave them out"
                )
            return
        if arguments is None:
            raise TwinInvalid(
                f"command '{found.path}' needs {request.name} ({request.schema.kind})",
                hint="send it as 'arguments'",
            )
        problems = request.schema.check(arguments, request.name)
        if problems:
            raise TwinInvalid(
                f"command '{found.path}': {problems[0]}",
                hint=f"{request.name} is {request.schema.kind}",
                details=[{"code": "ValidationFailed", "message": p} for p in problems],
            )

    low = found.minimum if found.minimum > float("-inf") else None
    high = found.maximum if found.maximum < float("inf") else None
    return CommandShape(
        found.path,
        check,
        low if guards.minimum is None else guards.minimum,
        high if guards.maximum is None else guards.maximum,
        symbol(request.unit) if request is not None and request.unit else "",
        guards,
    )


def check_settings(graph: Graph, signals: Signals, model: str, commands: Json, place: str) -> None:
    """Checks the `commands` of a model's settings against the model.

    Raises:
        InvalidInput: names the place and the rule.
    """
    known = signals.commands_of(model)
    for name, doc in commands.items():
        here = f"{place}.{name}"
        if name not in known:
            has = ", ".join(known) or "none"
            raise InvalidInput(f"{here}: the model has no such command", hint=f"it has: {has}")
        guards = settings.load(here, doc)
        for row, interlock in enumerate(guards.interlocks):
            compile_condition(graph, signals, model, interlock.when, f"{here}.interlocks[{row}]")
        _check_confirm(signals, model, guards, known[name], f"{here}.confirm")


def _check_confirm(
    signals: Signals, model: str, guards: Guards, command: CommandSignal, place: str
) -> None:
    confirm = guards.confirm
    if confirm is None:
        return
    found = signals.of(model).get(confirm.path)
    if found is None:
        raise InvalidInput(
            f"{place}.property: the model has no '{confirm.path}'",
            hint="it has: " + ", ".join(signals.of(model)),
        )
    request = command.command.request
    if confirm.value is None and request is None:
        raise InvalidInput(
            f"{place}: '{command.path}' has no arguments to compare",
            hint="say in 'value' what the property is when it was done",
        )
    if confirm.value is None and request is not None and request.unit and found.unit:
        units.conversion(symbol(request.unit), symbol(found.unit))
