"""`gemel whatif`: from a file to a run, a comparison, the plant, and away."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import yaml

from app.inside import inside
from app.valves import WIDER, put_up
from gemel.cli.main import main


def test_a_scenario_is_made_run_shown_compared_promoted_and_dropped(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "question.yaml"
    file.write_text(yaml.safe_dump([{"id": "wider", **WIDER}]))

    def gemel(*words: str) -> tuple[int, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["whatif", *words, "--data", str(data)])
        return code, out.getvalue() + err.getvalue()

    with inside(data) as server:
        put_up(server.ask)
        assert "valves" in gemel("behaviours")[1]
        assert "wider is not run" in gemel("new", str(file))[1]
        code, said = gemel("run", "wider", "--wait")
        assert code == 0, said
        assert "changed: valve-1.opening = 75" in said
        assert "sure" in said
        assert "done" in gemel("list")[1]
        assert "wider" in gemel("compare", "wider")[1].splitlines()[0]
        assert "open" in gemel("promote", "wider", "--dry-run")[1]
        assert server.ask("GET", "/commands")["value"] == []
        assert "simulated:wider" in gemel("keep", "wider")[1]
        assert gemel("drop", "wider") == (0, "")
        assert "no scenarios" in gemel("list")[1]
        code, said = gemel("run", "wider")
        assert (code, "there is no scenario 'wider'" in said) == (1, True)
