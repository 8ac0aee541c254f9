"""The study of scenarios against what then happened, in its small version."""

from __future__ import annotations

from studies import Options, whatif


def test_a_small_study_forecasts_the_changed_plant_better_than_standing_still() -> None:
    found = whatif.run(Options(small=True))
    assert found["forks"] == 1
    assert found["sign"] == 1.0
    for name in ("tank fill", "pump flow", "station power"):
        changed = found["series"][name]["changed"]
        assert changed["skill"] > 0.5, name
    left_alone = found["series"]["zone temperature"]["leftAlone"]
    assert left_alone["error"] < 1.0
