"""What is known of a behaviour is not looked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gemel.core.errors import InvalidInput
from gemel.services.behaviour import behaviour_of
from gemel.services.calibration.runs import _unknown


def test_what_is_known_is_not_fitted_unless_it_is_followed() -> None:
    settings = SimpleNamespace(
        behaviour=behaviour_of("rc1"), values={"loss": 100.0, "aperture": 0.0}, follow=("loss",)
    )
    assert set(_unknown(settings)) == {"loss", "capacity"}  # type: ignore[arg-type]
    settings.follow, settings.values["capacity"] = (), 1e7
    with pytest.raises(InvalidInput, match="nothing to find"):
        _unknown(settings)  # type: ignore[arg-type]
