"""From a scenario to the plant: what it set is asked for, past the guards that everybody passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gemel.app.scenario_plan import make_ready
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import Conflict, GemelError, Refused
from gemel.core.policy import WRITE
from gemel.services.whatif.runs import asked_of
from gemel.services.whatif.scenario import Change
from gemel.services.whatif.variants import keys_of

if TYPE_CHECKING:
    from gemel.app.platform import Platform

SECONDS = 600.0
"""A promoted command is worth sending for so long."""


@dataclass(frozen=True, slots=True)
class Wish:
    twin: str
    property: str
    value: float
    command: str
    """"" where no command sets it: it is asked for as a desired value."""


class Promotions:
    """Asks for what a scenario set; each thing by itself, with its own answer."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def promote(self, key: str, who: Principal, *, is_dry: bool) -> Json:
        """Submits commands and desired values; with `is_dry` says what the guards would.

        Raises:
            Conflict: the scenario was not run, or it sets nothing that can be asked for.
        """
        platform = self._platform
        document, _ = await platform.scenarios.result(key)
        wishes, left = await self._wishes(key)
        if not wishes:
            raise Conflict(
                f"scenario '{key}' sets nothing that a device can be asked for",
                hint=left[0]["why"] if left else "set a writable property to a value",
                code="NothingToPromote",
            )
        asked = [await self._ask(key, document["run"], wish, who, is_dry=is_dry) for wish in wishes]
        return {"scenario": key, "dryRun": is_dry, "asked": asked, "left": left}

    async def _wishes(self, key: str) -> tuple[list[Wish], list[Json]]:
        """What can be asked for, and what of the scenario cannot, with the reason."""
        platform = self._platform
        document = {k: v for k, v in platform.scenarios.asked(key).items() if k != "at"}
        ready = await make_ready(platform, key, document)
        asked = asked_of(ready.plan)
        wishes: list[Wish] = []
        left: list[Json] = []
        for change in asked.scenario.changes:
            why = self._why_not(change)
            for twin, path in keys_of(asked.network, change):
                reason = why or self._not_writable(twin, path)
                if reason:
                    left.append({"twin": twin, "property": path, "why": reason})
                    continue
                commands = [
                    b.attachment.commands.get(path, "")
                    for b in asked.network.blocks
                    if twin in b.twins
                ]
                command = next((c for c in commands if c), "")
                wishes.append(Wish(twin, path, change.value, command))
        return wishes, left

    def _why_not(self, change: Change) -> str:
        if change.is_parameter:
            return "a parameter of a model is not set by asking a device"
        if change.operation != "value":
            return f"only a value can be asked for, not '{change.operation}'"
        return ""

    def _not_writable(self, twin: str, path: str) -> str:
        catalogue = self._platform.catalogue
        signal = catalogue.signals.of(catalogue.model_of(twin) or "").get(path)
        if signal is None or signal.category != "property" or not signal.is_writable:
            return "it is not a writable property"
        return ""

    async def _ask(self, key: str, run: str, wish: Wish, who: Principal, *, is_dry: bool) -> Json:
        """One wish; a guard that says no is its answer, not the end of all."""
        row: Json = {"twin": wish.twin, "property": wish.property, "value": wish.value}
        try:
            if wish.command:
                row |= {"by": "command", "command": wish.command}
                row |= await self._command(key, run, wish, who, is_dry=is_dry)
            else:
                row |= {"by": "desired"}
                row |= await self._desired(wish, who, is_dry=is_dry)
        except GemelError as error:
            row |= {"state": "refused", "error": error.message, "hint": error.hint}
        return row

    async def _command(
        self, key: str, run: str, wish: Wish, who: Principal, *, is_dry: bool
    ) -> Json:
        dispatch = self._platform.reactions.dispatch
        ask = dispatch.guarding.asked(who, wish.twin, wish.command, wish.value, SECONDS)
        ask = replace(ask, why=f"what-if '{key}', run {run}")
        if is_dry:
            found = dispatch.dry_run(ask)
            return {"state": found["wouldBe"], "guards": found["guards"]}
        sent = await dispatch.send(ask)
        return {"state": sent["state"], "id": sent["id"]}

    async def _desired(self, wish: Wish, who: Principal, *, is_dry: bool) -> Json:
        platform = self._platform
        sight = platform.policies.sight(who)
        if sight is not None:
            sight.require(WRITE, wish.twin, wish.property)
        self._check_range(wish)
        if is_dry:
            return {"state": "pending"}
        value: Any = int(wish.value) if wish.value.is_integer() else wish.value
        await platform.desired.ask(wish.twin, {wish.property: value}, who.name)
        return {"state": "pending"}

    def _check_range(self, wish: Wish) -> None:
        catalogue = self._platform.catalogue
        signal = catalogue.signals.of(catalogue.require_twin(wish.twin))[wish.property]
        if not signal.minimum <= wish.value <= signal.maximum:
            raise Refused(
                f"'{wish.property}' of '{wish.twin}' may not be {wish.value:g}",
                hint=f"from {signal.minimum:g} to {signal.maximum:g} {signal.unit_symbol}".rstrip(),
            )
