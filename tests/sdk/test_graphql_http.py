"""The audit of GraphQL over HTTP, by the reference implementation (npm `graphql-http`)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import peers
from running import Running

AUDIT = Path(__file__).with_name("graphql_http.mjs")
PACKAGE = "graphql-http@1.22.4"
NOT_OFFERED = {"5A70", "D6D5", "6A70"}
"""GET requests, which a server may offer."""

pytestmark = pytest.mark.peer


def test_the_audit_finds_only_that_get_is_not_offered(tmp_path: Path) -> None:
    pytest.importorskip("graphql", reason="the extra graphql is not installed")
    folder, why_not = peers.npm(PACKAGE)
    if folder is None:
        pytest.skip(why_not)
    with Running(tmp_path / "data") as server:
        done = subprocess.run(
            ["node", str(AUDIT), str(folder), f"{server.url}/graphql", server.token],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    audits = json.loads(done.stdout)
    assert len(audits) >= 60
    found = {one["id"]: one for one in audits if one["status"] != "ok"}
    assert found.keys() == NOT_OFFERED, found.values()
    assert {one["status"] for one in found.values()} == {"notice"}
