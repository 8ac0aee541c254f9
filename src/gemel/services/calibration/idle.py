"""The live part by the kind of model: one of others is not run beside the live loop."""

from __future__ import annotations

from gemel.core.document import Json
from gemel.services.calibration.live import BehaviourFollower
from gemel.services.calibration.settings import settings_of
from gemel.services.contract import NOTHING, Condition, Found, Live, Readings, Setup
from gemel.services.packing import pack, unpack


def follower(setup: Setup) -> Live:
    """Follows the twins, unless the model is of others."""
    if settings_of(setup.instance).behaviour.whole is not None:
        return Idle(setup)
    return BehaviourFollower(setup)


class Idle:
    """Does nothing with readings: its model runs in runs, and in a sandbox."""

    def __init__(self, setup: Setup) -> None:
        self._name = settings_of(setup.instance).behaviour.name

    def update(self, readings: Readings) -> Found:
        """Leaves them; runs read them from history."""
        del readings
        return NOTHING

    def snapshot(self) -> bytes:
        return pack({}, {})

    def restore(self, data: bytes) -> None:
        unpack(data)

    def condition(self) -> Condition | None:
        return None

    def status(self) -> Json:
        how = "an imported model runs in runs: give 'simulate' a schedule"
        return {"behaviour": self._name, "following": how}
