"""gemel scene object: twins are placed, moved and taken out of the scene."""

from __future__ import annotations

from pathlib import Path

from app.inside import inside
from cli.test_keep import ask, gemel


def test_a_twin_is_placed_moved_listed_and_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    data = ("--data", folder)
    with inside(folder) as server:
        server.pumps("pump-1")
        assert gemel("scene", "object", "list", *data)[1] == "the scene is empty\n"
        placed = ("pump-1", "--kind", "tank", "--at", "-4,0,8", "--parameter", "height=6")
        made = ask("scene", "object", "put", *placed, *data)
        assert (made["at"], made["parameters"]) == ([-4, 0, 8], {"height": 6})
        said = gemel("scene", "object", "put", "pump-1", "--at", "2,3", "--turn", "90", *data)[1]
        assert said == "pump-1 stands at 2, 3 as tank\n"
        (one,) = ask("scene", "object", "list", *data)["value"]
        assert (one["kind"], one["turn"], one["parameters"]) == ("tank", 90, {"height": 6})
        listed = gemel("scene", "object", "list", *data)[1]
        assert listed.split()[-4:] == ["pump-1", "tank", "2,", "3"]
        code, _, err = gemel("scene", "object", "put", "nobody", *data)
        assert (code, "nobody" in err) == (1, True)
        code, _, err = gemel("scene", "object", "put", "pump-1", "--parameter", "tall", *data)
        assert (code, "like --parameter height=4.5" in err) == (1, True)
        gone = gemel("scene", "object", "delete", "pump-1", *data)[1]
        assert gone == "pump-1 stands in the scene no more\n"
        assert gemel("scene", "object", "delete", "pump-1", *data)[0] == 1
