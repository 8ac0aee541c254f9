"""The study of forecasts' bands, on a part of its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from studies import SHARED, Options, forecast


@pytest.mark.shared
@pytest.mark.skipif(not Path(SHARED).is_dir(), reason="no shared data beside the checkout")
def test_bands_from_eight_horizons_hold() -> None:
    (found,) = forecast.run(Options(small=True)).values()
    assert found["histories"] == 3
    assert found["coverage"] > 0.8
