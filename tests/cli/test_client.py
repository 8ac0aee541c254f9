from __future__ import annotations

from pathlib import Path

import pytest

from gemel.cli import client
from gemel.core.errors import Unavailable


@pytest.mark.parametrize(("has_demo", "says"), [(True, "--data "), (False, "gemel serve")])
def test_where_no_server_runs_a_demo_below_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_demo: bool, says: str
) -> None:
    demo = {"http": "http://127.0.0.1:1"}
    monkeypatch.delenv("GEMEL_URL", raising=False)
    monkeypatch.setattr(
        client, "announced", lambda folder: demo if has_demo and folder.name == "demo" else None
    )
    with pytest.raises(Unavailable) as told:
        client.Client(tmp_path)
    assert says in told.value.hint
